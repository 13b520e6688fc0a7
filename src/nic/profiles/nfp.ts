import { EINVAL } from '../../base/index.js';
import { plainFormat } from '../device/formats/plain.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_HW_OFFLOAD, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';

/** Netronome Agilio: XDP in the driver and, with BPF firmware, in the NIC. */
export const nfpProfile: NicProfile = {
  name: 'nfp',
  description: 'Netronome Agilio: XDP in the driver and, with BPF firmware, in the NIC',
  driver: 'nfp',
  bus: 'pci',
  chips: 'Agilio CX, LX',
  linkMbps: 40000,
  format: plainFormat,
  formatNote: 'the plain descriptors stand in for the NFD3 descriptors of the device, which are not modelled',
  queues: queuePairs(64, 4),
  rxRing: ring(4096, 256, 8192, { isPowerOfTwo: true, roundsUp: true }),
  txRing: ring(4096, 256, 8192, { isPowerOfTwo: true, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 16,
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_XSK_ZEROCOPY | NETDEV_XDP_ACT_HW_OFFLOAD,
    since: '4.10',
    mtuMaxLinear: 3498,
    mtuErrno: EINVAL,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 22 (Ethernet header and two VLAN tags)',
    hasMetadata: true,
    queueRule: '',
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: { redirectIsInvalid: true },
  notes: ['XDP_REDIRECT is an invalid action (NFD3).', 'Offload into the NIC is not modelled.', 'The driver has no XDP counters.'],
  readRxHints: noRxHints,
  statistics: [
    { name: 'rx_packets', value: ({ hw }) => hw.rxPackets },
    { name: 'tx_packets', value: ({ hw }) => hw.txPackets },
    { name: 'rx_bytes', value: ({ hw }) => hw.rxBytes },
    { name: 'tx_bytes', value: ({ hw }) => hw.txBytes },
  ],
};
