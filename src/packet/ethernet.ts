import { field, u16 } from './header.js';
import type { Header, HeaderName } from './header.js';

/**
 * Ethernet II (IEEE 802.3-2018 section 3.1.1), without preamble and FCS:
 *
 *    0            6            12          14
 *   +------------+------------+-----------+---------
 *   | dst        | src        | type      | payload
 *   +------------+------------+-----------+---------
 *
 * A type below 1536 is the length of an 802.3 frame with an LLC header.
 */
export const ETH_DST_OFF = 0;
export const ETH_SRC_OFF = 6;
export const ETH_TYPE_OFF = 12;
export const ETH_HEADER_BYTES = 14;
export const ETH_ADDRESS_BYTES = 6;

export const ETHERTYPE_MIN = 0x0600;
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
/** IEEE 802.1Q customer tag. */
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_IPV6 = 0x86dd;
/** IEEE 802.1ad service tag. */
export const ETHERTYPE_QINQ = 0x88a8;
export const ETHERTYPE_MPLS = 0x8847;
/** MPLS multicast (RFC 5332). */
export const ETHERTYPE_MPLS_MULTICAST = 0x8848;
/** Transparent Ethernet bridging: an Ethernet frame inside of a tunnel (RFC 1701, RFC 7637 section 3.2). */
export const ETHERTYPE_TEB = 0x6558;

const FIELDS = [field('dst', ETH_DST_OFF, 6), field('src', ETH_SRC_OFF, 6), field('type', ETH_TYPE_OFF, 2)];

/** Ethernet II, and the length field of IEEE 802.3. */
export const ethernetHeader: Header = {
  minBytes: ETH_HEADER_BYTES,
  rest: 'rest',
  fields: () => FIELDS,
  lengthBytes: () => ETH_HEADER_BYTES,
  next: (bytes, at) => headerOfEtherType(u16(bytes, at + ETH_TYPE_OFF)),
  payloadEnd: (bytes, at) => {
    const type = u16(bytes, at + ETH_TYPE_OFF);
    return type < ETHERTYPE_MIN ? at + ETH_HEADER_BYTES + type : undefined;
  },
};

/**
 * The header that an EtherType announces; `undefined` for one that isn't taken apart.
 *
 * @example
 * headerOfEtherType(0x86dd); // 'ipv6'
 */
export function headerOfEtherType(etherType: number): HeaderName | undefined {
  switch (etherType) {
    case ETHERTYPE_IPV4: return 'ipv4';
    case ETHERTYPE_IPV6: return 'ipv6';
    case ETHERTYPE_ARP: return 'arp';
    case ETHERTYPE_VLAN:
    case ETHERTYPE_QINQ: return 'vlan';
    case ETHERTYPE_MPLS:
    case ETHERTYPE_MPLS_MULTICAST: return 'mpls';
    case ETHERTYPE_TEB: return 'eth';
    default: return undefined;
  }
}

const OCTET_TEXTS = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'));

/**
 * `02:00:00:00:00:01`
 *
 * @example
 * formatMac(data, 6); // '02:00:00:00:00:01'
 */
export function formatMac(bytes: Uint8Array, offBytes: number): string {
  let text = OCTET_TEXTS[bytes[offBytes]!]!;
  for (let i = offBytes + 1; i < offBytes + ETH_ADDRESS_BYTES; i++) text += `:${OCTET_TEXTS[bytes[i]!]}`;
  return text;
}
