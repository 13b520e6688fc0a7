import { describe, expect } from 'vitest';
import { MappingKind, MappingTable } from '../../../src/nic/dma/mappingTable.js';
import { fc, prop } from '../../support/property.js';

const SLOTS = 32;
const HOST_PAGES = 8;

interface Live {
  readonly iovaLow: number;
  readonly hostAddress: number;
  readonly sizeBytes: number;
  readonly cpuLines: Set<number>;
}

function linesOf(iovaLow: number, sizeBytes: number): number[] {
  const first = iovaLow >>> 6;
  return Array.from({ length: ((iovaLow + sizeBytes - 1) >>> 6) - first + 1 }, (_, i) => first + i);
}

/** I/O pages whose host page is this one, by the table's list. */
function listOf(table: MappingTable, hostPage: number): number[] {
  const slots: number[] = [];
  for (let slot = table.firstOfHostPage(hostPage * 4096 + 7); slot !== 0 && slots.length <= SLOTS; slot = table.nextOfHostPage(slot)) slots.push(slot);
  return slots;
}

const step = fc.record({
  action: fc.constantFrom('add', 'add', 'remove', 'toCpu', 'toDevice'),
  slot: fc.integer({ min: 1, max: SLOTS - 1 }),
  hostPage: fc.nat(HOST_PAGES - 1),
  offset: fc.nat(4095),
  size: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 9000 })),
});

describe('MappingTable', () => {
  prop([fc.array(step, { minLength: 10, maxLength: 150 })], { numRuns: 300 })('lists of host pages and owners of lines are those of a naive model', (steps) => {
    const table = new MappingTable(SLOTS, HOST_PAGES * 4096);
    const live: Live[] = [];
    for (const { action, slot, hostPage, offset, size } of steps) {
      if (action === 'add') {
        const sizeBytes = Math.min(size, HOST_PAGES * 4096 - hostPage * 4096 - offset, SLOTS * 4096 - slot * 4096 - offset);
        const last = slot + ((offset + sizeBytes - 1) >>> 12);
        if (table.firstOf.subarray(slot, last + 1).some((first) => first !== 0)) continue;
        const [iovaLow, hostAddress] = [slot * 4096 + offset, hostPage * 4096 + offset];
        table.add(MappingKind.single, iovaLow, hostAddress, sizeBytes, 0, 1, 'here');
        live.push({ iovaLow, hostAddress, sizeBytes, cpuLines: new Set() });
      } else if (live.length > 0) {
        const at = slot % live.length;
        const { iovaLow, sizeBytes, cpuLines } = live[at];
        const from = iovaLow + (offset % sizeBytes);
        const part = Math.min(size, iovaLow + sizeBytes - from);
        if (action === 'remove') {
          table.remove(iovaLow >>> 12, 'there');
          live.splice(at, 1);
        } else {
          table.handOver(from, part, action === 'toCpu');
          for (const line of linesOf(from, part)) if (action === 'toCpu') cpuLines.add(line); else cpuLines.delete(line);
        }
        expect(table.find(iovaLow)).toBe(action === 'remove' ? 0 : iovaLow >>> 12);
      }
      expect(table.count).toBe(live.length);
      for (let page = 0; page < HOST_PAGES; page++) {
        const slots = live.flatMap(({ iovaLow, hostAddress, sizeBytes }) =>
          Array.from({ length: ((iovaLow + sizeBytes - 1) >>> 12) - (iovaLow >>> 12) + 1 }, (_, i) => i)
            .filter((i) => (hostAddress >>> 12) + i === page)
            .map((i) => (iovaLow >>> 12) + i),
        );
        expect(listOf(table, page).toSorted((a, b) => a - b)).toEqual(slots.toSorted((a, b) => a - b));
      }
      for (const { iovaLow, sizeBytes, cpuLines } of live) {
        for (const byCpu of [true, false]) {
          const line = linesOf(iovaLow, sizeBytes).find((each) => cpuLines.has(each) === byCpu);
          expect(table.findOwned(iovaLow, sizeBytes, byCpu)).toBe(line === undefined ? -1 : Math.max(iovaLow, line * 64));
        }
      }
    }
  });
});
