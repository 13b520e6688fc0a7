import type { HeaderName } from './header.js';

/** Protocol numbers (IANA "Assigned Internet Protocol Numbers"), used by IPv4 and as IPv6 next header. */
export const IPPROTO_HOPOPTS = 0;
export const IPPROTO_ICMP = 1;
/** IPv4 inside of IP (RFC 2003). */
export const IPPROTO_IPIP = 4;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
/** IPv6 inside of IP (RFC 2473, RFC 4213). */
export const IPPROTO_IPV6 = 41;
export const IPPROTO_ROUTING = 43;
export const IPPROTO_FRAGMENT = 44;
export const IPPROTO_GRE = 47;
export const IPPROTO_AH = 51;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_NONE = 59;
export const IPPROTO_DSTOPTS = 60;
export const IPPROTO_SCTP = 132;
/** MPLS inside of IP (RFC 4023). */
export const IPPROTO_MPLS = 137;

/** Names for people. */
const PROTOCOL_NAMES = new Map<number, string>([
  [IPPROTO_HOPOPTS, 'hop-by-hop options'], [IPPROTO_ICMP, 'ICMP'], [2, 'IGMP'], [IPPROTO_IPIP, 'IPIP'], [IPPROTO_TCP, 'TCP'], [IPPROTO_UDP, 'UDP'],
  [IPPROTO_IPV6, 'IPv6-in-IP'], [IPPROTO_ROUTING, 'routing'], [IPPROTO_FRAGMENT, 'fragment'], [IPPROTO_GRE, 'GRE'], [50, 'ESP'], [IPPROTO_AH, 'AH'],
  [IPPROTO_ICMPV6, 'ICMPv6'], [IPPROTO_NONE, 'no next header'], [IPPROTO_DSTOPTS, 'destination options'], [89, 'OSPF'], [103, 'PIM'],
  [112, 'VRRP'], [IPPROTO_SCTP, 'SCTP'], [IPPROTO_MPLS, 'MPLS-in-IP'],
]);

/**
 * `SCTP`, or `protocol 253` for a number without a name here.
 *
 * @example
 * protocolName(132); // 'SCTP'
 */
export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES.get(protocol) ?? `protocol ${protocol}`;
}

/**
 * The header that a protocol number announces, inside of IPv4 or behind IPv6 and its extension headers; `undefined` for one that isn't taken apart.
 *
 * @example
 * upperHeader(17); // 'udp'
 */
export function upperHeader(protocol: number): HeaderName | undefined {
  switch (protocol) {
    case IPPROTO_TCP: return 'tcp';
    case IPPROTO_UDP: return 'udp';
    case IPPROTO_ICMP: return 'icmp';
    case IPPROTO_ICMPV6: return 'icmpv6';
    case IPPROTO_SCTP: return 'sctp';
    case IPPROTO_GRE: return 'gre';
    case IPPROTO_IPIP: return 'ipv4';
    case IPPROTO_IPV6: return 'ipv6';
    case IPPROTO_MPLS: return 'mpls';
    default: return undefined;
  }
}
