import { addToSum, fold, isChecksumValid } from './checksum.js';
import { sctpChecksum } from './crc32c.js';
import { decode, layerKey } from './decode.js';
import type { Layer } from './decode.js';
import { GRE_CHECKSUM_OFF, GRE_CHECKSUM_PRESENT, isGreKnown } from './gre.js';
import { u16, u32 } from './header.js';
import type { HeaderName } from './header.js';
import { ICMP_CHECKSUM_OFF } from './icmp.js';
import { ipPacketAfter, pseudoHeaderSum } from './ipPacket.js';
import type { IpPacket } from './ipPacket.js';
import { IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from './ipProtocol.js';
import { IPV4_CHECKSUM_OFF } from './ipv4.js';
import { SCTP_CHECKSUM_OFF } from './sctp.js';
import { TCP_CHECKSUM_OFF } from './tcp.js';
import { UDP_CHECKSUM_OFF } from './udp.js';

/**
 * Verdict on one checksum. `absent`: UDP without one, over IPv4 or around a tunnel (RFC 6935). `unverifiable`: a fragment or a packet that was cut, so the bytes that it
 * covers aren't all there.
 */
export type ChecksumState = 'valid' | 'invalid' | 'absent' | 'unverifiable';

/** One checksum of a packet. */
export interface ChecksumCheck {
  /** `ipv4.checksum`, `tcp.checksum`, `ipv4#2.checksum` (in a tunnel), …: as packet diffs name the field. */
  readonly field: string;
  /** Where the field lies, from the beginning of the packet. */
  readonly offBytes: number;
  /** 4 for SCTP, else 2. */
  readonly lengthBytes: 2 | 4;
  readonly state: ChecksumState;
  /** What the field holds, read big-endian. */
  readonly found: number;
  /** What it should hold; `undefined` when that can't be known, or when there needn't be one. */
  readonly expected: number | undefined;
}

/** The outermost checksums of a packet, which are those that NICs look at; `undefined` where it has no such header. */
export interface ChecksumReport {
  readonly ipv4: ChecksumState | undefined;
  /** Of TCP, UDP, ICMP, ICMPv6, SCTP or GRE, which `upperName` says. */
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
  gre: { checksumOff: GRE_CHECKSUM_OFF, protocol: 0 },
};

/**
 * Looks at every checksum of a packet, outermost first: those of IPv4 headers (RFC 791), TCP (RFC 9293), UDP (RFC 768, RFC 8200
 * section 8.1), ICMP (RFC 792), ICMPv6 (RFC 4443 section 2.3), SCTP (RFC 9260 section 6.8) and GRE (RFC 2784), inside of tunnels too.
 *
 * IPv6 with a routing header of a type other than 0, 2 and 4 is `unverifiable`: the pseudo header has the final destination, which it hides.
 *
 * @example
 * const bytes = ethernet().ipv4().udp().break('udp.checksum').build();
 * checkChecksums(bytes, 0, bytes.length).map(({ field, state }) => `${field} ${state}`); // ['ipv4.checksum valid', 'udp.checksum invalid']
 */
export function checkChecksums(bytes: Uint8Array, offBytes: number, lengthBytes: number): readonly ChecksumCheck[] {
  const { layers } = decode(bytes, offBytes, lengthBytes);
  const checks: ChecksumCheck[] = [];
  let ip: IpPacket | undefined;
  for (let i = 0; i < layers.length; i++) {
    const layer = layers[i]!;
    ip = ipPacketAfter(ip, bytes, layer);
    const check = checkLayer(bytes, layer, layers[i + 1]?.name, ip);
    if (check !== undefined) checks.push({ ...check, field: `${layerKey(layers, i)}.checksum`, offBytes: check.offBytes - offBytes });
  }
  return checks;
}

/** The one checksum of a header; `field` is left to the caller, and `offBytes` counts in `bytes`. */
function checkLayer(bytes: Uint8Array, layer: Layer, nextName: HeaderName | undefined, ip: IpPacket | undefined): ChecksumCheck | undefined {
  const { name, offBytes: at } = layer;
  if (name === 'ipv4') return checkRange(name, bytes, at, layer.lengthBytes, IPV4_CHECKSUM_OFF, 0);
  if (name === 'gre' && (!isGreKnown(u16(bytes, at)) || (u16(bytes, at) & GRE_CHECKSUM_PRESENT) === 0)) return undefined;
  const isWhole = layer.missingBytes === 0 && ip?.isFragment !== true;
  if (name === 'sctp') return checkSctp(bytes, layer, isWhole);
  const kind = UPPER_CHECKSUMS[name];
  if (kind === undefined) return undefined;
  const found = u16(bytes, at + kind.checksumOff);
  const tell = (state: ChecksumState): ChecksumCheck => ({ field: '', offBytes: at + kind.checksumOff, lengthBytes: 2, state, found, expected: undefined });
  const isWithout = name === 'udp' && found === 0;
  if (isWithout && (ip?.isIpv6 !== true || nextName === 'vxlan' || nextName === 'geneve')) return tell('absent');
  if (!isWhole || (kind.protocol !== 0 && (ip === undefined || ip.dstOffBytes < 0))) return tell(isWithout ? 'invalid' : 'unverifiable');
  const upperBytes = layer.endBytes - at;
  return checkRange(name, bytes, at, upperBytes, kind.checksumOff, kind.protocol === 0 ? 0 : pseudoHeaderSum(bytes, ip!, kind.protocol, upperBytes));
}

/**
 * The states of the outermost ones alone, see `checkChecksums`.
 *
 * @example
 * verifyChecksums(data, 0, data.length);
 */
export function verifyChecksums(bytes: Uint8Array, offBytes: number, lengthBytes: number): ChecksumReport {
  const checks = checkChecksums(bytes, offBytes, lengthBytes);
  const ipv4 = checks.find(({ field }) => field === 'ipv4.checksum');
  const upper = checks.find(({ field }) => !field.startsWith('ipv4'));
  return { ipv4: ipv4?.state, upper: upper?.state, upperName: upper && (upper.field.slice(0, upper.field.indexOf('.')) as HeaderName) };
}

/**
 * Writes the right value into every checksum that is wrong and can be known, innermost first, as outer ones cover them; one that is absent
 * stays absent.
 *
 * @returns how many were written
 * @example
 * const bytes = ethernet().ipv4().udp().break('udp.checksum').build();
 * repairChecksums(bytes, 0, bytes.length); // 1
 */
export function repairChecksums(bytes: Uint8Array, offBytes: number, lengthBytes: number): number {
  const count = checkChecksums(bytes, offBytes, lengthBytes).length;
  let written = 0;
  for (let i = count - 1; i >= 0; i--) {
    const { state, expected, offBytes: at, lengthBytes: fieldBytes } = checkChecksums(bytes, offBytes, lengthBytes)[i]!;
    if (state !== 'invalid' || expected === undefined) continue;
    for (let j = 0; j < fieldBytes; j++) bytes[offBytes + at + j] = expected >>> (8 * (fieldBytes - 1 - j));
    written++;
  }
  return written;
}

/** Checks a range that includes its checksum field; `sum` is that of a pseudo header, else 0. */
function checkRange(name: HeaderName, bytes: Uint8Array, at: number, lengthBytes: number, checksumOff: number, sum: number): ChecksumCheck {
  const found = u16(bytes, at + checksumOff);
  const computed = ~fold(addToSum(sum, bytes, at, lengthBytes) - found) & 0xffff;
  // 0 says "no checksum" in UDP; the other number for 0 is sent instead.
  const expected = name === 'udp' && computed === 0 ? 0xffff : computed;
  const isRight = isChecksumValid(sum, bytes, at, lengthBytes) && !(name === 'udp' && found === 0);
  return { field: '', offBytes: at + checksumOff, lengthBytes: 2, state: isRight ? 'valid' : 'invalid', found, expected };
}

function checkSctp(bytes: Uint8Array, { offBytes: at, endBytes }: Layer, isWhole: boolean): ChecksumCheck {
  const found = u32(bytes, at + SCTP_CHECKSUM_OFF);
  const expected = isWhole ? sctpChecksum(bytes, at, endBytes - at, at + SCTP_CHECKSUM_OFF) : undefined;
  const state = expected === undefined ? 'unverifiable' : found === expected ? 'valid' : 'invalid';
  return { field: '', offBytes: at + SCTP_CHECKSUM_OFF, lengthBytes: 4, state, found, expected };
}
