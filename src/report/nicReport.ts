import { EOPNOTSUPP } from '../base/index.js';
import {
  DescriptorBatch, NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_HW_OFFLOAD, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_REDIRECT,
  NETDEV_XDP_ACT_RX_SG, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from '../nic/index.js';
import type { NicProfile } from '../nic/index.js';
import { createRxHints } from '../vm/index.js';
import { NIC_VIEWS } from './nicViews.js';

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

/** Hints that the driver has functions for, under their names in xdp-rx-metadata-features of netdev-genl; the others give -EOPNOTSUPP. */
export function rxHintNames(profile: NicProfile): string[] {
  const hints = createRxHints();
  profile.readRxHints(hints, new DescriptorBatch(1), 0, new Uint8Array(64), 0, { hasRxHash: true, hasVlanStrip: true });
  const errors: readonly (readonly [string, number])[] = [['timestamp', hints.timestampError], ['hash', hints.hashError], ['vlan-tag', hints.vlanError]];
  return errors.filter(([, error]) => error !== -EOPNOTSUPP).map(([name]) => name);
}

/** What the driver does of struct xsk_tx_metadata in zero-copy mode, as xsk-features of netdev-genl names it. */
export function xskFeatureNames({ xdp: { zeroCopy } }: NicProfile): string[] {
  const { timestamp, checksum, launchTime } = zeroCopy?.txMetadata ?? {};
  return [...(timestamp === true ? ['tx-timestamp'] : []), ...(checksum === true ? ['tx-checksum'] : []), ...(launchTime === true ? ['tx-launch-time-fifo'] : [])];
}

/** Names of `ethtool -S`; in those of a queue, `N` stands for its number. */
export function statisticNames({ statistics }: NicProfile): string[] {
  return statistics.flatMap((row) => ('name' in row ? [row.name] : row.perQueue.map(([name]) => name)));
}

/** A profile as `sim nic show --json` prints it: its data, and what its functions stand for. */
export function nicReport(profile: NicProfile): Record<string, unknown> {
  const { format, readRxHints: _hints, statistics: _statistics, xdp, rss, ...data } = profile;
  return {
    schema: 1, ...data, descriptorFormat: format.name, rss: rss ?? null, xdp: { ...xdp, since: xdp.since ?? null, features: xdpFeatureNames(xdp.features) },
    rxHints: rxHintNames(profile), xskFeatures: xskFeatureNames(profile), statistics: statisticNames(profile),
    views: Object.fromEntries(Object.entries(NIC_VIEWS).map(([view, print]) => [view, print(profile)])),
  };
}
