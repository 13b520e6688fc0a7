import { UDP_PORT_VXLAN } from '../udp.js';
import { VXLAN_VNI_VALID } from '../vxlan.js';
import { fixedHeader } from './definition.js';
import { fieldTable, number } from './fieldTable.js';

/** Fields of VXLAN (RFC 7348 section 5). */
export interface VxlanFields {
  /** u8. Default 0x08: the identifier is valid. */
  readonly flags?: number;
  /** 24 bits. Default 0. */
  readonly reserved?: number;
  /** 24 bits, network identifier. Default 1. */
  readonly vni?: number;
  /** u8. Default 0. */
  readonly reserved2?: number;
}

/**
 *    0        1                 4                 7
 *   +--------+-----------------+-----------------+-----------+
 *   | flags  | reserved        | vni             | reserved2 |
 *   +--------+-----------------+-----------------+-----------+
 */
export const vxlanDefinition = fixedHeader({
  name: 'vxlan',
  announces: 'frame',
  udpPort: UDP_PORT_VXLAN,
  fields: fieldTable(
    number('flags', 8, { default: VXLAN_VNI_VALID, isHex: true }),
    number('reserved', 24),
    number('vni', 24, { default: 1 }),
    number('reserved2', 8),
  ),
});
