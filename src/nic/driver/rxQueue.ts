import { Owner } from '../../memory/index.js';
import type { HostMemory } from '../../memory/index.js';
import { BATCH_FRAMES, DESC_EOP, DescriptorBatch } from '../device/batch.js';
import { RING_STATE_WORDS } from '../device/formats/descriptorFormat.js';
import type { DescriptorFormat, RingMemory } from '../device/formats/descriptorFormat.js';
import { IOVA_HIGH } from '../device/iommu.js';
import type { DmaApi } from '../dma/dmaApi.js';
import { allocCoherentRing, freeCoherentRing } from './coherentRing.js';
import type { RxBuffers } from './rxBuffers.js';
import type { RxLayout } from './rxLayout.js';

/** Who owns receive buffers, and which packets they carry: the ledger of the pages, or of a UMEM's chunks. */
export interface BufferOwners {
  readonly packetId: Int32Array;
  indexOf(buffer: number): number;
  move(buffer: number, from: Owner, to: Owner): void;
}

/** What a receive ring is made of. */
export interface RxQueueParts {
  readonly memory: HostMemory;
  readonly ledger: BufferOwners;
  /** Whose the buffers are before the device gets them. */
  readonly idleOwner: Owner;
  readonly dma: DmaApi;
  /** How the buffers are mapped. */
  readonly direction: number;
  readonly format: DescriptorFormat;
  readonly buffers: RxBuffers;
  readonly queue: number;
  /** Slots. */
  readonly size: number;
  readonly layout: RxLayout;
  /** Buffers that must be missing before the ring is refilled. */
  readonly refillThreshold: number;
}

/** The driver's side of one receive ring: which buffer lies in each slot, and refilling. */
export class RxQueue {
  readonly ring: RingMemory;
  readonly buffers: RxBuffers;
  readonly ledger: BufferOwners;
  readonly layout: RxLayout;
  /** Buffer in each slot. */
  readonly buffer: Uint32Array;
  /** Finished descriptors of the present poll. */
  readonly batch = new DescriptorBatch(BATCH_FRAMES);
  /** Slots, counted since the ring was made. */
  nextToUse = 0;
  nextToClean = 0;
  /** Refills that found no buffer. */
  allocFailed = 0;
  /** Fewest buffers that the device ever had after a poll. */
  lowWater = Infinity;
  readonly #memory: HostMemory;
  readonly #format: DescriptorFormat;
  readonly #idleOwner: Owner;
  readonly #dma: DmaApi;
  readonly #direction: number;
  readonly #refillThreshold: number;
  readonly #savedState = new Int32Array(RING_STATE_WORDS);

  constructor({ memory, ledger, idleOwner, dma, direction, format, buffers, queue, size, layout, refillThreshold }: RxQueueParts) {
    this.#memory = memory;
    this.#format = format;
    this.ledger = ledger;
    this.#idleOwner = idleOwner;
    this.layout = layout;
    // A small ring must not run empty before it is refilled.
    this.#refillThreshold = Math.max(1, Math.min(refillThreshold, size >>> 2));
    this.#dma = dma;
    this.#direction = direction;
    this.buffers = buffers;
    this.ring = allocCoherentRing(dma, `RX ring ${queue}`, size, format.rxRingBytes(size));
    format.rxInit(memory, this.ring);
    this.buffer = new Uint32Array(size);
  }

  /** Buffers that the device has. */
  get posted(): number {
    return this.nextToUse - this.nextToClean;
  }

  /** Slots without a buffer, not counting those that always stay empty. */
  get unused(): number {
    return this.ring.size - this.#format.spareSlots - this.posted;
  }

  /** Buffers that the next `refill` tries to give to the device; 0 while so few are missing that it waits. */
  get wanted(): number {
    const { unused } = this;
    return unused >= this.#refillThreshold || this.posted === 0 ? unused : 0;
  }

  /** Gives buffers to the device until the ring is full or there are none; returns what to write to the doorbell. */
  refill(count: number = this.wanted): number {
    const { posted } = this;
    if (this.nextToUse > 0 && posted < this.lowWater) this.lowWater = posted;
    this.#post(count);
    return this.#format.rxPublish(this.#memory, this.ring, this.nextToUse);
  }

  #post(unused: number): void {
    const { batch, buffers, buffer, ledger } = this;
    const { deviceOffBytes, deviceBytes } = this.layout;
    const { size } = this.ring;
    for (let left = unused; left > 0; ) {
      const limit = left < BATCH_FRAMES ? left : BATCH_FRAMES;
      let slot = this.nextToUse % size;
      let count = 0;
      for (; count < limit; count++) {
        const fresh = buffers.alloc();
        if (fresh === 0) {
          this.allocFailed++;
          break;
        }
        ledger.move(fresh, this.#idleOwner, Owner.device);
        ledger.packetId[ledger.indexOf(fresh)] = 0;
        buffer[slot] = fresh;
        if (++slot === size) slot = 0;
        batch.iovaLow[count] = buffers.iovaLow(fresh) + deviceOffBytes;
        batch.iovaHigh[count] = IOVA_HIGH;
        batch.lenBytes[count] = deviceBytes;
        batch.flags[count] = 0;
      }
      batch.count = count;
      this.#format.rxPost(this.#memory, this.ring, this.nextToUse, batch);
      this.nextToUse += count;
      left -= count;
      if (count < limit) break;
    }
  }

  /** Only the first `count` descriptors of the last `poll`, whole frames, were handled: the next one finds the others again. */
  unpoll(count: number): void {
    this.ring.state.set(this.#savedState);
    if (count > 0) this.#format.rxPoll(this.#memory, this.ring, this.nextToClean, count, this.batch);
  }

  /** Reads up to `limit` finished descriptors into `batch`; gives their number. */
  poll(limit: number): number {
    const { posted } = this;
    const most = limit < posted ? limit : posted;
    this.#savedState.set(this.ring.state);
    if (this.#format.rxPrefixBytes > 0) this.#locatePrefixes(most);
    if (this.#format.rxPrefixBytes > 0 && !this.#dma.cache.isCoherent) this.#syncPrefixes(most);
    const count = this.#format.rxPoll(this.#memory, this.ring, this.nextToClean, most, this.batch);
    this.#syncForCpu(count);
    return count;
  }

  /** What stands before a packet is read with its descriptor, so the CPU must see it first: a look ahead finds out which buffers are done. */
  #syncPrefixes(most: number): void {
    const { state } = this.ring;
    const count = this.#format.rxPoll(this.#memory, this.ring, this.nextToClean, most, this.batch);
    state.set(this.#savedState);
    this.#syncForCpu(count);
    this.#locatePrefixes(most);
  }

  /** dma_sync_single_range_for_cpu of everything that the device wrote. */
  #syncForCpu(count: number): void {
    const { buffers, buffer, batch } = this;
    const { deviceOffBytes, deviceBytes } = this.layout;
    const { size } = this.ring;
    const prefix = this.#format.rxPrefixBytes;
    let isFirst = true;
    let slot = this.nextToClean % size;
    for (let i = 0; i < count; i++) {
      // A length that makes no sense is found later: what lies beyond the buffer is not the device's.
      const bytes = Math.min(batch.lenBytes[i] + (isFirst ? prefix : 0), deviceBytes);
      isFirst = (batch.flags[i] & DESC_EOP) !== 0;
      if (bytes > 0) this.#dma.syncForCpu(buffers.iovaLow(buffer[slot]) + deviceOffBytes, bytes, this.#direction, 'RX poll');
      if (++slot === size) slot = 0;
    }
  }

  #locatePrefixes(count: number): void {
    const { address } = this.batch;
    const { size } = this.ring;
    let slot = this.nextToClean % size;
    for (let i = 0; i < count; i++) {
      address[i] = this.buffer[slot] + this.layout.deviceOffBytes;
      if (++slot === size) slot = 0;
    }
  }

  /**
   * Takes all buffers back from the device when the ring is shut down.
   *
   * @param onBuffer called for each of them before it goes back
   */
  drain(onBuffer: (buffer: number) => void = () => {}): void {
    for (; this.nextToClean < this.nextToUse; this.nextToClean++) {
      const buffer = this.buffer[this.nextToClean % this.ring.size];
      onBuffer(buffer);
      this.buffers.releaseAtShutdown(buffer, Owner.device);
    }
    freeCoherentRing(this.#dma, this.ring, this.#format.rxRingBytes(this.ring.size), 'RX ring');
  }
}
