import { errnoName, fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { KernelBuffer, Syscalls } from './bpfSyscall.js';

/** Room for the mask of 8192 CPUs, the most that Linux can be built for; one that is too small is refused. */
const MASK_BYTES = 1024;

/**
 * Binds the calling thread to one CPU for a while: a program's per-CPU values and bpf_get_smp_processor_id are then those of that CPU.
 */
export class CpuBinding {
  readonly #syscalls: Syscalls;
  readonly #cpu: number;
  readonly #usual: KernelBuffer;
  readonly #bound: KernelBuffer;

  constructor(syscalls: Syscalls, cpu: number) {
    this.#syscalls = syscalls;
    this.#cpu = cpu;
    this.#usual = syscalls.buffer(MASK_BYTES);
    this.#bound = syscalls.buffer(MASK_BYTES);
    this.#bound.bytes[cpu >>> 3] = 1 << (cpu & 7);
  }

  /** Runs `body` on that CPU, and gives the thread the CPUs back that it had. Problem: `kernel-cpu-not-allowed`; `body` hasn't run then. */
  run<T>(body: () => T): Result<T> {
    this.#usual.bytes.fill(0);
    const read = this.#syscalls.getAffinity(this.#usual);
    const result = read < 0 ? read : this.#syscalls.setAffinity(this.#bound);
    if (result < 0) {
      return fail({
        code: 'kernel-cpu-not-allowed',
        message: `replay runs cases on CPU ${this.#cpu}, and this process may not: ${errnoName(result)}`,
        hint: `allow it CPU ${this.#cpu} (taskset, cpuset of the container)`,
      });
    }
    try {
      return ok(body());
    } finally {
      this.#syscalls.setAffinity(this.#usual);
    }
  }
}
