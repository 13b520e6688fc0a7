import { describe, expect, it } from 'vitest';
import { resizeMaps } from '../../../src/vm/loader/resizeMaps.js';
import { map } from '../../replay/support/kernelPrograms.js';

const sizeOf = (type: number, maxEntries: number, asked: Record<string, number> = {}): number => resizeMaps([map('m', type, 0, 0, maxEntries)], asked, 'test.o')[0]!.maxEntries;

describe.each([['RINGBUF', 27], ['USER_RINGBUF', 31]])('%s', (_, type) => {
  // adjust_ringbuf_sz of libbpf, for pages of 4096 bytes.
  it.each([[0, 0], [1, 4096], [4096, 4096], [4097, 8192], [12288, 16384], [262144, 262144], [262145, 524288], [2 ** 31, 2 ** 31], [2 ** 31 + 1, 2 ** 31 + 1]])(
    'of %i bytes gets %i', (asked, expected) => {
      expect(sizeOf(type, asked)).toBe(expected);
      if (asked > 0) expect(sizeOf(type, 4096, { m: asked })).toBe(expected);
    },
  );
});

it('other maps keep their size', () => {
  expect(sizeOf(1, 1000)).toBe(1000);
});
