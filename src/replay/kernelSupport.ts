import { closeSync, readFileSync } from 'node:fs';
import { EACCES, EPERM, errnoName, fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { openSyscalls, thisHost } from './bpfSyscall.js';
import type { Host } from './bpfSyscall.js';
import { KernelBpf } from './kernelBpf.js';
import { testRunFd } from './testRun.js';
import { BPF_PROG_TYPE_XDP, BPF_XDP } from './uapi.js';

const ENOSYS = 38;
const XDP_PASS = 2;
/** `mov32 r0, XDP_PASS` and `exit`. */
const PASS_INSNS = Uint8Array.of(0xb4, 0, 0, 0, XDP_PASS, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);

/**
 * The running kernel, if programs can be loaded and test-run in it; else what is missing and how to get it:
 * `kernel-not-linux`, `unsupported-arch`, `kernel-no-koffi`, `kernel-no-bpf`, `kernel-no-privilege`, `kernel-no-test-run`.
 */
export async function probeKernel(host: Host = thisHost): Promise<Result<KernelBpf>> {
  const syscalls = await openSyscalls(host);
  if (!syscalls.ok) return syscalls;
  const kernel = new KernelBpf(syscalls.value, possibleCpus());
  const fd = kernel.progLoad({
    type: BPF_PROG_TYPE_XDP,
    insns: PASS_INSNS,
    license: 'GPL',
    flags: 0,
    name: 'probe',
    expectedAttachType: BPF_XDP,
    log: undefined,
  });
  if (fd < 0) return fail(loadProblem(fd));
  try {
    return probeTestRun(kernel, fd);
  } finally {
    closeSync(fd);
  }
}

function loadProblem(errno: number) {
  if (errno === -EPERM || errno === -EACCES) {
    return {
      code: 'kernel-no-privilege',
      message: `this user may not load XDP programs: bpf(2) says ${errnoName(errno)}`,
      hint: 'run it as root, or with CAP_BPF and CAP_NET_ADMIN; a container also needs a seccomp profile that allows bpf(2)',
    };
  }
  if (errno === -ENOSYS) {
    return { code: 'kernel-no-bpf', message: 'this kernel has no bpf(2)', hint: 'use a kernel with CONFIG_BPF_SYSCALL' };
  }
  return { code: 'kernel-no-bpf', message: `this kernel refuses the smallest XDP program: ${errnoName(errno)}`, hint: 'use Linux 5.18 or later' };
}

function probeTestRun(kernel: KernelBpf, fd: number): Result<KernelBpf> {
  const { errno, retval } = testRunFd(kernel, fd, { data: new Uint8Array(64) });
  if (errno === 0 && retval === XDP_PASS) return ok(kernel);
  return fail({
    code: 'kernel-no-test-run',
    message: `this kernel can't run an XDP program by BPF_PROG_TEST_RUN: ${errno === 0 ? `it returned ${retval}` : errnoName(errno)}`,
    hint: 'use Linux 5.18 or later',
  });
}

/** CPUs in the kernel's list of possible ones, e.g. `0-3,8`; 1 when there is no such list. */
export function countCpus(list: string): number {
  const ranges = list.trim().split(',').map((range) => range.split('-').map(Number));
  const count = ranges.reduce((sum, [first, last = first]) => sum + (last - first + 1), 0);
  return Number.isInteger(count) && count > 0 ? count : 1;
}

function possibleCpus(): number {
  try {
    return countCpus(readFileSync('/sys/devices/system/cpu/possible', 'utf8'));
  } catch {
    return 1;
  }
}
