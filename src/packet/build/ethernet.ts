import { ETHERTYPE_TEB } from '../ethernet.js';
import type { Address } from './addresses.js';
import { fixedHeader, nextEtherType } from './definition.js';
import { address, fieldTable, number } from './fieldTable.js';
import { ETHERTYPE_EXPERIMENTAL, etherTypeMeaning } from './names.js';

/** Fields of Ethernet II (IEEE 802.3-2018 section 3.1.1). */
export interface EthernetFields {
  /** Default `02:00:00:00:00:02`. */
  readonly dst?: Address;
  /** Default `02:00:00:00:00:01`. */
  readonly src?: Address;
  /** u16, an EtherType, or the length of an 802.3 frame. Computed: that of the header that follows, else 0x88b5 (local experiments). */
  readonly type?: number;
}

/**
 *    0            6            12          14
 *   +------------+------------+-----------+
 *   | dst        | src        | type      |
 *   +------------+------------+-----------+
 */
export const ethernetDefinition = fixedHeader({
  name: 'eth',
  announces: 'etherType',
  etherType: ETHERTYPE_TEB,
  fields: fieldTable(
    address('dst', 'mac', '02:00:00:00:00:02'),
    address('src', 'mac', '02:00:00:00:00:01'),
    number('type', 16, { default: ETHERTYPE_EXPERIMENTAL, isHex: true, meaning: etherTypeMeaning }),
  ),
  computed: [{ name: 'type', compute: nextEtherType }],
});
