import { EINVAL } from '../../base/index.js';
import { r8169V2Format } from '../device/formats/r8169.js';
import { fixed, mtuUpTo } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_REDIRECT,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { copiesPackets } from './skbShape.js';
import { ofDevice } from './statistics.js';

/** Realtek gigabit with a private XDP driver, not mainline: page_pool, headroom 256. */
export const r8169XdpProfile: NicProfile = {
  name: 'r8169-xdp',
  description: 'Realtek gigabit with a private XDP driver, not mainline: page_pool, headroom 256',
  driver: 'r8169',
  bus: 'pci',
  chips: 'RTL8168, RTL8125',
  linkMbps: 1000,
  format: r8169V2Format,
  formatNote: '',
  queues: fixed(1, 'the driver uses one queue'),
  rxRing: fixed(256, 'NUM_RX_DESC is a constant, and there is no set_ringparam'),
  txRing: fixed(256, 'NUM_TX_DESC is a constant, and there is no set_ringparam'),
  mtu: mtuUpTo(9000),
  headroom: { min: 64, max: 512, default: 256, multipleOf: 8, errno: EINVAL, reason: 'struct xdp_frame needs 40 bytes, and the device takes addresses in multiples of 8' },
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 256,
  refillThreshold: 1,
  skb: copiesPackets({ recordsRxQueue: false }),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT,
    since: 'private',
    mtuMaxLinear: 3498,
    mtuErrno: EINVAL,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 22 (Ethernet header and two VLAN tags)',
    hasMetadata: true,
    hasTxContract: true,
    queueRule: '',
  },
  rss: undefined,
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: false, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: { noChecksumBelow60: true },
  notes: ['Private, not mainline: r8169 in the kernel has no native XDP.'],
  readRxHints: noRxHints,
  statistics: [
    ...ofDevice({ tx_packets: 'txPackets' }),
    { name: 'rx_packets', value: ({ hw }) => hw.rxPackets - hw.rxCrcErrors },
    ...ofDevice({ tx_errors: 'txDmaErrors', rx_errors: 'rxCrcErrors' }),
    // 16 bits of the tally counter block; a link in full duplex has neither collisions nor alignment errors.
    { name: 'rx_missed', value: ({ hw }) => hw.rxMissed & 0xffff },
    ...ofDevice({ align_errors: 0, tx_single_collisions: 0, tx_multi_collisions: 0 }),
    { name: 'unicast', value: ({ hw }) => hw.rxPackets - hw.rxCrcErrors - hw.rxBroadcast - hw.rxMulticast },
    ...ofDevice({ broadcast: 'rxBroadcast', multicast: 'rxMulticast', tx_aborted: 0, tx_underrun: 0 }),
  ],
};
