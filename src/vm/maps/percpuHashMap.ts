import { E2BIG, EINVAL, ENOENT } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import {
  BPF_F_NO_PREALLOC, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY, BPF_F_WRONLY_PROG, BPF_F_ZERO_SEED,
} from './map.js';
import type { MapEntry, MapPlace } from './map.js';
import { checkHashSpec, checkHashUpdate } from './hashMap.js';
import { HashTable, NO_NODE } from './hashTable.js';
import type { HashtabMap } from './hashTable.js';
import { checkPercpuValue, copyBytes, reserveValues, roundUp8, valueMapOps, writeMapBlock } from './mapSupport.js';

/** As for a hash, but no NUMA node (htab_map_alloc_check, kernel/bpf/hashtab.c, 6.18). */
const PERCPU_HASH_FLAGS = BPF_F_NO_PREALLOC | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG | BPF_F_ZERO_SEED;

/**
 * BPF_MAP_TYPE_PERCPU_HASH: one key, a value for each CPU. In memory all values of CPU 0 come first, then those of CPU 1...
 *
 * A program's update writes the value of its own CPU in place; if the element is new it zeroes the other CPUs' values
 * (__htab_percpu_map_update_elem and pcpu_init_value, kernel/bpf/hashtab.c, 6.18).
 */
export class PercpuHashMap implements HashtabMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = true;
  readonly programOps: number;
  readonly #memory: HostMemory;
  readonly #cpus: number;
  readonly table: HashTable;
  readonly #valuesAddress: number;
  readonly #strideBytes: number;
  readonly #areaBytes: number;
  readonly #scratchKey: number;

  constructor(spec: MapSpec, place: MapPlace) {
    checkHashSpec(spec, PERCPU_HASH_FLAGS);
    checkPercpuValue(spec, E2BIG);
    const { memory } = place;
    this.spec = spec;
    this.id = place.id;
    this.#memory = memory;
    this.#cpus = place.possibleCpus;
    this.#strideBytes = roundUp8(spec.valueSize);
    this.#areaBytes = spec.maxEntries * this.#strideBytes;
    this.table = new HashTable(memory, spec.name, spec.keySize, spec.maxEntries);
    this.#valuesAddress = reserveValues(spec, place, spec.maxEntries * place.possibleCpus);
    this.#scratchKey = memory.reserve(`user key of map ${spec.name}`, spec.keySize);
    this.blockAddress = writeMapBlock(spec, place, 0);
    this.programOps = valueMapOps(spec);
  }

  lookup(keyAddress: number, cpu: number): number {
    const node = this.table.find(keyAddress);
    return node === NO_NODE ? 0 : this.#addressOf(node, cpu);
  }

  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): number {
    let node = this.table.find(keyAddress);
    const error = checkHashUpdate(node !== NO_NODE, flags);
    if (error !== 0) return error;
    if (node === NO_NODE) {
      node = this.table.insert(keyAddress);
      if (node === NO_NODE) return -E2BIG;
      for (let other = 0; other < this.#cpus; other++) {
        const address = this.#addressOf(node, other);
        if (other !== cpu) this.#memory.u8.fill(0, address, address + this.#strideBytes);
      }
    }
    copyBytes(this.#memory, this.#addressOf(node, cpu), valueAddress, this.spec.valueSize);
    return 0;
  }

  delete(keyAddress: number): number {
    return this.table.remove(keyAddress) === NO_NODE ? -ENOENT : 0;
  }

  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    const node = this.nodeOf(key);
    return node === NO_NODE ? undefined : this.#copyOf(node);
  }

  /** `value` holds one value for every possible CPU, each rounded up to 8 bytes. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (key.length !== this.spec.keySize || value.length !== this.#strideBytes * this.#cpus) return -EINVAL;
    let node = this.nodeOf(key);
    const error = checkHashUpdate(node !== NO_NODE, flags);
    if (error !== 0) return error;
    if (node === NO_NODE) node = this.table.insert(this.#scratchKey);
    if (node === NO_NODE) return -E2BIG;
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      const at = cpu * this.#strideBytes;
      this.#memory.u8.set(value.subarray(at, at + this.spec.valueSize), this.#addressOf(node, cpu));
    }
    return 0;
  }

  deleteBytes(key: Uint8Array): number {
    if (key.length !== this.spec.keySize) return -EINVAL;
    this.#memory.u8.set(key, this.#scratchKey);
    return this.delete(this.#scratchKey);
  }

  /** Leaves the key in the scratch place. */
  nodeOf(key: Uint8Array): number {
    if (key.length !== this.spec.keySize) return NO_NODE;
    this.#memory.u8.set(key, this.#scratchKey);
    return this.table.find(this.#scratchKey);
  }

  valueAddress(node: number, cpu: number): number {
    return this.#addressOf(node, cpu);
  }

  entryAt(node: number): MapEntry {
    const keyAt = this.table.keyAddress(node);
    return { key: this.#memory.u8.slice(keyAt, keyAt + this.spec.keySize), value: this.#copyOf(node) };
  }

  *entries(): IterableIterator<MapEntry> {
    for (const node of this.table.nodes()) yield this.entryAt(node);
  }

  #addressOf(node: number, cpu: number): number {
    return this.#valuesAddress + cpu * this.#areaBytes + node * this.#strideBytes;
  }

  #copyOf(node: number): Uint8Array {
    const copy = new Uint8Array(this.#cpus * this.#strideBytes);
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      const address = this.#addressOf(node, cpu);
      copy.set(this.#memory.u8.subarray(address, address + this.#strideBytes), cpu * this.#strideBytes);
    }
    return copy;
  }
}
