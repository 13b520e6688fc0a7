import { PAGE_BYTES } from '../../../../memory/index.js';
import { XDP_ABORTED, XDP_DROP, XDP_PACKET_HEADROOM, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../../../xdp/index.js';
import { SKB_SHARED_INFO_BYTES } from '../../../../vm/index.js';
import { DMA_BIDIRECTIONAL } from '../../../dma/direction.js';
import { ADDR, DescOwn, DESCRIPTOR_BYTES, ETH_FCS_LEN, FirstFrag, LastFrag, OPTS1, OPTS2, RingEnd, RX_LENGTH, RxRES } from './hardware.js';
import type { R8169Private } from './private.js';
import { rtl_xdp_tx } from './transmit.js';

//     page                                                               page + 4096
//     │◄── headroom, 256 ──►│◄──────── the device writes ────────►│◄─ 320 ─►│
//     │ xdp_frame │  grows  │ packet                  │  tailroom  │ skb_shared_info
//                           ▲ address in the descriptor

/** Bytes that the device may write into a page: a multiple of 8, as the hardware wants it. */
export const RX_BUF_SIZE = (PAGE_BYTES - XDP_PACKET_HEADROOM - SKB_SHARED_INFO_BYTES) & ~7;

/** Gives a page to the device. The hardware has no register for headroom: it begins where the address points to. */
export function rtl8169_mark_to_asic(tp: R8169Private, slot: number, page: number): void {
  const { kernel, rxRing } = tp;
  const desc = slot * DESCRIPTOR_BYTES;
  // The last descriptor says so, each time it is written: the device finds the end of the ring by this bit only.
  const eor = slot === tp.rxSize - 1 ? RingEnd : 0;
  rxRing.write32(desc + OPTS2, 0);
  rxRing.write64(desc + ADDR, kernel.page_pool_get_dma_addr(page) + XDP_PACKET_HEADROOM, kernel.dmaAddressHigh);
  // The device polls memory; once it sees OWN, the address must be there. So OWN comes last, and not before the rest is visible.
  kernel.dma_wmb();
  rxRing.write32(desc + OPTS1, (DescOwn | eor | RX_BUF_SIZE) >>> 0);
}

/**
 * Fills the RX ring with pages from the pool, as far as there are any; what is missing is tried again in the next poll. With an empty ring
 * there is no next one: the device drops everything and raises no interrupt. A driver in C has ndo_open fail with -ENOMEM then.
 */
export function rtl8169_rx_fill(tp: R8169Private): void {
  const { kernel, rxPages, rxSize } = tp;
  while (tp.fill_rx - tp.cur_rx < rxSize) {
    // The pool maps its pages once and syncs them for the device whenever it hands them out (PP_FLAG_DMA_MAP, PP_FLAG_DMA_SYNC_DEV).
    const page = kernel.page_pool_dev_alloc_pages(tp.pool);
    if (page === 0) {
      tp.counters.rx_alloc_failed++;
      return;
    }
    const slot = tp.fill_rx % rxSize;
    rxPages[slot] = page;
    tp.steps.rtl8169_mark_to_asic(tp, slot, page);
    tp.fill_rx++;
  }
}

/** The CPU may look at `len` bytes that the device wrote. Does nothing on x86; elsewhere the CPU would see the packet that lay there before. */
export function rtl_rx_sync(tp: R8169Private, page: number, len: number): void {
  // The pool's direction. The pool does not do this sync: it can't know the length.
  tp.kernel.dma_sync_single_for_cpu(tp.kernel.page_pool_get_dma_addr(page) + XDP_PACKET_HEADROOM, len, DMA_BIDIRECTIONAL);
}

/** The page goes straight back into the pool's cache, which is ours alone in this NAPI poll. */
export function rtl_drop_page(tp: R8169Private, page: number): void {
  tp.kernel.page_pool_recycle_direct(tp.pool, page);
}

/** The loop over finished RX descriptors. A packet that is dropped, sent or redirected ends its own handling, never the loop. */
export function rtl_rx(tp: R8169Private, budget: number): number {
  let count = 0;
  for (; count < budget && tp.cur_rx !== tp.fill_rx; count++) {
    const status = tp.rxRing.read32((tp.cur_rx % tp.rxSize) * DESCRIPTOR_BYTES + OPTS1);
    if ((status & DescOwn) !== 0) break;
    // Nothing else of the descriptor, and nothing of the packet, is read before OWN.
    tp.kernel.dma_rmb();
    rtl_rx_packet(tp, status);
  }
  return count;
}

/** What lies in the next descriptor. Gives the verdict; a frame that no program sees counts as aborted. */
export function rtl_rx_packet(tp: R8169Private, status: number): number {
  const { rxPages, counters, steps } = tp;
  const slot = tp.cur_rx % tp.rxSize;
  const page = rxPages[slot];
  // From here on the page is no longer the ring's. The slot gets a new one at the end of the poll.
  rxPages[slot] = 0;
  tp.cur_rx++;
  counters.rx_packets++;
  const len = (status & RX_LENGTH) - ETH_FCS_LEN;
  const isWhole = (status & FirstFrag) !== 0 && (status & LastFrag) !== 0;
  if ((status & RxRES) === 0 && isWhole && len > 0 && len <= RX_BUF_SIZE) return rtl_receive(tp, page, len);
  // RxMaxSize keeps longer frames out, but the status is the device's word, not ours: never trust a length.
  if ((status & RxRES) !== 0) counters.rx_errors++;
  else counters.rx_length_errors++;
  steps.rtl_drop_page(tp, page);
  return XDP_ABORTED;
}

/** Tells the program where the packet is. frame_sz is the whole page, also what the device may not write: bpf_xdp_adjust_tail() counts from it. */
export function rtl_prepare_xdp({ kernel, xdp }: R8169Private, page: number, len: number): void {
  kernel.xdp_init_buff(xdp, PAGE_BYTES, kernel.rxq);
  kernel.xdp_prepare_buff(xdp, page, XDP_PACKET_HEADROOM, len);
}

/** One packet: program, verdict. Whatever happens, the page has exactly one owner afterwards: pool, stack, TX ring, or the redirect's target. */
function rtl_receive(tp: R8169Private, page: number, len: number): number {
  const { kernel, xdp, steps } = tp;
  steps.rtl_rx_sync(tp, page, len);
  steps.rtl_prepare_xdp(tp, page, len);
  const prog = kernel.xdp_prog;
  const act = prog === undefined ? XDP_PASS : kernel.bpf_prog_run_xdp(prog, xdp);
  switch (act) {
    case XDP_PASS:
      rtl_pass(tp, page);
      return act;
    case XDP_TX:
      if (rtl_xdp_tx(tp)) {
        tp.xdpTxPending = true;
        return act;
      }
      break;
    case XDP_REDIRECT:
      if (kernel.xdp_do_redirect(xdp) === 0) {
        tp.xdpRedirectPending = true;
        return act;
      }
      break;
    case XDP_DROP:
      steps.rtl_drop_page(tp, page);
      return act;
    case XDP_ABORTED:
      break;
    default:
      kernel.bpf_warn_invalid_xdp_action(act);
  }
  // Aborted, unknown, or a TX or redirect that came to nothing: seen by xdp_monitor, then dropped.
  kernel.trace_xdp_exception(act);
  steps.rtl_drop_page(tp, page);
  return act;
}

/** The stack gets the page itself; where the packet begins and ends is what the program has left, not what the device wrote. */
function rtl_pass(tp: R8169Private, page: number): void {
  const { kernel, xdp } = tp;
  const skb = kernel.napi_build_skb(page, xdp.data - xdp.data_hard_start, xdp.data_end - xdp.data);
  const metasize = xdp.data - xdp.data_meta;
  if (metasize > 0) kernel.skb_metadata_set(skb, metasize);
  kernel.skb_mark_for_recycle(skb);
  kernel.napi_gro_receive(skb);
}
