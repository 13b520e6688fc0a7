import {
  XDP_RSS_L3_IPV4, XDP_RSS_L3_IPV6, XDP_RSS_L4, XDP_RSS_L4_TCP, XDP_RSS_L4_UDP,
} from '../../../vm/index.js';
import { PACKET_IPV4, PACKET_IPV6, PACKET_SCTP, PACKET_TCP, PACKET_UDP } from '../batch.js';

// Bits of Intel's advanced descriptors, under the names of the drivers' headers (e1000_defines.h, igc_defines.h, ixgbe_type.h, Linux 6.1).

// ── RX write-back, status_error: the status bits that igb, igc and ixgbe have in common ──
export const RXD_STAT_DD = 1 << 0;
export const RXD_STAT_EOP = 1 << 1;
export const RXD_STAT_VP = 1 << 3;
/** igb and igc: of UDP; ixgbe has no such bit. */
export const RXD_STAT_UDPCS = 1 << 4;
/** The data sheets' L4I (ixgbe: L4CS): set for UDP too. */
export const RXD_STAT_TCPCS = 1 << 5;
export const RXD_STAT_IPCS = 1 << 6;
/** igb and igc: the checksum bits mean nothing. Bit 2 of ixgbe is FLM. */
export const RXD_STAT_IXSM = 1 << 2;
/** igc: the buffer begins with a time stamp of 16 bytes. */
export const RXDADV_STAT_TSIP = 1 << 15;

// ── RX write-back, status_error: error bits ──
/** igb and igc. */
export const RXDEXT_STATERR_CE = 1 << 24;
export const RXDEXT_STATERR_SE = 1 << 25;
export const RXDEXT_STATERR_SEQ = 1 << 26;
export const RXDEXT_STATERR_CXE = 1 << 28;
export const RXDEXT_STATERR_L4E = 1 << 29;
export const RXDEXT_STATERR_IPE = 1 << 30;
export const RXDEXT_STATERR_RXE = 1 << 31;
/** Any of them: the driver drops the frame (E1000_RXDEXT_ERR_FRAME_ERR_MASK). */
export const RXDEXT_ERR_FRAME_ERR_MASK = RXDEXT_STATERR_CE | RXDEXT_STATERR_SE | RXDEXT_STATERR_SEQ | RXDEXT_STATERR_CXE | RXDEXT_STATERR_RXE;
/** ixgbe: the same word, other places. */
export const IXGBE_RXDADV_ERR_CE = 1 << 24;
export const IXGBE_RXDADV_ERR_LE = 1 << 25;
export const IXGBE_RXDADV_ERR_PE = 1 << 27;
export const IXGBE_RXDADV_ERR_OSE = 1 << 28;
export const IXGBE_RXDADV_ERR_USE = 1 << 29;
export const IXGBE_RXDADV_ERR_TCPE = 1 << 30;
export const IXGBE_RXDADV_ERR_IPE = 1 << 31;
export const IXGBE_RXDADV_ERR_FRAME_ERR_MASK = IXGBE_RXDADV_ERR_CE | IXGBE_RXDADV_ERR_LE | IXGBE_RXDADV_ERR_PE | IXGBE_RXDADV_ERR_OSE | IXGBE_RXDADV_ERR_USE;

// ── RX write-back, pkt_info: RSS type in bits 3:0, packet type from bit 4 up, one bit for each header ──
const RXDADV_PKTTYPE_IPV4 = 1 << 4;
const RXDADV_PKTTYPE_IPV4_EX = 1 << 5;
const RXDADV_PKTTYPE_IPV6 = 1 << 6;
const RXDADV_PKTTYPE_IPV6_EX = 1 << 7;
const RXDADV_PKTTYPE_TCP = 1 << 8;
const RXDADV_PKTTYPE_UDP = 1 << 9;
const RXDADV_PKTTYPE_SCTP = 1 << 10;
/** The frame matched an EtherType filter: bits 6:4 are the filter's number, not headers. */
const RXDADV_PKTTYPE_ETQF = 1 << 15;

/** The packet type bits of pkt_info for PACKET_* bits. Fragments and multicast have no bit. */
export function pktTypeBits(packetType: number): number {
  return ((packetType & PACKET_IPV4) !== 0 ? RXDADV_PKTTYPE_IPV4 : 0)
    | ((packetType & PACKET_IPV6) !== 0 ? RXDADV_PKTTYPE_IPV6 : 0)
    | ((packetType & PACKET_TCP) !== 0 ? RXDADV_PKTTYPE_TCP : 0)
    | ((packetType & PACKET_UDP) !== 0 ? RXDADV_PKTTYPE_UDP : 0)
    | ((packetType & PACKET_SCTP) !== 0 ? RXDADV_PKTTYPE_SCTP : 0);
}

/** PACKET_* bits that pkt_info tells. */
export function packetTypeOf(pktInfo: number): number {
  if ((pktInfo & RXDADV_PKTTYPE_ETQF) !== 0) return 0;
  return ((pktInfo & (RXDADV_PKTTYPE_IPV4 | RXDADV_PKTTYPE_IPV4_EX)) !== 0 ? PACKET_IPV4 : 0)
    | ((pktInfo & (RXDADV_PKTTYPE_IPV6 | RXDADV_PKTTYPE_IPV6_EX)) !== 0 ? PACKET_IPV6 : 0)
    | ((pktInfo & RXDADV_PKTTYPE_TCP) !== 0 ? PACKET_TCP : 0)
    | ((pktInfo & RXDADV_PKTTYPE_UDP) !== 0 ? PACKET_UDP : 0)
    | ((pktInfo & RXDADV_PKTTYPE_SCTP) !== 0 ? PACKET_SCTP : 0);
}

/** IPv6 with extension headers (enum xdp_rss_hash_type). */
const XDP_RSS_L3_DYNHDR = 1 << 2;

/** What was hashed, XDP_RSS_*, by RSS type (igc_xdp_rss_type of Linux 6.3); 0 is no hash, 10 to 15 are reserved. */
export const XDP_RSS_OF_RSS_TYPE = new Uint8Array(16);
XDP_RSS_OF_RSS_TYPE.set([
  0,
  XDP_RSS_L3_IPV4 | XDP_RSS_L4 | XDP_RSS_L4_TCP,
  XDP_RSS_L3_IPV4,
  XDP_RSS_L3_IPV6 | XDP_RSS_L4 | XDP_RSS_L4_TCP,
  XDP_RSS_L3_IPV6 | XDP_RSS_L3_DYNHDR,
  XDP_RSS_L3_IPV6,
  XDP_RSS_L3_IPV6 | XDP_RSS_L3_DYNHDR | XDP_RSS_L4 | XDP_RSS_L4_TCP,
  XDP_RSS_L3_IPV4 | XDP_RSS_L4 | XDP_RSS_L4_UDP,
  XDP_RSS_L3_IPV6 | XDP_RSS_L4 | XDP_RSS_L4_UDP,
  XDP_RSS_L3_IPV6 | XDP_RSS_L3_DYNHDR | XDP_RSS_L4 | XDP_RSS_L4_UDP,
]);

/** The other way round; 0 for what the hardware cannot hash. */
export const RSS_TYPE_OF_XDP_RSS = new Uint8Array(64);
XDP_RSS_OF_RSS_TYPE.forEach((xdpType, rssType) => {
  if (xdpType !== 0) RSS_TYPE_OF_XDP_RSS[xdpType] = rssType;
});

// ── TX, cmd_type_len (data) and type_tucmd (context): the third word of both ──
export const ADVTXD_DTALEN_MASK = 0xffff;
export const ADVTXD_DTYP_MASK = 0xf << 20;
export const ADVTXD_DTYP_CTXT = 2 << 20;
export const ADVTXD_DTYP_DATA = 3 << 20;
export const ADVTXD_DCMD_EOP = 1 << 24;
export const ADVTXD_DCMD_IFCS = 1 << 25;
export const ADVTXD_DCMD_RS = 1 << 27;
export const ADVTXD_DCMD_DEXT = 1 << 29;
export const ADVTXD_DCMD_VLE = 1 << 30;
export const ADVTXD_DCMD_TSE = 1 << 31;
export const ADVTXD_TUCMD_IPV4 = 1 << 10;
export const ADVTXD_TUCMD_L4T_SHIFT = 11;
export const ADVTXD_L4T_UDP = 0;
export const ADVTXD_L4T_TCP = 1;
export const ADVTXD_L4T_SCTP = 2;
/** No protocol has this number. */
export const ADVTXD_L4T_RESERVED = 3;

// ── TX, olinfo_status (data): the fourth word ──
export const TXD_STAT_DD = 1 << 0;
export const ADVTXD_IDX_SHIFT = 4;
export const ADVTXD_IDX_MASK = 7;
export const TXD_POPTS_IXSM = 1 << 8;
export const TXD_POPTS_TXSM = 1 << 9;
export const ADVTXD_PAYLEN_SHIFT = 14;

// ── TX, vlan_macip_lens (context): the first word ──
export const ADVTXD_IPLEN_MASK = 0x1ff;
export const ADVTXD_MACLEN_SHIFT = 9;
export const ADVTXD_MACLEN_MASK = 0x7f;
export const ADVTXD_VLAN_SHIFT = 16;

// ── TX, mss_l4len_idx (context): the fourth word ──
/** igc: first frame of its queue in a cycle (IGC_ADVTXD_TSN_CNTX_FIRST). */
export const ADVTXD_TSN_CNTX_FIRST = 1 << 7;

// ── Checksum fields behind the beginning of layer 4, bytes ──
export const UDP_CHECK_OFFSET = 6;
export const TCP_CHECK_OFFSET = 16;
export const SCTP_CHECK_OFFSET = 8;
