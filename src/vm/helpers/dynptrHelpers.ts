import { E2BIG, EINVAL } from '../../base/index.js';
import { ACCESS_OK } from '../accessTable.js';
import { DYNPTR_LOCAL, DYNPTR_MAX_SIZE, DYNPTR_XDP, NULL_DYNPTR } from '../dynptrs.js';
import { RETURN_INT, RETURN_U32, VM_REGS } from '../layout.js';
import { checkDynptrRange, dynptrArgument, isDynptrPlace, readDynptr, writeDynptr } from './dynptrBytes.js';
import type { HelperSupport } from './helper.js';

/** bpf_dynptr_from_mem(data, size, flags, ptr) (kernel/bpf/helpers.c, 6.18): `data` is in a map value. Any error leaves a null dynptr. */
export const dynptrFromMem: HelperSupport = {
  args: ['ptr_to_uninit_mem', 'const_size_or_zero', 'anything', 'ptr_to_dynptr'],
  returns: RETURN_INT,
  make: (context) => (data, size, flags, ptr) => {
    const { args, accessTable, dynptrs } = context;
    if (!args.isSize(2, true)) return 0;
    if (args.upperHalf(1) !== 0 || accessTable.check(data >>> 0, Math.max(1, size), true) !== ACCESS_OK) return Number(args.refuse(1, size, true));
    if (!isDynptrPlace(context, 4, ptr)) return 0;
    const error = size > DYNPTR_MAX_SIZE ? -E2BIG : flags !== 0 || args.upperHalf(3) !== 0 ? -EINVAL : 0;
    const dynptr = { type: DYNPTR_LOCAL, dataAddress: data >>> 0, sizeBytes: size, offBytes: 0, reference: undefined };
    dynptrs.set(ptr >>> 0, error === 0 ? dynptr : NULL_DYNPTR);
    return error;
  },
};

/** bpf_dynptr_read(dst, len, src, offset, flags) (kernel/bpf/helpers.c, 6.18): 0 or a negated errno. */
export const dynptrRead: HelperSupport = {
  args: ['ptr_to_uninit_mem', 'const_size_or_zero', 'ptr_to_dynptr', 'anything', 'anything'],
  returns: RETURN_INT,
  make: (context) => (dst, len, src, offset, flags) => {
    const { args } = context;
    if (!args.isSize(2, true) || (len > 0 && !args.isMemory(1, len, true))) return 0;
    const dynptr = dynptrArgument(context, 3, src);
    if (dynptr === undefined) return 0;
    if (flags !== 0 || args.upperHalf(5) !== 0) return -EINVAL;
    return readDynptr(context, dynptr, offset >>> 0, dst >>> 0, len);
  },
};

/** bpf_dynptr_write(dst, offset, src, len, flags) (kernel/bpf/helpers.c, 6.18): 0 or a negated errno. */
export const dynptrWrite: HelperSupport = {
  args: ['ptr_to_dynptr', 'anything', 'ptr_to_mem', 'const_size_or_zero', 'anything'],
  returns: RETURN_INT,
  make: (context) => {
    const { args, memory, stateAddress } = context;
    const flags = (stateAddress + VM_REGS + 5 * 8) >>> 2;
    return (dst, offset, src, len) => {
      const dynptr = dynptrArgument(context, 1, dst);
      if (dynptr === undefined || !args.isSize(4, true) || (len > 0 && !args.isMemory(3, len, false))) return 0;
      const hasFlags = memory.u32[flags] !== 0 || memory.u32[flags + 1] !== 0;
      if (hasFlags) return dynptr.dataAddress === 0 ? -EINVAL : checkDynptrRange(dynptr, offset >>> 0, len) || -EINVAL;
      return writeDynptr(context, dynptr, offset >>> 0, src >>> 0, len);
    };
  },
};

/** bpf_dynptr_data(ptr, offset, len) (kernel/bpf/helpers.c, 6.18): address of the memory itself; NULL for a packet, which need not be in one piece. */
export const dynptrData: HelperSupport = {
  args: ['ptr_to_dynptr', 'anything', 'const_alloc_size_or_zero'],
  returns: RETURN_U32,
  make: (context) => (ptr, offset, len) => {
    const dynptr = dynptrArgument(context, 1, ptr);
    if (dynptr === undefined || dynptr.dataAddress === 0 || dynptr.type === DYNPTR_XDP) return 0;
    return checkDynptrRange(dynptr, offset >>> 0, len >>> 0) === 0 ? dynptr.dataAddress + dynptr.offBytes + (offset >>> 0) : 0;
  },
};
