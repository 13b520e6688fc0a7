import { EINVAL, ERANGE } from '../../base/index.js';
import { plainFormat } from '../device/formats/plain.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { plainRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { ofDevice, POOL_STATISTICS } from './statistics.js';

/** The NIC of the textbook: every feature that XDP can use, no quirks, a descriptor that fits on a blackboard. */
export const plainProfile: NicProfile = {
  name: 'plain',
  description: 'teaching NIC: 16-byte descriptors, page_pool, headroom 256, RSS over up to 64 queues, multi-buffer',
  driver: 'plain',
  bus: 'model',
  chips: 'none: a model',
  linkMbps: 10_000,
  format: plainFormat,
  formatNote: '',
  queues: { min: 1, max: 64, default: 4, errno: EINVAL, reason: 'the device has 64 queue pairs' },
  rxRing: { min: 64, max: 8192, default: 512, isPowerOfTwo: true, errno: EINVAL, reason: 'the device takes rings of 64 to 8192 descriptors' },
  txRing: { min: 64, max: 8192, default: 512, isPowerOfTwo: true, errno: EINVAL, reason: 'the device takes rings of 64 to 8192 descriptors' },
  mtu: { min: 68, max: 9000, default: 1500, errno: EINVAL, reason: 'IPv4 needs 68 bytes, and the device takes jumbo frames up to 9000' },
  headroom: { min: 64, max: 512, default: 256, multipleOf: 8, errno: EINVAL, reason: 'struct xdp_frame needs 40 bytes, and the rest is for the packet' },
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 1,
  skb: buildsSkb(256),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_RX_SG | NETDEV_XDP_ACT_NDO_XMIT_SG,
    since: 'always',
    mtuMaxLinear: 3498,
    mtuErrno: ERANGE,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info) - 22 (Ethernet header and two VLAN tags)',
    hasMetadata: true,
    queueRule: '',
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: true, flowRules: 64 },
  offloads: { rxChecksum: false, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: true, rxScatter: true, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 32, txUsecs: 0, txFrames: 32, adaptive: 'none' },
  quirks: {},
  notes: [],
  // Time of arrival and RSS hash stand in the descriptor; VLAN tags stay in the packet.
  readRxHints: plainRxHints,
  // Names as most drivers would have them; each verdict is counted as what it is, and failures by themselves.
  statistics: [
    ...ofDevice({ rx_missed: 'rxMissed', rx_crc_errors: 'rxCrcErrors', tx_dma_errors: 'txDmaErrors' }),
    {
      perQueue: [
        ['rx_queue_N_packets', 'rxPackets'], ['rx_queue_N_bytes', 'rxBytes'], ['rx_queue_N_alloc_failed', 'rxAllocFailed'], ['rx_queue_N_xdp_pass', 'xdpPass'],
        ['rx_queue_N_xdp_drop', 'xdpDrop'], ['rx_queue_N_xdp_tx', 'xdpTx'], ['rx_queue_N_xdp_tx_errors', 'xdpTxErrors'], ['rx_queue_N_xdp_redirect', 'xdpRedirect'],
        ['rx_queue_N_xdp_redirect_errors', 'xdpRedirectErrors'], ['rx_queue_N_xdp_exceptions', 'xdpExceptions'],
      ],
    },
    {
      perQueue: [
        ['tx_queue_N_packets', 'txPackets'], ['tx_queue_N_bytes', 'txBytes'], ['tx_queue_N_xdp_xmit', 'txXdpXmit'], ['tx_queue_N_xdp_xmit_errors', 'txXdpXmitErrors'],
      ],
    },
    ...POOL_STATISTICS,
  ],
};
