import { HostMemory, Owner, PageAllocator } from '../../../src/memory/index.js';
import { Iommu, IOMMU_READ, IOMMU_WRITE, IOVA_HIGH } from '../../../src/nic/device/iommu.js';
import { CacheModel } from '../../../src/nic/dma/cacheModel.js';
import { DmaApi } from '../../../src/nic/dma/dmaApi.js';
import type { DmaConfig } from '../../../src/nic/dma/dmaApi.js';

interface BenchOptions extends Partial<Pick<DmaConfig, 'unmappable' | 'maxSegmentBytes' | 'segmentBoundaryBytes'>> {
  readonly isCoherent?: boolean;
  readonly pages?: number;
  readonly iommuPages?: number;
}

/** A driver's DMA API, a device behind its IOMMU, and the pages that they share. */
export class DmaBench {
  readonly memory: HostMemory;
  readonly allocator: PageAllocator;
  readonly iommu: Iommu;
  readonly dma: DmaApi;

  constructor({ isCoherent = true, pages = 32, iommuPages = 64, ...config }: BenchOptions = {}) {
    this.memory = new HostMemory(2);
    this.allocator = new PageAllocator(this.memory, pages);
    this.iommu = new Iommu(iommuPages);
    const { ledger } = this.allocator;
    const cache = isCoherent
      ? CacheModel.coherent(this.memory)
      : CacheModel.nonCoherent(this.memory, { start: ledger.baseAddress, sizeBytes: ledger.count * ledger.unitBytes });
    this.dma = new DmaApi({ memory: this.memory, iommu: this.iommu, ledgers: [ledger], cache, ...config });
  }

  /** Page number `index`, carrying packet number `packetId`. */
  page(index: number, packetId = 0): number {
    const { ledger } = this.allocator;
    ledger.packetId[index] = packetId;
    return ledger.baseAddress + index * ledger.unitBytes;
  }

  allocPage(): number {
    return this.allocator.alloc(Owner.driver);
  }

  /** The driver maps and asks whether it worked, as it must. */
  map(hostAddress: number, sizeBytes: number, direction: number, site?: string, attrs?: number): number {
    const iovaLow = this.dma.mapPage(hostAddress, sizeBytes, direction, site, attrs);
    this.dma.mappingError(iovaLow);
    return iovaLow;
  }

  /** The device writes one value all over a range; false when the IOMMU didn't let it. */
  deviceWrites(iovaLow: number, sizeBytes: number, value: number): boolean {
    const target = this.iommu.translate(IOVA_HIGH, iovaLow, sizeBytes, IOMMU_WRITE);
    if (target === 0) return false;
    this.memory.u8.fill(value, target, target + sizeBytes);
    this.dma.cache.afterDeviceWrite(target, sizeBytes);
    return true;
  }

  /** What the device sees, empty when the IOMMU doesn't let it look. */
  deviceReads(iovaLow: number, sizeBytes: number): number[] {
    const target = this.iommu.translate(IOVA_HIGH, iovaLow, sizeBytes, IOMMU_READ);
    return target === 0 ? [] : [...this.memory.u8.subarray(target, target + sizeBytes)];
  }

  cpuWrites(hostAddress: number, sizeBytes: number, value: number): void {
    this.memory.u8.fill(value, hostAddress, hostAddress + sizeBytes);
  }

  cpuReads(hostAddress: number, sizeBytes: number): number[] {
    return [...this.memory.u8.subarray(hostAddress, hostAddress + sizeBytes)];
  }

  get messages(): string[] {
    return this.dma.debug.reports.map((report) => `${report.number} ${report.message}`);
  }
}

/** `count` times the same byte. */
export function bytes(value: number, count: number): number[] {
  return Array.from({ length: count }, () => value);
}
