import { describe, expect, it } from 'vitest';
import { HostMemory, Owner, PageAllocator } from '../../../src/memory/index.js';
import { IOMMU_READ, IOMMU_WRITE, IOVA_HIGH, Iommu } from '../../../src/nic/device/iommu.js';
import { DMA_FROM_DEVICE } from '../../../src/nic/dma/direction.js';
import { SplitPages } from '../../../src/nic/driver/splitPages.js';
import { fc, prop } from '../../support/property.js';
import { SyncRecorder } from './poolSupport.js';

interface SplitOptions {
  readonly pages?: number;
  readonly iommuPages?: number;
  readonly bufferBytes?: number;
  readonly ringSize?: number;
}

/** Split pages, and a driver that owns every buffer it got. */
class SplitBench {
  readonly allocator: PageAllocator;
  readonly iommu: Iommu;
  readonly dma: SyncRecorder;
  readonly buffers: SplitPages;
  #before: Record<string, number> = {};

  constructor({ pages = 64, iommuPages = 64, bufferBytes = 2048, ringSize = 16 }: SplitOptions = {}) {
    this.allocator = new PageAllocator(new HostMemory(2), pages, { unitBytes: bufferBytes });
    this.iommu = new Iommu(iommuPages);
    this.dma = new SyncRecorder(this.iommu);
    this.buffers = new SplitPages({
      allocator: this.allocator, dma: this.dma, queue: 0, ringSize, bufferBytes, dmaDir: DMA_FROM_DEVICE, offsetBytes: 192, maxLenBytes: 1536,
    });
  }

  /** A buffer that the device filled and the driver took from the ring. */
  receive(): number {
    const buffer = this.buffers.alloc();
    if (buffer !== 0) this.allocator.ledger.move(buffer, Owner.pool, Owner.driver);
    return buffer;
  }

  drop(buffer: number): void {
    this.buffers.recycleDirect(buffer, Owner.driver);
  }

  /** XDP_TX. */
  send(buffer: number): void {
    this.allocator.ledger.move(buffer, Owner.driver, Owner.txRing);
    this.buffers.giveUp(buffer);
  }

  complete(buffer: number): void {
    this.buffers.recycle(buffer, Owner.txRing);
  }

  moved(): Record<string, number> {
    const now: Record<string, number> = { ...this.buffers.stats };
    const difference = Object.entries(now).map(([name, value]) => [name, value - (this.#before[name] ?? 0)] as const);
    this.#before = now;
    return Object.fromEntries(difference.filter(([, value]) => value !== 0));
  }

  /** Buffers held and idle, pages used and mapped, rules broken. */
  state(): number[] {
    const { buffers, allocator, iommu } = this;
    expect(allocator.ledger.census()['pool'] ?? 0).toBe(buffers.idle);
    return [buffers.inflight, buffers.idle, allocator.usedCount, iommu.mappedCount, allocator.ledger.violationCount + buffers.mistakes.count + iommu.faultCount];
  }
}

/** Byte distance of the other half, for neighbours in a page. */
const otherHalf = (buffer: number): number => (buffer % 4096 === 0 ? buffer + 2048 : buffer - 2048);

describe('SplitPages', () => {
  it('a new page gives its first half; it is mapped once, for receiving, and the half is synced', () => {
    const bench = new SplitBench();
    const a = bench.receive();
    const b = bench.receive();
    expect([a % 4096, b % 4096]).toEqual([0, 0]);
    expect(bench.moved()).toEqual({ alloc_rx_page: 2 });
    expect(bench.state()).toEqual([4, 2, 2, 2, 0]);
    const iova = bench.buffers.iovaLow(a);
    expect(bench.dma.take()).toEqual([[iova, 192, 1536], [bench.buffers.iovaLow(b), 192, 1536]]);
    expect(bench.iommu.translate(IOVA_HIGH, iova + 192, 1536, IOMMU_WRITE)).toBe(a + 192);
    expect(bench.iommu.translate(IOVA_HIGH, iova, 1, IOMMU_READ)).toBe(0);
  });

  it('XDP_DROP: the same half again', () => {
    const bench = new SplitBench();
    const a = bench.receive();
    bench.moved();
    for (let i = 0; i < 5; i++) {
      bench.drop(a);
      expect(bench.receive()).toBe(a);
    }
    expect(bench.moved()).toEqual({ page_reuse_count: 5 });
  });

  it('XDP_TX turns the page; once the frame is back it turns again', () => {
    const bench = new SplitBench();
    const a = bench.receive();
    bench.moved();
    let half = a;
    for (let i = 0; i < 6; i++) {
      bench.send(half);
      const next = bench.receive();
      expect(next).toBe(otherHalf(half));
      expect(bench.state()).toEqual([2, 0, 1, 1, 0]);
      bench.complete(half);
      half = next;
    }
    expect(bench.moved()).toEqual({ page_reuse_count: 6 });
    bench.dma.take();
    bench.drop(half);
    bench.receive();
    expect(bench.dma.take()).toEqual([[bench.buffers.iovaLow(a), (half - a) + 192, 1536]]);
  });

  it('pages of another NUMA node are not reused: not after a drop, and not when their frame goes on', () => {
    const bench = new SplitBench();
    const a = bench.receive();
    const b = bench.receive();
    bench.moved();
    bench.buffers.updateNid(1);
    bench.drop(a);
    expect(bench.moved()).toEqual({ page_waive_count: 1 });
    expect(bench.state()).toEqual([2, 1, 1, 1, 0]);
    bench.send(b);
    expect(bench.moved()).toEqual({ page_waive_count: 1 });
    expect(bench.state()).toEqual([2, 1, 1, 0, 0]);
    bench.complete(b);
    expect(bench.state()).toEqual([0, 0, 0, 0, 0]);
    const c = bench.receive();
    bench.drop(c);
    expect(bench.moved()).toEqual({ alloc_rx_page: 1, page_reuse_count: 1 });
  });

  it('a page with both halves away is unmapped and left to them; the last one frees it', () => {
    const bench = new SplitBench();
    const a = bench.receive();
    bench.send(a);
    const b = bench.receive();
    bench.moved();
    bench.send(b);
    expect(bench.moved()).toEqual({ page_busy_count: 1 });
    expect(bench.state()).toEqual([2, 0, 1, 0, 0]);
    expect(bench.buffers.iovaLow(b)).toBe(0);
    const c = bench.receive();
    expect(bench.moved()).toEqual({ alloc_rx_page: 1 });
    expect(bench.state()).toEqual([4, 1, 2, 1, 0]);
    bench.complete(b);
    expect(bench.state()).toEqual([4, 2, 2, 1, 0]);
    bench.complete(a);
    expect(bench.state()).toEqual([2, 1, 1, 1, 0]);
    expect(c).not.toBe(a);
  });

  it('a dropped half is reused while the other is away', () => {
    const bench = new SplitBench();
    const a = bench.receive();
    bench.send(a);
    const b = bench.receive();
    bench.moved();
    bench.drop(b);
    expect(bench.receive()).toBe(b);
    expect(bench.moved()).toEqual({ page_reuse_count: 1 });
    bench.complete(a);
    bench.send(b);
    expect(bench.receive()).toBe(a);
  });

  it('pages for reuse go onto the ring before new ones, oldest first', () => {
    const bench = new SplitBench();
    const [a, b, c] = [bench.receive(), bench.receive(), bench.receive()];
    bench.drop(b);
    bench.send(a);
    bench.drop(c);
    expect([bench.receive(), bench.receive(), bench.receive()]).toEqual([b, otherHalf(a), c]);
    expect(bench.moved()).toEqual({ alloc_rx_page: 3, page_reuse_count: 3 });
  });

  it('a completion in the NAPI poll is a page_frag_free like any other', () => {
    const bench = new SplitBench();
    const a = bench.receive();
    bench.send(a);
    bench.moved();
    bench.buffers.recycleDirect(a, Owner.txRing);
    expect(bench.moved()).toEqual({});
    expect(bench.state()).toEqual([2, 2, 1, 1, 0]);
  });

  it('references are charged again when the driver has one left', () => {
    const bench = new SplitBench();
    const { refCount } = bench.allocator.pages;
    let half = bench.receive();
    const index = bench.allocator.pageIndexOf(half);
    for (let i = 0; i < 65533; i++) {
      bench.send(half);
      bench.complete(half);
      half = bench.receive();
    }
    expect(refCount[index]).toBe(2);
    bench.send(half);
    expect(refCount[index]).toBe(2 + 65534);
    bench.complete(half);
    expect(bench.state()).toEqual([2, 2, 1, 1, 0]);
    expect(bench.buffers.stats).toMatchObject({ alloc_rx_page: 1, page_busy_count: 0 });
    bench.buffers.destroy();
    expect(bench.state()).toEqual([0, 0, 0, 0, 0]);
  });

  it('no page or no I/O address: failed, nothing lost', () => {
    const noPage = new SplitBench({ pages: 1 });
    noPage.receive();
    noPage.moved();
    expect([noPage.receive(), noPage.receive()]).toEqual([0, 0]);
    expect(noPage.moved()).toEqual({ alloc_rx_page_failed: 2 });
    const noIova = new SplitBench({ iommuPages: 1 });
    noIova.receive();
    noIova.moved();
    expect(noIova.receive()).toBe(0);
    expect(noIova.moved()).toEqual({ alloc_rx_page_failed: 1 });
    expect(noIova.state()).toEqual([2, 1, 1, 1, 0]);
  });

  it('shutdown: halves on the ring and waiting for it are given up, those that are away free their page later', () => {
    const bench = new SplitBench();
    const [a, b, c] = [bench.receive(), bench.receive(), bench.receive()];
    bench.send(a);
    const d = bench.receive();
    bench.drop(b);
    for (const buffer of [c, d]) bench.buffers.releaseAtShutdown(buffer, Owner.driver);
    bench.buffers.destroy();
    expect(bench.state()).toEqual([2, 1, 1, 0, 0]);
    bench.complete(a);
    expect(bench.state()).toEqual([0, 0, 0, 0, 0]);
    expect(bench.allocator.ledger.census()).toEqual({ free: 128 });
  });
});

describe('SplitPages of 4096 bytes', () => {
  it('turns between two pages, which come and go together', () => {
    const bench = new SplitBench({ bufferBytes: 4096 });
    const a = bench.receive();
    expect(bench.state()).toEqual([2, 1, 2, 2, 0]);
    bench.send(a);
    const b = bench.receive();
    expect(b % 4096).toBe(0);
    expect(bench.iommu.translate(IOVA_HIGH, bench.buffers.iovaLow(b) + 192, 1536, IOMMU_WRITE)).toBe(b + 192);
    bench.complete(a);
    bench.send(b);
    expect(bench.receive()).toBe(a);
    bench.send(a);
    expect(bench.moved()).toEqual({ alloc_rx_page: 1, page_reuse_count: 2, page_busy_count: 1 });
    expect(bench.state()).toEqual([2, 0, 2, 0, 0]);
    bench.complete(a);
    bench.complete(b);
    expect(bench.state()).toEqual([0, 0, 0, 0, 0]);
  });

  it('one page alone is no use', () => {
    const bench = new SplitBench({ bufferBytes: 4096, pages: 3 });
    bench.receive();
    expect(bench.receive()).toBe(0);
    expect(bench.state()).toEqual([2, 1, 2, 2, 0]);
  });
});

describe('SplitPages and mistakes', () => {
  it('a frame that is freed while the driver counts its half as its own', () => {
    const bench = new SplitBench();
    const a = bench.receive();
    bench.allocator.ledger.packetId[bench.allocator.ledger.indexOf(a)] = 3;
    bench.buffers.recycle(a, Owner.driver);
    expect(bench.buffers.mistakes.list).toMatchObject([{ code: 'freed-but-not-given-up', buffer: a, packetId: 3 }]);
    expect(bench.buffers.mistakes.list[0].message).toMatch(/^half page \d+ \(packet 3\) was freed with its frame while the driver still counts it as its own/);
    expect([bench.buffers.inflight, bench.buffers.idle]).toEqual([2, 2]);
  });

  it('a half that is given up or freed twice', () => {
    const bench = new SplitBench();
    const a = bench.receive();
    bench.send(a);
    bench.buffers.giveUp(a);
    bench.complete(a);
    bench.complete(a);
    expect(bench.buffers.mistakes.list.map(({ code }) => code)).toEqual(['given-up-twice', 'foreign-page']);
    expect(bench.allocator.ledger.violationCount).toBe(1);
    bench.buffers.recycle(16, Owner.driver);
    expect(bench.buffers.mistakes.count).toBe(3);
  });

  it('buffers that have no owner of their own, or are too small, are a programmer error', () => {
    const { allocator, dma } = new SplitBench();
    const parts = { allocator, dma, queue: 0, ringSize: 8, bufferBytes: 2048, dmaDir: DMA_FROM_DEVICE, offsetBytes: 192, maxLenBytes: 1536 };
    expect(() => new SplitPages({ ...parts, bufferBytes: 1024 })).toThrow(RangeError);
    expect(() => new SplitPages({ ...parts, offsetBytes: 700 })).toThrow(RangeError);
  });
});

describe('SplitPages under any traffic', () => {
  const step = fc.tuple(fc.constantFrom('receive', 'drop', 'send', 'complete', 'completeInNapi'), fc.nat());
  prop([fc.array(step, { maxLength: 200, size: 'max' }), fc.constantFrom(2048, 4096), fc.integer({ min: 1, max: 16 })])(
    'no buffer twice, halves of busy pages never on the ring, everything comes back',
    (steps, bufferBytes, pages) => {
      const bench = new SplitBench({ bufferBytes, pages });
      const posted: number[] = [];
      const sent: number[] = [];
      const counts = { reused: 0, busy: 0 };
      for (const [kind, seed] of steps) {
        const from = kind === 'drop' || kind === 'send' ? posted : sent;
        if (kind === 'receive') {
          if (posted.length === 16) continue;
          const buffer = bench.receive();
          if (buffer === 0) continue;
          expect([...posted, ...sent]).not.toContain(buffer);
          posted.push(buffer);
        } else if (from.length > 0) {
          const [buffer] = from.splice(seed % from.length, 1);
          const { page_busy_count } = bench.buffers.stats;
          if (kind === 'drop') bench.drop(buffer);
          else if (kind === 'complete') bench.complete(buffer);
          else if (kind === 'completeInNapi') bench.buffers.recycleDirect(buffer, Owner.txRing);
          else {
            const isBusy = bufferBytes === 2048 && sent.includes(otherHalf(buffer));
            bench.send(buffer);
            sent.push(buffer);
            if (bufferBytes === 2048) expect(bench.buffers.stats.page_busy_count - page_busy_count).toBe(isBusy ? 1 : 0);
          }
          if (kind === 'drop') counts.reused++;
          if (kind === 'send') counts.busy++;
        }
        const [inflight, idle, used, , broken] = bench.state();
        expect([inflight, broken]).toEqual([idle + posted.length + sent.length, 0]);
        expect(used).toBe((inflight * bufferBytes) / 4096);
      }
      const { page_reuse_count, page_busy_count } = bench.buffers.stats;
      expect(page_reuse_count + page_busy_count).toBe(counts.reused + counts.busy);
      for (const buffer of posted) bench.buffers.releaseAtShutdown(buffer, Owner.driver);
      bench.buffers.destroy();
      for (const buffer of sent) bench.complete(buffer);
      expect(bench.state()).toEqual([0, 0, 0, 0, 0]);
    },
  );
});
