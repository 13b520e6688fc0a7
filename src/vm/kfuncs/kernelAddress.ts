import type { HelperContext } from '../helpers/helper.js';

/** Addresses below are never mapped (HostMemory). */
const FIRST_ADDRESS = 65536;
/** Upper half of the lowest address that belongs to the kernel. */
const KERNEL_HIGH = 0xffff8000;

/**
 * Where a pointer leads that the kernel follows without having proved it (copy_from_kernel_nofault, mm/maccess.c, 6.18): kernel memory, which is
 * all of host memory here, whether the program may touch it or not.
 *
 * @param low lower half of the register
 * @returns an address; the first one behind host memory where the kernel has nothing mapped (-EFAULT); -1 for none of the kernel's (-ERANGE)
 */
export function kernelAddress({ args, memory }: HelperContext, register: number, low: number): number {
  const address = low >>> 0;
  const high = args.upperHalf(register);
  if (high >= KERNEL_HIGH) return memory.sizeBytes;
  return high === 0 && address >= FIRST_ADDRESS && address < memory.sizeBytes ? address : -1;
}
