import { StringTable } from '../../../src/vm/elf/stringTable.js';
import { Btf } from '../../../src/vm/index.js';
import type { BtfMember, BtfType } from '../../../src/vm/index.js';

/** Fields by name and type: `__u32`, `__be16`, `__s32`, `__u8[6]`, `__u32:1` (bit field), `void *`, `struct NAME`, `union NAME`. */
export type Fields = readonly (readonly [name: string, type: string])[];

/** rustc names its integers `u32` itself; C has typedefs for them. */
export const RUST = true;

/** Types with one struct `name`, laid out as a C compiler does, and the structs or unions inside it. */
export function btfOf(name: string, fields: Fields, inner: Readonly<Record<string, Fields>> = {}, isRust = false): Btf {
  const builder = new Builder(isRust);
  const unions = fields.filter(([, type]) => type.startsWith('union ')).map(([, type]) => type.slice(6));
  for (const [innerName, innerFields] of Object.entries(inner)) builder.composite(unions.includes(innerName) ? 'union' : 'struct', innerName, innerFields);
  builder.composite('struct', name, fields);
  return new Btf(builder.types, new StringTable(new Uint8Array(1), 'btf', 'test'), 'test');
}

class Builder {
  readonly types: BtfType[] = [{ kind: 'void', name: '' }];
  readonly #ids = new Map<string, number>();
  readonly #sizes = new Map<number, readonly [sizeBytes: number, alignBytes: number]>();
  readonly #isRust: boolean;

  constructor(isRust: boolean) {
    this.#isRust = isRust;
  }

  composite(kind: 'struct' | 'union', name: string, fields: Fields): void {
    const members: BtfMember[] = [];
    let end = 0;
    let align = 1;
    for (const [fieldName, text] of fields) {
      const [typeText, bits] = text.split(':');
      const typeId = this.#type(typeText);
      const [sizeBytes, alignBytes] = this.#sizes.get(typeId)!;
      const offBytes = kind === 'union' ? 0 : Math.ceil(end / alignBytes) * alignBytes;
      members.push({ name: fieldName, typeId, bitOffset: offBytes * 8, bitfieldBits: bits === undefined ? 0 : Number(bits) });
      end = Math.max(end, offBytes + sizeBytes);
      align = Math.max(align, alignBytes);
    }
    const sizeBytes = Math.ceil(end / align) * align;
    this.#add(`${kind} ${name}`, { kind, name, sizeBytes, members }, sizeBytes, align);
  }

  #type(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    if (text === 'void *') return this.#add(text, { kind: 'ptr', name: '', typeId: 0 }, 8, 8);
    const array = /^(.*)\[(\d+)\]$/.exec(text);
    if (array !== null) {
      const typeId = this.#type(array[1]);
      const [sizeBytes, alignBytes] = this.#sizes.get(typeId)!;
      return this.#add(text, { kind: 'array', name: '', typeId, count: Number(array[2]) }, sizeBytes * Number(array[2]), alignBytes);
    }
    const number = /^(?:__)?(u|s|be)(8|16|32|64)$/.exec(text);
    if (number === null) throw new Error(`structBtf: no type ${text}`);
    const sizeBytes = Number(number[2]) / 8;
    const signed = number[1] === 's';
    const int = { kind: 'int', name: this.#isRust ? text : `C ${number[0]}`, sizeBytes, bitOffset: 0, bits: sizeBytes * 8, signed, bool: false } as const;
    if (this.#isRust) return this.#add(text, int, sizeBytes, sizeBytes);
    return this.#add(text, { kind: 'typedef', name: text, typeId: this.#add(`C ${text}`, int, sizeBytes, sizeBytes) }, sizeBytes, sizeBytes);
  }

  #add(key: string, type: BtfType, sizeBytes: number, alignBytes: number): number {
    const id = this.types.push(type) - 1;
    this.#ids.set(key, id);
    this.#sizes.set(id, [sizeBytes, alignBytes]);
    return id;
  }
}
