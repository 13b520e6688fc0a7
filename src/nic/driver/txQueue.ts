import type { HostMemory } from '../../memory/index.js';
import { MAX_SKB_FRAGS } from '../../vm/index.js';
import { BATCH_FRAMES, DESC_EOP, DescriptorBatch } from '../device/batch.js';
import type { DescriptorFormat, RingMemory } from '../device/formats/descriptorFormat.js';
import { IOVA_HIGH } from '../device/iommu.js';
import type { Iommu } from '../device/iommu.js';
import { allocCoherentRing } from './coherentRing.js';

/** What a TX ring entry holds, which decides how its buffer goes back. */
export const TX_NONE = 0;
/** Page of our own pool, sent by XDP_TX. */
export const TX_XDP_TX = 1;
/** Page of our own pool, sent by ndo_xdp_xmit; mapped for this transmission only, as the driver can't know where a frame comes from. */
export const TX_XDP_XMIT = 2;
/** Page with a copy of an AF_XDP socket's packet (the skb of copy mode). */
export const TX_XSK_SKB = 3;

/** The driver's side of one transmit ring: what lies in each slot, until the device is done with it. */
export class TxQueue {
  readonly ring: RingMemory;
  readonly ringIovaLow: number;
  readonly kind: Uint8Array;
  readonly page: Uint32Array;
  /** Low word of a mapping to undo at completion, 0 for none. */
  readonly unmapIovaLow: Int32Array;
  /** TX_XSK_SKB: socket and UMEM offset to complete. */
  readonly socketId: Int32Array;
  readonly completionOffBytes: Uint32Array;
  /** Program's return value, for the record of the packet's end. */
  readonly retval: Uint32Array;
  readonly lenBytes: Int32Array;
  /** 1 for the last buffer of a frame. */
  readonly isLast: Uint8Array;
  /** Mappings of the frame that is being queued, one for each buffer. */
  readonly mappings = new Int32Array(MAX_SKB_FRAGS + 1);
  nextToUse = 0;
  nextToClean = 0;
  /** Frames that found no free slot. */
  fullCount = 0;
  readonly #memory: HostMemory;
  readonly #format: DescriptorFormat;
  readonly #pending = new DescriptorBatch(BATCH_FRAMES);
  /** Index of the first descriptor that isn't written yet, and of the first that the doorbell hasn't told the device. */
  #pendingFirst = 0;
  #flushed = 0;

  constructor(memory: HostMemory, iommu: Iommu, format: DescriptorFormat, queue: number, size: number) {
    this.#memory = memory;
    this.#format = format;
    const { ring, iovaLow } = allocCoherentRing(memory, iommu, `TX ring ${queue}`, size, format.descriptorBytes);
    this.ring = ring;
    this.ringIovaLow = iovaLow;
    this.kind = new Uint8Array(size);
    this.page = new Uint32Array(size);
    this.unmapIovaLow = new Int32Array(size);
    this.socketId = new Int32Array(size);
    this.completionOffBytes = new Uint32Array(size);
    this.retval = new Uint32Array(size);
    this.lenBytes = new Int32Array(size);
    this.isLast = new Uint8Array(size);
  }

  /** Slots that can be used; one always stays empty. */
  get free(): number {
    return this.ring.size - 1 - ((this.nextToUse - this.nextToClean) | 0);
  }

  /**
   * Queues one buffer; the caller has made sure that there is room. Nothing reaches the ring before `flush`.
   *
   * @returns the slot, for the caller to note what it holds
   */
  push(iovaLow: number, lenBytes: number, isLast: boolean): number {
    const pending = this.#pending;
    if (pending.count === BATCH_FRAMES) this.#post();
    const at = pending.count++;
    pending.iovaLow[at] = iovaLow;
    pending.iovaHigh[at] = IOVA_HIGH;
    pending.lenBytes[at] = lenBytes;
    pending.flags[at] = isLast ? DESC_EOP : 0;
    const slot = this.nextToUse & (this.ring.size - 1);
    this.lenBytes[slot] = lenBytes;
    this.isLast[slot] = isLast ? 1 : 0;
    this.nextToUse = (this.nextToUse + 1) | 0;
    return slot;
  }

  /** Writes the queued descriptors; true when there were any since the last flush, so that the doorbell must ring. */
  flush(): boolean {
    this.#post();
    const isNew = this.#pendingFirst !== this.#flushed;
    this.#flushed = this.#pendingFirst;
    return isNew;
  }

  #post(): void {
    const pending = this.#pending;
    if (pending.count === 0) return;
    this.#format.txPost(this.#memory, this.ring, this.#pendingFirst, pending);
    this.#pendingFirst = (this.#pendingFirst + pending.count) | 0;
    pending.count = 0;
  }

  /** How many slots from `nextToClean` on the device is done with. */
  completed(): number {
    const queued = (this.#flushed - this.nextToClean) | 0;
    return queued === 0 ? 0 : this.#format.txPoll(this.#memory, this.ring, this.nextToClean, queued);
  }
}
