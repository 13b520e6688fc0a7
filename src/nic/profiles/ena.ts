import { EINVAL } from '../../base/index.js';
import { plainFormat } from '../device/formats/plain.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';

/** Amazon Elastic Network Adapter: headroom 256, half of the queues for XDP. */
export const enaProfile: NicProfile = {
  name: 'ena',
  description: 'Amazon Elastic Network Adapter: headroom 256, half of the queues for XDP',
  driver: 'ena',
  bus: 'pci',
  chips: 'ENA',
  linkMbps: 25000,
  format: plainFormat,
  formatNote: 'the plain descriptors stand in for the submission and completion queues of the device, which are not modelled',
  queues: queuePairs(64, 4),
  rxRing: ring(1024, 256, 8192, { isPowerOfTwo: true }),
  txRing: ring(1024, 256, 1024, { isPowerOfTwo: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 16,
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT,
    since: '5.6',
    mtuMaxLinear: 3498,
    mtuErrno: EINVAL,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 22 (Ethernet header and two VLAN tags)',
    hasMetadata: true,
    queueRule: 'as many spare queues as RX queues',
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 16, rxFrames: 32, txUsecs: 16, txFrames: 32, adaptive: 'dim' },
  quirks: { countsFailedTxAsSent: true },
  notes: [],
  readRxHints: noRxHints,
  statistics: [
    { perQueue: [['queue_N_rx_cnt', (queue) => queue.rxPackets], ['queue_N_rx_bytes', (queue) => queue.rxBytes], ['queue_N_rx_xdp_aborted', (queue) => queue.xdpAborted], ['queue_N_rx_xdp_drop', (queue) => queue.xdpDrop], ['queue_N_rx_xdp_pass', (queue) => queue.xdpPass], ['queue_N_rx_xdp_tx', (queue) => queue.xdpTx], ['queue_N_rx_xdp_invalid', (queue) => queue.xdpInvalid], ['queue_N_rx_xdp_redirect', (queue) => queue.xdpRedirect]] },
  ],
};
