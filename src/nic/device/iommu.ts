import { PAGE_BYTES } from '../../memory/index.js';

/** Device may read the page (DMA_TO_DEVICE). */
export const DMA_READ = 1;
/** Device may write the page (DMA_FROM_DEVICE). */
export const DMA_WRITE = 2;
/** DMA_BIDIRECTIONAL. */
export const DMA_BIDIRECTIONAL = DMA_READ | DMA_WRITE;

/** High word of every I/O virtual address: no host address has one, so a forgotten mapping can't work by luck. */
export const IOVA_HIGH = 1;

/** First mapped page of the I/O address space, so that I/O address 0 faults too. */
const FIRST_SLOT = 16;

/** A translation that failed, or a mapping that was taken back without being there (`sizeBytes` 0). */
export interface IommuFault {
  readonly iovaHigh: number;
  readonly iovaLow: number;
  readonly sizeBytes: number;
  readonly isWrite: boolean;
  readonly reason: string;
}

const KEPT_FAULTS = 16;

/**
 * Translates the addresses that a device uses. One table row per I/O page: host page number and permissions.
 *
 *     iova = 1 << 32 | slot << 12 | offset in page          row = host page number << 2 | permissions, 0 when unmapped
 */
export class Iommu {
  readonly faults: IommuFault[] = [];
  faultCount = 0;
  mappedCount = 0;
  readonly #table: Int32Array;
  readonly #freeSlots: Int32Array;
  #freeCount = 0;
  #freshSlot = FIRST_SLOT;

  /** @param slots I/O pages that can be mapped at the same time */
  constructor(slots: number) {
    this.#table = new Int32Array(FIRST_SLOT + slots);
    this.#freeSlots = new Int32Array(slots);
  }

  /** Maps one page; gives the low word of its I/O address, 0 when the table is full (DMA_MAPPING_ERROR). */
  mapPage(hostAddress: number, permissions: number): number {
    let slot: number;
    if (this.#freeCount > 0) slot = this.#freeSlots[--this.#freeCount];
    else if (this.#freshSlot < this.#table.length) slot = this.#freshSlot++;
    else return 0;
    this.#table[slot] = ((hostAddress >>> 12) << 2) | permissions;
    this.mappedCount++;
    return slot * PAGE_BYTES;
  }

  /** Maps the pages of a ring side by side (dma_alloc_coherent); gives the low word of its I/O address, 0 when there is no room. */
  mapCoherent(hostAddress: number, sizeBytes: number): number {
    const pages = Math.ceil(sizeBytes / PAGE_BYTES);
    if (this.#freshSlot + pages > this.#table.length) return 0;
    const first = this.#freshSlot;
    this.#freshSlot += pages;
    for (let i = 0; i < pages; i++) this.#table[first + i] = (((hostAddress >>> 12) + i) << 2) | DMA_BIDIRECTIONAL;
    this.mappedCount += pages;
    return first * PAGE_BYTES;
  }

  /** Takes a mapping back. One that isn't there is a mistake of the driver, which ends up in `faults`. */
  unmapPage(iovaLow: number): void {
    const slot = iovaLow >>> 12;
    if (slot >= this.#table.length || this.#table[slot] === 0) {
      this.#record({ iovaHigh: IOVA_HIGH, iovaLow, sizeBytes: 0, isWrite: false, reason: 'the driver unmapped a page that is not mapped' });
      return;
    }
    this.#table[slot] = 0;
    this.#freeSlots[this.#freeCount++] = slot;
    this.mappedCount--;
  }

  /** Host address for a transfer of `sizeBytes`; 0 after recording a fault when it isn't mapped, not permitted or leaves its page. */
  translate(iovaHigh: number, iovaLow: number, sizeBytes: number, permission: number): number {
    const row = iovaHigh === IOVA_HIGH ? this.#table[iovaLow >>> 12] | 0 : 0;
    const offset = iovaLow & (PAGE_BYTES - 1);
    if ((row & permission) !== permission || offset + sizeBytes > PAGE_BYTES) {
      this.#fault(iovaHigh, iovaLow, sizeBytes, permission, row);
      return 0;
    }
    return (row >>> 2) * PAGE_BYTES + offset;
  }

  #fault(iovaHigh: number, iovaLow: number, sizeBytes: number, permission: number, row: number): void {
    const reason =
      row === 0 ? 'the page is not mapped' : (row & permission) !== permission ? 'the mapping has the other direction' : 'the transfer leaves its page';
    this.#record({ iovaHigh, iovaLow, sizeBytes, isWrite: permission === DMA_WRITE, reason });
  }

  #record(fault: IommuFault): void {
    this.faultCount++;
    if (this.faults.length < KEPT_FAULTS) this.faults.push(fault);
  }
}
