import type { HostMemory } from '../memory/index.js';
import { NO_RING } from './chunkHistory.js';
import { Ring } from './ring.js';

/** Of a ring whose producer index is believed, whatever it says: so many entries are looked at in one call. */
const MOST_TRUSTED_ENTRIES = 4096;

/** `options` bit of a descriptor: the packet goes on in the next descriptor. */
export const XDP_PKT_CONTD = 1;
/** `options` bit of a TX descriptor: struct xsk_tx_metadata lies before the packet. */
export const XDP_TX_METADATA = 2;

/**
 * The kernel's end of a ring (struct xsk_queue, net/xdp/xsk_queue.h, 6.18): what it remembers of both indices. The other side sees what is
 * published only.
 */
export class XskQueue {
  readonly ring: Ring;
  /** Kernel's copies of the indices: as producer `cachedProd` runs ahead of what it published; as consumer `cachedCons` does. */
  cachedProd = 0;
  cachedCons = 0;
  /** Counters behind XDP_STATISTICS: invalid_descs and queue_empty_descs. */
  invalidDescs = 0;
  queueEmptyDescs = 0;
  /** Told before an index of the application is looked at: what it has done until then can be seen in the ring. And the ring's number there. */
  watch: { sync(): void } | undefined;
  watchId = NO_RING;

  constructor(memory: HostMemory, name: string, size: number, entryBytes: number) {
    this.ring = new Ring(memory, name, size, entryBytes);
  }
}

/** Kernel's end of FILL or TX. */
export class ConsumerQueue extends XskQueue {
  readonly #trustsProducer: boolean;

  /** @param trustsProducer the kernel's way: a producer index that is further ahead than the ring is long is believed (measured on 6.18) */
  constructor(memory: HostMemory, name: string, size: number, entryBytes: number, trustsProducer: boolean) {
    super(memory, name, size, entryBytes);
    this.#trustsProducer = trustsProducer;
  }

  /** Most entries that one call looks at: a producer index that makes no sense would let it go on for 2^32. */
  get mostEntries(): number {
    return this.#trustsProducer ? Math.max(this.ring.size, MOST_TRUSTED_ENTRIES) : this.ring.size;
  }

  /** An entry is there; looks at the producer only when the cached window is empty, and publishes the consumer at that moment (xskq_cons_get_entries). */
  peek(): boolean {
    if (this.cachedCons !== this.cachedProd) return true;
    this.publish();
    this.#readProducer();
    return this.cachedCons !== this.cachedProd;
  }

  /** xskq_cons_nb_entries: how many are there, at most `most`. Other than `peek` it publishes nothing. */
  entries(most: number): number {
    let entries = (this.cachedProd - this.cachedCons) >>> 0;
    if (entries >= most) return most;
    this.#readProducer();
    entries = (this.cachedProd - this.cachedCons) >>> 0;
    return entries >= most ? most : entries;
  }

  #readProducer(): void {
    this.watch?.sync();
    const { producer, size } = this.ring;
    const isSane = this.#trustsProducer || (producer - this.cachedCons) >>> 0 <= size;
    this.cachedProd = isSane ? producer : (this.cachedCons + size) >>> 0;
  }

  /** Index into the memory's u32 of the entry that comes next. */
  get word(): number {
    return this.ring.entryWord(this.cachedCons);
  }

  /** xskq_cons_release: one entry was taken. */
  release(): void {
    this.cachedCons = (this.cachedCons + 1) >>> 0;
  }

  /** xskq_cons_cancel_n. */
  cancel(count: number): void {
    this.cachedCons = (this.cachedCons - count) >>> 0;
  }

  /** __xskq_cons_release: the application sees what was taken. */
  publish(): void {
    this.ring.consumer = this.cachedCons;
  }

  /** xskq_cons_present_entries, by the indices in memory. */
  get present(): number {
    return this.ring.used;
  }
}

/** Kernel's end of RX or COMPLETION. */
export class ProducerQueue extends XskQueue {
  /** xskq_prod_nb_free: free slots, as far as `most` matter; looks at the consumer only when the cached one leaves less than that. */
  free(most: number): number {
    const { size } = this.ring;
    let free = (size - (this.cachedProd - this.cachedCons)) >>> 0;
    if (free >= most) return most;
    this.watch?.sync();
    this.cachedCons = this.ring.consumer;
    // A consumer that makes no sense makes for more free slots than there are; the kernel believes it.
    free = (size - (this.cachedProd - this.cachedCons)) >>> 0;
    return free >= most ? most : free;
  }

  get isFull(): boolean {
    return this.free(1) === 0;
  }

  /** xskq_prod_reserve: false when there is no room. */
  reserve(): boolean {
    if (this.isFull) return false;
    this.cachedProd = (this.cachedProd + 1) >>> 0;
    return true;
  }

  /** xskq_prod_cancel_n. */
  cancel(count: number): void {
    this.cachedProd = (this.cachedProd - count) >>> 0;
  }

  /** xskq_prod_reserve_desc: false when there is no room. */
  reserveDesc(low: number, high: number, len: number, options: number): boolean {
    if (this.isFull) return false;
    const { u32 } = this.ring;
    const word = this.ring.entryWord(this.cachedProd);
    u32[word] = low;
    u32[word + 1] = high;
    u32[word + 2] = len;
    u32[word + 3] = options;
    this.cachedProd = (this.cachedProd + 1) >>> 0;
    return true;
  }

  /** xskq_prod_reserve_addr: false when there is no room. */
  reserveAddress(low: number, high: number): boolean {
    if (this.isFull) return false;
    this.writeAddress(this.cachedProd, low, high);
    this.cachedProd = (this.cachedProd + 1) >>> 0;
    return true;
  }

  writeAddress(index: number, low: number, high: number): void {
    const { u32 } = this.ring;
    const word = this.ring.entryWord(index);
    u32[word] = low;
    u32[word + 1] = high;
  }

  /** xskq_prod_submit: the application sees what was reserved. */
  submit(): void {
    this.ring.producer = this.cachedProd;
  }

  /** xskq_prod_submit_n: it sees so many more. */
  submitMore(count: number): void {
    this.ring.producer = (this.ring.producer + count) >>> 0;
  }

  /** xskq_prod_is_empty, by the indices in memory. */
  get isEmpty(): boolean {
    return this.ring.isEmpty;
  }
}
