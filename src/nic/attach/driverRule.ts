import type { AttachProblem } from '../../xdp/index.js';

/**
 * What may be switched on in a device besides the settings that the model has, and matters when a program is to be attached. The model does
 * nothing else with it: a name here is a question to the driver.
 */
export const NIC_FEATURES = {
  lro: 'large receive offload (ethtool -K lro on), which joins packets before XDP could see them',
  'gro-hw': 'hardware GRO (ethtool -K rx-gro-hw on), which joins packets before XDP could see them',
  'sr-iov': 'virtual functions (/sys/class/net/DEV/device/sriov_numvfs)',
  dcb: 'data center bridging (dcb, lldpad)',
  'striding-rq': 'receive queues whose buffers hold several packets (ethtool --set-priv-flags rx_striding_rq on)',
  'separate-channels': 'receive and transmit channels apart, not combined (ethtool -L rx N tx N)',
  'no-spare-queues': 'more than half of the queues that the device has are in use (ethtool -L)',
  'host-offloads': 'the host joins packets or leaves checksums out, and the guest can not switch that off (no VIRTIO_NET_F_CTRL_GUEST_OFFLOADS)',
  'hardware-buffers': 'the buffer manager of the SoC gives out receive buffers',
  'shared-pools': 'CPUs share buffer pools (more receive queues than CPUs)',
  'many-peer-queues': 'the peer has more transmit queues than this end has receive queues',
  'tcp-data-split': 'header and data go into buffers of their own (ethtool -G tcp-data-split on)',
  'memory-provider': "a queue receives into memory that is not the kernel's (devmem, io_uring zero copy)",
} as const;

export type NicFeature = keyof typeof NIC_FEATURES;

/** What a driver looks at when it is given a program. */
export interface DriverSetup {
  readonly mtu: number;
  readonly queues: number;
  readonly cpus: number;
  readonly features: readonly NicFeature[];
}

/** One reason for which a driver refuses a program (its ndo_bpf): data of a profile. */
export interface DriverRule extends Pick<AttachProblem, 'errno' | 'kernelSays'> {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** Refused when this is switched on, or when `refuses` says so. */
  readonly feature?: NicFeature | undefined;
  readonly refuses?: ((setup: DriverSetup, program: { readonly frags: boolean }) => boolean) | undefined;
}

/** A rule about a feature that is switched on. `kernelSays` is the sentence after the name of the module. */
export function refusesFeature(feature: NicFeature, errno: number, kernelSays: string, message: string, hint: string, refuses?: DriverRule['refuses']): DriverRule {
  return { code: `attach-${feature}`, errno, kernelSays, feature, message, hint, refuses };
}

/** Whether a rule refuses: its feature must be on, if it names one, and its condition hold, if it has one. */
export function isRefused(rule: DriverRule, setup: DriverSetup, program: { readonly frags: boolean }): boolean {
  if (rule.feature !== undefined && !setup.features.includes(rule.feature)) return false;
  return rule.refuses?.(setup, program) ?? true;
}
