import { toHex } from '../../base/index.js';
import { layerKey } from '../decode.js';
import type { HeaderName } from '../header.js';
import { checksumTexts } from './checksumTexts.js';
import { decodePacket } from './decodePacket.js';
import type { ParsedPacket } from './decodePacket.js';
import { formatRest } from './definition.js';
import { DEFINITIONS } from './definitions.js';
import { formatField, readField } from './fieldTable.js';

/** One thing that two packets differ in. */
export interface PacketDifference {
  /** `ipv4`, `vlan#2`, `payload`, `trailer`, or `headers` when the same ones are in another order. */
  readonly header: string;
  /** Field of the header, or place in payload and trailer, counted from their beginning (`3`, `3-7`); `fault` for what makes a header unreadable; `undefined` for one as a whole. */
  readonly field: string | undefined;
  /** As text; `undefined` where that packet has no such thing. */
  readonly expected: string | undefined;
  readonly actual: string | undefined;
}

/** Stretches of payload or trailer that are listed; those behind are one. */
const LISTED_STRETCHES = 8;
/** Bytes of a stretch that are printed. */
const PRINTED_BYTES = 32;

/**
 * Whether a difference can have this name: a header, a field of it, `payload`, `trailer`.
 *
 * @example
 * isDifferenceName('vlan#2.id'); // true
 * isDifferenceName('ip.ttl'); // false
 */
export function isDifferenceName(name: string): boolean {
  const [, header = '', field] = /^([^.#]+)(?:#\d+)?(?:\.(.+))?$/.exec(name) ?? [];
  if (header === 'payload' || header === 'trailer' || header === 'headers') return true;
  return Object.hasOwn(DEFINITIONS, header) && (field === undefined || field === 'fault' || DEFINITIONS[header as HeaderName].names.has(field));
}

/**
 * Names that whoever wrote this one may have meant: the fields of its header, or all headers when there is no such header.
 *
 * @example
 * differenceNames('eth.dest'); // ['eth.dst', 'eth.src', 'eth.type']
 */
export function differenceNames(name: string): readonly string[] {
  const [header = ''] = name.split('.');
  const [kind = ''] = header.split('#');
  if (Object.hasOwn(DEFINITIONS, kind)) return [...DEFINITIONS[kind as HeaderName].names.keys()].map((field) => `${header}.${field}`);
  const headers = [...Object.keys(DEFINITIONS), 'payload', 'trailer', 'headers'];
  // With the field that was given, if there is one: `ip4.ttl` is `ipv4.ttl`.
  return headers.flatMap((each) => [each, each + name.slice(header.length)]).filter(isDifferenceName);
}

/**
 * What two packets differ in, header by header and field by field, in the order of the expected one; nothing when they are the same bytes. Headers are
 * matched by name, so one that was put in or taken out makes one difference and those behind it are still compared.
 *
 * @throws TypeError for what is no Uint8Array
 * @example
 * const differences = diffPackets(expected, actual);
 */
export function diffPackets(expected: Uint8Array, actual: Uint8Array): readonly PacketDifference[] {
  const wanted = decodePacket(expected);
  const found = decodePacket(actual);
  const wantedTexts = texts(expected, wanted);
  const foundTexts = texts(actual, found);
  const differences: PacketDifference[] = [];
  for (const key of new Set([...wantedTexts.keys(), ...foundTexts.keys()])) differences.push(...diffHeader(key, wantedTexts.get(key), foundTexts.get(key)));
  const common = (headers: ReadonlyMap<string, HeaderTexts>, others: ReadonlyMap<string, HeaderTexts>): string => [...headers.keys()].filter((key) => others.has(key)).join(' ');
  const [wantedOrder, foundOrder] = [common(wantedTexts, foundTexts), common(foundTexts, wantedTexts)];
  if (wantedOrder !== foundOrder) differences.push({ header: 'headers', field: undefined, expected: wantedOrder, actual: foundOrder });
  return [...differences, ...diffBytes('payload', wanted.payload, found.payload), ...diffBytes('trailer', wanted.trailer, found.trailer)];
}

/**
 * Text of differences for people: one line each, empty for none.
 *
 * @example
 * console.log(formatPacketDiff(diffPackets(expected, actual))); // ipv4.ttl  expected 63, got 64
 */
export function formatPacketDiff(differences: readonly PacketDifference[]): string {
  const names = differences.map(({ header, field }) => (field === undefined ? header : `${header}.${field}`));
  const width = Math.max(0, ...names.map((name) => name.length));
  return differences.map(({ expected, actual }, i) => `${names[i]!.padEnd(width)}  expected ${expected ?? 'none'}, got ${actual ?? 'none'}`).join('\n');
}

/** A header: every field as text; or one sentence in place of a header that is cut. */
type HeaderTexts = ReadonlyMap<string, string> | string;

/** The headers of a packet by their keys, with the one that couldn't be taken apart: if it is all there its fields are the reason. */
function texts(bytes: Uint8Array, { layers, faults }: ParsedPacket): ReadonlyMap<string, HeaderTexts> {
  const checksums = checksumTexts(bytes);
  const headers = new Map<string, HeaderTexts>();
  for (const { name, key, offBytes, lengthBytes } of layers) {
    const fields = fieldTexts(bytes, name, offBytes, checksums.get(`${key}.checksum`));
    for (const [rest, value] of Object.entries(DEFINITIONS[name].readRest(bytes, offBytes, lengthBytes))) if (value.length > 0) fields.set(rest, formatRest(DEFINITIONS[name], value));
    headers.set(key, fields);
  }
  const fault = faults.find(({ kind }) => kind === 'truncated' || kind === 'malformed');
  if (fault === undefined) return headers;
  const key = layerKey([...layers, { name: fault.header }], layers.length);
  const isWhole = fault.kind === 'malformed';
  headers.set(key, isWhole ? fieldTexts(bytes, fault.header, fault.offBytes, undefined).set('fault', fault.message) : fault.message);
  return headers;
}

function fieldTexts(bytes: Uint8Array, name: HeaderName, offBytes: number, checksumText: string | undefined): Map<string, string> {
  const fields = new Map(DEFINITIONS[name].table(bytes, offBytes).fields.map((spec) => [spec.name, formatField(spec, readField(bytes, offBytes, spec))]));
  const checksum = fields.get('checksum');
  return checksum === undefined ? fields : fields.set('checksum', `${checksum} (${checksumText ?? 'unverifiable'})`);
}

function diffHeader(key: string, expected: HeaderTexts | undefined, actual: HeaderTexts | undefined): PacketDifference[] {
  if (expected === actual) return [];
  if (expected === undefined || actual === undefined || typeof expected === 'string' || typeof actual === 'string') {
    return [{ header: key, field: undefined, expected: expected && wholeHeader(expected), actual: actual && wholeHeader(actual) }];
  }
  const fields = [...new Set([...expected.keys(), ...actual.keys()])];
  return fields
    .filter((field) => expected.get(field) !== actual.get(field))
    .map((field) => ({ header: key, field, expected: expected.get(field), actual: actual.get(field) }))
    // A checksum that is right in one and wrong in the other over other bytes, but the same number, doesn't differ.
    .filter(({ field, expected: one, actual: other }) => field !== 'checksum' || one?.split(' ')[0] !== other?.split(' ')[0]);
}

function wholeHeader(fields: HeaderTexts): string {
  return typeof fields === 'string' ? fields : [...fields].map(([field, text]) => `${field} ${text}`).join(', ');
}

function diffBytes(header: string, expected: Uint8Array, actual: Uint8Array): PacketDifference[] {
  const differences: PacketDifference[] = [];
  if (expected.length !== actual.length) {
    differences.push({ header, field: 'length', expected: `${expected.length} bytes`, actual: `${actual.length} bytes` });
  }
  const longest = Math.max(expected.length, actual.length);
  for (let at = 0; at < longest; ) {
    if (expected[at] === actual[at]) {
      at++;
      continue;
    }
    const isRest = differences.length >= LISTED_STRETCHES;
    let end = at + 1;
    while (end < longest && (isRest || expected[end] !== actual[end])) end++;
    differences.push({ header, field: end - at === 1 ? `${at}` : `${at}-${end - 1}`, expected: stretch(expected, at, end), actual: stretch(actual, at, end) });
    at = end;
  }
  return differences;
}

function stretch(bytes: Uint8Array, from: number, to: number): string | undefined {
  if (from >= bytes.length) return undefined;
  const part = bytes.subarray(from, Math.min(to, bytes.length));
  return `${toHex(part.subarray(0, PRINTED_BYTES))}${part.length > PRINTED_BYTES ? '…' : ''}`;
}
