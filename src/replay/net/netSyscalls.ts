import type { KernelBuffer, Koffi } from '../bpfSyscall.js';

/** System call numbers, x64 then arm64 (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h). */
const NUMBERS = {
  socket: [41, 198],
  bind: [49, 200],
  sendto: [44, 206],
  recvfrom: [45, 207],
  recvmsg: [47, 212],
  setsockopt: [54, 208],
  getsockopt: [55, 209],
  ioctl: [16, 29],
  ppoll: [271, 73],
  unshare: [272, 97],
  setns: [308, 268],
  close: [3, 57],
  mmap: [9, 222],
  munmap: [11, 215],
} as const;

export type NetSyscallName = keyof typeof NUMBERS;

/** Longest packet, message or table that is exchanged through a buffer of this folder, bytes. */
export const SCRATCH_BYTES = 1 << 17;

/** The system calls that network namespaces, netlink, packet sockets and AF_XDP need. */
export class NetSyscalls {
  readonly #syscall: ReturnType<ReturnType<Koffi['load']>['func']>;
  readonly #koffi: Koffi;
  readonly #column: 0 | 1;
  /** Buffers of the present call: in a field, so that the garbage collector leaves them alone. */
  readonly #inUse: (number | KernelBuffer)[] = [];

  /** @param arch a machine for which bpf(2) could be bound: `x64` or `arm64` */
  constructor(koffi: Koffi, arch: string) {
    this.#koffi = koffi;
    this.#column = arch === 'arm64' ? 1 : 0;
    // libc's syscall(2) is variadic; on both architectures integer arguments travel in the same registers either way.
    this.#syscall = koffi.load(null).func('syscall', 'long', ['long', 'long', 'long', 'long', 'long', 'long', 'long']);
  }

  /**
   * Parameters that are left out are 0; a buffer stands for its address.
   *
   * @returns what the call returned, or a negated errno
   */
  call(name: NetSyscallName, ...parameters: readonly (number | KernelBuffer)[]): number {
    this.#inUse.push(...parameters);
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = parameters.map((each) => (typeof each === 'number' ? each : each.address));
    const result = this.#syscall(NUMBERS[name][this.#column], a, b, c, d, e, f);
    this.#inUse.length = 0;
    return result === -1 ? -this.#koffi.errno() : result;
  }

  /** Memory that mmap gave. It must not be touched after munmap. */
  view(address: number, sizeBytes: number): ArrayBuffer {
    return this.#koffi.view(BigInt(address), sizeBytes);
  }

  /** New zeroed memory. What such memory points at must stay referenced by somebody else during a call. */
  buffer(sizeBytes: number): KernelBuffer {
    const memory = new ArrayBuffer(Math.max(sizeBytes, 8));
    return { bytes: new Uint8Array(memory, 0, sizeBytes), view: new DataView(memory), address: Number(this.#koffi.address(new Uint8Array(memory))) };
  }
}
