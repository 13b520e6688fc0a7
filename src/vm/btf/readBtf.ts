import { ProblemError, catchProblem } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { StringTable } from '../elf/stringTable.js';
import { Btf } from './btf.js';
import { BTF_LINKAGE } from './btfTypes.js';
import type { BtfLinkage, BtfMember, BtfReference, BtfType } from './btfTypes.js';

export const BTF_MAGIC = 0xeb9f;
const BTF_VERSION = 1;
const HEADER_BYTES = 24;
const TYPE_BYTES = 12;
/** BTF_MAX_SIZE (kernel/bpf/btf.c). */
const MAX_BTF_BYTES = 16 << 20;
/** BTF_MAX_TYPE and BTF_MAX_NAME_OFFSET (include/uapi/linux/btf.h). */
const MAX_TYPES = 0xfffff;
const MAX_STRING_BYTES = 0xffffff;

const REFERENCE_KINDS = new Map<number, BtfReference['kind']>([
  [2, 'ptr'], [8, 'typedef'], [9, 'volatile'], [10, 'const'], [11, 'restrict'], [18, 'typeTag'],
]);

/**
 * Reads the contents of a `.BTF` section (Documentation/bpf/btf.rst, all 19 kinds of Linux 6.18), little-endian.
 *
 * @param where object and section, for messages
 */
export function readBtf(bytes: Uint8Array, where: string): Result<Btf> {
  return catchProblem(() => {
    const { typeBytes, strings } = readBtfParts(bytes, where);
    return new Btf(new BtfTypeReader(typeBytes, strings, where).readAll(), strings, where);
  });
}

/** The two parts of a `.BTF` section. */
export interface BtfParts {
  readonly typeBytes: Uint8Array;
  readonly stringBytes: Uint8Array;
  readonly strings: StringTable;
}

/** Finds the two parts, and trusts nothing in them. Throws a `ProblemError`. */
// struct btf_header: 0 magic u16  2 version u8  3 flags u8  4 hdr_len  8 type_off  12 type_len  16 str_off  20 str_len
// Offsets count from the end of the header.
export function readBtfParts(bytes: Uint8Array, where: string): BtfParts {
  const refuse = (message: string, offBytes: number): never => refuseBtf('btf-bad-header', message, where, offBytes);
  if (bytes.length < HEADER_BYTES) refuse(`${bytes.length} bytes are too few for a BTF header`, 0);
  if (bytes.length > MAX_BTF_BYTES) refuse(`${bytes.length} bytes are more than the kernel takes (${MAX_BTF_BYTES})`, 0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(0, true) !== BTF_MAGIC) refuse('the BTF magic 0xeb9f is missing', 0);
  if (view.getUint8(2) !== BTF_VERSION) refuse(`BTF version ${view.getUint8(2)} is unknown`, 2);
  const headerBytes = view.getUint32(4, true);
  if (headerBytes < HEADER_BYTES || headerBytes > bytes.length) refuse(`a header of ${headerBytes} bytes`, 4);
  const part = (name: string, at: number): Uint8Array => {
    const start = headerBytes + view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    if (start + size > bytes.length) refuse(`the ${name} take ${size} bytes from byte ${start}, the section has ${bytes.length}`, at);
    return bytes.subarray(start, start + size);
  };
  const typeBytes = part('types', 8);
  const stringBytes = part('strings', 16);
  if (stringBytes.length > MAX_STRING_BYTES) refuse(`${stringBytes.length} bytes of strings are more than ${MAX_STRING_BYTES}`, 20);
  if (stringBytes.length > 0 && (stringBytes[0] !== 0 || stringBytes[stringBytes.length - 1] !== 0)) {
    refuse('the strings must begin and end with a zero byte', 16);
  }
  return { typeBytes, stringBytes, strings: new StringTable(stringBytes, 'btf', where) };
}

/** Bytes behind struct btf_type, by kind: of one, and of each of its `vlen` elements (include/uapi/linux/btf.h). */
const FIXED_BYTES: readonly number[] = [0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0];
const ELEMENT_BYTES: readonly number[] = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];
const KIND_COUNT = FIXED_BYTES.length;

function refuseBtf(code: string, message: string, where: string, offBytes: number): never {
  throw new ProblemError({ code, message, where: `${where}, byte ${offBytes}`, hint: 'compile the object again, with -g' });
}

/** Decodes the types of a `.BTF` section. Throws a `ProblemError` for what is no type; ids are not checked. */
export class BtfTypeReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #strings: StringTable;
  readonly #where: string;
  /** Start of the type that is being read, and of what comes next. */
  #start = 0;
  #at = 0;

  constructor(bytes: Uint8Array, strings: StringTable, where: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#strings = strings;
    this.#where = where;
  }

  readAll(): BtfType[] {
    const types: BtfType[] = [{ kind: 'void', name: '' }];
    while (this.#at < this.#bytes.length) {
      if (types.length > MAX_TYPES) this.#refuse(`more than ${MAX_TYPES} types`);
      types.push(this.typeAt(this.#at));
    }
    return types;
  }

  /** The type that begins at a byte. */
  typeAt(offBytes: number): BtfType {
    this.#start = offBytes;
    this.#at = offBytes;
    return this.#type();
  }

  /** Where each type begins, by its id, without decoding any; what belongs to id 0 is meaningless. */
  offsets(): Uint32Array {
    const size = this.#bytes.length;
    const offsets = new Uint32Array(Math.min(Math.floor(size / TYPE_BYTES), MAX_TYPES) + 1);
    let count = 1;
    for (let at = 0; at < size; ) {
      this.#start = at;
      this.#at = at;
      this.#need(TYPE_BYTES);
      if (count === offsets.length) this.#refuse(`more than ${MAX_TYPES} types`);
      offsets[count++] = at;
      const info = this.#view.getUint32(at + 4, true);
      const kind = (info >>> 24) & 31;
      if (kind === 0 || kind >= KIND_COUNT) this.#refuseKind(kind);
      at += TYPE_BYTES + FIXED_BYTES[kind]! + ELEMENT_BYTES[kind]! * (info & 0xffff);
      if (at > size) this.#refuse('the type is cut off by the end of the types');
    }
    return offsets.subarray(0, count);
  }

  // struct btf_type: 0 name_off  4 info  8 size or type
  //
  //     info   31 kind_flag   28..24 kind   15..0 vlen
  #type(): BtfType {
    this.#need(TYPE_BYTES);
    const name = this.#strings.name(this.#u32());
    const info = this.#u32();
    const sizeOrType = this.#u32();
    const kind = (info >>> 24) & 31;
    const vlen = info & 0xffff;
    const kindFlag = info >>> 31 === 1;

    const reference = REFERENCE_KINDS.get(kind);
    if (reference !== undefined) return { kind: reference, name, typeId: sizeOrType };
    switch (kind) {
      case 1: return this.#int(name, sizeOrType);
      case 3: return this.#array();
      case 4:
      case 5: return { kind: kind === 4 ? 'struct' : 'union', name, sizeBytes: sizeOrType, members: this.#members(vlen, kindFlag) };
      case 6: return { kind: 'enum', name, sizeBytes: this.#enumSize(sizeOrType), signed: kindFlag, values: this.#enumValues(vlen, kindFlag, false) };
      case 7: return { kind: 'fwd', name, tag: kindFlag ? 'union' : 'struct' };
      case 12: return { kind: 'func', name, typeId: sizeOrType, linkage: this.#linkage(vlen) };
      case 13: return { kind: 'funcProto', name: '', typeId: sizeOrType, params: this.#params(vlen) };
      case 14: this.#need(4); return { kind: 'var', name, typeId: sizeOrType, linkage: this.#linkage(this.#u32()) };
      case 15: return { kind: 'datasec', name, sizeBytes: sizeOrType, variables: this.#variables(vlen) };
      case 16: return { kind: 'float', name, sizeBytes: this.#floatSize(sizeOrType) };
      case 17: this.#need(4); return { kind: 'declTag', name, typeId: sizeOrType, componentIndex: this.#u32() | 0 };
      case 19: return { kind: 'enum', name, sizeBytes: this.#enumSize(sizeOrType), signed: kindFlag, values: this.#enumValues(vlen, kindFlag, true) };
      default: return this.#refuseKind(kind);
    }
  }

  #refuseKind(kind: number): never {
    return refuseBtf('unsupported-btf-kind', `BTF kind ${kind} is unknown`, this.#where, this.#start);
  }

  // u32: 27..24 encoding (1 signed, 2 char, 4 bool)   23..16 bit offset   7..0 bits
  #int(name: string, sizeBytes: number): BtfType {
    this.#need(4);
    const data = this.#u32();
    const encoding = (data >>> 24) & 15;
    const bitOffset = (data >>> 16) & 0xff;
    const bits = data & 0xff;
    if (![1, 2, 4, 8, 16].includes(sizeBytes)) this.#refuse(`integer '${name}' of ${sizeBytes} bytes`);
    if (bits === 0 || bits > 128 || bitOffset + bits > sizeBytes * 8) {
      this.#refuse(`integer '${name}' of ${bits} bits at bit ${bitOffset} doesn't fit in ${sizeBytes} bytes`);
    }
    return { kind: 'int', name, sizeBytes, bitOffset, bits, signed: (encoding & 1) !== 0, bool: (encoding & 4) !== 0 };
  }

  // struct btf_array: 0 type  4 index_type  8 nelems
  #array(): BtfType {
    this.#need(12);
    const typeId = this.#u32();
    this.#u32();
    return { kind: 'array', name: '', typeId, count: this.#u32() };
  }

  // struct btf_member: 0 name_off  4 type  8 offset in bits; with kind_flag  31..24 width of a bitfield  23..0 offset
  #members(vlen: number, kindFlag: boolean): BtfMember[] {
    this.#need(vlen * 12);
    const members: BtfMember[] = [];
    for (let i = 0; i < vlen; i++) {
      const name = this.#strings.name(this.#u32());
      const typeId = this.#u32();
      const offset = this.#u32();
      members.push({ name, typeId, bitOffset: kindFlag ? offset & 0xffffff : offset, bitfieldBits: kindFlag ? offset >>> 24 : 0 });
    }
    return members;
  }

  // struct btf_enum: 0 name_off  4 val; struct btf_enum64: 0 name_off  4 val_lo32  8 val_hi32
  #enumValues(vlen: number, signed: boolean, wide: boolean): { name: string; value: bigint }[] {
    this.#need(vlen * (wide ? 12 : 8));
    const values: { name: string; value: bigint }[] = [];
    for (let i = 0; i < vlen; i++) {
      const name = this.#strings.name(this.#u32());
      const low = this.#u32();
      const value = wide ? (BigInt(this.#u32()) << 32n) | BigInt(low) : BigInt(low);
      values.push({ name, value: signed ? BigInt.asIntN(wide ? 64 : 32, value) : value });
    }
    return values;
  }

  #params(vlen: number): { name: string; typeId: number }[] {
    this.#need(vlen * 8);
    return Array.from({ length: vlen }, () => ({ name: this.#strings.name(this.#u32()), typeId: this.#u32() }));
  }

  // struct btf_var_secinfo: 0 type  4 offset  8 size
  #variables(vlen: number): { typeId: number; offBytes: number; sizeBytes: number }[] {
    this.#need(vlen * 12);
    return Array.from({ length: vlen }, () => ({ typeId: this.#u32(), offBytes: this.#u32(), sizeBytes: this.#u32() }));
  }

  #linkage(value: number): BtfLinkage {
    return BTF_LINKAGE[value] ?? this.#refuse(`linkage ${value} is unknown`);
  }

  #enumSize(sizeBytes: number): number {
    return [1, 2, 4, 8].includes(sizeBytes) ? sizeBytes : this.#refuse(`enum of ${sizeBytes} bytes`);
  }

  #floatSize(sizeBytes: number): number {
    return [2, 4, 8, 12, 16].includes(sizeBytes) ? sizeBytes : this.#refuse(`float of ${sizeBytes} bytes`);
  }

  #u32(): number {
    const value = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return value;
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) this.#refuse(`the type needs ${bytes} bytes more than are there`);
  }

  #refuse(message: string): never {
    return refuseBtf('btf-bad-type', message, this.#where, this.#start);
  }
}
