import { openSync } from 'node:fs';
import { expect, it } from 'vitest';
import { EINVAL, EPERM, formatProblem } from '../../src/base/index.js';
import { probeKernel } from '../../src/replay/index.js';
import type { Host, Koffi } from '../../src/replay/index.js';
import { countCpus } from '../../src/replay/kernelSupport.js';

const BPF_PROG_TEST_RUN = 10;

/** A machine where each command of bpf(2) ends as `answer` says: a result, or a negated errno. */
function host(answer: (command: number) => number, more: Partial<Host> = {}): Host {
  let errno = 0;
  const koffi: Koffi = {
    load: () => ({
      func: () => (_number, command) => {
        const result = answer(command);
        errno = -result;
        return result < 0 ? -1 : result;
      },
    }),
    errno: () => errno,
    address: () => 0x7f0000000000n,
    view: (_address, sizeBytes) => new ArrayBuffer(sizeBytes),
  };
  return { platform: 'linux', arch: 'x64', importKoffi: async () => koffi, ...more };
}

async function missing(on: Host): Promise<string> {
  const probed = await probeKernel(on);
  return probed.ok ? 'nothing' : `${probed.problem.code} | ${formatProblem(probed.problem)}`;
}

/** What PROG_LOAD gives when it works: a file descriptor that can be closed. */
const someFd = (): number => openSync('/dev/null', 'r');

it('says that it needs Linux', async () => {
  expect(await missing(host(() => 0, { platform: 'darwin' }))).toBe(
    'kernel-not-linux | replay needs a Linux kernel, and this is darwin; run it on Linux, in a virtual machine for example; the simulator itself runs everywhere',
  );
});

it('says which processors it knows', async () => {
  expect(await missing(host(() => 0, { arch: 'riscv64' }))).toBe('unsupported-arch | replay knows the system calls of x64 and arm64, and this machine is riscv64');
});

it('says how to get koffi', async () => {
  const importKoffi = async (): Promise<Koffi> => {
    throw new Error("Cannot find package 'koffi' imported from x.js\nmore");
  };
  expect(await missing(host(() => 0, { importKoffi }))).toBe(
    "kernel-no-koffi | replay calls the kernel through the optional package koffi, and it can't be loaded: Cannot find package 'koffi' imported from x.js; " +
      'npm install koffi (prebuilt, needs no compiler)',
  );
});

it('says that the user may not', async () => {
  expect(await missing(host(() => -EPERM))).toBe(
    'kernel-no-privilege | this user may not load XDP programs: bpf(2) says EPERM; ' +
      'run it as root, or with CAP_BPF and CAP_NET_ADMIN; a container also needs a seccomp profile that allows bpf(2)',
  );
});

it('says that the kernel has no bpf(2), or one that is too old', async () => {
  expect(await missing(host(() => -38))).toBe('kernel-no-bpf | this kernel has no bpf(2); use a kernel with CONFIG_BPF_SYSCALL');
  expect(await missing(host(() => -EINVAL))).toBe('kernel-no-bpf | this kernel refuses the smallest XDP program: EINVAL; use Linux 5.18 or later');
});

it('says that programs can be loaded but not run', async () => {
  expect(await missing(host((command) => (command === BPF_PROG_TEST_RUN ? -EINVAL : someFd())))).toBe(
    "kernel-no-test-run | this kernel can't run an XDP program by BPF_PROG_TEST_RUN: EINVAL; use Linux 5.18 or later",
  );
  expect(await missing(host((command) => (command === BPF_PROG_TEST_RUN ? 0 : someFd())))).toMatch(/it returned 0/);
});

it('counts the possible CPUs', () => {
  expect(['0\n', '0-1\n', '0-3,8-11\n', '0,2-3\n', '', 'x'].map(countCpus)).toEqual([1, 2, 8, 3, 1, 1]);
});
