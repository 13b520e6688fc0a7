import { ETHERTYPE_VLAN } from '../ethernet.js';
import { fixedHeader, nextEtherType } from './definition.js';
import { fieldTable, flag, number } from './fieldTable.js';
import { ETHERTYPE_EXPERIMENTAL, etherTypeMeaning } from './names.js';

/** Fields of a VLAN tag (IEEE 802.1Q-2018 section 9.6). */
export interface VlanFields {
  /** Priority code point, 3 bits. Default 0. */
  readonly pcp?: number;
  /** Drop eligible indicator. Default false. */
  readonly dei?: boolean;
  /** VLAN identifier, 12 bits. Default 1. */
  readonly id?: number;
  /** u16, EtherType of what follows. Computed. */
  readonly type?: number;
  /**
   * u16, tag protocol identifier: what the header before has as its type. Default 0x8100; 0x88a8 for `.qinq()`. It is no field of this header, so
   * a decoded one hasn't got it.
   */
  readonly tpid?: number;
}

const TABLE = fieldTable(
  number('pcp', 3),
  flag('dei'),
  number('id', 12, { default: 1 }),
  number('type', 16, { default: ETHERTYPE_EXPERIMENTAL, isHex: true, meaning: etherTypeMeaning }),
);

/**
 *    0                        2           4
 *   +-----+-----+------------+-----------+
 *   | pcp | dei | id         | type      |
 *   +-----+-----+------------+-----------+
 *    15-13  12    11-0
 */
export const vlanDefinition = fixedHeader({
  name: 'vlan',
  announces: 'etherType',
  etherType: ETHERTYPE_VLAN,
  fields: TABLE,
  names: new Set([...TABLE.byName.keys(), 'tpid']),
  computed: [{ name: 'type', compute: nextEtherType }],
});
