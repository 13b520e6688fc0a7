import { EINVAL, hasChange, NEWEST_KERNEL } from '../../base/index.js';
import { csumDifference, csumFrom32To16 } from '../../packet/index.js';
import { RETURN_U64, VM_REGS } from '../layout.js';
import type { HelperContext, HelperFunction, HelperSupport } from './helper.js';

/** Bytes that the per-CPU scratchpad of bpf_csum_diff holds, MAX_BPF_STACK (up to 6.12). */
const SCRATCHPAD_BYTES = 512;
const TWO_TO_32 = 2 ** 32;

/**
 * bpf_csum_diff(from, from_size, to, to_size, seed) (net/core/filter.c): the sum of `to` minus that of `from`, plus `seed`. Since 6.13 the
 * result is folded to 16 bits and sizes needn't be multiples of 4.
 */
export const csumDiff: HelperSupport = {
  args: ['ptr_to_mem_or_null', 'const_size_or_zero', 'ptr_to_mem_or_null', 'const_size_or_zero', 'anything'],
  returns: RETURN_U64,
  make: (context) => {
    const { args, environment, stateAddress } = context;
    const { u32 } = context.memory;
    const compute = hasChange(environment.kernel ?? NEWEST_KERNEL, 'anyCsumDiffSize') ? diffOfBytes(context) : diffOfWords(context);
    const r0 = (stateAddress + VM_REGS) >>> 2;
    return (from, fromSize, to, toSize, seed) => {
      if (!args.isSize(2, true) || !args.isSize(4, true)) return 0;
      if (fromSize > 0 && !args.isMemory(1, fromSize, false)) return 0;
      if (toSize > 0 && !args.isMemory(3, toSize, false)) return 0;
      const result = compute(from >>> 0, fromSize, to >>> 0, toSize, seed >>> 0);
      // A sum of 32 bits is not negative, an errno is.
      u32[r0] = result;
      u32[r0 + 1] = result < 0 ? 0xffffffff : 0;
      return 0;
    };
  },
};

function diffOfBytes({ memory: { u8 } }: HelperContext): HelperFunction {
  return (from, fromSize, to, toSize, seed) => csumFrom32To16(csumDifference(u8, from, fromSize, to, toSize, seed));
}

/** Up to 6.12: both are copied behind each other into the scratchpad, the first one inverted, and summed up by csum_partial. */
function diffOfWords({ memory: { view } }: HelperContext): HelperFunction {
  return (from, fromSize, to, toSize, seed) => {
    if (((fromSize | toSize) & 3) !== 0 || fromSize + toSize > SCRATCHPAD_BYTES) return -EINVAL;
    let sum = seed;
    for (let off = 0; off < fromSize; off += 4) sum += ~view.getUint32(from + off, true) >>> 0;
    for (let off = 0; off < toSize; off += 4) sum += view.getUint32(to + off, true);
    // Carries added back: 0 only when all is 0.
    while (sum >= TWO_TO_32) sum = (sum % TWO_TO_32) + Math.floor(sum / TWO_TO_32);
    return sum;
  };
}
