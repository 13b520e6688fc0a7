import type { HostMemory } from '../../memory/index.js';
import { MAX_SKB_FRAGS } from '../../vm/index.js';
import type { SkBuff } from '../../xdp/index.js';
import { BATCH_FRAMES, DESC_CSUM, DESC_EOP, DESC_VLAN, DescriptorBatch, MAX_SEGMENTS } from '../device/batch.js';
import type { DescriptorFormat, RingMemory } from '../device/formats/descriptorFormat.js';
import { IOVA_HIGH } from '../device/iommu.js';
import type { DmaApi } from '../dma/dmaApi.js';
import { TX_NONE } from '../bufferTags.js';
import { allocCoherentRing, freeCoherentRing } from './coherentRing.js';
import { EMPTY_FRAME_SLOTS } from './launchTimes.js';
import type { LaunchTimes } from './launchTimes.js';

/** A frame's buffers may share a slot (mlx5 puts up to four into one). */
const BUFFERS_PER_SLOT_MAX = 4;

/** What a frame asks the hardware to do on its way out; all 0 for nothing. Named as in DescriptorBatch. */
export interface TxOffload {
  flags: number;
  packetType: number;
  l3Start: number;
  csumStart: number;
  csumOffset: number;
  vlanTci: number;
  launchNs: number;
}

/** No offload. */
export const NO_OFFLOAD: Readonly<TxOffload> = { flags: 0, packetType: 0, l3Start: 0, csumStart: 0, csumOffset: 0, vlanTci: 0, launchNs: 0 };

/**
 * The driver's side of one transmit ring: which buffers are on their way, in order, until the device is done with them.
 *
 * A buffer's record is not a slot of the ring: some formats put descriptors without a buffer before a frame, others several buffers into
 * one. So records are a ring of their own, and the last record of a frame knows how many slots the frame took.
 */
export class TxQueue {
  readonly ring: RingMemory;
  /** Of a queue that is set up for launch times (igc_ring.launchtime_enable). */
  readonly launchTimes: LaunchTimes | undefined;
  /** What a frame with a launch time asks for, while it is being queued. */
  readonly launchOffload: TxOffload = { ...NO_OFFLOAD };
  /** What an skb asks for whose VLAN tag is to be inserted, while it is being queued. */
  readonly vlanOffload: TxOffload = { ...NO_OFFLOAD, flags: DESC_VLAN };
  readonly kind: Uint8Array;
  readonly buffer: Uint32Array;
  /** Low word of a mapping to undo at completion, 0 for none. */
  readonly unmapIovaLow: Int32Array;
  /**
   * TX_XSK_SKB: socket, and in the last of its records what its pool calls the packet, else -1. TX_XSK_CHUNK:
   * where a time stamp goes, 0 for none. TX_XDP_TX_CHUNK: where the packet begins, 0 for its other chunks.
   */
  readonly socketId: Int32Array;
  readonly completion: Int32Array;
  readonly lenBytes: Int32Array;
  /** TX_SKB: the skb, in the last of its records. */
  readonly skb: (SkBuff | undefined)[];
  /** Slots of the frame that ends with this record, 0 in its other records. */
  readonly frameSlots: Int32Array;
  readonly recordMask: number;
  /** Mappings of the frame that is being queued, one for each buffer. */
  readonly mappings = new Int32Array(MAX_SKB_FRAGS + 1);
  /** Pages that a packet of a socket was copied into, one for each part, while it is being queued. */
  readonly pages = new Uint32Array(MAX_SKB_FRAGS + 1);
  /** Records, counted since the ring was made. */
  nextRecord = 0;
  cleanRecord = 0;
  /** Slots, counted since the ring was made. */
  nextToUse = 0;
  nextToClean = 0;
  /** Frames that were sent, frames that found no free slot, most slots that were ever in use. */
  frames = 0;
  fullCount = 0;
  highWater = 0;
  readonly #memory: HostMemory;
  readonly #format: DescriptorFormat;
  readonly #pending = new DescriptorBatch(BATCH_FRAMES + MAX_SEGMENTS);
  /** Slot of the first frame that isn't written yet, and of the first that the doorbell hasn't told the device. */
  #pendingFirst = 0;
  #flushed = 0;
  #frameBuffers = 0;
  /** What `isStuck` saw, and since when. */
  #watchedRecord = -1;
  #watchedNs = 0;
  #frameFlags = 0;

  constructor(memory: HostMemory, dma: DmaApi, format: DescriptorFormat, queue: number, size: number, launchTimes?: LaunchTimes) {
    this.launchTimes = launchTimes;
    this.#memory = memory;
    this.#format = format;
    this.ring = allocCoherentRing(dma, `TX ring ${queue}`, size, format.txRingBytes(size));
    format.txInit(memory, this.ring);
    const records = 2 ** Math.ceil(Math.log2(size * BUFFERS_PER_SLOT_MAX));
    this.recordMask = records - 1;
    this.kind = new Uint8Array(records);
    this.buffer = new Uint32Array(records);
    this.unmapIovaLow = new Int32Array(records);
    this.socketId = new Int32Array(records);
    this.completion = new Int32Array(records);
    this.lenBytes = new Int32Array(records);
    this.skb = Array.from({ length: records }, () => undefined);
    this.frameSlots = new Int32Array(records);
  }

  /** Slots that can be used. */
  get freeSlots(): number {
    return this.ring.size - this.#format.spareSlots - (this.nextToUse - this.nextToClean);
  }

  /** Slots that a frame of one buffer takes at most, with an empty frame before it where there may be one (igc_xdp_xmit_zc wants 4, too). */
  get slotsPerBuffer(): number {
    return this.#format.txSlots(1, DESC_CSUM) + (this.launchTimes === undefined ? 0 : EMPTY_FRAME_SLOTS);
  }

  /** True when a frame of so many buffers finds room. @param slotsBefore that another frame, which has to go first, may take */
  hasRoom(buffers: number, offloadFlags = 0, slotsBefore = 0): boolean {
    return slotsBefore + this.#format.txSlots(buffers, offloadFlags) <= this.freeSlots;
  }

  /**
   * Queues one buffer; the caller has made sure that there is room for its frame. Nothing reaches the ring before `flush`.
   *
   * @param offload of the frame; counts with its first buffer
   * @returns the record, for the caller to note what it holds
   */
  push(iovaLow: number, lenBytes: number, isLast: boolean, offload: Readonly<TxOffload> = NO_OFFLOAD): number {
    const pending = this.#pending;
    const isFirst = this.#frameBuffers === 0;
    if (isFirst && pending.count >= BATCH_FRAMES) this.#post();
    const at = pending.count++;
    pending.iovaLow[at] = iovaLow;
    pending.iovaHigh[at] = IOVA_HIGH;
    pending.lenBytes[at] = lenBytes;
    pending.flags[at] = isLast ? DESC_EOP : 0;
    if (isFirst) {
      pending.flags[at] |= offload.flags;
      this.#frameFlags = offload.flags;
      if (offload.flags !== 0) {
        pending.packetType[at] = offload.packetType;
        pending.l3Start[at] = offload.l3Start;
        pending.csumStart[at] = offload.csumStart;
        pending.csumOffset[at] = offload.csumOffset;
        pending.vlanTci[at] = offload.vlanTci;
        pending.launchNs[at] = offload.launchNs;
      }
    }
    this.#frameBuffers++;
    const record = this.nextRecord++ & this.recordMask;
    this.lenBytes[record] = lenBytes;
    this.frameSlots[record] = 0;
    if (isLast) {
      const slots = this.#format.txSlots(this.#frameBuffers, this.#frameFlags);
      this.frameSlots[record] = slots;
      this.nextToUse += slots;
      this.#frameBuffers = 0;
      const used = this.nextToUse - this.nextToClean;
      if (used > this.highWater) this.highWater = used;
    }
    return record;
  }

  /** Writes the queued descriptors; true when there were any since the last flush, so that the doorbell must ring. */
  flush(): boolean {
    this.#post();
    const isNew = this.#pendingFirst !== this.#flushed;
    this.#flushed = this.#pendingFirst;
    return isNew;
  }

  /** What to write to the doorbell register after a flush. */
  publish(): number {
    return this.#format.txPublish(this.#memory, this.ring, this.#flushed);
  }

  #post(): void {
    const pending = this.#pending;
    if (pending.count === 0) return;
    this.#format.txPost(this.#memory, this.ring, this.#pendingFirst, pending);
    this.#pendingFirst = this.nextToUse;
    pending.count = 0;
  }

  /** Frames are on the ring, or their completions. */
  get isBusy(): boolean {
    return this.cleanRecord !== this.nextRecord;
  }

  /** Buffers of one kind (TX_*) that are on the ring. */
  countHeld(kind: number): number {
    let count = 0;
    for (let record = this.cleanRecord; record < this.nextRecord; record++) if (this.kind[record & this.recordMask] === kind) count++;
    return count;
  }

  /** Calls `visit` with every skb that is on the ring. */
  visitSkbs(visit: (skb: SkBuff) => void): void {
    for (let record = this.cleanRecord; record < this.nextRecord; record++) {
      const skb = this.skb[record & this.recordMask];
      if (skb !== undefined) visit(skb);
    }
  }

  /** dev_watchdog: frames are on the ring, and none has come back for so long. Asked again and again, as it remembers what it saw. */
  isStuck(nowNs: number, timeoutNs: number): boolean {
    if (!this.isBusy || this.cleanRecord !== this.#watchedRecord) {
      this.#watchedRecord = this.cleanRecord;
      this.#watchedNs = nowNs;
    }
    return nowNs - this.#watchedNs >= timeoutNs;
  }

  /** How many slots from `nextToClean` on the device is done with: whole frames. */
  completed(): number {
    const queued = this.#flushed - this.nextToClean;
    return queued === 0 ? 0 : this.#format.txPoll(this.#memory, this.ring, this.nextToClean, queued);
  }

  /** Empties the ring after a reset of the device's queue; all records have been released. */
  reset(): void {
    const { address, size, state } = this.ring;
    this.#memory.u8.fill(0, address, address + this.#format.txRingBytes(size));
    state.fill(0);
    this.#format.txInit(this.#memory, this.ring);
    this.nextToUse = 0;
    this.nextToClean = 0;
    this.#pendingFirst = 0;
    this.#flushed = 0;
  }

  /** Gives the ring's memory back. */
  free(dma: DmaApi): void {
    freeCoherentRing(dma, this.ring, this.#format.txRingBytes(this.ring.size), 'TX ring');
  }

  /** Forgets a record whose buffer went back. */
  release(record: number): void {
    this.kind[record] = TX_NONE;
    this.skb[record] = undefined;
    this.cleanRecord++;
    this.nextToClean += this.frameSlots[record];
  }
}
