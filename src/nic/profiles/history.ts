import { isSince } from '../../base/index.js';
import type { KernelRelease } from '../../base/index.js';
import { NETDEV_XDP_ACT_NDO_XMIT_SG, NETDEV_XDP_ACT_RX_SG, NETDEV_XDP_ACT_XSK_ZEROCOPY } from './profile.js';
import type { NicProfile, XdpSupport } from './profile.js';
import { noRxHints } from './rxHints.js';

/** How the driver of a profile was in older kernels. */
export interface DriverChange {
  /** Name of the profile. */
  readonly profile: string;
  /** First kernel in which it is as the profile says. */
  readonly since: string;
  /** What came, as the end of "since 6.3: ...". */
  readonly what: string;
  /** NETDEV_XDP_ACT_* bits that came. */
  readonly features?: number;
  /** What was otherwise. */
  readonly xdp?: Partial<XdpSupport>;
  /** The driver told programs nothing about packets. */
  readonly hadNoRxHints?: boolean;
}

/** Drivers of kernels from 6.1 on; what is older stands in no row. */
export const DRIVER_CHANGES: readonly DriverChange[] = [
  {
    profile: 'virtio_net', since: '6.3', what: 'packets in several buffers; without them MTUs up to 3506 (before: 4064)', features: NETDEV_XDP_ACT_RX_SG,
    xdp: { mtuMaxLinear: 4064, mtuReason: 'one page holds 4096 - 32 (padded virtio header)' },
  },
  { profile: 'ice', since: '6.3', what: 'packets in several buffers', features: NETDEV_XDP_ACT_RX_SG | NETDEV_XDP_ACT_NDO_XMIT_SG },
  { profile: 'i40e', since: '6.4', what: 'packets in several buffers', features: NETDEV_XDP_ACT_RX_SG },
  { profile: 'ice', since: '6.8', what: 'RX hints', hadNoRxHints: true },
  { profile: 'virtio_net', since: '6.11', what: 'AF_XDP zero copy', features: NETDEV_XDP_ACT_XSK_ZEROCOPY },
  { profile: 'igb', since: '6.14', what: 'AF_XDP zero copy', features: NETDEV_XDP_ACT_XSK_ZEROCOPY },
  { profile: 'octeontx2', since: '6.15', what: 'AF_XDP zero copy', features: NETDEV_XDP_ACT_XSK_ZEROCOPY },
];

/** The profile with the driver that a kernel has. */
export function profileOfRelease(profile: NicProfile, kernel: KernelRelease): NicProfile {
  let old = profile;
  for (const { profile: name, since, features = 0, xdp, hadNoRxHints } of DRIVER_CHANGES) {
    if (name !== profile.name || isSince(kernel, since)) continue;
    old = { ...old, xdp: { ...old.xdp, ...xdp, features: old.xdp.features & ~features }, readRxHints: hadNoRxHints === true ? noRxHints : old.readRxHints };
  }
  return old;
}
