import { DMA_BIDIRECTIONAL, DMA_TO_DEVICE } from '../../../dma/direction.js';
import { NPQ, TxPoll } from '../../deviceRegisters.js';
import { XDP_XMIT_FLUSH } from '../../xdpDriver.js';
import type { XdpFrame } from '../../xdpObjects.js';
import { rtl_prepare_checksum } from './checksum.js';
import { ADDR, DescOwn, DESCRIPTOR_BYTES, FirstFrag, LastFrag, OPTS1, OPTS2, RingEnd } from './hardware.js';
import { TX_EMPTY, TX_FRAME, TX_PAGE } from './private.js';
import type { R8169Private, TxEntry } from './private.js';

/** No offload. */
const PLAIN = { opts1: 0, opts2: 0 };

/** One TX descriptor for a frame in one buffer. The caller has made sure that it is free. */
function rtl_tx_map(tp: R8169Private, kind: number, frame: XdpFrame, iova: number, offload: { readonly opts1: number; readonly opts2: number }): void {
  const { kernel, txRing, txSize } = tp;
  const slot = tp.cur_tx % txSize;
  const desc = slot * DESCRIPTOR_BYTES;
  const entry = tp.txEntries[slot];
  entry.kind = kind;
  entry.frame = frame;
  entry.iova = iova;
  entry.len = frame.len;
  txRing.write64(desc + ADDR, iova, kernel.dmaAddressHigh);
  txRing.write32(desc + OPTS2, offload.opts2);
  // As for RX: OWN last, when all else can be seen.
  kernel.dma_wmb();
  const eor = slot === txSize - 1 ? RingEnd : 0;
  txRing.write32(desc + OPTS1, (DescOwn | eor | FirstFrag | LastFrag | offload.opts1 | frame.len) >>> 0);
  tp.cur_tx++;
}

function hasRoom(tp: R8169Private): boolean {
  return tp.cur_tx - tp.dirty_tx < tp.txSize;
}

/** The device may read `len` bytes that CPU and program wrote. Without it a non-coherent machine sends what the packet was before. */
export function rtl_tx_sync(tp: R8169Private, iova: number, len: number): void {
  tp.kernel.dma_sync_single_for_device(iova, len, DMA_BIDIRECTIONAL);
}

/**
 * XDP_TX of the packet in `tp.xdp`: false when it can't be sent, and the page is still the caller's. The doorbell waits for the poll's end.
 *
 * The mapping is the pool's: it is DMA_BIDIRECTIONAL, so the device may read the page too.
 */
export function rtl_xdp_tx(tp: R8169Private): boolean {
  const { kernel, xdp, steps, counters } = tp;
  if (!hasRoom(tp)) {
    counters.tx_ring_full++;
    return false;
  }
  // Fails when the program has left no room for struct xdp_frame.
  const frame = kernel.xdp_convert_buff_to_frame(xdp);
  if (frame === undefined) return false;
  const contract = steps.rtl_read_tx_contract(tp, frame);
  const offload = contract === undefined ? PLAIN : rtl_prepare_checksum(tp, frame, contract);
  if (offload === undefined) return false;
  // Not the start of the page: where the program has left the packet.
  const iova = kernel.page_pool_get_dma_addr(frame.page) + (frame.data - frame.page);
  // After the last write to the packet, which a checksum by the CPU is.
  steps.rtl_tx_sync(tp, iova, frame.len);
  rtl_tx_map(tp, TX_PAGE, frame, iova, offload);
  return true;
}

/**
 * ndo_xdp_xmit: frames that a redirect brings. They may belong to any device's pool or to none, so each gets a mapping of its own, and goes
 * back by xdp_return_frame, which asks the frame.
 */
export function rtl_xdp_xmit(tp: R8169Private, frames: readonly XdpFrame[], count: number, flags: number): number {
  const { kernel } = tp;
  let sent = 0;
  for (; sent < count && hasRoom(tp); sent++) {
    const frame = frames[sent];
    const iova = kernel.dma_map_single(frame.data, frame.len, DMA_TO_DEVICE);
    if (kernel.dma_mapping_error(iova)) break;
    rtl_tx_map(tp, TX_FRAME, frame, iova, PLAIN);
  }
  if (sent < count) tp.counters.tx_ring_full++;
  // Also when nothing was sent now: an earlier bulk of this poll came without the flag, and may be what fills the ring.
  if ((flags & XDP_XMIT_FLUSH) !== 0) rtl8169_doorbell(tp);
  return sent;
}

/** "Look at the ring." A write to a register costs far more than a descriptor, so once for many. */
export function rtl8169_doorbell(tp: R8169Private): void {
  tp.regs.write8(TxPoll, NPQ);
}

/** A buffer that is sent goes back by the way that it came. */
export function rtl_free_tx(tp: R8169Private, entry: TxEntry): void {
  const { kernel } = tp;
  if (entry.frame === undefined) return;
  if (entry.kind === TX_PAGE) {
    // Our own page, in our own NAPI: straight into the cache. Its mapping stays; the pool syncs the page before it gives it out again.
    kernel.xdp_return_frame_rx_napi(entry.frame);
  } else {
    kernel.dma_unmap_single(entry.iova, entry.len, DMA_TO_DEVICE);
    kernel.xdp_return_frame(entry.frame);
  }
}

/** Cleans finished TX descriptors: those of which the device has taken OWN away. */
export function rtl_tx(tp: R8169Private): void {
  const { txRing, txSize, txEntries, kernel, counters } = tp;
  while (tp.dirty_tx !== tp.cur_tx) {
    const slot = tp.dirty_tx % txSize;
    if ((txRing.read32(slot * DESCRIPTOR_BYTES + OPTS1) & DescOwn) !== 0) break;
    kernel.dma_rmb();
    tp.steps.rtl_free_tx(tp, txEntries[slot]);
    rtl_forget(txEntries[slot]);
    tp.dirty_tx++;
    counters.tx_packets++;
  }
}

/** What is on the TX ring when the device is stopped: it will not be sent. */
export function rtl8169_tx_clear(tp: R8169Private): void {
  const { txEntries, txSize, kernel } = tp;
  for (; tp.dirty_tx !== tp.cur_tx; tp.dirty_tx++) {
    const entry = txEntries[tp.dirty_tx % txSize];
    if (entry.frame !== undefined) {
      if (entry.kind === TX_FRAME) kernel.dma_unmap_single(entry.iova, entry.len, DMA_TO_DEVICE);
      // Not in NAPI here.
      kernel.xdp_return_frame(entry.frame);
    }
    rtl_forget(entry);
  }
}

function rtl_forget(entry: TxEntry): void {
  entry.kind = TX_EMPTY;
  entry.frame = undefined;
}
