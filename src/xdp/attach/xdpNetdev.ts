import type { Problem } from '../../base/index.js';
import type { XdpMode } from '../xdpMode.js';

/** A program as far as attaching it goes. Programs are the same when they are the same object. */
export interface XdpAttachable {
  readonly name: string;
  /** expected_attach_type: programs of SEC("xdp/devmap") and SEC("xdp/cpumap") belong into entries of those maps. */
  readonly attachType: 'xdp' | 'devmap' | 'cpumap';
  /** BPF_F_XDP_HAS_FRAGS: it can handle packets of several buffers. */
  readonly frags: boolean;
  /** The device that it was loaded for; left out for a program that goes to any. */
  readonly boundTo?: XdpBinding | undefined;
}

/**
 * Why a program was loaded for one device (`prog_ifindex` of BPF_PROG_LOAD): to ask its driver for RX hints (BPF_F_XDP_DEV_BOUND_ONLY), or to run
 * in the device.
 */
export interface XdpBinding {
  readonly device: Pick<XdpNetdev, 'ifindex' | 'offloadCard'>;
  readonly isOffloaded: boolean;
}

/** Why a program is not attached. */
export interface AttachProblem extends Problem {
  /** What the system call gives, positive. */
  readonly errno: number;
  /** The kernel's own sentence (extended acknowledgement), which `ip link` prints; empty where it has none. */
  readonly kernelSays: string;
}

/** What a driver's ndo_bpf is asked: XDP_SETUP_PROG (`native`) or XDP_SETUP_PROG_HW (`offload`); without a program to take the present one off. */
export interface NdoBpfCommand {
  readonly mode: 'native' | 'offload';
  readonly program: XdpAttachable | undefined;
}

/** A network device as the core sees it when a program is to be attached. */
export interface XdpNetdev {
  readonly name: string;
  readonly ifindex: number;
  /** The driver's ndo_bpf: a Problem when it refuses. Left out: the driver has none, and so no native XDP. */
  readonly ndoBpf?: ((command: NdoBpfCommand) => AttachProblem | undefined) | undefined;
  /** The card, for drivers that run programs in it (bpf_offload_dev): ports of one card share programs. */
  readonly offloadCard?: string | undefined;
  /** Programs are loaded now that ask this device for RX hints. */
  readonly hasBoundPrograms?: boolean | undefined;
  /** A device above it (a bond, a bridge, a VLAN) has a program. */
  readonly upperHasProgram?: boolean | undefined;
  /** Header and data go into buffers of their own (`ethtool -G tcp-data-split on`). */
  readonly splitsTcpData?: boolean | undefined;
  /** A queue receives into memory of a provider (devmem, io_uring zero copy). */
  readonly hasMemoryProvider?: boolean | undefined;
}

/** What is attached in one mode. */
export interface AttachedXdp {
  readonly program: XdpAttachable;
  /** By a bpf_link, which alone can change it or take it off; false: by netlink. */
  readonly byLink: boolean;
}

/** What is attached to a device: at most one program a mode, and never both native and generic. */
export type XdpState = { readonly [Mode in XdpMode]?: AttachedXdp | undefined };

/** A device without a program. */
export const NOTHING_ATTACHED: XdpState = {};
