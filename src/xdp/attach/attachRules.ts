import { EBUSY, EEXIST, EINVAL, EOPNOTSUPP } from '../../base/index.js';
import type { XdpMode } from '../xdpMode.js';
import { XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE, XDP_FLAGS_MASK, XDP_FLAGS_MODES, XDP_FLAGS_REPLACE, XDP_FLAGS_SKB_MODE, XDP_FLAGS_UPDATE_IF_NOEXIST } from './xdpFlags.js';
import type { AttachedXdp, XdpAttachable, XdpBinding, XdpNetdev, XdpState } from './xdpNetdev.js';

/** A request, and what the kernel has made of it. */
export interface AttachAttempt {
  readonly device: XdpNetdev;
  readonly state: XdpState;
  /** `netlink`: IFLA_XDP of RTM_SETLINK, `ip link set`. `link`: BPF_LINK_CREATE. */
  readonly by: 'netlink' | 'link';
  readonly flags: number;
  readonly mode: XdpMode;
  /** `undefined`: take off what is there. */
  readonly program: XdpAttachable | undefined;
  /** IFLA_XDP_EXPECTED_FD: a program, `none` for -1, or left out. */
  readonly expected: XdpAttachable | 'none' | undefined;
  /** What is attached in `mode`. */
  readonly current: AttachedXdp | undefined;
}

/** One reason to refuse. */
export interface AttachRule {
  readonly code: string;
  readonly errno: number;
  /** Extended acknowledgement; empty where the kernel gives none. */
  readonly kernelSays: string;
  /** One sentence: what is wrong. */
  readonly message: string;
  /** One sentence: what to do. */
  readonly hint: string;
  /** Where the kernel checks it. */
  readonly where: string;
  readonly refuses: (attempt: AttachAttempt) => boolean;
}

const CORE = 'dev_xdp_attach';
const NETLINK = 'do_setlink';

/**
 * Every reason for which the core refuses before it asks the driver, in the order in which it looks: do_setlink (net/core/rtnetlink.c),
 * dev_change_xdp_fd, dev_xdp_attach and dev_xdp_install (net/core/dev.c), 6.18. The first that holds is the answer.
 */
export const ATTACH_RULES: readonly AttachRule[] = [
  {
    code: 'attach-flags', errno: EINVAL, kernelSays: '', where: NETLINK,
    message: 'there are flags that the kernel does not know', hint: 'use XDP_FLAGS_* of linux/if_link.h only',
    refuses: ({ by, flags }) => by === 'netlink' && (flags & ~XDP_FLAGS_MASK) !== 0,
  },
  {
    code: 'attach-modes', errno: EINVAL, kernelSays: '', where: NETLINK,
    message: 'more than one mode is asked for', hint: 'choose one of XDP_FLAGS_SKB_MODE, DRV_MODE and HW_MODE, or none',
    refuses: ({ by, flags }) => by === 'netlink' && modeCount(flags) > 1,
  },
  {
    code: 'attach-replace-what', errno: EINVAL, kernelSays: '', where: NETLINK,
    message: 'XDP_FLAGS_REPLACE does not say which program is to be replaced', hint: 'give the expected program (IFLA_XDP_EXPECTED_FD, old_prog_fd of libbpf), or leave the flag out',
    refuses: ({ by, flags, expected }) => by === 'netlink' && (flags & XDP_FLAGS_REPLACE) !== 0 && expected === undefined,
  },
  {
    code: 'attach-offloaded-generic', errno: EINVAL, kernelSays: '', where: 'dev_change_xdp_fd',
    message: 'the program was loaded to run in the device, and the stack is to run it', hint: 'attach it with XDP_FLAGS_HW_MODE (ip link set DEV xdpoffload), or load it without a device',
    refuses: ({ by, mode, program, expected }) => by === 'netlink' && mode === 'generic' && (isOffloaded(program) || (expected !== 'none' && isOffloaded(expected))),
  },
  {
    code: 'attach-link-flags', errno: EINVAL, kernelSays: 'Invalid XDP flags for BPF link attachment', where: CORE,
    message: 'a bpf_link takes no flags but a mode', hint: 'leave UPDATE_IF_NOEXIST and REPLACE out: a link never replaces another program, and is changed by BPF_LINK_UPDATE',
    refuses: ({ by, flags }) => by === 'link' && (flags & ~XDP_FLAGS_MODES) !== 0,
  },
  {
    code: 'attach-modes', errno: EINVAL, kernelSays: 'Only one XDP mode flag can be set', where: CORE,
    message: 'more than one mode is asked for', hint: 'choose one of XDP_FLAGS_SKB_MODE, DRV_MODE and HW_MODE, or none',
    refuses: ({ flags }) => modeCount(flags) > 1,
  },
  {
    code: 'attach-mode-ambiguous', errno: EINVAL, kernelSays: 'More than one program loaded, unset mode is ambiguous', where: CORE,
    message: 'programs are attached in two modes, and the request names none', hint: 'name the mode: ip link set DEV xdpdrv, xdpgeneric or xdpoffload',
    refuses: ({ flags, state }) => modeCount(flags) === 0 && programCount(state) > 1,
  },
  {
    code: 'attach-link-active', errno: EBUSY, kernelSays: "Can't replace active BPF XDP link", where: CORE,
    message: 'a program is attached by a bpf_link, which nobody else can replace or take off', hint: 'end the program that holds the link, or let it change the program (BPF_LINK_UPDATE); bpftool link finds it',
    refuses: ({ current }) => current?.byLink === true,
  },
  {
    code: 'attach-upper', errno: EEXIST, kernelSays: 'Cannot attach when an upper device already has a program', where: CORE,
    message: 'a device above this one has a program', hint: 'take the program off the bond, bridge or VLAN, or attach there only',
    refuses: ({ device }) => device.upperHasProgram === true,
  },
  {
    code: 'attach-link-over-program', errno: EBUSY, kernelSays: "Can't replace active XDP program with BPF link", where: CORE,
    message: 'a program is attached by netlink, and a bpf_link does not replace it', hint: 'take it off first: ip link set DEV xdp off',
    refuses: ({ by, current }) => by === 'link' && current !== undefined,
  },
  {
    code: 'attach-not-expected', errno: EEXIST, kernelSays: 'Active program does not match expected', where: CORE,
    message: 'the program that is attached is not the one that was to be replaced', hint: 'somebody else has changed it: look again (bpftool net) and decide anew',
    refuses: ({ flags, expected, current }) => (flags & XDP_FLAGS_REPLACE) !== 0 && current?.program !== (expected === 'none' ? undefined : expected),
  },
  {
    code: 'attach-exists', errno: EBUSY, kernelSays: 'XDP program already attached', where: CORE,
    message: 'there is a program already, and the request is not to replace it', hint: 'take it off first (ip link set DEV xdp off), or replace it: ip -force link set, without UPDATE_IF_NOEXIST',
    refuses: ({ program, flags, current }) => program !== undefined && (flags & XDP_FLAGS_UPDATE_IF_NOEXIST) !== 0 && current !== undefined,
  },
  {
    code: 'attach-native-and-generic', errno: EEXIST, kernelSays: "Native and generic XDP can't be active at the same time", where: CORE,
    message: 'the device has a program in the other one of native and generic mode', hint: 'take that one off first, or attach in its mode',
    refuses: ({ program, mode, state }) => program !== undefined && ((mode === 'native' && state.generic !== undefined) || (mode === 'generic' && state.native !== undefined)),
  },
  {
    code: 'attach-offloaded', errno: EINVAL, kernelSays: 'Using offloaded program without HW_MODE flag is not supported', where: CORE,
    message: 'the program was loaded to run in the device, and the CPU is to run it', hint: 'attach it with XDP_FLAGS_HW_MODE (ip link set DEV xdpoffload), or load it without a device',
    refuses: ({ program, mode }) => mode !== 'offload' && isOffloaded(program),
  },
  {
    code: 'attach-bound-elsewhere', errno: EINVAL, kernelSays: 'Program bound to different device', where: CORE,
    message: 'the program was loaded for another device', hint: 'load it anew for this one: prog_ifindex of BPF_PROG_LOAD, bpf_program__set_ifindex of libbpf',
    refuses: ({ program, device }) => program?.boundTo !== undefined && !isSameDevice(program.boundTo, device),
  },
  {
    code: 'attach-bound-generic', errno: EINVAL, kernelSays: "Can't attach device-bound programs in generic mode", where: CORE,
    message: 'a program that asks its driver about packets (RX hints) can not run in generic mode, where no driver answers', hint: 'attach it natively, or do without bpf_xdp_metadata_rx_*',
    refuses: ({ program, mode }) => program?.boundTo !== undefined && mode === 'generic',
  },
  {
    code: 'attach-devmap-program', errno: EINVAL, kernelSays: 'BPF_XDP_DEVMAP programs can not be attached to a device', where: CORE,
    message: 'a program of SEC("xdp/devmap") belongs into an entry of a DEVMAP, not on a device', hint: 'attach one in SEC("xdp")',
    refuses: ({ program }) => program?.attachType === 'devmap',
  },
  {
    code: 'attach-cpumap-program', errno: EINVAL, kernelSays: 'BPF_XDP_CPUMAP programs can not be attached to a device', where: CORE,
    message: 'a program of SEC("xdp/cpumap") belongs into an entry of a CPUMAP, not on a device', hint: 'attach one in SEC("xdp")',
    refuses: ({ program }) => program?.attachType === 'cpumap',
  },
];

/** What the core looks at only when something is to change (dev_xdp_install), before it calls the driver. */
export const INSTALL_RULES: readonly AttachRule[] = [
  {
    code: 'attach-no-native', errno: EOPNOTSUPP, kernelSays: 'Underlying driver does not support XDP in native mode', where: CORE,
    message: 'the driver has no native XDP, and none in the device', hint: 'let the stack run it: generic mode (ip link set DEV xdpgeneric), or no mode at all, which chooses it',
    refuses: ({ device, mode }) => mode !== 'generic' && device.ndoBpf === undefined,
  },
  {
    code: 'attach-data-split', errno: EBUSY, kernelSays: 'unable to install XDP to device using tcp-data-split', where: 'dev_xdp_install',
    message: 'the device splits headers from data, and the program takes packets of one buffer only', hint: 'ethtool -G DEV tcp-data-split off, or put the program into SEC("xdp.frags")',
    refuses: ({ device, program }) => device.splitsTcpData === true && program?.frags === false,
  },
  {
    code: 'attach-memory-provider', errno: EBUSY, kernelSays: 'unable to install XDP to device using memory provider', where: 'dev_xdp_install',
    message: 'a queue receives into memory that is not the kernel\'s (devmem, io_uring zero copy)', hint: 'end that first',
    refuses: ({ device }) => device.hasMemoryProvider === true,
  },
];

/** The mode that the flags choose: without one native if the driver has ndo_bpf, else generic (dev_xdp_mode, net/core/dev.c, 6.18). */
export function chooseXdpMode(device: XdpNetdev, flags: number): XdpMode {
  if ((flags & XDP_FLAGS_HW_MODE) !== 0) return 'offload';
  if ((flags & XDP_FLAGS_DRV_MODE) !== 0) return 'native';
  if ((flags & XDP_FLAGS_SKB_MODE) !== 0) return 'generic';
  return device.ndoBpf === undefined ? 'generic' : 'native';
}

/**
 * Whether a program that was loaded for one device may go to the other: the same one, or a port of the same card (__bpf_offload_dev_match,
 * kernel/bpf/offload.c, 6.18). Devices that run no programs themselves have no card, which counts as the same one as soon as the other device has
 * programs of its own that are bound to it: the kernel then attaches a program whose hints another driver was compiled in for.
 */
export function isSameDevice({ device }: XdpBinding, other: XdpNetdev): boolean {
  if (device.ifindex === other.ifindex) return true;
  return (other.offloadCard !== undefined || other.hasBoundPrograms === true) && device.offloadCard === other.offloadCard;
}

function isOffloaded(program: XdpAttachable | undefined): boolean {
  return program?.boundTo?.isOffloaded === true;
}

function modeCount(flags: number): number {
  let count = 0;
  for (let left = flags & XDP_FLAGS_MODES; left !== 0; left &= left - 1) count++;
  return count;
}

function programCount(state: XdpState): number {
  return [state.native, state.generic, state.offload].filter((attached) => attached !== undefined).length;
}
