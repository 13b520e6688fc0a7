import { EINVAL } from '../../base/index.js';
import { plainFormat } from '../device/formats/plain.js';
import { fixed, headroomOfDriver, mtuUpTo } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';

/** MediaTek Filogic: page_pool, headroom 256, fixed rings of 512. */
export const mtkEthSocProfile: NicProfile = {
  name: 'mtk_eth_soc',
  description: 'MediaTek Filogic: page_pool, headroom 256, fixed rings of 512',
  driver: 'mtk_eth_soc',
  bus: 'platform',
  chips: 'NETSYS v2 and later',
  linkMbps: 2500,
  format: plainFormat,
  formatNote: 'the plain descriptors stand in for the DMA descriptors of the device, which are not modelled',
  queues: fixed(1, 'the driver uses one RX ring'),
  rxRing: fixed(512, 'MTK_DMA_SIZE is a constant, and there is no set_ringparam'),
  txRing: fixed(512, 'MTK_DMA_SIZE is a constant, and there is no set_ringparam'),
  mtu: mtuUpTo(2026),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 512,
  refillThreshold: 1,
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_NDO_XMIT_SG,
    since: '6.0',
    mtuMaxLinear: 2026,
    mtuErrno: EINVAL,
    mtuReason: 'max_mtu of the device',
    hasMetadata: true,
    queueRule: 'refuses hwlro',
  },
  rss: undefined,
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: {},
  notes: [],
  readRxHints: noRxHints,
  statistics: [
    { name: 'rx_xdp_redirect', value: ({ total }) => total.xdpRedirect },
    { name: 'rx_xdp_pass', value: ({ total }) => total.xdpPass },
    { name: 'rx_xdp_drop', value: ({ total }) => total.xdpDrop },
    { name: 'rx_xdp_tx', value: ({ total }) => total.xdpTx },
    { name: 'rx_xdp_tx_errors', value: ({ total }) => total.xdpTxErrors },
    { name: 'tx_xdp_xmit', value: ({ total }) => total.txXdpXmit },
    { name: 'tx_xdp_xmit_errors', value: ({ total }) => total.txXdpXmitErrors },
  ],
};
