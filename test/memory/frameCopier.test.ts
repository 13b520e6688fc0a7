import { describe, expect, test } from 'vitest';
import { COPY_ROW_BYTES, FrameCopier, HostMemory } from '../../src/memory/index.js';

/** Memory with `rows` written to a list. */
function setup(rows: (base: number) => [dst: number, src: number, length: number][]) {
  const memory = new HostMemory(1);
  const base = memory.reserve('bytes', 4096);
  for (let i = 0; i < 4096; i++) memory.u8[base + i] = i % 251;
  const written = rows(base);
  const list = memory.reserve('list', COPY_ROW_BYTES * written.length);
  memory.u32.set(written.flat(), list / 4);
  return { memory, base, list, count: written.length };
}

describe('FrameCopier', () => {
  test('copies each row, in order, also a row that reads what an earlier one wrote', () => {
    const { memory, base, list, count } = setup((b) => [
      [b + 1001, b, 64],
      [b + 2003, b + 1001, 64],
      [b + 3000, b + 7, 0],
    ]);
    const before = memory.u8.slice(base, base + 4096);
    new FrameCopier(memory).copy(list, count);
    expect(memory.u8.slice(base + 1001, base + 1065)).toEqual(before.slice(0, 64));
    expect(memory.u8.slice(base + 2003, base + 2067)).toEqual(before.slice(0, 64));
    expect(memory.u8[base + 1000]).toBe(before[1000]);
    expect(memory.u8[base + 2067]).toBe(before[2067]);
    expect(memory.u8[base + 3000]).toBe(before[3000]);
  });

  test('copies overlapping bytes as memmove does', () => {
    const { memory, base, list, count } = setup((b) => [[b + 1, b, 100]]);
    const before = memory.u8.slice(base, base + 100);
    new FrameCopier(memory).copy(list, count);
    expect(memory.u8.slice(base + 1, base + 101)).toEqual(before);
  });

  test('an empty list copies nothing', () => {
    const { memory, base, list } = setup((b) => [[b, b + 1, 8]]);
    const before = memory.u8.slice(base, base + 16);
    new FrameCopier(memory).copy(list, 0);
    expect(memory.u8.slice(base, base + 16)).toEqual(before);
  });

  test('a row that leaves host memory traps', () => {
    const { memory, list } = setup((b) => [[b, 2 ** 20 - 4, 8]]);
    expect(() => new FrameCopier(memory).copy(list, 1)).toThrow(WebAssembly.RuntimeError);
  });
});
