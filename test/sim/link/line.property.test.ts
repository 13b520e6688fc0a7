import { describe, expect, it } from 'vitest';
import { Line } from '../../../src/sim/index.js';
import { fc, prop } from '../../support/property.js';

/** Preamble, padding and check sequence by IEEE 802.3, bits; 96 more until the next preamble. */
const bitsOf = (lenBytes: number): bigint => BigInt((8 + Math.max(lenBytes, 60) + 4) * 8);

describe('Line', () => {
  it('takes 67.2 ns for a frame of 64 bytes with its check sequence at 10 Gbit/s: 14.88 million a second', () => {
    const line = new Line(10e9);
    const ends = Array.from({ length: 6 }, () => line.send(0, 60));
    // The first ends after 72 bytes, each one after it 84 bytes later; 57.6 + 67.2 n, rounded up.
    expect(ends).toEqual([58, 125, 192, 260, 327, 394]);
    expect(line.startNs(0)).toBe(404);
    const second = new Line(10e9);
    let frames = 0;
    while (second.send(0, 60) <= 1e6) frames++;
    expect(frames).toBe(14_881);
  });

  it('starts anew after a pause, at the moment that the frame comes', () => {
    const line = new Line(3e9);
    const first = line.send(0, 60);
    expect(line.send(1000, 60) - 1000).toBe(first);
  });

  it('a frame that comes within the gap waits for its end', () => {
    const line = new Line(1e9);
    // 72 bytes are 576 ns, the gap of 12 bytes ends at 672 ns.
    expect(line.send(0, 60)).toBe(576);
    expect(line.startNs(600)).toBe(672);
    expect(line.send(600, 60)).toBe(672 + 576);
  });

  it('without a rate frames take no time', () => {
    const line = new Line(0);
    expect([line.send(5, 60), line.send(5, 9000), line.send(7, 60), line.startNs(9)]).toEqual([5, 5, 7, 9]);
  });

  const frames = fc.array(fc.record({ gapNs: fc.oneof(fc.constant(0), fc.nat(200), fc.nat(100_000)), lenBytes: fc.integer({ min: 14, max: 73_728 }) }), { maxLength: 200 });
  const rate = fc.oneof(fc.constantFrom(1, 10e6, 100e6, 1e9, 2.5e9, 10e9, 25e9, 40e9, 100e9, 400e9, 1e13), fc.integer({ min: 1000, max: 1e12 }));

  prop([rate, frames], { numRuns: 300 })('is exact, however many frames went before', (rateBitsPerS, list) => {
    const line = new Line(rateBitsPerS);
    const rateN = BigInt(rateBitsPerS);
    let nowNs = 0;
    // In units of 1/rate ns.
    let free = 0n;
    for (const { gapNs, lenBytes } of list) {
      nowNs += gapNs;
      const now = BigInt(nowNs) * rateN;
      const start = free > now ? free : now;
      const end = start + bitsOf(lenBytes) * 1_000_000_000n;
      if (end / rateN > 2n ** 53n) return;
      expect(line.startNs(nowNs)).toBe(Number((start + rateN - 1n) / rateN));
      expect(line.send(nowNs, lenBytes)).toBe(Number((end + rateN - 1n) / rateN));
      free = end + 96n * 1_000_000_000n;
    }
  });
});
