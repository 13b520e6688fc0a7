import { EOPNOTSUPP } from '../../base/index.js';
import { BNXT_RULES } from '../attach/driverRules.js';
import { plainFormat } from '../device/formats/plain.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { missedOfQueue, ofDevice, ofDriver } from './statistics.js';

/** Broadcom NetXtreme-C/E: page_pool, headroom 256, multi-buffer. */
export const bnxtProfile: NicProfile = {
  name: 'bnxt',
  description: 'Broadcom NetXtreme-C/E: page_pool, headroom 256, multi-buffer',
  driver: 'bnxt',
  bus: 'pci',
  chips: 'BCM574xx, BCM575xx',
  linkMbps: 25000,
  format: plainFormat,
  formatNote: 'the plain descriptors stand in for the BDs and completion records of the device, which are not modelled',
  queues: queuePairs(64, 4),
  rxRing: ring(511, 64, 8191),
  txRing: ring(511, 19, 2047),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 16,
  skb: buildsSkb(64, { copyBytes: 256 }),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_RX_SG,
    since: '4.11',
    mtuMaxLinear: 3502,
    mtuErrno: EOPNOTSUPP,
    mtuReason: 'one page holds 4096 - 18 (Ethernet header and one VLAN tag) - 256 (headroom) - 320 (skb_shared_info)',
    hasMetadata: true,
    growsFragments: false,
    queueRule: 'combined channels, and one more TX ring an RX ring',
    attachRules: BNXT_RULES,
    coreFeatures: ['tcp-data-split', 'memory-provider'],
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 16, rxFrames: 32, txUsecs: 16, txFrames: 32, adaptive: 'dim' },
  quirks: {},
  notes: ['The driver has no XDP counters.', 'The device takes VLAN tags out of frames and puts them in; the plain descriptors have no room for a tag, so here it stays in the frame.'],
  readRxHints: noRxHints,
  statistics: [
    { perQueue: [['[N]: rx_discards', missedOfQueue], ['[N]: rx_errors', 'rxErrors'], ['[N]: rx_l4_csum_errors', 'rxCsumErrors'], ['[N]: rx_buf_errors', 'rxLengthErrors']] },
    ...ofDriver({ rx_total_l4_csum_errors: 'rxCsumErrors', rx_total_buf_errors: 'rxLengthErrors', rx_total_oom_discards: 'rxAllocFailed' }),
    ...ofDevice({ rx_total_ring_discards: 'rxMissed' }),
    ...ofDriver({ tx_total_resets: 'txTimeouts' }),
    ...ofDevice({
      rx_good_frames: 'rxPackets', rx_mcast_frames: 'rxMulticast', rx_bcast_frames: 'rxBroadcast', rx_fcs_err_frames: 'rxCrcErrors', rx_oversz_frames: 'rxOverLength', rx_undrsz_frames: 'rxRunts', rx_bytes: 'rxBytes',
      tx_good_frames: 'txPackets', tx_bytes: 'txBytes',
    }),
  ],
};
