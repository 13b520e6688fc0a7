import { Owner } from '../../memory/index.js';
import type { HostMemory, OwnerLedger } from '../../memory/index.js';
import { BATCH_FRAMES, DescriptorBatch } from '../device/batch.js';
import type { DescriptorFormat, RingMemory } from '../device/formats/descriptorFormat.js';
import { IOVA_HIGH } from '../device/iommu.js';
import type { Iommu } from '../device/iommu.js';
import { allocCoherentRing } from './coherentRing.js';
import type { PagePool } from './pagePool.js';

/** What a receive ring is made of. */
export interface RxQueueParts {
  readonly memory: HostMemory;
  readonly pages: OwnerLedger;
  readonly iommu: Iommu;
  readonly format: DescriptorFormat;
  readonly pool: PagePool;
  readonly queue: number;
  /** Descriptors. */
  readonly size: number;
  /** Where the device's bytes begin in a page, and how many it may write. */
  readonly headroomBytes: number;
  readonly bufferBytes: number;
}

/** The driver's side of one receive ring: which page lies in each slot, and refilling. */
export class RxQueue {
  readonly ring: RingMemory;
  readonly ringIovaLow: number;
  readonly pool: PagePool;
  /** Page in each slot. */
  readonly page: Uint32Array;
  /** Finished descriptors of the present poll. */
  readonly batch = new DescriptorBatch(BATCH_FRAMES);
  nextToUse = 0;
  nextToClean = 0;
  /** Refills that found no page. */
  allocFailed = 0;
  readonly #memory: HostMemory;
  readonly #format: DescriptorFormat;
  readonly #pages: OwnerLedger;
  readonly #headroomBytes: number;
  readonly #bufferBytes: number;

  constructor({ memory, pages, iommu, format, pool, queue, size, headroomBytes, bufferBytes }: RxQueueParts) {
    this.#memory = memory;
    this.#format = format;
    this.#pages = pages;
    this.#headroomBytes = headroomBytes;
    this.#bufferBytes = bufferBytes;
    this.pool = pool;
    const { ring, iovaLow } = allocCoherentRing(memory, iommu, `RX ring ${queue}`, size, format.descriptorBytes);
    this.ring = ring;
    this.ringIovaLow = iovaLow;
    this.page = new Uint32Array(size);
  }

  /** Descriptors without a buffer; one always stays empty. */
  get unused(): number {
    return this.ring.size - 1 - ((this.nextToUse - this.nextToClean) | 0);
  }

  /** Gives pages to the device until the ring is full or the pool is empty; returns the new tail for the doorbell. */
  refill(): number {
    const { batch, pool, page } = this;
    const mask = this.ring.size - 1;
    for (let left = this.unused; left > 0; ) {
      const limit = left < BATCH_FRAMES ? left : BATCH_FRAMES;
      let count = 0;
      for (; count < limit; count++) {
        const fresh = pool.alloc();
        if (fresh === 0) {
          this.allocFailed++;
          break;
        }
        this.#pages.move(fresh, Owner.pool, Owner.device);
        page[(this.nextToUse + count) & mask] = fresh;
        batch.iovaLow[count] = pool.iovaLow(fresh) + this.#headroomBytes;
        batch.iovaHigh[count] = IOVA_HIGH;
        batch.lenBytes[count] = this.#bufferBytes;
        batch.flags[count] = 0;
      }
      batch.count = count;
      this.#format.rxPost(this.#memory, this.ring, this.nextToUse, batch);
      this.nextToUse = (this.nextToUse + count) | 0;
      left -= count;
      if (count < limit) break;
    }
    return this.nextToUse;
  }

  /** Reads up to `limit` finished descriptors into `batch`; gives their number. */
  poll(limit: number): number {
    const posted = (this.nextToUse - this.nextToClean) | 0;
    return this.#format.rxPoll(this.#memory, this.ring, this.nextToClean, limit < posted ? limit : posted, this.batch);
  }

  /** Takes all pages back from the device when the ring is shut down. */
  drain(): void {
    const mask = this.ring.size - 1;
    for (; this.nextToClean !== this.nextToUse; this.nextToClean = (this.nextToClean + 1) | 0) {
      this.pool.releaseAtShutdown(this.page[this.nextToClean & mask], Owner.device);
    }
  }
}
