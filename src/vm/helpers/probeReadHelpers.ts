import { EFAULT, ERANGE } from '../../base/index.js';
import { RETURN_INT, VM_REGS, XDP_BUFF_FRAME_SZ, XDP_BUFF_HARD_START } from '../layout.js';
import type { HelperContext, HelperFunction, HelperSupport } from './helper.js';

// bpf_probe_read_kernel and its kin (kernel/trace/bpf_trace.c, 6.18) on a machine whose kernel memory is what the program has anyhow: its
// stack, the whole buffer of its packet, its map values. Where else in host memory something lies that a kernel would keep in structures
// of its own (the context, a map) its bytes can't be those of a kernel, so a read there stops the program. There is no user memory.

/** First half of an address above the hole between user and kernel, and the page in there that is neither (4-level paging, x86-64). */
const KERNEL_HIGH = 0xffff8000;
const VSYSCALL_HIGH = 0xffffffff;
const VSYSCALL_PAGE = 0xff600;

/** First half of the first address that is no user's (TASK_SIZE_MAX). */
const USER_END_HIGH = 0x8000;

/** The register that holds the address. */
const SOURCE = 3;

/** bpf_probe_read_kernel(dst, size, unsafe_ptr): 0, -EFAULT where nothing is mapped, -ERANGE where no kernel memory can be; then dst is zeroed. */
export const probeReadKernel: HelperSupport = {
  args: ['ptr_to_uninit_mem', 'const_size_or_zero', 'anything'],
  returns: RETURN_INT,
  make: (context) => reading(context, (dst, size, source) => {
    if (!isKernelAddress(context)) return -ERANGE;
    if (size === 0) return 0;
    if (!isHostMemory(context)) return -EFAULT;
    if (bytesThere(context, source) < size) return undefined;
    context.memory.u8.copyWithin(dst, source, source + size);
    return 0;
  }),
};

/** bpf_probe_read_kernel_str(dst, size, unsafe_ptr): length with NUL of the text that is now in dst, cut if need be; errors as above. */
export const probeReadKernelStr: HelperSupport = {
  args: ['ptr_to_uninit_mem', 'const_size_or_zero', 'anything'],
  returns: RETURN_INT,
  make: (context) => reading(context, (dst, size, source) => {
    if (size === 0) return 0;
    if (!isKernelAddress(context)) return -ERANGE;
    if (!isHostMemory(context)) return -EFAULT;
    const { u8 } = context.memory;
    const there = bytesThere(context, source);
    for (let i = 0; i < size; i++) {
      if (i === there) return undefined;
      u8[dst + i] = u8[source + i];
      if (u8[dst + i] === 0) return i + 1;
    }
    u8[dst + size - 1] = 0;
    return size;
  }),
};

/** bpf_probe_read_user(dst, size, unsafe_ptr): nothing is mapped in user space. */
export const probeReadUser: HelperSupport = {
  args: ['ptr_to_uninit_mem', 'const_size_or_zero', 'anything'],
  returns: RETURN_INT,
  make: (context) => reading(context, (_dst, size) => (size === 0 && isUserAddress(context) ? 0 : -EFAULT)),
};

/** bpf_probe_read_user_str(dst, size, unsafe_ptr). */
export const probeReadUserStr: HelperSupport = {
  args: ['ptr_to_uninit_mem', 'const_size_or_zero', 'anything'],
  returns: RETURN_INT,
  make: (context) => reading(context, (_dst, size) => (size === 0 ? 0 : -EFAULT)),
};

/** @param read gives the result, or `undefined` for bytes that can't be told */
function reading(context: HelperContext, read: (dst: number, size: number, source: number) => number | undefined): HelperFunction {
  const { args, memory } = context;
  return (dst, size, source) => {
    if (!args.isSize(2, true) || (size > 0 && !args.isMemory(1, size, true))) return 0;
    const start = dst >>> 0;
    const result = read(start, size, source >>> 0);
    if (result === undefined) return Number(args.refuse(SOURCE, size, false));
    if (result < 0) memory.u8.fill(0, start, start + size);
    return result;
  };
}

function low({ memory, stateAddress }: HelperContext): number {
  return memory.u32[(stateAddress + VM_REGS + SOURCE * 8) >>> 2];
}

/** The address points into host memory, which here is the kernel's. */
function isHostMemory(context: HelperContext): boolean {
  return context.args.upperHalf(SOURCE) === 0 && context.memory.isReserved(low(context));
}

/** copy_from_kernel_nofault_allowed (arch/x86/mm/maccess.c, 6.18). */
function isKernelAddress(context: HelperContext): boolean {
  const high = context.args.upperHalf(SOURCE);
  if (high === VSYSCALL_HIGH && low(context) >>> 12 === VSYSCALL_PAGE) return false;
  return high >= KERNEL_HIGH || isHostMemory(context);
}

function isUserAddress(context: HelperContext): boolean {
  return context.args.upperHalf(SOURCE) < USER_END_HIGH && !isHostMemory(context);
}

/** Bytes from `address` on that are those which a kernel would have there. */
function bytesThere({ args, memory, contextAddress }: HelperContext, address: number): number {
  const hardStart = memory.u32[(contextAddress + XDP_BUFF_HARD_START) >>> 2];
  const hardEnd = hardStart + memory.u32[(contextAddress + XDP_BUFF_FRAME_SZ) >>> 2];
  return address >= hardStart && address < hardEnd ? hardEnd - address : args.readableBytes(address);
}
