import { describe, expect, it } from 'vitest';
import { Owner } from '../../../src/memory/index.js';
import { IOMMU_READ, IOMMU_WRITE, IOVA_HIGH } from '../../../src/nic/device/iommu.js';
import { fc, prop } from '../../support/property.js';
import { PoolBench } from './poolSupport.js';

describe('PagePool counts as the kernel does', () => {
  it('a script of allocations and recycling', () => {
    const bench = new PoolBench();
    const { pool } = bench;
    const first = bench.alloc(1);
    expect(bench.moved()).toEqual({ alloc_empty: 1, alloc_slow: 1 });
    expect([pool.inflight, pool.idle]).toEqual([64, 63]);

    const cached = bench.alloc(63);
    expect(bench.moved()).toEqual({ alloc_fast: 63 });
    bench.alloc(1);
    expect(bench.moved()).toEqual({ alloc_empty: 1, alloc_slow: 1 });
    expect(pool.inflight).toBe(128);

    bench.toCache(first);
    expect(bench.moved()).toEqual({ recycle_cached: 1 });
    expect(bench.alloc(1)).toEqual(first);
    expect(bench.moved()).toEqual({ alloc_fast: 1 });

    // 63 pages lie in the cache; 63 more go to the ring, and come back when the cache is empty.
    bench.toRing(cached);
    expect(bench.moved()).toEqual({ recycle_ring: 63 });
    bench.alloc(63);
    expect(bench.moved()).toEqual({ alloc_fast: 63 });
    bench.alloc(1);
    expect(bench.moved()).toEqual({ alloc_refill: 1 });
    expect(pool.idle).toBe(62);
    bench.alloc(62);
    expect(bench.moved()).toEqual({ alloc_fast: 62 });
    expect([pool.idle, pool.inflight]).toEqual([0, 128]);
  });

  it('refills 64 pages at once, oldest in the ring first, and hands out the last of them', () => {
    const bench = new PoolBench();
    const pages = bench.alloc(64 + 36);
    bench.alloc(28);
    bench.toRing(pages);
    bench.moved();
    expect(bench.alloc(1)).toEqual([pages[63]]);
    expect(bench.alloc(63)).toEqual(pages.slice(0, 63).reverse());
    expect(bench.moved()).toEqual({ alloc_refill: 1, alloc_fast: 63 });
    expect(bench.alloc(1)).toEqual([pages[99]]);
    expect(bench.moved()).toEqual({ alloc_refill: 1 });
  });

  it('the cache holds 128 pages; then each page is cache_full and goes to the ring', () => {
    const bench = new PoolBench();
    const pages = bench.alloc(192);
    bench.moved();
    bench.toCache(pages.slice(0, 128));
    expect(bench.moved()).toEqual({ recycle_cached: 128 });
    bench.toCache(pages.slice(128));
    expect(bench.moved()).toEqual({ recycle_cache_full: 64, recycle_ring: 64 });
    expect(bench.pool.idle).toBe(192);
  });

  it('a full ring gives the page back to the page allocator, unmapped', () => {
    const bench = new PoolBench({ poolSize: 32 });
    const pages = bench.alloc(64);
    const iova = bench.pool.iovaLow(pages[33]);
    bench.moved();
    bench.toRing(pages.slice(0, 34));
    expect(bench.moved()).toEqual({ recycle_ring: 32, recycle_ring_full: 2 });
    expect([bench.pool.inflight, bench.allocator.usedCount, bench.iommu.mappedCount]).toEqual([62, 62, 62]);
    expect(bench.iommu.translate(IOVA_HIGH, iova, 1, IOMMU_READ)).toBe(0);
    expect(bench.allocator.ledger.violationCount).toBe(0);
  });

  it('the consumer frees places 16 at a time: the ring is full up to 15 places early', () => {
    const bench = new PoolBench({ poolSize: 64 });
    const pages = bench.alloc(64 + 64);
    // 20 pages in, all taken out by one refill: 16 places are free again, 4 not yet.
    bench.toRing(pages.slice(0, 20));
    bench.alloc(1);
    bench.moved();
    bench.toRing(pages.slice(20, 128));
    expect(bench.moved()).toEqual({ recycle_ring: 60, recycle_ring_full: 48 });
  });

  it('a ring of less than 32 places frees each at once, and so does the end of any ring', () => {
    const small = new PoolBench({ poolSize: 16 });
    const pages = small.alloc(64);
    small.toRing(pages.slice(0, 5));
    small.alloc(1);
    small.moved();
    small.toRing(pages.slice(5, 25));
    expect(small.moved()).toEqual({ recycle_ring: 16, recycle_ring_full: 4 });

    const whole = new PoolBench({ poolSize: 40 });
    const more = whole.alloc(128);
    whole.toRing(more.slice(0, 40));
    whole.alloc(1);
    whole.moved();
    whole.toRing(more.slice(40, 80));
    expect(whole.moved()).toEqual({ recycle_ring: 40 });
  });

  it('without a page left: empty again and again, no slow', () => {
    const bench = new PoolBench({ pages: 10 });
    expect(bench.alloc(12).filter((page) => page === 0).length).toBe(2);
    expect(bench.moved()).toEqual({ alloc_empty: 3, alloc_slow: 1, alloc_fast: 9 });
    expect(bench.pool.inflight).toBe(10);
  });

  it('without an I/O address left the page goes back', () => {
    const bench = new PoolBench({ iommuPages: 3 });
    expect(bench.alloc(4).filter((page) => page !== 0).length).toBe(3);
    expect(bench.allocator.usedCount).toBe(3);
    expect(bench.moved()).toEqual({ alloc_empty: 2, alloc_slow: 1, alloc_fast: 2 });
  });
});

describe('PagePool', () => {
  it('maps each page once, for both directions', () => {
    const bench = new PoolBench();
    const [page] = bench.alloc(1);
    const iova = bench.pool.iovaLow(page);
    expect(bench.iommu.translate(IOVA_HIGH, iova + 256, 3520, IOMMU_WRITE)).toBe(page + 256);
    expect(bench.iommu.translate(IOVA_HIGH, iova + 256, 3520, IOMMU_READ)).toBe(page + 256);
    bench.toCache([page]);
    expect(bench.alloc(1)).toEqual([page]);
    expect(bench.pool.iovaLow(page)).toBe(iova);
    expect(bench.iommu.mappedCount).toBe(64);
  });

  it('a page that is recycled twice is a violation', () => {
    const bench = new PoolBench();
    const [page] = bench.alloc(1);
    bench.toCache([page, page]);
    expect(bench.allocator.ledger.violations[0]).toMatchObject({ expected: 'driver', found: 'pool', next: 'pool' });
  });

  it('destroy gives idle pages back; what somebody still has is in flight', () => {
    const bench = new PoolBench({ poolSize: 16, release: '6.1' });
    const pages = bench.alloc(100);
    bench.toRing(pages.slice(0, 20));
    bench.toCache(pages.slice(20, 97));
    bench.pool.destroy();
    expect([bench.pool.inflight, bench.pool.idle]).toEqual([3, 0]);
    expect([bench.allocator.usedCount, bench.iommu.mappedCount]).toEqual([3, 3]);
    expect(bench.allocator.ledger.census()).toEqual({ free: 997, driver: 3 });
    expect(bench.allocator.ledger.violationCount).toBe(0);
  });

  it('what a ring still held at shutdown goes back in no statistic', () => {
    const bench = new PoolBench();
    const pages = bench.alloc(64);
    bench.moved();
    for (const page of pages) bench.pool.releaseAtShutdown(page, Owner.driver);
    expect(bench.moved()).toEqual({});
    expect([bench.pool.inflight, bench.allocator.usedCount]).toEqual([0, 0]);
  });

  prop([
    fc.array(fc.record({ kind: fc.constantFrom('alloc', 'cache', 'ring'), count: fc.integer({ min: 1, max: 90 }) }), { maxLength: 40 }),
    fc.constantFrom(1, 2, 16, 33, 64),
  ])('any script: every page in one place, counters add up', (steps, ringSize) => {
    const bench = new PoolBench({ poolSize: ringSize, pages: 400, iommuPages: 400 });
    const held: number[] = [];
    const total = { alloc: 0, refused: 0, put: 0 };
    for (const { kind, count } of steps) {
      if (kind === 'alloc') {
        const pages = bench.alloc(count);
        total.alloc += count;
        total.refused += pages.filter((page) => page === 0).length;
        held.push(...pages.filter((page) => page !== 0));
      } else {
        const pages = held.splice(0, count);
        total.put += pages.length;
        if (kind === 'cache') bench.toCache(pages);
        else bench.toRing(pages);
      }
      const { pool, allocator, iommu } = bench;
      expect(new Set(held).size).toBe(held.length);
      expect(pool.inflight).toBe(pool.idle + held.length);
      expect([allocator.usedCount, iommu.mappedCount]).toEqual([pool.inflight, pool.inflight]);
    }
    const { stats } = bench.pool;
    expect(stats.alloc_fast + stats.alloc_refill + stats.alloc_slow).toBe(total.alloc - total.refused);
    expect(stats.alloc_empty).toBe(stats.alloc_slow + total.refused);
    expect(stats.recycle_cached + stats.recycle_ring + stats.recycle_ring_full).toBe(total.put);
    expect([stats.alloc_waive, stats.alloc_slow_high_order, stats.recycle_released_refcnt]).toEqual([0, 0, 0]);
    expect(bench.allocator.ledger.violationCount).toBe(0);
    bench.toRing(held);
    bench.pool.destroy();
    expect([bench.allocator.usedCount, bench.iommu.mappedCount]).toEqual([0, 0]);
  });
});
