import { PAGE_BYTES, pageOf } from '../../memory/index.js';
import type { HostMemory } from '../../memory/index.js';

/** Bytes of a cache line. Cache operations and ownership work on whole lines. */
export const CACHE_LINE_BYTES = 64;

const LINE_WORDS = CACHE_LINE_BYTES / 4;

/** A stretch of host memory: `start` and `sizeBytes` are whole pages. */
export interface CachedRange {
  readonly start: number;
  readonly sizeBytes: number;
}

/**
 * The CPU's cache as DMA sees it.
 *
 * Coherent (x86): the device sees what the CPU wrote and the other way round; nothing here does anything.
 *
 * Non-coherent (many Arm machines): the CPU works on its cache, which is host memory as everybody else addresses it and which never runs
 * out of room. The device works on DRAM, a copy of the range at `dramOffset` behind it. Only cache operations move bytes between the two:
 *
 *     CPU ── cache (host address) ── clean ─►   DRAM (host address + dramOffset) ◄── device
 *                                 ◄─ invalidate ─
 *
 * A line is dirty when it isn't what it was when it was last filled or cleaned. A real cache writes a dirty line back whenever it needs
 * room; here it does so at the worst moment, right after the device has written to it (`afterDeviceWrite`). So the corruption that is
 * random on a real machine happens every time. Memory outside of the range is uncached, as dma_alloc_coherent makes it.
 */
export class CacheModel {
  readonly isCoherent: boolean;
  /** Distance from the cache to DRAM, bytes; 0 when coherent. */
  readonly dramOffset: number;
  readonly #memory: HostMemory;
  readonly #start: number;
  readonly #end: number;
  /** What each line was when it was filled or cleaned. */
  readonly #filled: Uint32Array;

  /** DMA is coherent. */
  static coherent(memory: HostMemory): CacheModel {
    return new CacheModel(memory, { start: 0, sizeBytes: 0 });
  }

  /** DMA bypasses the cache of this range. Reserves as much host memory again, which costs nothing until it is used. */
  static nonCoherent(memory: HostMemory, range: CachedRange): CacheModel {
    if (pageOf(range.start) !== range.start || pageOf(range.sizeBytes) !== range.sizeBytes || range.sizeBytes === 0) {
      throw new RangeError(`CacheModel: ${range.sizeBytes} bytes at ${range.start} are not whole pages`);
    }
    return new CacheModel(memory, range);
  }

  private constructor(memory: HostMemory, { start, sizeBytes }: CachedRange) {
    this.#memory = memory;
    this.#start = start;
    this.#end = start + sizeBytes;
    this.#filled = new Uint32Array(sizeBytes / 4);
    this.isCoherent = sizeBytes === 0;
    this.dramOffset = this.isCoherent ? 0 : memory.reserve('DRAM behind the cache', sizeBytes, PAGE_BYTES) - start;
    for (let at = memory.nextNonZero(start, this.#end); at < this.#end; at = memory.nextNonZero(at, this.#end)) {
      const page = pageOf(at);
      this.clean(page, PAGE_BYTES);
      at = page + PAGE_BYTES;
    }
  }

  /** Where the device finds a buffer: in DRAM, or in the buffer itself when all is coherent or it isn't wholly in the cached range. */
  deviceAddressOf(hostAddress: number, sizeBytes: number): number {
    return hostAddress >= this.#start && hostAddress + sizeBytes <= this.#end ? hostAddress + this.dramOffset : hostAddress;
  }

  /** The buffer's host address for an address that the IOMMU gave, where ledgers know it. */
  hostAddressOf(deviceAddress: number): number {
    const address = deviceAddress - this.dramOffset;
    return address >= this.#start && address < this.#end ? address : deviceAddress;
  }

  /** Writes dirty lines of a buffer back to DRAM; a line that isn't dirty leaves DRAM as it is, however old it is. */
  clean(hostAddress: number, sizeBytes: number): void {
    if (this.isCoherent) return;
    const { u32 } = this.#memory;
    const filled = this.#filled;
    const end = this.#lastLineEnd(hostAddress, sizeBytes);
    for (let line = this.#firstLine(hostAddress); line < end; line += CACHE_LINE_BYTES) {
      const word = line >>> 2;
      const filledWord = (line - this.#start) >>> 2;
      let i = 0;
      while (i < LINE_WORDS && u32[word + i] === filled[filledWord + i]) i++;
      if (i === LINE_WORDS) continue;
      const dramWord = (line + this.dramOffset) >>> 2;
      for (i = 0; i < LINE_WORDS; i++) u32[dramWord + i] = filled[filledWord + i] = u32[word + i];
    }
  }

  /** Forgets the lines of a buffer, what the CPU wrote to them included: the CPU's next look sees DRAM. */
  invalidate(hostAddress: number, sizeBytes: number): void {
    if (this.isCoherent) return;
    const { u8, u32 } = this.#memory;
    const from = this.#firstLine(hostAddress);
    const end = this.#lastLineEnd(hostAddress, sizeBytes);
    if (end <= from) return;
    u8.copyWithin(from, from + this.dramOffset, end + this.dramOffset);
    this.#filled.set(u32.subarray(from >>> 2, end >>> 2), (from - this.#start) >>> 2);
  }

  /** To be called after a device wrote to an address that the IOMMU gave: dirty lines go on top of what it wrote. */
  afterDeviceWrite(deviceAddress: number, sizeBytes: number): void {
    if (this.isCoherent) return;
    const hostAddress = this.hostAddressOf(deviceAddress);
    if (hostAddress !== deviceAddress) this.clean(hostAddress, sizeBytes);
  }

  #firstLine(hostAddress: number): number {
    return Math.max(this.#start, hostAddress - (hostAddress & (CACHE_LINE_BYTES - 1)));
  }

  #lastLineEnd(hostAddress: number, sizeBytes: number): number {
    return Math.min(this.#end, Math.ceil((hostAddress + sizeBytes) / CACHE_LINE_BYTES) * CACHE_LINE_BYTES);
  }
}
