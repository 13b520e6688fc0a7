import { addToSum, pseudoHeaderSumV4, pseudoHeaderSumV6 } from './checksum.js';
import { u16 } from './header.js';
import type { HeaderName } from './header.js';
import { IPV4_DST_OFF, isIpv4Fragment } from './ipv4.js';
import { finalDestinationOff, IPV6_ADDRESS_BYTES, IPV6_DST_OFF, IPV6_FRAGMENT_OFFSET_OFF, IPV6_SRC_OFF } from './ipv6.js';

/** What the headers say up to an upper-layer header about the IP packet that it lies in. */
export interface IpPacket {
  readonly isIpv6: boolean;
  readonly offBytes: number;
  /** Only a part of the upper layer is in this packet. */
  isFragment: boolean;
  /** Where the address lies that the pseudo header has; -1 when a routing header of unknown type hides it. */
  dstOffBytes: number;
}

/** Place of a header. */
interface HeaderPlace {
  readonly name: HeaderName;
  readonly offBytes: number;
  readonly lengthBytes: number;
}

/** Offset and the flag for more of a fragment header: a fragment that is the whole packet has neither (RFC 6946). */
const FRAGMENT_BITS = 0xfff9;

/** The IP packet that what follows a header lies in, given the one that the header itself lies in (which is updated by extension headers). */
export function ipPacketAfter(ip: IpPacket | undefined, bytes: Uint8Array, { name, offBytes, lengthBytes }: HeaderPlace): IpPacket | undefined {
  switch (name) {
    case 'eth': return undefined;
    case 'ipv4': return { isIpv6: false, offBytes, isFragment: isIpv4Fragment(bytes, offBytes), dstOffBytes: offBytes + IPV4_DST_OFF };
    case 'ipv6': return { isIpv6: true, offBytes, isFragment: false, dstOffBytes: offBytes + IPV6_DST_OFF };
    case 'fragment':
      if (ip !== undefined && (u16(bytes, offBytes + IPV6_FRAGMENT_OFFSET_OFF) & FRAGMENT_BITS) !== 0) ip.isFragment = true;
      return ip;
    case 'routing':
      if (ip !== undefined) ip.dstOffBytes = finalDestinationOff(bytes, ip.offBytes + IPV6_DST_OFF, offBytes, lengthBytes);
      return ip;
    default: return ip;
  }
}

/** Sum of the pseudo header of an IP packet, with the address that the packet goes to in the end if that is known, else with that of its header. */
export function pseudoHeaderSum(bytes: Uint8Array, ip: IpPacket, protocol: number, upperBytes: number): number {
  if (!ip.isIpv6) return pseudoHeaderSumV4(bytes, ip.offBytes, protocol, upperBytes);
  if (ip.dstOffBytes < 0) return pseudoHeaderSumV6(bytes, ip.offBytes, protocol, upperBytes);
  const sum = addToSum(protocol + (upperBytes >>> 16) + (upperBytes & 0xffff), bytes, ip.offBytes + IPV6_SRC_OFF, IPV6_ADDRESS_BYTES);
  return addToSum(sum, bytes, ip.dstOffBytes, IPV6_ADDRESS_BYTES);
}
