import { EINVAL } from '../../base/index.js';
import { ixgbeFormat } from '../device/formats/intelAdvanced.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';

/** Intel 10 gigabit: advanced descriptors, split pages, headroom 192. */
export const ixgbeProfile: NicProfile = {
  name: 'ixgbe',
  description: 'Intel 10 gigabit: advanced descriptors, split pages, headroom 192',
  driver: 'ixgbe',
  bus: 'pci',
  chips: '82599, X540, X550',
  linkMbps: 10000,
  format: ixgbeFormat,
  formatNote: '',
  queues: queuePairs(64, 4),
  rxRing: ring(512, 64, 4096, { multipleOf: 8, roundsUp: true }),
  txRing: ring(512, 64, 4096, { multipleOf: 8, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(192),
  frameSizeBytes: 2048,
  bufferBytes: 1536,
  bufferModel: 'split_page',
  poolRingSize: 1024,
  refillThreshold: 16,
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY,
    since: '4.12',
    mtuMaxLinear: 1510,
    mtuErrno: EINVAL,
    mtuReason: 'buffers of 1536 bytes less headers',
    hasMetadata: true,
    queueRule: 'one XDP TX ring a CPU, 64 at most; refuses SR-IOV, DCB and RSC',
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: false, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: {},
  notes: ['The driver has no XDP counters.', 'The real driver allows an MTU of 1514 with 2K buffers and 3050 with 3K; the MAC of the model counts two VLAN tags.'],
  readRxHints: noRxHints,
  statistics: [
    { name: 'rx_packets', value: ({ hw }) => hw.rxPackets },
    { name: 'tx_packets', value: ({ hw }) => hw.txPackets },
    { name: 'rx_bytes', value: ({ hw }) => hw.rxBytes },
    { name: 'tx_bytes', value: ({ hw }) => hw.txBytes },
    { name: 'rx_missed_errors', value: ({ hw }) => hw.rxMissed },
    { name: 'rx_crc_errors', value: ({ hw }) => hw.rxCrcErrors },
    { perQueue: [['tx_queue_N_packets', (queue) => queue.txPackets], ['tx_queue_N_bytes', (queue) => queue.txBytes]] },
    { perQueue: [['rx_queue_N_packets', (queue) => queue.rxPackets], ['rx_queue_N_bytes', (queue) => queue.rxBytes]] },
  ],
};
