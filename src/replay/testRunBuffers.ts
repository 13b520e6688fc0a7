import type { KernelBuffer, Syscalls } from './bpfSyscall.js';

export const TEST_RUN_ATTR_BYTES = 80;
export const XDP_MD_BYTES = 24;
/** Output can be longer than input: by headroom (216 bytes) and by tailroom (less than a page). */
const GROWTH_BYTES = 8192;
const FIRST_CAPACITY_BYTES = 4096;

/** What BPF_PROG_TEST_RUN reads and writes: made once and used by every run, because making it costs more than the run. */
export class TestRunBuffers {
  readonly attr: KernelBuffer;
  readonly ctxIn: KernelBuffer;
  readonly ctxOut: KernelBuffer;
  dataIn: KernelBuffer;
  dataOut: KernelBuffer;
  readonly #syscalls: Syscalls;

  constructor(syscalls: Syscalls) {
    this.#syscalls = syscalls;
    this.attr = syscalls.buffer(TEST_RUN_ATTR_BYTES);
    this.ctxIn = syscalls.buffer(XDP_MD_BYTES);
    this.ctxOut = syscalls.buffer(XDP_MD_BYTES);
    this.dataIn = syscalls.buffer(FIRST_CAPACITY_BYTES);
    this.dataOut = syscalls.buffer(FIRST_CAPACITY_BYTES + GROWTH_BYTES);
  }

  /** Makes room for an input of that length and for any output that a program can make of it. */
  reserve(dataBytes: number): void {
    if (dataBytes <= this.dataIn.bytes.length) return;
    this.dataIn = this.#syscalls.buffer(dataBytes);
    this.dataOut = this.#syscalls.buffer(dataBytes + GROWTH_BYTES);
  }
}
