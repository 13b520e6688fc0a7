import { EBADRQC, EINVAL, EMSGSIZE, ENOBUFS, ENODATA, ENODEV, ENOMEM, ENOSPC, ENXIO } from '../base/index.js';
import type { XskSocket } from '../umem/index.js';
import {
  BPF_F_EXCLUDE_INGRESS, BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_XSKMAP, entryTarget, programOfEntry, REDIRECT_IFINDEX, REDIRECT_MAP, REDIRECT_NONE,
} from '../vm/index.js';
import type { ProgramEntryMap, Vm } from '../vm/index.js';
import { Outcome } from './outcome.js';
import type { XdpXmitDevice } from './xdpDevice.js';

/** What a packet can be redirected to. Maps hold plain numbers; here they become sockets and devices. */
export interface RedirectTargets {
  /** Sockets by id; an XSKMAP slot holds id + 1. */
  readonly sockets: readonly XskSocket[];
  /** Devices that have a transmit function for XDP frames. */
  readonly devices: readonly XdpXmitDevice[];
}

/** The part of a machine that says where its last run wants to redirect. */
export type RedirectSource = Pick<Vm, 'memory' | 'redirect' | 'map'>;

/**
 * Resolves what the program's redirect helper stored: the first half of xdp_do_redirect (net/core/filter.c, 6.18).
 *
 * What the kernel has no errno for: ENODEV, a DEVMAP names devices that are not among `targets`; ENODATA, no device of a broadcast takes
 * the packet, which the kernel drops without a word.
 *
 * @param lenBytes length of the packet with all fragments
 * @param ingressIfindex device that it came in on
 * @returns the socket or device, the number of a CPU, or a negated errno
 */
export function resolveRedirect(
  { memory, redirect, map }: RedirectSource,
  targets: RedirectTargets,
  lenBytes: number,
  ingressIfindex: number,
): XskSocket | XdpXmitDevice | number {
  const { kind, mapType, mapId, targetIndex, target, flags } = redirect;
  if (kind === REDIRECT_NONE) return -EBADRQC;
  if (kind === REDIRECT_IFINDEX) return toDevice(targets, targetIndex, lenBytes) ?? -EINVAL;
  if (kind !== REDIRECT_MAP) throw new RangeError(`resolveRedirect: kind ${kind}`);
  if (mapType === BPF_MAP_TYPE_XSKMAP) return targets.sockets[target - 1] ?? -ENXIO;
  if (mapType === BPF_MAP_TYPE_CPUMAP) return targetIndex;
  if (flags === 0) return toDevice(targets, entryTarget(memory, target), lenBytes) ?? -ENODEV;

  // dev_map_enqueue_multi. The entry that takes the packet becomes the target, as if it had been asked for.
  const devices = map(mapId) as ProgramEntryMap;
  const excluded = (flags & BPF_F_EXCLUDE_INGRESS) !== 0 ? ingressIfindex : 0;
  let taker: XdpXmitDevice | undefined;
  for (let slot = 0; slot < devices.slotCount; slot++) {
    const entry = devices.slotTarget(slot);
    if (entry === 0 || entryTarget(memory, entry) === excluded) continue;
    const device = toDevice(targets, entryTarget(memory, entry), lenBytes);
    if (typeof device === 'number') continue;
    // A second taker would need a copy of the packet, which nothing here makes.
    if (device === undefined || taker !== undefined) return -ENODEV;
    taker = device;
    redirect.target = entry;
  }
  return taker ?? -ENODATA;
}

/**
 * Id of the program that runs on the packet at the target which `resolveRedirect` found: that of the entry of a DEVMAP or CPUMAP, 0 for
 * none.
 */
export function redirectProgramId({ memory, redirect }: RedirectSource): number {
  return redirect.kind !== REDIRECT_MAP || redirect.mapType === BPF_MAP_TYPE_XSKMAP ? 0 : programOfEntry(memory, redirect.target);
}

/** The device of this number, -EMSGSIZE when it takes no packet of this length (xdp_ok_fwd_dev), `undefined` when it isn't there. */
function toDevice({ devices }: RedirectTargets, ifindex: number, lenBytes: number): XdpXmitDevice | number | undefined {
  for (const device of devices) {
    // MTU plus Ethernet header plus one VLAN tag.
    if (device.ifindex === ifindex) return lenBytes > device.mtu + 14 + 4 ? -EMSGSIZE : device;
  }
  return undefined;
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
    case ENODEV:
      return Outcome.redirectNotSimulated;
    case ENODATA:
      return Outcome.redirectNoReceiver;
    default:
      throw new RangeError(`redirectErrorOutcome: errno ${errno} is no outcome`);
  }
}
