import { EOPNOTSUPP } from '../../base/index.js';
import { iceFormat } from '../device/formats/ice.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { iceRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { ofDevice, ofDriver } from './statistics.js';
import { zeroCopy } from './zeroCopy.js';

/** Intel 100 gigabit: headroom 192, multi-buffer. */
export const iceProfile: NicProfile = {
  name: 'ice',
  description: 'Intel 100 gigabit: headroom 192, multi-buffer',
  driver: 'ice',
  bus: 'pci',
  chips: 'E810',
  linkMbps: 100000,
  format: iceFormat,
  formatNote: '',
  queues: queuePairs(64, 4),
  rxRing: ring(2048, 64, 8160, { multipleOf: 32, roundsUp: true }),
  txRing: ring(256, 64, 8160, { multipleOf: 32, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(192),
  frameSizeBytes: 4096,
  bufferBytes: 3072,
  bufferModel: 'split_page',
  poolRingSize: 1024,
  refillThreshold: 16,
  skb: buildsSkb(192),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY | NETDEV_XDP_ACT_RX_SG | NETDEV_XDP_ACT_NDO_XMIT_SG,
    since: '5.5',
    mtuMaxLinear: 3046,
    mtuErrno: EOPNOTSUPP,
    mtuReason: 'buffers of 3072 bytes less 26 (Ethernet header, two VLAN tags, FCS)',
    hasMetadata: true,
    queueRule: 'one XDP TX ring a CPU, shared under a lock when there are fewer',
    zeroCopy: zeroCopy({ maxSegments: 8, refillThreshold: Infinity, txBudget: 'quarter', takesBatches: true, stopsAtFullRxRing: true, sendsChunks: true }),
  },
  rss: { indirectionSize: 512, keyBytes: 52, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: true, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 50, rxFrames: 0, txUsecs: 50, txFrames: 0, adaptive: 'none' },
  quirks: {},
  notes: ['The driver has no XDP counters.'],
  readRxHints: iceRxHints,
  statistics: [
    ...ofDevice({ rx_multicast: 'rxMulticast', rx_broadcast: 'rxBroadcast', rx_bytes: 'rxBytes', tx_bytes: 'txBytes', rx_dropped: 'rxMissed' }),
    ...ofDriver({ rx_pg_alloc_fail: 'rxAllocFailed' }),
    { perQueue: [['tx_queue_N_packets', 'txPackets'], ['tx_queue_N_bytes', 'txBytes']] },
    { perQueue: [['rx_queue_N_packets', 'rxPackets'], ['rx_queue_N_bytes', 'rxBytes']] },
    ...ofDevice({ 'rx_bytes.nic': 'rxBytes', 'tx_bytes.nic': 'txBytes', 'rx_multicast.nic': 'rxMulticast', 'rx_broadcast.nic': 'rxBroadcast' }),
    ...ofDriver({ 'tx_timeout.nic': 'txTimeouts' }),
    ...ofDevice({ 'rx_undersize.nic': 'rxRunts', 'rx_oversize.nic': 'rxOverLength', 'rx_csum_bad.nic': 'rxChecksumErrors', 'rx_dropped.nic': 'rxMissed', 'rx_crc_errors.nic': 'rxCrcErrors' }),
  ],
};
