import { field, u16 } from './header.js';
import type { Header } from './header.js';
import { upperHeader } from './ipProtocol.js';

/**
 * IPv4 header (RFC 791 section 3.1):
 *
 *    0  version (7-4), ihl (3-0) in words of 4 bytes      8  ttl
 *    1  dscp (7-2), ecn (1-0)                             9  protocol
 *    2  total length, with this header                   10  header checksum
 *    4  identification                                   12  source
 *    6  flags (15-13), fragment offset (12-0) in units   16  destination
 *       of 8 bytes                                       20  options, up to ihl
 */
export const IPV4_VERSION_IHL_OFF = 0;
export const IPV4_TOS_OFF = 1;
export const IPV4_TOTAL_LENGTH_OFF = 2;
export const IPV4_ID_OFF = 4;
export const IPV4_FRAGMENT_OFF = 6;
export const IPV4_TTL_OFF = 8;
export const IPV4_PROTOCOL_OFF = 9;
export const IPV4_CHECKSUM_OFF = 10;
export const IPV4_SRC_OFF = 12;
export const IPV4_DST_OFF = 16;
export const IPV4_MIN_HEADER_BYTES = 20;
export const IPV4_ADDRESS_BYTES = 4;

export const IPV4_IHL_MASK = 0x0f;
export const IPV4_DONT_FRAGMENT = 0x4000;
export const IPV4_MORE_FRAGMENTS = 0x2000;
export const IPV4_FRAGMENT_OFFSET_MASK = 0x1fff;

const FIELDS = [
  field('version_ihl', IPV4_VERSION_IHL_OFF, 1),
  field('tos', IPV4_TOS_OFF, 1),
  field('total_length', IPV4_TOTAL_LENGTH_OFF, 2),
  field('id', IPV4_ID_OFF, 2),
  field('flags_fragment', IPV4_FRAGMENT_OFF, 2),
  field('ttl', IPV4_TTL_OFF, 1),
  field('protocol', IPV4_PROTOCOL_OFF, 1),
  field('checksum', IPV4_CHECKSUM_OFF, 2),
  field('src', IPV4_SRC_OFF, 4),
  field('dst', IPV4_DST_OFF, 4),
];

/** IPv4 (RFC 791). */
export const ipv4Header: Header = {
  minBytes: IPV4_MIN_HEADER_BYTES,
  rest: 'options',
  fields: () => FIELDS,
  lengthBytes: (bytes, at) => {
    const versionIhl = bytes[at + IPV4_VERSION_IHL_OFF]!;
    const headerBytes = (versionIhl & IPV4_IHL_MASK) * 4;
    const sound = versionIhl >>> 4 === 4 && u16(bytes, at + IPV4_TOTAL_LENGTH_OFF) >= headerBytes;
    return sound ? headerBytes : 0;
  },
  // Only the first fragment has the upper-layer header.
  next: (bytes, at) => (ipv4FragmentOffset(bytes, at) === 0 ? upperHeader(bytes[at + IPV4_PROTOCOL_OFF]!) : undefined),
  payloadEnd: (bytes, at) => at + u16(bytes, at + IPV4_TOTAL_LENGTH_OFF),
};

/**
 * Offset of this fragment in the datagram, in bytes; 0 for a whole datagram and for a first fragment.
 *
 * @example
 * ipv4FragmentOffset(ethernet().ipv4({ fragmentOffset: 2 }).build(), 14); // 16
 */
export function ipv4FragmentOffset(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at + IPV4_FRAGMENT_OFF) & IPV4_FRAGMENT_OFFSET_MASK) * 8;
}

/**
 * Whether the packet is any fragment, the first one included.
 *
 * @example
 * isIpv4Fragment(ethernet().ipv4({ moreFragments: true }).build(), 14); // true
 */
export function isIpv4Fragment(bytes: Uint8Array, at: number): boolean {
  return (u16(bytes, at + IPV4_FRAGMENT_OFF) & (IPV4_FRAGMENT_OFFSET_MASK | IPV4_MORE_FRAGMENTS)) !== 0;
}

/**
 * `10.0.0.1`
 *
 * @example
 * formatIpv4(data, 26); // '192.0.2.1'
 */
export function formatIpv4(bytes: Uint8Array, offBytes: number): string {
  return `${bytes[offBytes]}.${bytes[offBytes + 1]}.${bytes[offBytes + 2]}.${bytes[offBytes + 3]}`;
}
