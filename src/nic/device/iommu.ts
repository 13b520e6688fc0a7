import { PAGE_BYTES } from '../../memory/index.js';

/** Device may read the page (include/linux/iommu.h). */
export const IOMMU_READ = 1;
/** Device may write the page. */
export const IOMMU_WRITE = 2;

/** High word of every I/O virtual address: no host address has one, so a forgotten mapping can't work by luck. */
export const IOVA_HIGH = 1;

/** First mapped page of the I/O address space, so that I/O address 0 faults too. */
const FIRST_SLOT = 16;

/** In a row: the page belongs to the same mapping as the page before it. */
const CONTINUES = 4;

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
 * Translates the addresses that a device uses. One table row per I/O page. Strict: a mapping that was taken back is gone at once, and a
 * transfer may not run from one mapping into the next even where their I/O pages lie side by side.
 *
 *     iova = 1 << 32 | slot << 12 | offset in page          row = host page number << 3 | continues << 2 | permissions, 0 when unmapped
 */
export class Iommu {
  readonly faults: IommuFault[] = [];
  faultCount = 0;
  /** I/O pages that are mapped. */
  mappedCount = 0;
  /** Rows of the table; the slots of I/O addresses are below it. */
  readonly slotCount: number;
  readonly #table: Int32Array;
  /** Free slots in a ring through slot 0, last freed first. */
  readonly #nextFree: Int32Array;
  readonly #previousFree: Int32Array;
  /** Where the search for several slots side by side goes on. */
  #runCursor = FIRST_SLOT;

  /** @param slots I/O pages that can be mapped at the same time */
  constructor(slots: number) {
    this.slotCount = FIRST_SLOT + slots;
    this.#table = new Int32Array(this.slotCount);
    this.#nextFree = new Int32Array(this.slotCount);
    this.#previousFree = new Int32Array(this.slotCount);
    for (let slot = this.slotCount - 1; slot >= FIRST_SLOT; slot--) this.#putFree(slot);
  }

  /** Maps one page; gives the low word of its I/O address, 0 when the table is full (DMA_MAPPING_ERROR). */
  mapPage(hostAddress: number, permissions: number): number {
    const slot = this.#nextFree[0];
    if (slot === 0) return 0;
    this.#takeFree(slot);
    this.#table[slot] = ((hostAddress >>> 12) << 3) | permissions;
    this.mappedCount++;
    return slot * PAGE_BYTES;
  }

  /**
   * Maps the pages that `sizeBytes` from a host address touch to I/O pages side by side. As the table knows whole pages only, the device
   * reaches what else lies in them.
   *
   * @returns low word of the I/O address of the first byte, 0 when there is no room (DMA_MAPPING_ERROR)
   */
  mapRange(hostAddress: number, sizeBytes: number, permissions: number): number {
    const offset = hostAddress & (PAGE_BYTES - 1);
    if (offset + sizeBytes <= PAGE_BYTES) {
      const iovaLow = this.mapPage(hostAddress, permissions);
      return iovaLow === 0 ? 0 : iovaLow + offset;
    }
    const pages = Math.ceil((offset + sizeBytes) / PAGE_BYTES);
    const first = this.#findRun(this.#runCursor, pages) || this.#findRun(FIRST_SLOT, pages);
    if (first === 0) return 0;
    this.#runCursor = first + pages;
    for (let i = 0; i < pages; i++) {
      this.#takeFree(first + i);
      this.#table[first + i] = (((hostAddress >>> 12) + i) << 3) | (i === 0 ? 0 : CONTINUES) | permissions;
    }
    this.mappedCount += pages;
    return first * PAGE_BYTES + offset;
  }

  /** Maps the pages of a ring side by side (dma_alloc_coherent); gives the low word of its I/O address, 0 when there is no room. */
  mapCoherent(hostAddress: number, sizeBytes: number): number {
    return this.mapRange(hostAddress, sizeBytes, IOMMU_READ | IOMMU_WRITE);
  }

  /** Takes the mapping of one I/O page back. One that isn't there is a mistake of the driver, which ends up in `faults`. */
  unmapPage(iovaLow: number): void {
    const slot = iovaLow >>> 12;
    if (slot >= this.slotCount || this.#table[slot] === 0) {
      this.#record({ iovaHigh: IOVA_HIGH, iovaLow, sizeBytes: 0, isWrite: false, reason: 'the driver unmapped a page that is not mapped' });
      return;
    }
    this.#table[slot] = 0;
    if (slot + 1 < this.slotCount) this.#table[slot + 1] &= ~CONTINUES;
    this.#putFree(slot);
    this.mappedCount--;
  }

  /** Takes back what `mapRange` mapped. */
  unmapRange(iovaLow: number, sizeBytes: number): void {
    const last = (iovaLow + sizeBytes - 1) >>> 12;
    for (let slot = last; slot >= iovaLow >>> 12; slot--) this.unmapPage(slot * PAGE_BYTES);
  }

  /** Host address for a transfer of `sizeBytes`; 0 after recording a fault when it isn't mapped, not permitted or leaves its mapping's pages. */
  translate(iovaHigh: number, iovaLow: number, sizeBytes: number, permission: number): number {
    const row = iovaHigh === IOVA_HIGH ? this.#table[iovaLow >>> 12] | 0 : 0;
    const offset = iovaLow & (PAGE_BYTES - 1);
    if ((row & permission) !== permission || (offset + sizeBytes > PAGE_BYTES && !this.#reaches(iovaLow, sizeBytes))) {
      this.#fault(iovaHigh, iovaLow, sizeBytes, permission, row);
      return 0;
    }
    return (row >>> 3) * PAGE_BYTES + offset;
  }

  /** All I/O pages of the transfer behind the first belong to the mapping of the first. */
  #reaches(iovaLow: number, sizeBytes: number): boolean {
    const first = iovaLow >>> 12;
    const end = Math.ceil(((iovaLow & (PAGE_BYTES - 1)) + sizeBytes) / PAGE_BYTES) + first;
    for (let slot = first + 1; slot < end; slot++) if ((this.#table[slot] & CONTINUES) === 0) return false;
    return true;
  }

  /** First of so many free slots side by side, at `from` or behind it; 0 when there are none. */
  #findRun(from: number, pages: number): number {
    const table = this.#table;
    for (let slot = from, free = 0; slot < table.length; slot++) {
      free = table[slot] === 0 ? free + 1 : 0;
      if (free === pages) return slot + 1 - pages;
    }
    return 0;
  }

  #putFree(slot: number): void {
    const next = this.#nextFree[0];
    this.#nextFree[slot] = next;
    this.#previousFree[slot] = 0;
    this.#previousFree[next] = slot;
    this.#nextFree[0] = slot;
  }

  #takeFree(slot: number): void {
    const next = this.#nextFree[slot];
    const previous = this.#previousFree[slot];
    this.#nextFree[previous] = next;
    this.#previousFree[next] = previous;
  }

  #fault(iovaHigh: number, iovaLow: number, sizeBytes: number, permission: number, row: number): void {
    const reason =
      row === 0 ? 'the page is not mapped' : (row & permission) !== permission ? 'the mapping has the other direction' : 'the transfer leaves its page';
    this.#record({ iovaHigh, iovaLow, sizeBytes, isWrite: permission === IOMMU_WRITE, reason });
  }

  #record(fault: IommuFault): void {
    this.faultCount++;
    if (this.faults.length < KEPT_FAULTS) this.faults.push(fault);
  }
}
