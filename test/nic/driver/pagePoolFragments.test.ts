import { describe, expect, it } from 'vitest';
import { Owner } from '../../../src/memory/index.js';
import { PP_FLAG_DMA_MAP, PP_FLAG_PAGE_FRAG } from '../../../src/nic/driver/pagePoolParams.js';
import { PoolBench } from './poolSupport.js';

const HALF = 2048;

function fragmentBench(options: ConstructorParameters<typeof PoolBench>[0] = {}): PoolBench {
  return new PoolBench({ bufferBytes: HALF, ...options });
}

describe('page_pool_alloc_frag', () => {
  it('gives both halves of a page, then a page of its own', () => {
    const bench = fragmentBench();
    const [a, b, c] = bench.alloc(3);
    expect(bench.moved()).toEqual({ alloc_empty: 1, alloc_slow: 1, alloc_fast: 1 });
    expect(b).toBe(a + HALF);
    expect(c % 4096).toBe(0);
    expect(bench.pool.iovaLow(b)).toBe(bench.pool.iovaLow(a) + HALF);
    expect([bench.pool.inflight, bench.pool.inflightPages, bench.pool.idle]).toEqual([128, 64, 125]);
    expect(bench.allocator.ledger.census()).toEqual({ free: 1872, pool: 125, driver: 3 });
  });

  it('a page is recycled with its last fragment, in any order, by the way of that one', () => {
    const bench = fragmentBench();
    const [a, b, c, d] = bench.alloc(5);
    bench.moved();
    bench.toCache([b]);
    expect(bench.moved()).toEqual({});
    bench.toRing([a]);
    expect(bench.moved()).toEqual({ recycle_ring: 1 });
    bench.toRing([c]);
    bench.toCache([d]);
    expect(bench.moved()).toEqual({ recycle_cached: 1 });
    expect(bench.pool.idle).toBe(127);
  });

  it('a page whose fragments are all back when the next is wanted is used again on the spot: cached and fast', () => {
    const bench = fragmentBench();
    const [a, b] = bench.alloc(2);
    bench.moved();
    bench.toCache([a, b]);
    expect(bench.moved()).toEqual({});
    expect(bench.pool.idle).toBe(128);
    expect(bench.alloc(2)).toEqual([a, b]);
    expect(bench.moved()).toEqual({ recycle_cached: 1, alloc_fast: 1 });
    expect(bench.pool.idle).toBe(126);
  });

  it('6.1 counts every piece behind the first as fast, and a page used again on the spot as nothing cached', () => {
    const bench = fragmentBench({ release: '6.1', flags: PP_FLAG_DMA_MAP | PP_FLAG_PAGE_FRAG });
    const [a, b] = bench.alloc(2);
    expect(bench.moved()).toEqual({ alloc_empty: 1, alloc_slow: 1, alloc_fast: 1 });
    bench.toCache([a, b]);
    expect(bench.alloc(2)).toEqual([a, b]);
    expect(bench.moved()).toEqual({ alloc_fast: 2 });
  });

  it('the first fragment may come back before the second is given out', () => {
    const bench = fragmentBench();
    const [a] = bench.alloc(1);
    bench.toCache([a]);
    const [b] = bench.alloc(1);
    bench.toCache([b]);
    expect([b, bench.pool.idle]).toEqual([a + HALF, 128]);
    bench.moved();
    expect(bench.alloc(1)).toEqual([a]);
    expect(bench.moved()).toEqual({ recycle_cached: 1, alloc_fast: 1 });
  });

  it('bulk: fragments of one page are one page for the ring', () => {
    const bench = fragmentBench();
    const buffers = bench.alloc(7);
    bench.moved();
    bench.inBulk(buffers);
    expect(bench.moved()).toEqual({ recycle_ring: 3 });
  });

  it('no memory: 0, and the next call tries again', () => {
    const bench = fragmentBench({ pages: 1 });
    const [a, b, none, again] = bench.alloc(4);
    expect([none, again]).toEqual([0, 0]);
    bench.toRing([a, b]);
    expect(bench.alloc(1)).toEqual([a]);
    expect(bench.moved()).toMatchObject({ alloc_refill: 1, alloc_empty: 3 });
  });

  it('a page that somebody else refers to is not used again', () => {
    const bench = fragmentBench();
    const [a, b] = bench.alloc(2);
    bench.allocator.get(a);
    bench.toCache([a, b]);
    bench.moved();
    const [c] = bench.alloc(1);
    expect(c).not.toBe(a);
    expect(bench.moved()).toEqual({ alloc_fast: 1 });
    expect([bench.pool.inflightPages, bench.pool.idle]).toEqual([63, 125]);
    expect(bench.allocator.ledger.owner[bench.allocator.ledger.indexOf(b)]).toBe(Owner.stack);
  });

  it('a fragment that comes back twice is a violation; when the page is to be used again, the mistake comes out and the page is lost', () => {
    const bench = fragmentBench();
    const [a, b] = bench.alloc(2);
    bench.toCache([a, a, b]);
    expect(bench.allocator.ledger.violationCount).toBe(1);
    expect(bench.pool.mistakes.count).toBe(0);
    expect(bench.alloc(1)).not.toEqual([a]);
    expect(bench.pool.mistakes.list).toMatchObject([{ code: 'fragment-returned-twice', buffer: a }]);
    bench.pool.destroy();
    expect(bench.pool.inflightPages).toBe(2);
  });

  it('destroy frees the rest of the present page, or leaves it to its fragment', () => {
    const bench = fragmentBench();
    const [a, b, c] = bench.alloc(3);
    bench.pool.destroy();
    expect([bench.pool.inflight, bench.pool.idle]).toEqual([4, 1]);
    bench.toRing([a, b]);
    expect(bench.pool.releaseRetry(1)).toBe(1);
    bench.pool.releaseRetry(60);
    expect(bench.pool.warnings[0].message).toMatch(/1 inflight 60 sec \(queue 0\): half page \d+ at 0x[0-9a-f]+, now with driver, before with pool$/);
    bench.pool.releaseAtShutdown(c, Owner.driver);
    expect([bench.pool.releaseRetry(61), bench.allocator.usedCount, bench.iommu.mappedCount]).toEqual([0, 0, 0]);
    expect(bench.allocator.ledger.violationCount).toBe(0);
  });

  it('destroy frees a present page that has no fragment out', () => {
    const bench = fragmentBench();
    bench.toCache(bench.alloc(1));
    bench.pool.destroy();
    expect([bench.pool.inflight, bench.pool.idle, bench.allocator.usedCount]).toEqual([0, 0, 0]);
  });
});
