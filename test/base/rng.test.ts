import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/index.js';
import { fc, prop } from '../support/property.js';

const draw = (seed: number, count: number): number[] => {
  const rng = new Rng(seed);
  return Array.from({ length: count }, () => rng.nextU32());
};

/** xoshiro128** and SplitMix32 once more, on BigInts, as their authors' papers have them. */
function reference(seed: number, count: number): number[] {
  const u32 = (value: bigint): bigint => value & 0xffffffffn;
  const rotl = (value: bigint, bits: bigint): bigint => u32((value << bits) | (value >> (32n - bits)));
  let state = u32(BigInt(seed));
  const s = Array.from({ length: 4 }, () => {
    state = u32(state + 0x9e3779b9n);
    let z = state;
    z = u32((z ^ (z >> 16n)) * 0x21f0aaadn);
    z = u32((z ^ (z >> 15n)) * 0x735a2d97n);
    return z ^ (z >> 15n);
  });
  return Array.from({ length: count }, () => {
    const result = u32(rotl(u32(s[1] * 5n), 7n) * 9n);
    const t = u32(s[1] << 9n);
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11n);
    return Number(result);
  });
}

describe('Rng', () => {
  prop([fc.integer({ min: 0, max: 2 ** 32 - 1 })])('gives the stream of xoshiro128**', (seed) => {
    expect(draw(seed, 20)).toEqual(reference(seed, 20));
  });

  it('different seeds give different streams, equal ones the same', () => {
    expect(draw(1, 8)).toEqual(draw(1, 8));
    expect(draw(1, 8)).not.toEqual(draw(2, 8));
    expect(draw(2 ** 32 + 1, 8)).toEqual(draw(1, 8));
  });

  prop([fc.integer(), fc.integer({ min: 1, max: 2 ** 32 })])('below stays below', (seed, bound) => {
    const rng = new Rng(seed);
    for (let i = 0; i < 50; i++) {
      const value = rng.below(bound);
      expect(Number.isInteger(value) && value >= 0 && value < bound).toBe(true);
    }
  });

  it('below is uniform enough: 60000 throws of a die', () => {
    const rng = new Rng(7);
    const faces = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 60_000; i++) faces[rng.below(6)]++;
    for (const count of faces) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });

  it.each([0, -1, 2 ** 32 + 1, NaN])('a bound of %d is a programmer error', (bound) => {
    expect(() => new Rng(1).below(bound)).toThrow(RangeError);
  });
});
