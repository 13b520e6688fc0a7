import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CompletionRing, FillRing } from '../../src/xsk/index.js';
import { BareRing } from './support.js';

// Rings of 1 to 64 entries whose indices begin just before 2^32, or anywhere.
const ring = fc.record({ shift: fc.integer({ min: 0, max: 6 }), start: fc.oneof(fc.integer({ min: 2 ** 32 - 40, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })) });
const count = fc.integer({ min: 0, max: 70 });

type ProducerStep = { readonly what: 'reserve' | 'cancel' | 'submit' | 'take'; readonly count: number };
type ConsumerStep = { readonly what: 'put' | 'peek' | 'cancel' | 'release'; readonly count: number };

describe('a ring that the application fills', () => {
  const steps = fc.array(fc.record<ProducerStep>({ what: fc.constantFrom('reserve', 'cancel', 'submit', 'take'), count }), { minLength: 1, maxLength: 80 });

  it('is a queue: reserves all or nothing, never more than is free, and what is cancelled was never there', () => {
    fc.assert(
      fc.property(ring, steps, ({ shift, start }, walk) => {
        const size = 2 ** shift;
        const bare = new BareRing(size, 8, start);
        const fill = new FillRing(bare.mapped);
        // The model: what was written and not submitted, and what the kernel sees.
        const reserved: bigint[] = [];
        const seen: bigint[] = [];
        let next = 0;
        for (const { what, count } of walk) {
          if (what === 'reserve') {
            const free = size - seen.length - reserved.length;
            const before = fill.nbFree(0);
            expect(before).toBeLessThanOrEqual(free);
            const got = fill.reserve(count);
            expect(got).toBe(count <= free ? count : 0);
            for (let i = 0; i < got; i++) {
              next += 4096 * 0x100001;
              fill.setAddr(fill.index + i, next);
              reserved.push(BigInt(next));
            }
          } else if (what === 'cancel') {
            const n = Math.min(count, reserved.length);
            fill.cancel(n);
            reserved.splice(reserved.length - n);
          } else if (what === 'submit') {
            const n = Math.min(count, reserved.length);
            fill.submit(n);
            seen.push(...reserved.splice(0, n));
          } else {
            for (let n = Math.min(count, seen.length); n > 0; n--) expect(bare.consume()).toBe(seen.shift());
          }
          expect(bare.used).toBe(seen.length);
        }
        while (seen.length > 0) expect(bare.consume()).toBe(seen.shift());
      }),
      { numRuns: 500 },
    );
  });
});

describe('a ring that the kernel fills', () => {
  const steps = fc.array(fc.record<ConsumerStep>({ what: fc.constantFrom('put', 'peek', 'cancel', 'release'), count }), { minLength: 1, maxLength: 80 });

  it('is a queue: never peeks at more than there is, and what is cancelled comes again', () => {
    fc.assert(
      fc.property(ring, steps, ({ shift, start }, walk) => {
        const size = 2 ** shift;
        const bare = new BareRing(size, 8, start);
        const completion = new CompletionRing(bare.mapped);
        const waiting: bigint[] = [];
        const peeked: bigint[] = [];
        // Entries that the ring knows of without another look.
        let known = 0;
        let next = 0n;
        for (const { what, count } of walk) {
          if (what === 'put') {
            for (let n = Math.min(count, size - waiting.length - peeked.length); n > 0; n--) {
              next += 0x0003_0000_1000_0010n;
              bare.produce(BigInt.asUintN(64, next));
              waiting.push(BigInt.asUintN(64, next));
            }
          } else if (what === 'peek') {
            if (known === 0) known = waiting.length;
            const expected = Math.min(count, known);
            expect(completion.peek(count)).toBe(expected);
            for (let i = 0; i < expected; i++) {
              const entry = waiting.shift()!;
              const index = completion.index + i;
              expect([BigInt(completion.addr(index)), BigInt(completion.offset(index))]).toEqual([BigInt.asUintN(48, entry), entry >> 48n]);
              expect(completion.dataAddr(index)).toBe(Number(BigInt.asUintN(48, entry) + (entry >> 48n)));
              peeked.push(entry);
            }
            known -= expected;
          } else if (what === 'cancel') {
            const n = Math.min(count, peeked.length);
            completion.cancel(n);
            waiting.unshift(...peeked.splice(peeked.length - n));
            known += n;
          } else {
            const n = Math.min(count, peeked.length);
            completion.release(n);
            peeked.splice(0, n);
          }
          expect(bare.used).toBe(waiting.length + peeked.length);
        }
      }),
      { numRuns: 500 },
    );
  });
});
