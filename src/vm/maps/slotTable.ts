import { EINVAL } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapEntry } from './map.js';
import { indexKey, keyIndex } from './mapSupport.js';

/**
 * Slots of a map of references (PROG_ARRAY, XSKMAP, DEVMAP, CPUMAP), in host memory. A slot is empty when its first u32 is 0; what
 * the numbers stand for is the affair of the map.
 */
export class SlotTable {
  readonly address: number;
  readonly count: number;
  readonly strideBytes: number;
  readonly #memory: HostMemory;

  /**
   * @param strideBytes 4: one u32 a slot; 8: two, of which the second counts only in a filled slot
   *
   * @throws ProblemError `host-memory-exhausted`
   */
  constructor(memory: HostMemory, mapName: string, count: number, strideBytes: 4 | 8) {
    this.#memory = memory;
    this.count = count;
    this.strideBytes = strideBytes;
    this.address = memory.reserve(`slots of map ${mapName}`, count * strideBytes);
  }

  /** First word of a slot: 0 when it is empty or there is no such slot. */
  get(index: number): number {
    return index < this.count ? this.#memory.u32[(this.address + index * this.strideBytes) >>> 2] : 0;
  }

  /** Address of a slot that is filled, else 0. */
  find(index: number): number {
    return this.get(index) === 0 ? 0 : this.address + index * this.strideBytes;
  }

  /** Fills a slot, or empties it by a `first` of 0. The index must be in range. */
  set(index: number, first: number, second = 0): void {
    const word = (this.address + index * this.strideBytes) >>> 2;
    this.#memory.u32[word] = first;
    if (this.strideBytes === 8) this.#memory.u32[word + 1] = second;
  }

  /** A copy of the first bytes of a filled slot, else `undefined`. */
  bytes(index: number, sizeBytes: number): Uint8Array | undefined {
    const address = this.find(index);
    return address === 0 ? undefined : this.#memory.u8.slice(address, address + sizeBytes);
  }

  /** What BPF_MAP_LOOKUP_ELEM gives of a map whose keys are indices. */
  lookupBytes(key: Uint8Array, valueSize: number): Uint8Array | undefined {
    return key.length === 4 ? this.bytes(keyIndex(key), valueSize) : undefined;
  }

  /** BPF_MAP_DELETE_ELEM of such a map: -EINVAL for a key that is none; an empty slot is no error. */
  deleteBytes(key: Uint8Array): number {
    if (key.length !== 4 || keyIndex(key) >= this.count) return -EINVAL;
    this.set(keyIndex(key), 0);
    return 0;
  }

  /** The slots that are filled, in order, as entries of a map whose keys are their indices. */
  *entries(valueSize: number): IterableIterator<MapEntry> {
    for (let index = 0; index < this.count; index++) {
      const value = this.bytes(index, valueSize);
      if (value !== undefined) yield { key: indexKey(index), value };
    }
  }
}
