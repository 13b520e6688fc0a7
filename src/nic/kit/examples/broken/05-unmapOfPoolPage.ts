import { DMA_TO_DEVICE } from '../../../dma/direction.js';
import { makeR8169Xdp } from '../r8169/r8169Xdp.js';
import { R8169_STEPS } from '../r8169/steps.js';

/**
 * Completion unmaps every TX buffer, as a driver without XDP does for its skbs; also pages of XDP_TX, whose mapping is the pool's.
 *
 * On real hardware: DMA debugging complains. Without it the I/O address is free for others, while the pool goes on to hand the page to the
 * device under it: DMA into foreign memory, or faults of the IOMMU.
 */
export const unmapOfPoolPage = makeR8169Xdp({
  ...R8169_STEPS,
  rtl_free_tx({ kernel }, { frame, iova, len }) {
    if (frame === undefined) return;
    kernel.dma_unmap_single(iova, len, DMA_TO_DEVICE);
    kernel.xdp_return_frame(frame);
  },
});
