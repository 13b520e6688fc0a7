import { headerOfEtherType } from './ethernet.js';
import { field, u16 } from './header.js';
import type { Header } from './header.js';

/**
 * VLAN tag (IEEE 802.1Q-2018 section 9.6). The tag's own EtherType stands in the type field before it, so what is taken as its
 * header here begins with the tag control information:
 *
 *    0                        2           4
 *   +-----+-----+------------+-----------+---------
 *   | pcp | dei | vid        | type      | payload
 *   +-----+-----+------------+-----------+---------
 *    15-13  12    11-0
 */
export const VLAN_TCI_OFF = 0;
export const VLAN_TYPE_OFF = 2;
export const VLAN_HEADER_BYTES = 4;

export const VLAN_VID_MASK = 0x0fff;
export const VLAN_DEI = 0x1000;
export const VLAN_PCP_SHIFT = 13;

const FIELDS = [field('tci', VLAN_TCI_OFF, 2), field('type', VLAN_TYPE_OFF, 2)];

/** A VLAN tag (IEEE 802.1Q), without the EtherType before it. */
export const vlanHeader: Header = {
  minBytes: VLAN_HEADER_BYTES,
  rest: 'rest',
  fields: () => FIELDS,
  lengthBytes: () => VLAN_HEADER_BYTES,
  next: (bytes, at) => headerOfEtherType(u16(bytes, at + VLAN_TYPE_OFF)),
};
