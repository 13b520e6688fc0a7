/** Places that the consumer frees at once: two cache lines of pointers (__ptr_ring_set_size, include/linux/ptr_ring.h). */
const CONSUME_BATCH = 16;

/**
 * The kernel's ring of pointers (include/linux/ptr_ring.h). The consumer frees places in batches, so a ring can seem full up to 15 places
 * early; a ring of less than 32 places frees each at once, and so does the end of any ring.
 */
export class PtrRing {
  readonly #entries: Uint32Array;
  readonly #batch: number;
  /** Counted since the ring was made; `#freed` follows `#head`. */
  #head = 0;
  #tail = 0;
  #freed = 0;

  constructor(size: number) {
    this.#entries = new Uint32Array(size);
    this.#batch = CONSUME_BATCH > size / 2 ? 1 : CONSUME_BATCH;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** Entries in the ring. */
  get used(): number {
    return this.#tail - this.#head;
  }

  /** Adds an entry; false when the ring is or seems full (__ptr_ring_produce). */
  produce(entry: number): boolean {
    const size = this.#entries.length;
    if (this.#tail - this.#freed >= size) return false;
    this.#entries[this.#tail++ % size] = entry;
    return true;
  }

  /** The oldest entry, 0 when there is none (__ptr_ring_consume). */
  consume(): number {
    if (this.#head === this.#tail) return 0;
    const size = this.#entries.length;
    const entry = this.#entries[this.#head++ % size];
    if (this.#head - this.#freed >= this.#batch || this.#head % size === 0) this.#freed = this.#head;
    return entry;
  }
}
