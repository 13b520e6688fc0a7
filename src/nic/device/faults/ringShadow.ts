import type { HostMemory } from '../../../memory/index.js';

/** Bytes of a ring that a write-back changed: `at` host addresses, `value` what was written, `old` what had been there. */
export interface RingChange {
  readonly at: readonly number[];
  readonly value: number[];
  readonly old: readonly number[];
}

/**
 * Finds out what a write-back changes in the memory of a ring, whatever the format: a copy of the ring before, a comparison after. Only
 * for the few write-backs that a fault strikes.
 */
export class RingShadow {
  readonly #memory: HostMemory;
  #copy = new Uint8Array(0);
  #address = 0;

  constructor(memory: HostMemory) {
    this.#memory = memory;
  }

  /** Remembers the ring. */
  take(address: number, sizeBytes: number): void {
    if (this.#copy.length !== sizeBytes) this.#copy = new Uint8Array(sizeBytes);
    this.#address = address;
    this.#copy.set(this.#memory.u8.subarray(address, address + sizeBytes));
  }

  /** What has changed since. */
  changes(): RingChange {
    const { u8 } = this.#memory;
    const change = { at: [] as number[], value: [] as number[], old: [] as number[] };
    for (let i = 0; i < this.#copy.length; i++) {
      const value = u8[this.#address + i];
      if (value === this.#copy[i]) continue;
      change.at.push(this.#address + i);
      change.value.push(value);
      change.old.push(this.#copy[i]);
    }
    return change;
  }
}

/** Stores bytes at their addresses. */
export function storeBytes({ u8 }: HostMemory, at: readonly number[], bytes: readonly number[]): void {
  for (let i = 0; i < at.length; i++) u8[at[i]] = bytes[i];
}
