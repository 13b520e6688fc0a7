import { EOPNOTSUPP } from '../../base/index.js';
import { MVNETA_RULES } from '../attach/driverRules.js';
import { plainFormat } from '../device/formats/plain.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { POOL_STATISTICS, droppedByVerdict, marvellXdp, ofDevice, ofDriver } from './statistics.js';

/** Marvell Armada: page_pool, headroom 256, multi-buffer. */
export const mvnetaProfile: NicProfile = {
  name: 'mvneta',
  description: 'Marvell Armada: page_pool, headroom 256, multi-buffer',
  driver: 'mvneta',
  bus: 'platform',
  chips: 'Armada 370, XP, 38x, 3700',
  linkMbps: 2500,
  format: plainFormat,
  formatNote: 'the plain descriptors stand in for the descriptors of the device, which are not modelled',
  queues: queuePairs(8, 8),
  rxRing: ring(512, 2, 512),
  txRing: ring(1024, 192, 1024),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 16,
  skb: buildsSkb(256, { recordsRxQueue: false }),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_RX_SG | NETDEV_XDP_ACT_NDO_XMIT_SG,
    alwaysTransmits: true,
    since: '5.5',
    mtuMaxLinear: 3520,
    mtuErrno: EOPNOTSUPP,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info)',
    hasMetadata: true,
    untraced: ['txConversion', 'txSend', 'redirect'],
    queueRule: 'refuses hardware buffer management',
    attachRules: MVNETA_RULES,
  },
  rss: { indirectionSize: 1, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: {},
  notes: ['The real driver takes an RX ring of a single descriptor; the stand-in format keeps one slot free, so that 2 are needed.'],
  readRxHints: noRxHints,
  statistics: [
    ...ofDevice({
      good_octets_received: 'rxBytes', good_frames_received: 'rxPackets', broadcast_frames_received: 'rxBroadcast', multicast_frames_received: 'rxMulticast', undersize_received: 'rxRunts', oversize_received: 'rxOverLength',
      bad_crc_event: 'rxCrcErrors', rx_discard: 'rxMissed', good_octets_sent: 'txBytes', good_frames_sent: 'txPackets',
    }),
    ...ofDriver({ refill_errors: 'rxAllocFailed' }),
    ...marvellXdp(droppedByVerdict),
    ...POOL_STATISTICS,
  ],
};
