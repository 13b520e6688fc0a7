import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { catchProblem, formatProblem, unwrap } from '../../../src/base/index.js';
import { readBtf } from '../../../src/vm/btf/readBtf.js';
import { readBtfExt } from '../../../src/vm/btf/readBtfExt.js';
import { STT_FUNC } from '../../../src/vm/elf/elfFile.js';
import { readElf } from '../../../src/vm/elf/readElf.js';
import { goodObjects } from '../loader/support.js';

function partsOf(path: string) {
  const elf = readElf(readFileSync(path), path);
  const bytesOf = (name: string): Uint8Array => elf.sections.find((section) => section.name === name)!.bytes;
  const btf = unwrap(readBtf(bytesOf('.BTF'), path));
  return { elf, btf, ext: bytesOf('.BTF.ext') };
}

test.each(goodObjects())('%s: function information names the function symbol at its place', (path) => {
  const { elf, btf, ext } = partsOf(path);
  const { functions } = readBtfExt(ext, btf.strings, path);
  const told = [...functions].flatMap(([section, infos]) => infos.map(({ offBytes, typeId }) => `${section}+${offBytes} ${btf.type(typeId).name}`));
  const symbols = elf.symbols.filter(({ type }) => type === STT_FUNC).map(({ sectionIndex, value, name }) => `${elf.sections[sectionIndex]!.name}+${value} ${name}`);
  expect(told.sort()).toEqual(symbols.sort());
});

test('line information has file, line, column and text', () => {
  const { btf, ext } = partsOf('fixtures/programs/return_77/return_77.o');
  const source = readFileSync('fixtures/programs/return_77/return_77.c', 'utf8').split('\n');
  const line = source.findIndex((text) => text.includes('return 77')) + 1;
  expect([...readBtfExt(ext, btf.strings, 'x').lines]).toEqual([
    ['xdp', [{ fileOffBytes: expect.any(Number), textOffBytes: expect.any(Number), offBytes: 0, file: './programs/return_77/return_77.c', line, column: expect.any(Number) as number, text: source[line - 1] }]],
  ]);
});

const { btf, ext: good } = partsOf('fixtures/programs/return_77/return_77.o');

// 24 bytes of header; function information from byte 24: record size, name, count, one record of 8; then lines: the same with 16
test.each<[string, (bytes: Buffer) => Uint8Array | void, string]>([
  ['too short', (b) => b.subarray(0, 10), 'x, byte 0: 10 bytes are too few for a header'],
  ['magic', (b) => void b.writeUInt16LE(1, 0), 'x, byte 0: the BTF magic 0xeb9f is missing'],
  ['version', (b) => void b.writeUInt8(9, 2), 'x, byte 2: version 9 is unknown'],
  ['header length', (b) => void b.writeUInt32LE(9, 4), 'x, byte 4: a header of 9 bytes'],
  ['functions outside', (b) => void b.writeUInt32LE(0xffffffff, 12), 'x, byte 8: the function information ends at byte'],
  ['no record size', (b) => void b.writeUInt32LE(3, 12), 'the function information is too short'],
  ['record size', (b) => void b.writeUInt32LE(4, b.readUInt32LE(4)), 'function records of 4 bytes'],
  ['odd record size', (b) => void b.writeUInt32LE(9, b.readUInt32LE(4)), 'function records of 9 bytes'],
  ['count', (b) => void b.writeUInt32LE(0xffffffff, b.readUInt32LE(4) + 8), '4294967295 function records of section xdp'],
  ['section name', (b) => void b.writeUInt32LE(0xffffffff, b.readUInt32LE(4) + 4), 'string offset 4294967295 is outside the table'],
  ['cut section header', (b) => void b.writeUInt32LE(10, 12), 'the function information ends inside a section header'],
  ['file name', (b) => void b.writeUInt32LE(0x7fffffff, b.readUInt32LE(4) + b.readUInt32LE(16) + 16), 'string offset 2147483647 is outside the table'],
])('damage: %s', (_name, damage, expected) => {
  const copy = Buffer.from(good);
  const bytes = damage(copy) ?? copy;
  const result = catchProblem(() => readBtfExt(bytes, btf.strings, 'x'));
  expect(result.ok ? 'accepted' : formatProblem(result.problem)).toContain(expected);
});
