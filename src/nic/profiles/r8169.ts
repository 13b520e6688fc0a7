import { EOPNOTSUPP } from '../../base/index.js';
import { r8169V2Format } from '../device/formats/r8169.js';
import { fixed, headroomOfDriver, mtuUpTo } from './limits.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { copiesPackets } from './skbShape.js';
import { ofDevice } from './statistics.js';

/** Realtek gigabit, mainline driver: one queue, rings of 256, no native XDP. */
export const r8169Profile: NicProfile = {
  name: 'r8169',
  description: 'Realtek gigabit, mainline driver: one queue, rings of 256, no native XDP',
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
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 256,
  refillThreshold: 1,
  skb: copiesPackets({ recordsRxQueue: false }),
  xdp: {
    features: 0,
    since: undefined,
    mtuMaxLinear: 0,
    mtuErrno: EOPNOTSUPP,
    mtuReason: 'there is no native XDP',
    hasMetadata: true,
    queueRule: '',
  },
  rss: undefined,
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: true, txVlanInsert: true, rxTimestamp: false, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: { noChecksumBelow60: true },
  notes: ['Without native XDP programs run on skbs, in generic mode.'],
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
