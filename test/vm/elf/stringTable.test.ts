import { expect, test } from 'vitest';
import { ProblemError } from '../../../src/base/index.js';
import { StringTable } from '../../../src/vm/elf/stringTable.js';

const table = (text: string): StringTable => new StringTable(Buffer.from(text), 'btf', 'prog.o, section .BTF');

test('strings end at their zero and may share their tail', () => {
  const strings = table('\0alpha\0');
  expect([strings.name(0), strings.name(1), strings.name(3)]).toEqual(['', 'alpha', 'pha']);
});

test.each([
  ['outside', '\0a\0', 3],
  ['no end', '\0abc', 1],
  ['empty table', '', 0],
  ['too long', `\0${'x'.repeat(5000)}\0`, 1],
  ['escape codes', '\0\u001b[31mred\0', 1],
])('a name is refused: %s', (_, text, offset) => {
  expect(() => table(text).name(offset)).toThrow(ProblemError);
});

test('source text is cut and blanked, not refused', () => {
  expect(table(`\0${'y'.repeat(5000)}\0`).text(1)).toBe('y'.repeat(1024));
  expect(table('\0\tint x; \u001b[2J\0').text(1)).toBe('\tint x;  [2J');
});

test('overlapping strings can not multiply the work', () => {
  const strings = table(`${'z'.repeat(1 << 20)}\0`);
  expect(() => {
    for (let offset = 0; offset < 1 << 20; offset++) strings.text(offset);
  }).toThrow('64 MiB');
});
