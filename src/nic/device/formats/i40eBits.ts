import { XDP_RSS_L3_IPV4, XDP_RSS_L3_IPV6, XDP_RSS_L4, XDP_RSS_L4_TCP, XDP_RSS_L4_UDP } from '../../../vm/index.js';
import {
  PACKET_BROADCAST, PACKET_FRAGMENT, PACKET_IPV4, PACKET_IPV6, PACKET_MULTICAST, PACKET_SCTP, PACKET_TCP, PACKET_UDP,
} from '../batch.js';

// What i40e and ice have in common: packet types, and transmit descriptors. Names as in i40e_type.h and ice_lan_tx_rx.h, Linux 6.1.

// ── Packet types: one number for the whole stack of headers; the frames without a tunnel (i40e_ptype_lookup, ice_ptype_lkup) ──
const PTYPE_L2 = 1;
const PTYPE_IPV4_FRAG = 22;
const PTYPE_IPV6_FRAG = 88;
/** Behind the number of a fragment. */
const PTYPE_OTHER = 1;
const PTYPE_UDP = 2;
const PTYPE_TCP = 4;
const PTYPE_SCTP = 5;
const PTYPE_ICMP = 6;

const HEADER_BITS = PACKET_IPV4 | PACKET_IPV6 | PACKET_TCP | PACKET_UDP | PACKET_SCTP | PACKET_FRAGMENT;
/** ptype of ice has ten bits, that of i40e eight. */
const PTYPES = 1024;

function ptypeFor(packetType: number): number {
  if ((packetType & (PACKET_IPV4 | PACKET_IPV6)) === 0) return PTYPE_L2;
  const family = (packetType & PACKET_IPV4) !== 0 ? PTYPE_IPV4_FRAG : PTYPE_IPV6_FRAG;
  if ((packetType & PACKET_FRAGMENT) !== 0) return family;
  if ((packetType & PACKET_TCP) !== 0) return family + PTYPE_TCP;
  if ((packetType & PACKET_UDP) !== 0) return family + PTYPE_UDP;
  return family + ((packetType & PACKET_SCTP) !== 0 ? PTYPE_SCTP : PTYPE_OTHER);
}

const PTYPE_TABLE = Uint8Array.from({ length: HEADER_BITS + 1 }, (_, packetType) => ptypeFor(packetType));
const PACKET_TYPE_TABLE = new Uint8Array(PTYPES);
for (const [family, ip] of [[PTYPE_IPV4_FRAG, PACKET_IPV4], [PTYPE_IPV6_FRAG, PACKET_IPV6]]) {
  PACKET_TYPE_TABLE[family] = ip | PACKET_FRAGMENT;
  PACKET_TYPE_TABLE[family + PTYPE_OTHER] = ip;
  PACKET_TYPE_TABLE[family + PTYPE_UDP] = ip | PACKET_UDP;
  PACKET_TYPE_TABLE[family + PTYPE_TCP] = ip | PACKET_TCP;
  PACKET_TYPE_TABLE[family + PTYPE_SCTP] = ip | PACKET_SCTP;
  PACKET_TYPE_TABLE[family + PTYPE_ICMP] = ip;
}

/** ptype of a frame with these PACKET_* bits. */
export function ptypeOf(packetType: number): number {
  return PTYPE_TABLE[packetType & HEADER_BITS];
}

/** PACKET_* bits, without multicast and broadcast, that a ptype stands for. */
export function packetTypeOfPtype(ptype: number): number {
  return PACKET_TYPE_TABLE[ptype & (PTYPES - 1)];
}

/** UMBCAST: 0 unicast, 1 multicast, 2 broadcast (3 is a mirrored frame). */
export function umbcastOf(packetType: number): number {
  if ((packetType & PACKET_BROADCAST) !== 0) return 2;
  return (packetType & PACKET_MULTICAST) !== 0 ? 1 : 0;
}

export function packetTypeOfUmbcast(umbcast: number): number {
  if (umbcast === 2) return PACKET_BROADCAST;
  return umbcast === 1 ? PACKET_MULTICAST : 0;
}

const XDP_RSS_L4_SCTP = 1 << 6;

/** XDP_RSS_* as the driver works it out from the packet type; the descriptor does not say what was hashed (ice_xdp_rx_hash_type, Linux 6.8). */
export function xdpRssOf(packetType: number): number {
  if ((packetType & (PACKET_IPV4 | PACKET_IPV6)) === 0) return 0;
  const l3 = (packetType & PACKET_IPV4) !== 0 ? XDP_RSS_L3_IPV4 : XDP_RSS_L3_IPV6;
  if ((packetType & PACKET_TCP) !== 0) return l3 | XDP_RSS_L4 | XDP_RSS_L4_TCP;
  if ((packetType & PACKET_UDP) !== 0) return l3 | XDP_RSS_L4 | XDP_RSS_L4_UDP;
  return (packetType & PACKET_SCTP) !== 0 ? l3 | XDP_RSS_L4 | XDP_RSS_L4_SCTP : l3;
}

// ── TX, second quad word, low half: DTYPE, CMD and 16 bits of OFFSET ──
export const TX_DESC_DTYPE_MASK = 0xf;
export const TX_DESC_DTYPE_DATA = 0;
export const TX_DESC_DTYPE_DESC_DONE = 0xf;
/** CMD, bits 15 to 4, in place. */
export const TX_DESC_CMD_EOP = 0x0001 << 4;
export const TX_DESC_CMD_RS = 0x0002 << 4;
export const TX_DESC_CMD_ICRC = 0x0004 << 4;
export const TX_DESC_CMD_IL2TAG1 = 0x0008 << 4;
export const TX_DESC_CMD_IIPT_IPV6 = 0x0020 << 4;
export const TX_DESC_CMD_IIPT_IPV4 = 0x0040 << 4;
/** Both bits: IPv4, whose header checksum is to be written too. */
export const TX_DESC_CMD_IIPT_MASK = 0x0060 << 4;
export const TX_DESC_CMD_L4T_TCP = 0x0100 << 4;
export const TX_DESC_CMD_L4T_SCTP = 0x0200 << 4;
export const TX_DESC_CMD_L4T_UDP = 0x0300 << 4;
export const TX_DESC_CMD_L4T_MASK = 0x0300 << 4;
/** OFFSET, bits 33 to 16, its fields from its own bit 0 on: MACLEN in 2 bytes, IPLEN and L4LEN in 4 bytes. */
export const TX_DESC_OFFSET_SHIFT = 16;
export const TX_OFFSET_MACLEN_MASK = 0x7f;
export const TX_OFFSET_IPLEN_SHIFT = 7;
export const TX_OFFSET_IPLEN_MASK = 0x7f;
export const TX_OFFSET_L4LEN_SHIFT = 14;
// ── TX, second quad word, high half: 2 bits of OFFSET, BUF_SZ, L2TAG1 ──
export const TX_DESC_BUF_SZ_SHIFT = 34 - 32;
export const TX_DESC_BUF_SZ_MASK = 0x3fff;
export const TX_DESC_L2TAG1_SHIFT = 48 - 32;
