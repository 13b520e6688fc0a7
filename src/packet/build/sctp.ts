import { sctpChecksum } from '../crc32c.js';
import { u16 } from '../header.js';
import { IPPROTO_SCTP } from '../ipProtocol.js';
import { SCTP_CHECKSUM_OFF, SCTP_CHUNK_LENGTH_OFF, SCTP_CHUNK_MIN_BYTES, sctpChunkName } from '../sctp.js';
import { encodeTable, fixedHeader, joinPieces, NO_BYTES, wrongChecksum } from './definition.js';
import type { HeaderDefinition } from './definition.js';
import { fieldTable, number } from './fieldTable.js';

/** Fields of SCTP's common header (RFC 9260 section 3.1). */
export interface SctpFields {
  /** u16. Default 49152. */
  readonly src?: number;
  /** u16. Default 80. */
  readonly dst?: number;
  /** u32, verification tag. Default 0. */
  readonly tag?: number;
  /** u32 as read big-endian from the wire. Computed: CRC32c. */
  readonly checksum?: number;
}

/** Fields of a chunk (RFC 9260 section 3.2). */
export interface SctpChunkFields {
  /** u8. Default 0, DATA. */
  readonly type?: number;
  /** u8. Default 0; a DATA chunk that is a whole message has 3. */
  readonly flags?: number;
  /** u16, with these 4 bytes, without padding. Computed. */
  readonly length?: number;
  /** What is behind the length; see `sctpData`. Default nothing. */
  readonly value?: Uint8Array;
  /** Up to 3 bytes that fill the chunk up to a multiple of 4. Default zeros; a decoded chunk has them only if they aren't. */
  readonly padding?: Uint8Array;
}

/**
 *    0  src
 *    2  dst
 *    4  tag
 *    8  checksum, least significant byte first
 */
export const sctpDefinition = fixedHeader({
  name: 'sctp',
  announces: 'chunk',
  ipProtocol: IPPROTO_SCTP,
  fields: fieldTable(
    number('src', 16, { default: 49152 }),
    number('dst', 16, { default: 80 }),
    number('tag', 32, { isHex: true }),
    number('checksum', 32, { isHex: true }),
  ),
  computed: [{ name: 'checksum', compute: ({ bytes, at, endBytes }) => sctpChecksum(bytes, at, endBytes - at, at + SCTP_CHECKSUM_OFF), wrong: wrongChecksum }],
});

const CHUNK_TABLE = fieldTable(
  number('type', 8, { meaning: sctpChunkName }),
  number('flags', 8, { isHex: true }),
  number('length', 16),
);

/**
 *    0        1        2           4
 *   +--------+--------+-----------+-------+---------
 *   | type   | flags  | length    | value | padding to a multiple of 4
 *   +--------+--------+-----------+-------+---------
 */
export const sctpChunkDefinition: HeaderDefinition = {
  name: 'chunk',
  announces: 'chunk',
  names: new Set([...CHUNK_TABLE.byName.keys(), 'value', 'padding']),
  // `encode` has put the length there: behind it nobody could tell value from padding.
  computed: [{ name: 'length', compute: ({ bytes, at }) => u16(bytes, at + SCTP_CHUNK_LENGTH_OFF) }],
  table: () => CHUNK_TABLE,
  encode: (fields) => {
    const value = joinPieces('chunk', 'value', fields['value'], 1);
    const padding = fields['padding'] ?? new Uint8Array(-value.length & 3);
    const length = fields['length'] ?? SCTP_CHUNK_MIN_BYTES + value.length;
    return encodeTable('chunk', CHUNK_TABLE, { ...fields, length }, joinPieces('chunk', 'padding', [value, padding], 1));
  },
  readRest: (bytes, at, lengthBytes) => {
    const valueEnd = at + u16(bytes, at + SCTP_CHUNK_LENGTH_OFF);
    const value = bytes.slice(at + SCTP_CHUNK_MIN_BYTES, valueEnd);
    const padding = bytes.slice(valueEnd, at + lengthBytes);
    return padding.some((byte) => byte !== 0) ? { value, padding } : { value };
  },
};

/** What a DATA chunk has before the user's data (RFC 9260 section 3.3.1). */
export interface SctpDataFields {
  /** u32, transmission sequence number. Default 0. */
  readonly tsn?: number;
  /** u16, stream. Default 0. */
  readonly stream?: number;
  /** u16, stream sequence number. Default 0. */
  readonly streamSequence?: number;
  /** u32, payload protocol identifier. Default 0. */
  readonly protocol?: number;
}

const DATA_TABLE = fieldTable(number('tsn', 32), number('stream', 16), number('streamSequence', 16), number('protocol', 32));

/**
 * Fields of a DATA chunk that is a whole message, for `.chunk()`.
 *
 *    0  tsn
 *    4  stream
 *    6  stream sequence
 *    8  payload protocol
 *   12  data
 *
 * @example
 * const frame = ethernet().ipv4().sctp().chunk(sctpData({ tsn: 7 }, Uint8Array.of(1, 2))).build();
 */
export function sctpData(fields: SctpDataFields = {}, data: Uint8Array = NO_BYTES): SctpChunkFields {
  return { type: 0, flags: 3, value: encodeTable('sctpData', DATA_TABLE, { ...fields }, data) };
}
