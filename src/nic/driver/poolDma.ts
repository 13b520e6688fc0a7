import type { Iommu } from '../device/iommu.js';
import { permissionsOf } from '../dma/direction.js';

/** What a page_pool or a driver's split pages need of the DMA API. */
export interface PoolDma {
  /**
   * Maps a page as dma_map_page_attrs does with DMA_ATTR_SKIP_CPU_SYNC.
   *
   * @param direction DMA_FROM_DEVICE or DMA_BIDIRECTIONAL
   * @returns low word of the I/O address of the page's first byte, 0 for DMA_MAPPING_ERROR
   */
  mapPage(page: number, direction: number): number;
  /** Takes a mapping back; `iovaLow` is what `mapPage` gave. */
  unmapPage(iovaLow: number, direction: number): void;
  /**
   * dma_sync_single_range_for_device: the device sees what the CPU wrote, and owns these bytes from now on.
   *
   * @param iovaLow what `mapPage` gave
   * @param offBytes where the bytes begin in the page
   */
  syncForDevice(iovaLow: number, offBytes: number, lenBytes: number, direction: number): void;
}

/** The I/O address table alone, for a machine whose caches are coherent: syncing does nothing. */
export function coherentPoolDma(iommu: Iommu): PoolDma {
  return {
    mapPage: (page, direction) => iommu.mapPage(page, permissionsOf(direction)),
    unmapPage: (iovaLow) => iommu.unmapPage(iovaLow),
    syncForDevice: () => {},
  };
}
