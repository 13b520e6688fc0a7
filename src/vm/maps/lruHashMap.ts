import { E2BIG, EINVAL, ENOENT, ENOMEM, ENOTSUPP } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import {
  BPF_EXIST, BPF_F_NO_COMMON_LRU, BPF_F_NO_PREALLOC, BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY,
  BPF_F_WRONLY_PROG, BPF_F_ZERO_SEED,
} from './map.js';
import type { MapEntry, MapPlace } from './map.js';
import { checkHashSpec, checkHashUpdate } from './hashMap.js';
import { HashTable, NO_NODE } from './hashTable.js';
import type { HashtabMap } from './hashTable.js';
import { LruList } from './lruList.js';
import { checkFlags, checkPercpuValue, copyBytes, copyValue, freeFields, readValue, refuseMap, reserveValues, roundUp8, valueMapOps, writeMapBlock } from './mapSupport.js';

const ACCESS_FLAGS = BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

/** Checks of htab_map_alloc_check (kernel/bpf/hashtab.c, 6.18) for LRU maps. */
function checkLruSpec(spec: MapSpec, isPerCpu: boolean): void {
  const flags = BPF_F_NO_COMMON_LRU | BPF_F_ZERO_SEED | ACCESS_FLAGS;
  checkFlags(spec, EINVAL, flags | BPF_F_NUMA_NODE | BPF_F_NO_PREALLOC);
  if ((spec.flags & BPF_F_NO_PREALLOC) !== 0) refuseMap(spec, ENOTSUPP, 'an LRU map is always preallocated', 'leave out BPF_F_NO_PREALLOC');
  const hasNode = !isPerCpu && (spec.flags & BPF_F_NO_COMMON_LRU) === 0;
  checkHashSpec(spec, hasNode ? flags | BPF_F_NUMA_NODE : flags);
  if (isPerCpu) checkPercpuValue(spec, E2BIG);
}

/**
 * BPF_MAP_TYPE_LRU_HASH and BPF_MAP_TYPE_LRU_PERCPU_HASH: hashes that evict old elements instead of being full; which ones, says LruList.
 *
 * As in the kernel an update takes a node before it looks for the key. So even an update of an existing key, or one that fails for its
 * flags, may evict an element. Lookups by programs count as use, those by user space don't. User space is on CPU 0.
 */
export class LruHashMap implements HashtabMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean;
  readonly programOps: number;
  readonly #memory: HostMemory;
  readonly table: HashTable;
  readonly #lru: LruList;
  /** Values of each element: one, or one for each CPU. */
  readonly #cpus: number;
  readonly #valuesAddress: number;
  readonly #strideBytes: number;
  readonly #areaBytes: number;
  readonly #scratchKey: number;
  readonly #scratchValue: number;

  constructor(spec: MapSpec, place: MapPlace, isPerCpu: boolean) {
    checkLruSpec(spec, isPerCpu);
    const { memory, possibleCpus } = place;
    const isCommon = (spec.flags & BPF_F_NO_COMMON_LRU) === 0;
    // With an LRU for each CPU all of them have equally many nodes (htab_map_alloc).
    const nodeCount = isCommon ? spec.maxEntries : Math.ceil(spec.maxEntries / possibleCpus) * possibleCpus;
    this.spec = spec;
    this.id = place.id;
    this.isPerCpu = isPerCpu;
    this.#memory = memory;
    this.#cpus = isPerCpu ? possibleCpus : 1;
    this.#strideBytes = roundUp8(spec.valueSize);
    this.#areaBytes = nodeCount * this.#strideBytes;
    const table = new HashTable(memory, spec.name, spec.keySize, nodeCount);
    this.#valuesAddress = reserveValues(spec, place, nodeCount * this.#cpus);
    this.#lru = new LruList(memory, spec.name, nodeCount, possibleCpus, isCommon, (node) => table.unlink(table.keyAddress(node)));
    this.table = table;
    this.#scratchKey = memory.reserve(`user key of map ${spec.name}`, spec.keySize);
    this.#scratchValue = memory.reserve(`user value of map ${spec.name}`, this.#userBytes());
    this.blockAddress = writeMapBlock(spec, place, 0);
    this.programOps = valueMapOps(spec);
  }

  lookup(keyAddress: number, cpu: number): number {
    const node = this.table.find(keyAddress);
    if (node === NO_NODE) return 0;
    this.#lru.markUsed(node);
    return this.#addressOf(node, this.isPerCpu ? cpu : 0);
  }

  update(keyAddress: number, valueAddress: number, flags: number, cpu: number): number {
    if (flags > BPF_EXIST) return -EINVAL;
    return this.isPerCpu ? this.#updatePercpu(keyAddress, valueAddress, flags, cpu, false) : this.#replace(keyAddress, valueAddress, flags, cpu);
  }

  delete(keyAddress: number): number {
    const node = this.table.unlink(keyAddress);
    if (node === NO_NODE) return -ENOENT;
    this.#lru.push(node);
    return 0;
  }

  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    if (!this.#takeKey(key)) return undefined;
    const node = this.table.find(this.#scratchKey);
    return node === NO_NODE ? undefined : this.#copyOf(node);
  }

  /** `value` is one value; on a per-CPU map one for every possible CPU, each rounded up to 8 bytes. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (flags > BPF_EXIST || !this.#takeKey(key) || value.length !== this.#userBytes()) return -EINVAL;
    this.#memory.u8.set(value, this.#scratchValue);
    return this.isPerCpu
      ? this.#updatePercpu(this.#scratchKey, this.#scratchValue, flags, 0, true)
      : this.#replace(this.#scratchKey, this.#scratchValue, flags, 0);
  }

  deleteBytes(key: Uint8Array): number {
    return this.#takeKey(key) ? this.delete(this.#scratchKey) : -EINVAL;
  }

  nodeOf(key: Uint8Array): number {
    return this.#takeKey(key) ? this.table.find(this.#scratchKey) : NO_NODE;
  }

  /** The node that has this value, or had it last; NO_NODE for none. */
  nodeOfValue(address: number): number {
    const node = (address - this.#valuesAddress) / this.#strideBytes;
    return Number.isInteger(node) && node >= 0 && node < this.table.capacity ? node : NO_NODE;
  }

  valueAddress(node: number, cpu: number): number {
    return this.#addressOf(node, this.isPerCpu ? cpu : 0);
  }

  entryAt(node: number): MapEntry {
    const keyAt = this.table.keyAddress(node);
    return { key: this.#memory.u8.slice(keyAt, keyAt + this.spec.keySize), value: this.#copyOf(node) };
  }

  *entries(): IterableIterator<MapEntry> {
    for (const node of this.#lru.nodes()) yield this.entryAt(node);
  }

  /** htab_lru_map_update_elem: a new element takes the place of the old one. */
  #replace(keyAddress: number, valueAddress: number, flags: number, cpu: number): number {
    const fresh = this.#lru.pop(cpu);
    if (fresh === NO_NODE) return -ENOMEM;
    copyValue(this.#memory, this.spec, this.#addressOf(fresh, 0), valueAddress);
    freeFields(this.#memory, this.spec, this.#addressOf(fresh, 0));
    const old = this.table.find(keyAddress);
    const error = checkHashUpdate(old !== NO_NODE, flags);
    if (error !== 0) {
      this.#lru.push(fresh);
      return error;
    }
    if (old !== NO_NODE) {
      this.#lru.markUsed(fresh);
      this.table.unlink(keyAddress);
    }
    this.table.insertAt(fresh, keyAddress);
    if (old !== NO_NODE) this.#lru.push(old);
    return 0;
  }

  /** __htab_lru_percpu_map_update_elem: an old element is written in place. With `isForAll` there is a value for each CPU at `valueAddress`. */
  #updatePercpu(keyAddress: number, valueAddress: number, flags: number, cpu: number, isForAll: boolean): number {
    const fresh = flags === BPF_EXIST ? NO_NODE : this.#lru.pop(cpu);
    if (fresh === NO_NODE && flags !== BPF_EXIST) return -ENOMEM;
    const old = this.table.find(keyAddress);
    const error = checkHashUpdate(old !== NO_NODE, flags);
    if (error === 0 && old === NO_NODE) {
      if (isForAll) this.#setAllValues(fresh, valueAddress);
      else this.#initOwnValue(fresh, valueAddress, cpu);
      this.table.insertAt(fresh, keyAddress);
      return 0;
    }
    if (error === 0) {
      this.#lru.markUsed(old);
      if (isForAll) this.#setAllValues(old, valueAddress);
      else copyBytes(this.#memory, this.#addressOf(old, cpu), valueAddress, this.spec.valueSize);
    }
    if (fresh !== NO_NODE) this.#lru.push(fresh);
    return error;
  }

  /** A new element: the other CPUs' values are zeroed (pcpu_init_value). */
  #initOwnValue(node: number, valueAddress: number, cpu: number): void {
    for (let other = 0; other < this.#cpus; other++) {
      const address = this.#addressOf(node, other);
      if (other !== cpu) this.#memory.u8.fill(0, address, address + this.#strideBytes);
    }
    copyBytes(this.#memory, this.#addressOf(node, cpu), valueAddress, this.spec.valueSize);
  }

  #setAllValues(node: number, valuesAddress: number): void {
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      copyBytes(this.#memory, this.#addressOf(node, cpu), valuesAddress + cpu * this.#strideBytes, this.spec.valueSize);
    }
  }

  #addressOf(node: number, cpu: number): number {
    return this.#valuesAddress + cpu * this.#areaBytes + node * this.#strideBytes;
  }

  #userBytes(): number {
    return this.isPerCpu ? this.#cpus * this.#strideBytes : this.spec.valueSize;
  }

  #copyOf(node: number): Uint8Array {
    const copy = new Uint8Array(this.#userBytes());
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      const address = this.#addressOf(node, cpu);
      copy.set(readValue(this.#memory, this.spec, address), cpu * this.#strideBytes);
    }
    return copy;
  }

  #takeKey(key: Uint8Array): boolean {
    if (key.length !== this.spec.keySize) return false;
    this.#memory.u8.set(key, this.#scratchKey);
    return true;
  }
}
