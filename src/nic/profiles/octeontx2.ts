import { EOPNOTSUPP } from '../../base/index.js';
import { plainFormat } from '../device/formats/plain.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { addsFragments } from './skbShape.js';
import { ofDevice } from './statistics.js';
import { zeroCopy } from './zeroCopy.js';

/** Marvell OcteonTX2: headroom 128, no metadata. */
export const octeontx2Profile: NicProfile = {
  name: 'octeontx2',
  description: 'Marvell OcteonTX2: headroom 128, no metadata',
  driver: 'octeontx2',
  bus: 'pci',
  chips: 'CN9xxx, CN10xxx',
  linkMbps: 50000,
  format: plainFormat,
  formatNote: 'the plain descriptors stand in for the CQEs and SQEs of the device, which are not modelled',
  queues: queuePairs(64, 4),
  rxRing: ring(1024, 64, 8192, { isPowerOfTwo: true, roundsUp: true }),
  txRing: ring(4096, 64, 8192, { isPowerOfTwo: true, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(128),
  frameSizeBytes: 2048,
  bufferBytes: 1536,
  bufferModel: 'page_pool_frag',
  poolRingSize: 1024,
  refillThreshold: 16,
  skb: addsFragments(),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY,
    since: '5.16',
    mtuMaxLinear: 1508,
    mtuErrno: EOPNOTSUPP,
    mtuReason: 'buffers of 1530 bytes less 22 (Ethernet header and two VLAN tags)',
    hasMetadata: false,
    untraced: ['invalidVerdict', 'txConversion', 'txSend', 'redirect'],
    queueRule: 'a TX queue an RX queue',
    zeroCopy: zeroCopy({ txBudget: 64, takesBatches: true, wakeupErrno: 0 }),
  },
  rss: { indirectionSize: 256, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: { failedVerdictsPass: true },
  notes: ['The driver has no XDP counters.', 'Real rings have a power of four (16 to 1M descriptors).', 'XDP_ABORTED, unknown verdicts, failed XDP_TX and failed redirects pass.'],
  readRxHints: noRxHints,
  statistics: [
    ...ofDevice({ rx_bytes: 'rxBytes', rx_frames: 'rxPackets', rx_bcast_frames: 'rxBroadcast', rx_mcast_frames: 'rxMulticast', rx_drops: 'rxMissed', tx_bytes: 'txBytes', tx_frames: 'txPackets' }),
    { perQueue: [['rxqN: bytes', 'rxBytes'], ['rxqN: frames', 'rxPackets']] },
    { perQueue: [['txqN: bytes', 'txBytes'], ['txqN: frames', 'txPackets']] },
  ],
};
