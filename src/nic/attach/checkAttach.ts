import { EINVAL, errnoName } from '../../base/index.js';
import { isDeviceBound } from '../../vm/index.js';
import type { LoadedProgram, ProgramSpec } from '../../vm/index.js';
import {
  attachByNetlink, checkBinding, chooseXdpMode, NOTHING_ATTACHED, placeOf, XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE, XDP_FLAGS_SKB_MODE, XDP_FLAGS_UPDATE_IF_NOEXIST,
} from '../../xdp/index.js';
import type { AttachProblem, NdoBpfCommand, XdpAttachable, XdpMode, XdpNetdev } from '../../xdp/index.js';
import { maxFrameBytes } from '../device/mac.js';
import { rxLayout } from '../driver/rxLayout.js';
import { headroomOf } from '../nicSettings.js';
import type { NicSettings } from '../nicSettings.js';
import { NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_RX_SG } from '../profiles/profile.js';
import type { NicProfile } from '../profiles/profile.js';
import { checkOffload } from './checkOffload.js';
import { isRefused } from './driverRule.js';

const MODE_FLAGS: Readonly<Record<XdpMode, number>> = { native: XDP_FLAGS_DRV_MODE, generic: XDP_FLAGS_SKB_MODE, offload: XDP_FLAGS_HW_MODE };

/** What `ip link set DEV xdp` chooses on this NIC: native if its driver has native XDP, whether or not it then takes the program; else generic. */
export function autoMode(profile: NicProfile): XdpMode {
  return chooseXdpMode(netdevOf(profile), 0);
}

/**
 * Whether this program can be attached with these settings, as `ip link set DEV xdpdrv`, `xdpgeneric` or `xdpoffload` does it: loaded for the device if it must be, then by
 * netlink. `undefined`: it can.
 *
 * Problems: the codes of BIND_RULES, ATTACH_RULES, INSTALL_RULES and, for offload, OFFLOAD_RULES; those of the driver: `attach-mtu` and the codes of its rules.
 *
 * @param cpus of the host; left out: one for each queue
 */
export function checkAttach(settings: NicSettings, { spec, maps }: LoadedProgram, cpus = settings.queues): AttachProblem | undefined {
  const { profile, mtu, xdpMode = 'native' } = settings;
  const device = netdevOfSettings(settings, cpus);
  const purpose = xdpMode === 'offload' ? 'offload' : isDeviceBound(spec) ? 'hints' : undefined;
  const problem = checkBinding({ name: spec.name, frags: spec.frags, usesRxHints: isDeviceBound(spec), purpose, device });
  if (problem !== undefined) return problem;
  const program: XdpAttachable = { ...traitsOf(spec), boundTo: purpose && { device, isOffloaded: purpose === 'offload' } };
  if (xdpMode === 'offload' && profile.xdp.offload !== undefined) {
    const unfit = checkOffload(spec, [...maps.values()].map((map) => map.spec), profile.xdp.offload, mtu, placeOf(program, device));
    if (unfit !== undefined) return unfit;
  }
  const result = attachByNetlink(device, NOTHING_ATTACHED, { program, flags: MODE_FLAGS[xdpMode] | XDP_FLAGS_UPDATE_IF_NOEXIST });
  return result.ok ? undefined : result.problem;
}

/** A program as the core sees it. */
function traitsOf({ name, attachType, frags }: ProgramSpec): XdpAttachable {
  return { name, attachType, frags };
}

/** The NIC as the core sees it, with a driver that takes whatever it can take at all. */
function netdevOf({ name, xdp }: NicProfile, ifindex = 1): XdpNetdev {
  return { name: `NIC ${name}`, ifindex, ndoBpf: (xdp.features & NETDEV_XDP_ACT_BASIC) === 0 ? undefined : () => undefined, offloadCard: xdp.offload?.card };
}

/** The NIC as the core sees it, with these settings. */
export function netdevOfSettings(settings: NicSettings, cpus: number): XdpNetdev {
  const { profile, ifindex, features = [] } = settings;
  const device = netdevOf(profile, ifindex);
  return {
    ...device,
    ndoBpf: device.ndoBpf && ((command) => ndoBpf(settings, cpus, device, command)),
    splitsTcpData: features.includes('tcp-data-split'),
    hasMemoryProvider: features.includes('memory-provider'),
  };
}

/** The driver's word on a program. */
function ndoBpf(settings: NicSettings, cpus: number, device: XdpNetdev, { mode, program }: NdoBpfCommand): AttachProblem | undefined {
  const { profile, mtu, queues, features = [] } = settings;
  const where = placeOf(program, device);
  if (mode === 'offload') {
    if (profile.xdp.offload !== undefined && (program === undefined || program.boundTo?.isOffloaded === true)) return undefined;
    return {
      code: 'attach-not-offloaded', errno: EINVAL, kernelSays: '', where, message: `the driver ${profile.driver} has no program to run in the device (${errnoName(EINVAL)})`,
      hint: profile.xdp.offload === undefined ? 'attach it natively (xdpdrv)' : 'load the program for the device (prog_ifindex)',
    };
  }
  if (program === undefined) return undefined;
  const broken = profile.xdp.attachRules?.find((rule) => isRefused(rule, { mtu, queues, cpus, features }, program));
  if (broken !== undefined) return { code: broken.code, errno: broken.errno, kernelSays: broken.kernelSays, where, message: `${broken.message} (${errnoName(broken.errno)})`, hint: broken.hint };
  return checkMtu(settings, program, where);
}

/** What the driver can receive into one buffer. */
function checkMtu(settings: NicSettings, program: XdpAttachable, where: string): AttachProblem | undefined {
  const { profile, mtu } = settings;
  const { xdp } = profile;
  // A longer headroom than usual leaves less of a buffer for the packet.
  const { packetBytes } = rxLayout(profile, headroomOf(settings));
  const room = packetBytes - maxFrameBytes(0);
  const most = Math.min(xdp.mtuMaxLinear, room);
  if (mtu <= most || (program.frags && (xdp.features & NETDEV_XDP_ACT_RX_SG) !== 0)) return undefined;
  const isUsual = headroomOf(settings) === profile.headroom.default;
  const reason = room >= xdp.mtuMaxLinear
    ? xdp.mtuReason
    : `a headroom of ${headroomOf(settings)} leaves ${packetBytes} bytes of a buffer, ${maxFrameBytes(0)} of them for Ethernet header and two VLAN tags` +
      (isUsual ? ` (the driver itself, which counts fewer tags, stops at ${xdp.mtuMaxLinear})` : '');
  const mend = (xdp.features & NETDEV_XDP_ACT_RX_SG) === 0 ? '' : ', or put the program into SEC("xdp.frags")';
  return {
    code: 'attach-mtu', errno: xdp.mtuErrno, kernelSays: xdp.mtuSays ?? '', where,
    message: `MTU ${mtu} is too large (${errnoName(xdp.mtuErrno)}): the driver takes at most ${most} with a program without multi-buffer support, as ${reason}`,
    hint: `use --mtu ${most} or less${mend}`,
  };
}
