import { PAGE_BYTES } from '../memory/index.js';
import type { HostMemory } from '../memory/index.js';

// Layout that XDP_MMAP_OFFSETS reports, the same for all four rings (measured on 6.18, x86-64):
//
//     0 producer u32   128 consumer u32   196 flags u32   320 entries
export const RING_PRODUCER = 0;
export const RING_CONSUMER = 128;
export const RING_FLAGS = 196;
export const RING_ENTRIES = 320;

/** Bytes of an entry: a u64 address on FILL and COMPLETION, struct xdp_desc on RX and TX. */
export const ADDRESS_BYTES = 8;
export const XDP_DESC_BYTES = 16;

/** Flag of a ring: the kernel sleeps until it is woken by a system call. */
export const XDP_RING_NEED_WAKEUP = 1;

/** The largest ring that this model makes. The kernel has no limit of its own and runs out of memory instead. */
export const MAX_RING_ENTRIES = 65536;

/**
 * The shared memory of a single-producer single-consumer ring, as AF_XDP maps it into the application.
 *
 * Both indices run freely through u32; an entry's slot is its index modulo the size (net/xdp/xsk_queue.h). What each side remembers of
 * them is in `XskQueue` (kernel) and in `xsk/` (application).
 */
export class Ring {
  readonly name: string;
  readonly size: number;
  readonly entryBytes: number;
  readonly address: number;
  readonly u32: Uint32Array;
  readonly #word: number;
  readonly #entries: number;

  /** @param size entries, a power of two from 1 to 65536 */
  constructor(memory: HostMemory, name: string, size: number, entryBytes: number) {
    if (!isRingSize(size)) throw new RangeError(`Ring ${name}: size ${size} is not a power of two from 1 to ${MAX_RING_ENTRIES}`);
    this.name = name;
    this.size = size;
    this.entryBytes = entryBytes;
    this.address = memory.reserve(name, RING_ENTRIES + size * entryBytes, PAGE_BYTES);
    this.u32 = memory.u32;
    this.#word = this.address >>> 2;
    this.#entries = this.address + RING_ENTRIES;
  }

  get producer(): number {
    return this.u32[this.#word + RING_PRODUCER / 4];
  }

  set producer(index: number) {
    this.u32[this.#word + RING_PRODUCER / 4] = index;
  }

  get consumer(): number {
    return this.u32[this.#word + RING_CONSUMER / 4];
  }

  set consumer(index: number) {
    this.u32[this.#word + RING_CONSUMER / 4] = index;
  }

  get flags(): number {
    return this.u32[this.#word + RING_FLAGS / 4];
  }

  set flags(flags: number) {
    this.u32[this.#word + RING_FLAGS / 4] = flags;
  }

  /** Entries that were produced and not consumed yet, by the indices in memory. */
  get used(): number {
    return (this.producer - this.consumer) >>> 0;
  }

  get isEmpty(): boolean {
    return this.producer === this.consumer;
  }

  /** Bytes of the mapping. */
  get lenBytes(): number {
    return RING_ENTRIES + this.size * this.entryBytes;
  }

  /** Address of the entry with this free-running index. */
  entryAddress(index: number): number {
    return this.#entries + (index & (this.size - 1)) * this.entryBytes;
  }

  /** The same as an index into `u32`. */
  entryWord(index: number): number {
    return (this.#entries + (index & (this.size - 1)) * this.entryBytes) >>> 2;
  }
}

/** Whether AF_XDP (and this model's upper limit) makes a ring of so many entries. */
export function isRingSize(size: number): boolean {
  return Number.isInteger(size) && size >= 1 && size <= MAX_RING_ENTRIES && (size & (size - 1)) === 0;
}
