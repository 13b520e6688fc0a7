import { EMSGSIZE, ENETDOWN, EOPNOTSUPP } from '../base/index.js';
import { Outcome } from './outcome.js';
import { NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, xdpOkFwdDev } from './xdpDevice.js';
import type { XdpXmitDevice } from './xdpDevice.js';
import { frameBytes, frameFragments } from './xdpFrame.js';

/**
 * Whether a device takes a frame: the checks of __xdp_enqueue and is_valid_dst (kernel/bpf/devmap.c, 6.18), in their order.
 *
 * @returns 0, -EOPNOTSUPP (no ndo_xdp_xmit, or none for fragments), -ENETDOWN or -EMSGSIZE
 */
export function checkTarget(device: XdpXmitDevice, u32: Uint32Array, frame: number): number {
  const features = device.xdpFeatures ?? 0;
  if ((features & NETDEV_XDP_ACT_NDO_XMIT) === 0) return -EOPNOTSUPP;
  if ((features & NETDEV_XDP_ACT_NDO_XMIT_SG) === 0 && frameFragments(u32, frame) > 0) return -EOPNOTSUPP;
  return xdpOkFwdDev(device, frameBytes(u32, frame));
}

/** Where a packet ends whose target does not take it, by errno. */
export const OUTCOME_OF_CHECK: Readonly<Record<number, Outcome>> = {
  [EOPNOTSUPP]: Outcome.redirectNotSupported,
  [ENETDOWN]: Outcome.redirectDeviceDown,
  [EMSGSIZE]: Outcome.redirectTooLong,
};
