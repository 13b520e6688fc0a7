import { EINVAL } from '../../base/index.js';
import { VIRTIO_NET_RULES } from '../attach/driverRules.js';
import { virtioSplitFormat } from '../device/formats/virtioSplit.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { DriverCounters } from '../driver/queuePair.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { zeroCopy } from './zeroCopy.js';

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
  skb: buildsSkb(12, { copyBytes: 128, headBytes: 128 }),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY | NETDEV_XDP_ACT_RX_SG,
    since: '4.10',
    mtuMaxLinear: 3506,
    mtuErrno: EINVAL,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 14 (Ethernet header)',
    hasMetadata: true,
    growsFragments: false,
    untraced: ['txConversion', 'txSend', 'redirect'],
    queueRule: 'a TX queue a CPU, or shared ones under a lock; refuses GRO_HW and CSUM of the host that cannot be switched off',
    attachRules: VIRTIO_NET_RULES,
    zeroCopy: zeroCopy({ txBudget: 64, takesBatches: true, wakeupErrno: 0 }),
  },
  rss: undefined,
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: {},
  notes: ['From 6.10 on the names of the counters begin with rxN_ and txN_.', 'A program without multi-buffer support: up to 6.1 an MTU of 4064.', 'The real driver has fragments of pages; a page_pool stands in for them.'],
  readRxHints: noRxHints,
  statistics: [
    {
      perQueue: [
        ['rx_queue_N_packets', 'rxPackets'], ['rx_queue_N_bytes', 'rxBytes'], ['rx_queue_N_drops', (queue) => queue.rxErrors + queue.rxLengthErrors + dropped(queue)], ['rx_queue_N_xdp_packets', 'rxPackets'],
        // Counted before anything can fail (virtnet_xdp_handler).
        ['rx_queue_N_xdp_tx', ({ xdpTx, xdpTxErrors }) => xdpTx + xdpTxErrors], ['rx_queue_N_xdp_redirects', ({ xdpRedirect, xdpRedirectErrors }) => xdpRedirect + xdpRedirectErrors], ['rx_queue_N_xdp_drops', dropped],
        ['rx_queue_N_kicks', 'rxKicks'],
      ],
    },
    {
      perQueue: [
        ['tx_queue_N_packets', 'txPackets'], ['tx_queue_N_bytes', 'txBytes'],
        // virtnet_xdp_xmit sends frames of XDP_TX and redirected ones.
        ['tx_queue_N_xdp_tx', ({ xdpTx, xdpTxFull, txXdpXmit, txXdpXmitErrors }) => xdpTx + xdpTxFull + txXdpXmit + txXdpXmitErrors], ['tx_queue_N_xdp_tx_drops', ({ xdpTxFull, txXdpXmitErrors }) => xdpTxFull + txXdpXmitErrors],
        ['tx_queue_N_kicks', 'txKicks'],
      ],
    },
  ],
};

/** What ends at `err_xdp`: everything that is neither passed nor taken over by another queue. */
function dropped({ xdpDrop, xdpExceptions, xdpTxErrors, xdpRedirectErrors }: DriverCounters): number {
  return xdpDrop + xdpExceptions + xdpTxErrors + xdpRedirectErrors;
}
