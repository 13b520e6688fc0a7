import type { OptionTable } from './command.js';

/** Options of every command that loads objects. */
export const TARGET_KERNEL_OPTIONS = {
  btf: { type: 'string', describe: 'BTF of the kernel that the object is for, e.g. /sys/kernel/btf/vmlinux (built-in XDP types of 6.18)', group: 'Kernel:' },
  kconfig: { type: 'string', describe: 'configuration of that kernel, e.g. /boot/config-6.18 (common options)', group: 'Kernel:' },
} as const satisfies OptionTable;
