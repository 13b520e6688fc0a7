/**
 * Seeded randomness: the only source of chance in the engine.
 *
 * xoshiro128** (Blackman and Vigna, 2018) seeded by SplitMix32, on 32-bit integers only so that every platform gives the same stream.
 */
export class Rng {
  #s0: number;
  #s1: number;
  #s2: number;
  #s3: number;

  /** @param seed any integer; only its low 32 bits count. What is none is a RangeError: it would be seed 0 without a word. */
  constructor(seed: number) {
    if (!Number.isInteger(seed)) throw new RangeError(`Rng: ${String(seed)} is no seed, which is an integer`);
    let state = seed >>> 0;
    const splitMix32 = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    this.#s0 = splitMix32();
    this.#s1 = splitMix32();
    this.#s2 = splitMix32();
    this.#s3 = splitMix32();
  }

  /** Next u32. */
  nextU32(): number {
    const s1 = this.#s1;
    const product = Math.imul(s1, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = s1 << 9;
    this.#s2 ^= this.#s0;
    this.#s3 ^= s1;
    this.#s1 ^= this.#s2;
    this.#s0 ^= this.#s3;
    this.#s2 ^= t;
    this.#s3 = (this.#s3 << 11) | (this.#s3 >>> 21);
    return result;
  }

  /** Uniform integer in [0, bound); `bound` from 1 to 2^32. */
  below(bound: number): number {
    if (!(bound >= 1 && bound <= 2 ** 32)) throw new RangeError(`Rng.below: bound ${bound} is outside 1..2^32`);
    return Math.floor((this.nextU32() / 2 ** 32) * bound);
  }
}
