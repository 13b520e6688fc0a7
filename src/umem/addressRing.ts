import type { HostMemory } from '../memory/index.js';
import type { DescriptorRing } from './descriptorRing.js';
import { Ring } from './ring.js';

/** A ring of UMEM addresses (u64): what FILL and COMPLETION rings are made of. Offsets into a UMEM of this model fit in 32 bits. */
export class AddressRing {
  readonly ring: Ring;
  readonly #u32: Uint32Array;

  constructor(memory: HostMemory, name: string, size: number) {
    this.ring = new Ring(memory, name, size, 8);
    this.#u32 = memory.u32;
  }

  /** Adds an address; false when the ring is full. */
  produce(offBytes: number): boolean {
    const { ring } = this;
    if (ring.isFull) return false;
    this.#put(offBytes, 0);
    return true;
  }

  /** Adds the address of the oldest descriptor of `source`, all 64 bits of it; false when the ring is full. */
  produceAddressOf(source: DescriptorRing): boolean {
    if (this.ring.isFull) return false;
    const word = source.ring.entryAddress(source.ring.consumer) >>> 2;
    this.#put(this.#u32[word], this.#u32[word + 1]);
    return true;
  }

  #put(low: number, high: number): void {
    const { ring } = this;
    const index = ring.producer;
    const word = ring.entryAddress(index) >>> 2;
    this.#u32[word] = low;
    this.#u32[word + 1] = high;
    ring.producer = index + 1;
  }

  /** Takes the oldest address; -1 when the ring is empty. An address beyond 32 bits reads as 0xffffffff, which no UMEM contains. */
  consume(): number {
    const { ring } = this;
    if (ring.isEmpty) return -1;
    const index = ring.consumer;
    const word = ring.entryAddress(index) >>> 2;
    ring.consumer = index + 1;
    return this.#u32[word + 1] === 0 ? this.#u32[word] : 0xffffffff;
  }
}
