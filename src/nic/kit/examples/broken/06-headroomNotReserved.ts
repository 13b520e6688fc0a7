import { PAGE_BYTES } from '../../../../memory/index.js';
import { DMA_BIDIRECTIONAL } from '../../../dma/direction.js';
import { ADDR, DescOwn, DESCRIPTOR_BYTES, OPTS1, OPTS2, RingEnd } from '../r8169/hardware.js';
import type { R8169Private } from '../r8169/private.js';
import { makeR8169Xdp } from '../r8169/r8169Xdp.js';
import { RX_BUF_SIZE } from '../r8169/receive.js';
import { R8169_STEPS } from '../r8169/steps.js';

/** The device writes from the start of the page on. */
function markWithoutHeadroom({ kernel, rxRing, rxSize }: R8169Private, slot: number, page: number): void {
  const desc = slot * DESCRIPTOR_BYTES;
  rxRing.write32(desc + OPTS2, 0);
  rxRing.write64(desc + ADDR, kernel.page_pool_get_dma_addr(page), kernel.dmaAddressHigh);
  kernel.dma_wmb();
  rxRing.write32(desc + OPTS1, (DescOwn | (slot === rxSize - 1 ? RingEnd : 0) | RX_BUF_SIZE) >>> 0);
}

/**
 * No headroom anywhere: descriptor, sync and xdp_buff agree that the packet begins where its page does.
 *
 * On real hardware: XDP_DROP and XDP_PASS work. bpf_xdp_adjust_head() and bpf_xdp_adjust_meta() fail, and every XDP_TX and XDP_REDIRECT is
 * dropped, as struct xdp_frame finds no room.
 */
export const headroomNotReserved = makeR8169Xdp({
  ...R8169_STEPS,
  rtl8169_mark_to_asic: markWithoutHeadroom,
  rtl_rx_sync: ({ kernel }, page, len) => kernel.dma_sync_single_for_cpu(kernel.page_pool_get_dma_addr(page), len, DMA_BIDIRECTIONAL),
  rtl_prepare_xdp({ kernel, xdp }, page, len) {
    kernel.xdp_init_buff(xdp, PAGE_BYTES, kernel.rxq);
    kernel.xdp_prepare_buff(xdp, page, 0, len);
  },
});

/**
 * The xdp_buff promises 256 bytes, and the descriptor's address forgets them.
 *
 * On real hardware: the program sees what lies 256 bytes into the packet, or what an earlier packet left there.
 */
export const headroomOnlyPromised = makeR8169Xdp({ ...R8169_STEPS, rtl8169_mark_to_asic: markWithoutHeadroom });
