import {
  R8169_FS, R8169_TX_V1_IPCS, R8169_TX_V1_LSO, R8169_TX_V1_MSS, R8169_TX_V1_TCPCS, R8169_TX_V1_UDPCS, R8169_TX_V2_GTSENV4, R8169_TX_V2_GTSENV6, R8169_TX_V2_IPV4CS,
  R8169_TX_V2_IPV6CS, R8169_TX_V2_TCPCS, R8169_TX_V2_UDPCS,
} from './r8169Bits.js';
import type { R8169TxLayout } from './r8169Bits.js';

const V1_CHECKSUMS = R8169_TX_V1_IPCS | R8169_TX_V1_UDPCS | R8169_TX_V1_TCPCS;
const V2_CHECKSUMS = R8169_TX_V2_UDPCS | R8169_TX_V2_TCPCS | R8169_TX_V2_IPV4CS | R8169_TX_V2_IPV6CS;
const V1_OPTS2_UNUSED = 0xfffc0000;
const V2_OPTS1_OFFLOADS = 0x0fff0000;

const FAULTS = {
  v1OnV2:
    'opts1 bits 18..16 are the checksum bits of the v1 layout; this chip takes v2: opts2 31..28 (UDP, TCP, IPv4, IPv6) with the offset of the transport header in opts2 27..18',
  strayOnV2: 'opts1 bits 27..16 are set without GTSENV4 (26) or GTSENV6 (25); in the v2 layout they belong to segmentation and are 0 otherwise',
  v2OnV1:
    'opts2 bits 31..18 are the checksum bits and the transport offset of the v2 layout; this chip takes v1: opts1 18 (IP), 17 (UDP), 16 (TCP), and no offset',
  strayOnV1: 'opts1 bits 26..19 are an MSS without LSO (27); in the v1 layout they are 0 unless the chip is to cut the frame into segments',
  segmentation: 'the descriptor asks for TCP segmentation (LSO of v1, GTSENV4 or GTSENV6 of v2), which this device does not do',
  bothIpVersions: 'opts2 asks for the checksums of IPv4 (29) and of IPv6 (28) in one frame; set the one that the frame is',
  bothProtocols: 'the checksums of TCP and of UDP are both asked for in one frame; set the one that the frame carries, with the bit of the IP checksum',
  noIpVersion: 'opts2 asks for a TCP or UDP checksum without saying whether the frame is IPv4 (29) or IPv6 (28)',
  noFirst: 'a frame begins here, but FirstFrag (opts1 bit 29) is not set; a frame in one descriptor has FirstFrag and LastFrag',
  noLast: 'FirstFrag (opts1 bit 29) begins a frame, but the one before has not ended: its last descriptor lacks LastFrag (bit 28)',
  lateChecksum: 'the descriptor has checksum bits that the first one of its frame does not have; the chip reads them from the descriptor with FirstFrag (opts1 bit 29)',
} as const;

/** What is wrong with a TX descriptor. */
export type R8169TxFault = keyof typeof FAULTS;

/** What is wrong with the first descriptor of a frame, but for FS and LS. */
export function r8169TxFault(opts1: number, opts2: number, layout: R8169TxLayout): R8169TxFault | undefined {
  return layout === 'v2' ? v2Fault(opts1, opts2) : v1Fault(opts1, opts2);
}

function v2Fault(opts1: number, opts2: number): R8169TxFault | undefined {
  if ((opts1 & (R8169_TX_V2_GTSENV4 | R8169_TX_V2_GTSENV6)) !== 0) return 'segmentation';
  if ((opts1 & V1_CHECKSUMS) !== 0) return 'v1OnV2';
  if ((opts1 & V2_OPTS1_OFFLOADS) !== 0) return 'strayOnV2';
  const isIpv4 = (opts2 & R8169_TX_V2_IPV4CS) !== 0;
  const isIpv6 = (opts2 & R8169_TX_V2_IPV6CS) !== 0;
  const isTcp = (opts2 & R8169_TX_V2_TCPCS) !== 0;
  const isUdp = (opts2 & R8169_TX_V2_UDPCS) !== 0;
  if (isIpv4 && isIpv6) return 'bothIpVersions';
  if (isTcp && isUdp) return 'bothProtocols';
  return (isTcp || isUdp) && !isIpv4 && !isIpv6 ? 'noIpVersion' : undefined;
}

function v1Fault(opts1: number, opts2: number): R8169TxFault | undefined {
  if ((opts2 & V1_OPTS2_UNUSED) !== 0) return 'v2OnV1';
  if ((opts1 & R8169_TX_V1_LSO) !== 0) return 'segmentation';
  if ((opts1 & R8169_TX_V1_MSS & ~V1_CHECKSUMS) !== 0) return 'strayOnV1';
  return (opts1 & R8169_TX_V1_TCPCS) !== 0 && (opts1 & R8169_TX_V1_UDPCS) !== 0 ? 'bothProtocols' : undefined;
}

/**
 * A later descriptor asks for a checksum that the first of its frame doesn't ask for. Drivers may repeat the bits of the first, as
 * rtl8169_tx_map does (Linux 6.18).
 */
export function hasLateChecksum(firstOpts1: number, firstOpts2: number, opts1: number, opts2: number, layout: R8169TxLayout): boolean {
  return layout === 'v2' ? (opts2 & ~firstOpts2 & V2_CHECKSUMS) !== 0 : (opts1 & ~firstOpts1 & V1_CHECKSUMS) !== 0;
}

/**
 * Says in one sentence what is wrong with a TX descriptor, `undefined` when nothing is.
 *
 * @param frame `new` where a frame has to begin, the words of its first descriptor inside one; left out: nobody knows, and neither FirstFrag
 * nor what the first descriptor asks for is looked at
 */
export function explainR8169Tx(opts1: number, opts2: number, layout: R8169TxLayout, frame?: 'new' | { readonly opts1: number; readonly opts2: number }): string | undefined {
  const hasFirst = (opts1 & R8169_FS) !== 0;
  let fault: R8169TxFault | undefined;
  if (frame === 'new' && !hasFirst) fault = 'noFirst';
  else if (typeof frame === 'object' && hasFirst) fault = 'noLast';
  else if (typeof frame === 'object' && hasLateChecksum(frame.opts1, frame.opts2, opts1, opts2, layout)) fault = 'lateChecksum';
  else fault = r8169TxFault(opts1, opts2, layout);
  return fault === undefined ? undefined : FAULTS[fault];
}
