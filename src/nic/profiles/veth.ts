import { EINVAL, ENODATA, EOPNOTSUPP, ERANGE } from '../../base/index.js';
import { VETH_RULES } from '../attach/driverRules.js';
import { ETH_HLEN, HINT_VLAN_TCI, XDP_RSS_L4, XDP_RSS_TYPE_NONE } from '../../vm/index.js';
import type { RxHints } from '../../vm/index.js';
import type { DescriptorBatch } from '../device/batch.js';
import { plainFormat } from '../device/formats/plain.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { peerSkb } from './skbShape.js';
import { droppedByVerdict } from './statistics.js';

const ETH_P_8021Q = 0x8100;
const ETH_P_8021AD = 0x88a8;
const ETH_P_IPV6 = 0x86dd;

/**
 * The virtual Ethernet pair of Linux (drivers/net/veth.c, 6.18), seen from the end that runs the program.
 *
 * A veth has no descriptors: its peer puts pointers into a ptr_ring of 256 entries (VETH_RING_SIZE), and NAPI takes them out. The
 * descriptor format of the teaching NIC stands in for that ring, with as many entries, both ways.
 *
 * Where a real one differs:
 * - Packets that the peer's stack sends are skbs. veth_convert_skb_to_xdp_buff copies them into fragments of a page that are no larger
 *   than needs be: `len` rounded up to 64 bytes, and 576 for headroom and skb_shared_info. So the tailroom is what rounding leaves, only
 *   the last fragment of a page has its rest too; here it reaches to the end of the page always.
 * - A program without multi-buffer support can be attached up to an MTU of 3506 = 4096 - 256 - 320 - 14 (veth_xdp_set), which leaves no
 *   room for VLAN tags: frames of that MTU with tags take a second buffer here. The real driver makes such an skb linear, in a larger buffer.
 */
export const vethProfile: NicProfile = {
  name: 'veth',
  description: 'virtual Ethernet pair of Linux: ring of 256, headroom 256, page_pool, multi-buffer',
  driver: 'veth',
  bus: '',
  chips: 'none: software',
  linkMbps: 10_000,
  format: plainFormat,
  formatNote: 'stands in for the ptr_ring of 256 pointers, which has no descriptors',
  queues: { min: 1, max: 64, default: 1, errno: EINVAL, reason: 'the model has 64 queue pairs' },
  hasSeparateChannels: true,
  rxRing: { min: 256, max: 256, default: 256, errno: EOPNOTSUPP, reason: 'VETH_RING_SIZE is a constant, and there is no set_ringparam' },
  txRing: { min: 256, max: 256, default: 256, errno: EOPNOTSUPP, reason: 'VETH_RING_SIZE is a constant, and there is no set_ringparam' },
  mtu: { min: 68, max: 9000, default: 1500, errno: EINVAL, reason: 'IPv4 needs 68 bytes, and the model stops at 9000' },
  headroom: { min: 256, max: 256, default: 256, errno: EOPNOTSUPP, reason: 'the driver always takes XDP_PACKET_HEADROOM' },
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 256,
  refillThreshold: 1,
  skb: peerSkb,
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_RX_SG | NETDEV_XDP_ACT_NDO_XMIT_SG,
    since: '4.19',
    mtuMaxLinear: 3506,
    mtuErrno: ERANGE,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 14 (Ethernet header)',
    hasMetadata: true,
    growsFragments: false,
    sendsTxInBulks: true,
    untraced: ['txSend', 'redirect'],
    queueRule: 'the peer must exist and have no more TX queues than this end has RX queues',
    attachRules: VETH_RULES,
    mtuSays: 'veth: Peer MTU is too large to set XDP',
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: true, flowRules: 0 },
  offloads: { rxChecksum: false, txChecksum: false, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 32, txUsecs: 0, txFrames: 32, adaptive: 'none' },
  quirks: {},
  notes: [],
  readRxHints: readSkbHints,
  // Without peer_ifindex. What is dropped is counted by who dropped it: xdp_drops is the program (XDP_DROP, XDP_ABORTED, numbers that are no
  // verdict), drops the driver (a redirect that failed, XDP_TX without room for struct xdp_frame), xdp_tx_errors the peer's full ring. Bytes are
  // counted without the Ethernet header, as a packet that arrives as an skb is stripped of it by then (veth_xdp_rcv).
  countsNativeOnly: true,
  peerChecksLength: true,
  statistics: [
    {
      perQueue: [
        ['rx_queue_N_xdp_packets', 'rxPackets'], ['rx_queue_N_xdp_bytes', ({ rxBytes, rxPackets }) => rxBytes - rxPackets * ETH_HLEN],
        ['rx_queue_N_drops', ({ xdpRedirectErrors, xdpTxErrors, xdpTxFull }) => xdpRedirectErrors + xdpTxErrors - xdpTxFull], ['rx_queue_N_xdp_redirect', 'xdpRedirect'],
        ['rx_queue_N_xdp_drops', droppedByVerdict], ['rx_queue_N_xdp_tx', 'xdpTx'], ['rx_queue_N_xdp_tx_errors', 'xdpTxFull'],
      ],
    },
    { perQueue: [['tx_queue_N_xdp_xmit', 'txXdpXmit'], ['tx_queue_N_xdp_xmit_errors', 'txXdpXmitErrors']] },
  ],
};

/**
 * What a veth tells about packets that its peer's stack sent, from their skb (veth_xdp_rx_timestamp and its kin): a hardware time stamp of 0,
 * as nobody wrote one; the hash of the stack (skb_get_hash), which takes ports and IPv6 flow labels for layer 4 and looks into no VLAN; no tag,
 * as that of a frame that came in whole stays in it, but 0 is written (__vlan_hwaccel_get_tag). The stack keys its hash at random; here it is the Toeplitz hash.
 */
function readSkbHints(hints: RxHints, { rssHash, rssType }: DescriptorBatch, index: number, u8: Uint8Array, address: number): void {
  const etherType = (u8[address + 12] << 8) | u8[address + 13];
  const isTagged = etherType === ETH_P_8021Q || etherType === ETH_P_8021AD;
  const hasFlowLabel = etherType === ETH_P_IPV6 && ((u8[address + 15] & 0x0f) | u8[address + 16] | u8[address + 17]) !== 0;
  const isL4 = !isTagged && ((rssType[index] & XDP_RSS_L4) !== 0 || hasFlowLabel);
  hints.timestampError = 0;
  hints.timestampNs = 0;
  hints.hashError = 0;
  // 0 stands for no hash (__flow_hash_from_keys).
  hints.hash = rssHash[index] || 1;
  hints.hashType = isL4 ? XDP_RSS_L4 : XDP_RSS_TYPE_NONE;
  hints.vlanError = -ENODATA;
  hints.vlanTci = 0;
  hints.writtenOnError = HINT_VLAN_TCI;
}
