import { E2BIG, EBADF, EINVAL, ENOENT, ENOTSUPP, EOPNOTSUPP } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import { BPF_MAP_TYPE_PROG_ARRAY, MAP_ID } from '../layout.js';
import type { MapSpec } from '../spec.js';
import { HashTable, NO_NODE } from './hashTable.js';
import type { HashtabMap } from './hashTable.js';
import { checkHashSpec, checkHashUpdate } from './hashMap.js';
import { BPF_ANY, BPF_F_INNER_MAP, BPF_F_LOCK, BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_WRONLY, MAP_OP_LOOKUP } from './map.js';
import type { BpfMap, MapEntry, MapPlace } from './map.js';
import { checkCommon, checkIndexKey, indexKey, keyIndex, refuseMap, valueMapOps, writeMapBlock } from './mapSupport.js';
import { SlotTable } from './slotTable.js';

export const BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
export const BPF_MAP_TYPE_HASH_OF_MAPS = 13;
const BPF_MAP_TYPE_ARRAY = 2;
const BPF_MAP_TYPE_XSKMAP = 17;

/** These belong to a file descriptor, not to the map (bpf_map_flags_retain_permanent, include/linux/bpf.h). */
const FD_FLAGS = BPF_F_RDONLY | BPF_F_WRONLY;

/** As for a PROG_ARRAY: programs may not be restricted (fd_array_map_alloc_check, kernel/bpf/arraymap.c, 6.18). */
const ARRAY_OF_MAPS_FLAGS = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY;

/** A map whose values are maps. Programs get the inner map's pointer, for helpers; user space gets its id, and puts a map in by `setMap`. */
export interface MapOfMaps extends BpfMap {
  /** What every inner map must be like. */
  readonly template: MapSpec;
  /**
   * Puts a live map of the same machine in, as bpf(2) does with its file descriptor.
   *
   * @returns 0; -EINVAL for a map that is not like the template, or wrong flags; and as an update of an array (-E2BIG) or a hash does
   */
  setMap(key: Uint8Array, inner: BpfMap, flags?: number): number;
  /** The map that this key has. */
  innerMap(key: Uint8Array): BpfMap | undefined;
}

export function isMapOfMapsType(type: number): boolean {
  return type === BPF_MAP_TYPE_ARRAY_OF_MAPS || type === BPF_MAP_TYPE_HASH_OF_MAPS;
}

export function isMapOfMaps(map: BpfMap): map is MapOfMaps {
  return map instanceof ArrayOfMaps || map instanceof HashOfMaps;
}

/**
 * Whether a map may go into a map of maps with this template (bpf_map_meta_equal, kernel/bpf/map_in_map.c, 6.18). The number of entries
 * counts for arrays whose bound the verifier has compiled in (array_map_meta_equal), and for XSKMAPs (xsk_map_meta_equal).
 */
export function fitsTemplate(template: MapSpec, { type, keySize, valueSize, flags, maxEntries }: MapSpec): boolean {
  if (type !== template.type || keySize !== template.keySize || valueSize !== template.valueSize) return false;
  if (((flags ^ template.flags) & ~FD_FLAGS) !== 0) return false;
  const hasFixedSize = type === BPF_MAP_TYPE_XSKMAP || (type === BPF_MAP_TYPE_ARRAY && (flags & BPF_F_INNER_MAP) === 0);
  return !hasFixedSize || maxEntries === template.maxEntries;
}

/** Checks of bpf_map_meta_alloc (kernel/bpf/map_in_map.c, 6.18). */
function templateOf(spec: MapSpec): MapSpec {
  const { innerMap } = spec;
  if (innerMap === undefined) {
    refuseMap(spec, EBADF, 'nothing says what its inner maps are like',
      'define it with __array(values, struct { ... }), or give it an inner map when the object is loaded: sim run --inner-map NAME=MAP, innerMaps of loadObject');
  }
  if (isMapOfMapsType(innerMap.type)) refuseMap(spec, EINVAL, 'its inner map is a map of maps itself', 'nest maps one level deep');
  if (innerMap.type === BPF_MAP_TYPE_PROG_ARRAY) refuseMap(spec, ENOTSUPP, 'its inner map is a PROG_ARRAY', 'use one PROG_ARRAY for all programs');
  return innerMap;
}

function checkValueSize(spec: MapSpec): void {
  if (spec.valueSize !== 4) refuseMap(spec, EINVAL, `value_size is ${spec.valueSize}, not 4`, 'use a __u32 as the value');
}

/** What both types keep in their slots: the address of an inner map's block. */
class InnerMapSlots {
  readonly template: MapSpec;
  readonly table: SlotTable;
  readonly #memory: HostMemory;
  readonly #findMap: (id: number) => BpfMap | undefined;

  constructor(spec: MapSpec, { memory, findMap }: MapPlace) {
    this.template = templateOf(spec);
    this.table = new SlotTable(memory, spec.name, spec.maxEntries, 4);
    this.#memory = memory;
    this.#findMap = findMap ?? (() => undefined);
  }

  put(slot: number, inner: BpfMap): void {
    this.table.set(slot, inner.blockAddress);
  }

  clear(slot: number): void {
    this.table.set(slot, 0);
  }

  map(slot: number): BpfMap | undefined {
    const id = this.#id(slot);
    return id === 0 ? undefined : this.#findMap(id);
  }

  /** Id of the map in a slot, as bpf(2) gives it. */
  idBytes(slot: number): Uint8Array | undefined {
    const id = this.#id(slot);
    return id === 0 ? undefined : indexKey(id);
  }

  /** The map that user space names by its id, where bpf(2) takes a file descriptor; -EBADF when there is none. */
  named(value: Uint8Array): BpfMap | number {
    return this.#findMap(keyIndex(value)) ?? -EBADF;
  }

  #id(slot: number): number {
    const block = this.table.get(slot);
    return block === 0 ? 0 : this.#memory.view.getUint32(block + MAP_ID, true);
  }
}

/** BPF_MAP_TYPE_ARRAY_OF_MAPS. User side: bpf_fd_array_map_update_elem, fd_array_map_delete_elem (kernel/bpf/arraymap.c, 6.18). */
export class ArrayOfMaps implements MapOfMaps {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number = MAP_OP_LOOKUP;
  readonly #memory: HostMemory;
  readonly #slots: InnerMapSlots;

  constructor(spec: MapSpec, place: MapPlace) {
    checkCommon(spec, EINVAL, ARRAY_OF_MAPS_FLAGS);
    checkIndexKey(spec, EINVAL);
    checkValueSize(spec);
    this.spec = spec;
    this.id = place.id;
    this.#memory = place.memory;
    this.#slots = new InnerMapSlots(spec, place);
    this.blockAddress = writeMapBlock(spec, place, this.#slots.table.address);
  }

  get template(): MapSpec {
    return this.#slots.template;
  }

  /** Pointer to the inner map, or 0. */
  lookup(keyAddress: number): number {
    return this.#slots.table.get(this.#memory.view.getUint32(keyAddress, true));
  }

  /** Programs can't put maps in. */
  update(): number {
    return -EOPNOTSUPP;
  }

  delete(): number {
    return -EOPNOTSUPP;
  }

  setMap(key: Uint8Array, inner: BpfMap, flags = BPF_ANY): number {
    return this.#checkUpdate(key, flags) || this.#put(key, inner);
  }

  innerMap(key: Uint8Array): BpfMap | undefined {
    return this.#has(key) ? this.#slots.map(keyIndex(key)) : undefined;
  }

  /** Id of the inner map. */
  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    return this.#has(key) ? this.#slots.idBytes(keyIndex(key)) : undefined;
  }

  /** `value` is the id of a map in this machine. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    const error = value.length === 4 ? this.#checkUpdate(key, flags) : -EINVAL;
    if (error !== 0) return error;
    const inner = this.#slots.named(value);
    return typeof inner === 'number' ? inner : this.#put(key, inner);
  }

  deleteBytes(key: Uint8Array): number {
    if (key.length !== 4) return -EINVAL;
    if (!this.#has(key)) return -E2BIG;
    if (this.#slots.table.get(keyIndex(key)) === 0) return -ENOENT;
    this.#slots.clear(keyIndex(key));
    return 0;
  }

  /** The slots that are filled. */
  *entries(): IterableIterator<MapEntry> {
    for (let index = 0; index < this.spec.maxEntries; index++) {
      const value = this.#slots.idBytes(index);
      if (value !== undefined) yield { key: indexKey(index), value };
    }
  }

  #has(key: Uint8Array): boolean {
    return key.length === 4 && keyIndex(key) < this.spec.maxEntries;
  }

  #checkUpdate(key: Uint8Array, flags: number): number {
    if (key.length !== 4 || flags !== BPF_ANY) return -EINVAL;
    return this.#has(key) ? 0 : -E2BIG;
  }

  #put(key: Uint8Array, inner: BpfMap): number {
    if (!fitsTemplate(this.template, inner.spec)) return -EINVAL;
    this.#slots.put(keyIndex(key), inner);
    return 0;
  }
}

/** BPF_MAP_TYPE_HASH_OF_MAPS. User side: bpf_fd_htab_map_update_elem, htab_map_delete_elem (kernel/bpf/hashtab.c, 6.18). */
export class HashOfMaps implements MapOfMaps, HashtabMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number;
  readonly #memory: HostMemory;
  readonly table: HashTable;
  readonly #slots: InnerMapSlots;
  readonly #scratchKey: number;

  constructor(spec: MapSpec, place: MapPlace) {
    checkValueSize(spec);
    checkHashSpec(spec);
    this.spec = spec;
    this.id = place.id;
    this.#memory = place.memory;
    this.#slots = new InnerMapSlots(spec, place);
    this.table = new HashTable(place.memory, spec.name, spec.keySize, spec.maxEntries);
    this.#scratchKey = place.memory.reserve(`user key of map ${spec.name}`, spec.keySize);
    this.blockAddress = writeMapBlock(spec, place, 0);
    this.programOps = valueMapOps(spec) & MAP_OP_LOOKUP;
  }

  get template(): MapSpec {
    return this.#slots.template;
  }

  /** Pointer to the inner map, or 0. */
  lookup(keyAddress: number): number {
    const node = this.table.find(keyAddress);
    return node === NO_NODE ? 0 : this.#slots.table.get(node);
  }

  /** Programs can't put maps in. */
  update(): number {
    return -EOPNOTSUPP;
  }

  delete(): number {
    return -EOPNOTSUPP;
  }

  setMap(key: Uint8Array, inner: BpfMap, flags = BPF_ANY): number {
    return key.length === this.spec.keySize && (flags & BPF_F_LOCK) === 0 ? this.#put(key, inner, flags) : -EINVAL;
  }

  innerMap(key: Uint8Array): BpfMap | undefined {
    const node = this.nodeOf(key);
    return node === NO_NODE ? undefined : this.#slots.map(node);
  }

  /** Id of the inner map. */
  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    const node = this.nodeOf(key);
    return node === NO_NODE ? undefined : this.#slots.idBytes(node);
  }

  /** `value` is the id of a map in this machine. That it names one is checked before the flags. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (key.length !== this.spec.keySize || value.length !== 4 || (flags & BPF_F_LOCK) !== 0) return -EINVAL;
    const inner = this.#slots.named(value);
    return typeof inner === 'number' ? inner : this.#put(key, inner, flags);
  }

  deleteBytes(key: Uint8Array): number {
    if (key.length !== this.spec.keySize) return -EINVAL;
    this.#memory.u8.set(key, this.#scratchKey);
    const node = this.table.remove(this.#scratchKey);
    if (node === NO_NODE) return -ENOENT;
    this.#slots.clear(node);
    return 0;
  }

  nodeOf(key: Uint8Array): number {
    if (key.length !== this.spec.keySize) return NO_NODE;
    this.#memory.u8.set(key, this.#scratchKey);
    return this.table.find(this.#scratchKey);
  }

  entryAt(node: number): MapEntry {
    const at = this.table.keyAddress(node);
    return { key: this.#memory.u8.slice(at, at + this.spec.keySize), value: this.#slots.idBytes(node)! };
  }

  /** Pointer to the inner map. */
  valueAddress(node: number): number {
    return this.#slots.table.get(node);
  }

  *entries(): IterableIterator<MapEntry> {
    for (const node of this.table.nodes()) yield this.entryAt(node);
  }

  #put(key: Uint8Array, inner: BpfMap, flags: number): number {
    if (!fitsTemplate(this.template, inner.spec)) return -EINVAL;
    let node = this.nodeOf(key);
    const error = checkHashUpdate(node !== NO_NODE, flags);
    if (error !== 0) return error;
    if (node === NO_NODE) node = this.table.insert(this.#scratchKey);
    else this.table.moveToFront(node);
    if (node === NO_NODE) return -E2BIG;
    this.#slots.put(node, inner);
    return 0;
  }
}
