import { ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import { AF_XDP } from '../../umem/index.js';
import type { Mapping, XskSyscalls } from '../../umem/index.js';
import { openSyscalls, thisHost } from '../bpfSyscall.js';
import type { Host, KernelBuffer } from '../bpfSyscall.js';
import type { NetNamespace } from '../net/netNamespace.js';
import { NetSyscalls } from '../net/netSyscalls.js';

const SOCK_CLOEXEC = 0x80000;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
/** Pages are there at once: nobody meets a fault in the middle of a measurement. */
const MAP_POPULATE = 0x8000;
const NO_FILE = -1;
/** Longest option or address. */
const VALUE_BYTES = 4096;

/**
 * AF_XDP of the running kernel, for a process in its own network namespace: the same interface as the simulator's. Needs CAP_NET_RAW.
 *
 * Problems: `kernel-not-linux`, `unsupported-arch`, `kernel-no-koffi`.
 */
export async function openKernelXsk(host: Host = thisHost): Promise<Result<KernelXsk>> {
  const syscalls = await openSyscalls(host);
  return syscalls.ok ? ok(new KernelXsk(new NetSyscalls(await host.importKoffi(), host.arch))) : syscalls;
}

/** AF_XDP of the running kernel, as the applications of one network namespace have it. Results are those of the system calls, errors as negated errno. */
export class KernelXsk implements XskSyscalls {
  readonly #calls: NetSyscalls;
  readonly #namespace: NetNamespace | undefined;
  readonly #value: KernelBuffer;
  readonly #length: KernelBuffer;
  readonly #pollfd: KernelBuffer;
  /** Timeout of poll: 0. */
  readonly #atOnce: KernelBuffer;

  /** @param namespace in which its sockets are; left out: that of the process */
  constructor(calls: NetSyscalls, namespace?: NetNamespace) {
    this.#calls = calls;
    this.#namespace = namespace;
    this.#value = calls.buffer(VALUE_BYTES);
    this.#length = calls.buffer(4);
    this.#pollfd = calls.buffer(8);
    this.#atOnce = calls.buffer(16);
  }

  socket(type: number, protocol: number): number {
    const open = (): number => this.#calls.call('socket', AF_XDP, type | SOCK_CLOEXEC, protocol);
    return this.#namespace === undefined ? open() : this.#namespace.enter(open);
  }

  close(fd: number): number {
    return this.#calls.call('close', fd);
  }

  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
    this.#value.bytes.set(value);
    return this.#calls.call('setsockopt', fd, level, name, this.#value, value.length);
  }

  getsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
    this.#value.bytes.set(value);
    this.#length.view.setUint32(0, value.length, true);
    const result = this.#calls.call('getsockopt', fd, level, name, this.#value, this.#length);
    value.set(this.#value.bytes.subarray(0, value.length));
    return result < 0 ? result : this.#length.view.getUint32(0, true);
  }

  bind(fd: number, address: Uint8Array): number {
    this.#value.bytes.set(address);
    return this.#calls.call('bind', fd, this.#value, address.length);
  }

  mmap(fd: number, lenBytes: number, offBytes: number): Mapping | number {
    const address = this.#calls.call('mmap', 0, lenBytes, PROT_READ_WRITE, MAP_SHARED | MAP_POPULATE, fd, offBytes);
    return address < 0 ? address : this.#mapping(address, lenBytes);
  }

  mmapAnonymous(lenBytes: number): Mapping {
    const address = this.#calls.call('mmap', 0, wholePages(lenBytes), PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, NO_FILE, 0);
    if (address < 0) throw new Error(`KernelXsk.mmapAnonymous: no ${lenBytes} bytes of memory`);
    return this.#mapping(address, wholePages(lenBytes));
  }

  #mapping(address: number, lenBytes: number): Mapping {
    const memory = this.#calls.view(address, wholePages(lenBytes));
    return { u8: new Uint8Array(memory), u32: new Uint32Array(memory), offBytes: 0, lenBytes, address: BigInt(address) };
  }

  /** Whoever looks at the mapping afterwards takes the process down. */
  munmap(mapping: Mapping): void {
    this.#calls.call('munmap', Number(mapping.address), wholePages(mapping.lenBytes));
  }

  sendto(fd: number, flags: number): number {
    return this.#calls.call('sendto', fd, 0, 0, flags);
  }

  recvfrom(fd: number, flags: number): number {
    return this.#calls.call('recvfrom', fd, 0, 0, flags);
  }

  /**
   *     pollfd    0 fd (i32)  4 events (i16)  6 revents (i16)
   */
  poll(fd: number, events: number): number {
    const { view } = this.#pollfd;
    view.setInt32(0, fd, true);
    view.setInt16(4, events, true);
    view.setInt16(6, 0, true);
    const result = this.#calls.call('ppoll', this.#pollfd, 1, this.#atOnce);
    return result < 0 ? result : view.getUint16(6, true);
  }
}

function wholePages(lenBytes: number): number {
  return Math.ceil(lenBytes / PAGE_BYTES) * PAGE_BYTES;
}
