import { DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, PACKET_IPV4, PACKET_IPV6, PACKET_TCP, PACKET_UDP } from './batch.js';
import { fold32, pseudoHeaderSum, rangeSum } from './checksum.js';
import type { SumMemory } from './checksum.js';
import type { ParsedFrame } from './parseFrame.js';

const ALL_ONES = 0xffff;
const UDP_HEADER_BYTES = 8;
const TCP_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;

/**
 * What a device tells about the checksums of a received frame, as DESC_L3_* and DESC_L4_* bits. A frame with a wrong checksum is handed
 * over all the same; its driver gives it CHECKSUM_NONE, and the stack looks again.
 *
 * Checked are the header of every IPv4 packet, and TCP and UDP that are whole: no fragment, nothing cut off, and lengths of IP and UDP that
 * agree. UDP over IPv4 without a checksum counts as right, as drivers report it (CHECKSUM_UNNECESSARY); over IPv6 it is wrong
 * (RFC 8200 section 8.1).
 */
export function rxChecksumFlags(memory: SumMemory, address: number, lenBytes: number, frame: ParsedFrame): number {
  const { packetType, l3Start, l4Start } = frame;
  if ((packetType & (PACKET_IPV4 | PACKET_IPV6)) === 0) return 0;
  const isIpv6 = (packetType & PACKET_IPV6) !== 0;
  let flags = 0;
  if (!isIpv6) {
    const isRight = rangeSum(memory, address + l3Start, l4Start - l3Start) === ALL_ONES;
    flags = isRight ? DESC_L3_CHECKED : DESC_L3_CHECKED | DESC_L3_BAD;
  }
  if ((packetType & (PACKET_TCP | PACKET_UDP)) === 0) return flags;
  const upperBytes = upperLength(memory.u8, address, frame);
  if (l4Start + upperBytes > lenBytes) return flags;
  const isRight = (packetType & PACKET_TCP) !== 0
    ? checkTcp(memory, address, frame, isIpv6, upperBytes)
    : checkUdp(memory, address, frame, isIpv6, upperBytes);
  if (isRight === undefined) return flags;
  return flags | (isRight ? DESC_L4_CHECKED : DESC_L4_CHECKED | DESC_L4_BAD);
}

/** Bytes behind the IP header as its length field has it; negative when that is shorter than the header. */
export function upperLength(u8: Uint8Array, address: number, frame: ParsedFrame): number {
  const ip = address + frame.l3Start;
  if ((frame.packetType & PACKET_IPV4) !== 0) return ((u8[ip + 2] << 8) | u8[ip + 3]) - (frame.l4Start - frame.l3Start);
  return ((u8[ip + 4] << 8) | u8[ip + 5]) - (frame.l4Start - frame.l3Start - IPV6_HEADER_BYTES);
}

function checkTcp(memory: SumMemory, address: number, frame: ParsedFrame, isIpv6: boolean, upperBytes: number): boolean | undefined {
  if (upperBytes < TCP_HEADER_BYTES) return undefined;
  return isSumRight(memory, address, frame, isIpv6, upperBytes);
}

function checkUdp(memory: SumMemory, address: number, frame: ParsedFrame, isIpv6: boolean, upperBytes: number): boolean | undefined {
  if (upperBytes < UDP_HEADER_BYTES) return undefined;
  const { u8 } = memory;
  const udp = address + frame.l4Start;
  if (((u8[udp + 4] << 8) | u8[udp + 5]) !== upperBytes) return undefined;
  if ((u8[udp + 6] | u8[udp + 7]) === 0) return !isIpv6;
  return isSumRight(memory, address, frame, isIpv6, upperBytes);
}

function isSumRight(memory: SumMemory, address: number, frame: ParsedFrame, isIpv6: boolean, upperBytes: number): boolean {
  const pseudo = pseudoHeaderSum(memory, isIpv6, address + frame.l3Start, frame.protocol, upperBytes);
  return fold32(pseudo + rangeSum(memory, address + frame.l4Start, upperBytes)) === ALL_ONES;
}
