import { ETH_HLEN } from '../vm/index.js';
import type { SkBuff } from './skBuff.js';

/** PACKET_HOST and its kin (include/uapi/linux/if_packet.h): who a received packet is for. */
export const PACKET_HOST = 0;
export const PACKET_BROADCAST = 1;
export const PACKET_MULTICAST = 2;
export const PACKET_OTHERHOST = 3;

/** Stand-ins for an EtherType where that field is a length (include/uapi/linux/if_ether.h): Novell's raw 802.3, and 802.2 LLC. */
export const ETH_P_802_3 = 1;
export const ETH_P_802_2 = 4;

const ETH_ALEN = 6;
/** Values of the field below this are lengths (eth_proto_is_802_3). */
const ETH_P_802_3_MIN = 0x600;

/**
 * eth_type_trans (net/ethernet/eth.c, 6.18): notes whom the packet is for and its protocol. A driver calls it for each packet, generic XDP again when a
 * program has changed one of the two. The packet has a whole Ethernet header.
 *
 * @param address of the device
 */
export function ethTypeTrans(u8: Uint8Array, skb: SkBuff, address: Uint8Array): void {
  skb.packetType = packetTypeOf(u8, skb.data, address);
  const etherType = etherTypeOf(u8, skb.data);
  if (etherType >= ETH_P_802_3_MIN) skb.protocol = etherType;
  else if (skb.linearBytes >= ETH_HLEN + 2 && u8[skb.data + ETH_HLEN] === 0xff && u8[skb.data + ETH_HLEN + 1] === 0xff) skb.protocol = ETH_P_802_3;
  else skb.protocol = ETH_P_802_2;
}

/** PACKET_* of the frame at `data`. */
export function packetTypeOf(u8: Uint8Array, data: number, address: Uint8Array): number {
  if (isAddress(u8, data, address)) return PACKET_HOST;
  if ((u8[data] & 1) === 0) return PACKET_OTHERHOST;
  for (let i = 0; i < ETH_ALEN; i++) if (u8[data + i] !== 0xff) return PACKET_MULTICAST;
  return PACKET_BROADCAST;
}

/** The type field of the frame at `data`, host byte order. */
export function etherTypeOf(u8: Uint8Array, data: number): number {
  return (u8[data + 12] << 8) | u8[data + 13];
}

/** ether_addr_equal: the frame at `data` is for this address. */
export function isAddress(u8: Uint8Array, data: number, address: Uint8Array): boolean {
  for (let i = 0; i < ETH_ALEN; i++) if (u8[data + i] !== address[i]) return false;
  return true;
}
