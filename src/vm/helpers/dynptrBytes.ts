import { E2BIG, EINVAL } from '../../base/index.js';
import { DYNPTR_BYTES, DYNPTR_XDP } from '../dynptrs.js';
import type { Dynptr } from '../dynptrs.js';
import { contextSharedInfo, fragmentAddress, fragmentCount, fragmentLen, linearBytes } from '../xdpBuffer.js';
import { ACCESS_OK } from '../accessTable.js';
import { ACCESS_MAX_ROWS, XDP_MD_DATA } from '../layout.js';
import type { HelperContext } from './helper.js';
import { checkPacketRange, copyPacketBytes } from './xdpBytesHelpers.js';

// Reading and writing what a dynptr stands for (kernel/bpf/helpers.c, 6.18). Offsets and lengths are u32.

/** The dynptr that a register points to; `undefined`, and reported, when there is none (any more). */
export function dynptrArgument({ args, dynptrs }: HelperContext, register: number, address: number): Dynptr | undefined {
  const dynptr = args.upperHalf(register) === 0 ? dynptrs.at(address >>> 0) : undefined;
  if (dynptr === undefined) args.refuse(register, DYNPTR_BYTES, false);
  return dynptr;
}

/** The register points to a place on the stack where a new dynptr can be made. */
export function isDynptrPlace({ args, dynptrs }: HelperContext, register: number, address: number): boolean {
  if (!args.isStack(register, DYNPTR_BYTES)) return false;
  return dynptrs.isHeldAt(address >>> 0) ? args.refuse(register, DYNPTR_BYTES, true) : true;
}

/** bpf_dynptr_check_off_len: 0 or -E2BIG. */
export function checkDynptrRange({ sizeBytes }: Dynptr, offset: number, len: number): number {
  return len > sizeBytes || offset > sizeBytes - len ? -E2BIG : 0;
}

/** __bpf_dynptr_read without flags: copies to `to`; 0 or a negated errno. */
export function readDynptr(context: HelperContext, dynptr: Dynptr, offset: number, to: number, len: number): number {
  if (dynptr.dataAddress === 0) return -EINVAL;
  return checkDynptrRange(dynptr, offset, len) || copyBytes(context, dynptr, offset, to, len, false);
}

/** __bpf_dynptr_write without flags: copies from `from`; 0 or a negated errno. */
export function writeDynptr(context: HelperContext, dynptr: Dynptr, offset: number, from: number, len: number): number {
  if (dynptr.dataAddress === 0) return -EINVAL;
  return checkDynptrRange(dynptr, offset, len) || copyBytes(context, dynptr, offset, from, len, true);
}

function copyBytes({ memory, contextAddress }: HelperContext, dynptr: Dynptr, offset: number, other: number, len: number, isWrite: boolean): number {
  const start = dynptr.offBytes + offset;
  if (dynptr.type === DYNPTR_XDP) {
    const error = checkPacketRange(memory, contextAddress, start, len);
    if (error === 0) copyPacketBytes(memory, contextAddress, start, other, len, isWrite);
    return error;
  }
  const at = dynptr.dataAddress + start;
  if (isWrite) memory.u8.copyWithin(at, other, other + len);
  else memory.u8.copyWithin(other, at, at + len);
  return 0;
}

/**
 * bpf_dynptr_slice: address of `len` bytes in one piece, 0 when there are none.
 *
 * @param buffer where the bytes are put that lie in more than one buffer of a packet, 0 for nowhere
 */
export function dynptrSlice(context: HelperContext, dynptr: Dynptr, offset: number, buffer: number, len: number): number {
  if (dynptr.dataAddress === 0 || checkDynptrRange(dynptr, offset, len) !== 0) return 0;
  const start = dynptr.offBytes + offset;
  if (dynptr.type !== DYNPTR_XDP) return dynptr.dataAddress + start;
  const piece = checkPacketRange(context.memory, context.contextAddress, start, len) === 0 ? packetPiece(context, start, len) : 0;
  if (piece !== 0 || buffer === 0) return piece;
  copyPacketBytes(context.memory, context.contextAddress, start, buffer, len, false);
  return buffer;
}

/** bpf_xdp_pointer for a range inside the packet: its address when it lies in one buffer, else 0. */
function packetPiece(context: HelperContext, offset: number, len: number): number {
  const { memory: { u32 }, contextAddress } = context;
  const linear = linearBytes(u32, contextAddress);
  if (offset < linear) return offset + len <= linear ? u32[(contextAddress + XDP_MD_DATA) >>> 2] + offset : 0;
  const sharedInfo = contextSharedInfo(u32, contextAddress);
  let skip = offset - linear;
  for (let index = 0; index < fragmentCount(u32, contextAddress); index++) {
    const size = fragmentLen(u32, sharedInfo, index);
    if (skip < size) return skip + len <= size && lendFragment(context, fragmentAddress(u32, sharedInfo, index), size) ? fragmentAddress(u32, sharedInfo, index) + skip : 0;
    skip -= size;
  }
  return 0;
}

/** Lets the program touch a fragment until its run ends; false when there is no room for one more. */
function lendFragment({ accessTable }: HelperContext, start: number, sizeBytes: number): boolean {
  if (accessTable.check(start, sizeBytes, true) === ACCESS_OK) return true;
  if (accessTable.count === ACCESS_MAX_ROWS) return false;
  accessTable.lend({ start, end: start + sizeBytes, strideBytes: sizeBytes, valueBytes: sizeBytes, writable: true });
  return true;
}
