import { closeSync } from 'node:fs';
import { EBUSY, EINVAL, ENOMEM, EOPNOTSUPP, ERANGE, errnoName, fail, ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import type { KernelBuffer } from '../bpfSyscall.js';
import { setAddress } from '../kernelBpf.js';
import type { KernelBpf } from '../kernelBpf.js';
import { BPF_F_XDP_HAS_FRAGS, BPF_PROG_TYPE_XDP, BPF_XDP } from '../uapi.js';
import type { VethEnd } from './vethPair.js';

const BPF_OBJ_GET_INFO_BY_FD = 15;
const BPF_LINK_CREATE = 28;
const BPF_ENABLE_STATS = 32;
const BPF_STATS_RUN_TIME = 0;
const XDP_FLAGS_SKB_MODE = 1 << 1;
const XDP_FLAGS_DRV_MODE = 1 << 2;
const INFO_RUN_CNT = 200;
const XDP_PASS = 2;
/** `mov32 r0, XDP_PASS` and `exit`. */
const PASS_INSNS = Uint8Array.of(0xb4, 0, 0, 0, XDP_PASS, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);

/** How a program is attached: by the driver (`ip link set xdpdrv`) or by the stack in the driver's stead (`xdpgeneric`). */
export type XdpMode = 'native' | 'generic';

/** A program on an interface. The kernel takes it off when the last file descriptor of the link is closed. */
export class XdpLink {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * BPF_LINK_CREATE (bpf_xdp_link_attach, net/core/dev.c). Problem: `net-attach`.
   *
   *     attr    0 prog_fd  4 target_ifindex  8 attach_type  12 flags
   */
  static attach(kernel: KernelBpf, end: VethEnd, programFd: number, mode: XdpMode): Result<XdpLink> {
    const attr = kernel.syscalls.buffer(16);
    attr.view.setUint32(0, programFd, true);
    attr.view.setUint32(4, end.ifindex, true);
    attr.view.setUint32(8, BPF_XDP, true);
    attr.view.setUint32(12, mode === 'native' ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE, true);
    const fd = end.namespace.enter(() => kernel.syscalls.bpf(BPF_LINK_CREATE, attr, 16));
    return fd < 0 ? fail(attachProblem(fd, mode)) : ok(new XdpLink(fd));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

const HINTS = new Map([
  [-ERANGE, 'the MTU is too large for a program without multi-buffer support: use a smaller one, or SEC("xdp.frags")'],
  [-EINVAL, 'programs of SEC("xdp/devmap") and SEC("xdp/cpumap") can\'t be attached, programs with RX hints only natively; others need Linux 5.9 or later'],
  [-EOPNOTSUPP, 'this driver has no such mode'],
  [-EBUSY, 'something else is attached'],
  [-ENOMEM, 'the kernel is short of memory'],
]);

function attachProblem(errno: number, mode: XdpMode): Problem {
  const hint = HINTS.get(errno);
  return { code: 'net-attach', message: `the kernel refused to attach the program (${mode}): ${errnoName(errno)}`, ...(hint === undefined ? {} : { hint }) };
}

/**
 * Loads a program that passes everything. Native XDP_TX of a veth reaches its peer only if that has a program too
 * (veth_xdp_xmit, drivers/net/veth.c, 6.18: without one it has no NAPI, and the frame is dropped with ENXIO).
 */
export function loadPassProgram(kernel: KernelBpf): Result<{ readonly fd: number; close(): void }> {
  const fd = kernel.progLoad({
    type: BPF_PROG_TYPE_XDP,
    insns: PASS_INSNS,
    license: 'GPL',
    flags: BPF_F_XDP_HAS_FRAGS,
    name: 'pass',
    expectedAttachType: BPF_XDP,
    log: undefined,
  });
  if (fd < 0) return fail({ code: 'net-attach', message: `the kernel refused a program that passes everything: ${errnoName(fd)}`, hint: 'use Linux 5.18 or later' });
  return ok({ fd, close: () => closeSync(fd) });
}

/**
 * Lets the kernel count how often it runs programs, as long as it is open (BPF_ENABLE_STATS: all programs of the machine, at some
 * nanoseconds a run).
 */
export class RunCounter {
  readonly #kernel: KernelBpf;
  readonly #fd: number;
  readonly #attr: KernelBuffer;
  readonly #info: KernelBuffer;

  private constructor(kernel: KernelBpf, fd: number) {
    this.#kernel = kernel;
    this.#fd = fd;
    this.#attr = kernel.syscalls.buffer(16);
    this.#info = kernel.syscalls.buffer(INFO_RUN_CNT + 8);
  }

  /** Problem: `net-run-count`. */
  static open(kernel: KernelBpf): Result<RunCounter> {
    const attr = kernel.syscalls.buffer(4);
    attr.view.setUint32(0, BPF_STATS_RUN_TIME, true);
    const fd = kernel.syscalls.bpf(BPF_ENABLE_STATS, attr, 4);
    if (fd >= 0) return ok(new RunCounter(kernel, fd));
    return fail({ code: 'net-run-count', message: `the kernel doesn't count runs of programs: ${errnoName(fd)}`, hint: 'run it as root on Linux 5.8 or later' });
  }

  /**
   * How often this program ran since it was loaded, while somebody counted.
   *
   *     attr             0 bpf_fd  4 info_len  8 info (address)
   *     bpf_prog_info    192 run_time_ns (u64)  200 run_cnt (u64)
   */
  runs(programFd: number): number {
    const { view } = this.#attr;
    view.setUint32(0, programFd, true);
    view.setUint32(4, this.#info.bytes.length, true);
    setAddress(view, 8, this.#info.address);
    this.#info.bytes.fill(0);
    const result = this.#kernel.syscalls.bpf(BPF_OBJ_GET_INFO_BY_FD, this.#attr, 16);
    if (result < 0) throw new Error(`RunCounter.runs: ${errnoName(result)}`);
    return Number(this.#info.view.getBigUint64(INFO_RUN_CNT, true));
  }

  close(): void {
    closeSync(this.#fd);
  }
}
