import { PAGE_BYTES } from '../../memory/index.js';
import { DMA_ATTR_SKIP_CPU_SYNC } from '../dma/dmaApi.js';
import type { DmaApi } from '../dma/dmaApi.js';
import type { PoolDma } from './poolDma.js';

/** The DMA API as a pool of receive buffers calls it: whole pages, mapped without a look at the cache and synced by hand. */
export function bufferDma(dma: DmaApi, site: string): PoolDma {
  return {
    mapPage(page, direction) {
      const iovaLow = dma.mapPage(page, PAGE_BYTES, direction, site, DMA_ATTR_SKIP_CPU_SYNC);
      return dma.mappingError(iovaLow) ? 0 : iovaLow;
    },
    unmapPage: (iovaLow, direction) => dma.unmap(iovaLow, PAGE_BYTES, direction, site, DMA_ATTR_SKIP_CPU_SYNC),
    syncForDevice: (iovaLow, offBytes, lenBytes, direction) => dma.syncForDevice(iovaLow + offBytes, lenBytes, direction, site),
  };
}
