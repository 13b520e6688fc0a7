import { EINVAL } from '../../base/index.js';
import { IXGBE_RULES } from '../attach/driverRules.js';
import { ixgbeFormat } from '../device/formats/intelAdvanced.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { ofDevice, ofDriver } from './statistics.js';
import { zeroCopy } from './zeroCopy.js';

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
  skb: buildsSkb(192),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_XSK_ZEROCOPY,
    since: '4.12',
    mtuMaxLinear: 1514,
    mtuErrno: EINVAL,
    mtuReason: 'buffers of 1536 bytes less 22 (Ethernet header, one VLAN tag, FCS)',
    hasMetadata: true,
    queueRule: 'one XDP TX ring a CPU, 64 at most; refuses SR-IOV, DCB and RSC',
    attachRules: IXGBE_RULES,
    zeroCopy: zeroCopy({ txBudget: 256, stopsAtFullRxRing: true }),
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: false, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: {},
  notes: ['The driver has no XDP counters.', 'With a larger MTU before it is loaded the real driver takes buffers of 3K, and programs up to an MTU of 3050.'],
  readRxHints: noRxHints,
  statistics: [
    ...ofDriver({ rx_packets: 'rxPackets', tx_packets: 'txPackets', rx_bytes: 'rxBytes', tx_bytes: 'txBytes' }),
    ...ofDevice({
      rx_pkts_nic: 'rxPackets', tx_pkts_nic: 'txPackets', rx_bytes_nic: 'rxBytes', tx_bytes_nic: 'txBytes', multicast: 'rxMulticast', broadcast: 'rxBroadcast', rx_no_buffer_count: 'rxMissed',
      rx_crc_errors: 'rxCrcErrors', rx_missed_errors: 'rxMissed',
    }),
    ...ofDriver({ tx_timeout_count: 'txTimeouts' }),
    ...ofDevice({ rx_long_length_errors: 'rxOverLength', rx_short_length_errors: 'rxRunts', rx_csum_offload_errors: 'rxChecksumErrors' }),
    ...ofDriver({ alloc_rx_page_failed: 'rxAllocFailed' }),
    ...ofDevice({ rx_no_dma_resources: 'rxMissed' }),
    { perQueue: [['tx_queue_N_packets', 'txPackets'], ['tx_queue_N_bytes', 'txBytes']] },
    { perQueue: [['rx_queue_N_packets', 'rxPackets'], ['rx_queue_N_bytes', 'rxBytes']] },
  ],
};
