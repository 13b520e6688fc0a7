import type { HelperContext, HelperSupport } from '../helpers/helper.js';
import { RETURN_INT } from '../layout.js';

// Regions that a program begins and has to end: RCU, preemption, interrupts. A run has its CPU for itself here, so there is nothing to shut
// out; what counts is that they are begun and ended as the verifier wants it (check_kfunc_call, process_irq_flag, kernel/bpf/verifier.c, 6.18).

const RCU = 'RCU read lock';
const PREEMPTION = 'disabled preemption';
const INTERRUPTS = 'saved interrupt flags';

/** X86_EFLAGS_IF: interrupts were enabled, as they are in softirq. */
const IRQ_ENABLED = 0x200;
const FLAGS_BYTES = 8;

/** bpf_rcu_read_lock() (kernel/bpf/helpers.c, 6.18): sections don't nest, and each has to end before the program does. */
export const rcuReadLock: HelperSupport = {
  args: [],
  returns: RETURN_INT,
  make: ({ references, args }) => () => {
    if (references.find(RCU, 0) === undefined) references.acquire({ kind: RCU, address: 0, drop: () => {} });
    else args.refuse(0, 0, false);
    return 0;
  },
};

/** bpf_rcu_read_unlock() (kernel/bpf/helpers.c, 6.18). */
export const rcuReadUnlock: HelperSupport = { args: [], returns: RETURN_INT, make: (context) => () => end(context, RCU) };

/** bpf_preempt_disable() (kernel/bpf/helpers.c, 6.18): regions nest, and each has to end before the program does. */
export const preemptDisable: HelperSupport = {
  args: [],
  returns: RETURN_INT,
  make: ({ references }) => () => {
    references.acquire({ kind: PREEMPTION, address: 0, drop: () => {} });
    return 0;
  },
};

/** bpf_preempt_enable() (kernel/bpf/helpers.c, 6.18). */
export const preemptEnable: HelperSupport = { args: [], returns: RETURN_INT, make: (context) => () => end(context, PREEMPTION) };

function end({ references, args }: HelperContext, kind: string): number {
  if (!references.release(kind, 0)) args.refuse(0, 0, false);
  return 0;
}

/** bpf_local_irq_save(flags) (kernel/bpf/helpers.c, 6.18): `flags` are 8 bytes of stack that hold none yet. */
export const localIrqSave: HelperSupport = {
  args: ['anything'],
  returns: RETURN_INT,
  make: ({ args, references, memory: { u32 } }) => (flags) => {
    const address = flags >>> 0;
    if (!args.isStack(1, FLAGS_BYTES)) return 0;
    if (references.find(INTERRUPTS, address) !== undefined) {
      args.refuse(1, FLAGS_BYTES, true);
      return 0;
    }
    u32[address >>> 2] = references.held.some(({ kind }) => kind === INTERRUPTS) ? 0 : IRQ_ENABLED;
    u32[(address >>> 2) + 1] = 0;
    references.acquire({ kind: INTERRUPTS, address, drop: () => {} });
    return 0;
  },
};

/** bpf_local_irq_restore(flags) (kernel/bpf/helpers.c, 6.18): what was saved last is restored first. */
export const localIrqRestore: HelperSupport = {
  args: ['anything'],
  returns: RETURN_INT,
  make: ({ args, references }) => (flags) => {
    const last = references.held.findLast(({ kind }) => kind === INTERRUPTS);
    if (args.upperHalf(1) === 0 && last?.address === flags >>> 0) references.release(INTERRUPTS, flags >>> 0);
    else args.refuse(1, FLAGS_BYTES, false);
    return 0;
  },
};
