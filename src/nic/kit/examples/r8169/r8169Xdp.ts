import { PAGE_BYTES } from '../../../../memory/index.js';
import type { PagePool } from '../../../driver/pagePool.js';
import type { CoherentBlock } from '../../coherentBlock.js';
import type { XdpDriver, XdpDriverFactory } from '../../xdpDriver.js';
import { rtl8169_poll, rtl_close, rtl_open } from './poll.js';
import { TX_EMPTY } from './private.js';
import type { R8169Private } from './private.js';
import { R8169_STEPS } from './steps.js';
import type { R8169Steps } from './steps.js';
import { rtl_xdp_xmit } from './transmit.js';

/**
 * Native XDP for the Realtek RTL8168 family, layout v2, one queue: what r8169_main.c would need instead of its copying receive path. Pages
 * from a page_pool, headroom in the descriptor's address, XDP_TX, ndo_xdp_xmit, and checksums by a private contract.
 *
 *     receive.ts   posting, the RX loop, verdicts      transmit.ts   TX descriptors, XDP_TX, ndo_xdp_xmit, completion
 *     poll.ts      open, stop, interrupt, NAPI poll    checksum.ts   what the chip is asked for, and what the CPU does
 */
export const r8169Xdp: XdpDriverFactory = makeR8169Xdp(R8169_STEPS);

/** The driver with some of its steps done differently. */
export function makeR8169Xdp(steps: R8169Steps): XdpDriverFactory {
  return (kernel, regs): XdpDriver => {
    const tp: R8169Private = {
      kernel, regs, steps,
      rxSize: kernel.rxRingSize,
      txSize: kernel.txRingSize,
      pool: undefined as unknown as PagePool,
      rxRing: undefined as unknown as CoherentBlock,
      txRing: undefined as unknown as CoherentBlock,
      rxPages: new Uint32Array(kernel.rxRingSize),
      txEntries: Array.from({ length: kernel.txRingSize }, () => ({ kind: TX_EMPTY, frame: undefined, iova: 0, len: 0 })),
      cur_rx: 0, fill_rx: 0, cur_tx: 0, dirty_tx: 0,
      xdp: { data: 0, data_end: 0, data_meta: 0, data_hard_start: 0, frame_sz: PAGE_BYTES, rxq: kernel.rxq },
      xdpTxPending: false,
      xdpRedirectPending: false,
      counters: { rx_packets: 0, rx_errors: 0, rx_length_errors: 0, rx_alloc_failed: 0, tx_packets: 0, tx_ring_full: 0, csum_hw: 0, csum_sw: 0, csum_refused: 0 },
    };
    return {
      open: () => rtl_open(tp),
      stop: () => rtl_close(tp),
      interrupt: () => tp.steps.rtl8169_interrupt(tp),
      poll: (budget) => rtl8169_poll(tp, budget),
      xdpXmit: (frames, count, flags) => rtl_xdp_xmit(tp, frames, count, flags),
      statistics: () => ({ ...tp.counters }),
    };
  };
}
