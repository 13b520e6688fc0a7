import type { XdpSock } from '../../umem/index.js';
import type { XdpRxQueue } from '../../xdp/index.js';
import type { RxQueue } from './rxQueue.js';
import type { TxQueue } from './txQueue.js';
import type { XdpTxBulk } from './xdpTxBulk.js';
import type { XskPair } from './xskPair.js';

/** Everything that belongs to one queue pair and its NAPI instance. */
export interface QueuePair {
  readonly queue: number;
  /** Another one while the queue receives into a UMEM. */
  rx: RxQueue;
  readonly tx: TxQueue;
  rxq: XdpRxQueue;
  /** Of a driver that sends XDP_TX in bulks. */
  readonly xdpTxBulk: XdpTxBulk | undefined;
  readonly counters: DriverCounters;
  /** What the queue has in zero-copy mode, `undefined` in any other. */
  xsk: XskPair | undefined;
  /** Buffers of packets that were passed up during the present poll; the stack is done with them at its end. */
  readonly stackBuffers: Uint32Array;
  stackCount: number;
  /** Socket whose packet found no room on the TX ring (-EAGAIN): its application wants to try again when there is some. */
  waitingSocket: XdpSock | undefined;
}

/** Counters of one queue pair, in the driver's own words. */
export interface DriverCounters {
  rxPackets: number;
  rxBytes: number;
  /** Frames that the driver dropped, as the device had marked them as damaged or could not write them. */
  rxErrors: number;
  /** Frames that the driver dropped, as their length makes no sense or they took more buffers than it can handle. */
  rxLengthErrors: number;
  /** Frames whose checksum the hardware found right, and wrong. */
  rxCsumGood: number;
  rxCsumErrors: number;
  /** Buffers that could not be allocated. */
  rxAllocFailed: number;
  /** Packets that went to the stack, with a program and without, not by way of a CPUMAP; their bytes as they were received. */
  stackPackets: number;
  stackBytes: number;
  xdpDrop: number;
  xdpPass: number;
  xdpTx: number;
  xdpTxErrors: number;
  /** XDP_TX that found the ring full, or that a veth's peer did not take; counted in `xdpTxErrors`, too. */
  xdpTxFull: number;
  /** Checksums that XDP_TX asked for by the private contract: those that the NIC was asked for, that the CPU computed, and that nobody can. */
  xdpTxCsumOffloaded: number;
  xdpTxCsumSoftware: number;
  xdpTxCsumRefused: number;
  xdpRedirect: number;
  xdpRedirectErrors: number;
  /** XDP_ABORTED, numbers that are no verdict, and both together with programs that were stopped. */
  xdpAborted: number;
  xdpInvalid: number;
  xdpExceptions: number;
  txPackets: number;
  txBytes: number;
  /** Of these, frames of XDP_TX and of redirects. */
  txXdpPackets: number;
  txXdpBytes: number;
  txXdpXmit: number;
  txXdpXmitErrors: number;
  /** Rounds of completion that brought frames of XDP_TX back, and redirected ones. */
  xdpTxCompletions: number;
  txXdpXmitCompletions: number;
  /** Doorbells that were rung. */
  rxKicks: number;
  txKicks: number;
  /** Resets of the transmit queue, as it hung or its link was gone. */
  txTimeouts: number;
  polls: number;
}

export function newCounters(): DriverCounters {
  return {
    rxPackets: 0, rxBytes: 0, rxErrors: 0, rxLengthErrors: 0, rxCsumGood: 0, rxCsumErrors: 0, rxAllocFailed: 0, stackPackets: 0, stackBytes: 0, xdpDrop: 0, xdpPass: 0, xdpTx: 0,
    xdpTxErrors: 0, xdpTxFull: 0, xdpTxCsumOffloaded: 0, xdpTxCsumSoftware: 0, xdpTxCsumRefused: 0, xdpRedirect: 0, xdpRedirectErrors: 0, xdpAborted: 0, xdpInvalid: 0, xdpExceptions: 0, txPackets: 0, txBytes: 0,
    txXdpPackets: 0, txXdpBytes: 0, txXdpXmit: 0, txXdpXmitErrors: 0, xdpTxCompletions: 0, txXdpXmitCompletions: 0, rxKicks: 0, txKicks: 0, txTimeouts: 0, polls: 0,
  };
}
