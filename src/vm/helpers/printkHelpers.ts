import { EINVAL } from '../../base/index.js';
import { RETURN_INT, VM_REGS } from '../layout.js';
import { bprintf } from './bprintf.js';
import type { BprintfArguments } from './bprintf.js';
import type { HelperContext, HelperSupport } from './helper.js';

/** Registers r3 to r5 hold the values. */
const FIRST_VALUE_REGISTER = 3;
const MAX_VALUES = 3;

/**
 * bpf_trace_printk(fmt, fmt_size, ...) (kernel/trace/bpf_trace.c, 6.18): the length of the line or a negated errno. The line goes to
 * the environment without a newline at its end, as the kernel's own log adds one.
 */
export const tracePrintk: HelperSupport = {
  args: ['ptr_to_mem', 'const_size', 'anything', 'anything', 'anything'],
  returns: RETURN_INT,
  make: (context) => {
    const { args, memory, environment } = context;
    const values = registerValues(context);
    return (format, formatSize) => {
      if (!args.isSize(2, false) || !args.isMemory(1, formatSize, false)) return 0;
      const start = format >>> 0;
      const bytes = memory.u8.subarray(start, start + formatSize);
      const end = bytes.indexOf(0);
      if (end < 0) return -EINVAL;
      const { returned, line } = bprintf(bytes.subarray(0, end), values);
      if (returned >= 0) environment.onPrintk(line.endsWith('\n') ? line.slice(0, -1) : line);
      return returned;
    };
  },
};

/** r3, r4 and r5 as values of a format. */
function registerValues({ args, memory, stateAddress }: HelperContext): BprintfArguments {
  const addressOf = (index: number): number => stateAddress + VM_REGS + (FIRST_VALUE_REGISTER + index) * 8;
  return {
    count: MAX_VALUES,
    u64: (index) => memory.view.getBigUint64(addressOf(index), true),
    read: (index, sizeBytes) => {
      if (args.upperHalf(FIRST_VALUE_REGISTER + index) !== 0) return new Uint8Array(0);
      const address = memory.u32[addressOf(index) >>> 2];
      return memory.u8.subarray(address, address + Math.min(sizeBytes, args.readableBytes(address)));
    },
  };
}
