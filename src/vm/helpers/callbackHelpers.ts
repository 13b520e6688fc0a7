import { E2BIG, EINVAL } from '../../base/index.js';
import { RETURN_INT, VM_REGS } from '../layout.js';
import type { HelperSupport } from './helper.js';

/** Most rounds of bpf_loop (BPF_MAX_LOOPS, include/linux/bpf.h). */
const BPF_MAX_LOOPS = 8 << 20;

/**
 * bpf_loop(nr_loops, callback_fn, callback_ctx, flags) (kernel/bpf/bpf_iter.c, 6.18): calls back with (index, callback_ctx) until that gives
 * something other than 0. The number of rounds, or a negated errno.
 */
export const loop: HelperSupport = {
  args: ['anything', 'ptr_to_func', 'ptr_to_stack_or_null', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory, stateAddress, callback }) => {
    const { u32 } = memory;
    const [r0, r1, r2, r3] = [0, 1, 2, 3].map((register) => (stateAddress + VM_REGS + register * 8) >>> 2) as [number, number, number, number];
    return (rounds, _fn, _context, flags) => {
      const insnIndex = args.functionIndex(2);
      if (insnIndex < 0) return 0;
      if (flags !== 0 || args.upperHalf(4) !== 0) return -EINVAL;
      const count = rounds >>> 0;
      if (count > BPF_MAX_LOOPS) return -E2BIG;
      const [contextLow, contextHigh] = [u32[r3], u32[r3 + 1]];
      for (let index = 0; index < count; index++) {
        u32[r1] = index;
        u32[r1 + 1] = 0;
        u32[r2] = contextLow;
        u32[r2 + 1] = contextHigh;
        if (!callback(insnIndex)) return 0;
        if (u32[r0] !== 0 || u32[r0 + 1] !== 0) return index + 1;
      }
      return count;
    };
  },
};
