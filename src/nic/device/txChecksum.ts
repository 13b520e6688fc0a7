import { ETHERTYPE_QINQ, ETHERTYPE_VLAN, IPPROTO_TCP, IPPROTO_UDP } from '../../packet/index.js';
import { DESC_CSUM, DESC_CSUM_IPV4, DESC_CSUM_PROTOCOL, PACKET_IPV4, PACKET_IPV6, PACKET_SCTP, PACKET_TCP, PACKET_UDP } from './batch.js';
import { fold32, pseudoHeaderSum, rangeSum } from './checksum.js';
import type { SumMemory } from './checksum.js';
import { VLAN_TAG_BYTES } from './vlan.js';

const ETH_HEADER_BYTES = 14;
const TAGS_MAX = 2;
const IPV4_HEADER_BYTES = 20;
const IPV4_CHECKSUM = 10;
const IPV6_HEADER_BYTES = 40;

/** Where the checksum lies in the header: `csum_offset`. */
export const TCP_CSUM_OFFSET = 16;
export const UDP_CSUM_OFFSET = 6;

/** 0 says "no checksum" to UDP, and the same number to one's complement arithmetic (CSUM_MANGLED_0). */
const MANGLED_ZERO = 0xffff;

/**
 * Writes the checksums that a descriptor asks for into a frame that lies in the device.
 *
 * @param flags DESC_CSUM for layer 4, with DESC_CSUM_PROTOCOL as the format has it; DESC_CSUM_IPV4 for layer 3
 * @param packetType PACKET_* bits; with DESC_CSUM_PROTOCOL the headers tell what the descriptor doesn't
 * @param l3Start with DESC_CSUM_PROTOCOL not looked at: such a device finds layer 3 behind the tags by itself; else 0 for the same
 * @param csumStart with DESC_CSUM_PROTOCOL 0 for where the IP header ends
 * @param csumOffset not looked at with DESC_CSUM_PROTOCOL
 * @returns false when the descriptor points behind the frame or at headers that make no sense: a driver's mistake. A checksum that
 * was refused is not written. SCTP is refused.
 */
export function insertChecksums(
  memory: SumMemory, address: number, lenBytes: number, flags: number, packetType: number, l3Start: number, csumStart: number, csumOffset: number,
): boolean {
  const isByProtocol = (flags & DESC_CSUM_PROTOCOL) !== 0;
  const l3 = isByProtocol || l3Start === 0 ? behindTags(memory.u8, address, lenBytes) : l3Start;
  const isIpv4Done = (flags & DESC_CSUM_IPV4) === 0 || insertIpv4Checksum(memory, address, lenBytes, l3);
  if ((flags & DESC_CSUM) === 0) return isIpv4Done;
  // A device that is told SCTP computes a CRC32c, which nobody here asks for (csum_not_inet).
  if ((packetType & PACKET_SCTP) !== 0) return false;
  if (!isByProtocol) return insertPartialChecksum(memory, address, lenBytes, csumStart, csumOffset) && isIpv4Done;
  if (l3 + IPV4_HEADER_BYTES > lenBytes) return false;
  const ip = address + l3;
  const l4 = csumStart !== 0 ? csumStart : l3 + ipHeaderBytes(memory.u8, ip);
  return insertProtocolChecksum(memory, address, lenBytes, completeType(memory.u8, ip, packetType), l3, l4) && isIpv4Done;
}

/** Where layer 3 begins, behind up to two VLAN tags. */
function behindTags(u8: Uint8Array, address: number, lenBytes: number): number {
  let l3 = ETH_HEADER_BYTES;
  for (let tags = 0; tags < TAGS_MAX && l3 + VLAN_TAG_BYTES <= lenBytes; tags++) {
    const etherType = (u8[address + l3 - 2] << 8) | u8[address + l3 - 1];
    if (etherType !== ETHERTYPE_VLAN && etherType !== ETHERTYPE_QINQ) break;
    l3 += VLAN_TAG_BYTES;
  }
  return l3;
}

/** What the first byte of the IP header says; 0 when it is neither version. */
function ipHeaderBytes(u8: Uint8Array, ip: number): number {
  if (u8[ip] >>> 4 === 6) return IPV6_HEADER_BYTES;
  return u8[ip] >>> 4 === 4 ? (u8[ip] & 15) * 4 : 0;
}

/** PACKET_* bits of network and transport protocol, those that the descriptor leaves open from the IP header. */
function completeType(u8: Uint8Array, ip: number, packetType: number): number {
  let type = packetType;
  if ((type & (PACKET_IPV4 | PACKET_IPV6)) === 0) type |= u8[ip] >>> 4 === 6 ? PACKET_IPV6 : PACKET_IPV4;
  if ((type & (PACKET_TCP | PACKET_UDP)) !== 0) return type;
  const protocol = u8[ip + ((type & PACKET_IPV6) !== 0 ? 6 : 9)];
  if (protocol === IPPROTO_TCP) return type | PACKET_TCP;
  return protocol === IPPROTO_UDP ? type | PACKET_UDP : type;
}

/**
 * CHECKSUM_PARTIAL: the sum from `csumStart` to the frame's end, with what the driver has put into the field (the pseudo header's sum),
 * complemented, at `csumStart + csumOffset`. A device that is told no protocol can't tell UDP from others, and 0 and 0xffff are
 * the same to the receiver: 0 becomes 0xffff always, as in skb_checksum_help (net/core/dev.c, Linux 6.18).
 */
export function insertPartialChecksum(memory: SumMemory, address: number, lenBytes: number, csumStart: number, csumOffset: number): boolean {
  if (!isFieldInside(lenBytes, csumStart, csumOffset)) return false;
  const sum = ~rangeSum(memory, address + csumStart, lenBytes - csumStart) & 0xffff;
  storeChecksum(memory.u8, address + csumStart + csumOffset, sum === 0 ? MANGLED_ZERO : sum);
  return true;
}

/** The whole checksum of TCP or UDP by a device that knows the protocol: pseudo header included, whatever lies in the field. Not for fragments. */
export function insertProtocolChecksum(memory: SumMemory, address: number, lenBytes: number, packetType: number, l3Start: number, l4Start: number): boolean {
  const isTcp = (packetType & PACKET_TCP) !== 0;
  const isIpv6 = (packetType & PACKET_IPV6) !== 0;
  if (isTcp === ((packetType & PACKET_UDP) !== 0) || isIpv6 === ((packetType & PACKET_IPV4) !== 0)) return false;
  const csumOffset = isTcp ? TCP_CSUM_OFFSET : UDP_CSUM_OFFSET;
  if (!isWithin(l3Start, lenBytes) || !isFieldInside(lenBytes, l4Start, csumOffset)) return false;
  if (l4Start < l3Start + (isIpv6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES)) return false;
  if (memory.u8[address + l3Start] >>> 4 !== (isIpv6 ? 6 : 4) || (!isIpv6 && isFragment(memory.u8, address + l3Start))) return false;
  const upperBytes = statedUpperBytes(memory.u8, address + l3Start, isIpv6, l4Start - l3Start);
  if (upperBytes < csumOffset + 2 || l4Start + upperBytes > lenBytes) return false;
  const { u8 } = memory;
  const field = address + l4Start + csumOffset;
  storeChecksum(u8, field, 0);
  const pseudo = pseudoHeaderSum(memory, isIpv6, address + l3Start, isTcp ? IPPROTO_TCP : IPPROTO_UDP, upperBytes);
  const sum = ~fold32(pseudo + rangeSum(memory, address + l4Start, upperBytes)) & 0xffff;
  storeChecksum(u8, field, sum === 0 && !isTcp ? MANGLED_ZERO : sum);
  return true;
}

/** The header checksum of IPv4, whatever lies in the field. */
export function insertIpv4Checksum(memory: SumMemory, address: number, lenBytes: number, l3Start: number): boolean {
  if (!isWithin(l3Start, lenBytes) || l3Start + IPV4_HEADER_BYTES > lenBytes) return false;
  const { u8 } = memory;
  const ip = address + l3Start;
  const headerBytes = (u8[ip] & 15) * 4;
  if (u8[ip] >>> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES || l3Start + headerBytes > lenBytes) return false;
  storeChecksum(u8, ip + IPV4_CHECKSUM, 0);
  storeChecksum(u8, ip + IPV4_CHECKSUM, ~rangeSum(memory, ip, headerBytes) & 0xffff);
  return true;
}

/** Bytes from the upper header to the end of the packet, by the IP header's length field. */
function statedUpperBytes(u8: Uint8Array, ip: number, isIpv6: boolean, headerBytes: number): number {
  if (isIpv6) return ((u8[ip + 4] << 8) | u8[ip + 5]) + IPV6_HEADER_BYTES - headerBytes;
  return ((u8[ip + 2] << 8) | u8[ip + 3]) - headerBytes;
}

/** Whether an IPv4 packet is a fragment, whose checksum is that of the whole datagram. */
function isFragment(u8: Uint8Array, ip: number): boolean {
  return ((u8[ip + 6] & 0x3f) | u8[ip + 7]) !== 0;
}

function isWithin(offset: number, lenBytes: number): boolean {
  return offset >= 0 && offset <= lenBytes;
}

/** Whether a 16-bit field at `csumStart + csumOffset` lies in the frame, as skb_partial_csum_set demands (net/core/skbuff.c, Linux 6.18). */
export function isFieldInside(lenBytes: number, csumStart: number, csumOffset: number): boolean {
  return isWithin(csumStart, lenBytes) && csumOffset >= 0 && csumStart + csumOffset + 2 <= lenBytes;
}

function storeChecksum(u8: Uint8Array, at: number, checksum: number): void {
  u8[at] = checksum >>> 8;
  u8[at + 1] = checksum;
}
