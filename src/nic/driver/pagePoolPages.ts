import { hasChange, NEWEST_KERNEL } from '../../base/index.js';
import type { KernelRelease } from '../../base/index.js';
import { Owner, PAGE_BYTES } from '../../memory/index.js';
import type { OwnerLedger, PageAllocator, StructPages } from '../../memory/index.js';
import { PP_FLAG_DMA_MAP, PP_FLAG_DMA_SYNC_DEV } from './pagePoolParams.js';
import type { PagePoolParts } from './pagePoolParams.js';
import type { PoolDma } from './poolDma.js';

/** dma_sync_size -1: as much as `maxLenBytes`. */
export const SYNC_ALL = 0xffffffff;
/** Buffers in flight that a warning names. */
const NAMED_BUFFERS = 4;

/**
 * The pages that a page_pool has taken from the page allocator and not given back (net/core/page_pool.c, 6.18): mapped for DMA once, marked as
 * the pool's in struct page, and counted. Where they lie meanwhile is no concern of this class.
 */
export class PagePoolPages {
  /** Number of the pool, from 1 on, among all that share a page allocator. */
  readonly id: number;
  readonly release: KernelRelease;
  readonly ledger: OwnerLedger;
  readonly structPages: StructPages;
  /** Pages that were ever taken from and given back to the page allocator, modulo 2^32. */
  holdCount = 0;
  releaseCount = 0;
  readonly #allocator: PageAllocator;
  readonly #dma: PoolDma;
  readonly #isMapped: boolean;
  readonly #dmaDir: number;
  readonly #offsetBytes: number;
  readonly #maxLenBytes: number;
  readonly #bufferBytes: number;
  #syncs: boolean;

  constructor({ allocator, dma, release = NEWEST_KERNEL, flags, dmaDir, offsetBytes, maxLenBytes, bufferBytes = PAGE_BYTES }: PagePoolParts) {
    this.release = release;
    this.ledger = allocator.ledger;
    this.structPages = allocator.pages;
    this.#allocator = allocator;
    this.#dma = dma;
    this.#isMapped = (flags & PP_FLAG_DMA_MAP) !== 0;
    this.#syncs = (flags & PP_FLAG_DMA_SYNC_DEV) !== 0;
    this.#dmaDir = dmaDir;
    this.#offsetBytes = offsetBytes;
    this.#maxLenBytes = maxLenBytes;
    this.#bufferBytes = bufferBytes;
    this.id = this.structPages.registerPool();
  }

  /** Pages that the pool took and hasn't given back, wherever they are (page_pool_inflight); negative after a driver's mistake. */
  get inflight(): number {
    return (this.holdCount - this.releaseCount) | 0;
  }

  /** Number of the page that a buffer lies in: the index into `structPages`. */
  indexOf(buffer: number): number {
    return this.#allocator.pageIndexOf(buffer);
  }

  /** page_pool_get_dma_addr and the place in the page: low word, 0 for a page that isn't mapped. */
  iovaLow(buffer: number): number {
    const iovaLow = this.structPages.dmaAddrLow[this.indexOf(buffer)];
    return iovaLow === 0 ? 0 : iovaLow + (buffer & (PAGE_BYTES - 1));
  }

  /**
   * __page_pool_alloc_netmems_slow: takes a bulk of pages, and maps what it got. A page that can't be mapped goes back at once.
   *
   * @param into gets the pages, from its first place on
   * @returns their number, at most `limit`
   */
  alloc(into: Uint32Array, limit: number, nid: number): number {
    let taken = 0;
    for (; taken < limit; taken++) {
      const page = this.#allocator.alloc(Owner.pool, nid, this.#bufferBytes === PAGE_BYTES);
      if (page === 0) break;
      into[taken] = page;
    }
    let count = 0;
    for (let i = 0; i < taken; i++) {
      const page = into[i];
      if (this.#isMapped && !this.#map(page)) {
        this.#allocator.free(page, Owner.pool);
        continue;
      }
      const index = this.indexOf(page);
      this.structPages.pp[index] = this.id;
      this.structPages.ppRefCount[index] = 1;
      this.holdCount = (this.holdCount + 1) >>> 0;
      into[count++] = page;
    }
    return count;
  }

  /** page_pool_return_page: unmaps a page and gives it back to the page allocator, or leaves it to who else refers to it: the stack. */
  giveBack(page: number): void {
    const index = this.indexOf(page);
    this.#unmap(index);
    this.structPages.pp[index] = 0;
    this.releaseCount = (this.releaseCount + 1) >>> 0;
    const isShared = this.structPages.refCount[index] > 1;
    if (isShared) this.#allocator.movePage(page, Owner.pool, Owner.stack);
    this.#allocator.free(page, isShared ? Owner.stack : Owner.pool);
  }

  /** page_pool_dma_sync_for_device, for a pool that syncs. @param syncBytes bytes from the pool's offset on, at most its max_len are synced */
  syncForDevice(index: number, syncBytes: number): void {
    if (!this.#syncs) return;
    const lenBytes = syncBytes < this.#maxLenBytes ? syncBytes : this.#maxLenBytes;
    this.#dma.syncForDevice(this.structPages.dmaAddrLow[index], this.#offsetBytes, lenBytes, this.#dmaDir);
  }

  /** page_pool_scrub: 6.18 unmaps what is in flight when the pool is destroyed, as the device may be gone before it comes back. */
  scrub(): void {
    if (!this.#isMapped || !hasChange(this.release, 'unmapAtDestroy')) return;
    this.#syncs = false;
    for (let index = this.#next(0); index !== -1; index = this.#next(index + 1)) this.#unmap(index);
  }

  /** Buffers of the pool that somebody else has, with owner and packet; the first ones. */
  describeInflight(limit: number = NAMED_BUFFERS): string[] {
    const { baseAddress, owner, unitBytes } = this.ledger;
    const unitsPerPage = PAGE_BYTES / unitBytes;
    const buffersPerPage = PAGE_BYTES / this.#bufferBytes;
    const found: string[] = [];
    for (let index = this.#next(0); index !== -1 && found.length < limit; index = this.#next(index + 1)) {
      const first = index * unitsPerPage;
      for (let unit = first; unit < first + buffersPerPage; unit++) {
        if (owner[unit] !== Owner.pool) found.push(this.ledger.describe(baseAddress + unit * unitBytes));
      }
    }
    return found.slice(0, limit);
  }

  /** First page of the pool from `index` on, -1 when there is none. */
  #next(index: number): number {
    return this.structPages.pp.indexOf(this.id, index);
  }

  #map(page: number): boolean {
    const iovaLow = this.#dma.mapPage(page, this.#dmaDir);
    if (iovaLow === 0) return false;
    this.structPages.dmaAddrLow[this.indexOf(page)] = iovaLow;
    if (this.#syncs) this.#dma.syncForDevice(iovaLow, this.#offsetBytes, this.#maxLenBytes, this.#dmaDir);
    return true;
  }

  /** Since 6.16 a pool knows which pages are mapped and never unmaps one twice (page_pool_release_dma_index); before it believes the caller. */
  #unmap(index: number): void {
    const { dmaAddrLow } = this.structPages;
    if (!this.#isMapped || (dmaAddrLow[index] === 0 && hasChange(this.release, 'unmapAtDestroy'))) return;
    this.#dma.unmapPage(dmaAddrLow[index], this.#dmaDir);
    dmaAddrLow[index] = 0;
  }
}
