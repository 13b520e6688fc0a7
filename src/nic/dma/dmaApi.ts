import { ProblemError } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import type { HostMemory, OwnerLedger } from '../../memory/index.js';
import type { Iommu } from '../device/iommu.js';
import { CacheModel } from './cacheModel.js';
import { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, permissionsOf } from './direction.js';
import { DmaDebug } from './dmaDebug.js';
import type { UnmappableRegion } from './dmaDebug.js';
import { MappingKind, MappingTable } from './mappingTable.js';

/** What mapping gives when it fails. */
export const DMA_MAPPING_ERROR = 0;

/** The buffer stays with the CPU when it is mapped, and its cache isn't looked at when it is unmapped: the driver syncs by itself. */
export const DMA_ATTR_SKIP_CPU_SYNC = 1 << 5;

/** Call site of a driver that doesn't tell. */
const UNNAMED = 'an unnamed call';

/** Memory for a ring. */
export interface CoherentMemory {
  readonly hostAddress: number;
  readonly iovaLow: number;
  readonly sizeBytes: number;
}

/** An entry of a scatter list; `mapSg` fills in `iovaLow` (sg_dma_address). */
export interface ScatterEntry {
  readonly hostAddress: number;
  readonly sizeBytes: number;
  iovaLow: number;
}

export interface DmaConfig {
  readonly memory: HostMemory;
  readonly iommu: Iommu;
  /** Ledgers that know buffers by number, for reports; the first is the one of the pages. */
  readonly ledgers: readonly OwnerLedger[];
  /** Coherent unless told otherwise. */
  readonly cache?: CacheModel;
  /** Stacks, program text and vmalloc memory, which drivers must not map. None unless told otherwise. */
  readonly unmappable?: readonly UnmappableRegion[];
  /** Longest scatter entry that the device takes, bytes (dma_set_max_seg_size), 64 KiB unless told otherwise. */
  readonly maxSegmentBytes?: number;
  /** I/O addresses of a scatter entry must not cross a multiple of this, bytes (dma_set_seg_boundary), 4 GiB unless told otherwise. */
  readonly segmentBoundaryBytes?: number;
}

/**
 * The DMA API as a driver calls it (Documentation/core-api/dma-api.rst). I/O addresses are their low words; the high word is IOVA_HIGH.
 *
 *     map ─► the device owns the bytes ─► syncForCpu ─► the CPU owns them ─► syncForDevice ─► the device ... ─► unmap ─► the CPU
 *
 * `site` names the call for people who read a report ("r8169 rx refill"); pass constants, as this is on the hot path. Mistakes never
 * throw: `debug` reports them, and the machine does what a real one would do. What the API doesn't see is told to `debug`: who touches a
 * buffer (checkCpuAccess, noteCpuWrite, checkDeviceAccess), memory that is freed (checkFree), the end of the driver (checkPending).
 */
export class DmaApi {
  readonly debug: DmaDebug;
  readonly cache: CacheModel;
  /** Mappings that failed for want of I/O addresses. */
  mappingErrorCount = 0;
  readonly #memory: HostMemory;
  readonly #iommu: Iommu;
  readonly #mappings: MappingTable;
  /** Coherent memory that was freed, by pages. Host memory itself is never given back. */
  readonly #freeCoherent = new Map<number, number[]>();

  constructor(config: DmaConfig) {
    const { memory, iommu, ledgers, cache, unmappable = [], maxSegmentBytes = 65536, segmentBoundaryBytes = 2 ** 32 } = config;
    this.#memory = memory;
    this.#iommu = iommu;
    this.cache = cache ?? CacheModel.coherent(memory);
    this.#mappings = new MappingTable(iommu.slotCount, memory.sizeBytes);
    this.debug = new DmaDebug({ memory, mappings: this.#mappings, ledgers, unmappable, maxSegmentBytes, segmentBoundaryBytes });
  }

  /** Mappings at this moment, rings included. */
  get mappingCount(): number {
    return this.#mappings.count;
  }

  // ── single buffers ──

  /** Maps a buffer of any place and size (dma_map_page_attrs). Gives its I/O address, or DMA_MAPPING_ERROR. */
  mapPage(hostAddress: number, sizeBytes: number, direction: number, site: string = UNNAMED, attrs = 0): number {
    return this.#map(MappingKind.single, hostAddress, sizeBytes, direction, 1, site, attrs);
  }

  /** dma_map_single_attrs. It differs from mapPage by how C names the buffer, and there isn't any difference for unmapping. */
  mapSingle(hostAddress: number, sizeBytes: number, direction: number, site: string = UNNAMED, attrs = 0): number {
    return this.#map(MappingKind.single, hostAddress, sizeBytes, direction, 1, site, attrs);
  }

  /** dma_mapping_error: the mapping failed. It must be asked for every mapping, with the very address that mapping gave. */
  mappingError(iovaLow: number): boolean {
    const first = this.#mappings.find(iovaLow);
    if (first !== 0 && this.#mappings.iovaLow[first] === iovaLow) this.#mappings.isErrorChecked[first] = 1;
    return iovaLow === DMA_MAPPING_ERROR;
  }

  /** dma_unmap_page_attrs, dma_unmap_single_attrs. */
  unmap(iovaLow: number, sizeBytes: number, direction: number, site: string = UNNAMED, attrs = 0): void {
    this.#unmap(MappingKind.single, iovaLow, sizeBytes, direction, 1, site, attrs);
  }

  /** dma_sync_single_range_for_cpu: from now on the CPU owns these bytes, and sees what the device wrote. */
  syncForCpu(iovaLow: number, sizeBytes: number, direction: number, site: string = UNNAMED): void {
    this.#sync(iovaLow, sizeBytes, direction, true, 0, site);
  }

  /** dma_sync_single_range_for_device: from now on the device owns these bytes, and sees what the CPU wrote. */
  syncForDevice(iovaLow: number, sizeBytes: number, direction: number, site: string = UNNAMED): void {
    this.#sync(iovaLow, sizeBytes, direction, false, 0, site);
  }

  /** dma_map_resource: registers of another device. No cache is involved. */
  mapResource(hostAddress: number, sizeBytes: number, direction: number, site: string = UNNAMED): number {
    return this.#map(MappingKind.resource, hostAddress, sizeBytes, direction, 1, site, DMA_ATTR_SKIP_CPU_SYNC);
  }

  unmapResource(iovaLow: number, sizeBytes: number, direction: number, site: string = UNNAMED): void {
    this.#unmap(MappingKind.resource, iovaLow, sizeBytes, direction, 1, site, DMA_ATTR_SKIP_CPU_SYNC);
  }

  // ── scatter lists ──

  /** dma_map_sg: maps the first `entries` entries of a list, all or none. Gives their number, 0 when it failed. */
  mapSg(list: readonly ScatterEntry[], entries: number, direction: number, site: string = UNNAMED, attrs = 0): number {
    for (let i = 0; i < entries; i++) {
      const entry = list[i];
      entry.iovaLow = this.#map(MappingKind.scatterGather, entry.hostAddress, entry.sizeBytes, direction, entries, site, attrs);
      if (entry.iovaLow !== DMA_MAPPING_ERROR) {
        this.debug.checkSegment(entry.iovaLow, site);
        continue;
      }
      while (i-- > 0) this.#unmap(MappingKind.scatterGather, list[i].iovaLow, list[i].sizeBytes, direction, entries, site, attrs);
      return 0;
    }
    return entries;
  }

  /** dma_unmap_sg. `entries` is what was passed to mapSg. */
  unmapSg(list: readonly ScatterEntry[], entries: number, direction: number, site: string = UNNAMED, attrs = 0): void {
    for (let i = 0; i < Math.min(entries, list.length); i++) {
      this.#unmap(MappingKind.scatterGather, list[i].iovaLow, list[i].sizeBytes, direction, entries, site, attrs);
    }
  }

  /** dma_sync_sg_for_cpu. */
  syncSgForCpu(list: readonly ScatterEntry[], entries: number, direction: number, site: string = UNNAMED): void {
    this.#syncSg(list, entries, direction, true, site);
  }

  /** dma_sync_sg_for_device. */
  syncSgForDevice(list: readonly ScatterEntry[], entries: number, direction: number, site: string = UNNAMED): void {
    this.#syncSg(list, entries, direction, false, site);
  }

  // ── coherent memory ──

  /**
   * dma_alloc_coherent: zeroed memory, whole pages, that both sides see at once.
   *
   * @param name what it is, for reports
   * @throws ProblemError `host-memory-exhausted`, `iommu-full`
   */
  allocCoherent(name: string, sizeBytes: number, site: string = name): CoherentMemory {
    const pages = Math.ceil(sizeBytes / PAGE_BYTES);
    const freed = this.#freeCoherent.get(pages)?.pop();
    const hostAddress = freed ?? this.#memory.reserve(name, pages * PAGE_BYTES, PAGE_BYTES);
    if (freed !== undefined) this.#memory.u8.fill(0, freed, freed + pages * PAGE_BYTES);
    const iovaLow = this.#iommu.mapCoherent(hostAddress, sizeBytes);
    if (iovaLow === 0) {
      this.#keepCoherent(pages, hostAddress);
      this.mappingErrorCount++;
      throw new ProblemError({ code: 'iommu-full', message: `no I/O addresses are left for ${name}`, hint: 'use fewer queues or smaller rings' });
    }
    this.#mappings.add(MappingKind.coherent, iovaLow, hostAddress, sizeBytes, DMA_BIDIRECTIONAL, 1, site);
    return { hostAddress, iovaLow, sizeBytes };
  }

  /** dma_free_coherent. */
  freeCoherent(sizeBytes: number, hostAddress: number, iovaLow: number, site: string = UNNAMED): void {
    const first = this.debug.checkUnmap(MappingKind.coherent, iovaLow, sizeBytes, DMA_BIDIRECTIONAL, 1, hostAddress, site);
    if (first === 0) return;
    const pages = Math.ceil(this.#mappings.sizeBytes[first] / PAGE_BYTES);
    if (this.#mappings.kind[first] === MappingKind.coherent) this.#keepCoherent(pages, this.#mappings.hostAddress[first]);
    this.#remove(first, site);
  }

  #map(kind: MappingKind, hostAddress: number, sizeBytes: number, direction: number, entries: number, site: string, attrs: number): number {
    if (!Number.isInteger(sizeBytes) || sizeBytes < 1) throw new RangeError(`DmaApi: ${site} maps ${sizeBytes} bytes`);
    const permissions = permissionsOf(direction);
    if (!this.debug.checkMemory(hostAddress, sizeBytes, direction, site)) return DMA_MAPPING_ERROR;
    const { cache } = this;
    const isCached = kind !== MappingKind.resource;
    const deviceAddress = isCached ? cache.deviceAddressOf(hostAddress, sizeBytes) : hostAddress;
    const iovaLow = this.#iommu.mapRange(deviceAddress, sizeBytes, permissions);
    if (iovaLow === DMA_MAPPING_ERROR) {
      this.mappingErrorCount++;
      return DMA_MAPPING_ERROR;
    }
    this.#mappings.add(kind, iovaLow, hostAddress, sizeBytes, direction, entries, site);
    if ((attrs & DMA_ATTR_SKIP_CPU_SYNC) !== 0) this.#mappings.handOver(iovaLow, sizeBytes, true);
    else {
      this.debug.checkOverlap(iovaLow, site);
      cache.clean(hostAddress, sizeBytes);
    }
    return iovaLow;
  }

  #unmap(kind: MappingKind, iovaLow: number, sizeBytes: number, direction: number, entries: number, site: string, attrs: number): void {
    const first = this.debug.checkUnmap(kind, iovaLow, sizeBytes, direction, entries, 0, site);
    if (first === 0) return;
    if (direction !== DMA_TO_DEVICE && (attrs & DMA_ATTR_SKIP_CPU_SYNC) === 0) {
      this.cache.invalidate(this.#mappings.hostAddress[first], this.#mappings.sizeBytes[first]);
    }
    this.#remove(first, site);
  }

  #remove(first: number, site: string): void {
    this.#iommu.unmapRange(this.#mappings.iovaLow[first], this.#mappings.sizeBytes[first]);
    this.#mappings.remove(first, site);
  }

  #sync(iovaLow: number, sizeBytes: number, direction: number, toCpu: boolean, entries: number, site: string): void {
    const first = this.debug.checkSync(iovaLow, sizeBytes, direction, toCpu, entries, site);
    if (first === 0) return;
    const mappings = this.#mappings;
    const start = Math.max(0, iovaLow - mappings.iovaLow[first]);
    const end = Math.min(mappings.sizeBytes[first], iovaLow - mappings.iovaLow[first] + sizeBytes);
    if (end <= start) return;
    mappings.handOver(mappings.iovaLow[first] + start, end - start, toCpu);
    if (!toCpu) this.cache.clean(mappings.hostAddress[first] + start, end - start);
    else if (direction !== DMA_TO_DEVICE) this.cache.invalidate(mappings.hostAddress[first] + start, end - start);
  }

  #syncSg(list: readonly ScatterEntry[], entries: number, direction: number, toCpu: boolean, site: string): void {
    for (let i = 0; i < Math.min(entries, list.length); i++) this.#sync(list[i].iovaLow, list[i].sizeBytes, direction, toCpu, entries, site);
  }

  #keepCoherent(pages: number, hostAddress: number): void {
    const kept = this.#freeCoherent.get(pages);
    if (kept === undefined) this.#freeCoherent.set(pages, [hostAddress]);
    else kept.push(hostAddress);
  }
}
