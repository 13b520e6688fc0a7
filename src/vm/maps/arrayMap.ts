import { E2BIG, EEXIST, EINVAL } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import {
  BPF_EXIST, BPF_F_INNER_MAP, BPF_F_LOCK, BPF_F_MMAPABLE, BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY,
  BPF_F_WRONLY_PROG, BPF_NOEXIST,
} from './map.js';
import type { MapEntry, MapPlace, PlainArray } from './map.js';
import {
  checkCommon, checkIndexKey, copyValue, freeFields, indexKey, keyIndex, readValue, refuseMap, reserveValues, roundUp8, valueMapOps, writeMapBlock, writeValue,
} from './mapSupport.js';
import { spinLockOf } from './valueFields.js';

/** ARRAY_CREATE_FLAG_MASK and the rules behind it (array_map_alloc_check, kernel/bpf/arraymap.c, 6.18). */
const ARRAY_FLAGS = BPF_F_NUMA_NODE | BPF_F_MMAPABLE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG | BPF_F_INNER_MAP;
const INT_MAX = 2 ** 31 - 1;

/**
 * 0 or the negated errno of an update of an array element (array_map_update_elem, kernel/bpf/arraymap.c, 6.18). Every element exists
 * already, so BPF_NOEXIST always fails; BPF_F_LOCK needs a value with a bpf_spin_lock.
 */
export function checkArrayUpdate(index: number, maxEntries: number, flags: number, hasSpinLock = false): number {
  if ((flags & ~BPF_F_LOCK) >>> 0 > BPF_EXIST) return -EINVAL;
  if (index >= maxEntries) return -E2BIG;
  if ((flags & BPF_NOEXIST) !== 0) return -EEXIST;
  return (flags & BPF_F_LOCK) !== 0 && !hasSpinLock ? -EINVAL : 0;
}

/** BPF_MAP_TYPE_ARRAY: all elements exist from the start, zeroed; the sections of global data are arrays of one element. */
export class ArrayMap implements PlainArray {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number;
  /** Address of the first element. */
  readonly valuesAddress: number;
  readonly #memory: HostMemory;
  readonly #strideBytes: number;
  readonly #hasSpinLock: boolean;

  constructor(spec: MapSpec, place: MapPlace) {
    checkCommon(spec, EINVAL, ARRAY_FLAGS);
    checkIndexKey(spec, EINVAL);
    if (spec.valueSize > INT_MAX) refuseMap(spec, E2BIG, `value_size ${spec.valueSize} is over 2 GiB`, 'make the value smaller');
    this.spec = spec;
    this.id = place.id;
    this.#memory = place.memory;
    this.#strideBytes = roundUp8(spec.valueSize);
    this.#hasSpinLock = spinLockOf(spec) !== undefined;
    this.valuesAddress = reserveValues(spec, place, spec.maxEntries);
    this.blockAddress = writeMapBlock(spec, place, this.valuesAddress);
    this.programOps = valueMapOps(spec);
    if (spec.initialValue !== undefined) this.#memory.u8.set(spec.initialValue.subarray(0, spec.valueSize), this.valuesAddress);
  }

  lookup(keyAddress: number): number {
    const index = this.#memory.view.getUint32(keyAddress, true);
    return index < this.spec.maxEntries ? this.valuesAddress + index * this.#strideBytes : 0;
  }

  update(keyAddress: number, valueAddress: number, flags: number): number {
    const index = this.#memory.view.getUint32(keyAddress, true);
    const error = checkArrayUpdate(index, this.spec.maxEntries, flags, this.#hasSpinLock);
    if (error !== 0) return error;
    const address = this.valuesAddress + index * this.#strideBytes;
    copyValue(this.#memory, this.spec, address, valueAddress);
    freeFields(this.#memory, this.spec, address);
    return 0;
  }

  /** An array can't lose an element. */
  delete(): number {
    return -EINVAL;
  }

  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    const index = keyIndex(key);
    return key.length === 4 && index < this.spec.maxEntries ? this.#copyOf(index) : undefined;
  }

  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (key.length !== 4 || value.length !== this.spec.valueSize || ((flags & BPF_F_LOCK) !== 0 && !this.#hasSpinLock)) return -EINVAL;
    const index = keyIndex(key);
    const error = checkArrayUpdate(index, this.spec.maxEntries, flags, this.#hasSpinLock);
    if (error !== 0) return error;
    const address = this.valuesAddress + index * this.#strideBytes;
    writeValue(this.#memory, this.spec, address, value);
    freeFields(this.#memory, this.spec, address);
    return 0;
  }

  deleteBytes(): number {
    return -EINVAL;
  }

  *entries(): IterableIterator<MapEntry> {
    for (let index = 0; index < this.spec.maxEntries; index++) yield { key: indexKey(index), value: this.#copyOf(index) };
  }

  *nonZeroEntries(): IterableIterator<MapEntry> {
    const end = this.valuesAddress + this.spec.maxEntries * this.#strideBytes;
    for (let at = this.valuesAddress; ; ) {
      at = this.#memory.nextNonZero(at, end);
      if (at === end) return;
      const index = Math.floor((at - this.valuesAddress) / this.#strideBytes);
      yield { key: indexKey(index), value: this.#copyOf(index) };
      at = this.valuesAddress + (index + 1) * this.#strideBytes;
    }
  }

  #copyOf(index: number): Uint8Array {
    return readValue(this.#memory, this.spec, this.valuesAddress + index * this.#strideBytes);
  }
}
