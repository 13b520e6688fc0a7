import { ProblemError } from '../../base/index.js';
import type { Problem } from '../../base/index.js';
import {
  EM_BPF, EM_NONE, ET_REL, SHN_LORESERVE, SHN_XINDEX, SHT_NOBITS, SHT_NULL, SHT_REL, SHT_RELA, SHT_STRTAB, SHT_SYMTAB, STT_SECTION, machineName,
} from './elfFile.js';
import type { ElfFile, ElfRelocation, ElfSection, ElfSymbol } from './elfFile.js';
import { StringTable } from './stringTable.js';

const EHDR_BYTES = 64;
const SHDR_BYTES = 64;
const SYM_BYTES = 24;
const REL_BYTES = 16;
/** The smallest thing that a relocation patches is a 32-bit word. */
const MIN_RELOCATED_BYTES = 4;
/** More symbols or relocations than this are a lie or an attack: the largest known XDP object has a few thousand. */
const MAX_ENTRIES = 1_000_000;

const COMPILE_HINT = 'compile with clang -O2 -g -target bpf -c';
const DAMAGED_HINT = 'the file is damaged or cut short; compile or copy it again';

/**
 * Reads a relocatable ELF64 little-endian BPF object: sections and symbols. Nothing in it is trusted.
 *
 * Throws a `ProblemError` whose `where` names the file and the byte.
 */
export function readElf(bytes: Uint8Array, name: string): ElfFile {
  checkIdent(bytes, name);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = new ElfReader(view, bytes, name);
  const sections = reader.sections();
  const symbols = reader.symbols(sections);
  const lists = sections.filter((section) => section.type === SHT_REL || section.type === SHT_RELA);
  return {
    name,
    sections,
    symbols,
    symbolsIn: groupBy(symbols, (symbol) => symbol.sectionIndex),
    relocationLists: groupBy(lists, (section) => section.info),
  };
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

/**
 * Relocations that patch a section, in file order; empty when there are none.
 *
 * Throws a `ProblemError` for a list with wrong sizes, an offset outside the section or a symbol that doesn't exist.
 */
export function readRelocations(elf: ElfFile, target: ElfSection): ElfRelocation[] {
  const [list, second] = elf.relocationLists.get(target.index) ?? [];
  if (list === undefined) return [];
  const refuse = (message: string, offBytes: number): never => {
    throw new ProblemError({ code: 'elf-bad-relocation', message, where: place(elf.name, offBytes, list.name), hint: DAMAGED_HINT });
  };
  if (second !== undefined) refuse(`sections ${list.name} and ${second.name} both relocate ${target.name}`, second.offBytes);
  if (list.type === SHT_RELA) refuse('relocations are of type RELA; BPF objects have REL', list.offBytes);
  if (list.entrySizeBytes !== REL_BYTES || list.sizeBytes % REL_BYTES !== 0) {
    refuse(`${list.sizeBytes} bytes in entries of ${list.entrySizeBytes} are no list of ${REL_BYTES}-byte relocations`, list.offBytes);
  }
  const count = list.sizeBytes / REL_BYTES;
  const most = Math.min(MAX_ENTRIES, target.sizeBytes / MIN_RELOCATED_BYTES);
  if (count > most) refuse(`${count} relocations are too many for the ${target.sizeBytes} bytes of section ${target.name}`, list.offBytes);

  // r_offset u64 | r_info u64 = symbol index << 32 | type
  const view = new DataView(list.bytes.buffer, list.bytes.byteOffset, list.bytes.byteLength);
  const relocations: ElfRelocation[] = [];
  for (let at = 0; at < list.sizeBytes; at += REL_BYTES) {
    const offBytes = readU64(view, at);
    const type = view.getUint32(at + 8, true);
    const symbolIndex = view.getUint32(at + 12, true);
    const symbol = elf.symbols[symbolIndex];
    if (symbol === undefined) return refuse(`symbol ${symbolIndex} doesn't exist, there are ${elf.symbols.length}`, list.offBytes + at);
    if (offBytes >= target.sizeBytes) {
      refuse(`offset ${offBytes} is outside section ${target.name} of ${target.sizeBytes} bytes`, list.offBytes + at);
    }
    relocations.push({ offBytes, type, symbol });
  }
  return relocations;
}

function place(file: string, offBytes: number, section?: string): string {
  return section === undefined || section === '' ? `${file}, byte ${offBytes}` : `${file}, section ${section}, byte ${offBytes}`;
}

/** A u64 as a number; above 2^53 inexact, but then far outside every range that it is compared with. */
function readU64(view: DataView, offBytes: number): number {
  return view.getUint32(offBytes, true) + view.getUint32(offBytes + 4, true) * 2 ** 32;
}

// e_ident: 7f 'E' 'L' 'F' | class 1 = 32, 2 = 64 bits | data 1 = little, 2 = big endian | version 1
function checkIdent(bytes: Uint8Array, file: string): void {
  const refuse = (code: string, message: string, hint: string): never => {
    throw new ProblemError({ code, message, where: file, hint });
  };
  if (bytes.length === 0) refuse('elf-not-elf', 'the file is empty', COMPILE_HINT);
  const isElf = bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  if (!isElf) refuse('elf-not-elf', 'not an ELF object', `${COMPILE_HINT} and give the object file`);
  if (bytes.length < EHDR_BYTES) {
    refuse('elf-truncated', `the file ends after ${bytes.length} bytes, an ELF header takes ${EHDR_BYTES}`, DAMAGED_HINT);
  }
  if (bytes[4] === 1) refuse('elf-32-bit', '32-bit ELF object; BPF objects are 64-bit', COMPILE_HINT);
  if (bytes[4] !== 2) refuse('elf-bad-header', `ELF class ${bytes[4]} doesn't exist`, DAMAGED_HINT);
  if (bytes[5] === 2) refuse('elf-big-endian', 'big-endian object', 'compile with -target bpfel');
  if (bytes[5] !== 1) refuse('elf-bad-header', `ELF data encoding ${bytes[5]} doesn't exist`, DAMAGED_HINT);
  if (bytes[6] !== 1) refuse('elf-bad-header', `ELF version ${bytes[6]} doesn't exist`, DAMAGED_HINT);
}

class ElfReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #file: string;

  constructor(view: DataView, bytes: Uint8Array, file: string) {
    this.#view = view;
    this.#bytes = bytes;
    this.#file = file;
  }

  // Elf64_Ehdr: 16 type  18 machine  20 version  24 entry  32 phoff  40 shoff  48 flags  52 ehsize  54 phentsize  56 phnum
  //             58 shentsize  60 shnum  62 shstrndx
  sections(): ElfSection[] {
    const view = this.#view;
    const machine = view.getUint16(18, true);
    // Before EM_BPF was assigned LLVM wrote EM_NONE; libbpf takes both.
    if (machine !== EM_BPF && machine !== EM_NONE) {
      this.#refuse({ code: 'elf-wrong-machine', message: `object for ${machineName(machine)}, not for BPF`, hint: COMPILE_HINT }, 18);
    }
    const type = view.getUint16(16, true);
    if (type !== ET_REL) {
      this.#refuse({ code: 'elf-not-relocatable', message: `ELF file of type ${type}; a compiled, unlinked object has type ${ET_REL}`, hint: COMPILE_HINT }, 16);
    }
    const tableOffset = readU64(view, 40);
    const entrySize = view.getUint16(58, true);
    const count = view.getUint16(60, true);
    const namesIndex = view.getUint16(62, true);
    if (entrySize !== SHDR_BYTES) this.#refuse({ code: 'elf-bad-header', message: `section headers of ${entrySize} bytes, should be ${SHDR_BYTES}` }, 58);
    if (count === 0) this.#refuse({ code: 'elf-bad-header', message: 'the object has no sections' }, 60);
    if (tableOffset + count * SHDR_BYTES > this.#bytes.length) {
      const message = `the table of ${count} sections at byte ${tableOffset} is outside the file of ${this.#bytes.length} bytes`;
      this.#refuse({ code: 'elf-truncated', message }, 40);
    }
    if (namesIndex >= count) {
      this.#refuse({ code: 'elf-bad-header', message: `section ${namesIndex}, which should hold the names, doesn't exist; there are ${count}` }, 62);
    }

    const unnamed: ElfSection[] = [];
    for (let index = 0; index < count; index++) unnamed.push(this.#section(index, tableOffset + index * SHDR_BYTES));
    this.#checkOverlap(unnamed);
    const names = this.#stringTable(unnamed[namesIndex]!, 62);
    return unnamed.map((section) => ({ ...section, name: names.name(view.getUint32(tableOffset + section.index * SHDR_BYTES, true)) }));
  }

  // Elf64_Shdr: 0 name  4 type  8 flags  16 addr  24 offset  32 size  40 link  44 info  48 addralign  56 entsize
  #section(index: number, at: number): ElfSection {
    const view = this.#view;
    const type = view.getUint32(at + 4, true);
    const offBytes = readU64(view, at + 24);
    const sizeBytes = readU64(view, at + 32);
    const inFile = type !== SHT_NOBITS && type !== SHT_NULL;
    if (inFile && offBytes + sizeBytes > this.#bytes.length) {
      const message = `section ${index} takes ${sizeBytes} bytes from byte ${offBytes}, but the file has ${this.#bytes.length}`;
      this.#refuse({ code: 'elf-section-outside-file', message }, at + 24);
    }
    return {
      index,
      name: '',
      type,
      flags: view.getUint32(at + 8, true),
      offBytes,
      sizeBytes,
      link: view.getUint32(at + 40, true),
      info: view.getUint32(at + 44, true),
      entrySizeBytes: readU64(view, at + 56),
      bytes: inFile ? this.#bytes.subarray(offBytes, offBytes + sizeBytes) : this.#bytes.subarray(0, 0),
    };
  }

  /** gABI: no byte of the file is in more than one section. It also keeps the work in proportion to the file. */
  #checkOverlap(sections: readonly ElfSection[]): void {
    const placed = sections.filter((section) => section.bytes.length > 0).sort((a, b) => a.offBytes - b.offBytes);
    for (let i = 1; i < placed.length; i++) {
      const before = placed[i - 1]!;
      const section = placed[i]!;
      if (before.offBytes + before.sizeBytes > section.offBytes) {
        this.#refuse({ code: 'elf-overlapping-sections', message: `sections ${before.index} and ${section.index} overlap` }, section.offBytes);
      }
    }
  }

  #stringTable(section: ElfSection, refererBytes: number): StringTable {
    if (section.type !== SHT_STRTAB) {
      this.#refuse({ code: 'elf-bad-string', message: `section ${section.index}, which should hold strings, has type ${section.type}` }, refererBytes);
    }
    return new StringTable(section.bytes, 'elf', place(this.#file, section.offBytes));
  }

  // Elf64_Sym: 0 name  4 info = binding << 4 | type  5 other  6 section index  8 value  16 size
  symbols(sections: readonly ElfSection[]): ElfSymbol[] {
    const view = this.#view;
    const tables = sections.filter((section) => section.type === SHT_SYMTAB);
    const table = tables[0];
    if (table === undefined) {
      return this.#refuse({ code: 'elf-no-symbols', message: 'the object has no symbol table', hint: 'do not strip it (llvm-strip -g is fine)' }, 0);
    }
    if (tables.length > 1) this.#refuse({ code: 'elf-bad-symbol', message: 'the object has two symbol tables' }, tables[1]!.offBytes);
    if (table.entrySizeBytes !== SYM_BYTES || table.sizeBytes % SYM_BYTES !== 0) {
      const message = `${table.sizeBytes} bytes in entries of ${table.entrySizeBytes} are no table of ${SYM_BYTES}-byte symbols`;
      this.#refuse({ code: 'elf-bad-symbol', message }, table.offBytes);
    }
    const count = table.sizeBytes / SYM_BYTES;
    if (count > MAX_ENTRIES) this.#refuse({ code: 'elf-bad-symbol', message: `${count} symbols are more than ${MAX_ENTRIES}` }, table.offBytes);
    const stringSection = sections[table.link];
    if (stringSection === undefined) {
      return this.#refuse({ code: 'elf-bad-symbol', message: `section ${table.link}, which should hold the symbols' names, doesn't exist` }, table.offBytes);
    }
    const names = this.#stringTable(stringSection, table.offBytes);

    const symbols: ElfSymbol[] = [];
    for (let index = 0; index < count; index++) {
      const at = table.offBytes + index * SYM_BYTES;
      const type = view.getUint8(at + 4) & 15;
      const sectionIndex = view.getUint16(at + 6, true);
      const isReserved = sectionIndex >= SHN_LORESERVE && sectionIndex !== SHN_XINDEX;
      const section = sections[sectionIndex];
      if (section === undefined && !isReserved) {
        this.#refuse({ code: 'elf-bad-symbol', message: `symbol ${index} is in section ${sectionIndex}, but there are ${sections.length}` }, at + 6);
      }
      const ownName = names.name(view.getUint32(at, true));
      symbols.push({
        index,
        name: type === STT_SECTION && ownName === '' ? (section?.name ?? '') : ownName,
        value: readU64(view, at + 8),
        sizeBytes: readU64(view, at + 16),
        type,
        binding: view.getUint8(at + 4) >> 4,
        visibility: view.getUint8(at + 5) & 3,
        sectionIndex,
      });
    }
    return symbols;
  }

  #refuse(problem: Problem, offBytes: number): never {
    throw new ProblemError({ hint: DAMAGED_HINT, ...problem, where: place(this.#file, offBytes) });
  }
}
