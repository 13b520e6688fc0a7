import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { fail, NEWEST_KERNEL, ok, systemReason } from '../../base/index.js';
import type { KernelRelease, Result } from '../../base/index.js';
import type { KernelConfig } from './kconfig.js';

/** A configuration has 300 kB at most. */
const MAX_TEXT_BYTES = 16 << 20;

/** KERNEL_VERSION(6, 18, 0) of 6.18. */
function kernelVersion(kernel: KernelRelease): string {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return String((major << 16) | (minor << 8));
}

/** What libbpf answers itself, whatever the configuration, on x86-64. */
const VIRTUAL_EXTERNS: readonly (readonly [string, string])[] = [
  ['LINUX_KERNEL_VERSION', kernelVersion(NEWEST_KERNEL)],
  ['LINUX_HAS_BPF_COOKIE', '1'],
  ['LINUX_HAS_SYSCALL_WRAPPER', '1'],
];

/** The options that XDP programs are known to ask for, as distributions for x86-64 set them. CONFIG_HZ is the rate of bpf_jiffies64. */
export const DEFAULT_KERNEL_CONFIG: KernelConfig = new Map([
  ...VIRTUAL_EXTERNS,
  ['CONFIG_64BIT', 'y'],
  ['CONFIG_BPF', 'y'],
  ['CONFIG_BPF_JIT', 'y'],
  ['CONFIG_BPF_JIT_ALWAYS_ON', 'y'],
  ['CONFIG_BPF_SYSCALL', 'y'],
  ['CONFIG_CGROUP_BPF', 'y'],
  ['CONFIG_DEBUG_INFO_BTF', 'y'],
  ['CONFIG_HZ', '250'],
  ['CONFIG_HZ_250', 'y'],
  ['CONFIG_INET', 'y'],
  ['CONFIG_IPV6', 'y'],
  ['CONFIG_MAX_SKB_FRAGS', '17'],
  ['CONFIG_NET', 'y'],
  ['CONFIG_NETFILTER', 'y'],
  ['CONFIG_NF_CONNTRACK', 'y'],
  ['CONFIG_NF_CONNTRACK_MARK', 'y'],
  ['CONFIG_NR_CPUS', '256'],
  ['CONFIG_PAGE_SHIFT', '12'],
  ['CONFIG_SMP', 'y'],
  ['CONFIG_VLAN_8021Q', 'y'],
  ['CONFIG_X86', 'y'],
  ['CONFIG_X86_64', 'y'],
  ['CONFIG_XDP_SOCKETS', 'y'],
]);

/** The same configuration of another kernel: LINUX_KERNEL_VERSION is its. */
export function ofKernel(config: KernelConfig, kernel: KernelRelease): KernelConfig {
  return new Map([...config, ['LINUX_KERNEL_VERSION', kernelVersion(kernel)]]);
}

/**
 * Reads the text of a kernel's configuration (/boot/config-*): lines `CONFIG_NAME=value`; of several for one option the first counts. What libbpf answers
 * itself is added.
 */
export function parseKernelConfig(text: string): KernelConfig {
  const config = new Map(VIRTUAL_EXTERNS);
  for (const line of text.split('\n')) {
    const [, name, value] = /^(CONFIG_[^=\s]+)=(.+?)\r?$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined && !config.has(name)) config.set(name, value);
  }
  return config;
}

/** Reads a kernel's configuration from a file, which may be gzipped like /proc/config.gz. */
export function loadKernelConfig(path: string): Result<KernelConfig> {
  const hint = 'give a kernel configuration such as /boot/config-6.18 or /proc/config.gz';
  try {
    const stat = statSync(path);
    // Reading a pipe could wait, and a device could go on, for ever.
    if (!stat.isFile()) return fail({ code: 'file-not-regular', message: 'this is no regular file', where: path, hint });
    if (stat.size > MAX_TEXT_BYTES) return fail({ code: 'file-too-big', message: `it has more than ${MAX_TEXT_BYTES} bytes`, where: path, hint });
    const bytes = readFileSync(path);
    const isZipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const config = parseKernelConfig((isZipped ? gunzipSync(bytes, { maxOutputLength: MAX_TEXT_BYTES }) : bytes).toString('latin1'));
    if (config.size === VIRTUAL_EXTERNS.length) return fail({ code: 'kconfig-empty', message: 'it sets no option of a kernel', where: path, hint });
    return ok(config);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    return fail({ code: 'file-unreadable', message: `can't be read: ${systemReason(error)}`, where: path, hint });
  }
}
