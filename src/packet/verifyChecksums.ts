import { isChecksumValid, pseudoHeaderSumV4, pseudoHeaderSumV6 } from './checksum.js';
import { decode, layerOf } from './decode.js';
import { u16 } from './header.js';
import type { HeaderName } from './header.js';
import { IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from './ipProtocol.js';
import { isIpv4Fragment } from './ipv4.js';
import { UDP_CHECKSUM_OFF } from './udp.js';

/**
 * Verdict on one checksum. `absent`: UDP over IPv4 without one. `unverifiable`: a fragment or a packet that was cut, so the bytes that it
 * covers aren't all there.
 */
export type ChecksumState = 'valid' | 'invalid' | 'absent' | 'unverifiable';

/** The checksums that a packet has; `undefined` where it has no such header. */
export interface ChecksumReport {
  readonly ipv4: ChecksumState | undefined;
  /** Of TCP, UDP, ICMP or ICMPv6, which `upperName` says. */
  readonly upper: ChecksumState | undefined;
  readonly upperName: HeaderName | undefined;
}

/**
 * Checks the IPv4 header checksum (RFC 791) and that of TCP (RFC 9293), UDP (RFC 768, RFC 8200 section 8.1), ICMP (RFC 792) or ICMPv6
 * (RFC 4443 section 2.3).
 *
 * IPv6 with a routing header is `unverifiable`: the pseudo header has the final destination, which the header's type hides.
 */
export function verifyChecksums(bytes: Uint8Array, offBytes: number, lengthBytes: number): ChecksumReport {
  const packet = decode(bytes, offBytes, lengthBytes);
  const ip4 = layerOf(packet, 'ipv4');
  const ip6 = layerOf(packet, 'ipv6');
  const ipv4 = ip4 === undefined ? undefined : state(isChecksumValid(0, bytes, ip4.offBytes, ip4.lengthBytes));
  const upper = packet.layers.at(-1);
  if (upper === undefined || (upper.name !== 'tcp' && upper.name !== 'udp' && upper.name !== 'icmp' && upper.name !== 'icmpv6')) {
    return { ipv4, upper: undefined, upperName: undefined };
  }
  const at = upper.offBytes;
  const upperBytes = packet.payloadEndBytes - at;
  const pseudoSum = (protocol: number): number =>
    ip4 === undefined
      ? pseudoHeaderSumV6(bytes, ip6!.offBytes, protocol, upperBytes)
      : pseudoHeaderSumV4(bytes, ip4.offBytes, protocol, upperBytes);
  const isWhole = packet.missingBytes === 0 && !(ip4 !== undefined && isIpv4Fragment(bytes, ip4.offBytes))
    && !packet.layers.some((layer) => layer.name === 'fragment' || layer.name === 'routing');
  const checkUpper = (): ChecksumState => {
    if (upper.name === 'udp' && u16(bytes, at + UDP_CHECKSUM_OFF) === 0) return ip4 === undefined ? 'invalid' : 'absent';
    if (!isWhole) return 'unverifiable';
    switch (upper.name) {
      case 'tcp': return state(isChecksumValid(pseudoSum(IPPROTO_TCP), bytes, at, upperBytes));
      case 'udp': return state(isChecksumValid(pseudoSum(IPPROTO_UDP), bytes, at, upperBytes));
      case 'icmpv6': return state(isChecksumValid(pseudoSum(IPPROTO_ICMPV6), bytes, at, upperBytes));
      default: return state(isChecksumValid(0, bytes, at, upperBytes));
    }
  };
  return { ipv4, upper: checkUpper(), upperName: upper.name };
}

function state(valid: boolean): ChecksumState {
  return valid ? 'valid' : 'invalid';
}
