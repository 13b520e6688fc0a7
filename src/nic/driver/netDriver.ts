import type { XskDevice } from '../../umem/index.js';
import type { XdpXmitDevice } from '../../xdp/index.js';
import type { NicDevice } from '../device/nicDevice.js';
import type { DriverMistake } from '../kit/mistakes.js';
import type { BufferMistake } from './mistakeLog.js';
import type { NapiMistake } from './napi.js';
import type { PagePoolStats } from './pagePool.js';
import type { DriverCounters } from './queuePair.js';

/** How the rings of a queue pair fared. */
export interface RingUse {
  readonly rxSize: number;
  /** Buffers that the device has, and the fewest that it had after any poll. */
  readonly rxPosted: number;
  readonly rxLowWater: number;
  /** Those of `rxPosted` that are chunks of a UMEM; left out: none. */
  readonly rxChunks?: number;
  readonly rxAllocFailed: number;
  readonly txSize: number;
  readonly txFrames: number;
  readonly txFull: number;
  /** Most slots in use at once. */
  readonly txHighWater: number;
  /** Buffers on the TX ring that are receive buffers, and such that are pages of their own (skbs of sockets); left out: none. */
  readonly txRxBuffers?: number;
  readonly txOwnPages?: number;
}

/** How the receive buffers of a queue fared. */
export interface BufferUse {
  /** Buffers taken from the page allocator that are not back there, and of these the idle ones. */
  readonly inflight: number;
  readonly idle: number;
  /** Pages that were ever taken and given back. */
  readonly holdCount: number;
  readonly releaseCount: number;
  /** page_pool's statistics; all 0 for drivers without one. */
  readonly stats: PagePoolStats;
}

/** A driver as NIC, simulation and reports see it, whoever wrote it. */
export interface NetDriver extends XskDevice, XdpXmitDevice {
  /** Counts by verdict (XDP_ABORTED to XDP_REDIRECT, then anything else). */
  readonly verdicts: Float64Array;
  counters(queue: number): DriverCounters;
  ringUse(queue: number): RingUse;
  bufferUse(queue: number): BufferUse;
  /** What the driver did with buffers and polls that the kernel's rules forbid; the first ones of each queue. */
  mistakes(): readonly (BufferMistake | NapiMistake)[];
  /** Drivers of users only: what else they did that kernel and hardware forbid, the first ones of each kind. */
  driverMistakes?(): readonly DriverMistake[];
  /** ndo_open: programs the rings and posts the first buffers. */
  open(device: NicDevice): void;
  /** Takes back what is on the TX rings, sent or not, and sends no more: of several NICs of a host, all do so before the first is closed. */
  stopTransmit?(): void;
  /** ndo_stop: takes back what the device holds and empties the pools. */
  close(): void;
  /** The interrupt of a queue. */
  onInterrupt(queue: number): void;
  /** Something may be stuck; for drivers that have a watchdog. */
  wakeWatchdog?(): void;
  /** Rings the TX doorbell after frames were queued from outside a poll. */
  kick(queue: number): void;
}
