import {
  DESC_CSUM, DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, DESC_RX_ERROR, DESC_VLAN, PACKET_BROADCAST, PACKET_IPV4, PACKET_IPV6, PACKET_MULTICAST,
  PACKET_TCP, PACKET_UDP,
} from '../batch.js';

// A descriptor of the Realtek family is 16 bytes, little endian, in both directions, in a ring that begins at a multiple of 256 bytes:
//
//     0 opts1 u32   4 opts2 u32   8 addr u64
//
// opts1, always:
//     31 OWN (1: the device's)   30 EOR (end of ring, on the last slot)   29 FS   28 LS (first and last descriptor of a frame)
//
// opts1, RX, given to the device:     13..0 size of the buffer
// opts1, RX, written back:
//     27 MAR 26 PAM 25 BAR (multicast, own address, broadcast)   22 RWT (too long)   21 RES (any error)   20 RUNT   19 CRC
//     18..17 PID (0 not IP, 1 TCP, 2 UDP, 3 other IP)   16 IPF   15 UDPF   14 TCPF (checksum wrong)   13..0 bytes of the frame with its FCS
// opts2, RX, written back:            16 TAVA (a tag was taken out)   15..0 TCI, bytes swapped
//
// TX, layout v1 (RTL8169, RTL8168b, RTL8101e):
//     opts1   27 LSO with 26..16 MSS, or 18 IPCS 17 UDPCS 16 TCPCS   15..0 bytes
//     opts2   17 TAGC   15..0 TCI, bytes swapped
// TX, layout v2 (RTL8102e, RTL8168c and later, RTL8125):
//     opts1   26 GTSENV4 25 GTSENV6 with 24..18 GTTCPHO   15..0 bytes
//     opts2   31 UDPCS 30 TCPCS 29 IPV4CS 28 IPV6CS with 27..18 TCPHO (where layer 4 begins)   17 TAGC   15..0 TCI, bytes swapped
//
// Names and places as in drivers/net/ethernet/realtek/r8169_main.c, enum rtl_desc_bit, rtl_tx_desc_bit_0, _1 and rtl_rx_desc_bit (Linux
// 6.18); MAR, PAM and BAR from the RTL8169 data sheet.

export const R8169_DESCRIPTOR_BYTES = 16;
export const R8169_RING_ALIGN_BYTES = 256;

export const R8169_OWN = 0x80000000;
export const R8169_EOR = 0x40000000;
export const R8169_FS = 0x20000000;
export const R8169_LS = 0x10000000;

export const R8169_RX_MAR = 1 << 27;
export const R8169_RX_PAM = 1 << 26;
export const R8169_RX_BAR = 1 << 25;
export const R8169_RX_RWT = 1 << 22;
export const R8169_RX_RES = 1 << 21;
export const R8169_RX_RUNT = 1 << 20;
export const R8169_RX_CRC = 1 << 19;
export const R8169_RX_PID = 3 << 17;
export const R8169_RX_PID_TCP = 1 << 17;
export const R8169_RX_PID_UDP = 2 << 17;
export const R8169_RX_PID_IP = 3 << 17;
export const R8169_RX_IPF = 1 << 16;
export const R8169_RX_UDPF = 1 << 15;
export const R8169_RX_TCPF = 1 << 14;
export const R8169_RX_FAIL = R8169_RX_IPF | R8169_RX_UDPF | R8169_RX_TCPF;
export const R8169_RX_LENGTH = 0x3fff;
export const R8169_RX_TAVA = 1 << 16;

export const R8169_TX_LENGTH = 0xffff;
export const R8169_TX_TAGC = 1 << 17;
export const R8169_TX_V1_LSO = 1 << 27;
export const R8169_TX_V1_MSS = 0x7ff << 16;
export const R8169_TX_V1_IPCS = 1 << 18;
export const R8169_TX_V1_UDPCS = 1 << 17;
export const R8169_TX_V1_TCPCS = 1 << 16;
export const R8169_TX_V2_GTSENV4 = 1 << 26;
export const R8169_TX_V2_GTSENV6 = 1 << 25;
export const R8169_TX_V2_GTTCPHO = 0x7f << 18;
export const R8169_TX_V2_UDPCS = 0x80000000;
export const R8169_TX_V2_TCPCS = 0x40000000;
export const R8169_TX_V2_IPV4CS = 0x20000000;
export const R8169_TX_V2_IPV6CS = 0x10000000;
export const R8169_TX_V2_TCPHO_SHIFT = 18;
export const R8169_TX_V2_TCPHO_MAX = 0x3ff;

/** TxPoll (register 0x38, 8 bits): look at the normal priority ring. RTL8125: register 0x90, 16 bits. */
export const R8169_TXPOLL_NPQ = 0x40;
export const R8125_TXPOLL = 1;

/** Bytes of the frame check sequence, which the device counts in and the driver takes off. */
export const R8169_FCS_BYTES = 4;

/** Which of the two TX layouts a chip takes. */
export type R8169TxLayout = 'v1' | 'v2';

/** A VLAN tag as it stands in opts2: the two bytes of the wire, read as a little-endian number. */
export function r8169SwapTci(tci: number): number {
  return ((tci & 0xff) << 8) | ((tci >>> 8) & 0xff);
}

/** opts1 of an empty buffer for the device. @param bufferBytes up to 16383 */
export function r8169RxPosted(bufferBytes: number, isEndOfRing: boolean): number {
  return (R8169_OWN | (isEndOfRing ? R8169_EOR : 0) | (bufferBytes & R8169_RX_LENGTH)) >>> 0;
}

/**
 * Status bits of opts1 that the device writes for a frame, without OWN, EOR, FS, LS and length.
 *
 * PID is TCP or UDP only when the device has looked at that checksum; so a fragment is "other IP". PAM is what a frame for one host gets, as
 * the device isn't told whether a promiscuous MAC let it in.
 */
export function r8169RxStatus(flags: number, packetType: number): number {
  let status: number;
  if ((packetType & PACKET_BROADCAST) !== 0) status = R8169_RX_BAR;
  else status = (packetType & PACKET_MULTICAST) !== 0 ? R8169_RX_MAR : R8169_RX_PAM;
  const isBad = (flags & DESC_L4_BAD) !== 0;
  if ((flags & DESC_L4_CHECKED) !== 0 && (packetType & PACKET_TCP) !== 0) status |= R8169_RX_PID_TCP | (isBad ? R8169_RX_TCPF : 0);
  else if ((flags & DESC_L4_CHECKED) !== 0 && (packetType & PACKET_UDP) !== 0) status |= R8169_RX_PID_UDP | (isBad ? R8169_RX_UDPF : 0);
  else if ((packetType & (PACKET_IPV4 | PACKET_IPV6)) !== 0) status |= R8169_RX_PID_IP;
  if ((flags & DESC_L3_BAD) !== 0) status |= R8169_RX_IPF;
  if ((flags & DESC_RX_ERROR) !== 0) status |= R8169_RX_RES | R8169_RX_CRC;
  return status;
}

/**
 * DESC_* flags that a driver reads out of a descriptor, without DONE, FIRST and EOP.
 *
 * As in rtl8169_rx_csum (Linux 6.18) a checksum is good when PID and the three failure bits together are exactly TCP or UDP. A failure bit
 * tells a bad one; nothing tells a good IPv4 header, as PID is the same for IPv6.
 */
export function r8169RxFlags(opts1: number, opts2: number): number {
  let flags = (opts2 & R8169_RX_TAVA) !== 0 ? DESC_VLAN : 0;
  const verdict = opts1 & (R8169_RX_PID | R8169_RX_FAIL);
  if (verdict === R8169_RX_PID_TCP || verdict === R8169_RX_PID_UDP) flags |= DESC_L4_CHECKED;
  if ((opts1 & (R8169_RX_UDPF | R8169_RX_TCPF)) !== 0) flags |= DESC_L4_CHECKED | DESC_L4_BAD;
  if ((opts1 & R8169_RX_IPF) !== 0) flags |= DESC_L3_CHECKED | DESC_L3_BAD;
  if ((opts1 & R8169_RX_RES) !== 0) flags |= DESC_RX_ERROR;
  return flags;
}

/** PACKET_* bits that a driver reads out of opts1: which layer 4, never which IP. */
export function r8169PacketType(opts1: number): number {
  let type = 0;
  if ((opts1 & R8169_RX_BAR) !== 0) type = PACKET_BROADCAST;
  else if ((opts1 & R8169_RX_MAR) !== 0) type = PACKET_MULTICAST;
  const pid = opts1 & R8169_RX_PID;
  if (pid === R8169_RX_PID_TCP) type |= PACKET_TCP;
  else if (pid === R8169_RX_PID_UDP) type |= PACKET_UDP;
  return type;
}

/** Offload bits of opts1: the checksums of v1, nothing in v2. @param flags DESC_CSUM @param packetType what the frame is */
export function r8169TxOpts1(flags: number, packetType: number, layout: R8169TxLayout): number {
  if ((flags & DESC_CSUM) === 0 || layout === 'v2') return 0;
  if ((packetType & PACKET_TCP) !== 0) return R8169_TX_V1_IPCS | R8169_TX_V1_TCPCS;
  return R8169_TX_V1_IPCS | ((packetType & PACKET_UDP) !== 0 ? R8169_TX_V1_UDPCS : 0);
}

/**
 * opts2: VLAN tag, and in v2 the checksums.
 *
 * @param flags DESC_CSUM and DESC_VLAN
 * @param csumStart where layer 4 begins, at most R8169_TX_V2_TCPHO_MAX in v2: beyond, the driver has to compute the checksum itself
 */
export function r8169TxOpts2(flags: number, packetType: number, csumStart: number, vlanTci: number, layout: R8169TxLayout): number {
  let opts2 = (flags & DESC_VLAN) !== 0 ? R8169_TX_TAGC | r8169SwapTci(vlanTci) : 0;
  if ((flags & DESC_CSUM) !== 0 && layout === 'v2') {
    opts2 |= (packetType & PACKET_IPV6) !== 0 ? R8169_TX_V2_IPV6CS : R8169_TX_V2_IPV4CS;
    if ((packetType & PACKET_TCP) !== 0) opts2 |= R8169_TX_V2_TCPCS;
    else if ((packetType & PACKET_UDP) !== 0) opts2 |= R8169_TX_V2_UDPCS;
    opts2 |= (csumStart & R8169_TX_V2_TCPHO_MAX) << R8169_TX_V2_TCPHO_SHIFT;
  }
  return opts2 >>> 0;
}
