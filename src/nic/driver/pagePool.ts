import { ProblemError, fail, ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { Owner, PAGE_BYTES } from '../../memory/index.js';
import type { OwnerLedger, PageAllocator, StructPages } from '../../memory/index.js';
import { MistakeLog } from './mistakeLog.js';
import { PP_FLAG_DMA_MAP, PP_FLAG_DMA_SYNC_DEV, checkPagePoolParams, ringSizeOf } from './pagePoolParams.js';
import type { NapiContext, PagePoolParts, PagePoolRelease } from './pagePoolParams.js';
import { NO_POOL_STATS } from './pagePoolStats.js';
import type { PagePoolStats, PagePoolWarning } from './pagePoolStats.js';
import type { PoolDma } from './poolDma.js';
import { PtrRing } from './ptrRing.js';
import type { RxBuffers } from './rxBuffers.js';

/** PP_ALLOC_CACHE_SIZE and PP_ALLOC_CACHE_REFILL (include/net/page_pool/types.h); the slow path takes as many pages as a refill. */
const CACHE_SIZE = 128;
const CACHE_REFILL = 64;
/** References that a page is charged with while fragments of it are given out (BIAS_MAX); the kernel's is as large as a long allows. */
const BIAS_MAX = 2 ** 30;
/** dma_sync_size -1: as much as `maxLenBytes`. */
const SYNC_ALL = 0xffffffff;
/** Between two warnings that a shutdown stalls (DEFER_WARN_INTERVAL). */
const WARN_INTERVAL_SEC = 60;
/** Buffers in flight that a warning names. */
const NAMED_BUFFERS = 4;

export { NO_POOL_STATS } from './pagePoolStats.js';
export type { PagePoolStats, PagePoolWarning } from './pagePoolStats.js';

const ALWAYS_POLLING: NapiContext = { isPolling: () => true, describe: () => 'NAPI poll' };

/**
 * A page_pool (net/core/page_pool.c, 6.18): order-0 pages of one receive queue, mapped for DMA once and recycled, whole or in fragments.
 *
 * Pages come back into the cache (only in the NAPI context of the queue) or into the ring; a page for which neither has room
 * goes back to the page allocator.
 */
export class PagePool implements RxBuffers {
  readonly stats: PagePoolStats = { ...NO_POOL_STATS };
  /** Number of the pool, from 1 on, among all that share a page allocator. */
  readonly id: number;
  readonly queue: number;
  /** Pages that were ever taken from and given back to the page allocator, modulo 2^32. */
  holdCount = 0;
  releaseCount = 0;
  readonly mistakes: MistakeLog;
  readonly warnings: PagePoolWarning[] = [];
  readonly #allocator: PageAllocator;
  readonly #ledger: OwnerLedger;
  readonly #pages: StructPages;
  readonly #dma: PoolDma;
  readonly #context: NapiContext;
  readonly #release: PagePoolRelease;
  readonly #isMapped: boolean;
  readonly #dmaDir: number;
  readonly #offsetBytes: number;
  readonly #maxLenBytes: number;
  readonly #bufferBytes: number;
  readonly #buffersPerPage: number;
  readonly #cache = new Uint32Array(CACHE_SIZE);
  #cacheCount = 0;
  readonly #ring: PtrRing;
  #syncs: boolean;
  #hasNapi: boolean;
  #nid: number;
  /** Page of which fragments are being given out, where the next one begins, and how many were given out. */
  #fragPage = 0;
  #fragOffBytes = 0;
  #fragUsers = 0;
  /** Fragments that the pool has, of pages of which others are out. */
  #looseFragments = 0;
  #isDestroyed = false;
  #deferStartSec = 0;
  #deferWarnSec = 0;

  /** A pool, or why page_pool_create refuses to make it. */
  static create(parts: PagePoolParts): Result<PagePool> {
    const problem = checkPagePoolParams(parts);
    return problem === undefined ? ok(new PagePool(parts)) : fail(problem);
  }

  /** @throws ProblemError for parameters that page_pool_create refuses */
  constructor(parts: PagePoolParts) {
    const problem = checkPagePoolParams(parts);
    if (problem !== undefined) throw new ProblemError(problem);
    const { allocator, bufferBytes = PAGE_BYTES } = parts;
    if (bufferBytes !== allocator.ledger.unitBytes) {
      throw new RangeError(`PagePool: buffers of ${bufferBytes} bytes, but each ${allocator.ledger.unitBytes} bytes have their owner`);
    }
    this.#allocator = allocator;
    this.#ledger = allocator.ledger;
    this.mistakes = new MistakeLog(allocator.ledger);
    this.#pages = allocator.pages;
    this.#dma = parts.dma;
    this.#context = parts.context ?? ALWAYS_POLLING;
    this.#release = parts.release ?? '6.18';
    this.#isMapped = (parts.flags & PP_FLAG_DMA_MAP) !== 0;
    this.#syncs = (parts.flags & PP_FLAG_DMA_SYNC_DEV) !== 0;
    this.#dmaDir = parts.dmaDir;
    this.#offsetBytes = parts.offsetBytes;
    this.#maxLenBytes = parts.maxLenBytes;
    this.#bufferBytes = bufferBytes;
    this.#buffersPerPage = PAGE_BYTES / bufferBytes;
    this.#hasNapi = parts.hasNapi === true && this.#release !== '6.1';
    this.#nid = parts.nid ?? 0;
    this.#ring = new PtrRing(ringSizeOf(parts));
    this.queue = parts.queue;
    this.id = this.#pages.registerPool();
  }

  /** A buffer owned by the pool, 0 when there is no memory (page_pool_alloc_pages, page_pool_alloc_frag). */
  alloc(): number {
    return this.#buffersPerPage === 1 ? this.#allocPage() : this.#allocFragment();
  }

  #allocPage(): number {
    if (this.#cacheCount > 0) {
      this.stats.alloc_fast++;
      return this.#cache[--this.#cacheCount];
    }
    const page = this.#refill();
    return page === 0 ? this.#allocSlow() : page;
  }

  /** page_pool_refill_alloc_cache: up to 64 pages from the ring into the empty cache, and the last of them to the caller. */
  #refill(): number {
    const { stats } = this;
    if (this.#ring.used === 0) {
      stats.alloc_empty++;
      return 0;
    }
    do {
      const page = this.#ring.consume();
      if (page === 0) break;
      if (this.#pages.nid[this.#allocator.pageIndexOf(page)] !== this.#nid) {
        this.#returnPage(page);
        stats.alloc_waive++;
        break;
      }
      this.#cache[this.#cacheCount++] = page;
    } while (this.#cacheCount < CACHE_REFILL);
    if (this.#cacheCount === 0) return 0;
    stats.alloc_refill++;
    return this.#cache[--this.#cacheCount];
  }

  /** __page_pool_alloc_netmems_slow: a bulk of pages, one to the caller and the others into the cache. */
  #allocSlow(): number {
    const cache = this.#cache;
    let taken = 0;
    for (; taken < CACHE_REFILL; taken++) {
      const page = this.#allocator.alloc(Owner.pool, this.#nid);
      if (page === 0) break;
      cache[taken] = page;
    }
    for (let i = 0; i < taken; i++) {
      const page = cache[i];
      if (this.#isMapped && !this.#map(page)) {
        this.#allocator.free(page, Owner.pool);
        continue;
      }
      const index = this.#allocator.pageIndexOf(page);
      this.#pages.pp[index] = this.id;
      this.#pages.ppRefCount[index] = 1;
      this.holdCount = (this.holdCount + 1) >>> 0;
      cache[this.#cacheCount++] = page;
    }
    if (this.#cacheCount === 0) return 0;
    this.stats.alloc_slow++;
    return cache[--this.#cacheCount];
  }

  #map(page: number): boolean {
    const iovaLow = this.#dma.mapPage(page, this.#dmaDir);
    if (iovaLow === 0) return false;
    this.#pages.dmaAddrLow[this.#allocator.pageIndexOf(page)] = iovaLow;
    if (this.#syncs) this.#dma.syncForDevice(iovaLow, this.#offsetBytes, this.#maxLenBytes, this.#dmaDir);
    return true;
  }

  /**
   * page_pool_alloc_frag with the size of a buffer: the next piece of the present page, or the first of another. 6.1 counts each piece behind
   * the first as a fast allocation; since 6.14 statistics count pages, and a page that is used again at once as one that was cached.
   */
  #allocFragment(): number {
    let page = this.#fragPage;
    if (page !== 0 && this.#fragOffBytes + this.#bufferBytes > PAGE_BYTES) {
      page = this.#drainFragments(page);
      if (page !== 0) {
        if (this.#release !== '6.1') this.stats.recycle_cached++;
        this.stats.alloc_fast++;
        return this.#firstFragment(page);
      }
    } else if (page !== 0) {
      const fragment = page + this.#fragOffBytes;
      this.#fragUsers++;
      this.#fragOffBytes += this.#bufferBytes;
      this.#looseFragments--;
      if (this.#release === '6.1') this.stats.alloc_fast++;
      return fragment;
    }
    this.#fragPage = this.#allocPage();
    return this.#fragPage === 0 ? 0 : this.#firstFragment(this.#fragPage);
  }

  #firstFragment(page: number): number {
    this.#pages.ppRefCount[this.#allocator.pageIndexOf(page)] = BIAS_MAX;
    this.#fragUsers = 1;
    this.#fragOffBytes = this.#bufferBytes;
    this.#looseFragments += this.#buffersPerPage - 1;
    return page;
  }

  /** page_pool_drain_frag: the page again when all its fragments are back and nobody else has it, 0 when it is left to its fragments. */
  #drainFragments(page: number): number {
    const index = this.#allocator.pageIndexOf(page);
    if (this.#unref(index, BIAS_MAX - this.#fragUsers) !== 0) return 0;
    this.#looseFragments -= this.#buffersPerPage;
    if (this.#pages.refCount[index] !== 1) {
      this.#returnPage(page);
      return 0;
    }
    if (this.#syncs) this.#syncForDevice(index, SYNC_ALL);
    return page;
  }

  /** page_pool_unref_page: gives up `count` fragments; how many are left. A page without any counts as one piece again. */
  #unref(index: number, count: number): number {
    const { ppRefCount } = this.#pages;
    const left = ppRefCount[index] - count;
    if (left < 0) {
      const page = this.#ledger.baseAddress + index * PAGE_BYTES;
      this.mistakes.add('fragment-returned-twice', page, 'came back more often than it was given out: give each fragment back once');
    }
    ppRefCount[index] = left === 0 ? 1 : left;
    return left;
  }

  /** A page_pool needs no word of it when a buffer goes on with its frame. */
  giveUp(): void {}

  /** Low word of the I/O address of a buffer of this pool (page_pool_get_dma_addr), 0 when the pool doesn't map its pages. */
  iovaLow(buffer: number): number {
    const iovaLow = this.#pages.dmaAddrLow[this.#allocator.pageIndexOf(buffer)];
    return iovaLow === 0 ? 0 : iovaLow + (buffer & (PAGE_BYTES - 1));
  }

  /**
   * page_pool_recycle_direct: only in the NAPI poll of the pool's queue, as nothing locks the cache. Elsewhere the two CPUs would fight for
   * it; here the page gets into the cache all the same, and the mistake is recorded.
   *
   * @param syncBytes bytes from `offsetBytes` on that CPU or device may have written, all when left out
   */
  recycleDirect(buffer: number, from: Owner, syncBytes: number = SYNC_ALL): void {
    if (!this.#context.isPolling(this.queue)) this.#blameDirectRecycle(buffer);
    this.put(buffer, from, true, syncBytes);
  }

  /** page_pool_put_full_page without direct recycling: from any context. */
  recycle(buffer: number, from: Owner): void {
    this.put(buffer, from, false);
  }

  /**
   * page_pool_put_page: gives up one buffer; a page whose last fragment that was is recycled.
   *
   * In 6.18 it goes into the cache also without `allowDirect` when the driver named its NAPI and that NAPI runs (page_pool_napi_local).
   */
  put(buffer: number, from: Owner, allowDirect: boolean, syncBytes: number = SYNC_ALL): void {
    const page = this.#takeBack(buffer, from);
    if (page === 0) return;
    const isDirect = allowDirect || (this.#hasNapi && this.#context.isPolling(this.queue));
    if (!this.#keepOrRelease(page, isDirect, syncBytes) || this.#produce(page)) return;
    this.stats.recycle_ring_full++;
    this.#returnPage(page);
  }

  /**
   * page_pool_put_page_bulk (xdp_return_frame_bulk): several buffers into the ring at once. A full ring counts once, however many pages
   * it turns away. In 6.18 they go into the cache in the NAPI that the driver named.
   *
   * @param buffers the first `count` are given back; overwritten
   */
  putBulk(buffers: Uint32Array, count: number, from: Owner): void {
    const { stats } = this;
    const isDirect = this.#hasNapi && this.#context.isPolling(this.queue);
    let pageCount = 0;
    for (let i = 0; i < count; i++) {
      const page = this.#takeBack(buffers[i], from);
      if (page !== 0) buffers[pageCount++] = page;
    }
    let ringCount = 0;
    for (let i = 0; i < pageCount; i++) {
      if (this.#keepOrRelease(buffers[i], isDirect, SYNC_ALL)) buffers[ringCount++] = buffers[i];
    }
    let next = 0;
    while (next < ringCount && this.#produce(buffers[next])) next++;
    if (next < ringCount) stats.recycle_ring_full++;
    for (; next < ringCount; next++) this.#returnPage(buffers[next]);
  }

  /**
   * One buffer becomes the pool's; its page when that was the last piece of it, else 0. As in the kernel, a page of another pool ends up
   * in this one; an address that is no page at all goes nowhere.
   */
  #takeBack(buffer: number, from: Owner): number {
    this.#ledger.move(buffer, from, Owner.pool);
    const index = this.#allocator.pageIndexOf(buffer);
    if (this.#pages.pp[index] !== this.id) {
      this.#blameForeignPage(buffer, index);
      if (index >= this.#pages.pp.length) return 0;
    }
    if (this.#buffersPerPage > 1) {
      this.#looseFragments++;
      if (this.#unref(index, 1) !== 0) return 0;
      this.#looseFragments -= this.#buffersPerPage;
    }
    return buffer - (buffer & (PAGE_BYTES - 1));
  }

  /** __page_pool_put_page: true when the page is still to go into the ring. One that somebody else refers to leaves the pool. */
  #keepOrRelease(page: number, isDirect: boolean, syncBytes: number): boolean {
    const index = this.#allocator.pageIndexOf(page);
    const { stats } = this;
    if (this.#pages.refCount[index] > 1) {
      stats.recycle_released_refcnt++;
      this.#returnPage(page);
      return false;
    }
    if (this.#syncs) this.#syncForDevice(index, syncBytes);
    if (!isDirect) return true;
    if (this.#cacheCount === CACHE_SIZE) {
      stats.recycle_cache_full++;
      return true;
    }
    this.#cache[this.#cacheCount++] = page;
    stats.recycle_cached++;
    return false;
  }

  #produce(page: number): boolean {
    if (!this.#ring.produce(page)) return false;
    this.stats.recycle_ring++;
    return true;
  }

  #syncForDevice(index: number, syncBytes: number): void {
    const lenBytes = syncBytes < this.#maxLenBytes ? syncBytes : this.#maxLenBytes;
    this.#dma.syncForDevice(this.#pages.dmaAddrLow[index], this.#offsetBytes, lenBytes, this.#dmaDir);
  }

  /** page_pool_return_page: unmaps a page and gives it back to the page allocator, or leaves it to who else refers to it: the stack. */
  #returnPage(page: number): void {
    const index = this.#allocator.pageIndexOf(page);
    this.#unmap(index);
    this.#pages.pp[index] = 0;
    this.releaseCount = (this.releaseCount + 1) >>> 0;
    const isShared = this.#pages.refCount[index] > 1;
    if (isShared) this.#allocator.movePage(page, Owner.pool, Owner.stack);
    this.#allocator.free(page, isShared ? Owner.stack : Owner.pool);
  }

  /** 6.18 knows which pages are mapped and never unmaps one twice (page_pool_release_dma_index); 6.1 believes the caller. */
  #unmap(index: number): void {
    const { dmaAddrLow } = this.#pages;
    if (!this.#isMapped || (dmaAddrLow[index] === 0 && this.#release !== '6.1')) return;
    this.#dma.unmapPage(dmaAddrLow[index], this.#dmaDir);
    dmaAddrLow[index] = 0;
  }

  /** The way of a buffer that a ring still held when the device was shut down: back to the page allocator, and in no statistic. */
  releaseAtShutdown(buffer: number, from: Owner): void {
    const page = this.#takeBack(buffer, from);
    if (page !== 0) this.#returnPage(page);
  }

  /** page_pool_update_nid: the queue's interrupt went to a CPU of another node; pages of the old one leave as they come by. */
  updateNid(nid: number): void {
    this.#nid = nid;
    while (this.#cacheCount > 0) this.#returnPage(this.#cache[--this.#cacheCount]);
  }

  /** Pages that the pool took and hasn't given back, wherever they are (page_pool_inflight); negative after a driver's mistake. */
  get inflightPages(): number {
    return (this.holdCount - this.releaseCount) | 0;
  }

  /** The same in buffers. */
  get inflight(): number {
    return this.inflightPages * this.#buffersPerPage;
  }

  /** Buffers that lie in cache and ring, or are the rest of a page of which fragments are out. */
  get idle(): number {
    return (this.#cacheCount + this.#ring.used) * this.#buffersPerPage + this.#looseFragments;
  }

  /**
   * page_pool_destroy: gives all idle pages back; what is still in flight then is waited for (`releaseRetry`). 6.18 unmaps that too.
   *
   * @param nowSec virtual time
   */
  destroy(nowSec = 0): void {
    if (this.#isDestroyed) return;
    this.#deferStartSec = nowSec;
    this.#deferWarnSec = nowSec + WARN_INTERVAL_SEC;
    this.#hasNapi = false;
    this.#freeFragments();
    while (this.#cacheCount > 0) this.#returnPage(this.#cache[--this.#cacheCount]);
    this.#isDestroyed = true;
    if (this.#isMapped && this.#release !== '6.1') this.#scrub();
    this.#emptyRing(nowSec);
    this.#warnIfNegative(nowSec);
  }

  /**
   * page_pool_release_retry: gives back what came into the ring since `destroy`. The kernel calls it every second until nothing is in flight,
   * and warns each minute (6.18: only when the pool belongs to no network device that can still be seen).
   *
   * @returns pages in flight; at 0 the pool is gone, below 0 it never will be
   */
  releaseRetry(nowSec: number): number {
    if (!this.#isDestroyed) throw new Error('PagePool.releaseRetry: the pool was not destroyed');
    this.#emptyRing(nowSec);
    const inflight = this.inflightPages;
    this.#warnIfNegative(nowSec);
    if (inflight > 0 && nowSec >= this.#deferWarnSec) {
      this.#deferWarnSec = nowSec + WARN_INTERVAL_SEC;
      this.#warnOfStall(nowSec);
    }
    return inflight;
  }

  /** page_pool_free_frag: the rest of the present page is given up. */
  #freeFragments(): void {
    const page = this.#fragPage;
    this.#fragPage = 0;
    if (page === 0 || this.#unref(this.#allocator.pageIndexOf(page), BIAS_MAX - this.#fragUsers) !== 0) return;
    this.#looseFragments -= this.#buffersPerPage;
    this.#returnPage(page);
  }

  /** page_pool_scrub: unmaps what is in flight, as the device may be gone before it comes back. */
  #scrub(): void {
    const { pp } = this.#pages;
    this.#syncs = false;
    for (let index = pp.indexOf(this.id); index !== -1; index = pp.indexOf(this.id, index + 1)) this.#unmap(index);
  }

  #emptyRing(nowSec: number): void {
    for (let page = this.#ring.consume(); page !== 0; page = this.#ring.consume()) {
      const references = this.#pages.refCount[this.#allocator.pageIndexOf(page)];
      if (references !== 1) {
        this.#warn('refcount-violation', nowSec, `page_pool refcnt ${references} violation: ${this.#ledger.describe(page)}`);
      }
      this.#returnPage(page);
    }
  }

  #warnIfNegative(nowSec: number): void {
    const inflight = this.inflightPages;
    if (inflight >= 0) return;
    const what = `more pages came back to page_pool ${this.id} of queue ${this.queue} than it gave out`;
    this.#warn('negative-inflight', nowSec, `Negative(${inflight}) inflight packet-pages: ${what}`);
  }

  #warn(kind: PagePoolWarning['kind'], nowSec: number, message: string): void {
    this.warnings.push({ kind, message, inflight: this.inflightPages, sec: nowSec - this.#deferStartSec });
  }

  #warnOfStall(nowSec: number): void {
    const id = this.#release === '6.1' ? ' ' : `: id ${this.id}, `;
    const facts = `stalled pool shutdown${id}${this.inflightPages} inflight ${nowSec - this.#deferStartSec} sec (queue ${this.queue})`;
    this.#warn('stalled-shutdown', nowSec, `page_pool_release_retry() ${facts}: ${this.describeInflight().join('; ')}`);
  }

  /** Buffers of the pool that somebody else has, with owner and packet; the first ones. */
  describeInflight(limit: number = NAMED_BUFFERS): string[] {
    const { pp } = this.#pages;
    const { baseAddress, owner } = this.#ledger;
    const found: string[] = [];
    for (let index = pp.indexOf(this.id); index !== -1 && found.length < limit; index = pp.indexOf(this.id, index + 1)) {
      for (let unit = index * this.#buffersPerPage; unit < (index + 1) * this.#buffersPerPage; unit++) {
        if (owner[unit] !== Owner.pool) found.push(this.#ledger.describe(baseAddress + unit * this.#bufferBytes));
      }
    }
    return found.slice(0, limit);
  }

  #blameDirectRecycle(buffer: number): void {
    this.mistakes.add(
      'direct-recycle-outside-napi',
      buffer,
      `was recycled directly from ${this.#context.describe()}; page_pool_recycle_direct is only legal in the NAPI poll of the pool's own ` +
        `queue (${this.queue}): use xdp_return_frame or page_pool_put_full_page(pool, page, false)`,
    );
  }

  #blameForeignPage(buffer: number, index: number): void {
    const pool = this.#pages.pp[index] ?? 0;
    this.mistakes.add(
      'foreign-page',
      buffer,
      `was given to page_pool ${this.id} of queue ${this.queue}, but belongs to ${pool === 0 ? 'no pool' : `page_pool ${pool}`}: ` +
        'return a frame through xdpf->mem (xdp_return_frame), not to the pool at hand',
    );
  }
}
