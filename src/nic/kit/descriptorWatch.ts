import { Owner } from '../../memory/index.js';
import { Outcome } from '../../xdp/index.js';
import { R8169_DESCRIPTOR_BYTES, R8169_EOR, R8169_OWN, R8169_RX_LENGTH, R8169_TX_LENGTH } from '../device/formats/r8169Bits.js';
import { IOVA_HIGH } from '../device/iommu.js';
import type { CoherentBlock } from './coherentBlock.js';
import type { KitParts } from './kitParts.js';
import { PageStage } from './packetBook.js';
import type { TxJudge } from './txJudge.js';

const OPTS1 = 0;
const OPTS2 = 4;
const ADDR_LOW = 8;
const ADDR_HIGH = 12;
const FIELD_NAMES: Readonly<Record<number, string>> = { [OPTS1]: 'opts1', [OPTS2]: 'opts2', [ADDR_LOW]: 'addr', [ADDR_HIGH]: 'addr (upper half)' };

/** The chip counts the frame check sequence in. */
const ETH_FCS_BYTES = 4;

/** Slot without a page. */
const NO_PAGE = 0;

/**
 * Looks at what a driver reads and writes in a ring of r8169 descriptors, from the moment on when the device knows the ring: who owns a
 * descriptor, in which order its fields are written, and which page goes with it.
 *
 *     0 opts1 (31 OWN, 30 EOR)   4 opts2   8 addr
 */
export class DescriptorWatch {
  /** ChipCmd lets the device use the ring. */
  isEnabled = false;
  /** TX descriptors that were given to the device since the last doorbell. */
  unrung = 0;
  /** Most TX descriptors that the device had at once. */
  highWater = 0;
  readonly slots: number;
  readonly #parts: KitParts;
  readonly #block: CoherentBlock;
  readonly #txJudge: TxJudge | undefined;
  readonly #name: string;
  /** Page that each slot was last given with. */
  readonly #page: Uint32Array;
  /** Number of dma_wmb calls when a field other than opts1 was last written, plus one; 0: OWN was written since. */
  readonly #writtenAt: Uint32Array;

  /** @param txJudge for a TX ring only */
  constructor(parts: KitParts, block: CoherentBlock, txJudge: TxJudge | undefined) {
    this.#parts = parts;
    this.#block = block;
    this.#txJudge = txJudge;
    this.#name = txJudge === undefined ? 'RX' : 'TX';
    this.slots = Math.floor(block.sizeBytes / R8169_DESCRIPTOR_BYTES);
    this.#page = new Uint32Array(this.slots);
    this.#writtenAt = new Uint32Array(this.slots);
    for (let slot = 0; slot < this.slots; slot++) {
      if (!this.isOwned(slot)) continue;
      this.#give(slot);
      this.#checkEnd(slot, this.#word(slot, OPTS1));
    }
  }

  /** The device owns the descriptor. */
  isOwned(slot: number): boolean {
    return (this.#word(slot, OPTS1) & R8169_OWN) !== 0;
  }

  /** RX buffers that the device has, filled ones included that the driver hasn't looked at. */
  get posted(): number {
    let count = 0;
    for (let slot = 0; slot < this.slots; slot++) if (this.#carries(slot, PageStage.posted)) count++;
    return count;
  }

  /** TX buffers that are on the ring, sent ones included that the driver hasn't freed. */
  get sending(): number {
    let count = 0;
    for (let slot = 0; slot < this.slots; slot++) if (this.#carries(slot, PageStage.queued)) count++;
    return count;
  }

  /** RX descriptors that the device has finished and whose packet the driver hasn't handled. */
  get unhandled(): number {
    let count = 0;
    for (let slot = 0; slot < this.slots; slot++) if (!this.isOwned(slot) && (this.#carries(slot, PageStage.posted) || this.#carries(slot, PageStage.received))) count++;
    return count;
  }

  /** The device has filled a page, and OWN in its descriptor says that it has not: one that lies, where a driver must stop. */
  get isBlocked(): boolean {
    const { book, config } = this.#parts;
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.isOwned(slot) && this.#carries(slot, PageStage.posted) && config.tags.payload[book.indexOf(this.#page[slot])] !== 0) return true;
    }
    return false;
  }

  /** The page was put on this ring last, and is on it still. */
  isSending(index: number): boolean {
    const slot = this.#parts.book.slot[index];
    return this.isEnabled && slot < this.slots && this.#parts.book.indexOf(this.#page[slot]) === index && this.isOwned(slot);
  }

  afterRead(offBytes: number, value: number): void {
    if (this.#txJudge !== undefined) return;
    const { book, barriers, mistakes } = this.#parts;
    const slot = Math.floor(offBytes / R8169_DESCRIPTOR_BYTES);
    if (offBytes % R8169_DESCRIPTOR_BYTES === OPTS1) {
      if ((value & R8169_OWN) !== 0) return;
      barriers.isReadPending = true;
      if (this.isEnabled && this.#carries(slot, PageStage.posted)) book.see(this.#page[slot], (value & R8169_RX_LENGTH) - ETH_FCS_BYTES);
    } else if (barriers.isReadPending) {
      barriers.isReadPending = false;
      mistakes.add('missing-dma-rmb', this.#packetId(slot), () => `RX descriptor ${slot}: ${fieldName(offBytes)} is read after OWN without dma_rmb() in between: the CPU may have read it before the device wrote it`);
    }
  }

  beforeWrite(offBytes: number, value: number): void {
    const slot = Math.floor(offBytes / R8169_DESCRIPTOR_BYTES);
    const field = offBytes % R8169_DESCRIPTOR_BYTES;
    const { mistakes, barriers } = this.#parts;
    const isOwned = this.isOwned(slot);
    if (this.isEnabled && isOwned) {
      mistakes.add('descriptor-written-after-own', this.#packetId(slot), () =>
        `${this.#name} descriptor ${slot}: ${fieldName(offBytes)} is written after OWN was given to the device, which may have read the descriptor already and use ${this.#describeAddress(slot)}`);
    }
    if (field !== OPTS1) {
      if (!isOwned) this.#writtenAt[slot] = barriers.writes + 1;
      return;
    }
    if ((value & R8169_OWN) === 0) return;
    if (this.isEnabled && this.#writtenAt[slot] === barriers.writes + 1) {
      mistakes.add('missing-dma-wmb', this.#packetId(slot), () =>
        `${this.#name} descriptor ${slot}: OWN is written without dma_wmb() after the other fields: the device may see OWN before it sees the address`);
    }
    this.#checkEnd(slot, value);
  }

  afterWrite(offBytes: number, value: number): void {
    const slot = Math.floor(offBytes / R8169_DESCRIPTOR_BYTES);
    const field = offBytes % R8169_DESCRIPTOR_BYTES;
    if (field !== OPTS1) {
      // An address that comes after OWN counts too: the mistake is noted, and the page is where it is.
      if (field >= ADDR_LOW && this.isOwned(slot)) this.#give(slot);
    } else if ((value & R8169_OWN) !== 0) {
      const isStale = this.#writtenAt[slot] === 0 && !this.#isDrivers(slot);
      this.#writtenAt[slot] = 0;
      if (!isStale) this.#give(slot);
    }
  }

  /** The doorbell was rung. */
  ring(): void {
    this.unrung = 0;
    let inUse = 0;
    for (let slot = 0; slot < this.slots; slot++) if (this.isOwned(slot)) inUse++;
    if (inUse > this.highWater) this.highWater = inUse;
  }

  /** The device is stopped: what is on the RX ring is the driver's again. */
  disable(): void {
    if (!this.isEnabled) return;
    this.isEnabled = false;
    if (this.#txJudge !== undefined) return;
    const { book, config } = this.#parts;
    for (let slot = 0; slot < this.slots; slot++) {
      if (!this.#carries(slot, PageStage.posted)) continue;
      const page = this.#page[slot];
      const index = book.indexOf(page);
      if (!this.isOwned(slot) && book.packetId(index) !== 0) {
        book.see(page, (this.#word(slot, OPTS1) & R8169_RX_LENGTH) - ETH_FCS_BYTES);
        if (book.stage[index] === PageStage.received) book.end(index, Outcome.rxStranded);
      } else {
        config.allocator.ledger.move(page, Owner.device, Owner.driver);
        book.stage[index] = PageStage.idle;
      }
    }
  }

  /** A descriptor becomes the device's. */
  #give(slot: number): void {
    const { book, config, iovas } = this.#parts;
    const { debug } = config.dma;
    const iovaLow = this.#word(slot, ADDR_LOW);
    const page = this.#word(slot, ADDR_HIGH) === IOVA_HIGH ? iovas.pageOf(iovaLow) : NO_PAGE;
    const opts1 = this.#word(slot, OPTS1);
    if (page === NO_PAGE || (this.#page[slot] === page && this.#isOnRing(slot))) return;
    this.#page[slot] = page;
    if (this.#txJudge === undefined) {
      book.post(page, slot);
      debug.checkDeviceAccess(iovaLow, opts1 & R8169_RX_LENGTH, true, 'RX descriptor');
      return;
    }
    debug.checkDeviceAccess(iovaLow, opts1 & R8169_TX_LENGTH, false, 'TX descriptor');
    const index = book.indexOf(page);
    this.#txJudge.judge(slot, opts1, this.#word(slot, OPTS2), index);
    book.queue(page, slot);
    this.unrung++;
  }

  /** What the descriptor's address points to at this moment. */
  #describeAddress(slot: number): string {
    const { iovas, book } = this.#parts;
    const page = this.#word(slot, ADDR_HIGH) === IOVA_HIGH ? iovas.pageOf(this.#word(slot, ADDR_LOW)) : NO_PAGE;
    return page === NO_PAGE ? 'what stood there before' : `the address that stood there before: ${book.describe(book.indexOf(page))}`;
  }

  #checkEnd(slot: number, opts1: number): void {
    if (slot !== this.slots - 1 || (opts1 & R8169_EOR) !== 0) return;
    this.#parts.mistakes.add('ring-end-missing', this.#packetId(slot), () =>
      `${this.#name} descriptor ${slot}, the last of its ring, is given to the device without RingEnd: the device goes on into what lies behind the ring`);
  }

  /** The page that the slot was last given with is in the driver's hands. */
  #isDrivers(slot: number): boolean {
    const page = this.#page[slot];
    const { ledger } = this.#parts.config.allocator;
    return page !== NO_PAGE && ledger.owner[ledger.indexOf(page)] === Owner.driver;
  }

  #isOnRing(slot: number): boolean {
    return this.#carries(slot, this.#txJudge === undefined ? PageStage.posted : PageStage.queued);
  }

  /** The slot's page is in this stage, and on no other slot. */
  #carries(slot: number, stage: number): boolean {
    const page = this.#page[slot];
    if (page === NO_PAGE) return false;
    const { book } = this.#parts;
    const index = book.indexOf(page);
    return book.stage[index] === stage && book.slot[index] === slot;
  }

  #packetId(slot: number): number {
    const page = this.#page[slot];
    return page === NO_PAGE ? 0 : this.#parts.book.packetId(this.#parts.book.indexOf(page));
  }

  #word(slot: number, field: number): number {
    return this.#parts.config.memory.u32[(this.#block.hostAddress + slot * R8169_DESCRIPTOR_BYTES + field) >>> 2];
  }
}

function fieldName(offBytes: number): string {
  return FIELD_NAMES[offBytes % R8169_DESCRIPTOR_BYTES] ?? 'a field';
}
