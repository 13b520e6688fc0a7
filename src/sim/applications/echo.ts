import {
  ETH_HEADER_BYTES, ETH_TYPE_OFF, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_QINQ, ETHERTYPE_VLAN, ICMP_CHECKSUM_OFF, ICMP_CODE_OFF, ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST, ICMP_HEADER_BYTES, ICMP_TYPE_OFF, ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST, internetChecksum, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDP,
  IPV4_ADDRESS_BYTES, IPV4_CHECKSUM_OFF, IPV4_IHL_MASK, IPV4_MIN_HEADER_BYTES, IPV4_PROTOCOL_OFF, IPV4_SRC_OFF, IPV4_TTL_OFF, IPV6_ADDRESS_BYTES, IPV6_HEADER_BYTES,
  IPV6_HOP_LIMIT_OFF, IPV6_NEXT_HEADER_OFF, IPV6_SRC_OFF, isIpv4Fragment, UDP_HEADER_BYTES, UDP_SRC_PORT_OFF, updateChecksum, VLAN_HEADER_BYTES,
} from '../../packet/index.js';
import type { XskApplicationFactory } from './application.js';
import { forwarder } from './forwarder.js';
import { swapMacs, swapNeighbours } from './swapAddresses.js';

/** What a Linux host sends with (ip_default_ttl, hop_limit). */
const TTL = 64;
const PORT_BYTES = 2;
/** 802.1ad and 802.1Q. */
const MAX_TAGS = 2;

/**
 * Answers like a host with an echo service: UDP goes back with its data, an echo request becomes an echo reply, with addresses and ports swapped, a fresh
 * TTL and right checksums. Whatever else comes is dropped.
 */
export const echo: XskApplicationFactory = (socket) => forwarder(socket, answerFrame);

/** An `Answer`. The first chunk has all headers: at least 448 bytes of a packet fit into one. */
export function answerFrame(u8: Uint8Array, at: number, lenBytes: number): boolean {
  const end = at + lenBytes;
  // Nobody answers what was sent to a group.
  if (lenBytes < ETH_HEADER_BYTES || (u8[at] & 1) !== 0) return false;
  let ip = at + ETH_HEADER_BYTES;
  for (let tags = 0; tags < MAX_TAGS && isTag(u16(u8, ip - 2)) && ip + VLAN_HEADER_BYTES <= end; tags++) ip += VLAN_HEADER_BYTES;
  const type = u16(u8, ip - ETH_HEADER_BYTES + ETH_TYPE_OFF);
  const isAnswered = type === ETHERTYPE_IPV4 ? answerIpv4(u8, ip, end) : type === ETHERTYPE_IPV6 && answerIpv6(u8, ip, end);
  if (isAnswered) swapMacs(u8, at);
  return isAnswered;
}

function isTag(etherType: number): boolean {
  return etherType === ETHERTYPE_VLAN || etherType === ETHERTYPE_QINQ;
}

function answerIpv4(u8: Uint8Array, ip: number, end: number): boolean {
  if (ip + IPV4_MIN_HEADER_BYTES > end || u8[ip] >>> 4 !== 4 || isIpv4Fragment(u8, ip)) return false;
  const headerBytes = (u8[ip] & IPV4_IHL_MASK) * 4;
  if (headerBytes < IPV4_MIN_HEADER_BYTES || ip + headerBytes > end || internetChecksum(u8, ip, headerBytes) !== 0) return false;
  const protocol = u8[ip + IPV4_PROTOCOL_OFF];
  const upper = ip + headerBytes;
  const isAnswered = protocol === IPPROTO_UDP ? answerUdp(u8, upper, end) : protocol === IPPROTO_ICMP && answerPing(u8, upper, end, ICMP_ECHO_REQUEST, ICMP_ECHO_REPLY);
  if (!isAnswered) return false;
  // The sum of both addresses is the same when they are swapped.
  swapNeighbours(u8, ip + IPV4_SRC_OFF, IPV4_ADDRESS_BYTES);
  const old = u16(u8, ip + IPV4_TTL_OFF);
  u8[ip + IPV4_TTL_OFF] = TTL;
  correctChecksum(u8, ip + IPV4_CHECKSUM_OFF, old, u16(u8, ip + IPV4_TTL_OFF));
  return true;
}

function answerIpv6(u8: Uint8Array, ip: number, end: number): boolean {
  if (ip + IPV6_HEADER_BYTES > end || u8[ip] >>> 4 !== 6) return false;
  const next = u8[ip + IPV6_NEXT_HEADER_OFF];
  const upper = ip + IPV6_HEADER_BYTES;
  const isAnswered = next === IPPROTO_UDP ? answerUdp(u8, upper, end) : next === IPPROTO_ICMPV6 && answerPing(u8, upper, end, ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY);
  if (!isAnswered) return false;
  swapNeighbours(u8, ip + IPV6_SRC_OFF, IPV6_ADDRESS_BYTES);
  u8[ip + IPV6_HOP_LIMIT_OFF] = TTL;
  return true;
}

function answerUdp(u8: Uint8Array, udp: number, end: number): boolean {
  if (udp + UDP_HEADER_BYTES > end) return false;
  swapNeighbours(u8, udp + UDP_SRC_PORT_OFF, PORT_BYTES);
  return true;
}

function answerPing(u8: Uint8Array, icmp: number, end: number, request: number, reply: number): boolean {
  if (icmp + ICMP_HEADER_BYTES > end || u8[icmp + ICMP_TYPE_OFF] !== request || u8[icmp + ICMP_CODE_OFF] !== 0) return false;
  u8[icmp + ICMP_TYPE_OFF] = reply;
  correctChecksum(u8, icmp + ICMP_CHECKSUM_OFF, request << 8, reply << 8);
  return true;
}

/** A 16-bit word that the checksum at `at` covers has changed. */
function correctChecksum(u8: Uint8Array, at: number, before: number, after: number): void {
  const checksum = updateChecksum(u16(u8, at), before, after);
  u8[at] = checksum >>> 8;
  u8[at + 1] = checksum;
}

function u16(u8: Uint8Array, at: number): number {
  return (u8[at] << 8) | u8[at + 1];
}
