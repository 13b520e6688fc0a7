import {
  ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_QINQ, ETHERTYPE_VLAN, IPPROTO_FRAGMENT, IPPROTO_TCP, IPPROTO_UDP,
} from '../../packet/index.js';
import { PACKET_BROADCAST, PACKET_FRAGMENT, PACKET_IPV4, PACKET_IPV6, PACKET_MULTICAST, PACKET_SCTP, PACKET_TCP, PACKET_UDP } from './batch.js';
import { NO_VLAN_TAG } from './vlan.js';

const ETH_HEADER_BYTES = 14;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
const PORT_BYTES = 4;
const TAGS_MAX = 2;
const IPPROTO_SCTP = 132;

/** `l4Start` and `protocol` of a frame in which there is none. */
export const NO_L4 = -1;

/** What the device's parser finds in the headers of a frame. One object is filled in again and again. */
export class ParsedFrame {
  /** PACKET_* bits. PACKET_TCP, _UDP and _SCTP stand for a header of which the ports at least are there, in no fragment. */
  packetType = 0;
  /** EtherType behind up to two VLAN tags. */
  etherType = 0;
  /** Tag control information of the outer tag, 802.1Q or 802.1ad; NO_VLAN_TAG without one. */
  vlanTci = NO_VLAN_TAG;
  /** Where the network header begins, from the frame's beginning. */
  l3Start = 0;
  /** Where the payload of the IP header begins (behind IPv4 options, before IPv6 extension headers), or NO_L4. */
  l4Start = NO_L4;
  /** Protocol of IPv4, next header of IPv6, or NO_L4. */
  protocol = NO_L4;
}

/**
 * Takes the headers of a frame apart, once for all offloads: up to two VLAN tags, IPv4 with options, IPv6 without extension headers (a
 * header that isn't there ends the search, as does one whose version or length makes no sense). Reads no byte behind the frame.
 *
 * @param lenBytes at least 14
 */
export function parseFrame(u8: Uint8Array, address: number, lenBytes: number, frame: ParsedFrame): void {
  let packetType = (u8[address] & 1) === 0 ? 0 : groupType(u8, address);
  let etherType = (u8[address + 12] << 8) | u8[address + 13];
  let l3 = ETH_HEADER_BYTES;
  let vlanTci = NO_VLAN_TAG;
  for (let tags = 0; tags < TAGS_MAX && (etherType === ETHERTYPE_VLAN || etherType === ETHERTYPE_QINQ) && l3 + 4 <= lenBytes; tags++) {
    if (tags === 0) vlanTci = (u8[address + l3] << 8) | u8[address + l3 + 1];
    l3 += 4;
    etherType = (u8[address + l3 - 2] << 8) | u8[address + l3 - 1];
  }
  let l4 = NO_L4;
  let protocol = NO_L4;
  const ip = address + l3;
  if (etherType === ETHERTYPE_IPV4 && l3 + IPV4_HEADER_BYTES <= lenBytes) {
    const headerBytes = (u8[ip] & 15) * 4;
    if (u8[ip] >>> 4 === 4 && headerBytes >= IPV4_HEADER_BYTES && l3 + headerBytes <= lenBytes) {
      const isFragment = ((u8[ip + 6] & 0x3f) | u8[ip + 7]) !== 0;
      l4 = l3 + headerBytes;
      protocol = u8[ip + 9];
      packetType |= PACKET_IPV4 | (isFragment ? PACKET_FRAGMENT : upperType(protocol, l4, lenBytes));
    }
  } else if (etherType === ETHERTYPE_IPV6 && l3 + IPV6_HEADER_BYTES <= lenBytes && u8[ip] >>> 4 === 6) {
    l4 = l3 + IPV6_HEADER_BYTES;
    protocol = u8[ip + 6];
    packetType |= PACKET_IPV6 | (protocol === IPPROTO_FRAGMENT ? PACKET_FRAGMENT : upperType(protocol, l4, lenBytes));
  }
  frame.packetType = packetType;
  frame.etherType = etherType;
  frame.vlanTci = vlanTci;
  frame.l3Start = l3;
  frame.l4Start = l4;
  frame.protocol = protocol;
}

function upperType(protocol: number, l4: number, lenBytes: number): number {
  if (l4 + PORT_BYTES > lenBytes) return 0;
  if (protocol === IPPROTO_TCP) return PACKET_TCP;
  if (protocol === IPPROTO_UDP) return PACKET_UDP;
  return protocol === IPPROTO_SCTP ? PACKET_SCTP : 0;
}

function groupType(u8: Uint8Array, address: number): number {
  for (let i = 0; i < 6; i++) if (u8[address + i] !== 0xff) return PACKET_MULTICAST;
  return PACKET_BROADCAST;
}
