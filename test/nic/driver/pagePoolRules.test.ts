import { describe, expect, it } from 'vitest';
import { HostMemory, Owner, PageAllocator } from '../../../src/memory/index.js';
import { IOMMU_READ, IOVA_HIGH } from '../../../src/nic/device/iommu.js';
import { DMA_BIDIRECTIONAL, DMA_FROM_DEVICE, DMA_TO_DEVICE } from '../../../src/nic/dma/direction.js';
import { PagePool } from '../../../src/nic/driver/pagePool.js';
import { PagePoolPages } from '../../../src/nic/driver/pagePoolPages.js';
import { PP_FLAG_DMA_MAP, PP_FLAG_DMA_SYNC_DEV, PP_FLAG_PAGE_FRAG, checkPagePoolParams, ringSizeOf } from '../../../src/nic/driver/pagePoolParams.js';
import type { NapiContext, PagePoolParams } from '../../../src/nic/driver/pagePoolParams.js';
import { PoolBench } from './poolSupport.js';

const PARAMS: PagePoolParams = { flags: PP_FLAG_DMA_MAP, dmaDir: DMA_BIDIRECTIONAL, offsetBytes: 0, maxLenBytes: 0, poolSize: 0 };
const SYNCED = { flags: PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV, offsetBytes: 256, maxLenBytes: 3520 };

/** Something that runs, and what it is called. */
class Context implements NapiContext {
  polling: number | undefined = 0;

  isPolling(queue: number): boolean {
    return this.polling === queue;
  }

  describe(): string {
    return this.polling === undefined ? 'TX interrupt of queue 0' : `NAPI poll of queue ${this.polling}`;
  }
}

describe('page_pool_create', () => {
  it.each<[string, string, Partial<PagePoolParams>]>([
    ['flags nobody knows', 'page-pool-flags', { flags: 64 }],
    ['a flag of 6.1 on 6.18', 'page-pool-flags', { flags: PP_FLAG_PAGE_FRAG }],
    ['the direction of sending', 'page-pool-dma-dir', { dmaDir: DMA_TO_DEVICE }],
    ['syncing without mapping', 'page-pool-sync-unmapped', { flags: PP_FLAG_DMA_SYNC_DEV, maxLenBytes: 3520 }],
    ['syncing nothing', 'page-pool-max-len', { ...SYNCED, maxLenBytes: 0 }],
    ['syncing beyond the page', 'page-pool-range', { ...SYNCED, maxLenBytes: 4000 }],
    ['a ring beyond 32768 on 6.1', 'page-pool-size', { poolSize: 32769, release: '6.1' }],
    ['a negative ring', 'page-pool-size', { poolSize: -1 }],
    ['fragments without their flag on 6.1', 'page-pool-frag', { bufferBytes: 2048, release: '6.1' }],
  ])('refuses %s', (_, code, params) => {
    expect(checkPagePoolParams({ ...PARAMS, ...params })?.code).toBe(code);
    expect(() => new PoolBench({ ...PARAMS, ...params })).toThrow(/page_pool_create/);
  });

  it('names the errno', () => {
    expect(checkPagePoolParams({ ...PARAMS, dmaDir: DMA_TO_DEVICE })?.message).toBe('page_pool_create: -EINVAL: DMA_TO_DEVICE for receive buffers');
    expect(checkPagePoolParams({ ...PARAMS, poolSize: 40000, release: '6.1' })?.message).toMatch(/-E2BIG: a ring of 40000 pages/);
  });

  it.each<[string, Partial<PagePoolParams>]>([
    ['no flags, any direction', { flags: 0, dmaDir: DMA_TO_DEVICE }],
    ['receiving only', { dmaDir: DMA_FROM_DEVICE }],
    ['mapped and synced', SYNCED],
    ['the largest ring of 6.1', { poolSize: 32768, release: '6.1' }],
    ['fragments on 6.1', { flags: PP_FLAG_DMA_MAP | PP_FLAG_PAGE_FRAG, bufferBytes: 2048, release: '6.1' }],
  ])('takes %s', (_, params) => {
    expect(checkPagePoolParams({ ...PARAMS, ...params })).toBeUndefined();
  });

  it('gives a Result', () => {
    const { allocator, dma } = new PoolBench();
    expect(PagePool.create({ ...PARAMS, allocator, dma, queue: 3 })).toMatchObject({ ok: true, value: { queue: 3 } });
    expect(PagePool.create({ ...PARAMS, flags: 99, allocator, dma, queue: 3 })).toMatchObject({ ok: false, problem: { code: 'page-pool-flags' } });
  });

  it('the ring has 1024 places unless the driver says; 6.18 makes it 16384 at most', () => {
    expect([0, 256, 20000, 40000].map((poolSize) => ringSizeOf({ ...PARAMS, poolSize }))).toEqual([1024, 256, 16384, 16384]);
    expect(ringSizeOf({ ...PARAMS, poolSize: 20000, release: '6.1' })).toBe(20000);
  });

  it('buffers that have no owner of their own are a programmer error', () => {
    const allocator = new PageAllocator(new HostMemory(2), 4);
    expect(() => new PoolBench({ allocator, bufferBytes: 2048 })).toThrow(RangeError);
  });
});

describe('page_pool_put_page_bulk', () => {
  it('counts what the ring took one by one, and a full ring once', () => {
    const bench = new PoolBench({ poolSize: 24 });
    const pages = bench.alloc(64);
    bench.moved();
    bench.inBulk(pages.slice(0, 16));
    expect(bench.moved()).toEqual({ recycle_ring: 16 });
    bench.inBulk(pages.slice(16, 32));
    expect(bench.moved()).toEqual({ recycle_ring: 8, recycle_ring_full: 1 });
    expect([bench.pool.idle, bench.pool.inflight, bench.allocator.usedCount]).toEqual([24, 56, 56]);
    bench.inBulk([]);
    expect(bench.moved()).toEqual({});
  });

  it('a page that somebody else refers to leaves the pool alone', () => {
    const bench = new PoolBench();
    const pages = bench.alloc(4);
    bench.moved();
    bench.allocator.get(pages[1]);
    bench.inBulk(pages);
    expect(bench.moved()).toEqual({ recycle_ring: 3, recycle_released_refcnt: 1 });
  });

  it('goes into the cache in the NAPI that the driver named (6.18), and never on 6.1', () => {
    for (const [release, expected] of [
      ['6.18', { recycle_cached: 64, recycle_cache_full: 4, recycle_ring: 4 }],
      ['6.1', { recycle_ring: 68 }],
    ] as const) {
      const bench = new PoolBench({ hasNapi: true, context: new Context(), release });
      const pages = bench.alloc(128 + 64);
      bench.toCache(pages.slice(0, 64));
      bench.moved();
      bench.inBulk(pages.slice(64, 64 + 68));
      expect(bench.moved()).toEqual(expected);
    }
  });
});

describe('a page with other references', () => {
  it('is unmapped and left to them', () => {
    const bench = new PoolBench();
    const [page] = bench.alloc(1);
    const iova = bench.pool.iovaLow(page);
    bench.allocator.get(page);
    bench.moved();
    bench.toCache([page]);
    expect(bench.moved()).toEqual({ recycle_released_refcnt: 1 });
    expect([bench.pool.inflight, bench.allocator.usedCount, bench.pool.releaseCount]).toEqual([63, 64, 1]);
    expect(bench.iommu.translate(IOVA_HIGH, iova, 1, IOMMU_READ)).toBe(0);
    expect(bench.allocator.ledger.census()).toEqual({ pool: 63, stack: 1, free: 936 });
    bench.allocator.free(page, Owner.stack);
    expect(bench.allocator.usedCount).toBe(63);
    expect(bench.allocator.ledger.violationCount).toBe(0);
  });
});

describe('DMA sync for the device', () => {
  it('the bytes that the device may write: at mapping, and each time a page comes back', () => {
    const bench = new PoolBench(SYNCED);
    const pages = bench.alloc(3);
    const iovas = pages.map((page) => bench.pool.iovaLow(page));
    const atMapping = bench.dma.take();
    expect(atMapping.length).toBe(64);
    expect(atMapping.every(([, off, len]) => off === 256 && len === 3520)).toBe(true);
    bench.toCache([pages[0]]);
    bench.pool.recycleDirect(pages[1], Owner.driver, 60);
    bench.pool.put(pages[2], Owner.driver, false, 4000);
    expect(bench.dma.take()).toEqual([[iovas[0], 256, 3520], [iovas[1], 256, 60], [iovas[2], 256, 3520]]);
  });

  it('none without the flag, and none for a page that leaves the pool', () => {
    const plain = new PoolBench();
    plain.toCache(plain.alloc(1));
    expect(plain.dma.take()).toEqual([]);
    const bench = new PoolBench(SYNCED);
    const [page] = bench.alloc(1);
    bench.dma.take();
    bench.allocator.get(page);
    bench.toCache([page]);
    expect(bench.dma.take()).toEqual([]);
  });

  it('a pool without PP_FLAG_DMA_MAP maps nothing', () => {
    const bench = new PoolBench({ flags: 0 });
    const [page] = bench.alloc(1);
    expect([bench.pool.iovaLow(page), bench.iommu.mappedCount]).toEqual([0, 0]);
    bench.toCache([page]);
    bench.pool.destroy();
    expect([bench.allocator.usedCount, bench.iommu.faultCount]).toEqual([0, 0]);
  });
});

describe('the NAPI context', () => {
  it('direct recycling elsewhere is a mistake, and happens all the same', () => {
    const context = new Context();
    const bench = new PoolBench({ context });
    const [page] = bench.alloc(1);
    bench.toCache([page]);
    expect(bench.pool.mistakes.count).toBe(0);
    bench.alloc(1);
    context.polling = undefined;
    const { ledger } = bench.allocator;
    ledger.packetId[ledger.indexOf(page)] = 5;
    bench.moved();
    bench.toCache([page]);
    expect(bench.moved()).toEqual({ recycle_cached: 1 });
    expect(bench.pool.mistakes.list).toEqual([
      {
        code: 'direct-recycle-outside-napi',
        buffer: page,
        packetId: 5,
        message:
          `page ${ledger.indexOf(page)} (packet 5) was recycled directly from TX interrupt of queue 0; page_pool_recycle_direct is only legal in the NAPI poll ` +
          "of the pool's own queue (0): use xdp_return_frame or page_pool_put_full_page(pool, page, false)",
      },
    ]);
  });

  it('the poll of another queue is elsewhere too', () => {
    const context = new Context();
    const bench = new PoolBench({ context, queue: 1 });
    bench.toCache(bench.alloc(1));
    expect(bench.pool.mistakes.list[0].message).toMatch(/from NAPI poll of queue 0; .*own queue \(1\)/);
  });

  it('keeps the first 32 mistakes and counts all', () => {
    const context = new Context();
    context.polling = undefined;
    const bench = new PoolBench({ context });
    bench.toCache(bench.alloc(100));
    expect([bench.pool.mistakes.count, bench.pool.mistakes.list.length]).toEqual([100, 32]);
  });

  it.each([
    ['6.18, the driver named its NAPI', { hasNapi: true }, 0, 'recycle_cached'],
    ['6.18, another queue polls', { hasNapi: true }, 1, 'recycle_ring'],
    ['6.18, the driver did not', {}, 0, 'recycle_ring'],
    ['6.1', { hasNapi: true, release: '6.1' as const }, 0, 'recycle_ring'],
  ])('put without allow_direct: %s', (_, parts, polling, counter) => {
    const context = new Context();
    context.polling = polling;
    const bench = new PoolBench({ context, ...parts });
    const pages = bench.alloc(1);
    bench.moved();
    bench.toRing(pages);
    expect(bench.moved()).toEqual({ [counter]: 1 });
    expect(bench.pool.mistakes.count).toBe(0);
  });
});

describe('a page of another pool', () => {
  it('is a mistake; it stays where it was put, and the counts show it', () => {
    const first = new PoolBench();
    const second = new PoolBench({ allocator: first.allocator, queue: 1 });
    const [page] = first.alloc(1);
    second.toRing([page]);
    expect(second.pool.mistakes.list[0]).toMatchObject({ code: 'foreign-page', buffer: page });
    expect(second.pool.mistakes.list[0].message).toMatch(/was given to page_pool 2 of queue 1, but belongs to page_pool 1: return a frame through xdpf->mem/);
    second.pool.destroy();
    expect(second.pool.inflight).toBe(-1);
    expect(second.pool.warnings).toMatchObject([{ kind: 'negative-inflight', inflight: -1 }]);
    expect(second.pool.warnings[0].message).toMatch(/^Negative\(-1\) inflight packet-pages/);
    expect(second.pool.releaseRetry(1)).toBe(-1);
  });

  it('an address that is no page goes nowhere', () => {
    const bench = new PoolBench();
    bench.toCache([16, 0x7ff0_0000]);
    expect(bench.pool.mistakes.list.map(({ code }) => code)).toEqual(['foreign-page', 'foreign-page']);
    expect([bench.pool.idle, bench.allocator.ledger.violationCount]).toEqual([0, 2]);
  });
});

describe('in flight', () => {
  it('the counts may wrap', () => {
    const pages = new PagePoolPages(new PoolBench().parts);
    pages.holdCount = 0xfffffff0;
    pages.releaseCount = 0xfffffff0;
    const taken = new Uint32Array(64);
    expect([pages.alloc(taken, 64, 0), pages.holdCount, pages.inflight]).toEqual([64, 0x30, 64]);
    for (const page of taken.subarray(0, 63)) pages.giveBack(page);
    expect([pages.releaseCount, pages.inflight]).toEqual([0x2f, 1]);
  });

  it('pages of another NUMA node leave one at a refill, and count as waived', () => {
    const bench = new PoolBench();
    const pages = bench.alloc(64);
    bench.toRing(pages.slice(0, 10));
    bench.moved();
    bench.pool.updateNid(1);
    bench.alloc(1);
    expect(bench.moved()).toEqual({ alloc_waive: 1, alloc_slow: 1 });
    expect([bench.pool.inflight, bench.pool.idle]).toEqual([127, 9 + 63]);
    bench.toRing(bench.alloc(63));
    bench.moved();
    for (let i = 0; i < 9; i++) bench.alloc(64);
    expect(bench.moved()).toMatchObject({ alloc_waive: 9 });
  });

  it('a waived page ends the refill, which gives what it had till then', () => {
    const bench = new PoolBench();
    const old = bench.alloc(64);
    bench.pool.updateNid(1);
    const fresh = bench.alloc(64);
    bench.toRing([...fresh.slice(0, 3), old[0], ...fresh.slice(3)]);
    bench.moved();
    expect(bench.alloc(3)).toEqual([fresh[2], fresh[1], fresh[0]]);
    expect(bench.moved()).toEqual({ alloc_waive: 1, alloc_refill: 1, alloc_fast: 2 });
  });

  it('an allocation that is made to fail: empty and no slow, as often as it is tried', () => {
    const bench = new PoolBench();
    let failing = true;
    bench.allocator.shouldFail = () => failing;
    expect(bench.alloc(3)).toEqual([0, 0, 0]);
    expect(bench.moved()).toEqual({ alloc_empty: 3 });
    failing = false;
    expect(bench.alloc(1)[0]).not.toBe(0);
    expect(bench.moved()).toEqual({ alloc_empty: 1, alloc_slow: 1 });
  });
});

describe('page_pool_destroy with pages in flight', () => {
  it('warns every 60 seconds until the last is back, naming who has them', () => {
    const bench = new PoolBench();
    const [first, second] = bench.alloc(2);
    const { ledger } = bench.allocator;
    ledger.packetId[ledger.indexOf(first)] = 7;
    ledger.move(first, Owner.driver, Owner.txRing);
    bench.pool.destroy(100);
    for (let sec = 101; sec < 230; sec++) expect(bench.pool.releaseRetry(sec)).toBe(2);
    expect(bench.pool.warnings.map(({ kind, inflight, sec }) => [kind, inflight, sec])).toEqual([['stalled-shutdown', 2, 60], ['stalled-shutdown', 2, 120]]);
    const [{ message }] = bench.pool.warnings;
    expect(message).toMatch(/^page_pool_release_retry\(\) stalled pool shutdown: id 1, 2 inflight 60 sec \(queue 0\): /);
    expect(message).toMatch(/page \d+ at 0x[0-9a-f]+ \(packet 7\), now with txRing, before with driver/);
    bench.pool.recycle(first, Owner.txRing);
    expect(bench.pool.releaseRetry(230)).toBe(1);
    bench.toRing([second]);
    expect(bench.pool.releaseRetry(231)).toBe(0);
    expect(bench.pool.releaseRetry(500)).toBe(0);
    expect([bench.pool.warnings.length, bench.allocator.usedCount]).toEqual([2, 0]);
  });

  it('6.1 says it without the id', () => {
    const bench = new PoolBench({ release: '6.1' });
    bench.alloc(3);
    bench.pool.destroy();
    bench.pool.releaseRetry(61);
    expect(bench.pool.warnings[0].message).toMatch(/^page_pool_release_retry\(\) stalled pool shutdown 3 inflight 61 sec/);
  });

  it('6.18 unmaps what is in flight and never syncs or unmaps it again; 6.1 when it comes back', () => {
    for (const [release, mapped] of [['6.18', 0], ['6.1', 2]] as const) {
      const bench = new PoolBench({ ...SYNCED, release });
      const pages = bench.alloc(2);
      bench.pool.destroy();
      bench.dma.take();
      expect(bench.iommu.mappedCount).toBe(mapped);
      bench.toRing(pages);
      expect(bench.dma.take().length).toBe(mapped);
      expect(bench.pool.releaseRetry(1)).toBe(0);
      expect([bench.iommu.mappedCount, bench.iommu.faultCount, bench.allocator.usedCount]).toEqual([0, 0, 0]);
    }
  });

  it('what is recycled directly after that stays in the cache for ever', () => {
    const bench = new PoolBench();
    const pages = bench.alloc(1);
    bench.pool.destroy();
    bench.toCache(pages);
    expect([bench.pool.releaseRetry(1), bench.pool.releaseRetry(2)]).toEqual([1, 1]);
  });

  it('a page that got references while it lay in the ring breaks a rule', () => {
    const bench = new PoolBench();
    const pages = bench.alloc(1);
    bench.toRing(pages);
    bench.allocator.get(pages[0]);
    bench.pool.destroy();
    expect(bench.pool.warnings).toMatchObject([{ kind: 'refcount-violation' }]);
    expect(bench.pool.warnings[0].message).toMatch(/page_pool refcnt 2 violation: page \d+/);
  });

  it('a second destroy does nothing; releaseRetry before the first is a programmer error', () => {
    const bench = new PoolBench();
    expect(() => bench.pool.releaseRetry(1)).toThrow(/not destroyed/);
    bench.alloc(1);
    bench.pool.destroy(10);
    bench.pool.destroy(50);
    bench.pool.releaseRetry(70);
    expect(bench.pool.warnings).toMatchObject([{ sec: 60 }]);
  });
});
