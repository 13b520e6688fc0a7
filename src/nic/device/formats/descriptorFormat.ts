import type { HostMemory } from '../../../memory/index.js';
import type { DescriptorBatch } from '../batch.js';

/** A ring of descriptors in host memory, as one side sees it. Device and driver have an object each. */
export interface RingMemory {
  /** Host address, and the low word of the I/O address at which the device sees it (the high word is IOVA_HIGH). */
  readonly address: number;
  readonly iovaLow: number;
  /** Slots, any number from 2 up. */
  readonly size: number;
  /** Private counters of this side, for formats that need some: completion queue index, phase. All 0 at the start. */
  readonly state: Int32Array;
}

/** Words of `RingMemory.state`. */
export const RING_STATE_WORDS = 8;

/** In place of a doorbell's value: this format has no register to write; the device looks into memory. */
export const NO_DOORBELL = -1;

/**
 * A descriptor format: how device and driver read and write descriptors in host memory, bit for bit.
 *
 * `first`, `head` and `tail` count slots since the ring was made, as plain numbers that never wrap; the slot is `first % size`, and
 * `Math.floor(first / size)` is the lap. Every call handles a run of slots, so that the choice of the format and the division cost once
 * per batch. `batch` arrays are indexed from 0. Methods of the driver's side and of the device's side share nothing but host memory.
 *
 * Order is part of the format: what hands a descriptor over (an ownership bit, an index, a tail) is stored last, and read first.
 */
export interface DescriptorFormat {
  readonly name: string;
  /** One sentence: whose hardware, where it is described. */
  readonly description: string;
  /** Bytes of one RX and one TX descriptor, for people. */
  readonly rxDescriptorBytes: number;
  readonly txDescriptorBytes: number;
  /** Host memory of a ring: descriptors, and what belongs to them (completion queue, doorbell record, index rings, headers). */
  rxRingBytes(size: number): number;
  txRingBytes(size: number): number;
  /** Slots that always stay empty: 1 where head = tail means empty, else 0. */
  readonly spareSlots: number;
  /** Bytes that the device writes into a buffer before the packet (time stamp of igc, header of virtio), part of no packet; 0 for none. */
  readonly rxPrefixBytes: number;
  /** Offloads that a TX descriptor has room for. */
  readonly hasTxChecksum: boolean;
  readonly hasTxVlan: boolean;

  // ── receive, driver's side ──
  /** Prepares a ring of zeroed memory. */
  rxInit(memory: HostMemory, ring: RingMemory): void;
  /** Gives `batch.count` empty buffers (iova, lenBytes) to the device, from slot `first` on. */
  rxPost(memory: HostMemory, ring: RingMemory, first: number, batch: DescriptorBatch): void;
  /** Makes slots before `tail` known: through memory, and through the value for the doorbell that it gives back, or NO_DOORBELL. */
  rxPublish(memory: HostMemory, ring: RingMemory, tail: number): number;
  /**
   * Reads finished descriptors into `batch` (lenBytes, flags, rssHash, rssType, timestampNs, packetType, vlanTci), at most `limit`,
   * which must not exceed what the driver has posted: behind that lie finished descriptors of the lap before. Gives their number. A frame that
   * is not whole within `limit` is given in part, if the format can tell.
   */
  rxPoll(memory: HostMemory, ring: RingMemory, first: number, limit: number, batch: DescriptorBatch): number;

  // ── receive, device's side ──
  /** How many slots from `head` on the driver has given to the device, at most `limit`. @param doorbell last value written, 0 at first */
  rxAvailable(memory: HostMemory, ring: RingMemory, head: number, doorbell: number, limit: number): number;
  /** Reads `count` posted slots into `batch` (iova, lenBytes). */
  rxFetch(memory: HostMemory, ring: RingMemory, first: number, count: number, batch: DescriptorBatch): void;
  /** Writes back `batch.count` slots (all fields of `rxPoll`, whole frames). */
  rxWriteBack(memory: HostMemory, ring: RingMemory, first: number, batch: DescriptorBatch): void;

  // ── transmit, driver's side ──
  txInit(memory: HostMemory, ring: RingMemory): void;
  /** Slots that a frame of so many buffers takes. @param flags DESC_CSUM and DESC_VLAN of the frame */
  txSlots(buffers: number, flags: number): number;
  /**
   * Queues whole frames: `batch.count` buffers (iova, lenBytes, DESC_EOP on the last of a frame; DESC_CSUM with l3Start, csumStart,
   * csumOffset and packetType, DESC_VLAN with vlanTci, on the first).
   */
  txPost(memory: HostMemory, ring: RingMemory, first: number, batch: DescriptorBatch): void;
  /** As `rxPublish`. */
  txPublish(memory: HostMemory, ring: RingMemory, tail: number): number;
  /** How many slots from `first` on the device is done with, at most `limit`; ends with a whole frame. */
  txPoll(memory: HostMemory, ring: RingMemory, first: number, limit: number): number;

  // ── transmit, device's side ──
  /** As `rxAvailable`. */
  txAvailable(memory: HostMemory, ring: RingMemory, head: number, doorbell: number, limit: number): number;
  /**
   * Reads buffers into `batch` (iova, lenBytes, slots; DESC_EOP; on the first of a frame the offloads that it asks for: DESC_CSUM, DESC_CSUM_*
   * with l3Start, csumStart, csumOffset, packetType as far as the descriptor tells, DESC_VLAN with vlanTci, DESC_MALFORMED).
   *
   * @param slots slots to read, as `txAvailable` gave them; sets `batch.count`
   */
  txFetch(memory: HostMemory, ring: RingMemory, first: number, slots: number, batch: DescriptorBatch): void;
  /** Marks `slots` slots, whole frames, as done. */
  txWriteBack(memory: HostMemory, ring: RingMemory, first: number, slots: number): void;
}

/** The receiving half of a format. */
export type RxFormat = Pick<DescriptorFormat,
  'rxDescriptorBytes' | 'rxRingBytes' | 'rxPrefixBytes' | 'rxInit' | 'rxPost' | 'rxPublish' | 'rxPoll' | 'rxAvailable' | 'rxFetch' | 'rxWriteBack'>;

/** The sending half. */
export type TxFormat = Omit<DescriptorFormat, keyof RxFormat | 'name' | 'description'>;
