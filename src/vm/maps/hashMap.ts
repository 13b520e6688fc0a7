import { E2BIG, EEXIST, EINVAL, ENOENT } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import {
  BPF_EXIST, BPF_F_LOCK, BPF_F_NO_PREALLOC, BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY, BPF_F_WRONLY_PROG,
  BPF_F_ZERO_SEED, BPF_NOEXIST,
} from './map.js';
import type { MapEntry, MapPlace } from './map.js';
import { HashTable, NO_NODE } from './hashTable.js';
import type { HashtabMap } from './hashTable.js';
import { checkCommon, copyValue, readValue, refuseMap, reserveValues, roundUp8, valueMapOps, writeMapBlock } from './mapSupport.js';
import { spinLockOf } from './valueFields.js';

/** HTAB_CREATE_FLAG_MASK without what only LRU maps take (kernel/bpf/hashtab.c, 6.18). */
const HASH_FLAGS =
  BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG | BPF_F_ZERO_SEED;

/** KMALLOC_MAX_SIZE - sizeof(struct htab_elem), x86-64: bound of a key plus a value. */
const ELEMENT_MAX_BYTES = 2 ** 22 - 48;

/** Checks of htab_map_alloc_check (kernel/bpf/hashtab.c, 6.18). */
export function checkHashSpec(spec: MapSpec, allowedFlags: number = HASH_FLAGS): void {
  checkCommon(spec, EINVAL, allowedFlags);
  if (spec.keySize === 0) refuseMap(spec, EINVAL, 'key_size is 0', 'give the map a key type');
  if (spec.keySize + spec.valueSize >= ELEMENT_MAX_BYTES) {
    refuseMap(spec, E2BIG, `key and value together have ${spec.keySize + spec.valueSize} bytes, ${ELEMENT_MAX_BYTES} is too many`, 'make them smaller');
  }
  if (spec.maxEntries > 2 ** 31) refuseMap(spec, E2BIG, `max_entries ${spec.maxEntries} is over 2^31`, 'use fewer entries');
}

/** 0, or the negated errno for these flags (check_flags); only a HASH takes BPF_F_LOCK, which it leaves out here. */
export function checkHashUpdate(exists: boolean, flags: number): number {
  if (flags > BPF_EXIST) return -EINVAL;
  if (exists && flags === BPF_NOEXIST) return -EEXIST;
  return !exists && flags === BPF_EXIST ? -ENOENT : 0;
}

/**
 * BPF_MAP_TYPE_HASH.
 *
 * As in the kernel an update of an existing element does not overwrite its value: the element gets the spare value of this CPU
 * and leaves its old one as the next spare (htab->extra_elems). So a program that still holds the old pointer sees the old value.
 */
export class HashMap implements HashtabMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number;
  readonly #memory: HostMemory;
  readonly table: HashTable;
  readonly #valuesAddress: number;
  readonly #strideBytes: number;
  readonly #hasSpinLock: boolean;
  /** Values, the spare ones included. */
  readonly #valueCount: number;
  /** Address / 4 of u32 per node: address of its value, 0 in a node never used. Behind them one per CPU: its spare value. */
  readonly #slots: number;
  readonly #scratchKey: number;
  readonly #scratchValue: number;

  constructor(spec: MapSpec, place: MapPlace) {
    checkHashSpec(spec);
    const { memory, possibleCpus } = place;
    this.spec = spec;
    this.id = place.id;
    this.#memory = memory;
    this.#strideBytes = roundUp8(spec.valueSize);
    this.#hasSpinLock = spinLockOf(spec) !== undefined;
    this.table = new HashTable(memory, spec.name, spec.keySize, spec.maxEntries);
    this.#slots = memory.reserve(`value slots of map ${spec.name}`, (spec.maxEntries + possibleCpus) * 4) >>> 2;
    this.#valueCount = spec.maxEntries + possibleCpus;
    this.#valuesAddress = reserveValues(spec, place, this.#valueCount);
    for (let cpu = 0; cpu < possibleCpus; cpu++) {
      memory.u32[this.#slots + spec.maxEntries + cpu] = this.#valuesAddress + (spec.maxEntries + cpu) * this.#strideBytes;
    }
    this.#scratchKey = memory.reserve(`user key of map ${spec.name}`, spec.keySize);
    this.#scratchValue = memory.reserve(`user value of map ${spec.name}`, spec.valueSize);
    this.blockAddress = writeMapBlock(spec, place, 0);
    this.programOps = valueMapOps(spec);
  }

  lookup(keyAddress: number): number {
    const node = this.table.find(keyAddress);
    return node === NO_NODE ? 0 : this.#memory.u32[this.#slots + node];
  }

  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): number {
    const { u32 } = this.#memory;
    let node = this.table.find(keyAddress);
    const isLocked = (flags & BPF_F_LOCK) !== 0;
    if (isLocked && !this.#hasSpinLock) return -EINVAL;
    const error = checkHashUpdate(node !== NO_NODE, isLocked ? flags ^ BPF_F_LOCK : flags);
    if (error !== 0) return error;

    if (node === NO_NODE) {
      node = this.table.insert(keyAddress);
      if (node === NO_NODE) return -E2BIG;
      if (u32[this.#slots + node] === 0) u32[this.#slots + node] = this.#valuesAddress + node * this.#strideBytes;
      this.#fill(u32[this.#slots + node], valueAddress);
      return 0;
    }
    if (isLocked) {
      copyValue(this.#memory, this.spec, u32[this.#slots + node], valueAddress);
      return 0;
    }
    const spare = this.#slots + this.spec.maxEntries + cpu;
    const fresh = u32[spare];
    this.#fill(fresh, valueAddress);
    u32[spare] = u32[this.#slots + node];
    u32[this.#slots + node] = fresh;
    this.table.moveToFront(node);
    return 0;
  }

  delete(keyAddress: number): number {
    return this.table.remove(keyAddress) === NO_NODE ? -ENOENT : 0;
  }

  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    if (!this.#takeKey(key)) return undefined;
    const address = this.lookup(this.#scratchKey);
    return address === 0 ? undefined : readValue(this.#memory, this.spec, address);
  }

  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (!this.#takeKey(key) || value.length !== this.spec.valueSize) return -EINVAL;
    this.#memory.u8.set(value, this.#scratchValue);
    return this.update(this.#scratchKey, this.#scratchValue, flags, 0);
  }

  deleteBytes(key: Uint8Array): number {
    return this.#takeKey(key) ? this.delete(this.#scratchKey) : -EINVAL;
  }

  nodeOf(key: Uint8Array): number {
    return this.#takeKey(key) ? this.table.find(this.#scratchKey) : NO_NODE;
  }

  /** The node that has this value, or had it last; NO_NODE for none. */
  nodeOfValue(address: number): number {
    const { u32 } = this.#memory;
    // A value belongs to the node of its place until an update swaps it with a spare one.
    const node = (address - this.#valuesAddress) / this.#strideBytes;
    if (!Number.isInteger(node) || node < 0 || node >= this.#valueCount) return NO_NODE;
    if (node < this.spec.maxEntries && u32[this.#slots + node] === address) return node;
    const at = u32.subarray(this.#slots, this.#slots + this.spec.maxEntries).indexOf(address);
    return at < 0 ? NO_NODE : at;
  }

  valueAddress(node: number): number {
    return this.#memory.u32[this.#slots + node];
  }

  entryAt(node: number): MapEntry {
    const { u8, u32 } = this.#memory;
    const keyAt = this.table.keyAddress(node);
    const valueAt = u32[this.#slots + node];
    return { key: u8.slice(keyAt, keyAt + this.spec.keySize), value: readValue(this.#memory, this.spec, valueAt) };
  }

  *entries(): IterableIterator<MapEntry> {
    for (const node of this.table.nodes()) yield this.entryAt(node);
  }

  /** A new value; what the kernel keeps in it begins as zeros. */
  #fill(address: number, valueAddress: number): void {
    copyValue(this.#memory, this.spec, address, valueAddress);
    if (this.spec.valueFields === undefined) return;
    for (const { offBytes, sizeBytes } of this.spec.valueFields) this.#memory.u8.fill(0, address + offBytes, address + offBytes + sizeBytes);
  }

  #takeKey(key: Uint8Array): boolean {
    if (key.length !== this.spec.keySize) return false;
    this.#memory.u8.set(key, this.#scratchKey);
    return true;
  }
}
