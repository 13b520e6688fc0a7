import { EINVAL } from '../../base/index.js';
import { RETURN_INT, VM_REGS } from '../layout.js';
import { bprintf, bprintfBytes } from './bprintf.js';
import type { BprintfArguments } from './bprintf.js';
import type { HelperContext, HelperSupport } from './helper.js';

/** Registers r3 to r5 hold the values. */
const FIRST_VALUE_REGISTER = 3;
const MAX_VALUES = 3;

/** Values that can stand in memory (MAX_BPRINTF_VARARGS), 8 bytes each. */
const MAX_VARARGS = 12;
const VALUE_BYTES = 8;

/**
 * bpf_trace_printk(fmt, fmt_size, ...) (kernel/trace/bpf_trace.c, 6.18): the length of the line or a negated errno. The line goes to
 * the environment without a newline at its end, as the kernel's own log adds one.
 */
export const tracePrintk: HelperSupport = {
  args: ['ptr_to_mem', 'const_size', 'anything', 'anything', 'anything'],
  returns: RETURN_INT,
  make: (context) => {
    const values = registerValues(context);
    return (format, formatSize) => printLine(context, format, formatSize, values);
  },
};

/** bpf_trace_vprintk(fmt, fmt_size, data, data_len) (kernel/trace/bpf_trace.c, 6.18): as bpf_trace_printk, with up to 12 values in memory. */
export const traceVprintk: HelperSupport = {
  args: ['ptr_to_mem', 'const_size', 'ptr_to_mem_or_null', 'const_size_or_zero'],
  returns: RETURN_INT,
  make: (context) => (format, formatSize, data, dataLen) => {
    const { args } = context;
    if (!args.isSize(4, true) || (dataLen > 0 && !args.isMemory(3, dataLen, false))) return 0;
    return isValuesLength(dataLen) ? printLine(context, format, formatSize, memoryValues(context, data >>> 0, dataLen)) : -EINVAL;
  },
};

/**
 * bpf_snprintf(str, str_size, fmt, data, data_len) (kernel/bpf/helpers.c, 6.18): the length of the whole text with its NUL, or a negated
 * errno. What fits, and a NUL, goes to `str`.
 */
export const snprintf: HelperSupport = {
  args: ['ptr_to_mem_or_null', 'const_size_or_zero', 'ptr_to_const_str', 'ptr_to_mem_or_null', 'const_size_or_zero'],
  returns: RETURN_INT,
  make: (context) => (str, strSize, fmt, data, dataLen) => {
    const { args, memory } = context;
    if (!args.isSize(2, true) || (strSize > 0 && !args.isMemory(1, strSize, true))) return 0;
    const formatBytes = args.constStringBytes(3);
    if (formatBytes < 0 || !args.isSize(5, true) || (dataLen > 0 && !args.isMemory(4, dataLen, false))) return 0;
    if (!isValuesLength(dataLen)) return -EINVAL;
    const format = memory.u8.subarray(fmt >>> 0, (fmt >>> 0) + formatBytes);
    const { returned, text } = bprintfBytes(format, memoryValues(context, data >>> 0, dataLen), strSize);
    // The verifier has read the format too.
    if (returned === -EINVAL) return Number(args.refuse(3, 0, false));
    if (returned < 0) return returned;
    if (strSize > 0) {
      const start = str >>> 0;
      memory.u8.set(text, start);
      memory.u8[start + text.length] = 0;
    }
    return returned + 1;
  },
};

function printLine({ args, memory, environment }: HelperContext, format: number, formatSize: number, values: BprintfArguments): number {
  if (!args.isSize(2, false) || !args.isMemory(1, formatSize, false)) return 0;
  const start = format >>> 0;
  const bytes = memory.u8.subarray(start, start + formatSize);
  const end = bytes.indexOf(0);
  if (end < 0) return -EINVAL;
  const { returned, line } = bprintf(bytes.subarray(0, end), values);
  if (returned >= 0) environment.onPrintk(line.endsWith('\n') ? line.slice(0, -1) : line);
  return returned;
}

function isValuesLength(dataLen: number): boolean {
  return dataLen % VALUE_BYTES === 0 && dataLen <= MAX_VARARGS * VALUE_BYTES;
}

/** r3, r4 and r5 as values of a format. */
function registerValues(context: HelperContext): BprintfArguments {
  return valuesAt(context, context.stateAddress + VM_REGS + FIRST_VALUE_REGISTER * VALUE_BYTES, MAX_VALUES);
}

/** Values of a format that stand in memory. */
function memoryValues(context: HelperContext, address: number, sizeBytes: number): BprintfArguments {
  return valuesAt(context, address, sizeBytes / VALUE_BYTES);
}

function valuesAt({ args, memory }: HelperContext, start: number, count: number): BprintfArguments {
  const { u8, view } = memory;
  return {
    count,
    u64: (index) => view.getBigUint64(start + index * VALUE_BYTES, true),
    read: (index, sizeBytes) => {
      const at = start + index * VALUE_BYTES;
      if (view.getUint32(at + 4, true) !== 0) return new Uint8Array(0);
      const address = view.getUint32(at, true);
      return u8.subarray(address, address + Math.min(sizeBytes, args.readableBytes(address)));
    },
  };
}
