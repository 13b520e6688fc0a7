import { PACKET_FRAGMENT, PACKET_IPV4, PACKET_IPV6, PACKET_TCP, PACKET_UDP } from '../device/batch.js';
import { fold32, pseudoHeaderSum } from '../device/checksum.js';
import type { SumMemory } from '../device/checksum.js';
import { parseFrame } from '../device/parseFrame.js';
import type { ParsedFrame } from '../device/parseFrame.js';
import { upperLength } from '../device/rxChecksum.js';
import { insertPartialChecksum, isFieldInside, TCP_CSUM_OFFSET, UDP_CSUM_OFFSET } from '../device/txChecksum.js';

/** `csum_start` and `csum_offset` point behind the frame: nobody can do it. */
export const CHECKSUM_REFUSED = 0;
/** Only a device that sums without looking at headers, or the driver itself by `softwareChecksum`. */
export const CHECKSUM_PARTIAL = 1;
/** Every device: the offsets are those of the frame's TCP or UDP header. */
export const CHECKSUM_PROTOCOL = 2;

/**
 * What a driver finds out before it asks a device for a checksum: `frame.l3Start` and `frame.packetType` go into the descriptor, and the
 * result tells which devices may be asked. A device that parses headers by itself (r8169, mlx5, Intel's context descriptors) would sum and
 * store where the headers say, so the offsets must agree with them, and the frame must end where its packet does: CHECKSUM_PARTIAL counts
 * padding.
 *
 * @param csumOffset counts from `csumStart`: 16 for TCP, 6 for UDP
 */
export function requestChecksum(u8: Uint8Array, address: number, lenBytes: number, csumStart: number, csumOffset: number, frame: ParsedFrame): number {
  if (!isFieldInside(lenBytes, csumStart, csumOffset)) return CHECKSUM_REFUSED;
  parseFrame(u8, address, lenBytes, frame);
  const { packetType } = frame;
  if (frame.l4Start !== csumStart) return CHECKSUM_PARTIAL;
  if (upperLength(u8, address, frame) + csumStart !== lenBytes) return CHECKSUM_PARTIAL;
  const isTcp = (packetType & PACKET_TCP) !== 0 && csumOffset === TCP_CSUM_OFFSET;
  const isUdp = (packetType & PACKET_UDP) !== 0 && csumOffset === UDP_CSUM_OFFSET;
  return isTcp || isUdp ? CHECKSUM_PROTOCOL : CHECKSUM_PARTIAL;
}

/** The checksum by the CPU, for frames and devices that can't (skb_checksum_help). False when the offsets point behind the frame. */
export function softwareChecksum(memory: SumMemory, address: number, lenBytes: number, csumStart: number, csumOffset: number): boolean {
  return insertPartialChecksum(memory, address, lenBytes, csumStart, csumOffset);
}

/**
 * Puts the sum of the pseudo header, not complemented, into the field: what whoever asks for CHECKSUM_PARTIAL must have done
 * (`~csum_tcpudp_magic(…)`, `~csum_ipv6_magic(…)`).
 *
 * @param frame what `requestChecksum` or `parseFrame` found in this frame
 * @returns false when the frame is no TCP or UDP, or the field isn't in it
 */
export function preloadPseudoHeader(memory: SumMemory, address: number, lenBytes: number, frame: ParsedFrame): boolean {
  const { packetType, l4Start } = frame;
  if ((packetType & (PACKET_IPV4 | PACKET_IPV6)) === 0 || (packetType & PACKET_FRAGMENT) !== 0) return false;
  if ((packetType & (PACKET_TCP | PACKET_UDP)) === 0) return false;
  const csumOffset = (packetType & PACKET_TCP) !== 0 ? TCP_CSUM_OFFSET : UDP_CSUM_OFFSET;
  const upperBytes = upperLength(memory.u8, address, frame);
  if (!isFieldInside(lenBytes, l4Start, csumOffset) || upperBytes < csumOffset + 2) return false;
  const sum = fold32(pseudoHeaderSum(memory, (packetType & PACKET_IPV6) !== 0, address + frame.l3Start, frame.protocol, upperBytes));
  const field = address + l4Start + csumOffset;
  memory.u8[field] = sum >>> 8;
  memory.u8[field + 1] = sum;
  return true;
}
