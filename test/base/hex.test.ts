import { describe, expect, it } from 'vitest';
import { fromHex, hex, toHex, toSpacedHex } from '../../src/base/index.js';
import { fc, prop } from '../support/property.js';

describe('hex', () => {
  prop([fc.uint8Array({ maxLength: 64 })])('bytes come back', (bytes) => {
    expect(fromHex(toHex(bytes))).toEqual(bytes);
    expect(fromHex(toHex(bytes).toUpperCase().replace(/(..)/g, '$1 '))).toEqual(bytes);
  });

  prop([fc.uint8Array({ maxLength: 64 })])('with spaces it is the same', (bytes) => {
    expect(toSpacedHex(bytes).replaceAll(' ', '')).toBe(toHex(bytes));
    expect(toSpacedHex(bytes)).toHaveLength(Math.max(0, bytes.length * 3 - 1));
  });

  it('takes a view of a larger buffer for what it is', () => {
    expect(toHex(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toBe('0203');
  });

  it.each(['0', '0g', '012', '0x01', '-1'])('%j is no hex', (text) => {
    expect(fromHex(text)).toBeUndefined();
  });

  it.each([[0, '0x0'], [8000, '0x1f40'], [-1, '0xffffffff'], [2 ** 32 - 1, '0xffffffff']])('%i is printed as %s', (value, text) => {
    expect(hex(value)).toBe(text);
  });
});
