import { ENXIO, EOPNOTSUPP } from '../../base/index.js';
import { igcFormat } from '../device/formats/intelAdvanced.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { igcRxHints } from './rxHints.js';
import { copiesPackets } from './skbShape.js';
import { missedOfQueue, ofDevice, ofDriver } from './statistics.js';
import { zeroCopy } from './zeroCopy.js';

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
  rxRing: ring(256, 64, 4096, { multipleOf: 8, roundsUp: true }),
  txRing: ring(256, 64, 4096, { multipleOf: 8, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferBytes: 3072,
  bufferModel: 'split_page',
  poolRingSize: 1024,
  refillThreshold: 16,
  skb: copiesPackets({ copyBytes: 256, headBytes: 256 }),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY,
    since: '5.13',
    mtuMaxLinear: 1500,
    mtuErrno: EOPNOTSUPP,
    mtuReason: 'the driver has no XDP with jumbo frames',
    hasMetadata: true,
    queueRule: '',
    zeroCopy: zeroCopy({ wakeupErrno: ENXIO, txMetadata: { timestamp: true, launchTime: true } }),
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'blocks', hashesUdpPorts: false, flowRules: 64 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: true, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 3, rxFrames: 0, txUsecs: 3, txFrames: 0, adaptive: 'itr' },
  quirks: {},
  notes: ['The driver has no XDP counters.'],
  readRxHints: igcRxHints,
  statistics: [
    ...ofDevice({
      rx_packets: 'rxPackets', tx_packets: 'txPackets', rx_bytes: 'rxBytes', tx_bytes: 'txBytes', rx_broadcast: 'rxBroadcast', rx_multicast: 'rxMulticast', multicast: 'rxMulticast', rx_crc_errors: 'rxCrcErrors',
      // RNBC counts frames that found no descriptor, MPC those of them that were lost: all, as there is no FIFO to wait in.
      rx_no_buffer_count: 'rxMissed', rx_missed_errors: 'rxMissed',
    }),
    ...ofDriver({ tx_timeout_count: 'txTimeouts' }),
    ...ofDevice({ rx_long_length_errors: 'rxOverLength', rx_short_length_errors: 'rxRunts', rx_long_byte_count: 'rxBytes' }),
    { perQueue: [['tx_queue_N_packets', 'txPackets'], ['tx_queue_N_bytes', 'txBytes']] },
    // drops is the register RQDPC.
    { perQueue: [['rx_queue_N_packets', 'rxPackets'], ['rx_queue_N_bytes', 'rxBytes'], ['rx_queue_N_drops', missedOfQueue], ['rx_queue_N_csum_err', 'rxCsumErrors'], ['rx_queue_N_alloc_failed', 'rxAllocFailed']] },
  ],
};
