import { describe, expect, it } from 'vitest';
import { IOMMU_READ, IOMMU_WRITE, Iommu, IOVA_HIGH } from '../../../src/nic/index.js';
import { fc, prop } from '../../support/property.js';

const HOST = 0x40000;

describe('Iommu', () => {
  it('translates every byte of a mapped page', () => {
    const iommu = new Iommu(4);
    const iova = iommu.mapPage(HOST, IOMMU_READ | IOMMU_WRITE);
    expect(iommu.translate(IOVA_HIGH, iova, 4096, IOMMU_WRITE)).toBe(HOST);
    expect(iommu.translate(IOVA_HIGH, iova + 256, 3840, IOMMU_READ)).toBe(HOST + 256);
    expect(iommu.translate(IOVA_HIGH, iova + 4095, 1, IOMMU_READ)).toBe(HOST + 4095);
    expect([iommu.faultCount, iommu.mappedCount]).toEqual([0, 1]);
  });

  it('translates pages in the upper half of 4 GiB', () => {
    const iommu = new Iommu(1);
    expect(iommu.translate(IOVA_HIGH, iommu.mapPage(0xfffff000, IOMMU_READ) + 5, 1, IOMMU_READ)).toBe(0xfffff005);
  });

  it.each([
    ['a page that is not mapped', 0x7000, IOVA_HIGH, 64, IOMMU_WRITE, 'the page is not mapped'],
    ['I/O address 0', 0, IOVA_HIGH, 64, IOMMU_WRITE, 'the page is not mapped'],
    ['an address behind the table', 0xfffff000, IOVA_HIGH, 64, IOMMU_WRITE, 'the page is not mapped'],
    ['a host address, which has no high word', 16 * 4096, 0, 64, IOMMU_WRITE, 'the page is not mapped'],
    ['another high word', 16 * 4096, 2, 64, IOMMU_WRITE, 'the page is not mapped'],
    ['a transfer across the end of the page', 16 * 4096 + 4000, IOVA_HIGH, 97, IOMMU_WRITE, 'the transfer leaves its page'],
    ['reading what is mapped for writing', 16 * 4096, IOVA_HIGH, 64, IOMMU_READ, 'the mapping has the other direction'],
    ['both directions where only one is mapped', 16 * 4096, IOVA_HIGH, 64, IOMMU_READ | IOMMU_WRITE, 'the mapping has the other direction'],
  ])('%s faults', (_, iovaLow, iovaHigh, sizeBytes, permission, reason) => {
    const iommu = new Iommu(4);
    expect(iommu.mapPage(HOST, IOMMU_WRITE)).toBe(16 * 4096);
    expect(iommu.translate(iovaHigh, iovaLow, sizeBytes, permission)).toBe(0);
    expect(iommu.faultCount).toBe(1);
    expect(iommu.faults).toEqual([{ iovaHigh, iovaLow, sizeBytes, isWrite: permission === IOMMU_WRITE, reason }]);
  });

  it('keeps the first 16 faults and counts all', () => {
    const iommu = new Iommu(1);
    for (let i = 0; i < 50; i++) iommu.translate(IOVA_HIGH, i * 4096, 1, IOMMU_READ);
    expect([iommu.faultCount, iommu.faults.length]).toEqual([50, 16]);
  });

  it('an unmapped page faults, and so does a second unmap', () => {
    const iommu = new Iommu(4);
    const iova = iommu.mapPage(HOST, IOMMU_READ);
    iommu.unmapPage(iova + 100);
    expect(iommu.mappedCount).toBe(0);
    expect(iommu.translate(IOVA_HIGH, iova, 1, IOMMU_READ)).toBe(0);
    iommu.unmapPage(iova);
    expect([iommu.mappedCount, iommu.faultCount]).toEqual([0, 2]);
    expect(iommu.faults[1]).toMatchObject({ iovaLow: iova, sizeBytes: 0, reason: 'the driver unmapped a page that is not mapped' });
    expect(new Set([iommu.mapPage(HOST, IOMMU_READ), iommu.mapPage(HOST, IOMMU_READ)]).size).toBe(2);
  });

  it('unmapping what lies outside of the table faults and leaves the table whole', () => {
    const iommu = new Iommu(1);
    iommu.unmapPage(0xfffff000);
    iommu.unmapPage(0);
    expect([iommu.faultCount, iommu.mappedCount]).toEqual([2, 0]);
    const iova = iommu.mapPage(HOST, IOMMU_READ);
    expect(iommu.translate(IOVA_HIGH, iova, 1, IOMMU_READ)).toBe(HOST);
  });

  it('a full table is DMA_MAPPING_ERROR, 0', () => {
    const iommu = new Iommu(2);
    const first = iommu.mapPage(HOST, IOMMU_READ);
    expect(iommu.mapPage(HOST, IOMMU_READ)).not.toBe(0);
    expect(iommu.mapPage(HOST, IOMMU_READ)).toBe(0);
    expect(iommu.mapCoherent(HOST, 1)).toBe(0);
    iommu.unmapPage(first);
    expect(iommu.mapPage(HOST, IOMMU_READ)).toBe(first);
  });

  it('maps a ring of several pages side by side, in both directions', () => {
    const iommu = new Iommu(8);
    const iova = iommu.mapCoherent(HOST, 4096 * 2 + 1);
    expect(iommu.mappedCount).toBe(3);
    for (let page = 0; page < 3; page++) expect(iommu.translate(IOVA_HIGH, iova + page * 4096 + 8, 16, IOMMU_READ | IOMMU_WRITE)).toBe(HOST + page * 4096 + 8);
    expect(iommu.translate(IOVA_HIGH, iova + 3 * 4096, 1, IOMMU_READ)).toBe(0);
  });

  prop([fc.array(fc.nat(20), { maxLength: 120 })])('any order of map and unmap: two mappings never share an I/O page', (choices) => {
    const iommu = new Iommu(8);
    const live: { iova: number; host: number }[] = [];
    choices.forEach((choice, step) => {
      if (choice < 12) {
        const host = (step + 1) * 4096;
        const iova = iommu.mapPage(host, IOMMU_READ | IOMMU_WRITE);
        expect(iova === 0).toBe(live.length === 8);
        if (iova !== 0) live.push({ iova, host });
      } else if (live.length > 0) {
        iommu.unmapPage(live.splice(choice % live.length, 1)[0].iova);
      }
      for (const { iova, host } of live) expect(iommu.translate(IOVA_HIGH, iova + 1, 1, IOMMU_READ)).toBe(host + 1);
      expect(iommu.mappedCount).toBe(live.length);
    });
    expect(iommu.faultCount).toBe(0);
  });

  it('maps a range that begins and ends anywhere, and lets a transfer run through its pages', () => {
    const iommu = new Iommu(8);
    const iova = iommu.mapRange(HOST + 100, 8192, IOMMU_WRITE);
    expect([iova & 4095, iommu.mappedCount]).toEqual([100, 3]);
    expect(iommu.translate(IOVA_HIGH, iova, 8192, IOMMU_WRITE)).toBe(HOST + 100);
    expect(iommu.translate(IOVA_HIGH, iova + 8191, 1, IOMMU_WRITE)).toBe(HOST + 8291);
    expect(iommu.translate(IOVA_HIGH, iova - 100, 3 * 4096, IOMMU_WRITE)).toBe(HOST);
    expect(iommu.faultCount).toBe(0);
    expect(iommu.translate(IOVA_HIGH, iova - 100, 3 * 4096 + 1, IOMMU_WRITE)).toBe(0);
    iommu.unmapRange(iova, 8192);
    expect([iommu.mappedCount, iommu.faultCount]).toEqual([0, 1]);
  });

  it('keeps a transfer from running into the next mapping, even where both lie side by side', () => {
    const iommu = new Iommu(4);
    const [first, second] = [iommu.mapPage(HOST, IOMMU_WRITE), iommu.mapPage(HOST + 4096, IOMMU_WRITE)];
    expect(second).toBe(first + 4096);
    expect(iommu.translate(IOVA_HIGH, first + 4090, 10, IOMMU_WRITE)).toBe(0);
    iommu.unmapPage(first);
    iommu.unmapPage(second);
    const range = iommu.mapRange(HOST, 8192, IOMMU_WRITE);
    iommu.unmapPage(range);
    expect(iommu.mapPage(HOST, IOMMU_WRITE)).toBe(range);
    expect(iommu.translate(IOVA_HIGH, range + 4090, 10, IOMMU_WRITE)).toBe(0);
    expect(iommu.faults.map(({ reason }) => reason)).toEqual(['the transfer leaves its page', 'the transfer leaves its page']);
  });

  it('a transfer at the end of the table faults', () => {
    const iommu = new Iommu(1);
    const iova = iommu.mapPage(HOST, IOMMU_READ);
    expect(iommu.translate(IOVA_HIGH, iova, 2 ** 31, IOMMU_READ)).toBe(0);
    expect(iommu.faults[0].reason).toBe('the transfer leaves its page');
  });

  prop([fc.array(fc.record({ pick: fc.nat(20), pages: fc.integer({ min: 1, max: 4 }) }), { maxLength: 120 })])(
    'any order of ranges: each has I/O pages of its own, and one fails only when no gap is long enough',
    (choices) => {
      const iommu = new Iommu(12);
      const live: { iova: number; host: number; size: number }[] = [];
      choices.forEach(({ pick, pages }, step) => {
        if (pick < 12) {
          const [host, size] = [(step + 1) * 65536 + pick, pages * 4096 - pick];
          const iova = iommu.mapRange(host, size, IOMMU_WRITE);
          const used = new Set(live.flatMap((each) => slotsOf(each)));
          const hasGap = Array.from({ length: 13 - pages }, (_, at) => at + 16).some((at) => Array.from({ length: pages }, (_, i) => at + i).every((slot) => !used.has(slot)));
          expect(iova !== 0).toBe(hasGap);
          if (iova !== 0) live.push({ iova, host, size });
        } else if (live.length > 0) {
          const [{ iova, size }] = live.splice(pick % live.length, 1);
          iommu.unmapRange(iova, size);
        }
        const slots = live.flatMap((each) => slotsOf(each));
        expect([new Set(slots).size, iommu.mappedCount]).toEqual([slots.length, slots.length]);
        for (const { iova, host, size } of live) expect(iommu.translate(IOVA_HIGH, iova, size, IOMMU_WRITE)).toBe(host);
      });
      expect(iommu.faultCount).toBe(0);
    },
  );
});

function slotsOf({ iova, size }: { iova: number; size: number }): number[] {
  const first = iova >>> 12;
  return Array.from({ length: ((iova + size - 1) >>> 12) - first + 1 }, (_, i) => first + i);
}
