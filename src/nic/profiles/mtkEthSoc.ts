import { EOPNOTSUPP } from '../../base/index.js';
import { MTK_ETH_SOC_RULES } from '../attach/driverRules.js';
import { mtkEthSocFormat } from '../device/formats/mtkEthSoc.js';
import { fixed, headroomOfDriver, mtuUpTo } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { POOL_STATISTICS, droppedByVerdict, marvellXdp, ofDevice } from './statistics.js';

/** MediaTek Filogic: page_pool, headroom 256, fixed rings of 512. */
export const mtkEthSocProfile: NicProfile = {
  name: 'mtk_eth_soc',
  description: 'MediaTek Filogic: page_pool, headroom 256, fixed rings of 512',
  driver: 'mtk_eth_soc',
  bus: 'platform',
  chips: 'MT7988 (NETSYS v3)',
  linkMbps: 2500,
  format: mtkEthSocFormat,
  formatNote: '',
  queues: fixed(1, 'the driver uses one RX ring'),
  rxRing: fixed(512, 'MTK_DMA_SIZE is a constant, and there is no set_ringparam'),
  txRing: fixed(512, 'MTK_DMA_SIZE is a constant, and there is no set_ringparam'),
  mtu: mtuUpTo(2026),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 512,
  refillThreshold: 1,
  skb: buildsSkb(256, { recordsRxQueue: false }),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_NDO_XMIT_SG,
    alwaysTransmits: true,
    since: '6.0',
    mtuMaxLinear: 3520,
    mtuErrno: EOPNOTSUPP,
    mtuReason: 'one page holds 4096 - 256 (headroom) - 320 (skb_shared_info)',
    hasMetadata: true,
    untraced: ['txConversion', 'txSend', 'redirect'],
    queueRule: 'refuses hwlro',
    attachRules: MTK_ETH_SOC_RULES,
  },
  rss: undefined,
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: true, rxTimestamp: false, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: {},
  notes: [],
  readRxHints: noRxHints,
  statistics: [
    ...ofDevice({
      tx_bytes: 'txBytes', tx_packets: 'txPackets', rx_bytes: 'rxBytes', rx_packets: 'rxPackets', rx_overflow: 'rxMissed', rx_fcs_errors: 'rxCrcErrors', rx_short_errors: 'rxRunts', rx_long_errors: 'rxOverLength',
      rx_checksum_errors: 'rxChecksumErrors',
    }),
    // mtk_xdp_run: a redirect that failed becomes XDP_DROP.
    ...marvellXdp((total) => droppedByVerdict(total) + total.xdpRedirectErrors),
    ...POOL_STATISTICS,
  ],
};
