import { EINVAL, ENETDOWN } from '../../base/index.js';
import { MLX5_RULES } from '../attach/driverRules.js';
import { mlx5Format } from '../device/formats/mlx5.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { DriverCounters } from '../driver/queuePair.js';
import type { NicProfile } from './profile.js';
import { mlx5RxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { none, ofDevice, ofDriver, poolRows } from './statistics.js';
import { zeroCopy } from './zeroCopy.js';

/** Mellanox/NVIDIA ConnectX-4 to 7: work queues with CQEs, page_pool, hints. */
export const mlx5Profile: NicProfile = {
  name: 'mlx5',
  description: 'Mellanox/NVIDIA ConnectX-4 to 7: work queues with CQEs, page_pool, hints',
  driver: 'mlx5',
  bus: 'pci',
  chips: 'ConnectX-4 to 7, BlueField',
  linkMbps: 100000,
  format: mlx5Format,
  formatNote: '',
  queues: queuePairs(64, 4),
  rxRing: ring(1024, 2, 8192, { isPowerOfTwo: true, roundsUp: true }),
  txRing: ring(1024, 64, 8192, { isPowerOfTwo: true, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 16,
  skb: buildsSkb(64),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY | NETDEV_XDP_ACT_RX_SG | NETDEV_XDP_ACT_NDO_XMIT_SG,
    since: '4.9',
    mtuMaxLinear: 3498,
    mtuErrno: EINVAL,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 22 (Ethernet header and two VLAN tags)',
    hasMetadata: true,
    queueRule: 'refuses LRO and HW-GRO; programs with multi-buffer support need the legacy (cyclic) RQ',
    attachRules: MLX5_RULES,
    coreFeatures: ['memory-provider'],
    zeroCopy: zeroCopy({ txBudget: 64, clearsTxNeedWakeup: true, wakeupErrno: ENETDOWN, txMetadata: { timestamp: true, checksum: true } }),
  },
  rss: { indirectionSize: 256, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: true, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 16, rxFrames: 32, txUsecs: 16, txFrames: 32, adaptive: 'dim' },
  quirks: {},
  notes: ['Aborted packets and failed XDP_TX are counted as drops; packets that pass are not counted.'],
  readRxHints: mlx5RxHints,
  statistics: [
    // Packets that programs ended are none of the stack's: rx_packets_phy has all.
    ...ofDriver({ rx_packets: 'stackPackets', rx_bytes: 'stackBytes' }),
    ...ofDriver({ tx_packets: ({ txPackets, txXdpPackets }) => txPackets - txXdpPackets, tx_bytes: ({ txBytes, txXdpBytes }) => txBytes - txXdpBytes }),
    ...ofDriver({
      rx_csum_unnecessary: 'rxCsumGood', rx_xdp_drop: allDropped, rx_xdp_redirect: 'xdpRedirect', rx_xdp_tx_xmit: 'xdpTx', rx_xdp_tx_mpwqe: none, rx_xdp_tx_inlnw: none, rx_xdp_tx_nops: none, rx_xdp_tx_full: 'xdpTxFull',
      rx_xdp_tx_err: failedOtherwise, rx_xdp_tx_cqe: 'xdpTxCompletions', tx_xdp_xmit: 'txXdpXmit', tx_xdp_mpwqe: none, tx_xdp_inlnw: none, tx_xdp_nops: none, tx_xdp_full: 'txXdpXmitErrors', tx_xdp_err: none,
      tx_xdp_cqes: 'txXdpXmitCompletions', rx_wqe_err: ({ rxErrors, rxLengthErrors }) => rxErrors + rxLengthErrors, rx_buff_alloc_err: 'rxAllocFailed',
    }),
    ...poolRows({
      rx_pp_alloc_fast: 'alloc_fast', rx_pp_alloc_slow: 'alloc_slow', rx_pp_alloc_slow_high_order: 'alloc_slow_high_order', rx_pp_alloc_empty: 'alloc_empty', rx_pp_alloc_refill: 'alloc_refill',
      rx_pp_alloc_waive: 'alloc_waive', rx_pp_recycle_cached: 'recycle_cached', rx_pp_recycle_cache_full: 'recycle_cache_full', rx_pp_recycle_ring: 'recycle_ring',
      rx_pp_recycle_ring_full: 'recycle_ring_full', rx_pp_recycle_released_ref: 'recycle_released_refcnt',
    }),
    ...ofDriver({ ch_poll: 'polls' }),
    ...ofDevice({
      rx_out_of_buffer: 'rxMissed', tx_packets_phy: 'txPackets', rx_packets_phy: 'rxPackets', rx_crc_errors_phy: 'rxCrcErrors', tx_bytes_phy: 'txBytes', rx_bytes_phy: 'rxBytes', rx_multicast_phy: 'rxMulticast',
      rx_broadcast_phy: 'rxBroadcast', rx_oversize_pkts_phy: 'rxOverLength', rx_undersize_pkts_phy: 'rxRunts',
    }),
    { perQueue: [['chN_poll', 'polls']] },
    {
      perQueue: [
        ['rxN_packets', 'stackPackets'], ['rxN_bytes', 'stackBytes'], ['rxN_csum_unnecessary', 'rxCsumGood'], ['rxN_xdp_drop', allDropped], ['rxN_xdp_redirect', 'xdpRedirect'], ['rxN_wqe_err', ({ rxErrors, rxLengthErrors }) => rxErrors + rxLengthErrors],
        ['rxN_buff_alloc_err', 'rxAllocFailed'], ['rxN_xdp_tx_xmit', 'xdpTx'], ['rxN_xdp_tx_mpwqe', none], ['rxN_xdp_tx_inlnw', none], ['rxN_xdp_tx_nops', none], ['rxN_xdp_tx_full', 'xdpTxFull'],
        ['rxN_xdp_tx_err', failedOtherwise], ['rxN_xdp_tx_cqes', 'xdpTxCompletions'],
      ],
    },
    { perQueue: [['txN_packets', ({ txPackets, txXdpPackets }) => txPackets - txXdpPackets], ['txN_bytes', ({ txBytes, txXdpBytes }) => txBytes - txXdpBytes]] },
    {
      perQueue: [
        ['txN_xdp_xmit', 'txXdpXmit'], ['txN_xdp_mpwqe', none], ['txN_xdp_inlnw', none], ['txN_xdp_nops', none], ['txN_xdp_full', 'txXdpXmitErrors'], ['txN_xdp_err', none], ['txN_xdp_cqes', 'txXdpXmitCompletions'],
      ],
    },
  ],
};

/** mlx5e_xdp_handle: whatever goes wrong ends in the branch of XDP_DROP. */
function allDropped({ xdpDrop, xdpExceptions, xdpTxErrors, xdpRedirectErrors }: DriverCounters): number {
  return xdpDrop + xdpExceptions + xdpTxErrors + xdpRedirectErrors;
}

/** XDP_TX that failed though there was room on the ring. */
function failedOtherwise({ xdpTxErrors, xdpTxFull }: DriverCounters): number {
  return xdpTxErrors - xdpTxFull;
}
