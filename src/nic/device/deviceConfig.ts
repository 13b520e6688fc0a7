import type { Scheduler } from '../../base/index.js';
import type { HostMemory, OwnerLedger } from '../../memory/index.js';
import type { BufferTags } from '../bufferTags.js';
import type { DmaUmems } from '../dmaUmems.js';
import type { DeviceFaults } from './faults/deviceFaults.js';
import type { FlowSteering } from './flowSteering.js';
import type { DescriptorFormat } from './formats/descriptorFormat.js';
import type { CacheModel } from '../dma/cacheModel.js';
import type { InterruptModeration } from './interrupt.js';
import type { Iommu } from './iommu.js';
import { MAC_ADDRESS, MAC_OVER_LENGTH, MAC_RUNT } from './mac.js';
import type { MacConfig } from './mac.js';
import type { OffloadedXdp } from './offloadedXdp.js';
import type { Rss } from './rss.js';
import type { HardwareClock } from './timestamps.js';

/** What the device reports to whoever watches the simulation; the driver hears none of it. */
export interface DeviceObserver {
  /** A frame got no further than the device: MAC_* reason, or `missed`, or `dma`. */
  onLost(packetId: number, reason: DeviceLoss, address: number, lenBytes: number, queue: number): void;
  /**
   * A frame went out on the wire. One that was lost on its way out (the IOMMU refused, descriptors without sense) is not heard of again.
   *
   * @param buffer host address of its first buffer, as the driver knows it
   * @param address where its bytes lie side by side, as they were sent
   */
  onTransmit(queue: number, buffer: number, address: number, lenBytes: number): void;
  /** A program in the device ended a packet: it sent it back (XDP_TX) or dropped it. @param verdict what it returned, OFFLOAD_FAULT when it was stopped */
  onOffloadEnd(packetId: number, verdict: number, address: number, lenBytes: number): void;
}

export const LOSS_RUNT = MAC_RUNT;
export const LOSS_OVER_LENGTH = MAC_OVER_LENGTH;
export const LOSS_ADDRESS = MAC_ADDRESS;
export const LOSS_MISSED = 4;
export const LOSS_DMA = 5;
export const LOSS_STEERED = 6;
export const LOSS_LINK = 7;
export const LOSS_CRC = 8;
export type DeviceLoss =
  | typeof LOSS_RUNT | typeof LOSS_OVER_LENGTH | typeof LOSS_ADDRESS | typeof LOSS_MISSED | typeof LOSS_DMA | typeof LOSS_STEERED | typeof LOSS_LINK | typeof LOSS_CRC;

/** Hardware counters, whole device. */
export interface DeviceCounters {
  rxPackets: number;
  rxBytes: number;
  rxMulticast: number;
  rxBroadcast: number;
  rxRunts: number;
  rxOverLength: number;
  rxAddressFiltered: number;
  rxMissed: number;
  rxDmaErrors: number;
  /** Frames that arrived damaged, which the MAC drops. */
  rxCrcErrors: number;
  /** Frames whose IPv4, TCP or UDP checksum the device found wrong. */
  rxChecksumErrors: number;
  /** Frames that a flow rule discards. */
  rxSteeredAway: number;
  /** Frames that came while the link was down. */
  rxLinkDown: number;
  txPackets: number;
  txBytes: number;
  txDmaErrors: number;
  /** Frames with descriptors that make no sense. */
  txMalformed: number;
  /** Frames that a program in the device passed on, dropped, sent back or did anything else with, which is dropped too. */
  offloadPassPackets: number;
  offloadPassBytes: number;
  offloadDropPackets: number;
  offloadDropBytes: number;
  offloadTxPackets: number;
  offloadTxBytes: number;
  offloadAbortedPackets: number;
  offloadAbortedBytes: number;
}

export function newDeviceCounters(): DeviceCounters {
  return {
    rxPackets: 0, rxBytes: 0, rxMulticast: 0, rxBroadcast: 0, rxRunts: 0, rxOverLength: 0, rxAddressFiltered: 0, rxMissed: 0, rxDmaErrors: 0,
    rxCrcErrors: 0, rxChecksumErrors: 0, rxSteeredAway: 0, rxLinkDown: 0, txPackets: 0, txBytes: 0, txDmaErrors: 0, txMalformed: 0, offloadPassPackets: 0, offloadPassBytes: 0, offloadDropPackets: 0, offloadDropBytes: 0,
    offloadTxPackets: 0, offloadTxBytes: 0, offloadAbortedPackets: 0, offloadAbortedBytes: 0,
  };
}

/** Offloads as they are switched on (`ethtool -K`). */
export interface OffloadSettings {
  readonly rxChecksum: boolean;
  readonly rxVlanStrip: boolean;
  readonly rxTimestamp: boolean;
  /** The driver passes the hash on; left out: yes, of devices with RSS. The device hashes in any case. */
  readonly rxHash?: boolean;
}

/** What a device is made of. */
export interface NicDeviceConfig {
  readonly memory: HostMemory;
  /** Pages of the host: who owns what DMA writes to, and what else only the observer may know. */
  readonly pages: OwnerLedger;
  /** UMEMs that are mapped for the device; left out: none ever are. */
  readonly umems?: DmaUmems | undefined;
  readonly tags: BufferTags;
  readonly iommu: Pick<Iommu, 'translate'>;
  /** What lies between the CPU and the memory that the device uses. */
  readonly cache: CacheModel;
  readonly scheduler: Scheduler;
  readonly format: DescriptorFormat;
  readonly mac: MacConfig;
  readonly rss: Rss;
  readonly steering: FlowSteering;
  readonly clock: HardwareClock;
  readonly offloads: OffloadSettings;
  readonly queues: number;
  /** Transmit queues that launch frames at their times; left out: none do. */
  readonly launchTimeQueues?: readonly number[] | undefined;
  /** Of every queue's interrupt; a number is the delay of both directions, ns. */
  readonly moderation: number | InterruptModeration;
  readonly interruptPolicy: 'mask' | 'arm';
  /** What goes wrong; `undefined` for nothing. */
  readonly faults?: DeviceFaults | undefined;
  /** The program that runs in the device; left out: none. */
  readonly offload?: OffloadedXdp | undefined;
  readonly observer: DeviceObserver;
}
