import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { isRingSize, Ring } from '../../src/umem/index.js';

const newRing = (size: number, entryBytes = 8): Ring => new Ring(new HostMemory(4), 'ring', size, entryBytes);

describe('Ring', () => {
  it('lies in memory as XDP_MMAP_OFFSETS says: producer 0, consumer 128, flags 196, entries from 320', () => {
    const memory = new HostMemory(1);
    const ring = new Ring(memory, 'FILL ring', 4, 8);
    ring.producer = 0x11223344;
    ring.consumer = 0x55667788;
    ring.flags = 1;
    expect(ring.address % 4096).toBe(0);
    expect(memory.view.getUint32(ring.address, true)).toBe(0x11223344);
    expect(memory.view.getUint32(ring.address + 128, true)).toBe(0x55667788);
    expect(memory.view.getUint32(ring.address + 196, true)).toBe(1);
    expect([0, 1, 2, 3, 4, 5].map((index) => ring.entryAddress(index) - ring.address)).toEqual([320, 328, 336, 344, 320, 328]);
    expect(memory.describe(ring.address + 320 + 31)).toBe('351 bytes into FILL ring');
  });

  it.each([[0, false], [1, true], [2, true], [3, false], [64, true], [65536, true], [131072, false], [-1, false], [2.5, false], [NaN, false], [2 ** 32, false]])(
    'a ring of %d entries: %s',
    (size, isFine) => {
      expect(isRingSize(size)).toBe(isFine);
      if (!isFine) expect(() => newRing(size)).toThrow(RangeError);
    },
  );

  it('that does not fit is a problem', () => {
    expect(() => new Ring(new HostMemory(1), 'RX ring', 65536, 16)).toThrow(ProblemError);
  });

  it.each([1, 2, 8])('of %d entries: empty, then full, then empty, across the end of u32', (size) => {
    for (const start of [0, 0xffffffff, 2 ** 32 - size, 0x7fffffff]) {
      const ring = newRing(size);
      ring.producer = start;
      ring.consumer = start;
      expect([ring.isEmpty, ring.used]).toEqual([true, 0]);
      for (let i = 1; i <= size; i++) {
        ring.producer = ring.producer + 1;
        expect([ring.isEmpty, ring.used]).toEqual([false, i]);
      }
      for (let i = size - 1; i >= 0; i--) {
        ring.consumer = ring.consumer + 1;
        expect([ring.isEmpty, ring.used]).toEqual([i === 0, i]);
      }
      expect(ring.producer).toBe((start + size) % 2 ** 32);
    }
  });

  it('the slots on both sides of the wrap are neighbours', () => {
    const ring = newRing(4);
    const slot = (index: number): number => (ring.entryAddress(index) - ring.address - 320) / 8;
    expect([0xfffffffe, 0xffffffff, 0, 1].map(slot)).toEqual([2, 3, 0, 1]);
  });
});
