import { EINVAL } from '../../base/index.js';
import { igbFormat } from '../device/formats/intelAdvanced.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { missedOfQueue, ofDevice, ofDriver } from './statistics.js';
import { zeroCopy } from './zeroCopy.js';

/** Intel gigabit: advanced descriptors, split pages, headroom 192. */
export const igbProfile: NicProfile = {
  name: 'igb',
  description: 'Intel gigabit: advanced descriptors, split pages, headroom 192',
  driver: 'igb',
  bus: 'pci',
  chips: '82575 to i210, i350',
  linkMbps: 1000,
  format: igbFormat,
  formatNote: '',
  queues: queuePairs(8, 4),
  rxRing: ring(256, 64, 4096, { multipleOf: 8, roundsUp: true }),
  txRing: ring(256, 64, 4096, { multipleOf: 8, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(192),
  frameSizeBytes: 2048,
  bufferBytes: 1536,
  bufferModel: 'split_page',
  poolRingSize: 1024,
  refillThreshold: 16,
  skb: buildsSkb(192),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY,
    since: '5.10',
    mtuMaxLinear: 1510,
    mtuErrno: EINVAL,
    mtuReason: 'buffers of 1536 bytes less 26 (Ethernet header, two VLAN tags, FCS)',
    hasMetadata: true,
    queueRule: '',
    zeroCopy: zeroCopy({ takesBatches: true, stopsAtFullRxRing: true }),
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'blocks', hashesUdpPorts: false, flowRules: 16 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: false, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 3, rxFrames: 0, txUsecs: 3, txFrames: 0, adaptive: 'itr' },
  quirks: {},
  notes: ['The driver has no XDP counters.'],
  readRxHints: noRxHints,
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
