import { ETHERTYPE_IPV6 } from '../ethernet.js';
import { IPPROTO_IPV6, IPPROTO_NONE } from '../ipProtocol.js';
import { IPV6_HEADER_BYTES } from '../ipv6.js';
import type { Address } from './addresses.js';
import { fixedHeader } from './definition.js';
import type { Completion } from './definition.js';
import { address, fieldTable, number } from './fieldTable.js';
import { IPPROTO_EXPERIMENTAL, protocolMeaning } from './names.js';

/** Fields of IPv6 (RFC 8200 section 3). */
export interface Ipv6Fields {
  /** 4 bits. Default 6. */
  readonly version?: number;
  /** u8. Default 0. */
  readonly trafficClass?: number;
  /** 20 bits. Default 0. */
  readonly flowLabel?: number;
  /** u16, bytes behind this header. Computed; 0 for a jumbogram is for you to say. */
  readonly payloadLength?: number;
  /** u8. Computed: that of the header that follows, else 253 (experiments), or 59 without a payload. */
  readonly nextHeader?: number;
  /** u8. Default 64. */
  readonly hopLimit?: number;
  /** Default `2001:db8::1`. */
  readonly src?: Address;
  /** Default `2001:db8::2`. */
  readonly dst?: Address;
}

/** Next header of IPv6 and its extension headers. */
export function nextHeaderOf({ next, at, headerBytes, endBytes }: Completion): number {
  return next?.ipProtocol ?? (at + headerBytes === endBytes ? IPPROTO_NONE : IPPROTO_EXPERIMENTAL);
}

/**
 *    0  version (31-28), traffic class (27-20), flow label (19-0)
 *    4  payload length
 *    6  next header
 *    7  hop limit
 *    8  src
 *   24  dst
 */
export const ipv6Definition = fixedHeader({
  name: 'ipv6',
  announces: 'ipProtocol',
  etherType: ETHERTYPE_IPV6,
  ipProtocol: IPPROTO_IPV6,
  fields: fieldTable(
    number('version', 4, { default: 6 }),
    number('trafficClass', 8, { isHex: true }),
    number('flowLabel', 20, { isHex: true }),
    number('payloadLength', 16),
    number('nextHeader', 8, { default: IPPROTO_EXPERIMENTAL, meaning: protocolMeaning }),
    number('hopLimit', 8, { default: 64 }),
    address('src', 'ipv6', '2001:db8::1'),
    address('dst', 'ipv6', '2001:db8::2'),
  ),
  computed: [
    { name: 'payloadLength', compute: ({ at, endBytes }) => endBytes - at - IPV6_HEADER_BYTES },
    { name: 'nextHeader', compute: nextHeaderOf },
  ],
});
