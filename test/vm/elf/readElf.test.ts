import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { catchProblem } from '../../../src/base/index.js';
import { readElf, readRelocations } from '../../../src/vm/elf/readElf.js';
import { goodObjects, oracle } from '../loader/support.js';

interface Readelf {
  readonly Sections: { Section: { Index: number; Name: { Name: string }; Type: { Value: number }; Flags: { Value: number }; Offset: number; Size: number; Link: number; Info: number; EntrySize: number } }[];
  readonly Symbols: { Symbol: { Name: { Name: string }; Value: number; Size: number; Binding: { Value: number }; Other: { Value: number }; Type: { Value: number }; Section: { Value: number } } }[];
  readonly Relocations: { SectionIndex: number; Relocs: { Relocation: { Offset: number; Type: { Value: number }; Symbol: { Name: string } } }[] }[];
}

test('sections, symbols and relocations are those that llvm-readelf lists', () => {
  const objects = goodObjects();
  const text = oracle('llvm-readelf-19', ['--elf-output-style=JSON', '-S', '-s', '-r', ...objects]);
  if (text === undefined) return;
  const listed = JSON.parse(text) as Readelf[];
  expect(listed).toHaveLength(objects.length);
  objects.forEach((path, i) => {
    const elf = readElf(readFileSync(path), path);
    const { Sections, Symbols, Relocations } = listed[i]!;
    expect(elf.sections.map(({ index, name, type, flags, offBytes, sizeBytes, link, info, entrySizeBytes }) => ({ index, name, type, flags, offBytes, sizeBytes, link, info, entrySizeBytes }))).toEqual(
      Sections.map(({ Section: s }) => ({
        index: s.Index, name: s.Name.Name, type: s.Type.Value, flags: s.Flags.Value, offBytes: s.Offset, sizeBytes: s.Size, link: s.Link, info: s.Info, entrySizeBytes: s.EntrySize,
      })),
    );
    expect(elf.symbols.map(({ name, value, sizeBytes, binding, visibility, type, sectionIndex }) => ({ name, value, sizeBytes, binding, visibility, type, sectionIndex }))).toEqual(
      Symbols.map(({ Symbol: s }) => ({
        name: s.Name.Name, value: s.Value, sizeBytes: s.Size, binding: s.Binding.Value, visibility: s.Other.Value & 3, type: s.Type.Value, sectionIndex: s.Section.Value,
      })),
    );
    for (const { SectionIndex, Relocs } of Relocations) {
      const target = elf.sections[elf.sections[SectionIndex]!.info]!;
      expect(readRelocations(elf, target).map(({ offBytes, type, symbol }) => [offBytes, type, symbol.name])).toEqual(
        Relocs.map(({ Relocation: r }) => [r.Offset, r.Type.Value, r.Symbol.Name]),
      );
    }
  });
});

describe('damage', () => {
  const good = readFileSync('fixtures/programs/tail_calls/tail_calls.o');
  const tableOffset = good.readUInt32LE(40);
  const goodElf = readElf(good, 'good.o');
  const header = (name: string): number => tableOffset + 64 * goodElf.sections.find((section) => section.name === name)!.index;
  const offsetOf = (name: string): number => goodElf.sections.find((section) => section.name === name)!.offBytes;

  /** Reads a damaged copy, relocations of every section included. */
  function problemOf(damage: (bytes: Buffer) => Uint8Array | void): string {
    const copy = Buffer.from(good);
    const bytes = damage(copy) ?? copy;
    const result = catchProblem(() => {
      const elf = readElf(bytes, 'prog.o');
      for (const section of elf.sections) readRelocations(elf, section);
      return elf;
    });
    if (result.ok) throw new Error('the damage was not noticed');
    return `${result.problem.code} | ${result.problem.where} | ${result.problem.message}`;
  }

  test.each<[string, (bytes: Buffer) => Uint8Array | void, string]>([
    ['empty', () => new Uint8Array(0), 'elf-not-elf | prog.o | the file is empty'],
    ['text', () => Buffer.from('#include <linux/bpf.h>\n'.repeat(9)), 'elf-not-elf | prog.o | not an ELF object'],
    ['half a header', (b) => b.subarray(0, 40), 'elf-truncated | prog.o | the file ends after 40 bytes, an ELF header takes 64'],
    ['32 bits', (b) => void b.writeUInt8(1, 4), 'elf-32-bit | prog.o | 32-bit ELF object; BPF objects are 64-bit'],
    ['no class', (b) => void b.writeUInt8(7, 4), "elf-bad-header | prog.o | ELF class 7 doesn't exist"],
    ['big endian', (b) => void b.writeUInt8(2, 5), 'elf-big-endian | prog.o | big-endian object'],
    ['no encoding', (b) => void b.writeUInt8(9, 5), "elf-bad-header | prog.o | ELF data encoding 9 doesn't exist"],
    ['x86-64', (b) => void b.writeUInt16LE(62, 18), 'elf-wrong-machine | prog.o, byte 18 | object for x86-64, not for BPF'],
    ['a machine without a name', (b) => void b.writeUInt16LE(999, 18), 'elf-wrong-machine | prog.o, byte 18 | object for machine 999, not for BPF'],
    ['executable', (b) => void b.writeUInt16LE(2, 16), 'elf-not-relocatable | prog.o, byte 16 | ELF file of type 2; a compiled, unlinked object has type 1'],
    ['no sections', (b) => void b.writeUInt16LE(0, 60), 'elf-bad-header | prog.o, byte 60 | the object has no sections'],
    ['odd section headers', (b) => void b.writeUInt16LE(40, 58), 'elf-bad-header | prog.o, byte 58 | section headers of 40 bytes, should be 64'],
    ['names nowhere', (b) => void b.writeUInt16LE(500, 62), "elf-bad-header | prog.o, byte 62 | section 500, which should hold the names, doesn't exist; there are 14"],
    ['names in code', (b) => void b.writeUInt16LE(3, 62), 'elf-bad-string | prog.o, byte 62 | section 3, which should hold strings, has type 1'],
    ['cut', (b) => b.subarray(0, 3000), `elf-truncated | prog.o, byte 40 | the table of 14 sections at byte ${tableOffset} is outside the file of 3000 bytes`],
    ['table far away', (b) => void b.writeBigUInt64LE(2n ** 63n, 40), `elf-truncated | prog.o, byte 40 | the table of 14 sections at byte 9223372036854776000 is outside the file of ${good.length} bytes`],
    ['section outside', (b) => void b.writeUInt32LE(0xfffffff0, header('xdp') + 32), `elf-section-outside-file | prog.o, byte ${header('xdp') + 24} | section 3 takes 4294967280 bytes from byte 64, but the file has ${good.length}`],
    ['overlap', (b) => void b.writeUInt32LE(good.readUInt32LE(header('xdp') + 24), header('license') + 24), 'elf-overlapping-sections | prog.o, byte 64 | sections 3 and 7 overlap'],
    ['section name outside', (b) => void b.writeUInt32LE(0x7fffffff, header('xdp')), `elf-bad-string | prog.o, byte ${offsetOf('.strtab')} | string offset 2147483647 is outside the table of 145 bytes`],
    ['strings without an end', (b) => void b.writeUInt8(65, offsetOf('.strtab') + 144), `elf-bad-string | prog.o, byte ${offsetOf('.strtab')} |`],
    ['escape codes in a name', (b) => void b.writeUInt8(27, offsetOf('.strtab') + 62), 'holds control characters'],
    ['no symbols', (b) => void b.writeUInt32LE(0, header('.symtab') + 4), 'elf-no-symbols | prog.o, byte 0 | the object has no symbol table'],
    ['two symbol tables', (b) => void b.writeUInt32LE(2, header('license') + 4), 'elf-bad-symbol'],
    ['odd symbols', (b) => void b.writeUInt32LE(25, header('.symtab') + 56), `elf-bad-symbol | prog.o, byte ${offsetOf('.symtab')} | 216 bytes in entries of 25 are no table of 24-byte symbols`],
    ['symbol names nowhere', (b) => void b.writeUInt32LE(77, header('.symtab') + 40), "section 77, which should hold the symbols' names, doesn't exist"],
    ['symbol in no section', (b) => void b.writeUInt16LE(77, offsetOf('.symtab') + 24 + 6), `elf-bad-symbol | prog.o, byte ${offsetOf('.symtab') + 30} | symbol 1 is in section 77, but there are 14`],
    ['relocation of no symbol', (b) => void b.writeUInt32LE(77, offsetOf('.relxdp') + 12), `elf-bad-relocation | prog.o, section .relxdp, byte ${offsetOf('.relxdp')} | symbol 77 doesn't exist, there are 9`],
    ['relocation outside', (b) => void b.writeUInt32LE(0x7fffffff, offsetOf('.relxdp') + 16), `elf-bad-relocation | prog.o, section .relxdp, byte ${offsetOf('.relxdp') + 16} | offset 2147483647 is outside section xdp of 960 bytes`],
    ['RELA', (b) => void b.writeUInt32LE(4, header('.relxdp') + 4), `relocations are of type RELA; BPF objects have REL`],
    ['odd relocations', (b) => void b.writeUInt32LE(24, header('.relxdp') + 56), 'are no list of 16-byte relocations'],
    ['relocated twice', (b) => void b.writeUInt32LE(3, header('.rel.maps') + 44), 'sections .relxdp and .rel.maps both relocate xdp'],
  ])('%s', (_, damage, expected) => {
    expect(problemOf(damage)).toContain(expected);
  });

  test('a huge .bss is only a number', () => {
    const copy = Buffer.from(good);
    copy.writeUInt32LE(8, header('license') + 4);
    copy.writeBigUInt64LE(1n << 60n, header('license') + 32);
    const license = readElf(copy, 'prog.o').sections.find((section) => section.name === 'license')!;
    expect([license.sizeBytes, license.bytes.length]).toEqual([2 ** 60, 0]);
  });
});
