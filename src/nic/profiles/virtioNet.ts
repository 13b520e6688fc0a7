import { EINVAL } from '../../base/index.js';
import { virtioSplitFormat } from '../device/formats/virtioSplit.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';

/** virtio NIC of virtual machines: split virtqueues, headroom 256. */
export const virtioNetProfile: NicProfile = {
  name: 'virtio_net',
  description: 'virtio NIC of virtual machines: split virtqueues, headroom 256',
  driver: 'virtio_net',
  bus: 'virtio',
  chips: 'virtio 1.x',
  linkMbps: 10000,
  format: virtioSplitFormat,
  formatNote: '',
  queues: queuePairs(64, 1),
  rxRing: ring(256, 2, 256, { isPowerOfTwo: true }),
  txRing: ring(256, 2, 256, { isPowerOfTwo: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  prefixInHeadroom: true,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 16,
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_RX_SG,
    since: '4.10',
    mtuMaxLinear: 3498,
    mtuErrno: EINVAL,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 22 (Ethernet header and two VLAN tags); the real driver allows about 3506; the MAC of the model counts two VLAN tags',
    hasMetadata: true,
    queueRule: 'a TX queue a CPU, or shared ones under a lock',
  },
  rss: undefined,
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: {},
  notes: [],
  readRxHints: noRxHints,
  statistics: [
    { perQueue: [['rx_queue_N_packets', (queue) => queue.rxPackets], ['rx_queue_N_bytes', (queue) => queue.rxBytes], ['rx_queue_N_xdp_packets', (queue) => queue.rxPackets], ['rx_queue_N_xdp_tx', (queue) => queue.xdpTx], ['rx_queue_N_xdp_redirects', (queue) => queue.xdpRedirect], ['rx_queue_N_xdp_drops', (queue) => queue.xdpDrop]] },
    { perQueue: [['tx_queue_N_packets', (queue) => queue.txPackets], ['tx_queue_N_bytes', (queue) => queue.txBytes], ['tx_queue_N_xdp_tx', (queue) => queue.txXdpXmit], ['tx_queue_N_xdp_tx_drops', (queue) => queue.txXdpXmitErrors]] },
  ],
};
