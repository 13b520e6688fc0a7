import { describe, expect, it } from 'vitest';
import { EEXIST, EINVAL, ENOENT, unwrap } from '../../../src/base/index.js';
import { CpuBinding } from '../../../src/replay/cpuBinding.js';
import { KernelMap } from '../../../src/replay/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { withKernel } from '../../support/kernelOracle.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { KernelPair, textObject } from '../support/differential.js';
import { LiveMap, hex, u32 } from './support/liveMap.js';
import type { MapSpec } from '../../../src/vm/spec.js';
import { fc } from '../../support/property.js';

const TYPES = [['LRU_HASH', 9], ['LRU_PERCPU_HASH', 10]] as const;
const LRU_HASH = 9;
const BPF_F_NO_COMMON_LRU = 2;
const VALUE = 8;
const CPUS = 2;

const lru = (type: number, maxEntries: number, flags = 0): MapSpec => map('m', type, 4, VALUE, maxEntries, { flags });

interface Step {
  readonly op: 'put' | 'get' | 'remove';
  readonly key: number;
  readonly flags: number;
}

const stepsOf = (maxKey: number, maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      op: fc.constantFrom('put', 'put', 'put', 'get', 'get', 'remove'),
      key: fc.integer({ min: 0, max: maxKey }),
      flags: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 3 })),
    }),
    { maxLength },
  );

const keysOf = (entries: Iterable<{ readonly key: Uint8Array }>): string[] => [...entries].map(({ key }) => hex(key)).sort();

describe.each(TYPES)('%s', (_, type) => {
  it('never has more than max_entries, keeps what it has, and always has what was put in last', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.constantFrom(0, BPF_F_NO_COMMON_LRU), stepsOf(12, 120), (maxEntries, mapFlags, steps) => {
        const live = new LiveMap(lru(type, maxEntries, mapFlags), CPUS);
        const rooms = mapFlags === 0 ? maxEntries : Math.ceil(maxEntries / CPUS) * CPUS;
        // What was put in and not deleted since: whatever the map has must be in here, with this value.
        const model = new Map<number, Uint8Array>();
        for (const [index, { op, key: number, flags }] of steps.entries()) {
          const key = u32(number);
          const had = live.map.lookupBytes(key) !== undefined;
          if (op === 'put') {
            const value = new Uint8Array(VALUE).fill(index + 1);
            const result = live.put(key, value, flags);
            if (flags === 3) expect(result).toBe(-EINVAL);
            // To make room the update may have evicted the very element.
            else if (flags === 2) expect(had ? [0, -ENOENT] : [-ENOENT]).toContain(result);
            else if (flags === 1) expect(had ? [0, -EEXIST] : [0]).toContain(result);
            else expect(result).toBe(0);
            if (result === 0) {
              model.set(number, value);
              expect(live.map.lookupBytes(key)?.subarray(0, VALUE)).toEqual(value);
            }
          } else if (op === 'get') {
            expect(live.get(key)).toEqual(had ? model.get(number) : undefined);
          } else {
            expect(live.remove(key)).toBe(had ? 0 : -ENOENT);
            model.delete(number);
          }
          const entries = [...live.map.entries()];
          expect(entries.length).toBeLessThanOrEqual(rooms);
          for (const entry of entries) expect(entry.value.subarray(0, VALUE)).toEqual(model.get(entry.key[0]));
        }
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    ['holds all of them when they come in whole portions of 128', 1024, 1024],
    // 104 are left for the last portion of 128, so 24 give way.
    ['evicts earlier when the last portion is short', 1000, 976],
  ])('%s', (__, maxEntries, held) => {
    const live = new LiveMap(lru(type, maxEntries), CPUS);
    for (let i = 0; i < maxEntries; i++) live.put(u32(i), new Uint8Array(VALUE));
    const keys = [...live.map.entries()].map(({ key }) => key[0] | (key[1] << 8));
    expect(keys).toHaveLength(held);
    if (held === maxEntries) expect(keys).toEqual(Array.from({ length: held }, (_unused, i) => i));
  });

  it('takes keys and values of wrong sizes for an error', () => {
    const { map: live } = new LiveMap(lru(type, 4), CPUS);
    const value = new Uint8Array(live.isPerCpu ? VALUE * CPUS : VALUE);
    expect(live.updateBytes(new Uint8Array(3), value, 0)).toBe(-EINVAL);
    expect(live.updateBytes(new Uint8Array(4), value.subarray(1), 0)).toBe(-EINVAL);
    expect(live.lookupBytes(new Uint8Array(5))).toBeUndefined();
    expect(live.deleteBytes(new Uint8Array(5))).toBe(-EINVAL);
  });
});

describe('LRU_HASH', () => {
  it('spares what programs look up, and not what user space looks up', () => {
    const survivors = (isUser: boolean): number => {
      const live = new LiveMap(lru(LRU_HASH, 1024), CPUS);
      for (let i = 0; i < 1024; i++) live.put(u32(i), new Uint8Array(VALUE));
      for (let i = 0; i < 128; i++) {
        if (isUser) live.map.lookupBytes(u32(i));
        else live.get(u32(i));
      }
      for (let i = 2000; i < 2300; i++) live.put(u32(i), new Uint8Array(VALUE));
      return Array.from({ length: 128 }, (_, i) => live.map.lookupBytes(u32(i))).filter((value) => value !== undefined).length;
    };
    expect(survivors(false)).toBe(128);
    expect(survivors(true)).toBe(0);
  });
});

withKernel('LRU maps on one CPU, against the kernel', (kernel) => {
  const cpu0 = new CpuBinding(kernel.syscalls, 0);

  it.each(TYPES)('%s: user space sees the same results, and the same elements evicted', (_, type) => {
    const oneRun = fc.tuple(fc.constantFrom(1, 2, 3, 5, 9, 16), fc.constantFrom(0, BPF_F_NO_COMMON_LRU), stepsOf(20, 150));
    unwrap(cpu0.run(() => fc.assert(
      fc.property(oneRun, ([maxEntries, mapFlags, steps]) => {
        const spec = lru(type, maxEntries, mapFlags);
        const { map: ours } = new LiveMap(spec, kernel.possibleCpus);
        const theirs = new KernelMap(kernel, spec, kernel.mapCreate(spec));
        try {
          for (const [index, { op, key: number, flags }] of steps.entries()) {
            const key = u32(number);
            const value = new Uint8Array(theirs.userValueBytes).fill(index + 1);
            if (op === 'put') expect(ours.updateBytes(key, value, flags)).toBe(theirs.updateBytes(key, value, flags));
            else if (op === 'get') expect(ours.lookupBytes(key)).toEqual(theirs.lookupBytes(key));
            else expect(ours.deleteBytes(key)).toBe(theirs.deleteBytes(key));
          }
          expect(keysOf(ours.entries())).toEqual(keysOf(theirs.entries()));
        } finally {
          theirs.close();
        }
      }),
      { numRuns: 150 },
    )));
  }, 60_000);

  it.each(TYPES.flatMap(([name, type]) => [0, BPF_F_NO_COMMON_LRU].map((flags) => [name, type, flags] as const)))(
    '%s (type %i), flags %i: large ones evict the same elements',
    (_, type, flags) => {
      unwrap(cpu0.run(() => {
        for (const maxEntries of [40, 255, 512, 1000]) {
          const spec = lru(type, maxEntries, flags);
          const { map: ours } = new LiveMap(spec, kernel.possibleCpus, new HostMemory(8));
          const theirs = new KernelMap(kernel, spec, kernel.mapCreate(spec));
          const value = new Uint8Array(theirs.userValueBytes);
          for (let i = 0; i < 4 * maxEntries; i++) {
            // New keys, and every third time one of the last hundred again.
            const key = u32(i % 3 === 0 ? Math.max(0, i - ((i * 37) % 100)) : i);
            expect(ours.updateBytes(key, value, 0)).toBe(theirs.updateBytes(key, value, 0));
            if (i % 211 === 0) expect(ours.deleteBytes(u32(i - 50))).toBe(theirs.deleteBytes(u32(i - 50)));
          }
          expect(keysOf(ours.entries())).toEqual(keysOf(theirs.entries()));
          theirs.close();
        }
      }));
    },
    60_000,
  );

  it.each(TYPES)('%s: programs see the same, their lookups counting as use', (_, type) => {
    const textOf = ({ op, key, flags }: Step, index: number): string => {
      const pointer = `*(u32 *)(r10 - 4) = ${key}\nr1 = map m\nr2 = r10\nr2 += -4`;
      const mix = 'r9 *= 31\nr9 += r0';
      if (op === 'get') return `${pointer}\ncall 1\nif r0 == 0 goto skip${index}\nr0 = *(u64 *)(r0 + 0)\nskip${index}: ${mix}`;
      if (op === 'remove') return `${pointer}\ncall 3\n${mix}`;
      return `*(u64 *)(r10 - 16) = ${index + 1}\n${pointer}\nr3 = r10\nr3 += -16\nr4 = ${flags} ll\ncall 2\n${mix}`;
    };
    unwrap(cpu0.run(() => fc.assert(
      fc.property(fc.constantFrom(1, 3, 5, 8), fc.constantFrom(0, BPF_F_NO_COMMON_LRU), stepsOf(12, 60), (maxEntries, flags, steps) => {
        const text = ['r9 = 0', ...steps.map(textOf), 'r0 = r9', 'r1 = r9', 'r1 >>= 32', 'r0 ^= r1', 'exit'].join('\n');
        using pair = new KernelPair(kernel, textObject(text, [lru(type, maxEntries, flags)]));
        for (let run = 0; run < 3; run++) pair.run({ data: bytes(64) });
        pair.expectSameMaps();
      }),
      { numRuns: 60 },
    )));
  }, 120_000);
});
