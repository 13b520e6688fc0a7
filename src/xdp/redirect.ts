import { EBADRQC, EINVAL, EMSGSIZE, ENOBUFS, ENOMEM, ENOSPC, ENXIO } from '../base/index.js';
import type { XskSocket } from '../umem/index.js';
import { REDIRECT_IFINDEX, REDIRECT_MAP, REDIRECT_NONE } from '../vm/index.js';
import type { RedirectInfo } from '../vm/index.js';
import { Outcome } from './outcome.js';

/** What a packet can be redirected to. Maps hold plain numbers; here they become sockets and devices. */
export interface RedirectTargets {
  /** Sockets by id; an XSKMAP slot holds id + 1. */
  readonly sockets: readonly XskSocket[];
  /** Devices that have a transmit function for XDP frames. */
  readonly devices: readonly XdpXmitDevice[];
}

/** A device as the redirect path sees it (ndo_xdp_xmit behind xdp_ok_fwd_dev). */
export interface XdpXmitDevice {
  readonly ifindex: number;
  readonly mtu: number;
}

/**
 * Resolves what the program's redirect helper stored: the first half of xdp_do_redirect (net/core/filter.c, 6.18).
 *
 * @param lenBytes length of the packet with all fragments
 * @returns the socket or device, or a negated errno
 */
export function resolveRedirect(info: RedirectInfo, targets: RedirectTargets, lenBytes: number): XskSocket | XdpXmitDevice | number {
  if (info.kind === REDIRECT_NONE) return -EBADRQC;
  if (info.kind === REDIRECT_MAP) return targets.sockets[info.target - 1] ?? -ENXIO;
  if (info.kind !== REDIRECT_IFINDEX) throw new RangeError(`resolveRedirect: kind ${info.kind}`);
  const device = targets.devices.find((candidate) => candidate.ifindex === info.targetIndex);
  if (device === undefined) return -EINVAL;
  // xdp_ok_fwd_dev: MTU plus Ethernet header plus one VLAN tag.
  if (lenBytes > device.mtu + 14 + 4) return -EMSGSIZE;
  return device;
}

/** Where a packet ends whose redirect failed. */
export function redirectErrorOutcome(errno: number): Outcome {
  switch (-errno) {
    case ENOSPC:
      return Outcome.xskTooLong;
    case ENOMEM:
      return Outcome.xskFillEmpty;
    case ENOBUFS:
      return Outcome.xskRxFull;
    case ENXIO:
      return Outcome.xskNotBound;
    case EMSGSIZE:
      return Outcome.redirectTooLong;
    case EBADRQC:
      return Outcome.redirectNoHelper;
    case EINVAL:
      return Outcome.redirectNoTarget;
    default:
      throw new RangeError(`redirectErrorOutcome: errno ${errno} is no outcome`);
  }
}
