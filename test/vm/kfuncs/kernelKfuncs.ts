import { readFileSync } from 'node:fs';

const BTF_KIND_FUNC = 12;
const BTF_KIND_DECL_TAG = 17;
const HEADER_AND_TYPE_BYTES = 12;

/** Bytes behind the common three words of a type, by kind (Documentation/bpf/btf.rst); `each` counts by vlen. */
const TAIL: Readonly<Record<number, { readonly fixed?: number; readonly each?: number }>> = {
  1: { fixed: 4 }, 3: { fixed: 12 }, 4: { each: 12 }, 5: { each: 12 }, 6: { each: 8 }, 13: { each: 8 }, 14: { fixed: 4 }, 15: { each: 12 },
  17: { fixed: 4 }, 19: { each: 12 },
};

/** Names and BTF ids of the functions that the running kernel has tagged `bpf_kfunc`. */
export function kernelKfuncs(): Map<string, number> {
  const bytes = readFileSync('/sys/kernel/btf/vmlinux');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header = view.getUint32(4, true);
  const typesAt = header + view.getUint32(8, true);
  const typesEnd = typesAt + view.getUint32(12, true);
  const stringsAt = header + view.getUint32(16, true);
  const textAt = (offset: number): string => bytes.toString('latin1', stringsAt + offset, bytes.indexOf(0, stringsAt + offset));
  const functions = new Map<number, string>();
  const kfuncs = new Map<string, number>();
  for (let at = typesAt, id = 1; at < typesEnd; id++) {
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 31;
    if (kind === BTF_KIND_FUNC) functions.set(id, textAt(view.getUint32(at, true)));
    if (kind === BTF_KIND_DECL_TAG && textAt(view.getUint32(at, true)) === 'bpf_kfunc') {
      const tagged = view.getUint32(at + 8, true);
      kfuncs.set(functions.get(tagged)!, tagged);
    }
    const { fixed = 0, each = 0 } = TAIL[kind] ?? {};
    at += HEADER_AND_TYPE_BYTES + fixed + each * (info & 0xffff);
  }
  return kfuncs;
}
