import { EINVAL, ERANGE } from '../../base/index.js';
import { RETURN_INT } from '../layout.js';
import type { HelperContext, HelperFunction, HelperSupport } from './helper.js';
import { parseNumber } from './strtox.js';
import type { ParsedNumber } from './strtox.js';

/** Flag bits that name the base (BPF_STRTOX_BASE_MASK, kernel/bpf/helpers.c). */
const BASE_MASK = 0x1f;
const RESULT_BYTES = 8;

/** bpf_strtol(buf, buf_len, flags, res) (kernel/bpf/helpers.c, 6.18): characters used or a negated errno; *res is 0 after an error. */
export const strtol: HelperSupport = strtox(({ returned, magnitude, isNegative }) => {
  if (returned < 0) return { returned, value: 0n };
  const isTooBig = magnitude > (isNegative ? 2n ** 63n : 2n ** 63n - 1n);
  return isTooBig ? { returned: -ERANGE, value: 0n } : { returned, value: isNegative ? -magnitude : magnitude };
});

/** bpf_strtoul(buf, buf_len, flags, res) (kernel/bpf/helpers.c, 6.18): as bpf_strtol; a minus sign is an error. */
export const strtoul: HelperSupport = strtox(({ returned, magnitude, isNegative }) => {
  if (returned < 0) return { returned, value: 0n };
  return isNegative ? { returned: -EINVAL, value: 0n } : { returned, value: magnitude };
});

function strtox(judge: (parsed: ParsedNumber) => { readonly returned: number; readonly value: bigint }): HelperSupport {
  return {
    args: ['ptr_to_mem', 'const_size', 'anything', 'ptr_to_uninit_mem'],
    returns: RETURN_INT,
    make: ({ args, memory }: HelperContext): HelperFunction => (buf, bufLen, flags, res) => {
      if (!args.isSize(2, false) || !args.isMemory(1, bufLen, false) || !args.isMemory(4, RESULT_BYTES, true)) return 0;
      const result = res >>> 0;
      if (result % RESULT_BYTES !== 0) return Number(args.refuse(4, RESULT_BYTES, true));
      memory.view.setBigUint64(result, 0n, true);
      if ((flags & ~BASE_MASK) !== 0 || args.upperHalf(3) !== 0) return -EINVAL;
      const start = buf >>> 0;
      const { returned, value } = judge(parseNumber(memory.u8.subarray(start, start + bufLen), flags));
      memory.view.setBigUint64(result, BigInt.asUintN(64, value), true);
      return returned;
    },
  };
}

/** bpf_strncmp(s1, s1_sz, s2) (kernel/bpf/helpers.c, 6.18): -1, 0 or 1, up to a NUL in both or s1_sz characters. */
export const strncmp: HelperSupport = {
  args: ['ptr_to_mem', 'const_size', 'ptr_to_const_str'],
  returns: RETURN_INT,
  make: ({ args, memory }) => (s1, s1Size, s2) => {
    if (!args.isSize(2, false) || !args.isMemory(1, s1Size, false) || args.constStringBytes(3) < 0) return 0;
    const { u8 } = memory;
    const [left, right] = [s1 >>> 0, s2 >>> 0];
    for (let i = 0; i < s1Size; i++) {
      if (u8[left + i] !== u8[right + i]) return u8[left + i] < u8[right + i] ? -1 : 1;
      if (u8[left + i] === 0) return 0;
    }
    return 0;
  },
};
