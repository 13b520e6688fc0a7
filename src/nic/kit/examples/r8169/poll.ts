import { ChipCmd, CmdReset, CmdRxEnb, CmdTxEnb, IntrMask, IntrStatus, RxDescAddrHigh, RxDescAddrLow, RxMaxSize, TxDescStartAddrHigh, TxDescStartAddrLow } from '../../deviceRegisters.js';
import { PP_FLAG_DMA_MAP, PP_FLAG_DMA_SYNC_DEV } from '../../../driver/pagePoolParams.js';
import { DMA_BIDIRECTIONAL } from '../../../dma/direction.js';
import { XDP_PACKET_HEADROOM } from '../../../../xdp/index.js';
import { DESCRIPTOR_BYTES, IRQ_MASK } from './hardware.js';
import type { R8169Private } from './private.js';
import { rtl8169_rx_fill, RX_BUF_SIZE } from './receive.js';
import { rtl8169_doorbell, rtl8169_tx_clear, rtl_tx } from './transmit.js';

/** The interrupt handler: no work here, only NAPI. */
export function rtl8169_interrupt(tp: R8169Private): void {
  const { regs, kernel } = tp;
  const status = regs.read16(IntrStatus);
  if ((status & IRQ_MASK) === 0) return;
  // Off until the poll has emptied the rings; else every packet would interrupt it.
  regs.write16(IntrMask, 0);
  kernel.napi_schedule();
  // Writing ones clears them. Before the poll: what comes after this is a new event.
  regs.write16(IntrStatus, status);
}

/** The NAPI poll: TX first, as that frees descriptors and pages that RX is about to need. */
export function rtl8169_poll(tp: R8169Private, budget: number): number {
  const { kernel, regs, steps } = tp;
  rtl_tx(tp);
  const work = steps.rtl_rx(tp, budget);
  steps.rtl_end_poll(tp);
  rtl8169_rx_fill(tp);
  // With the whole budget used there may be more: NAPI polls again, and the interrupt stays off.
  if (work < budget && kernel.napi_complete_done(work)) regs.write16(IntrMask, IRQ_MASK);
  return work;
}

/** Once per poll, not per packet: flush what was redirected, and ring for what XDP_TX has queued. */
export function rtl_end_poll(tp: R8169Private): void {
  if (tp.xdpRedirectPending) tp.kernel.xdp_do_flush();
  if (tp.xdpTxPending) rtl8169_doorbell(tp);
  tp.xdpRedirectPending = false;
  tp.xdpTxPending = false;
}

/** ndo_open. */
export function rtl_open(tp: R8169Private): void {
  const { kernel, regs } = tp;
  tp.pool = kernel.page_pool_create({
    // The pool maps its pages and keeps them mapped; and it syncs what the device may write when a page comes back.
    flags: PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV,
    // Received pages are sent as they are by XDP_TX: the device reads them, too.
    dmaDir: DMA_BIDIRECTIONAL,
    // What the device writes to, and so what is to be synced.
    offsetBytes: XDP_PACKET_HEADROOM,
    maxLenBytes: RX_BUF_SIZE,
    poolSize: tp.rxSize,
  });
  tp.rxRing = kernel.dma_alloc_coherent(tp.rxSize * DESCRIPTOR_BYTES, 'RX ring');
  tp.txRing = kernel.dma_alloc_coherent(tp.txSize * DESCRIPTOR_BYTES, 'TX ring');
  tp.cur_rx = tp.fill_rx = tp.cur_tx = tp.dirty_tx = 0;
  rtl8169_rx_fill(tp);
  kernel.napi_enable();
  regs.write16(RxMaxSize, RX_BUF_SIZE);
  // Upper halves first: the chip takes the address with the write of the lower one.
  regs.write32(TxDescStartAddrHigh, tp.txRing.iovaHigh);
  regs.write32(TxDescStartAddrLow, tp.txRing.iovaLow);
  regs.write32(RxDescAddrHigh, tp.rxRing.iovaHigh);
  regs.write32(RxDescAddrLow, tp.rxRing.iovaLow);
  regs.write8(ChipCmd, CmdTxEnb | CmdRxEnb);
  regs.write16(IntrMask, IRQ_MASK);
}

/** ndo_stop: the device first, so that nothing writes into pages that go back. */
export function rtl_close(tp: R8169Private): void {
  const { kernel, regs, rxPages } = tp;
  kernel.napi_disable();
  regs.write16(IntrMask, 0);
  regs.write8(ChipCmd, CmdReset);
  rtl8169_tx_clear(tp);
  for (let slot = 0; slot < rxPages.length; slot++) {
    // Not in NAPI: the cache is nobody's, so not directly.
    if (rxPages[slot] !== 0) kernel.page_pool_put_full_page(tp.pool, rxPages[slot], false);
    rxPages[slot] = 0;
  }
  kernel.dma_free_coherent(tp.rxRing);
  kernel.dma_free_coherent(tp.txRing);
  kernel.page_pool_destroy(tp.pool);
}
