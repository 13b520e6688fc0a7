import { EINVAL } from '../../base/index.js';
import { i40eFormat } from '../device/formats/i40e.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { ofDevice, ofDriver } from './statistics.js';
import { zeroCopy } from './zeroCopy.js';

/** Intel 40 gigabit: headroom 192, multi-buffer. */
export const i40eProfile: NicProfile = {
  name: 'i40e',
  description: 'Intel 40 gigabit: headroom 192, multi-buffer',
  driver: 'i40e',
  bus: 'pci',
  chips: 'X710, XL710',
  linkMbps: 40000,
  format: i40eFormat,
  formatNote: '',
  queues: queuePairs(64, 4),
  rxRing: ring(512, 64, 4096, { multipleOf: 32, roundsUp: true }),
  txRing: ring(512, 64, 4096, { multipleOf: 32, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(192),
  frameSizeBytes: 4096,
  bufferBytes: 3072,
  bufferModel: 'split_page',
  poolRingSize: 1024,
  refillThreshold: 16,
  skb: buildsSkb(192),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY | NETDEV_XDP_ACT_RX_SG,
    since: '4.13',
    mtuMaxLinear: 3046,
    mtuErrno: EINVAL,
    mtuReason: 'buffers of 3072 bytes less 26 (Ethernet header, two VLAN tags, FCS)',
    hasMetadata: true,
    queueRule: 'one XDP TX ring an RX queue',
    zeroCopy: zeroCopy({ maxSegments: 8, refillThreshold: 32, takesBatches: true, stopsAtFullRxRing: true }),
  },
  rss: { indirectionSize: 512, keyBytes: 52, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: false, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 50, rxFrames: 0, txUsecs: 50, txFrames: 0, adaptive: 'none' },
  quirks: {},
  notes: ['The driver has no XDP counters.'],
  readRxHints: noRxHints,
  statistics: [
    ...ofDevice({
      rx_packets: 'rxPackets', tx_packets: 'txPackets', rx_bytes: 'rxBytes', tx_bytes: 'txBytes', rx_errors: 'rxCrcErrors', rx_dropped: 'rxMissed', rx_length_errors: 'rxOverLength', rx_crc_errors: 'rxCrcErrors',
      rx_multicast: 'rxMulticast', rx_broadcast: 'rxBroadcast',
    }),
    ...ofDriver({ rx_pg_alloc_fail: 'rxAllocFailed' }),
    { perQueue: [['tx-N.packets', 'txPackets'], ['tx-N.bytes', 'txBytes'], ['rx-N.packets', 'rxPackets'], ['rx-N.bytes', 'rxBytes']] },
    ...ofDevice({
      'port.rx_bytes': 'rxBytes', 'port.tx_bytes': 'txBytes', 'port.rx_multicast': 'rxMulticast', 'port.rx_broadcast': 'rxBroadcast', 'port.rx_dropped': 'rxMissed', 'port.rx_crc_errors': 'rxCrcErrors',
      'port.rx_undersize': 'rxRunts', 'port.rx_oversize': 'rxOverLength',
    }),
  ],
};
