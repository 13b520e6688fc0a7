import { ProblemError, catchProblem, didYouMean, fail, fromHex } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { readBits, writeBits } from './bits.js';
import type { Btf } from './btf.js';
import { networkOrderType } from './byteOrder.js';
import { isChar, isRawInteger } from './btfFormat.js';
import type { BtfArray, BtfComposite, BtfDatasec, BtfEnum, BtfFloat, BtfInt } from './btfTypes.js';

/** Enumerators that a message lists. */
const MAX_LISTED = 8;

const INTEGER = /^[+-]?(?:0x[0-9a-f]+|[0-9]+)$/i;
const DOTTED_QUAD = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;

/** What a value is to be: its type, its size (for type 0 all that is known) and its name in messages, e.g. `variable drop_all`. */
export interface ValueTarget {
  readonly btf: Btf | undefined;
  readonly typeId: number;
  readonly sizeBytes: number;
  readonly label: string;
}

/**
 * A JSON value as bytes, by BTF type: the inverse of `formatValue`.
 *
 * - integers: a whole number, or a string with a decimal or 0x number; true and false are 1 and 0. Types of network order
 *   (`__be16`, `__be32`, `__be64`) take the number as a person writes it, `8080` for a port; a `__be32` also takes `"192.0.2.1"`
 * - enums: the name of an enumerator, or a number that fits
 * - arrays: an array, the rest is zero when it is short; arrays of `char` also a string
 * - structs: an object; members that it leaves out are zero. Unions: the same, but members that overlap must agree
 * - type 0, and what has no other form: an unsigned integer of 1, 2, 4 or 8 bytes, or hex of the exact length
 *
 * Problems: `value-out-of-range`, `value-wrong-shape`, `value-unknown-name`.
 */
export function parseValue(target: ValueTarget, value: unknown): Result<Uint8Array> {
  return catchProblem(() => {
    const { btf, typeId, sizeBytes, label } = target;
    const typeSize = btf?.sizeOf(typeId);
    if (btf === undefined || typeSize === undefined || typeSize > sizeBytes) return parseRaw(sizeBytes, value, label);
    const writer = new Writer(btf, sizeBytes);
    writer.value(0, typeId, 0, value, label);
    return writer.bytes;
  });
}

/**
 * Text from a command line as bytes: `443`, `0x1bb`, `true`, `XDP_DROP`, `eth0` for an array of char; arrays, structs and unions in JSON.
 * Otherwise as `parseValue`.
 */
export function parseText(target: ValueTarget, text: string): Result<Uint8Array> {
  const { btf, typeId, label } = target;
  const type = btf?.type(btf.resolve(typeId));
  const isText = btf !== undefined && type?.kind === 'array' && isChar(btf, type.typeId) && !/^\s*["[]/.test(text);
  const isJson = !isText && (type?.kind === 'array' || type?.kind === 'struct' || type?.kind === 'union' || type?.kind === 'datasec');
  if (!isJson) return parseValue(target, isText ? text : text.trim());
  try {
    return parseValue(target, JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const message = `${label} is of type ${btf!.typeName(typeId)} and needs JSON, but '${text}' is none`;
    return fail({ code: 'value-wrong-shape', message, hint: `write ${type.kind === 'array' ? '[1,2,3]' : '{"member":1}'}` });
  }
}

function refuse(code: string, message: string, hint?: string): never {
  throw new ProblemError({ code, message, ...(hint === undefined ? {} : { hint }) });
}

/** How a value is quoted in a message. */
function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function parseRaw(sizeBytes: number, value: unknown, label: string): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  if (isRawInteger(sizeBytes)) {
    writeBits(bytes, 0, sizeBytes * 8, parseInteger(sizeBytes * 8, false, value, label, `${sizeBytes * 8}-bit integer`));
    return bytes;
  }
  const parsed = typeof value === 'string' ? fromHex(value) : undefined;
  if (parsed?.length !== sizeBytes) refuse('value-wrong-shape', `${label} must be ${sizeBytes} bytes in hex, not ${quote(value)}`);
  return parsed;
}

function toInteger(value: unknown): bigint | undefined {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  if (typeof value !== 'string') return undefined;
  if (value === 'true') return 1n;
  if (value === 'false') return 0n;
  if (!INTEGER.test(value) || value.length > 64) return undefined;
  return value.startsWith('-') ? -BigInt(value.slice(1)) : BigInt(value.replace('+', ''));
}

/** A whole number that fits in `bits` bits. */
function parseInteger(bits: number, signed: boolean, value: unknown, label: string, typeName: string): bigint {
  const integer = toInteger(value);
  if (integer === undefined) {
    const hint = typeof value === 'number' ? 'write whole numbers, those beyond 2^53 as strings' : undefined;
    return refuse('value-wrong-shape', `${label} is of type ${typeName} and can't be ${quote(value)}`, hint);
  }
  const low = signed ? -(1n << BigInt(bits - 1)) : 0n;
  const high = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
  if (integer < low || integer > high) refuse('value-out-of-range', `${label}: ${integer} doesn't fit in ${typeName}, which goes from ${low} to ${high}`);
  return integer;
}

class Writer {
  readonly bytes: Uint8Array;
  readonly #btf: Btf;
  /** Ones where `bytes` has been written: members of a union may overlap only if they agree. */
  readonly #written: Uint8Array;

  constructor(btf: Btf, sizeBytes: number) {
    this.#btf = btf;
    this.bytes = new Uint8Array(sizeBytes);
    this.#written = new Uint8Array(sizeBytes);
  }

  /**
   * @param bitfieldBits width of the bitfield that the value is, 0 for none
   * @param label place of the value: `variable config.ports[3]`
   */
  value(bitOffset: number, typeId: number, bitfieldBits: number, value: unknown, label: string): void {
    const btf = this.#btf;
    const type = btf.type(btf.resolve(typeId));
    switch (type.kind) {
      case 'int': return this.#int(bitOffset, typeId, type, bitfieldBits, value, label);
      case 'enum': return this.#enum(bitOffset, typeId, type, bitfieldBits, value, label);
      case 'ptr': return this.#put(bitOffset, 64, parseInteger(64, false, value, label, btf.typeName(typeId)), label);
      case 'float': return this.#putBytes(bitOffset, parseFloatBytes(type, value, label), label);
      case 'array': return this.#array(bitOffset, typeId, type, value, label);
      case 'struct':
      case 'union': return this.#composite(bitOffset, type, this.#object(value, typeId, label), label);
      case 'datasec': return this.#datasec(bitOffset, type, this.#object(value, typeId, label), label);
      default: return refuse('value-wrong-shape', `${label} is of type ${btf.typeName(typeId)}, which has no value`);
    }
  }

  #put(bitOffset: number, bits: number, value: bigint, label: string): void {
    const written = readBits(this.#written, bitOffset, bits, false);
    const changed = readBits(this.bytes, bitOffset, bits, false) ^ BigInt.asUintN(bits, value);
    if ((written & changed) !== 0n) refuse('value-wrong-shape', `${label} disagrees with another member of its union`, 'give one of them');
    writeBits(this.bytes, bitOffset, bits, value);
    writeBits(this.#written, bitOffset, bits, -1n);
  }

  #putBytes(bitOffset: number, bytes: Uint8Array, label: string): void {
    bytes.forEach((byte, i) => this.#put(bitOffset + i * 8, 8, BigInt(byte), label));
  }

  #int(bitOffset: number, typeId: number, type: BtfInt, bitfieldBits: number, value: unknown, label: string): void {
    const isBitfield = bitfieldBits !== 0;
    const order = isBitfield ? undefined : networkOrderType(this.#btf, typeId);
    const quad = typeof value === 'string' && order === '__be32' ? DOTTED_QUAD.exec(value) : null;
    if (quad !== null) {
      const parts = quad.slice(1).map(Number);
      if (parts.some((part) => part > 255)) refuse('value-out-of-range', `${label}: '${quad[0]}' is no IPv4 address`);
      return this.#putBytes(bitOffset, Uint8Array.from(parts), label);
    }
    const bits = isBitfield ? bitfieldBits : type.bits;
    const typeName = isBitfield ? `${this.#btf.typeName(typeId)}:${bitfieldBits}` : this.#btf.typeName(typeId);
    const integer = parseInteger(bits, type.signed, value, label, typeName);
    if (order !== undefined) {
      const bytes = new Uint8Array(bits / 8);
      writeBits(bytes, 0, bits, integer);
      return this.#putBytes(bitOffset, bytes.reverse(), label);
    }
    return this.#put(bitOffset + (isBitfield ? 0 : type.bitOffset), bits, integer, label);
  }

  #enum(bitOffset: number, typeId: number, type: BtfEnum, bitfieldBits: number, value: unknown, label: string): void {
    const entry = type.values.find(({ name }) => name === value);
    if (entry === undefined && typeof value === 'string' && toInteger(value) === undefined) {
      this.#refuseUnknown(value, type.values.map(({ name }) => name), label);
    }
    const bits = bitfieldBits === 0 ? type.sizeBytes * 8 : bitfieldBits;
    this.#put(bitOffset, bits, parseInteger(bits, type.signed, entry?.value ?? value, label, this.#btf.typeName(typeId)), label);
  }

  #array(bitOffset: number, typeId: number, type: BtfArray, value: unknown, label: string): void {
    const isText = typeof value === 'string' && isChar(this.#btf, type.typeId);
    const elements: unknown = isText ? new TextEncoder().encode(value) : value;
    if (!Array.isArray(elements) && !isText) {
      return refuse('value-wrong-shape', `${label} is of type ${this.#btf.typeName(typeId)} and can't be ${quote(value)}`, 'write [1,2,3]');
    }
    const { length } = elements as ArrayLike<unknown>;
    if (length > type.count) refuse('value-out-of-range', `${label} is of type ${this.#btf.typeName(typeId)} and can't hold ${length} elements`);
    if (isText) {
      // A short text ends in a zero: what follows it is written too.
      const text = new Uint8Array(type.count);
      text.set(elements as Uint8Array);
      return this.#putBytes(bitOffset, text, label);
    }
    const elementBits = this.#btf.sizeOf(type.typeId)! * 8;
    return (elements as unknown[]).forEach((element, i) => this.value(bitOffset + i * elementBits, type.typeId, 0, element, `${label}[${i}]`));
  }

  #object(value: unknown, typeId: number, label: string): Map<string, unknown> {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return new Map(Object.entries(value));
    return refuse('value-wrong-shape', `${label} is of type ${this.#btf.typeName(typeId)} and can't be ${quote(value)}`, 'write {"member":value}');
  }

  #composite(bitOffset: number, type: BtfComposite, members: Map<string, unknown>, label: string): void {
    this.#takeMembers(bitOffset, type, members, label);
    this.#refuseUnknown(members.keys().next().value, this.#names(type), label);
  }

  /** Writes the members that are given and takes them out of the map; those of anonymous members stand beside the others. */
  #takeMembers(bitOffset: number, type: BtfComposite, members: Map<string, unknown>, label: string): void {
    for (const member of type.members) {
      const at = bitOffset + member.bitOffset;
      const inner = this.#btf.type(this.#btf.resolve(member.typeId));
      if (member.name === '' && (inner.kind === 'struct' || inner.kind === 'union')) {
        this.#takeMembers(at, inner, members, label);
      } else if (members.has(member.name)) {
        this.value(at, member.typeId, member.bitfieldBits, members.get(member.name), `${label}.${member.name}`);
        members.delete(member.name);
      }
    }
  }

  #names(type: BtfComposite): string[] {
    return type.members.flatMap((member) => {
      if (member.name !== '') return [member.name];
      const inner = this.#btf.type(this.#btf.resolve(member.typeId));
      return inner.kind === 'struct' || inner.kind === 'union' ? this.#names(inner) : [];
    });
  }

  #datasec(bitOffset: number, type: BtfDatasec, variables: Map<string, unknown>, label: string): void {
    for (const { typeId, offBytes } of type.variables) {
      const { name } = this.#btf.type(typeId);
      if (variables.has(name)) this.value(bitOffset + offBytes * 8, typeId, 0, variables.get(name), `${label}.${name}`);
      variables.delete(name);
    }
    this.#refuseUnknown(variables.keys().next().value, type.variables.map(({ typeId }) => this.#btf.type(typeId).name), label);
  }

  #refuseUnknown(name: string | undefined, known: readonly string[], label: string): void {
    if (name === undefined) return;
    const listed = known.slice(0, MAX_LISTED).join(', ');
    refuse('value-unknown-name', `${label} has no '${name}'`, `${didYouMean(name, known)}it has ${listed}${known.length > MAX_LISTED ? ', ...' : ''}`);
  }
}

function parseFloatBytes(type: BtfFloat, value: unknown, label: string): Uint8Array {
  if (type.sizeBytes !== 4 && type.sizeBytes !== 8) return parseRaw(type.sizeBytes, value, label);
  const isNumber = typeof value === 'number' || (typeof value === 'string' && value.trim() !== '' && (value === 'NaN' || !Number.isNaN(Number(value))));
  if (!isNumber) refuse('value-wrong-shape', `${label} is of type ${type.name} and can't be ${quote(value)}`);
  const bytes = new Uint8Array(type.sizeBytes);
  const view = new DataView(bytes.buffer);
  if (type.sizeBytes === 4) view.setFloat32(0, Number(value), true);
  else view.setFloat64(0, Number(value), true);
  return bytes;
}
