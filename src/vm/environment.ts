import type { KernelRelease, Rng } from '../base/index.js';
import type { BpfMap } from './maps/map.js';
import type { NetworkScenario } from './network/scenario.js';
import type { Task } from './task.js';

/** Everything that a program can learn from outside its packet and maps. The simulation owns and moves it. */
export interface VmEnvironment {
  /** Virtual time since boot, ns: what bpf_ktime_get_ns gives. */
  tNs: number;
  /** CPU that runs the program now. */
  cpu: number;
  /** CPUs that per-CPU maps have values for. */
  readonly possibleCpus: number;
  /**
   * Whether an interface of this number exists, as user space can put no other into a DEVMAP; known to whoever owns the devices. Left out:
   * every positive number is one. What becomes of packets for it is not the machine's affair.
   */
  readonly isDevice?: (ifindex: number) => boolean;
  /** The kernel that the machine is in: what helpers do and which there are. Left out: the newest that is known. */
  readonly kernel?: KernelRelease | undefined;
  /** The network around the machine: routes, sockets, connections. Left out: a quiet one that has nothing but the loopback interface, with ifindex 1. */
  readonly network?: NetworkScenario | undefined;
  /** What this CPU is doing besides; left out: nothing, see `idleTask`. */
  readonly task?: Task | undefined;
  /** What bpf_get_prandom_u32 draws from. */
  readonly rng: Rng;
  /** Takes a line of bpf_trace_printk, already formatted, without its newline. */
  onPrintk(line: string): void;
  /**
   * Reads what programs send to user space: each record of a RINGBUF and each event of a PERF_EVENT_ARRAY (the raw sample, with the zeros that
   * fill it up), as soon as it is there and on the CPU that runs. The bytes are only good during the call. Left out: nobody reads, so rings
   * fill, and no perf event is open.
   */
  onEvent?(map: BpfMap, bytes: Uint8Array): void;
}
