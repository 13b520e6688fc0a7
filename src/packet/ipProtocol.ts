import type { HeaderName } from './header.js';

/** Protocol numbers (IANA "Assigned Internet Protocol Numbers"), used by IPv4 and as IPv6 next header. */
export const IPPROTO_HOPOPTS = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_ROUTING = 43;
export const IPPROTO_FRAGMENT = 44;
export const IPPROTO_AH = 51;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_NONE = 59;
export const IPPROTO_DSTOPTS = 60;

/** Names for people. */
const PROTOCOL_NAMES = new Map<number, string>([
  [IPPROTO_HOPOPTS, 'hop-by-hop options'], [IPPROTO_ICMP, 'ICMP'], [2, 'IGMP'], [4, 'IPIP'], [IPPROTO_TCP, 'TCP'], [IPPROTO_UDP, 'UDP'],
  [41, 'IPv6-in-IP'], [IPPROTO_ROUTING, 'routing'], [IPPROTO_FRAGMENT, 'fragment'], [47, 'GRE'], [50, 'ESP'], [IPPROTO_AH, 'AH'],
  [IPPROTO_ICMPV6, 'ICMPv6'], [IPPROTO_NONE, 'no next header'], [IPPROTO_DSTOPTS, 'destination options'], [89, 'OSPF'], [103, 'PIM'],
  [112, 'VRRP'], [132, 'SCTP'],
]);

/** `SCTP`, or `protocol 253` for a number without a name here. */
export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES.get(protocol) ?? `protocol ${protocol}`;
}

/** The upper-layer header of a protocol number; `undefined` for one that isn't taken apart. */
export function upperHeader(protocol: number): HeaderName | undefined {
  switch (protocol) {
    case IPPROTO_TCP: return 'tcp';
    case IPPROTO_UDP: return 'udp';
    case IPPROTO_ICMP: return 'icmp';
    case IPPROTO_ICMPV6: return 'icmpv6';
    default: return undefined;
  }
}
