import { hex } from '../../base/index.js';
import type { HostMemory, OwnerLedger } from '../../memory/index.js';
import { CACHE_LINE_BYTES } from './cacheModel.js';
import { directionName, DMA_BIDIRECTIONAL, DMA_FROM_DEVICE, DMA_TO_DEVICE } from './direction.js';
import { DmaReports } from './dmaReports.js';
import type { DmaReport } from './dmaReports.js';
import { DMA_ERRORS } from './errorClasses.js';
import { MappingKind } from './mappingTable.js';
import type { MappingTable } from './mappingTable.js';

export type { DmaReport } from './dmaReports.js';

/** Memory that must not, or can't, be mapped for DMA. */
export interface UnmappableRegion {
  readonly start: number;
  readonly sizeBytes: number;
  readonly kind: 'stack' | 'text' | 'vmalloc';
}

/** Mappings of one cache line that the kernel's checker can count (ACTIVE_CACHELINE_MAX_OVERLAP). */
const MAX_OVERLAP = 7;

/** The kernel maps what lies on a stack or in its text, but refuses vmalloc memory (dma_map_single_attrs). */
const UNMAPPABLE = {
  stack: { error: DMA_ERRORS.stackMemory, detail: '', isRefused: false },
  text: { error: DMA_ERRORS.kernelText, detail: '', isRefused: false },
  vmalloc: { error: DMA_ERRORS.invalidMemory, detail: 'vmalloc memory', isRefused: true },
  nothing: { error: DMA_ERRORS.invalidMemory, detail: 'no memory lies there', isRefused: true },
};

const FAMILIES = ['nothing', 'dma_map_single/page', 'dma_map_sg', 'dma_alloc_coherent', 'dma_map_resource'];

export interface DmaDebugParts {
  readonly memory: HostMemory;
  readonly mappings: MappingTable;
  /** Ledgers that know buffers by number; the first is the one of the pages. */
  readonly ledgers: readonly OwnerLedger[];
  readonly unmappable: readonly UnmappableRegion[];
  readonly maxSegmentBytes: number;
  readonly segmentBoundaryBytes: number;
}

/**
 * Judges what a driver does with DMA, as CONFIG_DMA_API_DEBUG does, and who touches bytes that the other side owns. Always on: a call
 * that is right costs a few looks into typed arrays.
 */
export class DmaDebug {
  readonly #reports: DmaReports;
  readonly #parts: DmaDebugParts;
  readonly #mappings: MappingTable;

  constructor(parts: DmaDebugParts) {
    this.#parts = parts;
    this.#mappings = parts.mappings;
    this.#reports = new DmaReports(parts.memory, parts.mappings, parts.ledgers);
  }

  /** What was seen: the first reports of each class, all mistakes, and those of each class by its number. */
  get reports(): readonly DmaReport[] {
    return this.#reports.list;
  }

  get errorCount(): number {
    return this.#reports.errorCount;
  }

  get counts(): Readonly<Uint32Array> {
    return this.#reports.counts;
  }

  /** Memory that is about to be mapped (classes 9, 10, 11). Gives false when the mapping must be refused. */
  checkMemory(hostAddress: number, sizeBytes: number, direction: number, site: string): boolean {
    const { memory, ledgers, unmappable } = this.#parts;
    const end = hostAddress + sizeBytes;
    const region = unmappable.length === 0 ? undefined : unmappable.find(({ start, sizeBytes: bytes }) => hostAddress < start + bytes && end > start);
    if (region === undefined) {
      for (const { baseAddress, count, unitBytes } of ledgers) if (hostAddress >= baseAddress && end <= baseAddress + count * unitBytes) return true;
      if (memory.isReserved(hostAddress) && memory.isReserved(end - 1)) return true;
    }
    const { error, detail, isRefused } = UNMAPPABLE[region?.kind ?? 'nothing'];
    this.#reports.add(error, detail, this.#reports.describeBuffer(hostAddress), plannedMapping(sizeBytes, direction, site), site);
    return !isRefused;
  }

  /** A scatter entry that was just mapped (class 18). The boundary is one of I/O addresses (check_sg_segment). */
  checkSegment(iovaLow: number, site: string): void {
    const { maxSegmentBytes, segmentBoundaryBytes } = this.#parts;
    const first = this.#mappings.find(iovaLow);
    const sizeBytes = this.#mappings.sizeBytes[first];
    const crosses = Math.floor(iovaLow / segmentBoundaryBytes) !== Math.floor((iovaLow + sizeBytes - 1) / segmentBoundaryBytes);
    if (sizeBytes <= maxSegmentBytes && !crosses) return;
    const detail = crosses ? `it crosses a boundary of ${segmentBoundaryBytes} bytes` : `${sizeBytes} bytes, at most ${maxSegmentBytes} are allowed`;
    this.#reports.onMapping(DMA_ERRORS.segmentLimit, detail, first, iovaLow, site);
  }

  /**
   * A mapping that was just entered (class 20). One that the device only reads may overlap with anything, as for the kernel's checker
   * (active_cacheline_insert); the kernel looks at a mapping's first cache line only, this at all.
   */
  checkOverlap(iovaLow: number, site: string): void {
    const table = this.#mappings;
    const first = iovaLow >>> 12;
    if (table.direction[first] === DMA_TO_DEVICE) return;
    const start = lineStart(table.hostAddress[first]);
    const end = lineEnd(table.hostAddress[first] + table.sizeBytes[first]);
    let overlaps = 0;
    let other = 0;
    for (let at = start; at < end; at = (at - (at & 4095)) + 4096) {
      for (let slot = table.firstOfHostPage(at); slot !== 0; slot = table.nextOfHostPage(slot)) {
        const mapping = table.firstOf[slot];
        // A mapping of several pages is met once for each of them.
        if (mapping === first || table.direction[mapping] === DMA_TO_DEVICE || (slot !== mapping && at !== start)) continue;
        const from = table.hostAddress[mapping];
        if (lineStart(from) >= end || lineEnd(from + table.sizeBytes[mapping]) <= start) continue;
        overlaps++;
        other = mapping;
      }
    }
    if (overlaps === 0) return;
    const count = overlaps > MAX_OVERLAP ? `, ${overlaps + 1} mappings by now, more than the ${MAX_OVERLAP} that can be told apart` : '';
    this.#reports.onMapping(DMA_ERRORS.overlap, `the other: ${this.#reports.describeMapping(other)}${count}`, first, iovaLow, site);
  }

  /**
   * An unmap (classes 1 to 8).
   *
   * @param entries of the scatter list, 1 for the other kinds
   * @param hostAddress CPU address of coherent memory, 0 for the other kinds
   * @returns first I/O page of the mapping to take back, 0 when there is none
   */
  checkUnmap(
    kind: MappingKind, iovaLow: number, sizeBytes: number, direction: number, entries: number, hostAddress: number, site: string,
  ): number {
    const table = this.#mappings;
    const first = table.find(iovaLow);
    if (first === 0 || table.iovaLow[first] !== iovaLow) {
      this.#reportNoMapping(iovaLow, site);
      return 0;
    }
    if (
      table.kind[first] === kind && table.sizeBytes[first] === sizeBytes && table.direction[first] === direction &&
      table.entries[first] === entries && table.isErrorChecked[first] === 1 &&
      (kind !== MappingKind.coherent || table.hostAddress[first] === hostAddress)
    ) {
      return first;
    }
    const found = table.kind[first];
    if (table.sizeBytes[first] !== sizeBytes) {
      this.#reports.onMapping(DMA_ERRORS.unmapSize, `mapped ${table.sizeBytes[first]} bytes, unmapped ${sizeBytes}`, first, iovaLow, site);
    }
    if (found !== kind) {
      this.#reports.onMapping(DMA_ERRORS.unmapFunction, `mapped by ${FAMILIES[found]}, unmapped by the counterpart of ${FAMILIES[kind]}`, first, iovaLow, site);
    } else if (kind === MappingKind.coherent && table.hostAddress[first] !== hostAddress) {
      this.#reports.onMapping(DMA_ERRORS.coherentAddress, `got ${hex(table.hostAddress[first])}, freed ${hex(hostAddress)}`, first, iovaLow, site);
    } else if (table.entries[first] !== entries) {
      this.#reports.onMapping(DMA_ERRORS.unmapEntries, `mapped ${table.entries[first]} entries, unmapped ${entries}`, first, iovaLow, site);
    }
    if (table.direction[first] !== direction) {
      const detail = `mapped ${directionName(table.direction[first])}, unmapped ${directionName(direction)}`;
      this.#reports.onMapping(DMA_ERRORS.unmapDirection, detail, first, iovaLow, site);
    }
    if (table.isErrorChecked[first] === 0) this.#reports.onMapping(DMA_ERRORS.errorUnchecked, '', first, iovaLow, site);
    return first;
  }

  #reportNoMapping(iovaLow: number, site: string): void {
    const table = this.#mappings;
    if (iovaLow === 0) {
      this.#reports.add(DMA_ERRORS.unmapOfError, '', 'none', 'none: the mapping had failed', site);
      return;
    }
    const inside = table.find(iovaLow);
    const detail = inside === 0 ? '' : `it lies ${iovaLow - table.iovaLow[inside]} bytes into a mapping`;
    this.#reports.onMapping(DMA_ERRORS.unmapOfUnmapped, detail, inside === 0 ? iovaLow >>> 12 : inside, iovaLow, site);
  }

  /**
   * A sync (classes 12 to 17). As for the kernel's checker, what is mapped in both directions may be synced in any.
   *
   * @param entries of the scatter list, 0 for the calls that sync a single buffer
   * @returns first I/O page of the mapping, 0 when there is none
   */
  checkSync(iovaLow: number, sizeBytes: number, direction: number, toCpu: boolean, entries: number, site: string): number {
    const table = this.#mappings;
    const first = table.find(iovaLow);
    if (first === 0) {
      this.#reports.onMapping(DMA_ERRORS.syncOfUnmapped, '', iovaLow >>> 12, iovaLow, site);
      return 0;
    }
    const offset = iovaLow - table.iovaLow[first];
    if (offset < 0 || offset + sizeBytes > table.sizeBytes[first]) {
      const detail = `bytes ${offset} to ${offset + sizeBytes} of a mapping of ${table.sizeBytes[first]} bytes`;
      this.#reports.onMapping(DMA_ERRORS.syncRange, detail, first, iovaLow, site);
    }
    if (entries !== 0 && table.kind[first] === MappingKind.scatterGather && entries !== table.entries[first]) {
      this.#reports.onMapping(DMA_ERRORS.syncEntries, `mapped ${table.entries[first]} entries, synced ${entries}`, first, iovaLow, site);
    }
    const mapped = table.direction[first];
    if (mapped === DMA_BIDIRECTIONAL || mapped === direction) return first;
    this.#reports.onMapping(DMA_ERRORS.syncDirection, `mapped ${directionName(mapped)}, synced ${directionName(direction)}`, first, iovaLow, site);
    if (toCpu && mapped === DMA_TO_DEVICE) this.#reports.onMapping(DMA_ERRORS.syncReadOnlyForCpu, '', first, iovaLow, site);
    if (!toCpu && mapped === DMA_FROM_DEVICE) this.#reports.onMapping(DMA_ERRORS.syncWriteOnlyForDevice, '', first, iovaLow, site);
    return first;
  }

  /**
   * The CPU reads or writes a buffer (class 21): it must own every cache line of it in every mapping, but may read what the device only
   * reads. Coherent memory is anybody's.
   *
   * @returns false when it was a mistake
   */
  checkCpuAccess(hostAddress: number, sizeBytes: number, isWrite: boolean, site: string): boolean {
    const table = this.#mappings;
    const end = hostAddress + sizeBytes;
    for (let at = hostAddress; at < end; ) {
      const stop = Math.min(end, at - (at & 4095) + 4096);
      for (let slot = table.firstOfHostPage(at); slot !== 0; slot = table.nextOfHostPage(slot)) {
        const first = table.firstOf[slot];
        if (table.kind[first] >= MappingKind.coherent || (!isWrite && table.direction[first] === DMA_TO_DEVICE)) continue;
        const mapped = table.hostAddress[first];
        const from = Math.max(at, mapped);
        const to = Math.min(stop, mapped + table.sizeBytes[first]);
        const iovaLow = table.iovaLow[first] + from - mapped;
        const owned = from < to ? table.findOwned(iovaLow, to - from, false) : -1;
        if (owned < 0) continue;
        const place = this.#reports.nameBuffer(from + owned - iovaLow);
        const what = `CPU ${isWrite ? 'writes' : 'reads'} ${place} while the device owns it: dma_sync_single_for_cpu is missing`;
        this.#reports.onMapping({ ...DMA_ERRORS.cpuAccess, what }, '', first, owned, site);
        return false;
      }
      at = stop;
    }
    return true;
  }

  /**
   * The CPU wrote to a buffer without asking, as an XDP program does when it grows a packet into the headroom. From now on the device
   * must not have these bytes without a sync (class 22).
   */
  noteCpuWrite(hostAddress: number, sizeBytes: number): void {
    const table = this.#mappings;
    const end = hostAddress + sizeBytes;
    for (let at = hostAddress; at < end; ) {
      const stop = Math.min(end, at - (at & 4095) + 4096);
      for (let slot = table.firstOfHostPage(at); slot !== 0; slot = table.nextOfHostPage(slot)) {
        const first = table.firstOf[slot];
        const mapped = table.hostAddress[first];
        const from = Math.max(at, mapped);
        const to = Math.min(stop, mapped + table.sizeBytes[first]);
        if (from < to) table.handOver(table.iovaLow[first] + from - mapped, to - from, true);
      }
      at = stop;
    }
  }

  /**
   * The driver gives a range to the device, to be read or written (class 22): the device must own every cache line of it. A range that
   * isn't mapped is the IOMMU's to judge.
   *
   * @returns false when it was a mistake
   */
  checkDeviceAccess(iovaLow: number, sizeBytes: number, isWrite: boolean, site: string): boolean {
    const table = this.#mappings;
    const first = table.find(iovaLow);
    if (first === 0 || table.kind[first] >= MappingKind.coherent) return true;
    const end = Math.min(iovaLow + sizeBytes, table.iovaLow[first] + table.sizeBytes[first]);
    const owned = table.findOwned(iovaLow, end - iovaLow, true);
    if (owned < 0) return true;
    const place = this.#reports.nameBuffer(table.hostAddress[first] + owned - table.iovaLow[first]);
    const what = `device is to ${isWrite ? 'write' : 'read'} ${place} while the CPU owns it: dma_sync_single_for_device is missing`;
    this.#reports.onMapping({ ...DMA_ERRORS.deviceAccess, what }, '', first, owned, site);
    return false;
  }

  /**
   * Memory goes back to the allocator (class 23): nothing in it may be mapped.
   *
   * @returns false when it was a mistake
   */
  checkFree(hostAddress: number, sizeBytes: number, site: string): boolean {
    const table = this.#mappings;
    const end = hostAddress + sizeBytes;
    for (let at = hostAddress; at < end; at = at - (at & 4095) + 4096) {
      for (let slot = table.firstOfHostPage(at); slot !== 0; slot = table.nextOfHostPage(slot)) {
        const first = table.firstOf[slot];
        const mapped = table.hostAddress[first];
        if (mapped >= end || mapped + table.sizeBytes[first] <= hostAddress) continue;
        this.#reports.onMapping(DMA_ERRORS.freedWhileMapped, '', first, table.iovaLow[first], site);
        return false;
      }
    }
    return true;
  }

  /** The driver lets go of the device (class 19). Gives the number of mappings that are left. */
  checkPending(site: string): number {
    const table = this.#mappings;
    if (table.count === 0) return 0;
    const bySite = new Map<string, number>();
    let example = 0;
    for (let slot = table.firstOf.length - 1; slot > 0; slot--) {
      if (table.firstOf[slot] !== slot) continue;
      example = slot;
      bySite.set(table.mapSite[slot], (bySite.get(table.mapSite[slot]) ?? 0) + 1);
    }
    const sites = [...bySite].map(([name, count]) => `${count} mapped by ${name}`).join(', ');
    this.#reports.onMapping(DMA_ERRORS.pendingMappings, `${table.count} left: ${sites}; one of them follows`, example, table.iovaLow[example], site);
    return table.count;
  }

}

function plannedMapping(sizeBytes: number, direction: number, site: string): string {
  return `none yet: ${sizeBytes} bytes, ${directionName(direction)}, to be mapped by ${site}`;
}

function lineStart(address: number): number {
  return address - (address & (CACHE_LINE_BYTES - 1));
}

function lineEnd(address: number): number {
  return Math.ceil(address / CACHE_LINE_BYTES) * CACHE_LINE_BYTES;
}
