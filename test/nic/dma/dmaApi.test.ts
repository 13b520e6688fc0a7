import { describe, expect, it } from 'vitest';
import { CACHE_LINE_BYTES } from '../../../src/nic/dma/cacheModel.js';
import { DMA_BIDIRECTIONAL, DMA_FROM_DEVICE, DMA_TO_DEVICE } from '../../../src/nic/dma/direction.js';
import { DMA_ATTR_SKIP_CPU_SYNC, DMA_MAPPING_ERROR } from '../../../src/nic/dma/dmaApi.js';
import { fc, prop } from '../../support/property.js';
import { DmaBench } from './support.js';

const PAGES = 4;
const TOTAL = PAGES * 4096;

interface Live {
  readonly iova: number;
  readonly start: number;
  readonly size: number;
  readonly direction: number;
  /** Lines (numbers in the whole memory) that the CPU owns. */
  readonly cpuLines: Set<number>;
}

function lines(start: number, size: number): number[] {
  const first = Math.floor(start / CACHE_LINE_BYTES);
  const last = Math.floor((start + size - 1) / CACHE_LINE_BYTES);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Memory behind a cache that never runs out of room, byte by byte and with a flag for each dirty line. */
class NaiveMemory {
  readonly cpu = new Uint8Array(TOTAL);
  readonly dram: Uint8Array;
  readonly dirty = new Set<number>();

  constructor(isCoherent: boolean) {
    this.dram = isCoherent ? this.cpu : new Uint8Array(TOTAL);
  }

  cpuWrite(start: number, size: number, value: number): void {
    this.cpu.fill(value, start, start + size);
    for (const line of lines(start, size)) this.dirty.add(line);
  }

  clean(start: number, size: number): void {
    for (const line of lines(start, size)) if (this.dirty.delete(line)) this.#copy(this.cpu, this.dram, line);
  }

  invalidate(start: number, size: number): void {
    for (const line of lines(start, size)) {
      this.dirty.delete(line);
      this.#copy(this.dram, this.cpu, line);
    }
  }

  deviceWrite(start: number, size: number, value: number): void {
    this.dram.fill(value, start, start + size);
    this.clean(start, size);
  }

  #copy(from: Uint8Array, to: Uint8Array, line: number): void {
    for (let i = 0; i < CACHE_LINE_BYTES; i++) to[line * CACHE_LINE_BYTES + i] = from[line * CACHE_LINE_BYTES + i];
  }
}

const step = fc.record({
  action: fc.constantFrom('map', 'map', 'map', 'unmap', 'cpu', 'device', 'cpuWrite', 'deviceWrite', 'deviceWrite', 'read'),
  pick: fc.nat(1000),
  start: fc.nat(TOTAL - 1),
  size: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 9000 })),
  direction: fc.constantFrom(DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE),
  skip: fc.boolean(),
});

describe('DmaApi', () => {
  prop([fc.boolean(), fc.array(step, { maxLength: 120 })])('any right use: bytes, owners and mappings are those of a naive model', (isCoherent, steps) => {
    const bench = new DmaBench({ isCoherent, pages: PAGES, iommuPages: 24 });
    const { dma, memory, iommu } = bench;
    const base = bench.page(0);
    const naive = new NaiveMemory(isCoherent);
    const live: Live[] = [];
    steps.forEach(({ action, pick, start, size, direction, skip }, index) => {
      const value = index + 1;
      const attrs = skip ? DMA_ATTR_SKIP_CPU_SYNC : 0;
      const length = Math.min(size, TOTAL - start);
      if (action === 'map') {
        const iova = bench.map(base + start, length, direction, 'map', attrs);
        if (iova === DMA_MAPPING_ERROR) return;
        expect(iova % 4096).toBe((base + start) % 4096);
        if (!skip) naive.clean(start, length);
        live.push({ iova, start, size: length, direction, cpuLines: new Set(skip ? lines(start, length) : []) });
      } else if (action === 'cpuWrite') {
        bench.cpuWrites(base + start, length, value);
        naive.cpuWrite(start, length, value);
      } else if (action === 'read') {
        const owned = live.every((each) => {
          const [from, to] = [Math.max(start, each.start), Math.min(start + length, each.start + each.size)];
          return (each.direction === DMA_TO_DEVICE && !skip) || from >= to || lines(from, to - from).every((line) => each.cpuLines.has(line));
        });
        const before = dma.debug.errorCount;
        expect(dma.debug.checkCpuAccess(base + start, length, skip, 'read')).toBe(owned);
        expect(dma.debug.errorCount - before).toBe(owned ? 0 : 1);
      } else if (live.length > 0) {
        const at = pick % live.length;
        const mapping = live[at];
        const offset = start % mapping.size;
        const part = Math.min(size, mapping.size - offset);
        const { iova, direction: mapped } = mapping;
        if (action === 'unmap') {
          live.splice(at, 1);
          dma.unmap(iova, mapping.size, mapped, 'unmap', attrs);
          if (mapped !== DMA_TO_DEVICE && !skip) naive.invalidate(mapping.start, mapping.size);
          expect(dma.debug.checkDeviceAccess(iova, 1, true, 'post')).toBe(true);
        } else if (action === 'cpu') {
          dma.syncForCpu(iova + offset, part, mapped, 'sync');
          if (mapped !== DMA_TO_DEVICE) naive.invalidate(mapping.start + offset, part);
          for (const line of lines(mapping.start + offset, part)) mapping.cpuLines.add(line);
        } else if (action === 'device') {
          dma.syncForDevice(iova + offset, part, mapped, 'sync');
          naive.clean(mapping.start + offset, part);
          for (const line of lines(mapping.start + offset, part)) mapping.cpuLines.delete(line);
        } else {
          const isFree = lines(mapping.start + offset, part).every((line) => !mapping.cpuLines.has(line));
          expect(dma.debug.checkDeviceAccess(iova + offset, part, true, 'post')).toBe(isFree);
          expect(bench.deviceWrites(iova + offset, part, value)).toBe(mapped !== DMA_TO_DEVICE);
          if (mapped !== DMA_TO_DEVICE) naive.deviceWrite(mapping.start + offset, part, value);
        }
      }
      expect(Buffer.compare(memory.u8.subarray(base, base + TOTAL), naive.cpu)).toBe(0);
      const dramOffset = dma.cache.deviceAddressOf(base, TOTAL) - base;
      expect(Buffer.compare(memory.u8.subarray(base + dramOffset, base + dramOffset + TOTAL), naive.dram)).toBe(0);
    });
    const pages = live.reduce((sum, { iova, size }) => sum + Math.floor((iova + size - 1) / 4096) - Math.floor(iova / 4096) + 1, 0);
    expect([dma.mappingCount, iommu.mappedCount]).toEqual([live.length, pages]);
    const { counts } = dma.debug;
    expect(counts.reduce((sum, count, number) => (number >= 20 ? sum : sum + count), 0)).toBe(0);
    for (const { iova, size, direction } of live) dma.unmap(iova, size, direction);
    expect([dma.mappingCount, iommu.mappedCount, dma.debug.checkPending('remove')]).toEqual([0, 0, 0]);
    for (let page = 0; page < PAGES; page++) expect(dma.debug.checkFree(bench.page(page), 4096, 'free')).toBe(true);
  });

  const address = fc.oneof(fc.nat(0x40000), fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0x10000, 0x10100, 0x11000));
  const size = fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 0xffffffff }));
  const misuse = fc.record({ call: fc.nat(8), address, other: address, size, direction: fc.nat(2), entries: fc.nat(3) });

  prop([fc.boolean(), fc.array(misuse, { maxLength: 60 })])('any wrong use: it is counted, never thrown, and nothing outside is touched', (isCoherent, calls) => {
    const bench = new DmaBench({ isCoherent, pages: PAGES });
    const { dma, iommu, memory } = bench;
    const canary = memory.reserve('canary', 4096, 4096);
    bench.cpuWrites(canary, 4096, 0xaa);
    for (const { call, address: at, other, size: length, direction, entries } of calls) {
      const list = [0, 1, 2].map((i) => ({ hostAddress: other + i, sizeBytes: Math.min(length, 5000), iovaLow: at }));
      if (call === 0) dma.mapPage(at, length, direction);
      else if (call === 1) dma.unmap(at, length, direction);
      else if (call === 2) dma.syncForCpu(at, length, direction);
      else if (call === 3) dma.syncForDevice(at, length, direction);
      else if (call === 4) dma.freeCoherent(length, other, at);
      else if (call === 5) dma.mapSg(list, entries, direction);
      else if (call === 6) dma.unmapSg(list, entries, direction);
      else if (call === 7) dma.debug.checkCpuAccess(other, Math.min(length, 100000), true, 'poke');
      else dma.debug.checkDeviceAccess(at, length, true, 'post');
    }
    expect(memory.u8.subarray(canary, canary + 4096).every((byte) => byte === 0xaa)).toBe(true);
    expect(dma.debug.errorCount).toBe(dma.debug.counts.reduce((sum, count) => sum + count, 0));
    expect(dma.debug.checkPending('remove')).toBe(dma.mappingCount);
    expect(dma.mappingCount === 0).toBe(iommu.mappedCount === 0);
  });

  it('gives every mapping of a page I/O pages of its own, and keeps the offset', () => {
    const bench = new DmaBench();
    const iovas = [0, 1024, 4000].map((offset) => bench.map(bench.page(2) + offset, 1000, DMA_TO_DEVICE));
    expect(iovas.map((iova) => iova & 4095)).toEqual([0, 1024, 4000]);
    expect(new Set(iovas.map((iova) => iova >>> 12)).size).toBe(3);
    expect(bench.iommu.mappedCount).toBe(4);
    for (const iova of iovas) expect(bench.deviceReads(iova, 1000).length).toBe(1000);
  });

  it('refuses sizes and directions that no caller can mean', () => {
    const bench = new DmaBench();
    for (const size of [0, -1, 1.5, Number.NaN]) {
      expect(() => bench.dma.mapPage(bench.page(0), size, DMA_TO_DEVICE, 'rx refill')).toThrow(`DmaApi: rx refill maps ${size} bytes`);
    }
    expect(() => bench.dma.mapPage(bench.page(0), 64, 3)).toThrow(/3 is no DMA direction/);
    expect(bench.dma.mappingCount).toBe(0);
  });

  it('tells when no I/O addresses are left for a ring, and keeps its memory for the next', () => {
    const bench = new DmaBench({ iommuPages: 3 });
    const iova = bench.map(bench.page(0), 8192, DMA_TO_DEVICE);
    expect(() => bench.dma.allocCoherent('RX ring 0', 8192)).toThrow(/no I\/O addresses are left for RX ring 0/);
    const mark = bench.memory.mark();
    bench.dma.unmap(iova, 8192, DMA_TO_DEVICE);
    expect(bench.dma.allocCoherent('RX ring 0', 8000).iovaLow).not.toBe(0);
    expect(bench.memory.mark()).toBe(mark);
  });
});
