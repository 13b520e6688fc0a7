import { addToSum, fold, isChecksumValid, pseudoHeaderSumV4, pseudoHeaderSumV6 } from './checksum.js';
import { decode, layerOf } from './decode.js';
import type { DecodedPacket, Layer } from './decode.js';
import { u16 } from './header.js';
import type { HeaderName } from './header.js';
import { ICMP_CHECKSUM_OFF } from './icmp.js';
import { IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from './ipProtocol.js';
import { IPV4_CHECKSUM_OFF, isIpv4Fragment } from './ipv4.js';
import { TCP_CHECKSUM_OFF } from './tcp.js';
import { UDP_CHECKSUM_OFF } from './udp.js';

/**
 * Verdict on one checksum. `absent`: UDP over IPv4 without one. `unverifiable`: a fragment or a packet that was cut, so the bytes that it
 * covers aren't all there.
 */
export type ChecksumState = 'valid' | 'invalid' | 'absent' | 'unverifiable';

/** One checksum of a packet. */
export interface ChecksumCheck {
  /** `ipv4.checksum`, `tcp.checksum`, …: as packet diffs name the field. */
  readonly field: string;
  /** Where the field lies, from the beginning of the packet. */
  readonly offBytes: number;
  readonly state: ChecksumState;
  /** What the field holds, read big-endian. */
  readonly found: number;
  /** What it should hold; `undefined` when that can't be known, or when there needn't be one. */
  readonly expected: number | undefined;
}

/** The checksums that a packet has; `undefined` where it has no such header. */
export interface ChecksumReport {
  readonly ipv4: ChecksumState | undefined;
  /** Of TCP, UDP, ICMP or ICMPv6, which `upperName` says. */
  readonly upper: ChecksumState | undefined;
  readonly upperName: HeaderName | undefined;
}

/** A header with a checksum over all that follows it, and over a pseudo header of this protocol (0: over none). */
interface UpperChecksum {
  readonly checksumOff: number;
  readonly protocol: number;
}

const UPPER_CHECKSUMS: Partial<Record<HeaderName, UpperChecksum>> = {
  tcp: { checksumOff: TCP_CHECKSUM_OFF, protocol: IPPROTO_TCP },
  udp: { checksumOff: UDP_CHECKSUM_OFF, protocol: IPPROTO_UDP },
  icmp: { checksumOff: ICMP_CHECKSUM_OFF, protocol: 0 },
  icmpv6: { checksumOff: ICMP_CHECKSUM_OFF, protocol: IPPROTO_ICMPV6 },
};

/**
 * Looks at every checksum of a packet, outermost first: that of the IPv4 header (RFC 791), and that of TCP (RFC 9293), UDP (RFC 768, RFC 8200
 * section 8.1), ICMP (RFC 792) or ICMPv6 (RFC 4443 section 2.3).
 *
 * IPv6 with a routing header is `unverifiable`: the pseudo header has the final destination, which the header's type hides.
 */
export function checkChecksums(bytes: Uint8Array, offBytes: number, lengthBytes: number): readonly ChecksumCheck[] {
  const packet = decode(bytes, offBytes, lengthBytes);
  const checks: ChecksumCheck[] = [];
  const ip4 = layerOf(packet, 'ipv4');
  if (ip4 !== undefined) checks.push(checkRange('ipv4', bytes, offBytes, ip4.offBytes, ip4.lengthBytes, IPV4_CHECKSUM_OFF, 0));
  const upper = packet.layers.at(-1);
  const kind = upper && UPPER_CHECKSUMS[upper.name];
  if (upper === undefined || kind === undefined) return checks;
  const at = upper.offBytes + kind.checksumOff;
  const found = u16(bytes, at);
  const tell = (state: ChecksumState): ChecksumCheck => ({ field: `${upper.name}.checksum`, offBytes: at - offBytes, state, found, expected: undefined });
  if (upper.name === 'udp' && found === 0 && ip4 !== undefined) checks.push(tell('absent'));
  else if (!isWhole(packet, bytes, ip4)) checks.push(tell(upper.name === 'udp' && found === 0 ? 'invalid' : 'unverifiable'));
  else {
    const upperBytes = packet.payloadEndBytes - upper.offBytes;
    checks.push(checkRange(upper.name, bytes, offBytes, upper.offBytes, upperBytes, kind.checksumOff, pseudoSum(packet, bytes, kind.protocol, upperBytes)));
  }
  return checks;
}

/** The states alone, see `checkChecksums`. */
export function verifyChecksums(bytes: Uint8Array, offBytes: number, lengthBytes: number): ChecksumReport {
  const checks = checkChecksums(bytes, offBytes, lengthBytes);
  const ipv4 = checks.find(({ field }) => field === 'ipv4.checksum');
  const upper = checks.find((check) => check !== ipv4);
  return { ipv4: ipv4?.state, upper: upper?.state, upperName: upper && (upper.field.slice(0, upper.field.indexOf('.')) as HeaderName) };
}

/**
 * Writes the right value into every checksum that is wrong and can be known; one that is absent stays absent.
 *
 * @returns how many were written
 */
export function repairChecksums(bytes: Uint8Array, offBytes: number, lengthBytes: number): number {
  let written = 0;
  for (const { state, expected, offBytes: at } of checkChecksums(bytes, offBytes, lengthBytes)) {
    if (state !== 'invalid' || expected === undefined) continue;
    bytes[offBytes + at] = expected >>> 8;
    bytes[offBytes + at + 1] = expected;
    written++;
  }
  return written;
}

function isWhole(packet: DecodedPacket, bytes: Uint8Array, ip4: Layer | undefined): boolean {
  if (packet.missingBytes !== 0 || (ip4 !== undefined && isIpv4Fragment(bytes, ip4.offBytes))) return false;
  return !packet.layers.some(({ name }) => name === 'fragment' || name === 'routing');
}

function pseudoSum(packet: DecodedPacket, bytes: Uint8Array, protocol: number, upperBytes: number): number {
  if (protocol === 0) return 0;
  const ip4 = layerOf(packet, 'ipv4');
  if (ip4 !== undefined) return pseudoHeaderSumV4(bytes, ip4.offBytes, protocol, upperBytes);
  return pseudoHeaderSumV6(bytes, layerOf(packet, 'ipv6')!.offBytes, protocol, upperBytes);
}

/** Checks a range that includes its checksum field; `sum` is that of a pseudo header, else 0. */
function checkRange(
  name: HeaderName, bytes: Uint8Array, packetOffBytes: number, at: number, lengthBytes: number, checksumOff: number, sum: number,
): ChecksumCheck {
  const found = u16(bytes, at + checksumOff);
  const computed = ~fold(addToSum(sum, bytes, at, lengthBytes) - found) & 0xffff;
  // 0 says "no checksum" in UDP; the other number for 0 is sent instead.
  const expected = name === 'udp' && computed === 0 ? 0xffff : computed;
  const isRight = isChecksumValid(sum, bytes, at, lengthBytes) && !(name === 'udp' && found === 0);
  return { field: `${name}.checksum`, offBytes: at + checksumOff - packetOffBytes, state: isRight ? 'valid' : 'invalid', found, expected };
}
