import type { Scheduler } from '../../base/index.js';
import type { HostMemory, PageAllocator } from '../../memory/index.js';
import type { LoadedProgram, Vm } from '../../vm/index.js';
import type { Outcome, PacketObserver, SkbDevice, XdpCore, XdpMode, XdpTracer } from '../../xdp/index.js';
import type { BufferTags } from '../bufferTags.js';
import type { DmaApi } from '../dma/dmaApi.js';
import type { DmaUmems } from '../dmaUmems.js';
import type { HintOffloads, NicProfile } from '../profiles/profile.js';
import type { VethPeer } from '../nicSettings.js';
import type { ChecksumOffload } from './checksumOffload.js';
import type { NapiSettings } from './napi.js';
import type { QueuePair } from './queuePair.js';
import type { RxLayout } from './rxLayout.js';
import type { XdpTxChecksum } from './xdpTxChecksum.js';
import type { XskTxOffload } from './xskTxOffload.js';
import type { Softirq } from './softirq.js';

/** What the driver tells whoever watches the simulation. */
export type DriverObserver = PacketObserver;

/** What a driver is made of. */
export interface DriverConfig {
  readonly memory: HostMemory;
  readonly allocator: PageAllocator;
  readonly tags: BufferTags;
  readonly dma: DmaApi;
  /** UMEMs that are mapped for the device. */
  readonly umems: DmaUmems;
  readonly scheduler: Scheduler;
  /** NET_RX_SOFTIRQ of each CPU; queue q is polled by CPU q modulo their number. */
  readonly softirqs: readonly Softirq[];
  readonly napi: Partial<NapiSettings>;
  /** The driver adapts the moderation of interrupts (`ethtool -C adaptive-rx on`). */
  readonly isModerationAdaptive: boolean;
  readonly profile: NicProfile;
  readonly hintOffloads: HintOffloads;
  readonly queues: number;
  readonly rxRingSize: number;
  readonly txRingSize: number;
  /** Transmit queues that are set up for launch times (`tc … etf offload`); left out: none. */
  readonly launchTimeQueues?: readonly number[] | undefined;
  readonly headroomBytes: number;
  /** Period of the driver's watchdog, ns; `undefined` for none. */
  readonly watchdogNs?: number | undefined;
  readonly ifindex: number;
  readonly mtu: number;
  readonly vm: Vm;
  /** Program that the driver runs; `undefined` passes everything. */
  readonly program: LoadedProgram | undefined;
  /** Program that the stack runs behind the driver. */
  readonly genericProgram?: LoadedProgram | undefined;
  /** Where the program of the device runs. Of one that the stack or the device itself runs the driver knows nothing. */
  readonly xdpMode: XdpMode;
  /** The other end of a veth pair; left out: one like this. */
  readonly peer?: VethPeer | undefined;
  /** The driver honours the private contract about checksums on XDP_TX. */
  readonly hasTxContract?: boolean;
  /** dev_addr. */
  readonly address: Uint8Array;
  /** The XDP core of the host, which all its NICs share. */
  readonly core: XdpCore;
  readonly observer: DriverObserver;
  readonly tracer: XdpTracer;
}

/** What the stages of a driver work on. Each stage is a file of functions that take this and a queue pair. */
export interface DriverState {
  readonly config: DriverConfig;
  /** Between ndo_open and ndo_stop. */
  isOpen: boolean;
  /** Why ndo_xdp_xmit last took less than it was offered. */
  xmitFailure: Outcome;
  /** The device as the stack knows it. */
  readonly netdev: SkbDevice;
  readonly layout: RxLayout;
  readonly pairs: readonly QueuePair[];
  /** Counts by verdict (XDP_ABORTED to XDP_REDIRECT, then anything else). */
  readonly verdicts: Float64Array;
  /** Where packets of several buffers are put together for those who watch. */
  readonly gatherBuffer: number;
  readonly wantsRxHints: boolean;
  /** Checksums of frames that sockets send. */
  readonly checksumOffload: ChecksumOffload;
  /** What sockets in zero-copy mode ask for. */
  readonly xskTxOffload: XskTxOffload;
  /** When the device sent the frame whose last slot this is, by its clock, ns. */
  readonly txTimestamp: (queue: number, slot: number) => number;
  /** Checksums of XDP_TX, for drivers with the private contract (txContract.ts). */
  readonly txChecksum: XdpTxChecksum | undefined;
  /** How receive buffers are mapped: DMA_BIDIRECTIONAL lets XDP_TX use that mapping, with DMA_FROM_DEVICE it makes one of its own. */
  readonly rxDirection: number;
}

/** Instead of a return value: no program saw the packet, or it did not come to its end. */
export const NO_VERDICT = -1;
