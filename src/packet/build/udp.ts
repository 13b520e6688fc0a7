import { IPPROTO_UDP } from '../ipProtocol.js';
import { fixedHeader } from './definition.js';
import { fieldTable, number } from './fieldTable.js';
import { udpChecksum } from './upperChecksum.js';

/** Fields of UDP (RFC 768). */
export interface UdpFields {
  /** u16. Default 49152. */
  readonly src?: number;
  /** u16. Computed: 4789 before VXLAN, 6081 before GENEVE, else 9 (discard). */
  readonly dst?: number;
  /** u16, bytes of header and payload. Computed. */
  readonly length?: number;
  /** u16. Computed; 0 says that there is none. */
  readonly checksum?: number;
}

/**
 *    0             2             4             6
 *   +-------------+-------------+-------------+-------------+
 *   | src         | dst         | length      | checksum    |
 *   +-------------+-------------+-------------+-------------+
 */
export const udpDefinition = fixedHeader({
  name: 'udp',
  announces: 'udpPort',
  ipProtocol: IPPROTO_UDP,
  fields: fieldTable(
    number('src', 16, { default: 49152 }),
    number('dst', 16, { default: 9 }),
    number('length', 16),
    number('checksum', 16, { isHex: true }),
  ),
  computed: [
    { name: 'dst', compute: ({ next }) => next?.udpPort },
    { name: 'length', compute: ({ at, endBytes }) => endBytes - at },
    udpChecksum(IPPROTO_UDP),
  ],
});
