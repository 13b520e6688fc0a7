import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { AddressRing, DescriptorRing, isRingSize, Ring, XDP_PKT_CONTD } from '../../src/umem/index.js';

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
      expect([ring.isEmpty, ring.isFull, ring.used]).toEqual([true, false, 0]);
      for (let i = 1; i <= size; i++) {
        ring.producer = ring.producer + 1;
        expect([ring.isEmpty, ring.isFull, ring.used]).toEqual([false, i === size, i]);
      }
      for (let i = size - 1; i >= 0; i--) {
        ring.consumer = ring.consumer + 1;
        expect([ring.isEmpty, ring.isFull, ring.used]).toEqual([i === 0, false, i]);
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

describe('AddressRing', () => {
  it('an entry is a u64', () => {
    const memory = new HostMemory(1);
    const addresses = new AddressRing(memory, 'FILL ring', 2);
    memory.u8.fill(0xaa, addresses.ring.address + 320, addresses.ring.address + 336);
    expect(addresses.produce(0x12345678)).toBe(true);
    expect(memory.view.getBigUint64(addresses.ring.address + 320, true)).toBe(0x12345678n);
  });

  it('refuses when full, gives -1 when empty', () => {
    const addresses = new AddressRing(new HostMemory(1), 'FILL ring', 2);
    expect([addresses.produce(0), addresses.produce(2048), addresses.produce(4096)]).toEqual([true, true, false]);
    expect([addresses.consume(), addresses.consume(), addresses.consume()]).toEqual([0, 2048, -1]);
  });

  it('an address beyond 32 bits reads as one that no UMEM contains', () => {
    const memory = new HostMemory(1);
    const addresses = new AddressRing(memory, 'FILL ring', 2);
    memory.view.setBigUint64(addresses.ring.address + 320, 0x1_0000_0000n, true);
    addresses.ring.producer = 1;
    expect(addresses.consume()).toBe(0xffffffff);
  });
});

describe('DescriptorRing', () => {
  it('an entry is { u64 addr, u32 len, u32 options }', () => {
    const memory = new HostMemory(1);
    const descriptors = new DescriptorRing(memory, 'RX ring', 2);
    const entry = descriptors.ring.address + 320;
    memory.u8.fill(0xaa, entry, entry + 32);
    descriptors.produce(0x01020304, 0x05060708, XDP_PKT_CONTD);
    expect([...memory.u8.subarray(entry, entry + 16)]).toEqual([4, 3, 2, 1, 0, 0, 0, 0, 8, 7, 6, 5, 1, 0, 0, 0]);
    expect(memory.u8[entry + 16]).toBe(0xaa);
  });

  it('peek does not take, release does', () => {
    const descriptors = new DescriptorRing(new HostMemory(1), 'TX ring', 1);
    const desc = { addr: 0, len: 0, options: 0 };
    expect(descriptors.peek(desc)).toBe(false);
    expect([descriptors.produce(4096, 60, 0), descriptors.produce(0, 60, 0)]).toEqual([true, false]);
    expect(descriptors.peek(desc) && descriptors.peek(desc)).toBe(true);
    expect(desc).toEqual({ addr: 4096, len: 60, options: 0 });
    descriptors.release();
    expect(descriptors.peek(desc)).toBe(false);
  });

  it('an address beyond 32 bits reads as -1', () => {
    const memory = new HostMemory(1);
    const descriptors = new DescriptorRing(memory, 'TX ring', 2);
    memory.view.setBigUint64(descriptors.ring.address + 320, 0xffff_ffff_ffff_fffen, true);
    descriptors.ring.producer = 1;
    const desc = { addr: 0, len: 0, options: 0 };
    expect([descriptors.peek(desc), desc.addr]).toEqual([true, -1]);
  });
});

describe('rings are first in, first out', () => {
  const size = fc.constantFrom(1, 2, 4, 16);
  const start = fc.oneof(fc.constantFrom(0, 0xfffffff0, 0xffffffff, 0x7fffffff), fc.integer({ min: 0, max: 0xffffffff }));

  test.prop([size, start, fc.array(fc.boolean(), { maxLength: 100 })])('from any index on', (entries, index, isProduce) => {
    const memory = new HostMemory(1);
    const addresses = new AddressRing(memory, 'addresses', entries);
    const descriptors = new DescriptorRing(memory, 'descriptors', entries);
    for (const { ring } of [addresses, descriptors]) {
      ring.producer = index;
      ring.consumer = index;
    }
    const model: number[] = [];
    const desc = { addr: 0, len: 0, options: 0 };
    isProduce.forEach((produce, step) => {
      if (produce) {
        const fits = model.length < entries;
        expect([addresses.produce(step), descriptors.produce(step, step + 1, 0)]).toEqual([fits, fits]);
        if (fits) model.push(step);
      } else {
        const expected = model.shift();
        expect(addresses.consume()).toBe(expected ?? -1);
        expect(descriptors.peek(desc)).toBe(expected !== undefined);
        if (expected === undefined) return;
        expect(desc).toEqual({ addr: expected, len: expected + 1, options: 0 });
        descriptors.release();
      }
      expect([addresses.ring.used, descriptors.ring.used]).toEqual([model.length, model.length]);
    });
  });
});
