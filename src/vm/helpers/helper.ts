import type { HostMemory } from '../../memory/index.js';
import type { AccessTable } from '../accessTable.js';
import type { Dynptrs } from '../dynptrs.js';
import type { VmEnvironment } from '../environment.js';
import type { Network } from '../network/network.js';
import type { BpfMap } from '../maps/map.js';
import type { RedirectInfo } from '../redirect.js';
import type { References } from '../references.js';
import type { RxHints } from '../rxHints.js';
import type { Timers } from '../timers.js';
import type { HelperArguments } from './helperArguments.js';

/**
 * A helper at work. It gets the low halves of r1..r5; what it gives goes into r0 as its row in the helper table says. An argument
 * that the verifier would have refused is reported through `HelperArguments`, and then the result doesn't count.
 */
export type HelperFunction = (r1: number, r2: number, r3: number, r4: number, r5: number) => number;

/** What helpers work on: one virtual machine. */
export interface HelperContext {
  readonly memory: HostMemory;
  readonly environment: VmEnvironment;
  readonly args: HelperArguments;
  /** For memory that a program may touch for a while only. */
  readonly accessTable: AccessTable;
  readonly redirect: RedirectInfo;
  /** What the driver knows about the packet. */
  readonly rxHints: RxHints;
  /** What the kernel around the machine knows of its network. */
  readonly network: Network;
  /** What the run has acquired and not given back yet. */
  readonly references: References;
  readonly dynptrs: Dynptrs;
  readonly timers: Timers;
  /** All maps of the machine by id. */
  readonly maps: readonly (BpfMap | undefined)[];
  /**
   * Runs a function of the program, as `HelperArguments.functionIndex` gave it, on what stands in r1 to r5 (all 64 bits of each, in VM_REGS).
   *
   * @returns true with its result in r0; false when it was stopped: then the helper has to return at once
   */
  callback(insnIndex: number): boolean;
  /** Address of the registers and the rest of the machine's state (layout.ts, VM_*). */
  readonly stateAddress: number;
  /** Address of the context block (layout.ts, XDP_MD_* and XDP_BUFF_*). */
  readonly contextAddress: number;
}

/** Class of an argument, by the kernel's names in lower case (enum bpf_arg_type, include/linux/bpf.h). */
export type ArgClass =
  | 'ptr_to_ctx'
  | 'const_map_ptr'
  | 'ptr_to_map_key'
  | 'ptr_to_map_value'
  | 'ptr_to_spin_lock'
  | 'ptr_to_mem'
  | 'ptr_to_mem_or_null'
  | 'ptr_to_uninit_mem'
  | 'ptr_to_const_str'
  | 'ptr_to_dynptr'
  | 'ptr_to_timer'
  | 'ptr_to_sock'
  | 'ptr_to_nf_conn'
  | 'ptr_to_func'
  | 'ptr_to_stack_or_null'
  | 'const_size'
  | 'const_size_or_zero'
  | 'const_alloc_size_or_zero'
  | 'ptr_to_ringbuf_mem'
  | 'anything';

/** One helper function (enum bpf_func_id, include/uapi/linux/bpf.h). */
export interface HelperSpec {
  readonly id: number;
  /** Kernel name, e.g. `bpf_map_lookup_elem`. */
  readonly name: string;
  /** Whether a program of type XDP may call it at all. */
  readonly xdp: boolean;
  /** First kernel in which XDP programs may call it; 6.1 for all that are older. */
  readonly since: string;
  /** Only for programs under a GPL-compatible licence. */
  readonly gplOnly: boolean;
  /** What an XDP program can do in place of a helper that it may not call. */
  readonly instead: string | undefined;
  /** How it works here; `undefined` when it isn't supported. */
  readonly support: HelperSupport | undefined;
}

export interface HelperSupport {
  /** Classes of r1, r2 ... */
  readonly args: readonly ArgClass[];
  /** RETURN_* (layout.ts). */
  readonly returns: number;
  /** Binds it to a machine. */
  readonly make: (context: HelperContext) => HelperFunction;
}
