import { describe, expect, it } from 'vitest';
import { HostMemory } from '../../../src/memory/index.js';
import { CacheModel } from '../../../src/nic/dma/cacheModel.js';
import { DMA_BIDIRECTIONAL, DMA_FROM_DEVICE, DMA_TO_DEVICE } from '../../../src/nic/dma/direction.js';
import { DMA_ATTR_SKIP_CPU_SYNC, DMA_MAPPING_ERROR } from '../../../src/nic/dma/dmaApi.js';
import { bytes, DmaBench } from './support.js';

const HEADROOM = 256;

/** Both kinds of machine, and what a missing cache operation leaves there: the right byte, or the wrong one. */
const MACHINES = [
  ['coherent', true],
  ['non-coherent', false],
] as const;

describe.each(MACHINES)('on a %s machine', (_, isCoherent) => {
  const wrongUnlessCoherent = (right: number, wrong: number): number => (isCoherent ? right : wrong);

  it('a driver that does all its syncs receives, changes and sends a packet', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(3);
    const iova = bench.map(page, 4096, DMA_BIDIRECTIONAL) + HEADROOM;
    for (let packet = 1; packet < 5; packet++) {
      expect(bench.dma.debug.checkDeviceAccess(iova, 2048, true, 'rx post')).toBe(true);
      expect(bench.deviceWrites(iova, 100, packet)).toBe(true);
      bench.dma.syncForCpu(iova, 100, DMA_BIDIRECTIONAL);
      expect(bench.dma.debug.checkCpuAccess(page + HEADROOM, 100, true, 'xdp run')).toBe(true);
      expect(bench.cpuReads(page + HEADROOM, 100)).toEqual(bytes(packet, 100));
      bench.cpuWrites(page + HEADROOM, 12, packet + 100);
      bench.dma.syncForDevice(iova, 100, DMA_BIDIRECTIONAL);
      expect(bench.dma.debug.checkDeviceAccess(iova, 100, false, 'xdp tx')).toBe(true);
      expect(bench.deviceReads(iova, 100)).toEqual([...bytes(packet + 100, 12), ...bytes(packet, 88)]);
    }
    expect([bench.messages, bench.iommu.faultCount]).toEqual([[], 0]);
  });

  it('no sync for the CPU: it sees the packet before', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(3);
    const iova = bench.map(page, 4096, DMA_FROM_DEVICE) + HEADROOM;
    bench.deviceWrites(iova, 100, 1);
    bench.dma.syncForCpu(iova, 100, DMA_FROM_DEVICE);
    bench.dma.syncForDevice(iova, 100, DMA_FROM_DEVICE);
    bench.deviceWrites(iova, 100, 2);
    expect(bench.cpuReads(page + HEADROOM, 100)).toEqual(bytes(wrongUnlessCoherent(2, 1), 100));
    expect(bench.dma.debug.checkCpuAccess(page + HEADROOM, 100, false, 'xdp run')).toBe(false);
    expect(bench.messages[0]).toContain('CPU reads page 3 at offset 256 while the device owns it: dma_sync_single_for_cpu is missing');
    bench.dma.syncForCpu(iova, 100, DMA_FROM_DEVICE);
    expect(bench.cpuReads(page + HEADROOM, 100)).toEqual(bytes(2, 100));
  });

  it('no sync for the device before refill: what XDP wrote lands on the next packet', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(3);
    const iova = bench.map(page, 4096, DMA_BIDIRECTIONAL) + HEADROOM;
    bench.deviceWrites(iova, 192, 1);
    bench.dma.syncForCpu(iova, 192, DMA_BIDIRECTIONAL);
    bench.cpuWrites(page + HEADROOM, 14, 99);
    expect(bench.dma.debug.checkDeviceAccess(iova, 2048, true, 'rx post')).toBe(false);
    bench.deviceWrites(iova, 192, 2);
    bench.dma.syncForCpu(iova, 192, DMA_BIDIRECTIONAL);
    const fresh = bytes(2, 192);
    const spoilt = [...bytes(99, 14), ...bytes(1, 50), ...bytes(2, 128)];
    expect(bench.cpuReads(page + HEADROOM, 192)).toEqual(isCoherent ? fresh : spoilt);
    expect(bench.messages[0]).toContain('device is to write page 3 at offset 256 while the CPU owns it: dma_sync_single_for_device is missing');
  });

  it('no sync for the device before XDP_TX: the packet leaves as it came', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(3);
    const iova = bench.map(page, 4096, DMA_BIDIRECTIONAL) + HEADROOM;
    bench.deviceWrites(iova, 64, 1);
    bench.dma.syncForCpu(iova, 64, DMA_BIDIRECTIONAL);
    bench.cpuWrites(page + HEADROOM, 12, 99);
    expect(bench.dma.debug.checkDeviceAccess(iova, 64, false, 'xdp tx')).toBe(false);
    expect(bench.deviceReads(iova, 14)).toEqual([...bytes(wrongUnlessCoherent(99, 1), 12), 1, 1]);
    expect(bench.messages[0]).toContain('device is to read page 3 at offset 256 while the CPU owns it: dma_sync_single_for_device is missing');
  });

  it('a sync that leaves out the headroom that a program grew into: the new head is old', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(3);
    const iova = bench.map(page, 4096, DMA_BIDIRECTIONAL) + HEADROOM;
    bench.deviceWrites(iova, 64, 1);
    bench.dma.syncForCpu(iova, 64, DMA_BIDIRECTIONAL);
    bench.cpuWrites(page + HEADROOM - 20, 84, 99);
    bench.dma.debug.noteCpuWrite(page + HEADROOM - 20, 20);
    bench.dma.syncForDevice(iova, 64, DMA_BIDIRECTIONAL);
    expect(bench.dma.debug.checkDeviceAccess(iova - 20, 84, false, 'xdp tx')).toBe(false);
    expect(bench.deviceReads(iova - 20, 84)).toEqual([...bytes(wrongUnlessCoherent(99, 0), 20), ...bytes(99, 64)]);
    expect(bench.messages[0]).toContain('device is to read page 3 at offset 236 while the CPU owns it');
  });

  it('a sync for the CPU that is shorter than the packet: whole lines are fresh, the tail is old', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(3);
    const iova = bench.map(page, 4096, DMA_FROM_DEVICE) + HEADROOM;
    bench.deviceWrites(iova, 200, 1);
    bench.dma.syncForCpu(iova, 60, DMA_FROM_DEVICE);
    expect(bench.cpuReads(page + HEADROOM, 200)).toEqual([...bytes(1, 64), ...bytes(wrongUnlessCoherent(1, 0), 136)]);
    expect(bench.dma.debug.checkCpuAccess(page + HEADROOM, 200, false, 'xdp run')).toBe(false);
    expect(bench.messages[0]).toContain('CPU reads page 3 at offset 320 while');
  });

  it('a driver that looks at the header only, and then sends the packet on, sends all of it', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(3);
    const iova = bench.map(page, 4096, DMA_BIDIRECTIONAL);
    bench.deviceWrites(iova, 200, 7);
    bench.dma.syncForCpu(iova, 64, DMA_BIDIRECTIONAL);
    bench.cpuWrites(page, 12, 99);
    bench.dma.syncForDevice(iova, 200, DMA_BIDIRECTIONAL);
    expect(bench.deviceReads(iova, 200)).toEqual([...bytes(99, 12), ...bytes(7, 188)]);
  });

  it('unmapped too early: the write faults, and nothing is spoilt', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.allocPage();
    const iova = bench.map(page, 4096, DMA_FROM_DEVICE);
    bench.dma.unmap(iova, 4096, DMA_FROM_DEVICE);
    bench.cpuWrites(page, 64, 5);
    expect(bench.deviceWrites(iova, 64, 1)).toBe(false);
    expect(bench.cpuReads(page, 64)).toEqual(bytes(5, 64));
    expect(bench.iommu.faults).toMatchObject([{ iovaLow: iova, isWrite: true, reason: 'the page is not mapped' }]);
  });

  it('freed while mapped: the device writes into what the page became', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.allocPage();
    const stale = bench.map(page, 4096, DMA_FROM_DEVICE, 'rx refill');
    expect(bench.dma.debug.checkFree(page, 4096, 'put page')).toBe(false);
    const fresh = bench.map(page, 4096, DMA_FROM_DEVICE, 'the next user', DMA_ATTR_SKIP_CPU_SYNC);
    expect(bench.deviceWrites(stale, 64, 1)).toBe(true);
    bench.dma.syncForCpu(fresh, 64, DMA_FROM_DEVICE);
    expect(bench.cpuReads(page, 64)).toEqual(bytes(1, 64));
    expect(bench.messages[0]).toContain('23 put page: frees memory that the device can still reach. Buffer: page 0 at offset 0');
  });

  it('mappings that are never taken back: I/O addresses run out', () => {
    const bench = new DmaBench({ isCoherent, iommuPages: 8 });
    const iovas = Array.from({ length: 10 }, (_, i) => bench.map(bench.page(i), 4096, DMA_FROM_DEVICE, 'rx refill'));
    expect(iovas.map((iova) => iova === DMA_MAPPING_ERROR)).toEqual([...Array<boolean>(8).fill(false), true, true]);
    expect([bench.dma.mappingErrorCount, bench.dma.debug.checkPending('remove')]).toEqual([2, 8]);
    expect(bench.messages[0]).toContain('(8 left: 8 mapped by rx refill; one of them follows)');
  });

  it('unmapping gives the packet to the CPU, unless told to leave the cache alone', () => {
    const bench = new DmaBench({ isCoherent });
    for (const [attrs, seen] of [[0, 7], [DMA_ATTR_SKIP_CPU_SYNC, wrongUnlessCoherent(7, 0)]] as const) {
      const page = bench.allocPage();
      const iova = bench.map(page, 2048, DMA_FROM_DEVICE);
      bench.deviceWrites(iova, 64, 7);
      bench.dma.unmap(iova, 2048, DMA_FROM_DEVICE, 'rx clean', attrs);
      expect(bench.cpuReads(page, 64)).toEqual(bytes(seen, 64));
    }
  });

  it('what is mapped to be sent is sent, in another direction too, but never comes back', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(3);
    bench.cpuWrites(page, 100, 8);
    const iova = bench.map(page, 100, DMA_TO_DEVICE);
    expect(bench.deviceReads(iova, 100)).toEqual(bytes(8, 100));
    expect(bench.deviceWrites(iova, 100, 1)).toBe(false);
    bench.cpuWrites(page, 100, 9);
    bench.dma.unmap(iova, 100, DMA_TO_DEVICE);
    expect(bench.cpuReads(page, 100)).toEqual(bytes(9, 100));
  });

  it('a sync for the CPU of what is to be sent keeps what the CPU has written since', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(3);
    const iova = bench.map(page, 100, DMA_TO_DEVICE);
    bench.cpuWrites(page, 100, 9);
    bench.dma.syncForCpu(iova, 100, DMA_TO_DEVICE);
    expect(bench.cpuReads(page, 100)).toEqual(bytes(9, 100));
  });

  it('a sync that goes beyond its mapping ends with it', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(3);
    const iova = bench.map(page, 128, DMA_FROM_DEVICE);
    bench.deviceWrites(iova, 128, 1);
    bench.cpuWrites(page + 128, 64, 9);
    bench.dma.syncForCpu(iova, 4096, DMA_FROM_DEVICE);
    expect(bench.cpuReads(page, 192)).toEqual([...bytes(1, 128), ...bytes(9, 64)]);
    expect(bench.messages[0]).toContain('13 an unnamed call: syncs bytes outside of the mapping (bytes 0 to 4096 of a mapping of 128 bytes)');
  });

  it('rings are coherent on any machine, zeroed, and used again', () => {
    const bench = new DmaBench({ isCoherent });
    const ring = bench.dma.allocCoherent('RX ring 0', 5000);
    bench.deviceWrites(ring.iovaLow + 4000, 1000, 3);
    expect(bench.cpuReads(ring.hostAddress + 4000, 1000)).toEqual(bytes(3, 1000));
    bench.cpuWrites(ring.hostAddress, 16, 4);
    expect(bench.deviceReads(ring.iovaLow, 16)).toEqual(bytes(4, 16));
    bench.dma.freeCoherent(5000, ring.hostAddress, ring.iovaLow);
    const again = bench.dma.allocCoherent('RX ring 0', 8192);
    expect(again.hostAddress).toBe(ring.hostAddress);
    expect(bench.cpuReads(again.hostAddress, 5000)).toEqual(bytes(0, 5000));
    expect(bench.messages).toEqual([]);
  });

  it('a scatter list is received and sent like single buffers', () => {
    const bench = new DmaBench({ isCoherent });
    const list = [0, 1, 2].map((i) => ({ hostAddress: bench.page(i) + i * 64, sizeBytes: 1000 * (i + 1), iovaLow: 0 }));
    expect(bench.dma.mapSg(list, 3, DMA_BIDIRECTIONAL)).toBe(3);
    list.forEach(({ iovaLow, sizeBytes }, i) => bench.deviceWrites(iovaLow, sizeBytes, i + 1));
    bench.dma.syncSgForCpu(list, 3, DMA_BIDIRECTIONAL);
    list.forEach(({ hostAddress, sizeBytes }, i) => expect(bench.cpuReads(hostAddress, sizeBytes)).toEqual(bytes(i + 1, sizeBytes)));
    for (const { hostAddress, sizeBytes } of list) bench.cpuWrites(hostAddress, sizeBytes, 9);
    bench.dma.syncSgForDevice(list, 3, DMA_BIDIRECTIONAL);
    for (const { iovaLow, sizeBytes } of list) expect(bench.deviceReads(iovaLow, sizeBytes)).toEqual(bytes(9, sizeBytes));
    bench.dma.unmapSg(list, 3, DMA_BIDIRECTIONAL);
    expect([bench.messages, bench.dma.mappingCount]).toEqual([[], 0]);
  });

  it('a scatter list for which there is no room is not mapped in part', () => {
    const bench = new DmaBench({ isCoherent, iommuPages: 2 });
    const list = [0, 1, 2].map((i) => ({ hostAddress: bench.page(i), sizeBytes: 1000, iovaLow: 0 }));
    expect(bench.dma.mapSg(list, 3, DMA_TO_DEVICE)).toBe(0);
    expect([bench.dma.mappingCount, bench.iommu.mappedCount, bench.messages]).toEqual([0, 0, []]);
  });

  it('ledgers find a buffer by the address that the device got', () => {
    const bench = new DmaBench({ isCoherent });
    const page = bench.page(31);
    const iova = bench.map(page, 4096, DMA_FROM_DEVICE);
    const ring = bench.dma.allocCoherent('RX ring 0', 64);
    const targets = [iova + 4095, ring.iovaLow].map((iovaLow) => bench.iommu.translate(1, iovaLow, 1, 2));
    expect(targets.map((target) => bench.dma.cache.hostAddressOf(target))).toEqual([page + 4095, ring.hostAddress]);
    expect(targets[0] === page + 4095).toBe(isCoherent);
  });
});

describe('CacheModel', () => {
  it('begins with DRAM as the cache is', () => {
    const memory = new HostMemory(1);
    const start = memory.reserve('pages', 16384, 4096);
    memory.u8.fill(5, start + 5000, start + 5010);
    memory.u8[start + 16383] = 6;
    const cache = CacheModel.nonCoherent(memory, { start, sizeBytes: 16384 });
    expect([...memory.u8.subarray(cache.deviceAddressOf(start, 16384), cache.deviceAddressOf(start, 16384) + 16384)]).toEqual([...memory.u8.subarray(start, start + 16384)]);
    cache.invalidate(start, 16384);
    expect([memory.u8[start + 5009], memory.u8[start + 16383]]).toEqual([5, 6]);
  });

  it('leaves memory outside of its range alone', () => {
    const memory = new HostMemory(1);
    const start = memory.reserve('pages', 4096, 4096);
    const other = memory.reserve('ring', 4096, 4096);
    const cache = CacheModel.nonCoherent(memory, { start, sizeBytes: 4096 });
    memory.u8.fill(1, start, other + 4096);
    for (const address of [start - 128, other, 0]) {
      expect([cache.deviceAddressOf(address, 128), cache.hostAddressOf(address)]).toEqual([address, address]);
      cache.clean(address, 128);
      cache.invalidate(address, 128);
      cache.afterDeviceWrite(address, 128);
    }
    expect(cache.deviceAddressOf(start + 4000, 97)).toBe(start + 4000);
    expect(memory.u8.subarray(start, other + 4096).every((byte) => byte === 1)).toBe(true);
    expect(memory.nextNonZero(other + 4096, memory.sizeBytes)).toBe(memory.sizeBytes);
  });

  it.each([[100, 4096], [4096 * 20, 100], [4096 * 20, 0]])('refuses what is not whole pages: %i, %i bytes', (start, sizeBytes) => {
    expect(() => CacheModel.nonCoherent(new HostMemory(1), { start, sizeBytes })).toThrow(/not whole pages/);
  });
});
