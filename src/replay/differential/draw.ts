import { Rng } from '../../base/index.js';

const NOISE_BYTES = 1 << 16;

/** Random bytes that are made once, so that a long random stretch costs no more than a short one. */
export function makeNoise(seed: number): Uint8Array {
  const rng = new Rng(seed);
  return new Uint8Array(Uint32Array.from({ length: NOISE_BYTES / 4 }, () => rng.nextU32()).buffer);
}

/** A seed made of another one and of names (FNV-1a), so that the same program gets the same cases whatever is compared beside it. */
export function seedFor(seed: number, ...names: readonly (string | number)[]): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const byte of Buffer.from(names.join('\0'))) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Random decisions from one seed. */
export class Draw {
  readonly #rng: Rng;
  readonly #noise: Uint8Array;

  constructor(seed: number, noise: Uint8Array) {
    this.#rng = new Rng(seed);
    this.#noise = noise;
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    return this.#rng.below(bound);
  }

  /** A whole number from `low` to `high`, both included; `low` when `high` is below it. */
  between(low: number, high: number): number {
    return low + this.#rng.below(Math.max(1, high - low + 1));
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.#rng.below(times) === 0;
  }

  oneOf<T>(list: readonly T[]): T {
    return list[this.#rng.below(list.length)];
  }

  /** Random bytes, 65535 at most; a view that must not be written to. */
  bytes(length: number): Uint8Array {
    if (length >= this.#noise.length) throw new RangeError(`Draw.bytes: ${length} bytes at once`);
    const start = this.#rng.below(this.#noise.length - length);
    return this.#noise.subarray(start, start + length);
  }
}
