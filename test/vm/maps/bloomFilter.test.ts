import { closeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EINVAL, ENOENT, EOPNOTSUPP } from '../../../src/base/index.js';
import type { BloomFilter } from '../../../src/vm/maps/bloomFilter.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc } from '../../support/property.js';
import { KernelPair, textObject } from '../support/differential.js';
import { LiveMap } from './support/liveMap.js';

const BLOOM_FILTER = 30;
const BPF_F_ZERO_SEED = 1 << 6;
const NO_KEY = new Uint8Array(0);

const spec = (valueSize: number, maxEntries: number) => map('m', BLOOM_FILTER, 0, valueSize, maxEntries, { flags: BPF_F_ZERO_SEED });

/** Any value that begins with a number. */
function valueOf(number: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i === 0 ? number : i === 1 ? number >>> 8 : number * i) & 0xff);
}

describe('BLOOM_FILTER', () => {
  it('knows every value that was pushed, and few others', () => {
    const { map: filter } = new LiveMap<BloomFilter>(spec(4, 1000));
    for (let i = 0; i < 1000; i++) expect(filter.updateBytes(NO_KEY, valueOf(i, 4), 0)).toBe(0);
    const known = (from: number, to: number): number => {
      let count = 0;
      for (let i = from; i < to; i++) if (filter.peekBytes(valueOf(i, 4)) === 0) count++;
      return count;
    };
    expect(known(0, 1000)).toBe(1000);
    expect(known(10_000, 20_000)).toBeLessThan(1000);
  });

  it('has no keys, lists nothing, and gives nothing back', () => {
    const { map: filter } = new LiveMap<BloomFilter>(spec(4, 1));
    expect(filter.peekBytes(new Uint8Array(4))).toBe(-ENOENT);
    expect(filter.updateBytes(new Uint8Array(4), new Uint8Array(4), 0)).toBe(-EINVAL);
    expect(filter.updateBytes(NO_KEY, new Uint8Array(3), 0)).toBe(-EINVAL);
    expect(filter.updateBytes(NO_KEY, new Uint8Array(4), 1)).toBe(-EINVAL);
    expect(filter.peekBytes(new Uint8Array(5))).toBe(-EINVAL);
    expect([filter.pop(), filter.lookup(), filter.update(), filter.delete(), filter.deleteBytes()]).toEqual([-EOPNOTSUPP, 0, -EINVAL, -EOPNOTSUPP, -EOPNOTSUPP]);
    expect([filter.lookupBytes(), ...filter.entries()]).toEqual([undefined]);
  });
});

it('map_extra is the number of hash functions, 15 at the most', () => {
  expect(() => new LiveMap<BloomFilter>({ ...spec(4, 1), mapExtra: 16 })).toThrow(/EINVAL\): map_extra is 16/);
});

withKernel('BLOOM_FILTER without a seed, against the kernel', (kernel) => {
  const noKey = { ...kernel.syscalls.buffer(8), address: 0 };

  it('has the same false positives, for any size of value and filter', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 60 }), fc.constantFrom(0, 0, 1, 2), fc.integer({ min: 0, max: 15 }), (valueSize, maxEntries, flags, mapExtra) => {
        const definition = { ...spec(valueSize, maxEntries), mapExtra };
        const { map: ours } = new LiveMap<BloomFilter>(definition);
        const fd = kernel.mapCreate(definition);
        const value = kernel.syscalls.buffer(valueSize);
        for (let i = 0; i < maxEntries * 2; i++) {
          value.bytes.set(valueOf(i * 3, valueSize));
          expect(ours.updateBytes(NO_KEY, value.bytes, flags)).toBe(kernel.mapUpdate(fd, noKey, value, flags));
        }
        expect(ours.deleteBytes()).toBe(kernel.mapDelete(fd, noKey));
        for (let i = 0; i < 300; i++) {
          value.bytes.set(valueOf(i, valueSize));
          expect(ours.peekBytes(value.bytes)).toBe(kernel.mapLookup(fd, noKey, value));
        }
        closeSync(fd);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it('gives programs the same answers', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 30 }), fc.constantFrom(0, 0, 0, 1)), { maxLength: 40 }), (run) => {
        const textOf = ([isPush, number, flags]: readonly [boolean, number, number]): string =>
          `*(u64 *)(r10 - 8) = ${number}\nr1 = map m\nr2 = r10\nr2 += -8\n${isPush ? `r3 = ${flags}\ncall 87` : 'call 89'}\nr9 *= 31\nr9 += r0`;
        const text = ['r9 = 0', ...run.map(textOf), 'r0 = r9', 'r1 = r9', 'r1 >>= 32', 'r0 ^= r1', 'exit'].join('\n');
        using pair = new KernelPair(kernel, textObject(text, [spec(8, 2)]));
        for (let again = 0; again < 2; again++) pair.run({ data: bytes(64) });
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
