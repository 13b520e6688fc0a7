/** Writes relocatable BPF objects, sound or not, without a compiler. */
export class ElfBuilder {
  readonly #sections: { name: string; type: number; flags: number; bytes: Uint8Array; sizeBytes: number; link: number; info: number; entrySizeBytes: number }[] = [
    { name: '', type: 0, flags: 0, bytes: new Uint8Array(0), sizeBytes: 0, link: 0, info: 0, entrySizeBytes: 0 },
  ];
  readonly #symbols: { name: string; info: number; section: number; value: number; sizeBytes: number }[] = [{ name: '', info: 0, section: 0, value: 0, sizeBytes: 0 }];

  /** Adds a section; gives its index. `type` 1 is PROGBITS, 8 NOBITS; `flags` 4 is code. */
  section(name: string, bytes: Uint8Array, { type = 1, flags = 0, sizeBytes = bytes.length, link = 0, info = 0, entrySizeBytes = 0 } = {}): number {
    this.#sections.push({ name, type, flags, bytes, sizeBytes, link, info, entrySizeBytes });
    return this.#sections.length - 1;
  }

  code(name: string, insns: readonly (readonly number[])[]): number {
    return this.section(name, assemble(insns), { flags: 6 });
  }

  /** Adds a symbol; gives its index. `type` 0 is NOTYPE, 1 OBJECT, 2 FUNC; `binding` 0 is LOCAL, 1 GLOBAL. */
  symbol(name: string, section: number, value: number, sizeBytes: number, { type = 2, binding = 1 } = {}): number {
    this.#symbols.push({ name, info: (binding << 4) | type, section, value, sizeBytes });
    return this.#symbols.length - 1;
  }

  /** Relocations are [offset, type, symbol]. */
  relocate(section: number, relocations: readonly (readonly [number, number, number])[]): void {
    const bytes = Buffer.alloc(relocations.length * 16);
    relocations.forEach(([offset, type, symbol], i) => {
      bytes.writeBigUInt64LE(BigInt(offset), i * 16);
      bytes.writeUInt32LE(type, i * 16 + 8);
      bytes.writeUInt32LE(symbol, i * 16 + 12);
    });
    this.section(`.rel${this.#sections[section]!.name}`, bytes, { type: 9, info: section, entrySizeBytes: 16 });
  }

  build(): Buffer {
    const strings = new Strings();
    const symbolNames = this.#symbols.map(({ name }) => strings.add(name));
    const stringIndex = this.#sections.length + 1;
    const symbols = Buffer.alloc(this.#symbols.length * 24);
    this.#symbols.forEach((symbol, i) => {
      symbols.writeUInt32LE(symbolNames[i]!, i * 24);
      symbols.writeUInt8(symbol.info, i * 24 + 4);
      symbols.writeUInt16LE(symbol.section, i * 24 + 6);
      symbols.writeBigUInt64LE(BigInt(symbol.value), i * 24 + 8);
      symbols.writeBigUInt64LE(BigInt(symbol.sizeBytes), i * 24 + 16);
    });
    const names = [...this.#sections.map(({ name }) => name), '.symtab', '.strtab'].map((name) => strings.add(name));
    const plain = { flags: 0, info: 0 };
    const sections = [
      ...this.#sections,
      { type: 2, bytes: symbols, sizeBytes: symbols.length, link: stringIndex, entrySizeBytes: 24, ...plain },
      { type: 3, bytes: strings.bytes(), sizeBytes: strings.bytes().length, link: 0, entrySizeBytes: 0, ...plain },
    ];

    const parts: Uint8Array[] = [Buffer.alloc(64)];
    const headers = Buffer.alloc(sections.length * 64);
    let at = 64;
    sections.forEach((section, i) => {
      headers.writeUInt32LE(names[i]!, i * 64);
      headers.writeUInt32LE(section.type, i * 64 + 4);
      headers.writeUInt32LE(section.flags, i * 64 + 8);
      headers.writeBigUInt64LE(BigInt(at), i * 64 + 24);
      headers.writeBigUInt64LE(BigInt(section.sizeBytes), i * 64 + 32);
      headers.writeUInt32LE(section.link, i * 64 + 40);
      headers.writeUInt32LE(section.info, i * 64 + 44);
      headers.writeBigUInt64LE(BigInt(section.entrySizeBytes), i * 64 + 56);
      parts.push(section.bytes);
      at += section.bytes.length;
    });
    const header = parts[0] as Buffer;
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(header);
    header.writeUInt16LE(1, 16);
    header.writeUInt16LE(247, 18);
    header.writeUInt32LE(1, 20);
    header.writeBigUInt64LE(BigInt(at), 40);
    header.writeUInt16LE(64, 52);
    header.writeUInt16LE(64, 58);
    header.writeUInt16LE(sections.length, 60);
    header.writeUInt16LE(stringIndex, 62);
    return Buffer.concat([...parts, headers]);
  }
}

class Strings {
  readonly #offsets = new Map<string, number>([['', 0]]);
  #size = 1;

  add(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.#size;
    this.#offsets.set(text, offset);
    this.#size += Buffer.byteLength(text) + 1;
    return offset;
  }

  bytes(): Buffer {
    return Buffer.from([...this.#offsets.keys()].map((text) => `${text}\0`).join(''));
  }
}

/** Instructions are [opcode, dst, src, offset, imm]. */
export function assemble(insns: readonly (readonly number[])[]): Buffer {
  const bytes = Buffer.alloc(insns.length * 8);
  insns.forEach(([opcode = 0, dst = 0, src = 0, offset = 0, imm = 0], i) => {
    bytes.writeUInt8(opcode, i * 8);
    bytes.writeUInt8((src << 4) | dst, i * 8 + 1);
    bytes.writeInt16LE(offset, i * 8 + 2);
    bytes.writeInt32LE(imm, i * 8 + 4);
  });
  return bytes;
}

export const EXIT: readonly number[] = [0x95];
export const LDDW: readonly number[] = [0x18, 1];
export const SECOND_HALF: readonly number[] = [0];
/** A call of the instruction at a distance from the next one. */
export const callTo = (distance: number): readonly number[] => [0x85, 0, 1, 0, distance];
