/** page_pool's statistics under the kernel's names (Documentation/networking/page_pool.rst). */
export interface PagePoolStats {
  alloc_fast: number;
  alloc_slow: number;
  /** Always 0: our pages are of order 0. */
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

/** The statistics of a driver without a page_pool. */
export const NO_POOL_STATS: Readonly<PagePoolStats> = {
  alloc_fast: 0, alloc_slow: 0, alloc_slow_high_order: 0, alloc_empty: 0, alloc_refill: 0, alloc_waive: 0,
  recycle_cached: 0, recycle_cache_full: 0, recycle_ring: 0, recycle_ring_full: 0, recycle_released_refcnt: 0,
};

/** What the kernel would write to its log about a pool. */
export interface PagePoolWarning {
  readonly kind: 'stalled-shutdown' | 'negative-inflight' | 'refcount-violation';
  readonly message: string;
  readonly inflight: number;
  /** Seconds since the pool was destroyed. */
  readonly sec: number;
}
