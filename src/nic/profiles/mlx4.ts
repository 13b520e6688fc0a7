import { EOPNOTSUPP } from '../../base/index.js';
import { plainFormat } from '../device/formats/plain.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_REDIRECT,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { mlx4RxHints } from './rxHints.js';
import { addsFragments } from './skbShape.js';
import { droppedByVerdict, missedOfQueue, ofDevice, ofDriver } from './statistics.js';

/** Mellanox ConnectX-3: a page a packet, headroom 256. */
export const mlx4Profile: NicProfile = {
  name: 'mlx4',
  description: 'Mellanox ConnectX-3: a page a packet, headroom 256',
  driver: 'mlx4',
  bus: 'pci',
  chips: 'ConnectX-3',
  linkMbps: 40000,
  format: plainFormat,
  formatNote: 'the plain descriptors stand in for the work queue entries and CQEs of the device, which are not modelled',
  queues: queuePairs(64, 4),
  rxRing: ring(1024, 64, 8192, { isPowerOfTwo: true, roundsUp: true }),
  txRing: ring(1024, 64, 8192, { isPowerOfTwo: true, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 16,
  skb: addsFragments(),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT,
    since: '4.8',
    mtuMaxLinear: 3498,
    mtuErrno: EOPNOTSUPP,
    mtuReason: 'one page holds 4096 - 14 (Ethernet header) - 8 (two VLAN tags) - 256 (headroom) - 320 (skb_shared_info)',
    hasMetadata: true,
    queueRule: 'a TX ring an RX ring',
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: true, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 16, rxFrames: 32, txUsecs: 16, txFrames: 32, adaptive: 'dim' },
  quirks: {},
  notes: ['The real driver has pages of its own; a page_pool stands in for them.'],
  readRxHints: mlx4RxHints,
  statistics: [
    ...ofDriver({ rx_packets: 'stackPackets', tx_packets: 'txPackets', rx_bytes: 'stackBytes', tx_bytes: 'txBytes', rx_errors: ({ rxErrors, rxLengthErrors }) => rxErrors + rxLengthErrors }),
    ...ofDevice({ rx_dropped: 'rxMissed', multicast: 'rxMulticast', rx_length_errors: 'rxOverLength', rx_over_errors: 'rxMissed', rx_crc_errors: 'rxCrcErrors' }),
    ...ofDriver({
      tx_timeout: 'txTimeouts', rx_csum_good: 'rxCsumGood', rx_xdp_drop: droppedByVerdict, rx_xdp_redirect: 'xdpRedirect', rx_xdp_redirect_fail: 'xdpRedirectErrors', rx_xdp_tx: 'xdpTx', rx_xdp_tx_full: 'xdpTxFull',
    }),
    { perQueue: [['txN_packets', 'txPackets'], ['txN_bytes', 'txBytes']] },
    {
      perQueue: [
        ['rxN_packets', 'stackPackets'], ['rxN_bytes', 'stackBytes'], ['rxN_dropped', missedOfQueue], ['rxN_xdp_drop', droppedByVerdict], ['rxN_xdp_redirect', 'xdpRedirect'], ['rxN_xdp_redirect_fail', 'xdpRedirectErrors'], ['rxN_xdp_tx', 'xdpTx'],
        ['rxN_xdp_tx_full', 'xdpTxFull'],
      ],
    },
  ],
};
