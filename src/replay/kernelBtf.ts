import { closeSync } from 'node:fs';
import { errnoName } from '../base/index.js';
import type { Problem } from '../base/index.js';
import type { Btf, BtfDatasec, MapSpec, ObjectSpec } from '../vm/index.js';
import type { KernelBpf } from './kernelBpf.js';
import {
  BPF_MAP_TYPE_ARENA, BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_CGROUP_ARRAY, BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_DEVMAP,
  BPF_MAP_TYPE_DEVMAP_HASH, BPF_MAP_TYPE_HASH_OF_MAPS, BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_QUEUE,
  BPF_MAP_TYPE_SOCKHASH, BPF_MAP_TYPE_SOCKMAP, BPF_MAP_TYPE_STACK, BPF_MAP_TYPE_STACK_TRACE, BPF_MAP_TYPE_XSKMAP,
} from './uapi.js';

/** The types of an object in the kernel. They are optional: whatever the kernel refuses is loaded without them, as by libbpf. */
export interface KernelBtf {
  readonly types: Btf;
  /** `undefined` when the kernel has refused them. */
  readonly fd: number | undefined;
  /** Why it has: `kernel-btf-refused`. */
  readonly problem: Problem | undefined;
  close(): void;
}

/** Room for the kernel's list of the types up to the one that it doesn't like. */
const LOG_BYTES = 1 << 20;

/** BPF_BTF_LOAD of the object's types; `undefined` when it has none. */
export function loadKernelBtf(kernel: KernelBpf, spec: ObjectSpec): KernelBtf | undefined {
  if (spec.btf === undefined || spec.btfBytes === undefined) return undefined;
  const bytes = kernelBtfBytes(spec);
  const fd = kernel.btfLoad(bytes, undefined);
  if (fd >= 0) return { types: spec.btf, fd, problem: undefined, close: () => closeSync(fd) };
  return { types: spec.btf, fd: undefined, problem: explainRefusal(kernel, bytes, spec.name, fd), close: () => {} };
}

function explainRefusal(kernel: KernelBpf, bytes: Uint8Array, where: string, errno: number): Problem {
  const log = kernel.syscalls.buffer(LOG_BYTES);
  const fd = kernel.btfLoad(bytes, log);
  if (fd >= 0) closeSync(fd);
  const end = log.bytes.indexOf(0);
  const lastLine = new TextDecoder().decode(log.bytes.subarray(0, end < 0 ? undefined : end)).trimEnd().split('\n').at(-1) ?? '';
  return {
    code: 'kernel-btf-refused',
    message: `the kernel refused the object's BTF: ${errnoName(errno)}${lastLine === '' ? '' : `, ${lastLine}`}`,
    where: `${where}, section .BTF`,
  };
}

/** Maps that libbpf gives no types, because the kernel takes none or nobody reads their values (bpf_object__create_map). */
const UNTYPED_MAPS: ReadonlySet<number> = new Set([
  BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_CGROUP_ARRAY, BPF_MAP_TYPE_STACK_TRACE, BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_HASH_OF_MAPS, BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH, BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_XSKMAP, BPF_MAP_TYPE_SOCKMAP,
  BPF_MAP_TYPE_SOCKHASH, BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK, BPF_MAP_TYPE_ARENA,
]);

/** True for a map that BPF_MAP_CREATE can be told the types of. */
export function takesBtf(spec: MapSpec): boolean {
  return spec.valueTypeId !== 0 && !UNTYPED_MAPS.has(spec.type);
}

/** Structs that the kernel itself keeps in values; it finds them by BTF (btf_get_field_type, kernel/bpf/btf.c). */
const SPECIAL_STRUCTS: ReadonlySet<string> = new Set([
  'bpf_spin_lock', 'bpf_res_spin_lock', 'bpf_timer', 'bpf_wq', 'bpf_task_work', 'bpf_list_head', 'bpf_rb_root',
]);

/** Name of the struct in a value for which a map needs BTF, e.g. `bpf_spin_lock`; `undefined` when it holds none. */
export function needsBtf(btf: Btf, valueTypeId: number, seen = new Set<number>()): string | undefined {
  const id = btf.resolve(valueTypeId);
  if (seen.has(id)) return undefined;
  seen.add(id);
  const type = btf.type(id);
  if (type.kind === 'array') return needsBtf(btf, type.typeId, seen);
  if (type.kind === 'datasec') return firstOf(type.variables, (variable) => needsBtf(btf, variable.typeId, seen));
  if (type.kind !== 'struct') return undefined;
  return SPECIAL_STRUCTS.has(type.name) ? type.name : firstOf(type.members, (member) => needsBtf(btf, member.typeId, seen));
}

function firstOf<T>(items: readonly T[], find: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

const HEADER_BYTES = 24;
const TYPE_BYTES = 12;
const SECINFO_BYTES = 12;
const PARAM_BYTES = 8;

const KIND_STRUCT = 4;
const KIND_FUNC_PROTO = 13;

/** Bytes behind struct btf_type, by kind: of one, and of each of its `vlen` elements (include/uapi/linux/btf.h). */
const FIXED_BYTES = new Map([[1, 4], [3, 12], [14, 4], [17, 4]]);
const ELEMENT_BYTES = new Map([[4, 12], [5, 12], [6, 8], [13, 8], [15, 12], [19, 12]]);

const BTF_FUNC_STATIC = 0;
const BTF_FUNC_GLOBAL = 1;
const BTF_VAR_GLOBAL_ALLOCATED = 1;

/**
 * The object's BTF as the kernel takes it; what the compiler leaves open is filled in. As in libbpf:
 *
 * - data sections have the sizes and offsets of `ObjectSpec.btf` (`btf_fixup_datasec`)
 * - hidden functions are static, so that they are verified with their callers (`bpf_object__sanitize_and_load_btf`)
 * - external variables and functions are global, and the latter's parameters have names (`bpf_object__collect_externs`)
 *
 * The section of external symbols (.ksyms) describes no map: it becomes an empty struct, so that the numbers of types stay.
 */
export function kernelBtfBytes({ btf, btfBytes, programs }: ObjectSpec): Uint8Array {
  if (btf === undefined || btfBytes === undefined) throw new TypeError('kernelBtfBytes: the object has no BTF');
  const hidden = new Set(programs.flatMap(({ functions }) => functions.slice(1).filter((fn) => fn.isHidden).map((fn) => fn.name)));
  return new KernelBtfWriter(btf, btfBytes, hidden).write();
}

class KernelBtfWriter {
  readonly #btf: Btf;
  readonly #types: Uint8Array;
  readonly #strings: Uint8Array;
  readonly #hidden: ReadonlySet<string>;
  readonly #out: Uint8Array;
  readonly #view: DataView;
  #at = HEADER_BYTES;

  constructor(btf: Btf, source: Uint8Array, hidden: ReadonlySet<string>) {
    const header = new DataView(source.buffer, source.byteOffset, HEADER_BYTES);
    const part = (at: number): Uint8Array => {
      const start = header.getUint32(4, true) + header.getUint32(at, true);
      return source.subarray(start, start + header.getUint32(at + 4, true));
    };
    this.#btf = btf;
    this.#types = part(8);
    this.#strings = part(16);
    this.#hidden = hidden;
    this.#out = new Uint8Array(HEADER_BYTES + this.#types.length + this.#strings.length);
    this.#out.set(source.subarray(0, HEADER_BYTES));
    this.#view = new DataView(this.#out.buffer);
  }

  // struct btf_header: 0 magic u16  2 version u8  3 flags u8  4 hdr_len  8 type_off  12 type_len  16 str_off  20 str_len
  write(): Uint8Array {
    this.#writeTypes(this.#types);
    const typeBytes = this.#at - HEADER_BYTES;
    this.#view.setUint32(4, HEADER_BYTES, true);
    this.#view.setUint32(8, 0, true);
    this.#view.setUint32(12, typeBytes, true);
    this.#view.setUint32(16, typeBytes, true);
    this.#view.setUint32(20, this.#strings.length, true);
    this.#out.set(this.#strings, this.#at);
    return this.#out.subarray(0, this.#at + this.#strings.length);
  }

  // struct btf_type: 0 name_off  4 info (28..24 kind, 15..0 vlen)  8 size or type
  #writeTypes(types: Uint8Array): void {
    const source = new DataView(types.buffer, types.byteOffset, types.byteLength);
    const starts = [0];
    let at = 0;
    while (at < types.length) {
      const info = source.getUint32(at + 4, true);
      const kind = (info >>> 24) & 31;
      const sizeBytes = TYPE_BYTES + (FIXED_BYTES.get(kind) ?? 0) + (ELEMENT_BYTES.get(kind) ?? 0) * (info & 0xffff);
      const type = this.#btf.type(starts.length);
      starts.push(this.#at);
      this.#out.set(types.subarray(at, at + sizeBytes), this.#at);
      if (type.kind === 'datasec') {
        this.#writeDatasec(type);
      } else {
        if (type.kind === 'var' && type.linkage === 'extern') this.#view.setUint32(this.#at + TYPE_BYTES, BTF_VAR_GLOBAL_ALLOCATED, true);
        if (type.kind === 'func' && type.linkage === 'extern') this.#setLinkage(BTF_FUNC_GLOBAL);
        if (type.kind === 'func' && type.linkage === 'global' && this.#hidden.has(type.name)) this.#setLinkage(BTF_FUNC_STATIC);
        this.#at += sizeBytes;
      }
      at += sizeBytes;
    }
    this.#btf.types.forEach((type, id) => {
      if (type.kind === 'func' && type.linkage === 'extern') this.#nameParams(starts[type.typeId]!, starts[id]!);
    });
  }

  #setLinkage(linkage: number): void {
    const info = this.#view.getUint32(this.#at + 4, true);
    this.#view.setUint32(this.#at + 4, ((info & 0xffff0000) | linkage) >>> 0, true);
  }

  // struct btf_var_secinfo: 0 type  4 offset  8 size
  #writeDatasec({ name, sizeBytes, variables }: BtfDatasec): void {
    if (sizeBytes === 0 || name === '.ksyms') {
      this.#view.setUint32(this.#at, 0, true);
      this.#view.setUint32(this.#at + 4, KIND_STRUCT << 24, true);
      this.#view.setUint32(this.#at + 8, 0, true);
      this.#at += TYPE_BYTES;
      return;
    }
    this.#view.setUint32(this.#at + 8, sizeBytes, true);
    this.#at += TYPE_BYTES;
    for (const variable of variables) {
      this.#view.setUint32(this.#at, variable.typeId, true);
      this.#view.setUint32(this.#at + 4, variable.offBytes, true);
      this.#view.setUint32(this.#at + 8, variable.sizeBytes, true);
      this.#at += SECINFO_BYTES;
    }
  }

  // struct btf_param: 0 name_off  4 type. Any name will do: they get the function's.
  #nameParams(protoAt: number, funcAt: number): void {
    const info = this.#view.getUint32(protoAt + 4, true);
    if (((info >>> 24) & 31) !== KIND_FUNC_PROTO) return;
    for (let i = 0; i < (info & 0xffff); i++) {
      const at = protoAt + TYPE_BYTES + i * PARAM_BYTES;
      if (this.#view.getUint32(at, true) === 0 && this.#view.getUint32(at + 4, true) !== 0) {
        this.#view.setUint32(at, this.#view.getUint32(funcAt, true), true);
      }
    }
  }
}
