import { EINVAL } from '../../base/index.js';
import { plainFormat } from '../device/formats/plain.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_REDIRECT,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { timestampAndHash } from './rxHints.js';

/** Mellanox ConnectX-3: a page a packet, headroom 256. */
export const mlx4Profile: NicProfile = {
  name: 'mlx4',
  description: 'Mellanox ConnectX-3: a page a packet, headroom 256',
  driver: 'mlx4',
  bus: 'pci',
  chips: 'ConnectX-3',
  linkMbps: 40000,
  format: plainFormat,
  formatNote: 'the plain descriptors stand in for the work queue entries and CQEs of the device, which are not modelled',
  queues: queuePairs(64, 4),
  rxRing: ring(1024, 64, 8192, { isPowerOfTwo: true, roundsUp: true }),
  txRing: ring(1024, 64, 8192, { isPowerOfTwo: true, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 16,
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT,
    since: '4.8',
    mtuMaxLinear: 3498,
    mtuErrno: EINVAL,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 22 (Ethernet header and two VLAN tags)',
    hasMetadata: true,
    queueRule: '',
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: true, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 16, rxFrames: 32, txUsecs: 16, txFrames: 32, adaptive: 'dim' },
  quirks: {},
  notes: [],
  readRxHints: timestampAndHash,
  statistics: [
    { name: 'rx_packets', value: ({ hw }) => hw.rxPackets },
    { name: 'tx_packets', value: ({ hw }) => hw.txPackets },
    { name: 'rx_bytes', value: ({ hw }) => hw.rxBytes },
    { name: 'tx_bytes', value: ({ hw }) => hw.txBytes },
    { name: 'rx_xdp_drop', value: ({ total }) => total.xdpDrop },
    { name: 'rx_xdp_redirect', value: ({ total }) => total.xdpRedirect },
    { name: 'rx_xdp_redirect_fail', value: ({ total }) => total.xdpRedirectErrors },
    { name: 'rx_xdp_tx', value: ({ total }) => total.xdpTx },
    { name: 'rx_xdp_tx_full', value: ({ total }) => total.xdpTxFull },
  ],
};
