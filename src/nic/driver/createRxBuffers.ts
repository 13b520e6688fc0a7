import { hasChange, NEWEST_KERNEL } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import { DMA_BIDIRECTIONAL, DMA_FROM_DEVICE } from '../dma/direction.js';
import { bufferDma } from './bufferDma.js';
import type { DriverConfig } from './driverState.js';
import { PagePool } from './pagePool.js';
import { PP_FLAG_DMA_MAP, PP_FLAG_DMA_SYNC_DEV, PP_FLAG_PAGE_FRAG } from './pagePoolParams.js';
import type { NapiContext } from './pagePoolParams.js';
import type { RxLayout } from './rxLayout.js';
import { SplitPages } from './splitPages.js';

/** How a driver maps its receive buffers: in both directions where XDP_TX is to send them as they are. */
export function rxDirection({ profile, program }: DriverConfig): number {
  return profile.bufferModel !== 'split_page' && program !== undefined ? DMA_BIDIRECTIONAL : DMA_FROM_DEVICE;
}

/** The receive buffers of one queue, by the model of the profile. */
export function createRxBuffers(config: DriverConfig, queue: number, layout: RxLayout, context: NapiContext): PagePool | SplitPages {
  const { allocator, dma, profile, rxRingSize } = config;
  const { deviceOffBytes: offsetBytes, deviceBytes: maxLenBytes, frameSizeBytes: bufferBytes } = layout;
  const dmaDir = rxDirection(config);
  if (profile.bufferModel === 'split_page') {
    return new SplitPages({ allocator, dma: bufferDma(dma, 'RX pages'), queue, ringSize: rxRingSize, bufferBytes, dmaDir, offsetBytes, maxLenBytes });
  }
  // A pool syncs pages, not fragments.
  const synced = profile.bufferModel === 'page_pool_frag' ? { offsetBytes: 0, maxLenBytes: PAGE_BYTES } : { offsetBytes, maxLenBytes };
  const { kernel: release = NEWEST_KERNEL } = config.vm.environment;
  const fragFlag = bufferBytes < PAGE_BYTES && !hasChange(release, 'fragPools') ? PP_FLAG_PAGE_FRAG : 0;
  return new PagePool({
    allocator, dma: bufferDma(dma, 'page_pool'), queue, context, flags: PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV | fragFlag, dmaDir, ...synced,
    poolSize: profile.poolRingSize, bufferBytes, release,
  });
}
