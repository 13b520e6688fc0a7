import { internetChecksum } from '../checksum.js';
import { ETHERTYPE_IPV4 } from '../ethernet.js';
import { IPPROTO_IPIP } from '../ipProtocol.js';
import type { Address } from './addresses.js';
import { fixedHeader, nextIpProtocol, wrongChecksum } from './definition.js';
import type { Pieces } from './definition.js';
import { address, fieldTable, flag, number } from './fieldTable.js';
import { IPPROTO_EXPERIMENTAL, protocolMeaning } from './names.js';
import { ipv4OptionTexts } from './optionTexts.js';

/** Fields of IPv4 (RFC 791 section 3.1). */
export interface Ipv4Fields {
  /** 4 bits. Default 4. */
  readonly version?: number;
  /** 4 bits, length of the header in words of 4 bytes. Computed. */
  readonly ihl?: number;
  /** 6 bits. Default 0. */
  readonly dscp?: number;
  /** 2 bits. Default 0. */
  readonly ecn?: number;
  /** u16, bytes of header and payload. Computed. */
  readonly totalLength?: number;
  /** u16. Default 0. */
  readonly id?: number;
  /** The bit that must be zero. Default false. */
  readonly reserved?: boolean;
  /** Default false. */
  readonly dontFragment?: boolean;
  /** Default false. */
  readonly moreFragments?: boolean;
  /** 13 bits, in units of 8 bytes. Default 0. */
  readonly fragmentOffset?: number;
  /** u8. Default 64. */
  readonly ttl?: number;
  /** u8. Computed: that of the header that follows, else 253 (experiments). */
  readonly protocol?: number;
  /** u16. Computed. */
  readonly checksum?: number;
  /** Default `10.0.0.1`. */
  readonly src?: Address;
  /** Default `10.0.0.2`. */
  readonly dst?: Address;
  /** Up to 40 bytes, filled up with zeros to a multiple of 4. Default none. */
  readonly options?: Pieces;
}

/**
 *    0  version (7-4), ihl (3-0)                          8  ttl
 *    1  dscp (7-2), ecn (1-0)                             9  protocol
 *    2  total length                                     10  checksum
 *    4  id                                               12  src
 *    6  reserved (15), don't fragment (14),              16  dst
 *       more fragments (13), fragment offset (12-0)      20  options, up to ihl
 */
export const ipv4Definition = fixedHeader({
  name: 'ipv4',
  announces: 'ipProtocol',
  etherType: ETHERTYPE_IPV4,
  ipProtocol: IPPROTO_IPIP,
  fields: fieldTable(
    number('version', 4, { default: 4 }),
    number('ihl', 4, { default: 5, meaning: (words) => `${words * 4} bytes` }),
    number('dscp', 6),
    number('ecn', 2),
    number('totalLength', 16),
    number('id', 16),
    flag('reserved'),
    flag('dontFragment'),
    flag('moreFragments'),
    number('fragmentOffset', 13, { meaning: (units) => (units === 0 ? undefined : `${units * 8} bytes`) }),
    number('ttl', 8, { default: 64 }),
    number('protocol', 8, { default: IPPROTO_EXPERIMENTAL, meaning: protocolMeaning }),
    number('checksum', 16, { isHex: true }),
    address('src', 'ipv4', '10.0.0.1'),
    address('dst', 'ipv4', '10.0.0.2'),
  ),
  rest: 'options',
  restMeaning: ipv4OptionTexts,
  unitBytes: 4,
  computed: [
    { name: 'ihl', compute: ({ headerBytes }) => headerBytes / 4 },
    { name: 'totalLength', compute: ({ at, endBytes }) => endBytes - at },
    { name: 'protocol', compute: nextIpProtocol },
    { name: 'checksum', compute: ({ bytes, at, headerBytes }) => internetChecksum(bytes, at, headerBytes), wrong: wrongChecksum },
  ],
});
