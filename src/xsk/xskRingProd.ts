import { ADDRESS_BYTES, XDP_DESC_BYTES, XSK_UNALIGNED_BUF_OFFSET_SHIFT } from '../umem/index.js';
import type { MappedRing } from './mappedRing.js';
import { XskRing } from './xskRing.js';

const U32 = 2 ** 32;

/**
 * A ring that the application fills (struct xsk_ring_prod).
 *
 * @example
 * const { tx } = socket;
 * tx.reserve(3); // 3
 * tx.cancel(1);
 * tx.nbFree(1); // 2046
 * tx.cancel(2);
 */
export class XskRingProd extends XskRing {
  constructor(ring: MappedRing, entryBytes: number) {
    super(ring, entryBytes);
    this.cachedProd = this.producer;
    this.cachedCons = (this.consumer + this.size) >>> 0;
  }

  /** Free entries; looks at the kernel's index only when it remembers less than `count` of them (xsk_prod_nb_free). */
  nbFree(count: number): number {
    const free = (this.cachedCons - this.cachedProd) >>> 0;
    if (free >= count) return free;
    this.cachedCons = (this.consumer + this.size) >>> 0;
    return (this.cachedCons - this.cachedProd) >>> 0;
  }

  /** All or nothing: `count`, the first of them now `index`, or 0 (xsk_ring_prod__reserve). */
  reserve(count: number): number {
    if (this.nbFree(count) < count) return 0;
    this.index = this.cachedProd;
    this.cachedProd = (this.cachedProd + count) >>> 0;
    return count;
  }

  /** Takes back the last `count` reserved entries that were not submitted. */
  cancel(count: number): void {
    this.cachedProd = (this.cachedProd - count) >>> 0;
  }

  /** The kernel sees `count` more of the reserved entries (xsk_ring_prod__submit). */
  submit(count: number): void {
    this.producer = (this.producer + count) >>> 0;
  }
}

/**
 * FILL: chunks for the kernel to receive into.
 *
 * @example
 * const { fill } = socket;
 * if (fill.reserve(1) === 1) {
 *   fill.setAddr(fill.index, 4 * umem.config.frameSize);
 *   fill.submit(1);
 * }
 */
export class FillRing extends XskRingProd {
  constructor(ring: MappedRing) {
    super(ring, ADDRESS_BYTES);
  }

  /**
   * Writes the reserved entry `index` (xsk_ring_prod__fill_addr).
   *
   * @param addr UMEM offset of a chunk. Any address in an aligned chunk does; an unaligned one begins here.
   */
  setAddr(index: number, addr: number): void {
    const { u32 } = this;
    const word = this.word(index);
    u32[word] = addr;
    u32[word + 1] = Math.floor(addr / U32);
  }
}

/**
 * TX: packets to be sent.
 *
 * @example
 * const { tx } = socket;
 * umem.u8.set(data, umem.getData(8 * 4096));
 * if (tx.reserve(1) === 1) {
 *   tx.setDesc(tx.index, 8 * 4096, data.length);
 *   tx.submit(1);
 *   socket.sendto();
 * }
 */
export class TxRing extends XskRingProd {
  constructor(ring: MappedRing) {
    super(ring, XDP_DESC_BYTES);
  }

  /**
   * Writes the reserved entry `index` (xsk_ring_prod__tx_desc).
   *
   * @param addr UMEM offset of the packet; for an unaligned chunk the packet is `offset` further on
   * @param len of the packet, or of its part, bytes
   * @param options XDP_PKT_CONTD: the packet goes on in the next entry; XDP_TX_METADATA: struct xsk_tx_metadata lies before it
   * @param offset unaligned chunks: goes into the upper 16 bits of the address, and comes back on COMPLETION
   */
  setDesc(index: number, addr: number, len: number, options = 0, offset = 0): void {
    const { u32 } = this;
    const word = this.word(index);
    u32[word] = addr;
    u32[word + 1] = (Math.floor(addr / U32) & 0xffff) | (offset << (XSK_UNALIGNED_BUF_OFFSET_SHIFT - 32));
    u32[word + 2] = len;
    u32[word + 3] = options;
  }
}
