import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { dumpEntries } from '../../../src/cases/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { mapReports } from '../../../src/report/mapReport.js';
import { isPlainArray, objectMemoryBytes, Vm } from '../../../src/vm/index.js';
import type { BpfMap, LoadedObject, MapSpec, ObjectSpec } from '../../../src/vm/index.js';
import { TestRunner } from '../../../src/xdp/testRun.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { testEnvironment, textObject } from '../support/differential.js';
import { hex, u32 } from './support/liveMap.js';

const [HASH, ARRAY, PERCPU_ARRAY, LRU_HASH, LRU_PERCPU_HASH, LPM_TRIE] = [1, 2, 6, 9, 10, 11];
const MIB = 2 ** 20;
/** Of a memory in which nothing is reserved yet. */
const FIRST_MARK = new HostMemory(1).mark();
/** What a map of gigabytes may cost when next to nothing is in it. */
const MAX_GROWTH_BYTES = 64 * MIB;

/** As in katran's balancer: consistent hashing rings, server ids, source routes, connections. */
const RINGS = map('rings', ARRAY, 4, 4, 33_554_944);
const BALANCER: readonly MapSpec[] = [
  RINGS, map('servers', ARRAY, 4, 4, 16_777_214), map('routes', LPM_TRIE, 8, 4, 3_000_000, { flags: 1 }), map('connections', LRU_HASH, 36, 16, 8_000_000),
];

class Loaded {
  readonly memory: HostMemory;
  readonly loaded: LoadedObject;
  readonly vm: Vm;

  constructor(object: ObjectSpec) {
    this.memory = HostMemory.withRoomFor(objectMemoryBytes(object, 2) + MIB);
    this.vm = new Vm({ memory: this.memory, environment: testEnvironment() });
    this.loaded = unwrap(this.vm.load(object));
  }

  map(name: string): BpfMap {
    return this.loaded.maps.get(name)!;
  }
}

/** Resident memory that this takes, bytes. */
function growth(run: () => void): number {
  const before = process.memoryUsage.rss();
  run();
  return process.memoryUsage.rss() - before;
}

const objectOf = (...maps: readonly MapSpec[]): ObjectSpec => textObject('r0 = 2\nexit', maps);

describe('maps of millions of entries', () => {
  it('an array of 33.5 million elements costs what is written to it: load, runs, user space, dump, report, release', () => {
    const touch = 'r1 = *(u32 *)(r1 + 0)\nr0 = 2\n*(u32 *)(r10 - 4) = 33554943\nr1 = map rings\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto out\nr1 = 7\n*(u32 *)(r0 + 0) = r1\nr0 = 3\nout: exit';
    expect(growth(() => {
      const { memory, vm, loaded } = new Loaded(textObject(touch, [RINGS]));
      const rings = loaded.maps.get('rings')!;
      expect(new TestRunner(memory, vm).run(loaded.program('main')!, { data: new Uint8Array(64) }).retval).toBe(3);
      expect(rings.updateBytes(u32(12_345_678), u32(5), 0)).toBe(0);
      expect(dumpEntries(rings, 0)).toEqual([{ key: hex(u32(12_345_678)), value: hex(u32(5)) }, { key: hex(u32(33_554_943)), value: hex(u32(7)) }].sort((a, b) => (a.key < b.key ? -1 : 1)));
      expect(mapReports(loaded)['rings']).toMatchObject({ entries: [{}, {}], entries_zero: 33_554_942, entries_omitted: 0 });
      memory.release(FIRST_MARK);
      expect(memory.nextNonZero(FIRST_MARK, memory.sizeBytes)).toBe(memory.sizeBytes);
    })).toBeLessThan(MAX_GROWTH_BYTES);
  });

  it('so do several large maps of all kinds in one object', () => {
    expect(growth(() => {
      const all = new Loaded(objectOf(...BALANCER));
      for (const { name, keySize, valueSize } of BALANCER) {
        const live = all.map(name);
        for (const first of [1, 2, 3]) {
          const key = new Uint8Array(keySize).fill(0);
          key[0] = first;
          expect(live.updateBytes(key, new Uint8Array(valueSize).fill(first), 0)).toBe(0);
        }
        expect([...(isPlainArray(live) ? live.nonZeroEntries() : live.entries())]).toHaveLength(3);
      }
    })).toBeLessThan(MAX_GROWTH_BYTES);
  });

  it.each([['HASH', HASH, 0], ['LRU_HASH', LRU_HASH, 0], ['LRU_HASH of CPUs apart', LRU_HASH, 2], ['LRU_PERCPU_HASH', LRU_PERCPU_HASH, 0], ['LPM_TRIE', LPM_TRIE, 1]])(
    '%s of 4 million: costs what is in it', (_, type, flags) => {
      const spec = map('m', type, 8, 8, 4_000_000, { flags });
      expect(growth(() => {
        const one = new Loaded(objectOf(spec));
        const live = one.map('m');
        const value = new Uint8Array(live.isPerCpu ? 16 : 8);
        for (let n = 0; n < 1000; n++) expect(live.updateBytes(Uint8Array.of(32, 0, 0, 0, n, n >> 8, 0, 1), value, 0)).toBe(0);
        expect([...live.entries()]).toHaveLength(1000);
      })).toBeLessThan(MAX_GROWTH_BYTES);
    },
  );

  it.each([['ARRAY', ARRAY, 12], ['ARRAY', ARRAY, 4096], ['PERCPU_ARRAY', PERCPU_ARRAY, 4], ['PERCPU_ARRAY', PERCPU_ARRAY, 5000]])('%s (type %i), values of %i bytes: nonZeroEntries are the entries that are not zero', (_, type, valueSize) => {
    const one = new Loaded(objectOf(map('m', type, 4, valueSize, 3000)));
    const live = one.map('m');
    const userBytes = live.isPerCpu ? 2 * Math.ceil(valueSize / 8) * 8 : valueSize;
    // First, last, neighbours; the first and the last byte of a value, on the first CPU and the last.
    const lastOfLastCpu = live.isPerCpu ? userBytes / 2 + valueSize - 1 : valueSize - 1;
    for (const [index, at] of [[0, 0], [1, valueSize - 1], [700, lastOfLastCpu], [701, 0], [1024, 1], [2999, lastOfLastCpu]] as const) {
      const value = new Uint8Array(userBytes);
      value[at] = 9;
      expect(live.updateBytes(u32(index), value, 0)).toBe(0);
    }
    if (!isPlainArray(live)) throw new TypeError('no plain array');
    const expected = [...live.entries()].filter(({ value }) => value.some((byte) => byte !== 0));
    expect([...live.nonZeroEntries()]).toEqual(expected);
    expect(expected).toHaveLength(6);
  });
});
