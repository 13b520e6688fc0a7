import { field, u16 } from './header.js';
import type { Header, HeaderName } from './header.js';
import { IPPROTO_AH, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT, IPPROTO_HOPOPTS, IPPROTO_ROUTING, upperHeader } from './ipProtocol.js';

/**
 * IPv6 header (RFC 8200 section 3):
 *
 *    0  version (31-28), traffic class (27-20), flow label (19-0)
 *    4  payload length, without this header
 *    6  next header
 *    7  hop limit
 *    8  source
 *   24  destination
 */
export const IPV6_VERSION_OFF = 0;
export const IPV6_PAYLOAD_LENGTH_OFF = 4;
export const IPV6_NEXT_HEADER_OFF = 6;
export const IPV6_HOP_LIMIT_OFF = 7;
export const IPV6_SRC_OFF = 8;
export const IPV6_DST_OFF = 24;
export const IPV6_HEADER_BYTES = 40;
export const IPV6_ADDRESS_BYTES = 16;

/**
 * Extension headers (RFC 8200 section 4; AH: RFC 4302 section 2, where 12 bytes are always there):
 *
 *    0  next header
 *    1  length: in units of 8 bytes without the first 8; AH in units of 4 bytes without the first 8; fragment header: reserved
 *    2  fragment header: fragment offset (15-3) in units of 8 bytes, more fragments (0); routing header: type, segments left
 *    4  fragment header only: identification
 */
export const IPV6_EXT_NEXT_HEADER_OFF = 0;
export const IPV6_EXT_LENGTH_OFF = 1;
export const IPV6_FRAGMENT_OFFSET_OFF = 2;
export const IPV6_FRAGMENT_ID_OFF = 4;
export const IPV6_ROUTING_TYPE_OFF = 2;
export const IPV6_ROUTING_SEGMENTS_LEFT_OFF = 3;
export const IPV6_EXT_MIN_BYTES = 8;
export const AH_MIN_BYTES = 12;
export const IPV6_FRAGMENT_OFFSET_MASK = 0xfff8;

const FIELDS = [
  field('version_class_flow', IPV6_VERSION_OFF, 4),
  field('payload_length', IPV6_PAYLOAD_LENGTH_OFF, 2),
  field('next_header', IPV6_NEXT_HEADER_OFF, 1),
  field('hop_limit', IPV6_HOP_LIMIT_OFF, 1),
  field('src', IPV6_SRC_OFF, 16),
  field('dst', IPV6_DST_OFF, 16),
];

/** IPv6 (RFC 8200). */
export const ipv6Header: Header = {
  minBytes: IPV6_HEADER_BYTES,
  rest: 'rest',
  fields: () => FIELDS,
  lengthBytes: (bytes, at) => (bytes[at + IPV6_VERSION_OFF]! >>> 4 === 6 ? IPV6_HEADER_BYTES : 0),
  next: (bytes, at) => headerOfNextHeader(bytes[at + IPV6_NEXT_HEADER_OFF]!),
  payloadEnd: (bytes, at) => {
    const payloadBytes = u16(bytes, at + IPV6_PAYLOAD_LENGTH_OFF);
    // 0 means a jumbogram (RFC 2675), whose length stands in an option.
    return payloadBytes === 0 ? undefined : at + IPV6_HEADER_BYTES + payloadBytes;
  },
};

const EXT_FIELDS = [field('next_header', IPV6_EXT_NEXT_HEADER_OFF, 1), field('length', IPV6_EXT_LENGTH_OFF, 1)];

function extension(lengthUnitBytes: number, minBytes: number): Header {
  return {
    minBytes,
    rest: 'data',
    fields: () => EXT_FIELDS,
    lengthBytes: (bytes, at) => IPV6_EXT_MIN_BYTES + bytes[at + IPV6_EXT_LENGTH_OFF]! * lengthUnitBytes,
    next: (bytes, at) => headerOfNextHeader(bytes[at + IPV6_EXT_NEXT_HEADER_OFF]!),
  };
}

/** Hop-by-hop options, routing header and destination options are built alike. */
export const ipv6OptionsHeader: Header = extension(8, IPV6_EXT_MIN_BYTES);

/** Authentication header (RFC 4302). */
export const authenticationHeader: Header = extension(4, AH_MIN_BYTES);

const FRAGMENT_FIELDS = [
  field('next_header', IPV6_EXT_NEXT_HEADER_OFF, 1),
  field('reserved', 1, 1),
  field('offset_flags', IPV6_FRAGMENT_OFFSET_OFF, 2),
  field('id', IPV6_FRAGMENT_ID_OFF, 4),
];

/** Fragment header of IPv6 (RFC 8200 section 4.5). */
export const ipv6FragmentHeader: Header = {
  minBytes: IPV6_EXT_MIN_BYTES,
  rest: 'rest',
  fields: () => FRAGMENT_FIELDS,
  lengthBytes: () => IPV6_EXT_MIN_BYTES,
  // Only the first fragment has the headers that follow.
  next: (bytes, at) => (ipv6FragmentOffset(bytes, at) === 0 ? headerOfNextHeader(bytes[at]!) : undefined),
};

/**
 * Offset in bytes that a fragment header states.
 *
 * @example
 * ipv6FragmentOffset(ethernet().ipv6().fragment({ fragmentOffset: 2 }).build(), 54); // 16
 */
export function ipv6FragmentOffset(bytes: Uint8Array, at: number): number {
  return u16(bytes, at + IPV6_FRAGMENT_OFFSET_OFF) & IPV6_FRAGMENT_OFFSET_MASK;
}

/** Routing header types (IANA "IPv6 Parameters"). */
export const ROUTING_TYPE_SOURCE = 0;
export const ROUTING_TYPE_HOME = 2;
export const ROUTING_TYPE_SEGMENT = 4;

/**
 * Where the address lies that the packet goes to in the end, which is what the pseudo header has (RFC 8200 section 8.1): with no segments left
 * it is the header's destination; else the last address of types 0 and 2 (RFC 2460, RFC 6275), the first of type 4 (RFC 8754 section 2).
 *
 * @param dstOffBytes place of the IPv6 header's destination
 * @param at where the routing header begins
 * @param lengthBytes its length
 * @returns -1 for other types, and when there is no address
 * @example
 * finalDestinationOff(ethernet().ipv6().routing().udp().build(), 38, 54, 8);
 */
export function finalDestinationOff(bytes: Uint8Array, dstOffBytes: number, at: number, lengthBytes: number): number {
  if (bytes[at + IPV6_ROUTING_SEGMENTS_LEFT_OFF] === 0) return dstOffBytes;
  const addresses = Math.floor((lengthBytes - IPV6_EXT_MIN_BYTES) / IPV6_ADDRESS_BYTES);
  if (addresses < 1) return -1;
  const first = at + IPV6_EXT_MIN_BYTES;
  switch (bytes[at + IPV6_ROUTING_TYPE_OFF]) {
    case ROUTING_TYPE_SOURCE:
    case ROUTING_TYPE_HOME: return first + (addresses - 1) * IPV6_ADDRESS_BYTES;
    case ROUTING_TYPE_SEGMENT: return first;
    default: return -1;
  }
}

function headerOfNextHeader(nextHeader: number): HeaderName | undefined {
  switch (nextHeader) {
    case IPPROTO_HOPOPTS: return 'hopopts';
    case IPPROTO_ROUTING: return 'routing';
    case IPPROTO_FRAGMENT: return 'fragment';
    case IPPROTO_DSTOPTS: return 'dstopts';
    case IPPROTO_AH: return 'ah';
    default: return upperHeader(nextHeader);
  }
}

/**
 * `2001:db8::1`, as RFC 5952 section 4 writes it: the longest run of at least two zero groups, the first of equals, shortened.
 *
 * @example
 * formatIpv6(ethernet().ipv6({ src: '2001:db8::1' }).build(), 22); // '2001:db8::1'
 */
export function formatIpv6(bytes: Uint8Array, offBytes: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => u16(bytes, offBytes + 2 * i));
  let runStart = 0;
  let runLength = 0;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > runLength) {
      runStart = start;
      runLength = length;
    }
  }
  const text = (from: number, to: number): string => groups.slice(from, to).map((group) => group.toString(16)).join(':');
  return runLength < 2 ? text(0, 8) : `${text(0, runStart)}::${text(runStart + runLength, 8)}`;
}
