import { ProblemError } from '../../base/index.js';
import type { StringTable } from '../elf/stringTable.js';
import type { BtfType } from './btfTypes.js';
import { BtfTypeReader, readBtfParts } from './readBtf.js';

/** What CO-RE asks of types, the object's own and those of the kernel. */
export interface BtfView {
  type(id: number): BtfType;
  /** Id of what is behind typedefs, qualifiers and type tags. */
  resolve(id: number): number;
  /** Bytes of a value; `undefined` for types that have none. */
  sizeOf(id: number): number | undefined;
}

/** The types of the kernel that an object is loaded for. */
export interface CoreTarget extends BtfView {
  /** What messages call it. */
  readonly name: string;
  /** True when it has every type of its kernel: what it doesn't have doesn't exist. */
  readonly isComplete: boolean;
  /** Ids of all types with a name that differs at most by its flavour (`essentialName`), in their order. */
  candidates(essentialName: string): readonly number[];
}

/** Longest chain of typedefs and arrays that is followed. */
const MAX_CHAIN = 128;
const POINTER_BYTES = 8;

/**
 * A name without its flavour: `sk_buff___old` is `sk_buff` (bpf_core_essential_name_len, tools/lib/bpf/libbpf.c). A flavour begins with the last three
 * underscores that stand between other characters.
 */
export function essentialName(name: string): string {
  for (let at = name.length - 5; at >= 0; at--) {
    if (name.startsWith('___', at + 1) && name[at] !== '_' && name[at + 4] !== '_') return name.slice(0, at + 1);
  }
  return name;
}

/** Values of the first two bytes of a name. */
const BEGINNINGS = 1 << 16;

/** Ids of all types, sorted by the first two bytes of their names; those of one beginning are `ids` from `starts[beginning]` to the next one's. */
interface NameIndex {
  readonly starts: Uint32Array;
  readonly ids: Uint32Array;
}

/**
 * BTF of a kernel, e.g. the 5.5 MB of /sys/kernel/btf/vmlinux. Only the places of its types are looked up at once; a type is decoded, and checked,
 * when it is asked for. `type`, `resolve` and `sizeOf` throw a `ProblemError` for types that don't hold together.
 */
export class KernelTypes implements CoreTarget {
  readonly name: string;
  readonly isComplete = true;
  readonly #reader: BtfTypeReader;
  readonly #view: DataView;
  readonly #stringBytes: Uint8Array;
  readonly #strings: StringTable;
  readonly #offsets: Uint32Array;
  #index: NameIndex | undefined;
  readonly #types = new Map<number, BtfType>([[0, { kind: 'void', name: '' }]]);

  /** Made by `readKernelTypes`. Throws a `ProblemError`. */
  constructor(bytes: Uint8Array, name: string) {
    const { typeBytes, stringBytes, strings } = readBtfParts(bytes, name);
    this.name = name;
    this.#reader = new BtfTypeReader(typeBytes, strings, name);
    this.#view = new DataView(typeBytes.buffer, typeBytes.byteOffset, typeBytes.byteLength);
    this.#stringBytes = stringBytes;
    this.#strings = strings;
    this.#offsets = this.#reader.offsets();
  }

  type(id: number): BtfType {
    const known = this.#types.get(id);
    if (known !== undefined) return known;
    const offBytes = this.#offsets[id];
    if (offBytes === undefined) this.#refuse(`type ${id} is referred to, but there are ${this.#offsets.length}`);
    const type = this.#reader.typeAt(offBytes);
    this.#types.set(id, type);
    return type;
  }

  resolve(id: number): number {
    let at = id;
    for (let steps = 0; steps < MAX_CHAIN; steps++) {
      const type = this.type(at);
      switch (type.kind) {
        case 'typedef':
        case 'const':
        case 'volatile':
        case 'restrict':
        case 'typeTag':
          at = type.typeId;
          break;
        default:
          return at;
      }
    }
    return this.#refuse(`type ${id} is renamed more than ${MAX_CHAIN} times`);
  }

  sizeOf(id: number): number | undefined {
    let count = 1;
    let at = this.resolve(id);
    for (let steps = 0; steps < MAX_CHAIN; steps++) {
      const type = this.type(at);
      switch (type.kind) {
        case 'array':
          count *= type.count;
          at = this.resolve(type.typeId);
          break;
        case 'ptr':
          return count * POINTER_BYTES;
        case 'int':
        case 'float':
        case 'enum':
        case 'struct':
        case 'union':
          return count * type.sizeBytes;
        default:
          return undefined;
      }
    }
    return this.#refuse(`type ${id} is an array of more than ${MAX_CHAIN} dimensions`);
  }

  candidates(essential: string): readonly number[] {
    return this.#idsOf(essential, (name) => essentialName(name) === essential);
  }

  /** Id of the first type of a kind with exactly this name. */
  find(kind: BtfType['kind'], name: string): number | undefined {
    return this.#idsOf(name, (other) => other === name).find((id) => this.type(id).kind === kind);
  }

  /** Types whose name begins like this and is accepted. Compares bytes, because 150,000 names would take long to decode. */
  #idsOf(prefix: string, accepts: (name: string) => boolean): number[] {
    const wanted = new TextEncoder().encode(prefix);
    const strings = this.#stringBytes;
    const ids: number[] = [];
    for (const id of this.#idsBeginning(wanted)) {
      const nameOff = this.#nameOff(id);
      let matching = 0;
      while (matching < wanted.length && strings[nameOff + matching] === wanted[matching]) matching++;
      if (matching === wanted.length && nameOff !== 0 && accepts(this.#strings.name(nameOff))) ids.push(id);
    }
    return ids;
  }

  /** Ids whose names have the first two bytes of this one, and for a shorter one all ids. */
  #idsBeginning(wanted: Uint8Array): Uint32Array {
    this.#index ??= this.#indexNames();
    const { starts, ids } = this.#index;
    if (wanted.length < 2) return ids.slice().sort();
    const key = wanted[0]! | (wanted[1]! << 8);
    return ids.subarray(starts[key], starts[key + 1]);
  }

  /** Sorts the ids by the first two bytes of their names (a counting sort, so those of one beginning stay in their order). */
  #indexNames(): NameIndex {
    const count = this.#offsets.length;
    const keys = new Uint16Array(count);
    const starts = new Uint32Array(BEGINNINGS + 1);
    for (let id = 1; id < count; id++) {
      const nameOff = this.#nameOff(id);
      keys[id] = (this.#stringBytes[nameOff] ?? 0) | ((this.#stringBytes[nameOff + 1] ?? 0) << 8);
      starts[keys[id]! + 1]!++;
    }
    for (let key = 0; key < BEGINNINGS; key++) starts[key + 1]! += starts[key]!;
    const next = starts.slice();
    const ids = new Uint32Array(count - 1);
    for (let id = 1; id < count; id++) ids[next[keys[id]!]!++] = id;
    return { starts, ids };
  }

  #nameOff(id: number): number {
    return this.#view.getUint32(this.#offsets[id]!, true);
  }

  #refuse(message: string): never {
    throw new ProblemError({ code: 'btf-bad-type', message, where: this.name, hint: 'take the BTF from the kernel again' });
  }
}
