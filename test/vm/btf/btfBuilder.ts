import { readBtf } from '../../../src/vm/btf/readBtf.js';
import type { Btf } from '../../../src/vm/btf/btf.js';
import { unwrap } from '../../../src/base/index.js';
import type { Result } from '../../../src/base/index.js';

/** Writes BTF sections word by word, so that tests can say anything, also what no compiler would. Ids count from 1. */
export class BtfBuilder {
  readonly #words: number[] = [];
  readonly #offsets = new Map<string, number>([['', 0]]);
  #text = '\0';
  #count = 0;

  /** Offset of a string in the string section. */
  string(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = Buffer.byteLength(this.#text);
    this.#text += `${text}\0`;
    this.#offsets.set(text, offset);
    return offset;
  }

  /** struct btf_type and the words behind it; gives the type's id. */
  raw(kind: number, name: string, vlen: number, sizeOrType: number, words: readonly number[] = [], kindFlag = false): number {
    this.#words.push(this.string(name), ((kindFlag ? 1 : 0) << 31) | (kind << 24) | vlen, sizeOrType, ...words);
    return ++this.#count;
  }

  /** @param encoding 1 signed, 4 bool */
  int(name: string, sizeBytes: number, encoding = 0, bits = sizeBytes * 8, bitOffset = 0): number {
    return this.raw(1, name, 0, sizeBytes, [(encoding << 24) | (bitOffset << 16) | bits]);
  }

  ptr(typeId: number): number {
    return this.raw(2, '', 0, typeId);
  }

  array(typeId: number, count: number): number {
    return this.raw(3, '', 0, 0, [typeId, typeId, count]);
  }

  /** Members are [name, type, bit offset] or, with bitfields, [name, type, bit offset, width]. */
  struct(name: string, sizeBytes: number, members: readonly (readonly [string, number, number, number?])[], kind: 4 | 5 = 4): number {
    const hasBits = members.some(([, , , width]) => width !== undefined);
    const words = members.flatMap(([member, typeId, offset, width = 0]) => [this.string(member), typeId, hasBits ? (width << 24) | offset : offset]);
    return this.raw(kind, name, members.length, sizeBytes, words, hasBits);
  }

  union(name: string, sizeBytes: number, members: readonly (readonly [string, number, number, number?])[]): number {
    return this.struct(name, sizeBytes, members, 5);
  }

  typedef(name: string, typeId: number): number {
    return this.raw(8, name, 0, typeId);
  }

  bytes(): Buffer {
    const strings = Buffer.from(this.#text);
    const header = [0x0001eb9f, 24, 0, this.#words.length * 4, this.#words.length * 4, strings.length];
    return Buffer.concat([Buffer.from(Uint32Array.from([...header, ...this.#words]).buffer), strings]);
  }

  read(): Result<Btf> {
    return readBtf(this.bytes(), 'test');
  }

  build(): Btf {
    return unwrap(this.read());
  }
}
