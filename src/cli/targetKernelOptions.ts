import { KERNEL_RELEASES } from '../base/index.js';
import type { OptionTable } from './command.js';

/** Whose rules hold, for commands that run programs or tell whether they run. */
export const KERNEL_OPTION = {
  kernel: { type: 'string', describe: `Linux release whose rules hold: ${KERNEL_RELEASES.join(', ')} (the newest), see docs/kernels.md`, group: 'Kernel:' },
} as const satisfies OptionTable;

/** Options of every command that loads objects. */
export const TARGET_KERNEL_OPTIONS = {
  btf: { type: 'string', describe: 'BTF of the kernel that the object is for, e.g. /sys/kernel/btf/vmlinux (built-in XDP types of 6.18)', group: 'Kernel:' },
  kconfig: { type: 'string', describe: 'configuration of that kernel, e.g. /boot/config-6.18 (common options)', group: 'Kernel:' },
} as const satisfies OptionTable;
