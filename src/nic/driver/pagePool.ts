import { ProblemError, fail, hasChange, ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { Owner, PAGE_BYTES, PtrRing } from '../../memory/index.js';
import type { OwnerLedger, StructPages } from '../../memory/index.js';
import { MEM_TYPE_PAGE_POOL } from '../../xdp/index.js';
import { MistakeLog } from './mistakeLog.js';
import { PagePoolPages, SYNC_ALL } from './pagePoolPages.js';
import { checkPagePoolParams, ringSizeOf } from './pagePoolParams.js';
import type { NapiContext, PagePoolParts } from './pagePoolParams.js';
import { PagePoolShutdown } from './pagePoolShutdown.js';
import { NO_POOL_STATS } from './pagePoolStats.js';
import type { PagePoolStats, PagePoolWarning } from './pagePoolStats.js';
import type { RxBuffers } from './rxBuffers.js';

/** PP_ALLOC_CACHE_SIZE and PP_ALLOC_CACHE_REFILL (include/net/page_pool/types.h); the slow path takes as many pages as a refill. */
const CACHE_SIZE = 128;
const CACHE_REFILL = 64;
/** References that a page is charged with while fragments of it are given out (BIAS_MAX); the kernel's is as large as a long allows. */
const BIAS_MAX = 2 ** 30;

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
  readonly memType = MEM_TYPE_PAGE_POOL;
  readonly stats: PagePoolStats = { ...NO_POOL_STATS };
  /** Number of the pool, from 1 on, among all that share a page allocator. */
  readonly id: number;
  readonly queue: number;
  readonly mistakes: MistakeLog;
  readonly #ledger: OwnerLedger;
  readonly #pages: PagePoolPages;
  readonly #structPages: StructPages;
  readonly #context: NapiContext;
  /** Statistics count pages, not fragments. */
  readonly #countsPages: boolean;
  readonly #bufferBytes: number;
  readonly #buffersPerPage: number;
  readonly #cache = new Uint32Array(CACHE_SIZE);
  #cacheCount = 0;
  readonly #ring: PtrRing;
  readonly #shutdown: PagePoolShutdown;
  #hasNapi: boolean;
  #nid: number;
  /** Page of which fragments are being given out, where the next one begins, and how many were given out. */
  #fragPage = 0;
  #fragOffBytes = 0;
  #fragUsers = 0;
  /** Fragments that the pool has, of pages of which others are out. */
  #looseFragments = 0;

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
    if (bufferBytes < allocator.ledger.unitBytes) {
      throw new RangeError(`PagePool: buffers of ${bufferBytes} bytes, but each ${allocator.ledger.unitBytes} bytes have their owner`);
    }
    this.#pages = new PagePoolPages(parts);
    this.id = this.#pages.id;
    this.queue = parts.queue;
    this.mistakes = new MistakeLog(allocator.ledger);
    this.#ledger = allocator.ledger;
    this.#structPages = allocator.pages;
    this.#context = parts.context ?? ALWAYS_POLLING;
    this.#bufferBytes = bufferBytes;
    this.#buffersPerPage = PAGE_BYTES / bufferBytes;
    const { release } = this.#pages;
    this.#countsPages = hasChange(release, 'fragStats');
    this.#hasNapi = parts.hasNapi === true && hasChange(release, 'napiCache');
    this.#nid = parts.nid ?? 0;
    this.#ring = new PtrRing(ringSizeOf(parts));
    this.#shutdown = new PagePoolShutdown(this.#pages, this.#ring, parts.queue);
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
      if (this.#structPages.nid[this.#pages.indexOf(page)] !== this.#nid) {
        this.#pages.giveBack(page);
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
    this.#cacheCount = this.#pages.alloc(this.#cache, CACHE_REFILL, this.#nid);
    if (this.#cacheCount === 0) return 0;
    this.stats.alloc_slow++;
    return this.#cache[--this.#cacheCount];
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
        if (this.#countsPages) this.stats.recycle_cached++;
        this.stats.alloc_fast++;
        return this.#firstFragment(page);
      }
    } else if (page !== 0) {
      const fragment = page + this.#fragOffBytes;
      this.#fragUsers++;
      this.#fragOffBytes += this.#bufferBytes;
      this.#looseFragments--;
      if (!this.#countsPages) this.stats.alloc_fast++;
      return fragment;
    }
    this.#fragPage = this.#allocPage();
    return this.#fragPage === 0 ? 0 : this.#firstFragment(this.#fragPage);
  }

  #firstFragment(page: number): number {
    this.#structPages.ppRefCount[this.#pages.indexOf(page)] = BIAS_MAX;
    this.#fragUsers = 1;
    this.#fragOffBytes = this.#bufferBytes;
    this.#looseFragments += this.#buffersPerPage - 1;
    return page;
  }

  /** page_pool_drain_frag: the page again when all its fragments are back and nobody else has it, 0 when it is left to its fragments. */
  #drainFragments(page: number): number {
    const index = this.#pages.indexOf(page);
    if (this.#unref(index, BIAS_MAX - this.#fragUsers) !== 0) return 0;
    this.#looseFragments -= this.#buffersPerPage;
    if (this.#structPages.refCount[index] !== 1) {
      this.#pages.giveBack(page);
      return 0;
    }
    this.#pages.syncForDevice(index, SYNC_ALL);
    return page;
  }

  /** page_pool_unref_page: gives up `count` fragments; how many are left. A page without any counts as one piece again. */
  #unref(index: number, count: number): number {
    const { ppRefCount } = this.#structPages;
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
    return this.#pages.iovaLow(buffer);
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
    this.#pages.giveBack(page);
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
    for (; next < ringCount; next++) this.#pages.giveBack(buffers[next]);
  }

  /**
   * One buffer becomes the pool's; its page when that was the last piece of it, else 0. As in the kernel, a page of another pool ends up
   * in this one; an address that is no page at all goes nowhere.
   */
  #takeBack(buffer: number, from: Owner): number {
    this.#ledger.move(buffer, from, Owner.pool);
    const index = this.#pages.indexOf(buffer);
    if (this.#structPages.pp[index] !== this.id) {
      this.#blameForeignPage(buffer, index);
      if (index >= this.#structPages.pp.length) return 0;
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
    const index = this.#pages.indexOf(page);
    const { stats } = this;
    if (this.#structPages.refCount[index] > 1) {
      stats.recycle_released_refcnt++;
      this.#pages.giveBack(page);
      return false;
    }
    this.#pages.syncForDevice(index, syncBytes);
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

  /** The way of a buffer that a ring still held when the device was shut down: back to the page allocator, and in no statistic. */
  releaseAtShutdown(buffer: number, from: Owner): void {
    const page = this.#takeBack(buffer, from);
    if (page !== 0) this.#pages.giveBack(page);
  }

  /** page_pool_update_nid: the queue's interrupt went to a CPU of another node; pages of the old one leave as they come by. */
  updateNid(nid: number): void {
    this.#nid = nid;
    while (this.#cacheCount > 0) this.#pages.giveBack(this.#cache[--this.#cacheCount]);
  }

  /** Pages that the pool took and hasn't given back, wherever they are (page_pool_inflight); negative after a driver's mistake. */
  get inflightPages(): number {
    return this.#pages.inflight;
  }

  /** The same in buffers. */
  get inflight(): number {
    return this.inflightPages * this.#buffersPerPage;
  }

  /** Pages that were ever taken from and given back to the page allocator, modulo 2^32. */
  get holdCount(): number {
    return this.#pages.holdCount;
  }

  get releaseCount(): number {
    return this.#pages.releaseCount;
  }

  /** What the kernel would have written to its log. */
  get warnings(): readonly PagePoolWarning[] {
    return this.#shutdown.warnings;
  }

  /** Buffers that lie in cache and ring, or are the rest of a page of which fragments are out. */
  get idle(): number {
    return (this.#cacheCount + this.#ring.used) * this.#buffersPerPage + this.#looseFragments;
  }

  /** `destroy` was called. */
  get isDestroyed(): boolean {
    return this.#shutdown.hasBegun;
  }

  /**
   * page_pool_destroy: gives all idle pages back; what is still in flight then is waited for (`releaseRetry`). 6.18 unmaps that too.
   *
   * @param nowSec virtual time
   */
  destroy(nowSec = 0): void {
    if (this.#shutdown.hasBegun) return;
    this.#hasNapi = false;
    this.#freeFragments();
    while (this.#cacheCount > 0) this.#pages.giveBack(this.#cache[--this.#cacheCount]);
    this.#shutdown.begin(nowSec);
  }

  /**
   * page_pool_release_retry: gives back what came into the ring since `destroy`. The kernel calls it every second until nothing is in flight,
   * and warns each minute (6.18: only when the pool belongs to no network device that can still be seen).
   *
   * @returns pages in flight; at 0 the pool is gone, below 0 it never will be
   */
  releaseRetry(nowSec: number): number {
    return this.#shutdown.retry(nowSec);
  }

  /** page_pool_free_frag: the rest of the present page is given up. */
  #freeFragments(): void {
    const page = this.#fragPage;
    this.#fragPage = 0;
    if (page === 0 || this.#unref(this.#pages.indexOf(page), BIAS_MAX - this.#fragUsers) !== 0) return;
    this.#looseFragments -= this.#buffersPerPage;
    this.#pages.giveBack(page);
  }

  /** Buffers of the pool that somebody else has, with owner and packet; the first ones. */
  describeInflight(limit?: number): string[] {
    return this.#pages.describeInflight(limit);
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
    const pool = this.#structPages.pp[index] ?? 0;
    this.mistakes.add(
      'foreign-page',
      buffer,
      `was given to page_pool ${this.id} of queue ${this.queue}, but belongs to ${pool === 0 ? 'no pool' : `page_pool ${pool}`}: ` +
        'return a frame through xdpf->mem (xdp_return_frame), not to the pool at hand',
    );
  }
}
