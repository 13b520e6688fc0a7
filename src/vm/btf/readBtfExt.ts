import { ProblemError } from '../../base/index.js';
import type { StringTable } from '../elf/stringTable.js';
import { BTF_MAGIC } from './readBtf.js';

/** Which BTF function begins at a byte of a section. */
export interface FuncInfo {
  readonly offBytes: number;
  /** Id of a `func`. */
  readonly typeId: number;
}

/** Source line of the instructions from a byte of a section on. */
export interface LineInfo {
  readonly offBytes: number;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
  /** Where `file` and `text` begin in the strings of BTF. */
  readonly fileOffBytes: number;
  readonly textOffBytes: number;
}

/** An instruction that depends on the layout of a kernel type. */
export interface CoreRelocation {
  /** Of the instruction, in its section. */
  readonly offBytes: number;
  /** Type in `.BTF` that the access begins at. */
  readonly typeId: number;
  /** Members and elements on the way, e.g. `0:1:2`; `0` when the type itself is meant. */
  readonly access: string;
  /** enum bpf_core_relo_kind. */
  readonly kind: number;
}

/** Function and line information and CO-RE relocations of the program sections, by section name, in file order. */
export interface BtfExt {
  readonly functions: ReadonlyMap<string, readonly FuncInfo[]>;
  readonly lines: ReadonlyMap<string, readonly LineInfo[]>;
  readonly coreRelocations: ReadonlyMap<string, readonly CoreRelocation[]>;
}

const HEADER_BYTES = 24;
/** With the third part. */
const LONG_HEADER_BYTES = 32;
/** The kernel takes at most one line an instruction, and a million instructions. */
const MAX_RECORDS = 1_000_000;
const FUNC_INFO_BYTES = 8;
const LINE_INFO_BYTES = 16;
const CORE_RELO_BYTES = 16;

/**
 * Reads the contents of a `.BTF.ext` section (Documentation/bpf/btf.rst, section 4.2). Objects of compilers without CO-RE have a shorter header, and
 * no third part.
 *
 * Throws a `ProblemError`.
 * @param strings those of `.BTF`
 * @param where object and section, for messages
 */
export function readBtfExt(bytes: Uint8Array, strings: StringTable, where: string): BtfExt {
  const reader = new ExtReader(bytes, strings, where);
  return reader.read();
}

class ExtReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #strings: StringTable;
  readonly #where: string;

  constructor(bytes: Uint8Array, strings: StringTable, where: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#strings = strings;
    this.#where = where;
  }

  // struct btf_ext_header: 0 magic u16  2 version u8  3 flags u8  4 hdr_len  8 func_info_off  12 func_info_len  16 line_info_off
  //                        20 line_info_len  24 core_relo_off  28 core_relo_len; offsets count from the end of the header
  read(): BtfExt {
    if (this.#bytes.length < HEADER_BYTES) this.#refuse(`${this.#bytes.length} bytes are too few for a header`, 0);
    const view = this.#view;
    if (view.getUint16(0, true) !== BTF_MAGIC) this.#refuse('the BTF magic 0xeb9f is missing', 0);
    if (view.getUint8(2) !== 1) this.#refuse(`version ${view.getUint8(2)} is unknown`, 2);
    const headerBytes = view.getUint32(4, true);
    if (headerBytes < HEADER_BYTES || headerBytes > this.#bytes.length) this.#refuse(`a header of ${headerBytes} bytes`, 4);

    const functions = this.#part('function', headerBytes, 8, FUNC_INFO_BYTES, (at) => ({
      // struct bpf_func_info: 0 insn_off  4 type_id
      offBytes: view.getUint32(at, true),
      typeId: view.getUint32(at + 4, true),
    }));
    const lines = this.#part('line', headerBytes, 16, LINE_INFO_BYTES, (at) => {
      // struct bpf_line_info: 0 insn_off  4 file_name_off  8 line_off  12 line << 10 | column
      const fileOffBytes = view.getUint32(at + 4, true);
      const textOffBytes = view.getUint32(at + 8, true);
      const lineColumn = view.getUint32(at + 12, true);
      return {
        offBytes: view.getUint32(at, true),
        file: this.#strings.name(fileOffBytes),
        line: lineColumn >>> 10,
        column: lineColumn & 0x3ff,
        text: this.#strings.text(textOffBytes),
        fileOffBytes,
        textOffBytes,
      };
    });
    const noRelocations = new Map<string, CoreRelocation[]>();
    const coreRelocations = headerBytes < LONG_HEADER_BYTES ? noRelocations : this.#part('CO-RE', headerBytes, 24, CORE_RELO_BYTES, (at) => ({
      // struct bpf_core_relo: 0 insn_off  4 type_id  8 access_str_off  12 kind
      offBytes: view.getUint32(at, true),
      typeId: view.getUint32(at + 4, true),
      access: this.#strings.name(view.getUint32(at + 8, true)),
      kind: view.getUint32(at + 12, true),
    }));
    return { functions, lines, coreRelocations };
  }

  // One part: record size u32, then for each section: name_off u32, count u32, records
  #part<T>(what: string, headerBytes: number, fieldAt: number, minRecordBytes: number, read: (at: number) => T): Map<string, T[]> {
    const bySection = new Map<string, T[]>();
    const start = headerBytes + this.#view.getUint32(fieldAt, true);
    const end = start + this.#view.getUint32(fieldAt + 4, true);
    if (end > this.#bytes.length) this.#refuse(`the ${what} information ends at byte ${end}, the section has ${this.#bytes.length}`, fieldAt);
    if (start === end) return bySection;
    if (end - start < 4) this.#refuse(`the ${what} information is too short`, start);
    const recordBytes = this.#view.getUint32(start, true);
    if (recordBytes < minRecordBytes || recordBytes % 4 !== 0) this.#refuse(`${what} records of ${recordBytes} bytes`, start);

    if ((end - start) / recordBytes > MAX_RECORDS) this.#refuse(`more than ${MAX_RECORDS} ${what} records`, start);

    let at = start + 4;
    while (at < end) {
      if (end - at < 8) this.#refuse(`the ${what} information ends inside a section header`, at);
      const section = this.#strings.name(this.#view.getUint32(at, true));
      const count = this.#view.getUint32(at + 4, true);
      at += 8;
      if (count * recordBytes > end - at) this.#refuse(`${count} ${what} records of section ${section} don't fit`, at - 4);
      const records = bySection.get(section) ?? [];
      bySection.set(section, records);
      for (let i = 0; i < count; i++, at += recordBytes) records.push(read(at));
    }
    return bySection;
  }

  #refuse(message: string, offBytes: number): never {
    throw new ProblemError({ code: 'btf-bad-ext', message, where: `${this.#where}, byte ${offBytes}`, hint: 'compile the object again, with -g' });
  }
}
