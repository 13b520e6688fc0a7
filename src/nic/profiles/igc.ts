import { EINVAL } from '../../base/index.js';
import { igcFormat } from '../device/formats/intelAdvanced.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { timestampAndHash } from './rxHints.js';

/** Intel 2.5 gigabit: advanced descriptors, 3K buffers, headroom 256, MTU 1500 with XDP. */
export const igcProfile: NicProfile = {
  name: 'igc',
  description: 'Intel 2.5 gigabit: advanced descriptors, 3K buffers, headroom 256, MTU 1500 with XDP',
  driver: 'igc',
  bus: 'pci',
  chips: 'i225, i226',
  linkMbps: 2500,
  format: igcFormat,
  formatNote: '',
  queues: queuePairs(4, 4),
  rxRing: ring(256, 80, 4096, { multipleOf: 8, roundsUp: true }),
  txRing: ring(256, 80, 4096, { multipleOf: 8, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferBytes: 3072,
  bufferModel: 'split_page',
  poolRingSize: 1024,
  refillThreshold: 16,
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY,
    since: '5.13',
    mtuMaxLinear: 1500,
    mtuErrno: EINVAL,
    mtuReason: 'the driver refuses jumbo frames with XDP',
    hasMetadata: true,
    queueRule: '',
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'blocks', hashesUdpPorts: false, flowRules: 64 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: true, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 3, rxFrames: 0, txUsecs: 3, txFrames: 0, adaptive: 'itr' },
  quirks: {},
  notes: ['The driver has no XDP counters.'],
  readRxHints: timestampAndHash,
  statistics: [
    { name: 'rx_packets', value: ({ hw }) => hw.rxPackets },
    { name: 'tx_packets', value: ({ hw }) => hw.txPackets },
    { name: 'rx_bytes', value: ({ hw }) => hw.rxBytes },
    { name: 'tx_bytes', value: ({ hw }) => hw.txBytes },
    { name: 'multicast', value: ({ hw }) => hw.rxMulticast },
    { name: 'rx_crc_errors', value: ({ hw }) => hw.rxCrcErrors },
    { name: 'rx_missed_errors', value: ({ hw }) => hw.rxMissed },
    { perQueue: [['tx_queue_N_packets', (queue) => queue.txPackets], ['tx_queue_N_bytes', (queue) => queue.txBytes]] },
    { perQueue: [['rx_queue_N_packets', (queue) => queue.rxPackets], ['rx_queue_N_bytes', (queue) => queue.rxBytes]] },
  ],
};
