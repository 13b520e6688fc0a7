import { PAGE_BYTES } from '../../memory/index.js';

/** By which call a mapping came to be (dma_debug_* of kernel/dma/debug.h). */
export const MappingKind = { none: 0, single: 1, scatterGather: 2, coherent: 3, resource: 4 } as const;

export type MappingKind = (typeof MappingKind)[keyof typeof MappingKind];

const LINE_SHIFT = 6;
const LINES_PER_PAGE = PAGE_BYTES >>> LINE_SHIFT;
const ALL_LINES = -1;

/** By line: the lines of a page from this one on, and those up to this one, as bits: lines 0 to 31 and lines 32 to 63. */
const FROM_LOW = Int32Array.from({ length: LINES_PER_PAGE }, (_, line) => (line < 32 ? ALL_LINES << line : 0));
const FROM_HIGH = Int32Array.from({ length: LINES_PER_PAGE }, (_, line) => (line < 32 ? ALL_LINES : ALL_LINES << (line - 32)));
const UPTO_LOW = Int32Array.from({ length: LINES_PER_PAGE }, (_, line) => (line < 32 ? ALL_LINES >>> (31 - line) : ALL_LINES));
const UPTO_HIGH = Int32Array.from({ length: LINES_PER_PAGE }, (_, line) => (line < 32 ? 0 : ALL_LINES >>> (63 - line)));

/**
 * All mappings of a device. Every I/O page belongs to one mapping at most, so columns are indexed by the number of the I/O page
 * (`iovaLow >>> 12`); what holds for a whole mapping stands at its first I/O page, and stays there after the mapping is gone, for
 * people who look for the reason of a fault.
 *
 * Who owns the bytes is known per cache line, 64 bits for each I/O page: set when the CPU owns the line, clear when the device does.
 */
export class MappingTable {
  /** First I/O page of the mapping that an I/O page belongs to, 0 when it belongs to none. */
  readonly firstOf: Int32Array;
  readonly kind: Uint8Array;
  readonly iovaLow: Uint32Array;
  readonly hostAddress: Uint32Array;
  readonly sizeBytes: Uint32Array;
  readonly direction: Uint8Array;
  /** Entries of the dma_map_sg call that it was part of, else 1. */
  readonly entries: Uint32Array;
  /** dma_mapping_error was asked. */
  readonly isErrorChecked: Uint8Array;
  readonly mapSite: string[];
  readonly unmapSite: string[];
  /** Mappings at this moment. */
  count = 0;
  readonly #cpuLinesLow: Int32Array;
  readonly #cpuLinesHigh: Int32Array;
  /** I/O pages of one host page, in a list that begins in `#headOf` at the host page's number. */
  readonly #headOf: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  /** @param slotCount numbers of I/O pages are below it; @param memoryBytes host addresses are below it */
  constructor(slotCount: number, memoryBytes: number) {
    this.firstOf = new Int32Array(slotCount);
    this.kind = new Uint8Array(slotCount);
    this.iovaLow = new Uint32Array(slotCount);
    this.hostAddress = new Uint32Array(slotCount);
    this.sizeBytes = new Uint32Array(slotCount);
    this.direction = new Uint8Array(slotCount);
    this.entries = new Uint32Array(slotCount);
    this.isErrorChecked = new Uint8Array(slotCount);
    this.mapSite = Array<string>(slotCount).fill('');
    this.unmapSite = Array<string>(slotCount).fill('');
    this.#cpuLinesLow = new Int32Array(slotCount);
    this.#cpuLinesHigh = new Int32Array(slotCount);
    this.#headOf = new Int32Array(Math.ceil(memoryBytes / PAGE_BYTES));
    this.#next = new Int32Array(slotCount);
    this.#previous = new Int32Array(slotCount);
  }

  /** First I/O page of the mapping whose I/O pages hold this address, 0 when there is none. */
  find(iovaLow: number): number {
    const slot = iovaLow >>> 12;
    return slot < this.firstOf.length ? this.firstOf[slot] : 0;
  }

  /**
   * Enters a mapping; the device owns all of it.
   *
   * @param entries of the dma_map_sg call that it is part of, else 1
   */
  add(
    kind: MappingKind, iovaLow: number, hostAddress: number, sizeBytes: number, direction: number, entries: number, site: string,
  ): void {
    const first = iovaLow >>> 12;
    this.kind[first] = kind;
    this.iovaLow[first] = iovaLow;
    this.hostAddress[first] = hostAddress;
    this.sizeBytes[first] = sizeBytes;
    this.direction[first] = direction;
    this.entries[first] = entries;
    this.isErrorChecked[first] = kind === MappingKind.single || kind === MappingKind.resource ? 0 : 1;
    this.mapSite[first] = site;
    const last = (iovaLow + sizeBytes - 1) >>> 12;
    for (let slot = first, hostPage = hostAddress >>> 12; slot <= last; slot++, hostPage++) {
      this.firstOf[slot] = first;
      this.#cpuLinesLow[slot] = 0;
      this.#cpuLinesHigh[slot] = 0;
      const next = this.#headOf[hostPage];
      this.#next[slot] = next;
      this.#previous[slot] = 0;
      if (next !== 0) this.#previous[next] = slot;
      this.#headOf[hostPage] = slot;
    }
    this.count++;
  }

  /** Takes out the mapping that begins at this I/O page. */
  remove(first: number, site: string): void {
    this.unmapSite[first] = site;
    const last = (this.iovaLow[first] + this.sizeBytes[first] - 1) >>> 12;
    for (let slot = first, hostPage = this.hostAddress[first] >>> 12; slot <= last; slot++, hostPage++) {
      this.firstOf[slot] = 0;
      const next = this.#next[slot];
      const previous = this.#previous[slot];
      if (next !== 0) this.#previous[next] = previous;
      if (previous !== 0) this.#next[previous] = next;
      else this.#headOf[hostPage] = next;
    }
    this.count--;
  }

  /** First of the I/O pages of the host page that holds an address, 0 when it isn't mapped; `nextOfHostPage` gives the others. */
  firstOfHostPage(hostAddress: number): number {
    const hostPage = hostAddress >>> 12;
    return hostPage < this.#headOf.length ? this.#headOf[hostPage] : 0;
  }

  nextOfHostPage(slot: number): number {
    return this.#next[slot];
  }

  /** Hands the cache lines of a range over; they must belong to one mapping. */
  handOver(iovaLow: number, sizeBytes: number, toCpu: boolean): void {
    const end = iovaLow + sizeBytes;
    for (let at = iovaLow; at < end; ) {
      const slot = at >>> 12;
      const stop = Math.min(end, (slot + 1) * PAGE_BYTES);
      const firstLine = (at & (PAGE_BYTES - 1)) >>> LINE_SHIFT;
      const lastLine = ((stop - 1) & (PAGE_BYTES - 1)) >>> LINE_SHIFT;
      if (toCpu) {
        this.#cpuLinesLow[slot] |= FROM_LOW[firstLine] & UPTO_LOW[lastLine];
        this.#cpuLinesHigh[slot] |= FROM_HIGH[firstLine] & UPTO_HIGH[lastLine];
      } else {
        this.#cpuLinesLow[slot] &= ~(FROM_LOW[firstLine] & UPTO_LOW[lastLine]);
        this.#cpuLinesHigh[slot] &= ~(FROM_HIGH[firstLine] & UPTO_HIGH[lastLine]);
      }
      at = stop;
    }
  }

  /** I/O address of the first byte of a range that the CPU (or else the device) owns, -1 when it owns none. */
  findOwned(iovaLow: number, sizeBytes: number, byCpu: boolean): number {
    const flip = byCpu ? 0 : ALL_LINES;
    const end = iovaLow + sizeBytes;
    for (let at = iovaLow; at < end; ) {
      const slot = at >>> 12;
      const stop = Math.min(end, (slot + 1) * PAGE_BYTES);
      const firstLine = (at & (PAGE_BYTES - 1)) >>> LINE_SHIFT;
      const lastLine = ((stop - 1) & (PAGE_BYTES - 1)) >>> LINE_SHIFT;
      const low = (this.#cpuLinesLow[slot] ^ flip) & FROM_LOW[firstLine] & UPTO_LOW[lastLine];
      const high = (this.#cpuLinesHigh[slot] ^ flip) & FROM_HIGH[firstLine] & UPTO_HIGH[lastLine];
      if ((low | high) !== 0) {
        const line = low !== 0 ? lowestBit(low) : 32 + lowestBit(high);
        return Math.max(iovaLow, slot * PAGE_BYTES + (line << LINE_SHIFT));
      }
      at = stop;
    }
    return -1;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
