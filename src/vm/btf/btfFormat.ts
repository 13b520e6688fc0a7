import { toHex } from '../../base/index.js';
import { readBits } from './bits.js';
import { dottedQuad, networkOrderType } from './byteOrder.js';
import type { Btf } from './btf.js';
import type { BtfComposite, BtfEnum, BtfInt } from './btfTypes.js';

/** What JSON can say. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };

/** A value of more parts than this is shown as hex. It also bounds unions in unions, whose parts multiply. */
const MAX_PARTS = 1 << 20;

/**
 * The bytes of a value (a map's key or value, a variable) as JSON, by their BTF type.
 *
 * - `__be32`: an IPv4 address, `"192.0.2.1"`; `__be16` and `__be64`: the number that their bytes are in network order
 * - other integers: a number, or a decimal string beyond 2^53; `bool`: true and false; enums: the name, or the number if it has none
 * - pointers: `"0xffff..."`; `float` and `double`: a number, or `"NaN"`, `"Infinity"`
 * - arrays of `char`: a string if they hold printable UTF-8 and then only zeros, else the numbers; other arrays: an array
 * - structs and unions: an object with every member; members of anonymous members stand beside the others
 * - a data section: an object with every variable
 * - type 0 (unknown), functions, other floats, and values of more than a million parts: an unsigned integer of 1, 2, 4 or 8 bytes, else hex
 *
 * `parseValue` reads all of it back. Bytes behind the type's size are ignored; fewer are a programmer error.
 */
export function formatValue(btf: Btf | undefined, typeId: number, bytes: Uint8Array): JsonValue {
  const size = btf?.sizeOf(typeId);
  if (btf === undefined || size === undefined || partCount(btf, typeId, new Map()) > MAX_PARTS) return formatRaw(bytes);
  if (bytes.length < size) throw new RangeError(`formatValue: ${bytes.length} bytes are no ${btf.typeName(typeId)} of ${size}`);
  return new Formatter(btf, bytes).value(typeId, 0);
}

/** The bytes of a value of which only the size is known. */
function formatRaw(bytes: Uint8Array): JsonValue {
  return isRawInteger(bytes.length) ? formatInteger(readBits(bytes, 0, bytes.length * 8, false)) : toHex(bytes);
}

/** True for sizes that values without a type are read and written as integers in. */
export function isRawInteger(sizeBytes: number): boolean {
  return sizeBytes === 1 || sizeBytes === 2 || sizeBytes === 4 || sizeBytes === 8;
}

/** True for the element type of text: plain `char`, not `unsigned char` or `__u8`. */
export function isChar(btf: Btf, typeId: number): boolean {
  const type = btf.type(btf.resolve(typeId));
  return type.kind === 'int' && type.sizeBytes === 1 && type.name === 'char';
}

/** Values that JSON will show for a type, zero-sized ones included. */
function partCount(btf: Btf, typeId: number, known: Map<number, number>): number {
  const id = btf.resolve(typeId);
  const cached = known.get(id);
  if (cached !== undefined) return cached;
  const type = btf.type(id);
  let count = 1;
  if (type.kind === 'array' && !isChar(btf, type.typeId)) count += type.count * partCount(btf, type.typeId, known);
  else if (type.kind === 'struct' || type.kind === 'union') {
    for (const member of type.members) count += partCount(btf, member.typeId, known);
  } else if (type.kind === 'datasec') {
    for (const variable of type.variables) count += partCount(btf, variable.typeId, known);
  }
  known.set(id, count);
  return count;
}

function formatInteger(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

class Formatter {
  readonly #btf: Btf;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(btf: Btf, bytes: Uint8Array) {
    this.#btf = btf;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** @param bitfieldBits width of the bitfield that the value is, 0 for none */
  value(typeId: number, bitOffset: number, bitfieldBits = 0): JsonValue {
    const btf = this.#btf;
    const id = btf.resolve(typeId);
    const type = btf.type(id);
    const offBytes = bitOffset >>> 3;
    switch (type.kind) {
      case 'int': return this.#networkOrder(typeId, offBytes, bitfieldBits) ?? this.#int(type, bitOffset, bitfieldBits);
      case 'enum': return this.#enum(type, bitOffset, bitfieldBits);
      case 'ptr': return `0x${readBits(this.#bytes, bitOffset, 64, false).toString(16)}`;
      case 'float': return this.#float(offBytes, type.sizeBytes);
      case 'array': return this.#array(type.typeId, type.count, offBytes);
      case 'struct':
      case 'union': return Object.fromEntries(this.#members(type, bitOffset));
      case 'datasec':
        return Object.fromEntries(type.variables.map(({ typeId: variable, offBytes: at }) => [btf.type(variable).name, this.value(variable, (offBytes + at) * 8)]));
      default: return formatRaw(this.#bytes.subarray(offBytes, offBytes + (btf.sizeOf(id) ?? 0)));
    }
  }

  /** A value of network byte order; `undefined` for all other types, and for bitfields, which have no such order. */
  #networkOrder(typeId: number, offBytes: number, bitfieldBits: number): JsonValue | undefined {
    const type = bitfieldBits === 0 ? networkOrderType(this.#btf, typeId) : undefined;
    switch (type) {
      case '__be16': return this.#view.getUint16(offBytes, false);
      case '__be32': return dottedQuad(this.#bytes.subarray(offBytes, offBytes + 4));
      case '__be64': return formatInteger(this.#view.getBigUint64(offBytes, false));
      default: return undefined;
    }
  }

  #int(type: BtfInt, bitOffset: number, bitfieldBits: number): JsonValue {
    const bits = bitfieldBits === 0 ? type.bits : bitfieldBits;
    const value = readBits(this.#bytes, bitOffset + (bitfieldBits === 0 ? type.bitOffset : 0), bits, type.signed);
    if (type.bool && (value === 0n || value === 1n)) return value === 1n;
    return formatInteger(value);
  }

  #enum(type: BtfEnum, bitOffset: number, bitfieldBits: number): JsonValue {
    const value = readBits(this.#bytes, bitOffset, bitfieldBits === 0 ? type.sizeBytes * 8 : bitfieldBits, type.signed);
    return type.values.find((entry) => entry.value === value)?.name ?? formatInteger(value);
  }

  #float(offBytes: number, sizeBytes: number): JsonValue {
    if (sizeBytes !== 4 && sizeBytes !== 8) return formatRaw(this.#bytes.subarray(offBytes, offBytes + sizeBytes));
    const value = sizeBytes === 4 ? this.#view.getFloat32(offBytes, true) : this.#view.getFloat64(offBytes, true);
    return Number.isFinite(value) ? value : String(value);
  }

  #array(elementId: number, count: number, offBytes: number): JsonValue {
    if (isChar(this.#btf, elementId)) {
      const text = decodeText(this.#bytes.subarray(offBytes, offBytes + count));
      if (text !== undefined) return text;
    }
    const elementBytes = this.#btf.sizeOf(elementId)!;
    return Array.from({ length: count }, (_, i) => this.value(elementId, (offBytes + i * elementBytes) * 8));
  }

  #members(type: BtfComposite, bitOffset: number): [string, JsonValue][] {
    return type.members.flatMap((member): [string, JsonValue][] => {
      const at = bitOffset + member.bitOffset;
      if (member.name !== '') return [[member.name, this.value(member.typeId, at, member.bitfieldBits)]];
      const inner = this.#btf.type(this.#btf.resolve(member.typeId));
      return inner.kind === 'struct' || inner.kind === 'union' ? this.#members(inner, at) : [];
    });
  }
}

// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/** The text in a char array; `undefined` when it isn't printable or something follows its end. */
function decodeText(bytes: Uint8Array): string | undefined {
  const nul = bytes.indexOf(0);
  const end = nul < 0 ? bytes.length : nul;
  if (bytes.subarray(end).some((byte) => byte !== 0)) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, end));
    return UNPRINTABLE.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
