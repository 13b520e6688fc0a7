import type { XskSocket } from '../../umem/index.js';
import type { XdpRxqInfo } from '../../xdp/index.js';
import type { RxQueue } from './rxQueue.js';
import type { TxQueue } from './txQueue.js';

/** Everything that belongs to one queue pair and its NAPI instance. */
export interface QueuePair {
  readonly rx: RxQueue;
  readonly tx: TxQueue;
  readonly rxq: XdpRxqInfo;
  readonly counters: DriverCounters;
  /** Pages of packets that were passed up during the present poll; the stack is done with them at its end. */
  readonly stackPages: Uint32Array;
  stackCount: number;
  /** Socket whose packet found no room on the TX ring (-EAGAIN): its application wants to try again when there is some. */
  waitingSocket: XskSocket | undefined;
}

/** Counters of one queue pair, in the driver's own words. */
export interface DriverCounters {
  rxPackets: number;
  rxBytes: number;
  rxErrors: number;
  xdpDrop: number;
  xdpPass: number;
  xdpTx: number;
  xdpTxErrors: number;
  xdpRedirect: number;
  xdpRedirectErrors: number;
  xdpExceptions: number;
  txPackets: number;
  txBytes: number;
  txXdpXmit: number;
  txXdpXmitErrors: number;
  polls: number;
}

export function newCounters(): DriverCounters {
  return {
    rxPackets: 0, rxBytes: 0, rxErrors: 0, xdpDrop: 0, xdpPass: 0, xdpTx: 0, xdpTxErrors: 0, xdpRedirect: 0, xdpRedirectErrors: 0,
    xdpExceptions: 0, txPackets: 0, txBytes: 0, txXdpXmit: 0, txXdpXmitErrors: 0, polls: 0,
  };
}
