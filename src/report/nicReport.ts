import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_HW_OFFLOAD, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_RX_SG,
  NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from '../nic/index.js';
import type { NicProfile } from '../nic/index.js';

/** Names of xdp-features as netdev-genl has them (Documentation/netlink/specs/netdev.yaml). */
const FEATURES: readonly (readonly [bit: number, name: string])[] = [
  [NETDEV_XDP_ACT_BASIC, 'basic'],
  [NETDEV_XDP_ACT_REDIRECT, 'redirect'],
  [NETDEV_XDP_ACT_NDO_XMIT, 'ndo-xmit'],
  [NETDEV_XDP_ACT_XSK_ZEROCOPY, 'xsk-zerocopy'],
  [NETDEV_XDP_ACT_HW_OFFLOAD, 'hw-offload'],
  [NETDEV_XDP_ACT_RX_SG, 'rx-sg'],
  [NETDEV_XDP_ACT_NDO_XMIT_SG, 'ndo-xmit-sg'],
];

/** The names of the bits in `features`. */
export function xdpFeatureNames(features: number): string[] {
  return FEATURES.filter(([bit]) => (features & bit) !== 0).map(([, name]) => name);
}

/** A profile as `sim nic show --json` prints it: its data, without functions. */
export function nicReport(profile: NicProfile): Record<string, unknown> {
  const { format, readRxHints: _hints, statistics: _statistics, xdp, rss, ...data } = profile;
  return { schema: 1, ...data, descriptorFormat: format.name, rss: rss ?? null, xdp: { ...xdp, since: xdp.since ?? null, features: xdpFeatureNames(xdp.features) } };
}
