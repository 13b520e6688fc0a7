import { ETHERTYPE_IPV4 } from './ethernet.js';
import { field, u16 } from './header.js';
import type { Header } from './header.js';

/**
 * ARP (RFC 826); the addresses as for Ethernet and IPv4:
 *
 *    0       2       4      5      6       8            14           18           24           28
 *   +-------+-------+------+------+-------+------------+------------+------------+------------+
 *   | htype | ptype | hlen | plen | oper  | sha        | spa        | tha        | tpa        |
 *   +-------+-------+------+------+-------+------------+------------+------------+------------+
 */
export const ARP_HTYPE_OFF = 0;
export const ARP_PTYPE_OFF = 2;
export const ARP_HLEN_OFF = 4;
export const ARP_PLEN_OFF = 5;
export const ARP_OPER_OFF = 6;
export const ARP_SHA_OFF = 8;
export const ARP_SPA_OFF = 14;
export const ARP_THA_OFF = 18;
export const ARP_TPA_OFF = 24;
/** Up to the addresses. */
export const ARP_FIXED_BYTES = 8;
export const ARP_IPV4_BYTES = 28;

export const ARP_HTYPE_ETHERNET = 1;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

const FIXED_FIELDS = [
  field('htype', ARP_HTYPE_OFF, 2),
  field('ptype', ARP_PTYPE_OFF, 2),
  field('hlen', ARP_HLEN_OFF, 1),
  field('plen', ARP_PLEN_OFF, 1),
  field('oper', ARP_OPER_OFF, 2),
];
const IPV4_FIELDS = [
  ...FIXED_FIELDS,
  field('sha', ARP_SHA_OFF, 6),
  field('spa', ARP_SPA_OFF, 4),
  field('tha', ARP_THA_OFF, 6),
  field('tpa', ARP_TPA_OFF, 4),
];

/** ARP (RFC 826). */
export const arpHeader: Header = {
  minBytes: ARP_FIXED_BYTES,
  rest: 'addresses',
  fields: (bytes, at) => (isArpForIpv4(bytes, at) ? IPV4_FIELDS : FIXED_FIELDS),
  lengthBytes: (bytes, at) => ARP_FIXED_BYTES + 2 * (bytes[at + ARP_HLEN_OFF]! + bytes[at + ARP_PLEN_OFF]!),
  next: () => undefined,
  payloadEnd: (bytes, at) => at + arpHeader.lengthBytes(bytes, at),
};

/**
 * Whether the addresses are those of Ethernet and IPv4, as the offsets above assume.
 *
 * @example
 * isArpForIpv4(ethernet().arp().build(), 14); // true
 */
export function isArpForIpv4(bytes: Uint8Array, at: number): boolean {
  return u16(bytes, at + ARP_HTYPE_OFF) === ARP_HTYPE_ETHERNET && u16(bytes, at + ARP_PTYPE_OFF) === ETHERTYPE_IPV4
    && bytes[at + ARP_HLEN_OFF] === 6 && bytes[at + ARP_PLEN_OFF] === 4;
}
