import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';

/** Memory that stays where it is, so that its address can be given to the kernel. Keep it referenced as long as the kernel may use it. */
export interface KernelBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Virtual address of the first byte; below 2^48, so exact as a number. */
  readonly address: number;
}

/** What JavaScript can't do by itself: system calls, and the address of memory. */
export interface Syscalls {
  /** bpf(2): a file descriptor or 0, or a negated errno. */
  bpf(command: number, attr: KernelBuffer, attrBytes: number): number;
  /** socket(2): a file descriptor, or a negated errno. */
  socket(family: number, type: number, protocol: number): number;
  /** sched_setaffinity(2) of the calling thread: 0, or a negated errno. */
  setAffinity(mask: KernelBuffer): number;
  /** sched_getaffinity(2) of the calling thread: bytes of the mask that were written, or a negated errno. */
  getAffinity(mask: KernelBuffer): number;
  /** New zeroed memory. */
  buffer(sizeBytes: number): KernelBuffer;
}

/** What is used of the package koffi. */
export interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: string[]): (...parameters: number[]) => number };
  errno(): number;
  address(memory: Uint8Array): bigint;
  /** Memory that is somebody else's. */
  view(address: bigint, sizeBytes: number): ArrayBuffer;
}

/** The machine below, as far as it decides whether bpf(2) can be called. */
export interface Host {
  readonly platform: string;
  readonly arch: string;
  importKoffi(): Promise<Koffi>;
}

/** System call numbers (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h). */
const SYSCALL_NUMBERS = new Map([
  ['x64', { bpf: 321, socket: 41, setAffinity: 203, getAffinity: 204 }],
  ['arm64', { bpf: 280, socket: 198, setAffinity: 122, getAffinity: 123 }],
]);

interface SyscallNumbers {
  readonly bpf: number;
  readonly socket: number;
  readonly setAffinity: number;
  readonly getAffinity: number;
}

/** `pid` of sched_setaffinity(2): the calling thread, which is the one that runs JavaScript. */
const THIS_THREAD = 0;

/** This machine; koffi, an optional dependency, is loaded only when it is asked for. */
export const thisHost: Host = {
  platform: process.platform,
  arch: process.arch,
  importKoffi: async () => (await import('koffi')).default,
};

/** Makes system calls possible, or says why they are not: `kernel-not-linux`, `unsupported-arch`, `kernel-no-koffi`. */
export async function openSyscalls(host: Host): Promise<Result<Syscalls>> {
  if (host.platform !== 'linux') {
    return fail({
      code: 'kernel-not-linux',
      message: `replay needs a Linux kernel, and this is ${host.platform}`,
      hint: 'run it on Linux, in a virtual machine for example; the simulator itself runs everywhere',
    });
  }
  const numbers = SYSCALL_NUMBERS.get(host.arch);
  if (numbers === undefined) {
    return fail({
      code: 'unsupported-arch',
      message: `replay knows the system calls of x64 and arm64, and this machine is ${host.arch}`,
    });
  }
  try {
    return ok(bindSyscalls(await host.importKoffi(), numbers));
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return fail({
      code: 'kernel-no-koffi',
      message: `replay calls the kernel through the optional package koffi, and it can't be loaded: ${reason}`,
      hint: 'npm install koffi (prebuilt, needs no compiler)',
    });
  }
}

function bindSyscalls(koffi: Koffi, numbers: SyscallNumbers): Syscalls {
  // libc's syscall(2) is variadic; on both architectures integer arguments travel in the same registers either way.
  const syscall = koffi.load(null).func('syscall', 'long', ['long', 'long', 'long', 'long']);
  const call = (number: number, a: number, b: number, c: number): number => {
    const result = syscall(number, a, b, c);
    return result === -1 ? -koffi.errno() : result;
  };
  return {
    bpf: (command, attr, attrBytes) => call(numbers.bpf, command, attr.address, attrBytes),
    socket: (family, type, protocol) => call(numbers.socket, family, type, protocol),
    setAffinity: (mask) => call(numbers.setAffinity, THIS_THREAD, mask.bytes.length, mask.address),
    getAffinity: (mask) => call(numbers.getAffinity, THIS_THREAD, mask.bytes.length, mask.address),
    buffer(sizeBytes) {
      // An ArrayBuffer made directly lies outside the garbage-collected heap; a small typed array may not.
      const memory = new ArrayBuffer(Math.max(sizeBytes, 8));
      const bytes = new Uint8Array(memory, 0, sizeBytes);
      return { bytes, view: new DataView(memory), address: Number(koffi.address(new Uint8Array(memory))) };
    },
  };
}
