// What a program may touch: its packet, its stack, its context and the rows of the access table.

import {
  ACCESS_END, ACCESS_FLAGS, ACCESS_ROW_BYTES, ACCESS_START, ACCESS_STRIDE, ACCESS_VALUE_BYTES, ACCESS_WRITABLE,
  FAULT_ACCESS, FAULT_ATOMIC, FAULT_CONTEXT, FAULT_READ_ONLY, PROG_CONTEXT_BYTES,
  VM_ACCESS_COUNT, VM_ACCESS_TABLE, VM_CONTEXT, VM_LAST_ROW, VM_PROGRAM, VM_STACK_BOTTOM, VM_STATE_BYTES,
  XDP_MD_BYTES, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META, XDP_MD_INGRESS_IFINDEX,
} from '../../layout';
import { refuse, state } from './state';

// Kinds of access, bits of one number.
export const READ: u32 = 0;
export const WRITE: u32 = 1;
export const ATOMIC: u32 = 2;
/** A sign-extending load. */
export const SIGNED: u32 = 4;

/** The host address of an access that is allowed, or 0 with the fault record filled in. */
export function access(address: u64, sizeBytes: u32, kind: u32): u32 {
  if (address >> 32 != 0) return refuse(FAULT_ACCESS, address, sizeBytes, (kind & WRITE) != 0);
  const end = address + u64(sizeBytes);

  // Read afresh each time, because a helper may have moved the packet. Without room for metadata data_meta is data + 1.
  const context = load<u32>(state, VM_CONTEXT);
  const packet = min(load<u32>(context, XDP_MD_DATA), load<u32>(context, XDP_MD_DATA_META));
  if (address >= u64(packet) && end <= u64(load<u32>(context, XDP_MD_DATA_END))) {
    return (kind & ATOMIC) != 0 ? refuse(FAULT_ATOMIC, address, sizeBytes, (kind & WRITE) != 0) : u32(address);
  }
  if (address >= u64(load<u32>(state, VM_STACK_BOTTOM)) && end <= u64(state + VM_STATE_BYTES)) {
    return checkAlignment(address, sizeBytes, kind);
  }
  if (address < u64(context + XDP_MD_BYTES) && end > u64(context)) return accessContext(address, sizeBytes, kind, context);
  return accessTable(u32(address), sizeBytes, kind);
}

function checkAlignment(address: u64, sizeBytes: u32, kind: u32): u32 {
  if ((kind & ATOMIC) != 0 && (u32(address) & (sizeBytes - 1)) != 0) {
    return refuse(FAULT_ATOMIC, address, sizeBytes, (kind & WRITE) != 0);
  }
  return u32(address);
}

/** The rules of xdp_is_valid_access (net/core/filter.c): aligned 4-byte loads only, no sign extension of a pointer, and not every field in every program. */
function accessContext(address: u64, sizeBytes: u32, kind: u32, context: u32): u32 {
  const isWrite = (kind & WRITE) != 0;
  if ((kind & ATOMIC) != 0) return refuse(FAULT_ATOMIC, address, sizeBytes, isWrite);
  const offset = u32(address) - context;
  const isPointer = offset < u32(XDP_MD_INGRESS_IFINDEX);
  const readableBytes = load<u32>(load<u32>(state, VM_PROGRAM), PROG_CONTEXT_BYTES);
  if (isWrite || sizeBytes != 4 || (offset & 3) != 0 || offset >= readableBytes || ((kind & SIGNED) != 0 && isPointer)) {
    return refuse(FAULT_CONTEXT, address, sizeBytes, isWrite);
  }
  return u32(address);
}

function accessTable(address: u32, sizeBytes: u32, kind: u32): u32 {
  const isWrite = (kind & WRITE) != 0;
  const row = findRow(address);
  if (row == 0) return refuse(FAULT_ACCESS, address, sizeBytes, isWrite);
  const stride = load<u32>(row, ACCESS_STRIDE);
  const valueBytes = load<u32>(row, ACCESS_VALUE_BYTES);
  let offset = address - load<u32>(row, ACCESS_START);
  if (offset >= valueBytes && stride != 0) offset %= stride;
  if (u64(offset) + sizeBytes > u64(valueBytes) || u64(address) + sizeBytes > u64(load<u32>(row, ACCESS_END))) {
    return refuse(FAULT_ACCESS, address, sizeBytes, isWrite);
  }
  if (isWrite && (load<u32>(row, ACCESS_FLAGS) & ACCESS_WRITABLE) == 0) return refuse(FAULT_READ_ONLY, address, sizeBytes, true);
  return checkAlignment(address, sizeBytes, kind);
}

/** Row of the access table that holds this address, or 0; tries the row of the last hit first. */
function findRow(address: u32): u32 {
  const table = load<u32>(state, VM_ACCESS_TABLE);
  const count = load<u32>(state, VM_ACCESS_COUNT);
  const last = load<u32>(state, VM_LAST_ROW);
  if (last < count) {
    const row = table + last * ACCESS_ROW_BYTES;
    if (address >= load<u32>(row, ACCESS_START) && address < load<u32>(row, ACCESS_END)) return row;
  }
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(table + middle * ACCESS_ROW_BYTES, ACCESS_START) <= address) low = middle + 1;
    else high = middle;
  }
  if (low == 0) return 0;
  const row = table + (low - 1) * ACCESS_ROW_BYTES;
  if (address >= load<u32>(row, ACCESS_END)) return 0;
  store<u32>(state, low - 1, VM_LAST_ROW);
  return row;
}
