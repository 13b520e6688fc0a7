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

/** A cached stretch, and DRAM behind it. */
interface CachedStretch {
  readonly start: number;
  readonly end: number;
  /** Distance from the cache to DRAM, bytes. */
  readonly dramOffset: number;
  /** What each line was when it was filled or cleaned. */
  readonly filled: Uint32Array;
}

/**
 * The CPU's cache as DMA sees it.
 *
 * Coherent (x86): the device sees what the CPU wrote and the other way round; nothing here does anything.
 *
 * Non-coherent (many Arm machines): the CPU works on its cache, which is host memory as everybody else addresses it and which never runs
 * out of room. The device works on DRAM, a copy of each range behind it. Only cache operations move bytes between the two:
 *
 *     CPU ── cache (host address) ── clean ─►   DRAM (host address + offset) ◄── device
 *                                 ◄─ invalidate ─
 *
 * A line is dirty when it isn't what it was when it was last filled or cleaned. A real cache writes a dirty line back whenever it needs
 * room; here it does so at the worst moment, right after the device has written to it (`afterDeviceWrite`). So the corruption that is
 * random on a real machine happens every time. Memory outside of the ranges is uncached, as dma_alloc_coherent makes it.
 */
export class CacheModel {
  readonly isCoherent: boolean;
  readonly #memory: HostMemory;
  readonly #stretches: CachedStretch[] = [];

  /** DMA is coherent. */
  static coherent(memory: HostMemory): CacheModel {
    return new CacheModel(memory, true);
  }

  /** DMA bypasses the cache of this range. Reserves as much host memory again, which costs nothing until it is used. */
  static nonCoherent(memory: HostMemory, range: CachedRange): CacheModel {
    const cache = new CacheModel(memory, false);
    cache.addRange(range);
    return cache;
  }

  private constructor(memory: HostMemory, isCoherent: boolean) {
    this.#memory = memory;
    this.isCoherent = isCoherent;
  }

  /** More memory that the CPU sees through its cache only (a UMEM); what lies there is clean. Nothing happens when it is known, or when all is coherent. */
  addRange({ start, sizeBytes }: CachedRange): void {
    if (pageOf(start) !== start || pageOf(sizeBytes) !== sizeBytes || sizeBytes === 0) {
      throw new RangeError(`CacheModel: ${sizeBytes} bytes at ${start} are not whole pages`);
    }
    if (this.isCoherent || this.#find(start) !== undefined) return;
    const memory = this.#memory;
    const end = start + sizeBytes;
    const dramOffset = memory.reserve('DRAM behind the cache', sizeBytes, PAGE_BYTES) - start;
    this.#stretches.push({ start, end, dramOffset, filled: new Uint32Array(sizeBytes / 4) });
    for (let at = memory.nextNonZero(start, end); at < end; at = memory.nextNonZero(at, end)) {
      const page = pageOf(at);
      this.clean(page, PAGE_BYTES);
      at = page + PAGE_BYTES;
    }
  }

  #find(hostAddress: number): CachedStretch | undefined {
    for (const stretch of this.#stretches) if (hostAddress >= stretch.start && hostAddress < stretch.end) return stretch;
    return undefined;
  }

  /** Where the device finds a buffer: in DRAM, or in the buffer itself when all is coherent or it isn't wholly in a cached range. */
  deviceAddressOf(hostAddress: number, sizeBytes: number): number {
    const stretch = this.#find(hostAddress);
    return stretch !== undefined && hostAddress + sizeBytes <= stretch.end ? hostAddress + stretch.dramOffset : hostAddress;
  }

  /** The buffer's host address for an address that the IOMMU gave, where ledgers know it. */
  hostAddressOf(deviceAddress: number): number {
    for (const { start, end, dramOffset } of this.#stretches) {
      const address = deviceAddress - dramOffset;
      if (address >= start && address < end) return address;
    }
    return deviceAddress;
  }

  /** Writes dirty lines of a buffer back to DRAM; a line that isn't dirty leaves DRAM as it is, however old it is. */
  clean(hostAddress: number, sizeBytes: number): void {
    if (this.isCoherent) return;
    const { u32 } = this.#memory;
    for (const { start, end, dramOffset, filled } of this.#stretches) {
      const last = lastLineEnd(end, hostAddress, sizeBytes);
      for (let line = firstLine(start, hostAddress); line < last; line += CACHE_LINE_BYTES) {
        const word = line >>> 2;
        const filledWord = (line - start) >>> 2;
        let i = 0;
        while (i < LINE_WORDS && u32[word + i] === filled[filledWord + i]) i++;
        if (i === LINE_WORDS) continue;
        const dramWord = (line + dramOffset) >>> 2;
        for (i = 0; i < LINE_WORDS; i++) u32[dramWord + i] = filled[filledWord + i] = u32[word + i];
      }
    }
  }

  /** Forgets the lines of a buffer, what the CPU wrote to them included: the CPU's next look sees DRAM. */
  invalidate(hostAddress: number, sizeBytes: number): void {
    if (this.isCoherent) return;
    const { u8, u32 } = this.#memory;
    for (const { start, end, dramOffset, filled } of this.#stretches) {
      const from = firstLine(start, hostAddress);
      const last = lastLineEnd(end, hostAddress, sizeBytes);
      if (last <= from) continue;
      u8.copyWithin(from, from + dramOffset, last + dramOffset);
      filled.set(u32.subarray(from >>> 2, last >>> 2), (from - start) >>> 2);
    }
  }

  /** To be called after a device wrote to an address that the IOMMU gave: dirty lines go on top of what it wrote. */
  afterDeviceWrite(deviceAddress: number, sizeBytes: number): void {
    if (this.isCoherent) return;
    const hostAddress = this.hostAddressOf(deviceAddress);
    if (hostAddress !== deviceAddress) this.clean(hostAddress, sizeBytes);
  }
}

function firstLine(start: number, hostAddress: number): number {
  return Math.max(start, hostAddress - (hostAddress & (CACHE_LINE_BYTES - 1)));
}

function lastLineEnd(end: number, hostAddress: number, sizeBytes: number): number {
  return Math.min(end, Math.ceil((hostAddress + sizeBytes) / CACHE_LINE_BYTES) * CACHE_LINE_BYTES);
}
