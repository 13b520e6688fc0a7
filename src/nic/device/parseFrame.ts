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
export const NOT_FOUND = -1;

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
  /** Where the payload of the IP header begins (behind IPv4 options, before IPv6 extension headers), or NOT_FOUND. */
  l4Start = NOT_FOUND;
  /** Protocol of IPv4, next header of IPv6, or NOT_FOUND. */
  protocol = NOT_FOUND;
}

/**
 * Takes the headers of a frame apart, once for all offloads: up to two VLAN tags, IPv4 with options, IPv6 without extension headers (a
 * header that isn't there ends the search, as does one whose version or length makes no sense). Reads no byte behind the frame.
 *
 * @param lenBytes at least 14
 */
export function parseFrame(u8: Uint8Array, address: number, lenBytes: number, frame: ParsedFrame): void {
  let packetType = 0;
  if ((u8[address] & 1) !== 0) packetType = isBroadcast(u8, address) ? PACKET_BROADCAST : PACKET_MULTICAST;
  let l3 = ETH_HEADER_BYTES;
  let etherType = (u8[address + 12] << 8) | u8[address + 13];
  frame.vlanTci = NO_VLAN_TAG;
  for (let tags = 0; tags < TAGS_MAX && (etherType === ETHERTYPE_VLAN || etherType === ETHERTYPE_QINQ) && l3 + 4 <= lenBytes; tags++) {
    if (tags === 0) frame.vlanTci = (u8[address + l3] << 8) | u8[address + l3 + 1];
    l3 += 4;
    etherType = (u8[address + l3 - 2] << 8) | u8[address + l3 - 1];
  }
  frame.etherType = etherType;
  frame.l3Start = l3;
  frame.l4Start = NOT_FOUND;
  frame.protocol = NOT_FOUND;
  frame.packetType = packetType;
  const ip = address + l3;
  if (etherType === ETHERTYPE_IPV4 && l3 + IPV4_HEADER_BYTES <= lenBytes) {
    const l4 = l3 + (u8[ip] & 15) * 4;
    if (u8[ip] >>> 4 !== 4 || l4 < l3 + IPV4_HEADER_BYTES || l4 > lenBytes) return;
    const isFragment = ((u8[ip + 6] & 0x3f) | u8[ip + 7]) !== 0;
    frame.protocol = u8[ip + 9];
    frame.l4Start = l4;
    frame.packetType = packetType | PACKET_IPV4 | (isFragment ? PACKET_FRAGMENT : upperType(frame.protocol, l4, lenBytes));
  } else if (etherType === ETHERTYPE_IPV6 && l3 + IPV6_HEADER_BYTES <= lenBytes) {
    if (u8[ip] >>> 4 !== 6) return;
    const l4 = l3 + IPV6_HEADER_BYTES;
    frame.protocol = u8[ip + 6];
    frame.l4Start = l4;
    frame.packetType = packetType | PACKET_IPV6 | (frame.protocol === IPPROTO_FRAGMENT ? PACKET_FRAGMENT : upperType(frame.protocol, l4, lenBytes));
  }
}

function upperType(protocol: number, l4: number, lenBytes: number): number {
  if (l4 + PORT_BYTES > lenBytes) return 0;
  if (protocol === IPPROTO_TCP) return PACKET_TCP;
  if (protocol === IPPROTO_UDP) return PACKET_UDP;
  return protocol === IPPROTO_SCTP ? PACKET_SCTP : 0;
}

function isBroadcast(u8: Uint8Array, address: number): boolean {
  for (let i = 0; i < 6; i++) if (u8[address + i] !== 0xff) return false;
  return true;
}
