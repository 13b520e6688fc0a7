import type { XdpFrame } from '../../xdpObjects.js';
import { rtl_checksum_opts2, rtl_read_tx_contract } from './checksum.js';
import type { TxContract } from '../../../driver/txContract.js';
import { rtl8169_interrupt, rtl_end_poll } from './poll.js';
import type { R8169Private, TxEntry } from './private.js';
import { rtl8169_mark_to_asic, rtl_drop_page, rtl_prepare_xdp, rtl_rx, rtl_rx_sync } from './receive.js';
import { rtl_free_tx, rtl_tx_sync } from './transmit.js';

/** The steps in which a driver is easily wrong. Each is a function of its own, so that `broken/` can show it done wrongly. */
export interface R8169Steps {
  /** Gives a page to the device: one RX descriptor. */
  rtl8169_mark_to_asic(tp: R8169Private, slot: number, page: number): void;
  /** Before the CPU looks at a received packet. */
  rtl_rx_sync(tp: R8169Private, page: number, len: number): void;
  /** Where the packet is: the xdp_buff. */
  rtl_prepare_xdp(tp: R8169Private, page: number, len: number): void;
  /** The packet isn't wanted, or couldn't be sent: its page goes back. */
  rtl_drop_page(tp: R8169Private, page: number): void;
  /** The loop over finished RX descriptors; gives the number of packets. */
  rtl_rx(tp: R8169Private, budget: number): number;
  /** Before the device reads what the CPU wrote. */
  rtl_tx_sync(tp: R8169Private, iova: number, len: number): void;
  /** A TX buffer whose descriptor is done. */
  rtl_free_tx(tp: R8169Private, entry: TxEntry): void;
  /** What the program asks for in its metadata, undefined for nothing. */
  rtl_read_tx_contract(tp: R8169Private, frame: XdpFrame): TxContract | undefined;
  /** opts2 bits for a checksum by the chip. */
  rtl_checksum_opts2(packetType: number, csumStart: number): { readonly opts1: number; readonly opts2: number };
  rtl8169_interrupt(tp: R8169Private): void;
  /** One flush and one doorbell. */
  rtl_end_poll(tp: R8169Private): void;
}

export const R8169_STEPS: R8169Steps = {
  rtl8169_mark_to_asic, rtl_rx_sync, rtl_prepare_xdp, rtl_drop_page, rtl_rx, rtl_tx_sync, rtl_free_tx, rtl_read_tx_contract, rtl_checksum_opts2, rtl8169_interrupt, rtl_end_poll,
};
