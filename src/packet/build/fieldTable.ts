import { formatMac } from '../ethernet.js';
import { formatIpv4 } from '../ipv4.js';
import { formatIpv6 } from '../ipv6.js';
import { ipv4Bytes, ipv6Bytes, macBytes } from './addresses.js';

/** What a field holds: an unsigned number, one bit as a boolean, an address as text. */
export type FieldKind = 'number' | 'flag' | 'mac' | 'ipv4' | 'ipv6';

/** What a field holds once it is decoded. */
export type FieldValue = number | boolean | string | Uint8Array;

/** One row of a header's table. */
export interface FieldSpec {
  readonly name: string;
  readonly kind: FieldKind;
  /** From the beginning of the header, the highest bit of the first byte being 0, as RFCs count. */
  readonly offBits: number;
  /** At most 32 for numbers. */
  readonly widthBits: number;
  /** What the builder writes when nothing is said; numbers only take others than 0 from here. */
  readonly default: number | boolean | string;
  /** Hexadecimal is how people read it. */
  readonly isHex: boolean;
  /** What a value means, when there is more to say than the number. */
  readonly meaning: ((value: number) => string | undefined) | undefined;
}

interface FieldOptions {
  readonly default?: number;
  readonly isHex?: boolean;
  readonly meaning?: (value: number) => string | undefined;
}

type Row = Omit<FieldSpec, 'offBits'>;

/** Row for an unsigned number of 1 to 32 bits. */
export function number(name: string, widthBits: number, options: FieldOptions = {}): Row {
  return { name, kind: 'number', widthBits, default: options.default ?? 0, isHex: options.isHex ?? false, meaning: options.meaning };
}

/** Row for one bit that is a boolean. */
export function flag(name: string): Row {
  return { name, kind: 'flag', widthBits: 1, default: false, isHex: false, meaning: undefined };
}

const ADDRESS_BITS = { mac: 48, ipv4: 32, ipv6: 128 } as const;

/** Row for an address, which begins at a byte. */
export function address(name: string, kind: 'mac' | 'ipv4' | 'ipv6', text: string): Row {
  return { name, kind, widthBits: ADDRESS_BITS[kind], default: text, isHex: false, meaning: undefined };
}

/** The fields of a header in the order of the wire, without gaps. */
export interface FieldTable {
  readonly fields: readonly FieldSpec[];
  readonly byName: ReadonlyMap<string, FieldSpec>;
  /** What all fields take up. */
  readonly lengthBytes: number;
  /** The header with the default of every field. */
  readonly defaults: Uint8Array;
}

/** Lays rows out one behind the other. */
export function fieldTable(...rows: readonly Row[]): FieldTable {
  let offBits = 0;
  const fields = rows.map((row) => {
    const spec = { ...row, offBits };
    offBits += row.widthBits;
    return spec;
  });
  const defaults = new Uint8Array(offBits / 8);
  for (const spec of fields) writeField(defaults, 0, spec, spec.default, 'default');
  return { fields, byName: new Map(fields.map((spec) => [spec.name, spec])), lengthBytes: offBits / 8, defaults };
}

/**
 * Writes one field. Throws a TypeError for a value of the wrong kind and a RangeError for one that doesn't fit.
 *
 * @param at where the header begins
 * @param header its name, for the message
 */
export function writeField(bytes: Uint8Array, at: number, spec: FieldSpec, value: unknown, header: string): void {
  switch (spec.kind) {
    case 'number':
      if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= 2 ** spec.widthBits) {
        throw new RangeError(`${header}.${spec.name}: ${typeof value === 'string' ? `'${value}'` : String(value)} is no unsigned number of ${spec.widthBits} bits`);
      }
      writeBits(bytes, at, spec.offBits, spec.widthBits, value as number);
      return;
    case 'flag':
      if (typeof value !== 'boolean') throw new TypeError(`${header}.${spec.name}: ${String(value)} is not true or false`);
      writeBits(bytes, at, spec.offBits, 1, value ? 1 : 0);
      return;
    case 'mac': return bytes.set(macBytes(value, header, spec.name), at + (spec.offBits >>> 3));
    case 'ipv4': return bytes.set(ipv4Bytes(value, header, spec.name), at + (spec.offBits >>> 3));
    case 'ipv6': return bytes.set(ipv6Bytes(value, header, spec.name), at + (spec.offBits >>> 3));
  }
}

/** Reads one field that is wholly there. */
export function readField(bytes: Uint8Array, at: number, spec: FieldSpec): FieldValue {
  const byteAt = at + (spec.offBits >>> 3);
  switch (spec.kind) {
    case 'number': return readBits(bytes, at, spec.offBits, spec.widthBits);
    case 'flag': return readBits(bytes, at, spec.offBits, 1) === 1;
    case 'mac': return formatMac(bytes, byteAt);
    case 'ipv4': return formatIpv4(bytes, byteAt);
    case 'ipv6': return formatIpv6(bytes, byteAt);
  }
}

/** Sets `widthBits` bits (up to 32), touching no other ones. */
function writeBits(bytes: Uint8Array, at: number, offBits: number, widthBits: number, value: number): void {
  if (((offBits | widthBits) & 7) === 0) {
    let last = at + (offBits >>> 3) + (widthBits >>> 3) - 1;
    for (let shift = 0; shift < widthBits; shift += 8) bytes[last--] = value >>> shift;
    return;
  }
  let byteAt = at + ((offBits + widthBits - 1) >>> 3);
  let shift = 7 - ((offBits + widthBits - 1) & 7);
  let rest = value;
  for (let left = widthBits; left > 0; byteAt--) {
    const take = Math.min(left, 8 - shift);
    const mask = ((1 << take) - 1) << shift;
    bytes[byteAt] = (bytes[byteAt]! & ~mask) | ((rest << shift) & mask);
    rest = Math.floor(rest / 2 ** take);
    left -= take;
    shift = 0;
  }
}

function readBits(bytes: Uint8Array, at: number, offBits: number, widthBits: number): number {
  const first = at + (offBits >>> 3);
  const last = at + ((offBits + widthBits - 1) >>> 3);
  let value = bytes[first]! & (0xff >>> (offBits & 7));
  for (let i = first + 1; i <= last; i++) value = value * 256 + bytes[i]!;
  // At most 32 bits and 7 on either side of them, which a double holds.
  return Math.floor(value / 2 ** (7 - ((offBits + widthBits - 1) & 7)));
}

/** A value as people read it: `64`, `0x0800 (IPv4)`, `true`, `10.0.0.1`. */
export function formatField(spec: FieldSpec, value: FieldValue): string {
  if (typeof value !== 'number') return String(value);
  const text = spec.isHex ? `0x${value.toString(16).padStart(Math.ceil(spec.widthBits / 4), '0')}` : String(value);
  const meaning = spec.meaning?.(value);
  return meaning === undefined ? text : `${text} (${meaning})`;
}
