import { EINVAL, EOPNOTSUPP, errnoName } from '../../base/index.js';
import type { AttachProblem, XdpNetdev } from './xdpNetdev.js';

/** A program that is to be loaded, for a device or for none. */
export interface LoadAttempt {
  readonly name: string;
  readonly frags: boolean;
  /** It calls bpf_xdp_metadata_rx_*. */
  readonly usesRxHints: boolean;
  /** `prog_ifindex`: what for. Left out: for no device. */
  readonly purpose?: 'hints' | 'offload' | undefined;
  /** The device; `undefined`: there is none with that number. */
  readonly device: XdpNetdev | undefined;
}

/** One reason to refuse at BPF_PROG_LOAD. */
export interface BindRule {
  readonly code: string;
  readonly errno: number;
  /** What the verifier's log says; empty where there is none. */
  readonly kernelSays: string;
  readonly message: string;
  readonly hint: string;
  readonly where: string;
  readonly refuses: (attempt: LoadAttempt) => boolean;
}

const INIT = 'bpf_prog_dev_bound_init';
const KFUNC = 'bpf_dev_bound_kfunc_check';

/** Why a program can't be loaded for a device, in the kernel's order (kernel/bpf/offload.c, 6.18). */
export const BIND_RULES: readonly BindRule[] = [
  {
    code: 'bind-offload-frags', errno: EINVAL, kernelSays: '', where: INIT,
    message: 'a program with multi-buffer support can not run in a device', hint: 'put it into SEC("xdp")',
    refuses: ({ purpose, frags }) => purpose === 'offload' && frags,
  },
  {
    code: 'bind-no-device', errno: EINVAL, kernelSays: '', where: INIT,
    message: 'there is no such device in this network namespace', hint: 'load it in the namespace of the device, with its number',
    refuses: ({ purpose, device }) => purpose !== undefined && device === undefined,
  },
  {
    code: 'bind-no-ndo', errno: EOPNOTSUPP, kernelSays: '', where: INIT,
    message: 'the driver of the device has no native XDP, so nothing can be loaded for it', hint: 'choose a device whose driver has ndo_bpf',
    refuses: ({ purpose, device }) => purpose !== undefined && device?.ndoBpf === undefined,
  },
  {
    code: 'bind-no-offload', errno: EINVAL, kernelSays: '', where: INIT,
    message: 'the device runs no programs', hint: 'attach it natively (xdpdrv); of all drivers only nfp (and netdevsim, for tests) runs programs in the device',
    refuses: ({ purpose, device }) => purpose === 'offload' && device?.offloadCard === undefined,
  },
  {
    code: 'bind-hints-unbound', errno: EINVAL, kernelSays: 'metadata kfuncs require device-bound program', where: KFUNC,
    message: 'the program asks its driver about packets (bpf_xdp_metadata_rx_*) and is loaded for no device', hint: 'load it with BPF_F_XDP_DEV_BOUND_ONLY and prog_ifindex: bpf_program__set_flags and bpf_program__set_ifindex of libbpf',
    refuses: ({ purpose, usesRxHints }) => purpose === undefined && usesRxHints,
  },
  {
    code: 'bind-hints-offloaded', errno: EINVAL, kernelSays: "metadata kfuncs can't be offloaded", where: KFUNC,
    message: 'a program that runs in the device can not ask the driver about packets (bpf_xdp_metadata_rx_*)', hint: 'attach it natively, or do without these functions',
    refuses: ({ purpose, usesRxHints }) => purpose === 'offload' && usesRxHints,
  },
];

/** Whether the kernel loads a program for this device; `undefined`: it does. Problems: the codes of BIND_RULES. */
export function checkBinding(attempt: LoadAttempt): AttachProblem | undefined {
  const broken = BIND_RULES.find((rule) => rule.refuses(attempt));
  if (broken === undefined) return undefined;
  const { code, errno, kernelSays, message, hint } = broken;
  const where = `program ${attempt.name}${attempt.device === undefined ? '' : ` for ${attempt.device.name}`}`;
  return { code, errno, kernelSays, where, message: `${message} (${errnoName(errno)})`, hint };
}
