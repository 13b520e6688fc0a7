import type { PtrRing } from '../../memory/index.js';
import type { PagePoolPages } from './pagePoolPages.js';
import type { PagePoolWarning } from './pagePoolStats.js';

/** Between two warnings that a shutdown stalls (DEFER_WARN_INTERVAL). */
const WARN_INTERVAL_SEC = 60;

/**
 * The end of a page_pool (page_pool_destroy, page_pool_release_retry; net/core/page_pool.c, 6.18): waits for what is in flight, and warns as the
 * kernel does.
 */
export class PagePoolShutdown {
  readonly warnings: PagePoolWarning[] = [];
  readonly #pages: PagePoolPages;
  readonly #ring: PtrRing;
  readonly #queue: number;
  #hasBegun = false;
  #startSec = 0;
  #warnSec = 0;

  constructor(pages: PagePoolPages, ring: PtrRing, queue: number) {
    this.#pages = pages;
    this.#ring = ring;
    this.#queue = queue;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** page_pool_destroy from page_pool_release on: the pool's cache is empty already. */
  begin(nowSec: number): void {
    this.#hasBegun = true;
    this.#startSec = nowSec;
    this.#warnSec = nowSec + WARN_INTERVAL_SEC;
    this.#pages.scrub();
    this.#emptyRing(nowSec);
    this.#warnIfNegative(nowSec);
  }

  /** page_pool_release_retry. @returns pages in flight */
  retry(nowSec: number): number {
    if (!this.#hasBegun) throw new Error('PagePool.releaseRetry: the pool was not destroyed');
    this.#emptyRing(nowSec);
    const { inflight } = this.#pages;
    this.#warnIfNegative(nowSec);
    if (inflight > 0 && nowSec >= this.#warnSec) {
      this.#warnSec = nowSec + WARN_INTERVAL_SEC;
      this.#warnOfStall(nowSec);
    }
    return inflight;
  }

  #emptyRing(nowSec: number): void {
    const { structPages, ledger } = this.#pages;
    for (let page = this.#ring.consume(); page !== 0; page = this.#ring.consume()) {
      const references = structPages.refCount[this.#pages.indexOf(page)];
      if (references !== 1) this.#warn('refcount-violation', nowSec, `page_pool refcnt ${references} violation: ${ledger.describe(page)}`);
      this.#pages.giveBack(page);
    }
  }

  #warnIfNegative(nowSec: number): void {
    const { inflight, id } = this.#pages;
    if (inflight >= 0) return;
    const what = `more pages came back to page_pool ${id} of queue ${this.#queue} than it gave out`;
    this.#warn('negative-inflight', nowSec, `Negative(${inflight}) inflight packet-pages: ${what}`);
  }

  #warnOfStall(nowSec: number): void {
    const { release, id, inflight } = this.#pages;
    const pool = release === '6.1' ? ' ' : `: id ${id}, `;
    const facts = `stalled pool shutdown${pool}${inflight} inflight ${nowSec - this.#startSec} sec (queue ${this.#queue})`;
    const where = this.#pages.describeInflight().join('; ');
    this.#warn('stalled-shutdown', nowSec, `page_pool_release_retry() ${facts}: ${where}`);
  }

  #warn(kind: PagePoolWarning['kind'], nowSec: number, message: string): void {
    this.warnings.push({ kind, message, inflight: this.#pages.inflight, sec: nowSec - this.#startSec });
  }
}
