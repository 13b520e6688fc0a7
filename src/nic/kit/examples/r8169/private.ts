import type { PagePool } from '../../../driver/pagePool.js';
import type { CoherentBlock } from '../../coherentBlock.js';
import type { DeviceRegisters } from '../../deviceRegisters.js';
import type { DriverKernel } from '../../driverKernel.js';
import type { XdpBuff, XdpFrame } from '../../xdpObjects.js';
import type { R8169Steps } from './steps.js';

/** What a TX descriptor holds, which decides how its buffer goes back. */
export const TX_EMPTY = 0;
/** A page of our own pool (XDP_TX): the pool keeps it mapped. */
export const TX_PAGE = 1;
/** A frame from elsewhere (ndo_xdp_xmit): we mapped it, we unmap it, and only the frame knows where it belongs. */
export const TX_FRAME = 2;

/** struct ring_info: the driver's notes on one TX descriptor. */
export interface TxEntry {
  kind: number;
  frame: XdpFrame | undefined;
  iova: number;
  len: number;
}

export interface R8169Counters {
  rx_packets: number;
  rx_errors: number;
  rx_length_errors: number;
  rx_alloc_failed: number;
  tx_packets: number;
  tx_ring_full: number;
  csum_hw: number;
  csum_sw: number;
  csum_refused: number;
}

/** struct rtl8169_private. Ring positions count up for ever; modulo the ring's size they are slots. */
export interface R8169Private {
  readonly kernel: DriverKernel;
  readonly regs: DeviceRegisters;
  /** The steps of the driver that stand alone, so that one can be exchanged. */
  readonly steps: R8169Steps;
  readonly rxSize: number;
  readonly txSize: number;
  pool: PagePool;
  rxRing: CoherentBlock;
  txRing: CoherentBlock;
  /** Page in each RX descriptor, 0 for none. */
  readonly rxPages: Uint32Array;
  readonly txEntries: TxEntry[];
  /** Next RX descriptor to look at, and next to fill. */
  cur_rx: number;
  fill_rx: number;
  /** Next TX descriptor to fill, and next to clean. */
  cur_tx: number;
  dirty_tx: number;
  /** The one xdp_buff of the poll: on the stack in C. */
  readonly xdp: XdpBuff;
  /** There was an XDP_TX, or an XDP_REDIRECT, in this poll. */
  xdpTxPending: boolean;
  xdpRedirectPending: boolean;
  readonly counters: R8169Counters;
}
