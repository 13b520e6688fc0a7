import { EINVAL } from '../../base/index.js';
import { ENA_RULES } from '../attach/driverRules.js';
import { plainFormat } from '../device/formats/plain.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { ofDriver } from './statistics.js';

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
  skb: buildsSkb(64, { copyBytes: 256, headBytes: 256 }),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT,
    since: '5.6',
    mtuMaxLinear: 3498,
    // ena_xdp_set: the check was read, its errno was not.
    mtuErrno: EINVAL,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 22 (Ethernet header and two VLAN tags)',
    hasMetadata: true,
    untraced: ['invalidVerdict', 'txSend'],
    queueRule: 'as many spare queues as RX queues',
    attachRules: ENA_RULES,
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 16, rxFrames: 32, txUsecs: 16, txFrames: 32, adaptive: 'dim' },
  quirks: { countsFailedTxAsSent: true },
  notes: ['XDP_TX is counted as sent also when the ring was full.', 'Frames of programs are counted with the queue, where the real driver has queues of their own (queue_N_xdp_tx_cnt).', 'The real driver rounds ring sizes down to a power of two; the model refuses others.', 'The real driver has pages of its own; a page_pool stands in for them.'],
  readRxHints: noRxHints,
  statistics: [
    ...ofDriver({ tx_timeout: 'txTimeouts' }),
    { perQueue: [['queue_N_tx_cnt', 'txPackets'], ['queue_N_tx_bytes', 'txBytes'], ['queue_N_tx_tx_poll', 'polls'], ['queue_N_tx_doorbells', 'txKicks']] },
    {
      perQueue: [
        ['queue_N_rx_cnt', 'rxPackets'], ['queue_N_rx_bytes', 'rxBytes'], ['queue_N_rx_csum_good', 'rxCsumGood'], ['queue_N_rx_csum_bad', 'rxCsumErrors'], ['queue_N_rx_page_alloc_fail', 'rxAllocFailed'],
        // ena_xdp_execute: a redirect that failed and a packet without room for struct xdp_frame count as aborted.
        ['queue_N_rx_xdp_aborted', ({ xdpAborted, xdpRedirectErrors, xdpTxErrors }) => xdpAborted + xdpRedirectErrors + xdpTxErrors], ['queue_N_rx_xdp_drop', 'xdpDrop'], ['queue_N_rx_xdp_pass', 'xdpPass'],
        ['queue_N_rx_xdp_tx', 'xdpTx'], ['queue_N_rx_xdp_invalid', 'xdpInvalid'], ['queue_N_rx_xdp_redirect', 'xdpRedirect'],
      ],
    },
  ],
};
