import { field, u16 } from './header.js';
import type { Header } from './header.js';

/**
 * SCTP common header (RFC 9260 section 3.1), and the chunks behind it (section 3.2), each padded to 4 bytes:
 *
 *    0  source port                        0  type
 *    2  destination port                   1  flags
 *    4  verification tag                   2  length, with these 4 bytes, without the padding
 *    8  CRC32c of header and chunks,       4  value
 *       least significant byte first
 */
export const SCTP_SRC_PORT_OFF = 0;
export const SCTP_DST_PORT_OFF = 2;
export const SCTP_TAG_OFF = 4;
export const SCTP_CHECKSUM_OFF = 8;
export const SCTP_HEADER_BYTES = 12;

export const SCTP_CHUNK_TYPE_OFF = 0;
export const SCTP_CHUNK_FLAGS_OFF = 1;
export const SCTP_CHUNK_LENGTH_OFF = 2;
export const SCTP_CHUNK_MIN_BYTES = 4;

const FIELDS = [
  field('src_port', SCTP_SRC_PORT_OFF, 2),
  field('dst_port', SCTP_DST_PORT_OFF, 2),
  field('tag', SCTP_TAG_OFF, 4),
  field('checksum', SCTP_CHECKSUM_OFF, 4),
];
const CHUNK_FIELDS = [field('type', SCTP_CHUNK_TYPE_OFF, 1), field('flags', SCTP_CHUNK_FLAGS_OFF, 1), field('length', SCTP_CHUNK_LENGTH_OFF, 2)];

/** SCTP (RFC 9260). */
export const sctpHeader: Header = {
  minBytes: SCTP_HEADER_BYTES,
  rest: 'rest',
  fields: () => FIELDS,
  lengthBytes: () => SCTP_HEADER_BYTES,
  next: (_, at, end) => (at + SCTP_HEADER_BYTES < end ? 'chunk' : undefined),
};

/** A chunk of SCTP. */
export const sctpChunkHeader: Header = {
  minBytes: SCTP_CHUNK_MIN_BYTES,
  rest: 'value',
  fields: () => CHUNK_FIELDS,
  lengthBytes: (bytes, at) => paddedChunkBytes(u16(bytes, at + SCTP_CHUNK_LENGTH_OFF)),
  next: (bytes, at, end) => (at + paddedChunkBytes(u16(bytes, at + SCTP_CHUNK_LENGTH_OFF)) < end ? 'chunk' : undefined),
};

/** What a chunk takes up; 0 for a length that isn't possible. */
function paddedChunkBytes(lengthBytes: number): number {
  return lengthBytes < SCTP_CHUNK_MIN_BYTES ? 0 : (lengthBytes + 3) & ~3;
}

const CHUNK_NAMES = [
  'DATA', 'INIT', 'INIT ACK', 'SACK', 'HEARTBEAT', 'HEARTBEAT ACK', 'ABORT', 'SHUTDOWN', 'SHUTDOWN ACK', 'ERROR', 'COOKIE ECHO', 'COOKIE ACK',
  'ECNE', 'CWR', 'SHUTDOWN COMPLETE',
] as const;

/**
 * `INIT ACK`, or `chunk 192` for a type that RFC 9260 doesn't name.
 *
 * @example
 * sctpChunkName(2); // 'INIT ACK'
 */
export function sctpChunkName(type: number): string {
  return CHUNK_NAMES[type] ?? `chunk ${type}`;
}
