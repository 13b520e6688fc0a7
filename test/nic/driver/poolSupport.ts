import { HostMemory, Owner, PageAllocator } from '../../../src/memory/index.js';
import { Iommu } from '../../../src/nic/device/iommu.js';
import { DMA_BIDIRECTIONAL } from '../../../src/nic/dma/direction.js';
import { PagePool } from '../../../src/nic/driver/pagePool.js';
import type { PagePoolParts } from '../../../src/nic/driver/pagePoolParams.js';
import { PP_FLAG_DMA_MAP } from '../../../src/nic/driver/pagePoolParams.js';
import { coherentPoolDma } from '../../../src/nic/driver/poolDma.js';
import type { PoolDma } from '../../../src/nic/driver/poolDma.js';

/** A page_pool on its own, with everything that it needs. */
export interface PoolOptions extends Partial<PagePoolParts> {
  readonly pages?: number;
  readonly iommuPages?: number;
}

/** Notes what is synced. */
export class SyncRecorder implements PoolDma {
  readonly syncs: [iovaLow: number, offBytes: number, lenBytes: number][] = [];
  readonly #dma: PoolDma;

  constructor(iommu: Iommu) {
    this.#dma = coherentPoolDma(iommu);
  }

  mapPage(page: number, direction: number): number {
    return this.#dma.mapPage(page, direction);
  }

  unmapPage(iovaLow: number, direction: number): void {
    this.#dma.unmapPage(iovaLow, direction);
  }

  syncForDevice(iovaLow: number, offBytes: number, lenBytes: number): void {
    this.syncs.push([iovaLow, offBytes, lenBytes]);
  }

  /** Syncs since the last call. */
  take(): [number, number, number][] {
    return this.syncs.splice(0);
  }
}

/** A pool, and a user that owns every buffer it got as the driver. */
export class PoolBench {
  readonly allocator: PageAllocator;
  readonly iommu: Iommu;
  readonly dma: SyncRecorder;
  readonly parts: PagePoolParts;
  readonly pool: PagePool;
  #before: Record<string, number> = {};

  constructor({ pages = 1000, iommuPages = 1000, ...parts }: PoolOptions = {}) {
    this.allocator = parts.allocator ?? new PageAllocator(new HostMemory(8), pages, { unitBytes: parts.bufferBytes ?? 4096 });
    this.iommu = new Iommu(iommuPages);
    this.dma = new SyncRecorder(this.iommu);
    this.parts = {
      allocator: this.allocator,
      dma: this.dma,
      queue: 0,
      flags: PP_FLAG_DMA_MAP,
      dmaDir: DMA_BIDIRECTIONAL,
      offsetBytes: 0,
      maxLenBytes: 0,
      poolSize: 1024,
      ...parts,
    };
    this.pool = new PagePool(this.parts);
  }

  alloc(count: number): number[] {
    return Array.from({ length: count }, () => {
      const buffer = this.pool.alloc();
      if (buffer !== 0) this.allocator.ledger.move(buffer, Owner.pool, Owner.driver);
      return buffer;
    });
  }

  toCache(buffers: readonly number[]): void {
    for (const buffer of buffers) this.pool.recycleDirect(buffer, Owner.driver);
  }

  toRing(buffers: readonly number[]): void {
    for (const buffer of buffers) this.pool.recycle(buffer, Owner.driver);
  }

  inBulk(buffers: readonly number[]): void {
    this.pool.putBulk(Uint32Array.from(buffers), buffers.length, Owner.driver);
  }

  /** Counters that moved since the last call. */
  moved(): Record<string, number> {
    const now: Record<string, number> = { ...this.pool.stats };
    const difference = Object.entries(now).map(([name, value]) => [name, value - (this.#before[name] ?? 0)] as const);
    this.#before = now;
    return Object.fromEntries(difference.filter(([, value]) => value !== 0));
  }
}
