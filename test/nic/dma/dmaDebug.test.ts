import { describe, expect, it } from 'vitest';
import { DMA_BIDIRECTIONAL, DMA_FROM_DEVICE, DMA_TO_DEVICE } from '../../../src/nic/dma/direction.js';
import { DMA_ATTR_SKIP_CPU_SYNC, DMA_MAPPING_ERROR } from '../../../src/nic/dma/dmaApi.js';
import type { ScatterEntry } from '../../../src/nic/dma/dmaApi.js';
import { DMA_ERROR_NUMBERS, DMA_ERRORS } from '../../../src/nic/dma/errorClasses.js';
import { DmaBench } from './support.js';

const MAP = 'rx refill';

/** Page 3 with packet 7 in it, mapped as a whole. */
function mapped(direction: number, sizeBytes = 4096): { bench: DmaBench; page: number; iova: number } {
  const bench = new DmaBench();
  const page = bench.page(3, 7);
  return { bench, page, iova: bench.map(page, sizeBytes, direction, MAP) };
}

/** A scatter list over the first pages, one entry of 1000 bytes in each. */
function scatterList(bench: DmaBench, count: number): ScatterEntry[] {
  return Array.from({ length: count }, (_, i) => ({ hostAddress: bench.page(i), sizeBytes: 1000, iovaLow: 0 }));
}

const BUFFER = 'Buffer: page 3 (packet 7) at offset 0 (12288 bytes into pages)';
const WHOLE = 'Mapping: iova 0x100010000, 4096 bytes, DMA_FROM_DEVICE, mapped by rx refill';

describe("the kernel's classes", () => {
  it('1 unmap of an address that is an error', () => {
    const bench = new DmaBench({ iommuPages: 1 });
    bench.map(bench.page(0), 4096, DMA_FROM_DEVICE);
    const failed = bench.dma.mapPage(bench.page(1), 4096, DMA_FROM_DEVICE, MAP);
    expect([failed, bench.dma.mappingError(failed), bench.dma.mappingErrorCount]).toEqual([DMA_MAPPING_ERROR, true, 1]);
    bench.dma.unmap(failed, 4096, DMA_FROM_DEVICE, 'rx clean');
    expect(bench.messages).toEqual([
      '1 rx clean: unmaps DMA_MAPPING_ERROR, the address of a mapping that failed. Buffer: none. Mapping: none: the mapping had failed.',
    ]);
  });

  it('2 second unmap: names who mapped and who unmapped', () => {
    const { bench, iova } = mapped(DMA_FROM_DEVICE);
    bench.dma.unmap(iova, 4096, DMA_FROM_DEVICE, 'rx poll');
    bench.dma.unmap(iova, 4096, DMA_FROM_DEVICE, 'rx clean');
    expect(bench.messages).toEqual([`2 rx clean: unmaps an I/O address at which no mapping begins. ${BUFFER}. ${WHOLE}, unmapped by rx poll.`]);
    expect(bench.iommu.faultCount).toBe(0);
  });

  it('2 unmap of what was never mapped, also far outside of all tables', () => {
    const bench = new DmaBench();
    bench.dma.unmap(0x12000, 4096, DMA_FROM_DEVICE, 'rx clean');
    bench.dma.unmap(0xfffff010, 4096, DMA_FROM_DEVICE, 'rx clean');
    expect(bench.messages).toEqual(
      ['0x100012000', '0x1fffff010'].map(
        (iova) => `2 rx clean: unmaps an I/O address at which no mapping begins. Buffer: none. Mapping: none: nothing was ever mapped at iova ${iova}.`,
      ),
    );
  });

  it('2 unmap of an address inside of a mapping, which stays', () => {
    const { bench, iova } = mapped(DMA_FROM_DEVICE);
    bench.dma.unmap(iova + 256, 4096, DMA_FROM_DEVICE, 'rx clean');
    expect(bench.messages).toEqual([
      '2 rx clean: unmaps an I/O address at which no mapping begins (it lies 256 bytes into a mapping). ' +
        `Buffer: page 3 (packet 7) at offset 256 (12544 bytes into pages). ${WHOLE}.`,
    ]);
    expect(bench.dma.mappingCount).toBe(1);
  });

  it('3 unmap with another size', () => {
    const { bench, iova } = mapped(DMA_FROM_DEVICE);
    bench.dma.unmap(iova, 1500, DMA_FROM_DEVICE, 'rx clean');
    expect(bench.messages).toEqual([`3 rx clean: unmaps with another size than it mapped (mapped 4096 bytes, unmapped 1500). ${BUFFER}. ${WHOLE}.`]);
    expect([bench.dma.mappingCount, bench.iommu.mappedCount]).toEqual([0, 0]);
  });

  it('4 unmap with the function of another family', () => {
    const { bench, page, iova } = mapped(DMA_BIDIRECTIONAL);
    bench.dma.freeCoherent(4096, page, iova, 'ring free');
    const ring = bench.dma.allocCoherent('RX ring 0', 4096);
    bench.dma.unmap(ring.iovaLow, 4096, DMA_BIDIRECTIONAL, 'rx clean');
    expect(bench.messages).toEqual([
      '4 ring free: unmaps with a function of another family than it mapped with (mapped by dma_map_single/page, unmapped by the counterpart ' +
        `of dma_alloc_coherent). ${BUFFER}. Mapping: iova 0x100010000, 4096 bytes, DMA_BIDIRECTIONAL, mapped by rx refill.`,
      '4 rx clean: unmaps with a function of another family than it mapped with (mapped by dma_alloc_coherent, unmapped by the counterpart ' +
        'of dma_map_single/page). Buffer: 0 bytes into RX ring 0. Mapping: iova 0x100010000, 4096 bytes, DMA_BIDIRECTIONAL, mapped by RX ring 0.',
    ]);
    expect(bench.dma.mappingCount).toBe(0);
  });

  it('4 registers of a device are no page', () => {
    const bench = new DmaBench();
    const registers = bench.memory.reserve('registers of another device', 4096, 4096);
    const iova = bench.dma.mapResource(registers, 4096, DMA_TO_DEVICE, 'peer setup');
    expect(bench.dma.mappingError(iova)).toBe(false);
    bench.dma.unmapResource(iova, 4096, DMA_TO_DEVICE, 'peer stop');
    expect(bench.messages).toEqual([]);
    bench.dma.mappingError(bench.dma.mapResource(registers, 4096, DMA_TO_DEVICE, 'peer setup'));
    bench.dma.unmap(iova, 4096, DMA_TO_DEVICE, 'peer stop');
    expect(bench.messages).toEqual([
      '4 peer stop: unmaps with a function of another family than it mapped with (mapped by dma_map_resource, unmapped by the counterpart of ' +
        'dma_map_single/page). Buffer: 0 bytes into registers of another device. ' +
        'Mapping: iova 0x100010000, 4096 bytes, DMA_TO_DEVICE, mapped by peer setup.',
    ]);
  });

  it('5 coherent memory freed with another CPU address', () => {
    const bench = new DmaBench();
    const ring = bench.dma.allocCoherent('RX ring 0', 4096);
    bench.dma.freeCoherent(4096, ring.hostAddress + 16, ring.iovaLow, 'ring free');
    expect(bench.messages).toEqual([
      '5 ring free: frees coherent memory with another CPU address than it got (got 0x30000, freed 0x30010). ' +
        'Buffer: 0 bytes into RX ring 0. Mapping: iova 0x100010000, 4096 bytes, DMA_BIDIRECTIONAL, mapped by RX ring 0.',
    ]);
  });

  it('6 scatter list unmapped with another number of entries', () => {
    const bench = new DmaBench();
    const list = scatterList(bench, 3);
    expect(bench.dma.mapSg(list, 3, DMA_TO_DEVICE, 'tx frags')).toBe(3);
    bench.dma.unmapSg(list, 1, DMA_TO_DEVICE, 'tx clean');
    expect(bench.messages).toEqual([
      '6 tx clean: unmaps a scatter list with another number of entries than it mapped (mapped 3 entries, unmapped 1). ' +
        'Buffer: page 0 at offset 0 (0 bytes into pages). Mapping: iova 0x100010000, 1000 bytes, DMA_TO_DEVICE, mapped by tx frags.',
    ]);
    expect(bench.dma.mappingCount).toBe(2);
  });

  it('7 unmap in another direction', () => {
    const { bench, iova } = mapped(DMA_FROM_DEVICE);
    bench.dma.unmap(iova, 4096, DMA_TO_DEVICE, 'rx clean');
    expect(bench.messages).toEqual([
      `7 rx clean: unmaps in another direction than it mapped (mapped DMA_FROM_DEVICE, unmapped DMA_TO_DEVICE). ${BUFFER}. ${WHOLE}.`,
    ]);
  });

  it('8 asking for another address than mapping gave is not asking', () => {
    const bench = new DmaBench();
    const iovaLow = bench.dma.mapPage(bench.page(0), 4096, DMA_FROM_DEVICE, MAP);
    bench.dma.mappingError(iovaLow + 256);
    bench.dma.unmap(iovaLow, 4096, DMA_FROM_DEVICE, 'rx clean');
    expect(bench.dma.debug.counts[8]).toBe(1);
  });

  it('8 dma_mapping_error never asked', () => {
    const bench = new DmaBench();
    const iova = bench.dma.mapSingle(bench.page(3, 7), 4096, DMA_FROM_DEVICE, MAP);
    bench.dma.unmap(iova, 4096, DMA_FROM_DEVICE, 'rx clean');
    expect(bench.messages).toEqual([`8 rx clean: unmaps a mapping for which dma_mapping_error() was never asked. ${BUFFER}. ${WHOLE}.`]);
  });

  it.each([
    ['stack', 9, 'maps memory of a stack', true],
    ['text', 10, 'maps program text or constants', true],
    ['vmalloc', 11, 'maps memory that is vmalloc memory or none at all; the mapping is refused (vmalloc memory)', false],
  ] as const)('map of %s memory is %i', (kind, number, what, works) => {
    const start = new DmaBench().memory.mark();
    const bench = new DmaBench({ unmappable: [{ start, sizeBytes: 4096, kind }] });
    expect(bench.memory.reserve('the region', 4096, 4096)).toBe(start);
    const iova = bench.dma.mapSingle(start + 100, 64, DMA_TO_DEVICE, 'tx head');
    expect(iova !== DMA_MAPPING_ERROR).toBe(works);
    expect(bench.messages).toEqual([
      `${number} tx head: ${what}. Buffer: 100 bytes into the region. Mapping: none yet: 64 bytes, DMA_TO_DEVICE, to be mapped by tx head.`,
    ]);
  });

  it('11 map of memory that nobody has, or that ends too early', () => {
    const bench = new DmaBench();
    expect(bench.dma.mapSingle(0, 64, DMA_TO_DEVICE, 'tx head')).toBe(DMA_MAPPING_ERROR);
    expect(bench.dma.mapSingle(bench.page(31), 4097, DMA_FROM_DEVICE, MAP)).toBe(DMA_MAPPING_ERROR);
    expect(bench.dma.mapSingle(1e9, 2e9, DMA_FROM_DEVICE, MAP)).toBe(DMA_MAPPING_ERROR);
    const what = 'maps memory that is vmalloc memory or none at all; the mapping is refused (no memory lies there)';
    expect(bench.messages).toEqual([
      `11 tx head: ${what}. Buffer: NULL. Mapping: none yet: 64 bytes, DMA_TO_DEVICE, to be mapped by tx head.`,
      `11 rx refill: ${what}. Buffer: page 31 at offset 0 (126976 bytes into pages). Mapping: none yet: 4097 bytes, DMA_FROM_DEVICE, to be mapped by rx refill.`,
      `11 rx refill: ${what}. Buffer: 999803392 bytes beyond the end of pages. Mapping: none yet: 2000000000 bytes, DMA_FROM_DEVICE, to be mapped by rx refill.`,
    ]);
  });

  it('12 sync of what is no longer mapped, and of what never was', () => {
    const { bench, iova } = mapped(DMA_FROM_DEVICE);
    bench.dma.unmap(iova, 4096, DMA_FROM_DEVICE, 'rx poll');
    bench.dma.syncForCpu(iova + 64, 60, DMA_FROM_DEVICE, 'rx copy');
    bench.dma.syncForDevice(0xfffff000, 60, DMA_FROM_DEVICE, 'rx copy');
    expect(bench.messages).toEqual([
      '12 rx copy: syncs an I/O address that is not mapped. ' +
        `Buffer: page 3 (packet 7) at offset 64 (12352 bytes into pages). ${WHOLE}, unmapped by rx poll.`,
      '12 rx copy: syncs an I/O address that is not mapped. Buffer: none. Mapping: none: nothing was ever mapped at iova 0x1fffff000.',
    ]);
  });

  it('13 sync outside of the mapping, at either end', () => {
    const bench = new DmaBench();
    const iova = bench.map(bench.page(3, 7) + 512, 2048, DMA_FROM_DEVICE, MAP);
    bench.dma.syncForCpu(iova + 2000, 100, DMA_FROM_DEVICE, 'rx poll');
    bench.dma.syncForCpu(iova - 14, 100, DMA_FROM_DEVICE, 'rx poll');
    const where = 'Mapping: iova 0x100010200, 2048 bytes, DMA_FROM_DEVICE, mapped by rx refill.';
    expect(bench.messages).toEqual([
      '13 rx poll: syncs bytes outside of the mapping (bytes 2000 to 2100 of a mapping of 2048 bytes). ' +
        `Buffer: page 3 (packet 7) at offset 2512 (14800 bytes into pages). ${where}`,
      '13 rx poll: syncs bytes outside of the mapping (bytes -14 to 86 of a mapping of 2048 bytes). ' +
        `Buffer: page 3 (packet 7) at offset 512 (12800 bytes into pages). ${where}`,
    ]);
  });

  it('14 sync in another direction', () => {
    const { bench, iova } = mapped(DMA_FROM_DEVICE);
    bench.dma.syncForCpu(iova, 60, DMA_BIDIRECTIONAL, 'rx poll');
    expect(bench.messages).toEqual([
      `14 rx poll: syncs in another direction than it mapped (mapped DMA_FROM_DEVICE, synced DMA_BIDIRECTIONAL). ${BUFFER}. ${WHOLE}.`,
    ]);
  });

  it('15 sync for the CPU of what the device only reads', () => {
    const { bench, iova } = mapped(DMA_TO_DEVICE);
    bench.dma.syncForCpu(iova, 60, DMA_TO_DEVICE, 'tx peek');
    expect(bench.messages).toEqual([]);
    bench.dma.syncForCpu(iova, 60, DMA_FROM_DEVICE, 'tx peek');
    const where = `${BUFFER}. Mapping: iova 0x100010000, 4096 bytes, DMA_TO_DEVICE, mapped by rx refill.`;
    expect(bench.messages).toEqual([
      `14 tx peek: syncs in another direction than it mapped (mapped DMA_TO_DEVICE, synced DMA_FROM_DEVICE). ${where}`,
      `15 tx peek: syncs for the CPU what the device only reads. ${where}`,
    ]);
  });

  it('16 sync for the device of what the device only writes', () => {
    const { bench, iova } = mapped(DMA_FROM_DEVICE);
    bench.dma.syncForDevice(iova, 60, DMA_FROM_DEVICE, 'rx refill');
    expect(bench.messages).toEqual([]);
    bench.dma.syncForDevice(iova, 60, DMA_TO_DEVICE, 'xdp tx');
    expect(bench.messages).toEqual([
      `14 xdp tx: syncs in another direction than it mapped (mapped DMA_FROM_DEVICE, synced DMA_TO_DEVICE). ${BUFFER}. ${WHOLE}.`,
      `16 xdp tx: syncs for the device what the device only writes. ${BUFFER}. ${WHOLE}.`,
    ]);
  });

  it('17 scatter list synced with another number of entries', () => {
    const bench = new DmaBench();
    const list = scatterList(bench, 3);
    bench.dma.mapSg(list, 3, DMA_FROM_DEVICE, 'rx frags');
    bench.dma.syncSgForCpu(list, 3, DMA_FROM_DEVICE, 'rx poll');
    bench.dma.syncSgForDevice(list, 3, DMA_FROM_DEVICE, 'rx poll');
    expect(bench.messages).toEqual([]);
    bench.dma.syncSgForCpu(list, 1, DMA_FROM_DEVICE, 'rx poll');
    expect(bench.messages).toEqual([
      '17 rx poll: syncs a scatter list with another number of entries than it mapped (mapped 3 entries, synced 1). ' +
        'Buffer: page 0 at offset 0 (0 bytes into pages). Mapping: iova 0x100010000, 1000 bytes, DMA_FROM_DEVICE, mapped by rx frags.',
    ]);
  });

  it('18 scatter entry that is too long, or that crosses a boundary', () => {
    const bench = new DmaBench({ maxSegmentBytes: 2048, segmentBoundaryBytes: 8192 });
    bench.dma.mapSg([{ hostAddress: bench.page(2), sizeBytes: 3000, iovaLow: 0 }], 1, DMA_TO_DEVICE, 'tx frags');
    bench.dma.mapSg([{ hostAddress: bench.page(4) + 4000, sizeBytes: 100, iovaLow: 0 }], 1, DMA_TO_DEVICE, 'tx frags');
    expect(bench.messages).toEqual([
      '18 tx frags: maps a scatter entry beyond the limits of the device (3000 bytes, at most 2048 are allowed). ' +
        'Buffer: page 2 at offset 0 (8192 bytes into pages). Mapping: iova 0x100010000, 3000 bytes, DMA_TO_DEVICE, mapped by tx frags.',
      '18 tx frags: maps a scatter entry beyond the limits of the device (it crosses a boundary of 8192 bytes). ' +
        'Buffer: page 4 at offset 4000 (20384 bytes into pages). Mapping: iova 0x100011fa0, 100 bytes, DMA_TO_DEVICE, mapped by tx frags.',
    ]);
  });

  it('18 the boundary is one of I/O addresses, whatever the host addresses are', () => {
    const bench = new DmaBench({ segmentBoundaryBytes: 8192 });
    const entry = { hostAddress: bench.page(3) + 4000, sizeBytes: 100, iovaLow: 0 };
    bench.dma.mapSg([entry], 1, DMA_TO_DEVICE, 'tx frags');
    expect([entry.iovaLow, bench.messages]).toEqual([0x10fa0, []]);
  });

  it('19 mappings left when the driver goes', () => {
    const { bench } = mapped(DMA_FROM_DEVICE);
    bench.map(bench.page(4), 4096, DMA_FROM_DEVICE, MAP);
    bench.dma.allocCoherent('RX ring 0', 8192);
    expect(bench.dma.debug.checkPending('remove')).toBe(3);
    expect(bench.messages).toEqual([
      '19 remove: has mappings left when the driver lets go of the device (3 left: 1 mapped by RX ring 0, 2 mapped by rx refill; one of them follows). ' +
        `${BUFFER}. ${WHOLE}.`,
    ]);
  });

  it('19 is silent when all was given back', () => {
    const { bench, iova } = mapped(DMA_FROM_DEVICE);
    bench.dma.unmap(iova, 4096, DMA_FROM_DEVICE);
    const ring = bench.dma.allocCoherent('RX ring 0', 8192);
    bench.dma.freeCoherent(8192, ring.hostAddress, ring.iovaLow, 'ring free');
    expect([bench.dma.debug.checkPending('remove'), bench.messages]).toEqual([0, []]);
  });

  it('20 two mappings of one cache line', () => {
    const { bench, page } = mapped(DMA_FROM_DEVICE, 1000);
    bench.map(page + 1024, 1024, DMA_FROM_DEVICE, 'rx half');
    expect(bench.messages).toEqual([]);
    bench.map(page + 1001, 10, DMA_BIDIRECTIONAL, 'rx head');
    expect(bench.messages).toEqual([
      '20 rx head: maps cache lines that another mapping already gives to the device for writing ' +
        '(the other: iova 0x100010000, 1000 bytes, DMA_FROM_DEVICE, mapped by rx refill). ' +
        'Buffer: page 3 (packet 7) at offset 1001 (13289 bytes into pages). ' +
        'Mapping: iova 0x1000123e9, 10 bytes, DMA_BIDIRECTIONAL, mapped by rx head.',
    ]);
  });

  it('20 leaves out what the device only reads, and drivers that sync by themselves', () => {
    const { bench, page } = mapped(DMA_FROM_DEVICE);
    bench.map(page, 4096, DMA_TO_DEVICE, 'tx');
    bench.map(page, 4096, DMA_FROM_DEVICE, 'rx', DMA_ATTR_SKIP_CPU_SYNC);
    expect(bench.messages).toEqual([]);
  });

  it('20 sees mappings of several pages once each, and more than 7 of them', () => {
    const bench = new DmaBench();
    for (let i = 0; i < 9; i++) bench.map(bench.page(4) + 100, 8192, DMA_FROM_DEVICE, `mapping ${i}`);
    expect(bench.dma.debug.counts[20]).toBe(8);
    bench.map(bench.page(5), 64, DMA_FROM_DEVICE, 'the tenth');
    expect([bench.dma.debug.errorCount, bench.messages.length]).toEqual([9, 4]);
    const few = new DmaBench();
    for (let i = 0; i < 5; i++) few.map(few.page(4) + 100, 8192, DMA_FROM_DEVICE, 'few');
    expect(few.messages[3]).not.toContain('mappings by now');
    const other = new DmaBench();
    for (let i = 0; i < 8; i++) other.map(other.page(4) + 100, 8192, DMA_FROM_DEVICE, 'many', DMA_ATTR_SKIP_CPU_SYNC);
    other.map(other.page(5), 64, DMA_FROM_DEVICE, 'the ninth');
    expect(other.messages[0]).toContain('mapped by many, 9 mappings by now, more than the 7 that can be told apart)');
  });
});

describe('who owns the bytes', () => {
  it('21 the CPU reads what the device owns', () => {
    const { bench, page, iova } = mapped(DMA_FROM_DEVICE);
    expect(bench.dma.debug.checkCpuAccess(page + 256, 60, false, 'xdp run')).toBe(false);
    expect(bench.messages).toEqual([
      '21 xdp run: CPU reads page 3 (packet 7) at offset 256 while the device owns it: dma_sync_single_for_cpu is missing. ' +
        `Buffer: page 3 (packet 7) at offset 256 (12544 bytes into pages). ${WHOLE}.`,
    ]);
    bench.dma.syncForCpu(iova + 256, 60, DMA_FROM_DEVICE, 'rx poll');
    expect(bench.dma.debug.checkCpuAccess(page + 256, 60, true, 'xdp run')).toBe(true);
  });

  it('21 a sync that is too short: the message has the first byte that is missing', () => {
    const { bench, page, iova } = mapped(DMA_BIDIRECTIONAL);
    bench.dma.syncForCpu(iova + 256, 60, DMA_BIDIRECTIONAL, 'rx poll');
    expect(bench.dma.debug.checkCpuAccess(page + 256, 100, false, 'xdp run')).toBe(false);
    expect(bench.dma.debug.checkCpuAccess(page + 242, 74, true, 'xdp run')).toBe(false);
    expect(bench.dma.debug.reports.map(({ message }) => message.slice(0, 60))).toEqual([
      'xdp run: CPU reads page 3 (packet 7) at offset 320 while the',
      'xdp run: CPU writes page 3 (packet 7) at offset 242 while th',
    ]);
  });

  it('21 spans pages, and knows every mapping of a page', () => {
    const bench = new DmaBench();
    const page = bench.page(8);
    const long = bench.map(page, 16384, DMA_FROM_DEVICE, MAP);
    bench.dma.syncForCpu(long + 100, 12000, DMA_FROM_DEVICE, 'rx poll');
    expect(bench.dma.debug.checkCpuAccess(page + 64, 12096, false, 'xdp run')).toBe(true);
    expect(bench.dma.debug.checkCpuAccess(page + 64, 12097, false, 'xdp run')).toBe(false);
    const halves = [0, 2048].map((offset) => bench.map(bench.page(20) + offset, 2048, DMA_FROM_DEVICE, MAP));
    bench.dma.syncForCpu(halves[1], 2048, DMA_FROM_DEVICE, 'rx poll');
    expect(bench.dma.debug.checkCpuAccess(bench.page(20) + 2048, 2048, true, 'xdp run')).toBe(true);
    expect(bench.dma.debug.checkCpuAccess(bench.page(20) + 2047, 2, true, 'xdp run')).toBe(false);
  });

  it('21 leaves the CPU what the device only reads, and what is coherent or not mapped', () => {
    const { bench, page, iova } = mapped(DMA_TO_DEVICE);
    const { debug } = bench.dma;
    expect(debug.checkCpuAccess(page, 4096, false, 'peek')).toBe(true);
    expect(debug.checkCpuAccess(page, 1, true, 'poke')).toBe(false);
    bench.dma.unmap(iova, 4096, DMA_TO_DEVICE);
    expect(debug.checkCpuAccess(page, 4096, true, 'poke')).toBe(true);
    const ring = bench.dma.allocCoherent('RX ring 0', 4096);
    expect(debug.checkCpuAccess(ring.hostAddress, 4096, true, 'descriptor')).toBe(true);
    expect(debug.checkDeviceAccess(ring.iovaLow, 4096, true, 'descriptor')).toBe(true);
  });

  it('22 the device gets what the CPU owns', () => {
    const { bench, iova } = mapped(DMA_BIDIRECTIONAL);
    expect(bench.dma.debug.checkDeviceAccess(iova, 4096, true, 'rx post')).toBe(true);
    bench.dma.syncForCpu(iova + 256, 60, DMA_BIDIRECTIONAL, 'rx poll');
    expect(bench.dma.debug.checkDeviceAccess(iova + 256, 60, false, 'xdp tx')).toBe(false);
    expect(bench.dma.debug.checkDeviceAccess(iova, 4096, true, 'rx post')).toBe(false);
    const where = 'Mapping: iova 0x100010000, 4096 bytes, DMA_BIDIRECTIONAL, mapped by rx refill.';
    expect(bench.messages).toEqual(
      [['xdp tx', 'read'], ['rx post', 'write']].map(
        ([site, verb]) =>
          `22 ${site}: device is to ${verb} page 3 (packet 7) at offset 256 while the CPU owns it: dma_sync_single_for_device is missing. ` +
          `Buffer: page 3 (packet 7) at offset 256 (12544 bytes into pages). ${where}`,
      ),
    );
    bench.dma.syncForDevice(iova + 256, 60, DMA_BIDIRECTIONAL, 'xdp tx');
    expect(bench.dma.debug.checkDeviceAccess(iova, 4096, true, 'rx post')).toBe(true);
  });

  it('22 headroom that a program grew into belongs to the CPU', () => {
    const { bench, page, iova } = mapped(DMA_BIDIRECTIONAL);
    bench.dma.syncForCpu(iova + 256, 60, DMA_BIDIRECTIONAL, 'rx poll');
    bench.dma.debug.noteCpuWrite(page + 242, 14);
    bench.dma.syncForDevice(iova + 256, 60, DMA_BIDIRECTIONAL, 'xdp tx');
    expect(bench.dma.debug.checkDeviceAccess(iova + 242, 74, false, 'xdp tx')).toBe(false);
    expect(bench.messages[0]).toContain('device is to read page 3 (packet 7) at offset 242 while the CPU owns it');
    bench.dma.syncForDevice(iova + 242, 74, DMA_BIDIRECTIONAL, 'xdp tx');
    expect(bench.dma.debug.checkDeviceAccess(iova + 242, 74, false, 'xdp tx')).toBe(true);
  });

  it('22 a page mapped with DMA_ATTR_SKIP_CPU_SYNC must be synced before the device may have it', () => {
    const bench = new DmaBench();
    const iova = bench.map(bench.page(3), 4096, DMA_FROM_DEVICE, 'page_pool', DMA_ATTR_SKIP_CPU_SYNC);
    expect(bench.dma.debug.checkDeviceAccess(iova + 256, 2048, true, 'rx post')).toBe(false);
    bench.dma.syncForDevice(iova + 256, 2048, DMA_FROM_DEVICE, 'page_pool');
    expect(bench.dma.debug.checkDeviceAccess(iova + 256, 2048, true, 'rx post')).toBe(true);
  });

  it('22 is about the mapping that the range begins in; what lies behind it is for the IOMMU', () => {
    const bench = new DmaBench();
    const [first, second] = [bench.map(bench.page(0), 4096, DMA_FROM_DEVICE), bench.map(bench.page(1), 4096, DMA_FROM_DEVICE)];
    expect(second).toBe(first + 4096);
    bench.dma.syncForCpu(second, 4096, DMA_FROM_DEVICE);
    expect(bench.dma.debug.checkDeviceAccess(first, 8192, true, 'rx post')).toBe(true);
    expect([bench.deviceWrites(first, 8192, 1), bench.iommu.faults[0].reason]).toEqual([false, 'the transfer leaves its page']);
  });

  it('23 memory freed while the device can reach it', () => {
    const { bench, page, iova } = mapped(DMA_FROM_DEVICE, 2048);
    expect(bench.dma.debug.checkFree(page + 2048, 2048, 'put half')).toBe(true);
    expect(bench.dma.debug.checkFree(page, 4096, 'put page')).toBe(false);
    expect(bench.messages).toEqual([
      `23 put page: frees memory that the device can still reach. ${BUFFER}. ` +
        'Mapping: iova 0x100010000, 2048 bytes, DMA_FROM_DEVICE, mapped by rx refill.',
    ]);
    bench.dma.unmap(iova, 2048, DMA_FROM_DEVICE);
    expect(bench.dma.debug.checkFree(page, 4096, 'put page')).toBe(true);
  });
});

describe('the checker', () => {
  it('has a class for every number', () => {
    const numbers = Object.values(DMA_ERRORS).map(({ number }) => number);
    expect(numbers).toEqual(Array.from({ length: DMA_ERROR_NUMBERS - 1 }, (_, i) => i + 1));
    expect(new Set(Object.values(DMA_ERRORS).map(({ key }) => key)).size).toBe(numbers.length);
  });

  it('keeps four reports of a class, so that a flood hides no other, and counts all', () => {
    const { bench, page } = mapped(DMA_FROM_DEVICE);
    for (let i = 0; i < 1000; i++) bench.dma.debug.checkCpuAccess(page, 1, false, 'xdp run');
    bench.dma.unmap(0, 1, DMA_FROM_DEVICE, 'rx clean');
    const { reports, errorCount, counts } = bench.dma.debug;
    expect([reports.length, errorCount, counts[21], counts[1]]).toEqual([5, 1001, 1000, 1]);
    expect(reports[4]).toMatchObject({ number: 1, key: 'unmap-of-error', site: 'rx clean', buffer: 'none' });
    expect(reports[4].hint).toContain('dma_mapping_error()');
  });

  it('says so when a call has no name', () => {
    const bench = new DmaBench();
    bench.dma.unmap(0, 1, DMA_FROM_DEVICE);
    expect(bench.dma.debug.reports[0].site).toBe('an unnamed call');
  });
});
