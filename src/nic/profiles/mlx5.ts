import { EINVAL } from '../../base/index.js';
import { mlx5Format } from '../device/formats/mlx5.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { timestampHashAndVlan } from './rxHints.js';

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
  txRing: ring(1024, 2, 8192, { isPowerOfTwo: true, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 16,
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY | NETDEV_XDP_ACT_RX_SG | NETDEV_XDP_ACT_NDO_XMIT_SG,
    since: '4.9',
    mtuMaxLinear: 3498,
    mtuErrno: EINVAL,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 22 (Ethernet header and two VLAN tags)',
    hasMetadata: true,
    queueRule: '',
  },
  rss: { indirectionSize: 256, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: true, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 16, rxFrames: 32, txUsecs: 16, txFrames: 32, adaptive: 'dim' },
  quirks: {},
  notes: ['Aborted packets and failed XDP_TX are counted as drops; packets that pass are not counted.'],
  readRxHints: timestampHashAndVlan,
  statistics: [
    { name: 'rx_packets', value: ({ hw }) => hw.rxPackets },
    { name: 'tx_packets', value: ({ hw }) => hw.txPackets },
    { name: 'rx_bytes', value: ({ hw }) => hw.rxBytes },
    { name: 'tx_bytes', value: ({ hw }) => hw.txBytes },
    { name: 'rx_xdp_drop', value: ({ total }) => total.xdpDrop + total.xdpExceptions + total.xdpTxErrors },
    { name: 'rx_xdp_redirect', value: ({ total }) => total.xdpRedirect },
    { name: 'rx_xdp_tx_xmit', value: ({ total }) => total.xdpTx },
    { name: 'rx_xdp_tx_full', value: ({ total }) => total.xdpTxFull },
    { name: 'tx_xdp_xmit', value: ({ total }) => total.txXdpXmit },
    { name: 'rx_out_of_buffer', value: ({ hw }) => hw.rxMissed },
  ],
};
