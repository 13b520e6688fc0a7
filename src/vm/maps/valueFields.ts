import type { Btf } from '../btf/btf.js';
import type { MapSpec, ValueField } from '../spec.js';
import { BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG } from './map.js';

const [HASH, ARRAY, LRU_HASH] = [1, 2, 9];

interface FieldKind {
  readonly alignBytes: number;
  /** Map types whose values may hold it (map_check_btf, kernel/bpf/syscall.c, 6.18). */
  readonly types: readonly number[];
}

/** Structs that the kernel finds in values by their names (btf_get_field_type, kernel/bpf/btf.c, 6.18), each once at most. */
const KINDS: ReadonlyMap<string, FieldKind> = new Map([
  ['bpf_spin_lock', { alignBytes: 4, types: [HASH, ARRAY] }],
  ['bpf_res_spin_lock', { alignBytes: 4, types: [HASH, ARRAY] }],
  ['bpf_timer', { alignBytes: 8, types: [HASH, ARRAY, LRU_HASH] }],
  ['bpf_wq', { alignBytes: 8, types: [HASH, ARRAY, LRU_HASH] }],
  ['bpf_task_work', { alignBytes: 8, types: [HASH, ARRAY, LRU_HASH] }],
]);

/** Offset of the bpf_spin_lock in a value, `undefined` when it has none that counts. */
export function spinLockOf(spec: MapSpec): number | undefined {
  return spec.valueFields?.find(({ kind }) => kind === 'bpf_spin_lock')?.offBytes;
}

/** The maps with `valueFields`, those of inner maps included. */
export function withValueFields(maps: readonly MapSpec[], btf: Btf | undefined): readonly MapSpec[] {
  return btf === undefined ? maps : maps.map((spec) => withFields(spec, btf));
}

function withFields(spec: MapSpec, btf: Btf): MapSpec {
  const valueFields = valueFieldsOf(spec, btf);
  return {
    ...spec,
    ...(valueFields === undefined ? {} : { valueFields }),
    ...(spec.innerMap === undefined ? {} : { innerMap: withFields(spec.innerMap, btf) }),
  };
}

/**
 * What the kernel keeps in the values of a map, by offset. `undefined` when that is nothing, when it doesn't hold together (two locks in one value),
 * or when the kernel refuses the map with such types: libbpf then makes it without them, and the kernel knows of no fields.
 */
export function valueFieldsOf(spec: MapSpec, btf: Btf): readonly ValueField[] | undefined {
  if (spec.valueTypeId === 0 || (spec.flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)) !== 0) return undefined;
  // A value that is nothing but a lock doesn't count: only members do.
  if (KINDS.has(btf.type(btf.resolve(spec.valueTypeId)).name)) return undefined;
  const fields = new FieldFinder(btf).find(btf.resolve(spec.valueTypeId));
  return fields?.every(({ kind }) => KINDS.get(kind)!.types.includes(spec.type)) === true ? fields : undefined;
}

/**
 * Looks into structs, arrays and data sections; not into unions, and as in the kernel not behind typedefs and qualifiers. Types may be nested
 * in a hostile way, so each is judged once.
 */
class FieldFinder {
  readonly #btf: Btf;
  readonly #holds = new Map<number, boolean>();
  readonly #found = new Map<string, ValueField>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  find(typeId: number): readonly ValueField[] | undefined {
    if (!this.#collect(typeId, 0) || this.#found.size === 0) return undefined;
    return [...this.#found.values()].sort((a, b) => a.offBytes - b.offBytes);
  }

  /** False when there is one that the kernel doesn't take. */
  #collect(typeId: number, offBytes: number): boolean {
    if (!this.#holdsFields(typeId)) return true;
    const type = this.#btf.type(typeId);
    if (type.kind === 'var') return this.#collect(type.typeId, offBytes);
    if (type.kind === 'array') return type.count === 1 && this.#collect(type.typeId, offBytes);
    if (type.kind === 'datasec') return type.variables.every((variable) => this.#collect(variable.typeId, offBytes + variable.offBytes));
    if (type.kind !== 'struct') return true;
    const kind = KINDS.get(type.name);
    if (kind === undefined) return type.members.every((member) => this.#collect(member.typeId, offBytes + member.bitOffset / 8));
    if (this.#found.has(type.name) || offBytes % kind.alignBytes !== 0) return false;
    this.#found.set(type.name, { kind: type.name, offBytes, sizeBytes: type.sizeBytes });
    return true;
  }

  #holdsFields(typeId: number): boolean {
    const known = this.#holds.get(typeId);
    if (known !== undefined) return known;
    const type = this.#btf.type(typeId);
    let holds = false;
    if (type.kind === 'var') holds = this.#holdsFields(type.typeId);
    else if (type.kind === 'array') holds = type.count > 0 && this.#holdsFields(type.typeId);
    else if (type.kind === 'datasec') holds = type.variables.some((variable) => this.#holdsFields(variable.typeId));
    else if (type.kind === 'struct') holds = KINDS.has(type.name) || type.members.some((member) => this.#holdsFields(member.typeId));
    this.#holds.set(typeId, holds);
    return holds;
  }
}
