import { RING_CONSUMER, RING_ENTRIES, RING_FLAGS, RING_PRODUCER } from '../../umem/index.js';
import type { Mapping } from '../../umem/index.js';

/** A mapped ring as it lies in memory, with entries where 6.18 has them. Who writes what, and when, is up to the caller. */
export class RawRing {
  readonly size: number;
  readonly entryBytes: number;
  /** Header and entries. */
  readonly bytes: Uint8Array;
  readonly #u32: Uint32Array;
  readonly #word: number;

  constructor({ u8, u32, offBytes }: Mapping, size: number, entryBytes: number) {
    this.size = size;
    this.entryBytes = entryBytes;
    this.bytes = u8.subarray(offBytes, offBytes + RING_ENTRIES + size * entryBytes);
    this.#u32 = u32;
    this.#word = offBytes >>> 2;
  }

  get producer(): number {
    return this.#u32[this.#word + RING_PRODUCER / 4];
  }

  set producer(index: number) {
    this.#u32[this.#word + RING_PRODUCER / 4] = index;
  }

  get consumer(): number {
    return this.#u32[this.#word + RING_CONSUMER / 4];
  }

  set consumer(index: number) {
    this.#u32[this.#word + RING_CONSUMER / 4] = index;
  }

  get flags(): number {
    return this.#u32[this.#word + RING_FLAGS / 4];
  }

  /** Writes the words of the entry with this free-running index. */
  write(index: number, ...words: readonly number[]): void {
    const at = this.#word + (RING_ENTRIES + (index & (this.size - 1)) * this.entryBytes) / 4;
    words.forEach((word, i) => (this.#u32[at + i] = word));
  }
}
