import { XDP_RING_NEED_WAKEUP } from '../umem/index.js';
import type { MappedRing } from './mappedRing.js';

/**
 * The application's end of a ring that the kernel has mapped (struct xsk_ring_prod and xsk_ring_cons of libxdp's xsk.h).
 *
 * Indices run freely through u32 and wrap; an entry's slot is its index modulo the size, so that any number of entries from `index` on is named by
 * `index + i`, without a thought for the wrap. The other end sees an index only when it is stored in shared memory, by `submit` or `release`, after
 * the entries: x86 keeps the order of stores, and nothing here runs in a second thread.
 *
 * @example
 * socket.fill.size; // 2048
 * socket.fill.producer - socket.fill.consumer; // chunks that the kernel has not taken yet
 */
export class XskRing {
  readonly size: number;
  /** First entry of what `reserve` or `peek` gave last. */
  index = 0;
  /**
   * What this end remembers of both indices: its own may be ahead of shared memory, the other's behind. A producer's copy of the consumer is `size`
   * larger, so that the difference is what is free.
   */
  cachedProd = 0;
  cachedCons = 0;
  protected readonly u32: Uint32Array;
  readonly #producer: number;
  readonly #consumer: number;
  readonly #flags: number;
  readonly #entries: number;
  readonly #entryShift: number;

  /** @param entryBytes 8 or 16 */
  constructor({ mapping, offsets, size }: MappedRing, entryBytes: number) {
    const word = mapping.offBytes >>> 2;
    this.size = size;
    this.u32 = mapping.u32;
    this.#producer = word + (offsets.producer >>> 2);
    this.#consumer = word + (offsets.consumer >>> 2);
    this.#flags = word + (offsets.flags >>> 2);
    this.#entries = word + (offsets.desc >>> 2);
    this.#entryShift = Math.log2(entryBytes / 4);
  }

  /** The index in shared memory up to which entries are there. */
  get producer(): number {
    return this.u32[this.#producer];
  }

  protected set producer(index: number) {
    this.u32[this.#producer] = index;
  }

  /** The index in shared memory up to which entries were taken. */
  get consumer(): number {
    return this.u32[this.#consumer];
  }

  protected set consumer(index: number) {
    this.u32[this.#consumer] = index;
  }

  /** XDP_RING_NEED_WAKEUP: the kernel sleeps on this ring until a system call wakes it (xsk_ring_prod__needs_wakeup). */
  get needsWakeup(): boolean {
    return (this.u32[this.#flags] & XDP_RING_NEED_WAKEUP) !== 0;
  }

  /** Index into `u32` of the entry with this free-running index. */
  protected word(index: number): number {
    return this.#entries + ((index & (this.size - 1)) << this.#entryShift);
  }
}
