import { toHex } from '../../base/index.js';
import type { HeaderName } from '../header.js';
import type { IpPacket } from '../ipPacket.js';
import { writeField } from './fieldTable.js';
import type { FieldSpec, FieldTable, FieldValue } from './fieldTable.js';

/** What a header has to say about the next one, so which ones may follow it. */
export type Announcement = 'etherType' | 'ipProtocol' | 'udpPort' | 'frame' | 'label' | 'chunk' | 'nothing';

/** Values for the fields of a header, by name; those without one are computed, or have their default. */
export type FieldValues = Readonly<Record<string, unknown>>;

/** A frame that is being put together: its inner headers are complete, this one is to become so. */
export interface Completion {
  readonly bytes: Uint8Array;
  /** Where the header begins. */
  readonly at: number;
  readonly headerBytes: number;
  /** Where its payload ends. */
  readonly endBytes: number;
  /** The header that follows; `undefined` for payload. */
  readonly next: HeaderDefinition | undefined;
  readonly nextFields: FieldValues;
  /** The IP packet that the header lies in. */
  readonly ip: IpPacket | undefined;
}

/** A field that follows from the rest of the packet. */
export interface ComputedField {
  readonly name: string;
  /** The right value; `undefined` leaves the default. */
  compute(frame: Completion): number | undefined;
  /** A wrong value, for `break`; one more than the right one unless the field says otherwise. */
  wrong?(right: number): number;
}

/** A header as both the builder and the decoder know it: one file each, and one row in definitions.ts. */
export interface HeaderDefinition {
  readonly name: HeaderName;
  readonly announces: Announcement;
  readonly etherType?: number;
  readonly ipProtocol?: number;
  readonly udpPort?: number;
  /** Everything that `encode` knows. */
  readonly names: ReadonlySet<string>;
  /** Outer things last: checksums cover the lengths. */
  readonly computed: readonly ComputedField[];
  /** The fields that a header which is there has, in the order of the wire and without gaps. */
  table(bytes: Uint8Array, at: number): FieldTable;
  /** The header's bytes. Computed fields without a value have their default. Throws RangeError and TypeError, see `writeField`. */
  encode(fields: FieldValues): Uint8Array;
  /** What the bytes behind the table mean. */
  readonly restMeaning?: (rest: Uint8Array) => string;
  /** The fields behind those of the table. */
  readRest(bytes: Uint8Array, at: number, lengthBytes: number): Readonly<Record<string, Uint8Array>>;
}

type Plain = Omit<HeaderDefinition, 'names' | 'table' | 'readRest' | 'encode' | 'computed'> & Partial<HeaderDefinition>;

/** A header whose fields are always the same ones; `rest` is the name of bytes behind them, whose number is a multiple of `unitBytes`. */
export function fixedHeader(
  plain: Plain & { readonly fields: FieldTable; readonly rest?: string; readonly unitBytes?: number },
): HeaderDefinition {
  const { fields: table, rest, unitBytes = 1, ...given } = plain;
  const fixedBytes = table.lengthBytes;
  return {
    computed: [],
    names: new Set([...table.byName.keys(), ...(rest === undefined ? [] : [rest])]),
    table: () => table,
    encode: (fields) => encodeTable(given.name, table, fields, rest === undefined ? NO_BYTES : joinPieces(given.name, rest, fields[rest], unitBytes)),
    readRest: (bytes, at, lengthBytes) => (rest === undefined ? {} : { [rest]: bytes.slice(at + fixedBytes, at + lengthBytes) }),
    ...given,
  };
}

/** A field behind the table as people read it: `020405b4 (mss 1460)`. */
export function formatRest({ restMeaning }: HeaderDefinition, rest: Uint8Array): string {
  return `${toHex(rest)}${restMeaning === undefined ? '' : ` (${restMeaning(rest)})`}`;
}

export const NO_BYTES = new Uint8Array(0);

/** Writes the fields of a table, with their defaults where there is no value, and bytes behind them. */
export function encodeTable(header: string, table: FieldTable, fields: FieldValues, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(table.lengthBytes + rest.length);
  bytes.set(table.defaults);
  for (const name in fields) {
    const spec = table.byName.get(name);
    const value = fields[name];
    if (spec !== undefined && value !== undefined) writeField(bytes, 0, spec, value, header);
  }
  bytes.set(rest, table.lengthBytes);
  return bytes;
}

/** Bytes in one piece or in several, such as options. */
export type Pieces = Uint8Array | readonly Uint8Array[];

/** Pieces as one, filled up with zeros to a multiple of `unitBytes`. */
export function joinPieces(header: string, field: string, value: unknown, unitBytes: number): Uint8Array {
  if (value === undefined) return NO_BYTES;
  const pieces: readonly unknown[] = Array.isArray(value) ? value : [value];
  let lengthBytes = 0;
  for (const piece of pieces) {
    if (!(piece instanceof Uint8Array)) throw new TypeError(`${header}.${field}: ${String(piece)} is no Uint8Array`);
    lengthBytes += piece.length;
  }
  const joined = new Uint8Array(Math.ceil(lengthBytes / unitBytes) * unitBytes);
  let at = 0;
  for (const piece of pieces as readonly Uint8Array[]) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}

/** For EtherType fields. */
export function nextEtherType({ next, nextFields }: Completion): number | undefined {
  return next === undefined ? undefined : ((nextFields['tpid'] as number | undefined) ?? next.etherType);
}

/** For IPv4's protocol and IPv6's next header. */
export function nextIpProtocol({ next }: Completion): number | undefined {
  return next?.ipProtocol;
}

/** A wrong checksum that isn't another way to write the right one (0 and 0xffff), nor 0, which says that there is none. */
export function wrongChecksum(right: number): number {
  const wrong = (right ^ 0x0101) >>> 0;
  return wrong === 0 ? 0x0202 : wrong;
}

/** The values of all fields of a header. */
export function readFields(definition: HeaderDefinition, bytes: Uint8Array, at: number, lengthBytes: number, read: (spec: FieldSpec) => FieldValue): Record<string, FieldValue> {
  const fields: Record<string, FieldValue> = {};
  for (const spec of definition.table(bytes, at).fields) fields[spec.name] = read(spec);
  return Object.assign(fields, definition.readRest(bytes, at, lengthBytes));
}
