import { E2BIG, EINVAL } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import { BPF_EXIST, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY, BPF_F_WRONLY_PROG } from './map.js';
import type { MapEntry, MapPlace, PlainArray } from './map.js';
import { checkArrayUpdate } from './arrayMap.js';
import {
  checkCommon, checkIndexKey, checkPercpuValue, copyBytes, indexKey, keyIndex, reserveValues, roundUp8, valueMapOps, writeMapBlock,
} from './mapSupport.js';

/** As for an array, but no NUMA node and no mmap (array_map_alloc_check, kernel/bpf/arraymap.c, 6.18). */
const PERCPU_ARRAY_FLAGS = BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

/**
 * BPF_MAP_TYPE_PERCPU_ARRAY: an array of values for each CPU. In memory all elements of CPU 0 come first, then those of CPU 1...
 */
export class PercpuArrayMap implements PlainArray {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = true;
  readonly programOps: number;
  readonly #memory: HostMemory;
  readonly #cpus: number;
  readonly #valuesAddress: number;
  readonly #strideBytes: number;
  readonly #areaBytes: number;

  constructor(spec: MapSpec, place: MapPlace) {
    checkCommon(spec, EINVAL, PERCPU_ARRAY_FLAGS);
    checkIndexKey(spec, EINVAL);
    checkPercpuValue(spec, E2BIG);
    this.spec = spec;
    this.id = place.id;
    this.#memory = place.memory;
    this.#cpus = place.possibleCpus;
    this.#strideBytes = roundUp8(spec.valueSize);
    this.#areaBytes = spec.maxEntries * this.#strideBytes;
    this.#valuesAddress = reserveValues(spec, place, spec.maxEntries * place.possibleCpus);
    this.blockAddress = writeMapBlock(spec, place, this.#valuesAddress);
    this.programOps = valueMapOps(spec);
  }

  lookup(keyAddress: number, cpu: number): number {
    const index = this.#memory.view.getUint32(keyAddress, true);
    return index < this.spec.maxEntries ? this.#addressOf(index, cpu) : 0;
  }

  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): number {
    const index = this.#memory.view.getUint32(keyAddress, true);
    const error = checkArrayUpdate(index, this.spec.maxEntries, flags);
    if (error !== 0) return error;
    copyBytes(this.#memory, this.#addressOf(index, cpu), valueAddress, this.spec.valueSize);
    return 0;
  }

  delete(): number {
    return -EINVAL;
  }

  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    const index = keyIndex(key);
    return key.length === 4 && index < this.spec.maxEntries ? this.#copyOf(index) : undefined;
  }

  /** `value` holds one value for every possible CPU, each rounded up to 8 bytes (bpf_percpu_array_update). */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (key.length !== 4 || value.length !== this.#strideBytes * this.#cpus || flags > BPF_EXIST) return -EINVAL;
    const index = keyIndex(key);
    const error = checkArrayUpdate(index, this.spec.maxEntries, flags);
    if (error !== 0) return error;
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      const at = cpu * this.#strideBytes;
      this.#memory.u8.set(value.subarray(at, at + this.spec.valueSize), this.#addressOf(index, cpu));
    }
    return 0;
  }

  deleteBytes(): number {
    return -EINVAL;
  }

  *entries(): IterableIterator<MapEntry> {
    for (let index = 0; index < this.spec.maxEntries; index++) yield { key: indexKey(index), value: this.#copyOf(index) };
  }

  *nonZeroEntries(): IterableIterator<MapEntry> {
    const { maxEntries } = this.spec;
    /** For each CPU its next element that is not zero. */
    const next = Array.from({ length: this.#cpus }, (_, cpu) => this.#nextNonZero(0, cpu));
    for (let index = Math.min(...next); index < maxEntries; index = Math.min(...next)) {
      yield { key: indexKey(index), value: this.#copyOf(index) };
      for (let cpu = 0; cpu < this.#cpus; cpu++) {
        if (next[cpu] === index) next[cpu] = this.#nextNonZero(index + 1, cpu);
      }
    }
  }

  /** From `index` on; max_entries when there is none. */
  #nextNonZero(index: number, cpu: number): number {
    const end = this.#addressOf(this.spec.maxEntries, cpu);
    const at = this.#memory.nextNonZero(this.#addressOf(index, cpu), end);
    return Math.floor((at - this.#addressOf(0, cpu)) / this.#strideBytes);
  }

  #addressOf(index: number, cpu: number): number {
    return this.#valuesAddress + cpu * this.#areaBytes + index * this.#strideBytes;
  }

  #copyOf(index: number): Uint8Array {
    const copy = new Uint8Array(this.#cpus * this.#strideBytes);
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      const address = this.#addressOf(index, cpu);
      copy.set(this.#memory.u8.subarray(address, address + this.#strideBytes), cpu * this.#strideBytes);
    }
    return copy;
  }
}
