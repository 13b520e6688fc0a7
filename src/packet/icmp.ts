import { field } from './header.js';
import type { Header } from './header.js';

/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443), which share their first four bytes; the next four depend on the type:
 *
 *    0  type                  echo: 4  identifier       neighbor solicitation and advertisement (RFC 4861):
 *    1  code                        6  sequence number   4  flags, reserved
 *    2  checksum                                         8  target address
 */
export const ICMP_TYPE_OFF = 0;
export const ICMP_CODE_OFF = 1;
export const ICMP_CHECKSUM_OFF = 2;
export const ICMP_ECHO_ID_OFF = 4;
export const ICMP_ECHO_SEQ_OFF = 6;
export const ICMP_HEADER_BYTES = 8;
export const ND_TARGET_OFF = 8;
export const ND_HEADER_BYTES = 24;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_TIME_EXCEEDED = 11;

export const ICMPV6_UNREACHABLE = 1;
export const ICMPV6_PACKET_TOO_BIG = 2;
export const ICMPV6_TIME_EXCEEDED = 3;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
export const ICMPV6_ROUTER_SOLICITATION = 133;
export const ICMPV6_ROUTER_ADVERTISEMENT = 134;
export const ICMPV6_NEIGHBOR_SOLICITATION = 135;
export const ICMPV6_NEIGHBOR_ADVERTISEMENT = 136;

const COMMON_FIELDS = [field('type', ICMP_TYPE_OFF, 1), field('code', ICMP_CODE_OFF, 1), field('checksum', ICMP_CHECKSUM_OFF, 2)];
const ECHO_FIELDS = [...COMMON_FIELDS, field('id', ICMP_ECHO_ID_OFF, 2), field('seq', ICMP_ECHO_SEQ_OFF, 2)];
const OTHER_FIELDS = [...COMMON_FIELDS, field('rest', 4, 4)];
const ND_FIELDS = [...COMMON_FIELDS, field('flags', 4, 4), field('target', ND_TARGET_OFF, 16)];

/** ICMP (RFC 792). */
export const icmpHeader: Header = {
  minBytes: ICMP_HEADER_BYTES,
  rest: 'rest',
  fields: (bytes, at) => (isIcmpEcho(bytes[at]!) ? ECHO_FIELDS : OTHER_FIELDS),
  lengthBytes: () => ICMP_HEADER_BYTES,
  next: () => undefined,
};

/** ICMPv6 (RFC 4443), with the target of neighbor discovery (RFC 4861). */
export const icmpv6Header: Header = {
  minBytes: ICMP_HEADER_BYTES,
  rest: 'rest',
  fields: (bytes, at) => (isNeighborMessage(bytes[at]!) ? ND_FIELDS : isIcmpv6Echo(bytes[at]!) ? ECHO_FIELDS : OTHER_FIELDS),
  lengthBytes: (bytes, at) => (isNeighborMessage(bytes[at]!) ? ND_HEADER_BYTES : ICMP_HEADER_BYTES),
  next: () => undefined,
};

/**
 * Echo request or reply: the two that have an identifier and a sequence number.
 *
 * @example
 * isIcmpEcho(8); // true
 */
export function isIcmpEcho(type: number): boolean {
  return type === ICMP_ECHO_REQUEST || type === ICMP_ECHO_REPLY;
}

/**
 * Echo request or reply of ICMPv6.
 *
 * @example
 * isIcmpv6Echo(129); // true
 */
export function isIcmpv6Echo(type: number): boolean {
  return type === ICMPV6_ECHO_REQUEST || type === ICMPV6_ECHO_REPLY;
}

/**
 * Neighbor solicitation or advertisement: the two that have a target address.
 *
 * @example
 * isNeighborMessage(135); // true
 */
export function isNeighborMessage(type: number): boolean {
  return type === ICMPV6_NEIGHBOR_SOLICITATION || type === ICMPV6_NEIGHBOR_ADVERTISEMENT;
}

const ICMP_TYPE_NAMES = new Map<number, string>([
  [ICMP_ECHO_REPLY, 'echo reply'], [ICMP_UNREACHABLE, 'unreachable'], [5, 'redirect'], [ICMP_ECHO_REQUEST, 'echo request'],
  [ICMP_TIME_EXCEEDED, 'time exceeded'], [12, 'parameter problem'],
]);

const ICMPV6_TYPE_NAMES = new Map<number, string>([
  [ICMPV6_UNREACHABLE, 'unreachable'], [ICMPV6_PACKET_TOO_BIG, 'packet too big'], [ICMPV6_TIME_EXCEEDED, 'time exceeded'],
  [4, 'parameter problem'], [ICMPV6_ECHO_REQUEST, 'echo request'], [ICMPV6_ECHO_REPLY, 'echo reply'], [130, 'multicast listener query'],
  [131, 'multicast listener report'], [ICMPV6_ROUTER_SOLICITATION, 'router solicitation'],
  [ICMPV6_ROUTER_ADVERTISEMENT, 'router advertisement'], [ICMPV6_NEIGHBOR_SOLICITATION, 'neighbor solicitation'],
  [ICMPV6_NEIGHBOR_ADVERTISEMENT, 'neighbor advertisement'], [143, 'multicast listener report v2'],
]);

/**
 * `echo request`, or `type 42` for one without a name here.
 *
 * @example
 * icmpTypeName(8); // 'echo request'
 */
export function icmpTypeName(type: number): string {
  return ICMP_TYPE_NAMES.get(type) ?? `type ${type}`;
}

/**
 * The same for ICMPv6.
 *
 * @example
 * icmpv6TypeName(135); // 'neighbor solicitation'
 */
export function icmpv6TypeName(type: number): string {
  return ICMPV6_TYPE_NAMES.get(type) ?? `type ${type}`;
}
