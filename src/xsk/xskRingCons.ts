import { ADDRESS_BYTES, XDP_DESC_BYTES, XSK_UNALIGNED_BUF_OFFSET_SHIFT } from '../umem/index.js';
import type { MappedRing } from './mappedRing.js';
import { XskRing } from './xskRing.js';

const U32 = 2 ** 32;

/**
 * A ring that the kernel fills (struct xsk_ring_cons). The addresses that it gives are split: a base in the low 48 bits, an offset in the 16 above.
 *
 * @example
 * const count = socket.rx.peek(32);
 * for (let i = 0; i < count; i++) socket.rx.addr(socket.rx.index + i);
 * socket.rx.release(count);
 */
export class XskRingCons extends XskRing {
  constructor(ring: MappedRing, entryBytes: number) {
    super(ring, entryBytes);
    this.cachedProd = this.producer;
    this.cachedCons = this.consumer;
  }

  /** Entries that are there, at most `count`; looks at the kernel's index only when it remembers none (xsk_cons_nb_avail). */
  nbAvail(count: number): number {
    let entries = (this.cachedProd - this.cachedCons) >>> 0;
    if (entries === 0) {
      this.cachedProd = this.producer;
      entries = (this.cachedProd - this.cachedCons) >>> 0;
    }
    return entries > count ? count : entries;
  }

  /** As many as there are, at most `count`, the first of them now `index` (xsk_ring_cons__peek). */
  peek(count: number): number {
    const entries = this.nbAvail(count);
    this.index = this.cachedCons;
    this.cachedCons = (this.cachedCons + entries) >>> 0;
    return entries;
  }

  /** The last `count` peeked entries that were not released will be peeked again (xsk_ring_cons__cancel). */
  cancel(count: number): void {
    this.cachedCons = (this.cachedCons - count) >>> 0;
  }

  /** The kernel may overwrite `count` more of the peeked entries (xsk_ring_cons__release). */
  release(count: number): void {
    this.consumer = (this.consumer + count) >>> 0;
  }

  /** Low 48 bits of the address in entry `index` (xsk_umem__extract_addr): with aligned chunks all of it, with unaligned ones what FILL or TX was given. */
  addr(index: number): number {
    const word = this.word(index);
    return this.u32[word] + (this.u32[word + 1] & 0xffff) * U32;
  }

  /** High 16 bits of it (xsk_umem__extract_offset): 0 with aligned chunks. */
  offset(index: number): number {
    return this.u32[this.word(index) + 1] >>> (XSK_UNALIGNED_BUF_OFFSET_SHIFT - 32);
  }

  /** UMEM offset at which the packet begins, whatever the chunks (xsk_umem__add_offset_to_addr). */
  dataAddr(index: number): number {
    return this.addr(index) + this.offset(index);
  }
}

/**
 * RX: packets that were received.
 *
 * @example
 * const { rx } = socket;
 * const count = rx.peek(1);
 * if (count > 0) rx.len(rx.index); // 60
 * rx.release(count);
 */
export class RxRing extends XskRingCons {
  constructor(ring: MappedRing) {
    super(ring, XDP_DESC_BYTES);
  }

  /** Length of the packet, or of its part, bytes. */
  len(index: number): number {
    return this.u32[this.word(index) + 2];
  }

  /** XDP_PKT_CONTD: the packet goes on in the next entry. */
  options(index: number): number {
    return this.u32[this.word(index) + 3];
  }
}

/**
 * COMPLETION: addresses of what was sent, as TX was given them.
 *
 * @example
 * const { completion } = socket;
 * const done = completion.peek(completion.size);
 * for (let i = 0; i < done; i++) completion.addr(completion.index + i);
 * completion.release(done);
 */
export class CompletionRing extends XskRingCons {
  constructor(ring: MappedRing) {
    super(ring, ADDRESS_BYTES);
  }
}
