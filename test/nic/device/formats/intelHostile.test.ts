import { describe, expect } from 'vitest';
import { HostMemory } from '../../../../src/memory/index.js';
import { DESC_EOP, DescriptorBatch } from '../../../../src/nic/index.js';
import { iceFormat } from '../../../../src/nic/device/formats/ice.js';
import { i40eFormat } from '../../../../src/nic/device/formats/i40e.js';
import { igbFormat, igcFormat, ixgbeFormat } from '../../../../src/nic/device/formats/intelAdvanced.js';
import { fc, prop } from '../../../support/property.js';
import { makeRing } from './formatSupport.js';

const MEMORY = new HostMemory(2);
const MARK = MEMORY.mark();
const SIZE = 7;
const WORDS = SIZE * 8;

const word = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0x20200c00, 0x2b30003c, 0x2230003c, 0x3000300f, 0x30, 0));
const words = fc.array(word, { minLength: WORDS, maxLength: WORDS });

describe.each([igbFormat, igcFormat, ixgbeFormat, i40eFormat, iceFormat])('a ring of $name full of anything', (format) => {
  prop([words, fc.nat(30), fc.nat(SIZE - 1)])('gives the driver lengths and tags of 16 bits, and no more descriptors than it asked for', (content, first, limit) => {
    MEMORY.release(MARK);
    const ring = makeRing(format, 'rx', SIZE, MEMORY);
    MEMORY.u32.set(content.slice(0, SIZE * (format.rxDescriptorBytes / 4)), ring.driver.address >>> 2);
    const batch = new DescriptorBatch(SIZE);
    const polled = format.rxPoll(MEMORY, ring.driver, first, limit, batch);
    expect(polled).toBeLessThanOrEqual(limit);
    for (let i = 0; i < polled; i++) {
      for (const value of [batch.lenBytes[i], batch.vlanTci[i]]) expect(value >= 0 && value <= 0xffff).toBe(true);
      expect(Number.isFinite(batch.timestampNs[i])).toBe(true);
    }
  });

  prop([words, fc.nat(30), fc.nat(SIZE - 1)])('gives the device no more slots than there are, and offsets within a header', (content, first, slots) => {
    MEMORY.release(MARK);
    const ring = makeRing(format, 'tx', SIZE, MEMORY);
    MEMORY.u32.set(content.slice(0, SIZE * 4), ring.driver.address >>> 2);
    const batch = new DescriptorBatch(SIZE);
    format.txFetch(MEMORY, ring.device, first, slots, batch);
    let taken = 0;
    for (let i = 0; i < batch.count; i++) {
      taken += batch.slots[i];
      expect(batch.lenBytes[i] >= 0 && batch.lenBytes[i] <= 0xffff).toBe(true);
      expect(batch.csumStart[i]).toBeLessThanOrEqual(127 * 2 + 511);
    }
    expect(taken).toBeLessThanOrEqual(slots);
    // What the device then marks as done is what the driver may see as done.
    format.txWriteBack(MEMORY, ring.device, first, slots);
    const done = format.txPoll(MEMORY, ring.driver, first, slots);
    expect(done).toBeLessThanOrEqual(slots);
    if (done > 0) expect([...batch.flags.subarray(0, batch.count)].some((flags) => (flags & DESC_EOP) !== 0)).toBe(true);
  });

  prop([fc.integer(), fc.nat(2 ** 40), fc.nat(64)])('believes any doorbell, modulo its size', (doorbell, head, limit) => {
    MEMORY.release(MARK);
    const ring = makeRing(format, 'tx', SIZE, MEMORY);
    const available = format.txAvailable(MEMORY, ring.device, head, doorbell, limit);
    expect(available >= 0 && available <= Math.min(limit, SIZE - 1)).toBe(true);
  });
});
