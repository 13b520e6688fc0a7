import { PACKET_IPV4, PACKET_UDP } from '../device/batch.js';
import { R8169_FCS_BYTES, R8169_TX_V2_TCPHO_MAX } from '../device/formats/r8169Bits.js';
import type { R8169TxLayout } from '../device/formats/r8169Bits.js';

// What drivers/net/ethernet/realtek/r8169_main.c knows about its chips, as pure functions. The numbers in comments are its
// RTL_GIGA_MAC_VER_* of Linux 6.18.

const VLAN_ETH_HEADER_BYTES = 18;
const ETH_ZLEN = 60;
const ETH_DATA_LEN = 1500;
/** Bytes from the UDP header on to which frames to a PTP port are padded, and how long a frame may be to be looked at. */
const UDP_PATCH_BYTES = 47;
const UDP_PATCH_FRAME_BYTES = 128 + UDP_PATCH_BYTES;
const UDP_HEADER_BYTES = 8;
/** The destination port is there. */
const UDP_PORTS_BYTES = 4;
const PTP_EVENT_PORT = 319;
const PTP_GENERAL_PORT = 320;

function jumboMtu(kib: number): number {
  return kib * 1024 - VLAN_ETH_HEADER_BYTES - R8169_FCS_BYTES;
}

/** A group of chips that the driver treats alike. */
export interface R8169Chip {
  readonly layout: R8169TxLayout;
  /** Largest MTU (rtl_jumbo_max); 1500 for chips without gigabit. */
  readonly mtuMax: number;
  /** Checksums by the hardware at MTUs beyond 1500 too: the PCI chips only (rtl8169_fix_features). */
  readonly hasJumboChecksum: boolean;
  /** The hardware pads short frames wrongly; the driver pads them to 60 bytes (rtl_quirk_packet_padto). */
  readonly padsShortFrames: boolean;
  /** The hardware stumbles over short UDP frames to a PTP port (rtl8125_quirk_udp_padto). */
  readonly padsPtpFrames: boolean;
}

const ORDINARY: R8169Chip = { layout: 'v2', mtuMax: jumboMtu(9), hasJumboChecksum: false, padsShortFrames: false, padsPtpFrames: false };

export const R8169_CHIPS = {
  /** RTL8169, RTL8110 on PCI: 02 to 06. */
  rtl8169: { ...ORDINARY, layout: 'v1', mtuMax: jumboMtu(7), hasJumboChecksum: true },
  /** RTL8101e, RTL8100e, RTL8401: 10, 14. */
  rtl8101e: { ...ORDINARY, layout: 'v1', mtuMax: ETH_DATA_LEN },
  /** RTL8102e and later Fast Ethernet: 07 to 09, 29, 30, 37, 39, 43. */
  rtl8102e: { ...ORDINARY, mtuMax: ETH_DATA_LEN },
  /** RTL8168b: 17. */
  rtl8168b: { ...ORDINARY, layout: 'v1', mtuMax: jumboMtu(4) },
  /** RTL8168c, RTL8168cp: 18 to 24. */
  rtl8168c: { ...ORDINARY, mtuMax: jumboMtu(6) },
  /** RTL8168d to RTL8168h, RTL8168ep, RTL8117: 25 to 52 but 34. */
  rtl8168: ORDINARY,
  /** RTL8168evl: 34. */
  rtl8168evl: { ...ORDINARY, padsShortFrames: true },
  /** RTL8125A, RTL8125B: 61, 63. Kernels before 6.15 stop at an MTU of 9194. */
  rtl8125: { ...ORDINARY, mtuMax: jumboMtu(16), padsShortFrames: true, padsPtpFrames: true },
  /** RTL8126, RTL8127: 70, 80. */
  rtl8126: { ...ORDINARY, mtuMax: jumboMtu(16), padsShortFrames: true },
} as const satisfies Record<string, R8169Chip>;

/** What the quirks look at in a frame. */
export interface R8169Frame {
  readonly lenBytes: number;
  /** PACKET_* bits. */
  readonly packetType: number;
  /** Where the transport header begins, and the UDP destination port if the frame has one; host byte order. */
  readonly l4Start: number;
  readonly udpDestinationPort: number;
}

/**
 * Length to which the driver pads a frame by itself before it queues it, 0 when it leaves that to the hardware. A frame that is longer
 * already stays as it is.
 */
export function r8169PadTo(chip: R8169Chip, frame: R8169Frame): number {
  const padTo = chip.padsPtpFrames ? ptpPadTo(frame) : 0;
  return chip.padsShortFrames && padTo < ETH_ZLEN ? ETH_ZLEN : padTo;
}

function ptpPadTo({ lenBytes, packetType, l4Start, udpDestinationPort }: R8169Frame): number {
  if (lenBytes >= UDP_PATCH_FRAME_BYTES || (packetType & PACKET_UDP) === 0) return 0;
  const transportBytes = lenBytes - l4Start;
  const isPtp = udpDestinationPort === PTP_EVENT_PORT || udpDestinationPort === PTP_GENERAL_PORT;
  if (isPtp && transportBytes >= UDP_PORTS_BYTES && transportBytes < UDP_PATCH_BYTES) return l4Start + UDP_PATCH_BYTES;
  return transportBytes < UDP_HEADER_BYTES ? l4Start + UDP_HEADER_BYTES : 0;
}

/**
 * Whether the driver lets the hardware compute the checksum of a frame that isn't to be segmented (rtl8169_fix_features and
 * rtl8169_features_check). A chip for which the driver pads gets no checksum requests at all, as `r8169PadTo` is 60 at least for
 * any frame of it. Chips with layout v1 know IPv4 only.
 */
export function r8169UsesChecksum(chip: R8169Chip, mtu: number, frame: R8169Frame): boolean {
  if (mtu > ETH_DATA_LEN && !chip.hasJumboChecksum) return false;
  if (frame.lenBytes < ETH_ZLEN || r8169PadTo(chip, frame) !== 0) return false;
  return chip.layout === 'v1' ? (frame.packetType & PACKET_IPV4) !== 0 : frame.l4Start <= R8169_TX_V2_TCPHO_MAX;
}
