import { csumDifference, csumFrom32To16 } from '../../packet/index.js';
import { RETURN_INT } from '../layout.js';
import type { HelperSupport } from './helper.js';

/**
 * bpf_csum_diff(from, from_size, to, to_size, seed) (net/core/filter.c; since 6.13 the result is folded to 16 bits and sizes
 * needn't be multiples of 4): the sum of `to` minus that of `from`, plus `seed`.
 */
export const csumDiff: HelperSupport = {
  args: ['ptr_to_mem_or_null', 'const_size_or_zero', 'ptr_to_mem_or_null', 'const_size_or_zero', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory: { u8 } }) => (from, fromSize, to, toSize, seed) => {
    if (!args.isSize(2, true) || !args.isSize(4, true)) return 0;
    if (fromSize > 0 && !args.isMemory(1, fromSize, false)) return 0;
    if (toSize > 0 && !args.isMemory(3, toSize, false)) return 0;
    return csumFrom32To16(csumDifference(u8, from >>> 0, fromSize, to >>> 0, toSize, seed >>> 0));
  },
};
