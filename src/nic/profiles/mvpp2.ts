import { EINVAL, EOPNOTSUPP } from '../../base/index.js';
import { MVPP2_RULES } from '../attach/driverRules.js';
import { plainFormat } from '../device/formats/plain.js';
import { headroomOfDriver, queuePairs, ring } from './limits.js';
import { NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT } from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { droppedByVerdict, marvellXdp, ofDevice } from './statistics.js';

/** Marvell Armada 7K and 8K: page_pool, headroom 224. */
export const mvpp2Profile: NicProfile = {
  name: 'mvpp2',
  description: 'Marvell Armada 7K and 8K: page_pool, headroom 224',
  driver: 'mvpp2',
  bus: 'platform',
  chips: 'PPv2.2 and 2.3: Armada 7K, 8K, CN913x',
  linkMbps: 10000,
  format: plainFormat,
  formatNote: 'the plain descriptors stand in for the descriptors of the device and for its buffer manager, which are not modelled',
  queues: queuePairs(8, 4),
  rxRing: ring(1024, 16, 2048, { multipleOf: 16, roundsUp: true }),
  txRing: ring(2048, 640, 2048, { multipleOf: 32, roundsUp: true }),
  mtu: { min: 68, max: 3530, default: 1500, errno: EINVAL, reason: 'a page holds no more behind 224 bytes of headroom, with two VLAN tags; the pool of jumbo buffers is not modelled' },
  headroom: headroomOfDriver(224),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 2048,
  refillThreshold: 1,
  skb: buildsSkb(224, { recordsRxQueue: false }),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT,
    alwaysTransmits: true,
    since: '5.9',
    mtuMaxLinear: 3552,
    mtuErrno: EOPNOTSUPP,
    mtuReason: 'MVPP2_MAX_RX_BUF_SIZE: one page less 224 (headroom) and 320 (skb_shared_info)',
    hasMetadata: true,
    untraced: ['txConversion', 'txSend', 'redirect'],
    queueRule: 'a buffer pool and two TX queues a CPU',
    attachRules: MVPP2_RULES,
  },
  rss: { indirectionSize: 32, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: true, flowRules: 4 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 64, rxFrames: 32, txUsecs: 1000, txFrames: 64, adaptive: 'none' },
  quirks: {},
  notes: ['The real driver makes 640 of a smaller TX ring; here it is refused.'],
  readRxHints: noRxHints,
  statistics: [
    ...ofDevice({
      good_octets_received: 'rxBytes', broadcast_frames_received: 'rxBroadcast', multicast_frames_received: 'rxMulticast', good_octets_sent: 'txBytes',
      undersize_received: 'rxRunts', oversize_received: 'rxOverLength', bad_crc_event: 'rxCrcErrors',
    }),
    ...marvellXdp(droppedByVerdict),
  ],
};
