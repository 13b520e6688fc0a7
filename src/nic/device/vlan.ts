import { ETHERTYPE_VLAN } from '../../packet/index.js';

/**
 * VLAN tag as it lies in a frame (IEEE 802.1Q-2018 section 9.3), between the source address and the EtherType:
 *
 *    0      6      12     14    16
 *   +------+------+------+-----+-----------+----------
 *   | dst  | src  | TPID | TCI | EtherType | payload
 *   +------+------+------+-----+-----------+----------
 */
export const VLAN_TAG_OFFSET = 12;
export const VLAN_TAG_BYTES = 4;

/** `vlanTci` of a frame without a tag that the device takes out. */
export const NO_VLAN_TAG = -1;

/**
 * Tag control information of the outer tag if the device strips it, else NO_VLAN_TAG. Hardware compares the TPID with one register,
 * which drivers leave at 0x8100 (NETIF_F_HW_VLAN_CTAG_RX): an outer 802.1ad tag stays in the frame, and so does the tag behind it. The last
 * four bytes of a frame that ends with its tag are no tag: there is no EtherType behind them.
 *
 * @param tpid TPID that is stripped, 0x88a8 for NETIF_F_HW_VLAN_STAG_RX
 */
export function strippableTci(u8: Uint8Array, address: number, lenBytes: number, tpid: number = ETHERTYPE_VLAN): number {
  if (lenBytes < VLAN_TAG_OFFSET + VLAN_TAG_BYTES + 2) return NO_VLAN_TAG;
  if (((u8[address + 12] << 8) | u8[address + 13]) !== tpid) return NO_VLAN_TAG;
  return (u8[address + 14] << 8) | u8[address + 15];
}

/**
 * Puts a tag into a frame that lies in the device: the two addresses move 4 bytes towards lower memory, which must be there, so nothing
 * else has to move. The frame is 4 bytes longer afterwards.
 *
 * @returns where the frame begins now
 */
export function insertVlanTag(u8: Uint8Array, address: number, tci: number, tpid: number = ETHERTYPE_VLAN): number {
  const begin = address - VLAN_TAG_BYTES;
  for (let i = 0; i < VLAN_TAG_OFFSET; i++) u8[begin + i] = u8[address + i];
  u8[begin + 12] = tpid >>> 8;
  u8[begin + 13] = tpid;
  u8[begin + 14] = tci >>> 8;
  u8[begin + 15] = tci;
  return begin;
}
