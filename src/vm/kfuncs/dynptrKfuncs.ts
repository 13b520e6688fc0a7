import { E2BIG, EINVAL, ERANGE } from '../../base/index.js';
import { DYNPTR_XDP, NULL_DYNPTR } from '../dynptrs.js';
import type { Dynptr } from '../dynptrs.js';
import { checkDynptrRange, dynptrArgument, dynptrSlice, isDynptrPlace, readDynptr, writeDynptr } from '../helpers/dynptrBytes.js';
import type { HelperContext, HelperSupport } from '../helpers/helper.js';
import { RETURN_INT, RETURN_U32 } from '../layout.js';
import { packetBytes } from '../xdpBuffer.js';

/** Bytes that are copied at a time where there is no piece of memory (`char buf[256]`). */
const CHUNK_BYTES = 256;

/** bpf_dynptr_from_xdp(xdp, flags, ptr) (net/core/filter.c, 6.18): the packet as long as it is now. */
export const dynptrFromXdp: HelperSupport = {
  args: ['ptr_to_ctx', 'anything', 'ptr_to_dynptr'],
  returns: RETURN_INT,
  make: (context) => (xdp, flags, ptr) => {
    const { args, memory, contextAddress, dynptrs } = context;
    if (!args.isContext(1) || !isDynptrPlace(context, 3, ptr)) return 0;
    const isWrong = flags !== 0 || args.upperHalf(2) !== 0;
    const sizeBytes = packetBytes(memory.u32, contextAddress);
    dynptrs.set(ptr >>> 0, isWrong ? NULL_DYNPTR : { type: DYNPTR_XDP, dataAddress: xdp >>> 0, sizeBytes, offBytes: 0, reference: undefined });
    return isWrong ? -EINVAL : 0;
  },
};

/** bpf_dynptr_slice(p, offset, buffer__opt, buffer__szk) (kernel/bpf/helpers.c, 6.18). */
export const dynptrSliceKfunc: HelperSupport = {
  args: ['ptr_to_dynptr', 'anything', 'ptr_to_mem_or_null', 'const_size_or_zero'],
  returns: RETURN_U32,
  make: (context) => (ptr, offset, buffer, size) => {
    const { args } = context;
    const dynptr = dynptrArgument(context, 1, ptr);
    if (dynptr === undefined || !args.isSize(4, true)) return 0;
    const hasBuffer = buffer !== 0 || args.upperHalf(3) !== 0;
    if (hasBuffer && size > 0 && !args.isMemory(3, size, true)) return 0;
    return dynptrSlice(context, dynptr, offset >>> 0, buffer >>> 0, size);
  },
};

/** bpf_dynptr_slice_rdwr: nothing that an XDP program can make a dynptr of is read-only. */
export const dynptrSliceRdwr: HelperSupport = dynptrSliceKfunc;

/** bpf_dynptr_adjust(p, start, end): what is left is the bytes from `start` to before `end`. */
export const dynptrAdjust: HelperSupport = {
  args: ['ptr_to_dynptr', 'anything', 'anything'],
  returns: RETURN_INT,
  make: (context) => (ptr, startArgument, endArgument) => {
    const dynptr = dynptrArgument(context, 1, ptr);
    if (dynptr === undefined) return 0;
    const [start, end] = [startArgument >>> 0, endArgument >>> 0];
    if (dynptr.dataAddress === 0 || start > end) return -EINVAL;
    if (start > dynptr.sizeBytes || end > dynptr.sizeBytes) return -ERANGE;
    context.dynptrs.set(ptr >>> 0, { ...dynptr, offBytes: dynptr.offBytes + start, sizeBytes: end - start });
    return 0;
  },
};

/** bpf_dynptr_is_null(p). */
export const dynptrIsNull: HelperSupport = asking((dynptr) => (dynptr.dataAddress === 0 ? 1 : 0));

/** bpf_dynptr_is_rdonly(p). */
export const dynptrIsRdonly: HelperSupport = asking(() => 0);

/** bpf_dynptr_size(p): -EINVAL as a u32 for a null dynptr. */
export const dynptrSize: HelperSupport = asking((dynptr) => (dynptr.dataAddress === 0 ? -EINVAL : dynptr.sizeBytes));

/** bpf_dynptr_clone(p, clone): clones are adjusted each by itself. */
export const dynptrClone: HelperSupport = {
  args: ['ptr_to_dynptr', 'ptr_to_dynptr'],
  returns: RETURN_INT,
  make: (context) => (ptr, clone) => {
    const dynptr = dynptrArgument(context, 1, ptr);
    if (dynptr === undefined || !isDynptrPlace(context, 2, clone)) return 0;
    context.dynptrs.set(clone >>> 0, dynptr);
    return dynptr.dataAddress === 0 ? -EINVAL : 0;
  },
};

/**
 * bpf_dynptr_copy(dst, dst_off, src, src_off, size) (kernel/bpf/helpers.c, 6.18): 0 or a negated errno. Overlapping ranges are moved. The
 * kernel does so in one piece of memory; across buffers of a packet it calls memcpy, whose order is that of the CPU.
 */
export const dynptrCopy: HelperSupport = {
  args: ['ptr_to_dynptr', 'anything', 'ptr_to_dynptr', 'anything', 'anything'],
  returns: RETURN_INT,
  make: (context) => {
    const { memory } = context;
    const chunk = memory.reserve('buffer of bpf_dynptr_copy', CHUNK_BYTES);
    return (dst, dstOffset, src, srcOffset, sizeArgument) => {
      const to = dynptrArgument(context, 1, dst);
      const from = to === undefined ? undefined : dynptrArgument(context, 3, src);
      if (to === undefined || from === undefined) return 0;
      const [toOff, fromOff, size] = [dstOffset >>> 0, srcOffset >>> 0, sizeArgument >>> 0];
      const fromPiece = dynptrSlice(context, from, fromOff, 0, size);
      const toPiece = dynptrSlice(context, to, toOff, 0, size);
      if (fromPiece !== 0 && toPiece !== 0) {
        memory.u8.copyWithin(toPiece, fromPiece, fromPiece + size);
        return 0;
      }
      if (fromPiece !== 0) return writeDynptr(context, to, toOff, fromPiece, size);
      if (toPiece !== 0) return readDynptr(context, from, fromOff, toPiece, size);
      if (checkDynptrRange(to, toOff, size) !== 0 || checkDynptrRange(from, fromOff, size) !== 0) return -E2BIG;
      return inChunks(size, (off, len) => readDynptr(context, from, fromOff + off, chunk, len) || writeDynptr(context, to, toOff + off, chunk, len));
    };
  },
};

/** bpf_dynptr_memset(p, offset, size, val) (kernel/bpf/helpers.c, 6.18): 0 or a negated errno. */
export const dynptrMemset: HelperSupport = {
  args: ['ptr_to_dynptr', 'anything', 'anything', 'anything'],
  returns: RETURN_INT,
  make: (context) => {
    const { memory } = context;
    const chunk = memory.reserve('buffer of bpf_dynptr_memset', CHUNK_BYTES);
    return (ptr, offsetArgument, sizeArgument, value) => {
      const dynptr = dynptrArgument(context, 1, ptr);
      if (dynptr === undefined) return 0;
      const [offset, size] = [offsetArgument >>> 0, sizeArgument >>> 0];
      const piece = dynptrSlice(context, dynptr, offset, 0, size);
      if (piece !== 0) {
        memory.u8.fill(value, piece, piece + size);
        return 0;
      }
      if (checkDynptrRange(dynptr, offset, size) !== 0) return -E2BIG;
      memory.u8.fill(value, chunk, chunk + CHUNK_BYTES);
      return inChunks(size, (off, len) => writeDynptr(context, dynptr, offset + off, chunk, len));
    };
  },
};

function asking(answer: (dynptr: Dynptr) => number): HelperSupport {
  return {
    args: ['ptr_to_dynptr'],
    returns: RETURN_U32,
    make: (context: HelperContext) => (ptr) => {
      const dynptr = dynptrArgument(context, 1, ptr);
      return dynptr === undefined ? 0 : answer(dynptr);
    },
  };
}

/** Goes through `size` bytes piece by piece; the first error ends it. */
function inChunks(size: number, step: (off: number, len: number) => number): number {
  for (let off = 0; off < size; off += CHUNK_BYTES) {
    const error = step(off, Math.min(CHUNK_BYTES, size - off));
    if (error !== 0) return error;
  }
  return 0;
}
