import { Owner } from '../../memory/index.js';
import type { PageAllocator } from '../../memory/index.js';
import { DMA_BIDIRECTIONAL } from '../device/iommu.js';
import type { Iommu } from '../device/iommu.js';

/** PP_ALLOC_CACHE_SIZE and PP_ALLOC_CACHE_REFILL (include/net/page_pool/types.h). */
const CACHE_SIZE = 128;
const CACHE_REFILL = 64;
/** Pages that the slow path takes from the page allocator at once. */
const BULK = 64;
/** Places that the consumer of a ptr_ring frees at once: two cache lines of pointers (__ptr_ring_set_size, include/linux/ptr_ring.h). */
const RING_CONSUME_BATCH = 16;

/** page_pool's statistics under the kernel's names (Documentation/networking/page_pool.rst). */
export interface PagePoolStats {
  alloc_fast: number;
  alloc_slow: number;
  alloc_slow_high_order: number;
  alloc_empty: number;
  alloc_refill: number;
  alloc_waive: number;
  recycle_cached: number;
  recycle_cache_full: number;
  recycle_ring: number;
  recycle_ring_full: number;
  recycle_released_refcnt: number;
}

/**
 * A page_pool (net/core/page_pool.c, 6.18): order-0 pages of one receive queue, mapped for DMA once and recycled.
 *
 * Pages come back into the cache (only in the NAPI context of the queue) or into the ring; a page for which neither has room
 * goes back to the page allocator.
 */
export class PagePool {
  readonly stats: PagePoolStats = {
    alloc_fast: 0, alloc_slow: 0, alloc_slow_high_order: 0, alloc_empty: 0, alloc_refill: 0, alloc_waive: 0,
    recycle_cached: 0, recycle_cache_full: 0, recycle_ring: 0, recycle_ring_full: 0, recycle_released_refcnt: 0,
  };
  /** Pages that were ever taken from and given back to the page allocator. */
  holdCount = 0;
  releaseCount = 0;
  readonly #allocator: PageAllocator;
  readonly #iommu: Iommu;
  /** Low word of the I/O address of every host page, shared by the pools of a NIC. */
  readonly #iovaLowOfPage: Int32Array;
  readonly #cache = new Uint32Array(CACHE_SIZE);
  #cacheCount = 0;
  readonly #ring: Uint32Array;
  #ringHead = 0;
  #ringTail = 0;
  /** Places before it are free again: it follows `#ringHead` in batches, so a ring can seem full up to 15 places early. */
  #ringFreed = 0;
  readonly #ringBatch: number;

  /** @param ringSize pages in the ring, as the driver sets `pool_size` */
  constructor(allocator: PageAllocator, iommu: Iommu, iovaLowOfPage: Int32Array, ringSize: number) {
    this.#allocator = allocator;
    this.#iommu = iommu;
    this.#iovaLowOfPage = iovaLowOfPage;
    this.#ring = new Uint32Array(ringSize);
    this.#ringBatch = RING_CONSUME_BATCH > ringSize / 2 ? 1 : RING_CONSUME_BATCH;
  }

  /** A page owned by the pool, 0 when there is no memory (page_pool_alloc_pages). */
  alloc(): number {
    if (this.#cacheCount > 0) {
      this.stats.alloc_fast++;
      return this.#cache[--this.#cacheCount];
    }
    if (this.#refillCache()) {
      this.stats.alloc_refill++;
      return this.#cache[--this.#cacheCount];
    }
    return this.#allocSlow();
  }

  /** page_pool_refill_alloc_cache: up to 64 pages from the ring into the empty cache. */
  #refillCache(): boolean {
    const count = Math.min(CACHE_REFILL, this.#ringTail - this.#ringHead);
    if (count === 0) {
      this.stats.alloc_empty++;
      return false;
    }
    for (let i = 0; i < count; i++) this.#cache[this.#cacheCount++] = this.#consume();
    return true;
  }

  /** __ptr_ring_consume: the oldest page; its place becomes free with its batch, or at the end of the ring. */
  #consume(): number {
    const size = this.#ring.length;
    const page = this.#ring[this.#ringHead++ % size];
    if (this.#ringHead - this.#ringFreed >= this.#ringBatch || this.#ringHead % size === 0) this.#ringFreed = this.#ringHead;
    return page;
  }

  /** __page_pool_alloc_pages_slow: a bulk of pages, one to the caller and the others into the cache. */
  #allocSlow(): number {
    for (let i = 0; i < BULK; i++) {
      const page = this.#allocator.alloc(Owner.pool);
      if (page === 0) break;
      const iovaLow = this.#iommu.mapPage(page, DMA_BIDIRECTIONAL);
      if (iovaLow === 0) {
        this.#allocator.free(page, Owner.pool);
        break;
      }
      this.#iovaLowOfPage[this.#allocator.ledger.indexOf(page)] = iovaLow;
      this.holdCount++;
      this.#cache[this.#cacheCount++] = page;
    }
    if (this.#cacheCount === 0) return 0;
    this.stats.alloc_slow++;
    return this.#cache[--this.#cacheCount];
  }

  /** Low word of the I/O address of a page of this pool. */
  iovaLow(page: number): number {
    return this.#iovaLowOfPage[this.#allocator.ledger.indexOf(page)];
  }

  /** page_pool_recycle_direct: only in the NAPI context of the pool's queue. */
  recycleDirect(page: number, from: Owner): void {
    if (this.#cacheCount < CACHE_SIZE) {
      this.#allocator.ledger.move(page, from, Owner.pool);
      this.#cache[this.#cacheCount++] = page;
      this.stats.recycle_cached++;
      return;
    }
    this.stats.recycle_cache_full++;
    this.recycleToRing(page, from);
  }

  /** page_pool_put_page without direct recycling: from any context. */
  recycleToRing(page: number, from: Owner): void {
    this.#allocator.ledger.move(page, from, Owner.pool);
    if (this.#ringTail - this.#ringFreed < this.#ring.length) {
      this.#ring[this.#ringTail++ % this.#ring.length] = page;
      this.stats.recycle_ring++;
      return;
    }
    this.stats.recycle_ring_full++;
    this.#release(page);
  }

  /** page_pool_return_page: unmaps the page and gives it back to the page allocator. */
  #release(page: number): void {
    this.#iommu.unmapPage(this.iovaLow(page));
    this.#allocator.free(page, Owner.pool);
    this.releaseCount++;
  }

  /** The way of a page that a ring still held when the device was shut down: back to the page allocator, and in no statistic. */
  releaseAtShutdown(page: number, from: Owner): void {
    this.#allocator.ledger.move(page, from, Owner.pool);
    this.#release(page);
  }

  /** Pages that the pool took and hasn't given back: in its cache and ring, and everywhere else (page_pool_inflight). */
  get inflight(): number {
    return this.holdCount - this.releaseCount;
  }

  /** Pages that lie in cache and ring. */
  get idle(): number {
    return this.#cacheCount + (this.#ringTail - this.#ringHead);
  }

  /** page_pool_destroy: gives all idle pages back; what is still in flight then is a leak. */
  destroy(): void {
    while (this.#cacheCount > 0) this.#release(this.#cache[--this.#cacheCount]);
    while (this.#ringHead !== this.#ringTail) this.#release(this.#consume());
  }
}
