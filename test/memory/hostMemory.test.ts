import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../src/base/index.js';
import { HostMemory, PAGE_BYTES, pageOf } from '../../src/memory/index.js';
import { fc, prop } from '../support/property.js';

const MIB = 2 ** 20;

describe('HostMemory', () => {
  it('never hands out the first 64 KiB', () => {
    const memory = new HostMemory(1);
    expect(memory.reserve('first', 1, 1)).toBe(65536);
  });

  it('describes the NULL page, a region, its end and what nobody reserved', () => {
    const memory = new HostMemory(1);
    expect(memory.describe(70_000)).toBe('unmapped address 0x11170');
    const map = memory.reserve('map counters', 64, 4096);
    const ring = memory.reserve('RX ring 0', 32, 4096);
    expect(memory.describe(0)).toBe('NULL');
    expect(memory.describe(8)).toBe('NULL plus 8');
    expect(memory.describe(65535)).toBe('NULL plus 65535');
    expect(memory.describe(map + 63)).toBe('63 bytes into map counters');
    expect(memory.describe(map + 64)).toBe('0 bytes beyond the end of map counters');
    expect(memory.describe(ring)).toBe('0 bytes into RX ring 0');
    expect(memory.describe(0xffffffff)).toMatch(/bytes beyond the end of RX ring 0$/);
  });

  prop([fc.array(fc.record({ size: fc.integer({ min: 1, max: 5000 }), align: fc.constantFrom(1, 2, 8, 64, 4096) }), { maxLength: 40 })])(
    'regions are aligned, apart from each other and found by every address in them',
    (requests) => {
      const memory = new HostMemory(1);
      let end = 65536;
      requests.forEach(({ size, align }, i) => {
        const address = memory.reserve(`region ${i}`, size, align);
        expect(address % align).toBe(0);
        expect(address).toBeGreaterThanOrEqual(end);
        end = address + size;
        expect(memory.describe(address)).toBe(`0 bytes into region ${i}`);
        expect(memory.describe(end - 1)).toBe(`${size - 1} bytes into region ${i}`);
      });
    },
  );

  it('can be reserved to the last byte and not beyond', () => {
    const memory = new HostMemory(1);
    const rest = MIB - 65536;
    const mark = memory.mark();
    expect(memory.reserve('all', rest, 1)).toBe(65536);
    expect(() => memory.reserve('one more', 1, 1)).toThrow(ProblemError);
    memory.release(mark);
    expect(() => memory.reserve('too much', rest + 1, 1)).toThrow(ProblemError);
    expect(memory.reserve('all again', rest, 1)).toBe(65536);
  });

  it('exhaustion is a problem that names the region, what it needs and what is left', () => {
    const memory = new HostMemory(1);
    let problem;
    try {
      memory.reserve('map flows', 2 * MIB);
    } catch (error) {
      problem = (error as ProblemError).problem;
    }
    expect(problem).toMatchObject({
      code: 'host-memory-exhausted',
      message: `map flows needs ${2 * MIB} bytes, but only ${MIB - 65536} of the ${MIB} bytes of host memory are left`,
    });
    expect(problem?.hint).toBeDefined();
  });

  it('release takes back and zeroes everything since the mark, and nothing before it', () => {
    const memory = new HostMemory(1);
    const kept = memory.reserve('kept', 100);
    memory.u8.fill(0xaa, kept, kept + 100);
    const mark = memory.mark();
    const gone = memory.reserve('gone', 100, 4096);
    memory.u8.fill(0xbb, gone, gone + 100);
    memory.release(mark);
    expect(memory.u8.subarray(kept, kept + 100).every((byte) => byte === 0xaa)).toBe(true);
    expect(memory.u8.subarray(gone, gone + 100).every((byte) => byte === 0)).toBe(true);
    expect(memory.describe(gone)).toMatch(/beyond the end of kept$/);
    expect(memory.mark()).toBe(mark);
    expect(memory.reserve('next', 8)).toBeLessThan(gone);
  });

  it('a mark of no use is a programmer error', () => {
    const memory = new HostMemory(1);
    expect(() => memory.release(0)).toThrow(RangeError);
    expect(() => memory.release(memory.mark() + 1)).toThrow(RangeError);
  });

  it.each([0, -1, 1.5, NaN, 4096])('a size of %d MiB is a programmer error', (size) => {
    expect(() => new HostMemory(size)).toThrow(RangeError);
  });

  it.each([0, -8, 1.5, NaN])('a region of %d bytes is a programmer error', (size) => {
    expect(() => new HostMemory(1).reserve('region', size)).toThrow(RangeError);
  });

  it('its views show the same bytes', () => {
    const memory = new HostMemory(1);
    const at = memory.reserve('word', 8);
    memory.u32[at / 4] = 0x80706050;
    expect(memory.u8[at]).toBe(0x50);
    expect(memory.u16[at / 2 + 1]).toBe(0x8070);
    expect(memory.i32[at / 4]).toBe(0x80706050 | 0);
    expect(memory.view.getUint32(at, true)).toBe(0x80706050);
    expect(memory.sizeBytes).toBe(MIB);
  });
});

describe('pageOf', () => {
  it.each([[0, 0], [4095, 0], [4096, 4096], [0x9000_0123, 0x9000_0000], [0xffff_ffff, 0xffff_f000]])('%i lies in the page at %i', (address, page) => {
    expect(pageOf(address)).toBe(page);
    expect(address - pageOf(address)).toBeLessThan(PAGE_BYTES);
  });
});
