import type { Rng } from '../base/index.js';

/** Everything that a program can learn from outside its packet and maps. The simulation owns and moves it. */
export interface VmEnvironment {
  /** Virtual time since boot, ns: what bpf_ktime_get_ns gives. */
  tNs: number;
  /** CPU that runs the program now. */
  cpu: number;
  /** CPUs that per-CPU maps have values for. */
  readonly possibleCpus: number;
  /** What bpf_get_prandom_u32 draws from. */
  readonly rng: Rng;
  /** Takes a line of bpf_trace_printk, already formatted, without its newline. */
  onPrintk(line: string): void;
}
