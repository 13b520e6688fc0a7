import { ETHERTYPE_MPLS } from '../ethernet.js';
import { IPPROTO_MPLS } from '../ipProtocol.js';
import { fixedHeader } from './definition.js';
import { fieldTable, flag, number } from './fieldTable.js';

/** Fields of one entry of an MPLS label stack (RFC 3032 section 2.1). */
export interface MplsFields {
  /** 20 bits. Default 16, the first that isn't reserved. */
  readonly label?: number;
  /** Traffic class, 3 bits. Default 0. */
  readonly tc?: number;
  /** Bottom of the stack. Computed: whether no other entry follows. */
  readonly bottom?: boolean;
  /** u8. Default 64. */
  readonly ttl?: number;
}

/**
 *    0                      2                4
 *   +-------+--------------+-----+---+-------+
 *   | label (31-12)        | tc  | S |  ttl  |   S: bottom
 *   +-------+--------------+-----+---+-------+
 *                           11-9   8    7-0
 */
export const mplsDefinition = fixedHeader({
  name: 'mpls',
  announces: 'label',
  etherType: ETHERTYPE_MPLS,
  ipProtocol: IPPROTO_MPLS,
  fields: fieldTable(number('label', 20, { default: 16 }), number('tc', 3), flag('bottom'), number('ttl', 8, { default: 64 })),
  computed: [{ name: 'bottom', compute: ({ next }) => (next?.name === 'mpls' ? 0 : 1), wrong: (right) => 1 - right }],
});
