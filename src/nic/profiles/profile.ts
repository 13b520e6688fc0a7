import type { RxHints } from '../../vm/index.js';
import type { DriverRule, NicFeature } from '../attach/driverRule.js';
import type { OffloadFirmware } from '../attach/offloadFirmware.js';
import type { DescriptorBatch } from '../device/batch.js';
import type { DescriptorFormat } from '../device/formats/descriptorFormat.js';
import type { SkbShape } from './skbShape.js';
import type { Statistic } from './statistics.js';

/** A range of a setting, and what the driver says to what lies outside. */
export interface Limit {
  readonly min: number;
  readonly max: number;
  readonly default: number;
  /** Values must be a multiple of it; 1 when left out. */
  readonly multipleOf?: number;
  /** Values must be a power of two. */
  readonly isPowerOfTwo?: boolean;
  /** The driver takes other values too, and makes the next multiple or power of two of them. */
  readonly roundsUp?: boolean;
  /** errno (positive) of a refused value, and why the limit is there, as the end of "at most 256, as …". */
  readonly errno: number;
  readonly reason: string;
}

export {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_HW_OFFLOAD, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG,
  NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from '../../xdp/index.js';

/**
 * A verdict that came to nothing: XDP_ABORTED, a number that is no verdict, XDP_TX without room for struct xdp_frame, XDP_TX that found no place
 * on the ring, a redirect that was refused.
 */
export type XdpFailure = 'aborted' | 'invalidVerdict' | 'txConversion' | 'txSend' | 'redirect';

/** What a driver offers to XDP. */
export interface XdpSupport {
  /**
   * NETDEV_XDP_ACT_* bits while a program is attached; without BASIC the driver has no native XDP. NDO_XMIT and NDO_XMIT_SG come and go with the
   * program (xdp_features_set_redirect_target), unless `alwaysTransmits`.
   */
  readonly features: number;
  /** mvneta, mvpp2 and mtk_eth_soc: NDO_XMIT and NDO_XMIT_SG are there without a program, too. */
  readonly alwaysTransmits?: boolean;
  /** The driver honours the private contract about checksums on XDP_TX (txContract.ts). No driver of mainline does. */
  readonly hasTxContract?: boolean;
  /** Kernel that brought native XDP; `undefined`: never. */
  readonly since: string | undefined;
  /**
   * Largest MTU at which a program without multi-buffer support can be attached, and the errno (positive) beyond it: the driver's numbers.
   * Where one buffer holds less than a frame of that MTU with two VLAN tags, which the MAC lets in, attaching stops earlier (`checkAttach`).
   */
  readonly mtuMaxLinear: number;
  readonly mtuErrno: number;
  readonly mtuReason: string;
  /** False: ctx->data_meta is invalid (data + 1), bpf_xdp_adjust_meta gives -ENOTSUPP. */
  readonly hasMetadata: boolean;
  /**
   * False: the driver's RX queues have no frag_size (xdp_rxq_info_reg in place of __xdp_rxq_info_reg), so that bpf_xdp_adjust_tail gives -EOPNOTSUPP where a
   * packet of several buffers is to grow. Left out: the last one grows up to its end.
   */
  readonly growsFragments?: boolean;
  /** veth: XDP_TX is handed over in bulks of 16, each with the tracepoint xdp_bulk_tx; a frame that is not taken ends its bulk. */
  readonly sendsTxInBulks?: boolean;
  /** Failures that the driver doesn't tell the tracepoint xdp_exception of; left out: it tells of all. */
  readonly untraced?: readonly XdpFailure[];
  /** Channels that attaching takes away or needs besides the RX queues, in words; empty for none. */
  readonly queueRule: string;
  /** What else the driver refuses a program for; left out: nothing. */
  readonly attachRules?: readonly DriverRule[];
  /** Features that the core refuses programs with, if the device has them. */
  readonly coreFeatures?: readonly NicFeature[];
  /** The sentence with which the driver refuses an MTU; left out: none that is known. */
  readonly mtuSays?: string;
  /** Programs that run in the device; left out: none do. */
  readonly offload?: OffloadFirmware;
  /** AF_XDP in zero-copy mode, of drivers with NETDEV_XDP_ACT_XSK_ZEROCOPY; left out: none. */
  readonly zeroCopy?: ZeroCopySupport;
}

/** How a driver serves AF_XDP sockets in zero-copy mode (by the source of 6.18: no test of the model has such hardware to ask). */
export interface ZeroCopySupport {
  /** netdev->xdp_zc_max_segs: most descriptors of a packet, both ways; 1: XDP_USE_SG is refused. */
  readonly maxSegments: number;
  /** Buffers that must be missing on the RX ring before it is refilled from FILL, at most a quarter of the ring. */
  readonly refillThreshold: number;
  /** Most descriptors of TX rings that one poll takes; `quarter`: of the device's ring. */
  readonly txBudget: number | 'quarter';
  /** It takes them by xsk_tx_peek_release_desc_batch, not by xsk_tx_peek_desc. */
  readonly takesBatches: boolean;
  /** The flag on TX rings goes when frames are on their way, whose completion will wake the driver; else it stays. */
  readonly clearsTxNeedWakeup: boolean;
  /** A full RX ring ends the poll's work, until somebody wakes the driver (with XDP_USE_NEED_WAKEUP). */
  readonly stopsAtFullRxRing: boolean;
  /** What ndo_xsk_wakeup gives without a program in the driver, errno (positive); 0: it does its work. */
  readonly wakeupErrno: number;
  /** XDP_TX sends a received chunk as it is; else it sends a copy. */
  readonly sendsChunks?: boolean;
  /** What of struct xsk_tx_metadata the device does (xsk-features of netdev-genl); what it doesn't do is passed over without a word. */
  readonly txMetadata?: { readonly timestamp?: boolean; readonly checksum?: boolean; readonly launchTime?: boolean };
}

/** Where receive buffers come from. */
export type BufferModel =
  /** A page_pool, a page a buffer. */
  | 'page_pool'
  /** A page_pool, pages split into fragments. */
  | 'page_pool_frag'
  /** Half pages that the driver flips and counts by itself (igb, ixgbe, i40e, ice). */
  | 'split_page';

/** Behaviour of one driver that others don't share; each is a switch that the driver model reads. */
export interface Quirks {
  /** octeontx2: XDP_ABORTED, unknown verdicts, failed XDP_TX and failed redirects go on to the stack. */
  readonly failedVerdictsPass?: boolean;
  /** nfp (NFD3): XDP_REDIRECT is an invalid action. */
  readonly redirectIsInvalid?: boolean;
  /** ena: an XDP_TX that found the ring full is counted as sent. */
  readonly countsFailedTxAsSent?: boolean;
  /** r8169: frames shorter than 60 bytes get no checksum from the hardware; the driver computes it. */
  readonly noChecksumBelow60?: boolean;
}

/** Receive-side scaling of a device. */
export interface RssSupport {
  /** Entries of the indirection table. */
  readonly indirectionSize: number;
  readonly keyBytes: number;
  /** How the driver fills the table: entry j is j % queues, or j * queues / size. */
  readonly spread: 'interleaved' | 'blocks';
  /** Ports of UDP are hashed without being asked (ethtool -N rx-flow-hash udp4 sdfn). */
  readonly hashesUdpPorts: boolean;
  /** Flow steering rules (ethtool -N flow-type …) that fit; 0 for none. */
  readonly flowRules: number;
}

/** What the hardware does besides moving bytes; what is false is never asked of it. */
export interface OffloadSupport {
  readonly rxChecksum: boolean;
  readonly txChecksum: boolean;
  readonly rxVlanStrip: boolean;
  readonly txVlanInsert: boolean;
  /** Every received frame gets a hardware time stamp. */
  readonly rxTimestamp: boolean;
  /** RX frames may take several buffers. */
  readonly rxScatter: boolean;
  readonly tso: boolean;
  readonly lro: boolean;
}

/** Interrupt moderation as the driver sets it up. */
export interface ModerationSupport {
  readonly rxUsecs: number;
  readonly rxFrames: number;
  readonly txUsecs: number;
  readonly txFrames: number;
  /** How the hardware or driver adapts it: `none`; `itr` is the three classes of igb and igc; `dim` is net_dim. */
  readonly adaptive: 'none' | 'itr' | 'dim';
}

/** Offloads that change what a driver can tell programs about packets. */
export interface HintOffloads {
  /** NETIF_F_RXHASH (`ethtool -K rxhash`). */
  readonly hasRxHash: boolean;
  /** NETIF_F_HW_VLAN_CTAG_RX (`ethtool -K rxvlan`). */
  readonly hasVlanStrip: boolean;
}

/** What a NIC and its driver can do: plain data, one file a NIC. */
export interface NicProfile {
  /** Name on the command line. */
  readonly name: string;
  /** One sentence for `--help`. */
  readonly description: string;
  /** `ethtool -i`: driver and bus. */
  readonly driver: string;
  readonly bus: string;
  /** Chips that the profile stands for. */
  readonly chips: string;
  readonly linkMbps: number;
  readonly format: DescriptorFormat;
  /** What the descriptors of the model stand for when `format` isn't the hardware's own; empty when it is. */
  readonly formatNote: string;
  /** Receive and transmit queue pairs (`ethtool -L`). */
  readonly queues: Limit;
  /** `ethtool -l` counts receive and transmit queues apart, not pairs. */
  readonly hasSeparateChannels?: boolean;
  /** Descriptors (`ethtool -G`). */
  readonly rxRing: Limit;
  readonly txRing: Limit;
  readonly mtu: Limit;
  /** Bytes before the packet. */
  readonly headroom: Limit;
  /** Size of a buffer with headroom and tailroom (xdp->frame_sz): 2048 or 4096. */
  readonly frameSizeBytes: number;
  /** Bytes that the device may write into one buffer; left out, and at most: what headroom and skb_shared_info leave. */
  readonly bufferBytes?: number;
  /** True when what the device writes before the packet (`format.rxPrefixBytes`) lies within the headroom (virtio). */
  readonly prefixInHeadroom?: boolean;
  readonly bufferModel: BufferModel;
  /** Pages in a page_pool's ring (`pool_size`). */
  readonly poolRingSize: number;
  /** Buffers that must be missing on the RX ring before the driver refills it; 1 for at once. */
  readonly refillThreshold: number;
  /** How the driver makes an skb of a packet; XDP programs in generic mode run on that. */
  readonly skb: SkbShape;
  readonly xdp: XdpSupport;
  /** `undefined`: one queue, no hash. */
  readonly rss: RssSupport | undefined;
  readonly offloads: OffloadSupport;
  readonly moderation: ModerationSupport;
  readonly quirks: Quirks;
  /** Quirks and other things to know that the model does not reproduce or the reader should be told, a sentence each. */
  readonly notes: readonly string[];
  /** What its driver tells programs about packets: fills in `hints` for the frame at `address` whose first descriptor is `index` of the batch. */
  readonly readRxHints: (hints: RxHints, batch: DescriptorBatch, index: number, u8: Uint8Array, address: number, offloads: HintOffloads) => void;
  /** veth: the peer takes no frame longer than its MTU with Ethernet header and one VLAN tag (veth_xdp_xmit; is_skb_forwardable). */
  readonly peerChecksLength?: boolean;
  /** veth: without a native program the driver has no NAPI, so that nothing is counted in `ethtool -S`. */
  readonly countsNativeOnly?: boolean;
  /** `ethtool -S`, in the driver's order and under its names. */
  readonly statistics: readonly Statistic[];
}
