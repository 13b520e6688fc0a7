import { closeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { E2BIG, EINVAL, ENOENT } from '../../../src/base/index.js';
import type { QueueStackMap } from '../../../src/vm/maps/queueStackMap.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc } from '../../support/property.js';
import { KernelPair, textObject } from '../support/differential.js';
import { LiveMap, hex, u32 } from './support/liveMap.js';

const TYPES = [['QUEUE', 22], ['STACK', 23]] as const;
const STACK = 23;
const VALUE = 8;
const NO_KEY = new Uint8Array(0);

const spec = (type: number, maxEntries: number) => map('m', type, 0, VALUE, maxEntries);

interface Step {
  readonly op: 'push' | 'pop' | 'peek';
  readonly flags: number;
}

const steps = fc.array(
  fc.record({
    op: fc.constantFrom('push', 'push', 'pop', 'peek'),
    flags: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.constantFrom(1, 2, 2, 3, 4, 0x80000000)),
  }),
  { maxLength: 40 },
);

describe.each(TYPES)('%s', (_, type) => {
  it('is what a plain list says', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), steps, (maxEntries, run) => {
        const live = new LiveMap<QueueStackMap>(spec(type, maxEntries));
        const at = live.memory.reserve('value of the program', VALUE);
        const list: Uint8Array[] = [];
        for (const [index, { op, flags }] of run.entries()) {
          if (op === 'push') {
            const value = new Uint8Array(VALUE).fill(index + 1);
            const isBad = flags !== 0 && flags !== 2;
            const isFull = list.length === maxEntries;
            live.memory.u8.set(value, at);
            expect(live.map.push(at, flags)).toBe(isBad ? -EINVAL : isFull && flags === 0 ? -E2BIG : 0);
            if (isBad || (isFull && flags === 0)) continue;
            if (isFull) list.shift();
            list.push(value);
          } else {
            const next = type === STACK ? list[list.length - 1] : list[0];
            expect(op === 'pop' ? live.map.pop(at) : live.map.peek(at)).toBe(next === undefined ? -ENOENT : 0);
            expect(live.memory.u8.slice(at, at + VALUE)).toEqual(next ?? new Uint8Array(VALUE));
            expect(live.map.lookupBytes(NO_KEY)).toEqual(op === 'peek' ? next : (type === STACK ? list.slice(0, -1).pop() : list[1]));
            if (op === 'pop') list.splice(type === STACK ? list.length - 1 : 0, 1);
          }
        }
        const expected = type === STACK ? list.toReversed() : list;
        expect([...live.map.entries()].map(({ value }) => hex(value))).toEqual(expected.map(hex));
      }),
      { numRuns: 200 },
    );
  });

  it('has no keys and no places', () => {
    const { map: live } = new LiveMap<QueueStackMap>(spec(type, 2));
    expect(live.updateBytes(u32(0), new Uint8Array(VALUE), 0)).toBe(-EINVAL);
    expect(live.updateBytes(NO_KEY, new Uint8Array(VALUE - 1), 0)).toBe(-EINVAL);
    expect(live.updateBytes(NO_KEY, new Uint8Array(VALUE).fill(3), 0)).toBe(0);
    expect(live.lookupBytes(u32(0))).toBeUndefined();
    expect(live.deleteBytes()).toBe(-EINVAL);
    expect([live.lookup(), live.update(), live.delete()]).toEqual([0, -EINVAL, -EINVAL]);
  });
});

withKernel('QUEUE and STACK, against the kernel', (kernel) => {
  const noKey = { ...kernel.syscalls.buffer(8), address: 0 };

  it.each(TYPES)('%s: user space sees the same', (_, type) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), steps, (maxEntries, run) => {
        const { map: ours } = new LiveMap(spec(type, maxEntries));
        const fd = kernel.mapCreate(spec(type, maxEntries));
        const value = kernel.syscalls.buffer(VALUE);
        for (const [index, { op, flags }] of run.entries()) {
          if (op === 'push') {
            value.bytes.fill(index + 1);
            expect(ours.updateBytes(NO_KEY, value.bytes, flags)).toBe(kernel.mapUpdate(fd, noKey, value, flags));
          } else {
            const result = kernel.mapLookup(fd, noKey, value);
            expect(ours.lookupBytes(NO_KEY)).toEqual(result === 0 ? Uint8Array.from(value.bytes) : undefined);
            expect(ours.deleteBytes(NO_KEY)).toBe(kernel.mapDelete(fd, noKey));
          }
        }
        closeSync(fd);
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it.each(TYPES)('%s: programs see the same', (_, type) => {
    const textOf = ({ op, flags }: Step, index: number): string => {
      const value = `*(u64 *)(r10 - 8) = ${index + 1}\nr1 = map m\nr2 = r10\nr2 += -8`;
      const mix = 'r9 *= 31\nr9 += r0';
      if (op === 'push') return `${value}\nr3 = ${flags} ll\ncall 87\n${mix}`;
      return `${value}\ncall ${op === 'pop' ? 88 : 89}\n${mix}\nr0 = *(u64 *)(r10 - 8)\n${mix}`;
    };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), steps, (maxEntries, run) => {
        const text = ['r9 = 0', ...run.map(textOf), 'r0 = r9', 'r1 = r9', 'r1 >>= 32', 'r0 ^= r1', 'exit'].join('\n');
        using pair = new KernelPair(kernel, textObject(text, [spec(type, maxEntries)]));
        for (let again = 0; again < 3; again++) pair.run({ data: bytes(64) });
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
