import { hex } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import {
  ACCESS_END, ACCESS_ROW_BYTES, ACCESS_START, ACCESS_STRIDE, ACCESS_VALUE_BYTES, VM_ACCESS_COUNT, VM_ACCESS_TABLE, VM_CONTEXT,
  VM_DEPTH, VM_STACK, VM_STACK_BOTTOM, VM_STACK_FRAME_BYTES, VM_STATE_BYTES,
  XDP_BUFF_BYTES, XDP_BUFF_FRAME_SZ, XDP_BUFF_HARD_START, XDP_MD_BYTES, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META,
} from './layout.js';

/** Addresses below this one are never mapped (HostMemory): a NULL pointer and what lies a small offset from it. */
const NULL_PAGE_BYTES = 65536;

/**
 * Says in words why `sizeBytes` bytes at `address` are not what the program may touch: how far beyond which end of its packet, stack
 * frame, context or map value, or what else lies there.
 */
export function describePlace(memory: HostMemory, stateAddress: number, address: bigint, sizeBytes: number): string {
  if (address >> 32n !== 0n) return describeGarbage(address);
  const at = Number(address);
  if (at < NULL_PAGE_BYTES) return `${memory.describe(at)}: a pointer that can be NULL was not tested, or a number was used as one`;
  return (
    describePacket(memory, stateAddress, at, sizeBytes) ??
    describeStack(memory, stateAddress, at, sizeBytes) ??
    describeContext(memory, stateAddress, at) ??
    describeValue(memory, stateAddress, at, sizeBytes) ??
    memory.describe(at)
  );
}

function describeGarbage(address: bigint): string {
  const signed = BigInt.asIntN(64, address);
  if (signed < 0n && signed > -BigInt(NULL_PAGE_BYTES)) return `${-signed} bytes below NULL`;
  return `not an address, its upper half is ${hex(Number(address >> 32n))}`;
}

function bytes(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}

/** The whole buffer that the packet lies in belongs to the packet's story: headroom, tailroom, skb_shared_info. */
function describePacket(memory: HostMemory, stateAddress: number, at: number, sizeBytes: number): string | undefined {
  const { view } = memory;
  const context = view.getUint32(stateAddress + VM_CONTEXT, true);
  const data = view.getUint32(context + XDP_MD_DATA, true);
  const end = view.getUint32(context + XDP_MD_DATA_END, true);
  const start = Math.min(data, view.getUint32(context + XDP_MD_DATA_META, true));
  const hardStart = view.getUint32(context + XDP_BUFF_HARD_START, true);
  const hardEnd = hardStart + view.getUint32(context + XDP_BUFF_FRAME_SZ, true);
  if (at + sizeBytes <= Math.min(hardStart, start) || at >= Math.max(hardEnd, end)) return undefined;
  const length = `(its length is ${end - data})`;
  if (at >= end) return at === end ? `right behind the packet's end ${length}` : `${bytes(at - end)} beyond the packet's end ${length}`;
  if (at + sizeBytes > end) return `the last ${bytes(at + sizeBytes - end)} beyond the packet's end ${length}`;
  if (at < start) return `${bytes(start - at)} before the packet's ${start < data ? 'metadata' : 'start'}`;
  return `${bytes(at - data)} into the packet`;
}

function describeStack(memory: HostMemory, stateAddress: number, at: number, sizeBytes: number): string | undefined {
  const top = stateAddress + VM_STATE_BYTES;
  // A stretch below the lowest frame counts as stack, so that an overflow is called by its name.
  if (at < stateAddress + VM_STACK - VM_STACK_FRAME_BYTES || at >= top + VM_STACK_FRAME_BYTES) return undefined;
  const bottom = memory.view.getUint32(stateAddress + VM_STACK_BOTTOM, true);
  if (at < bottom) return `${bytes(bottom - at)} below the ${VM_STACK_FRAME_BYTES} bytes of this function's stack frame`;
  if (at + sizeBytes > top) return `${bytes(at + sizeBytes - top)} above the stack's top`;
  const frame = memory.view.getUint32(stateAddress + VM_DEPTH, true);
  return `${bytes(at - bottom)} into the stack frame${frame === 0 ? '' : ` of depth ${frame}`}`;
}

function describeContext(memory: HostMemory, stateAddress: number, at: number): string | undefined {
  const context = memory.view.getUint32(stateAddress + VM_CONTEXT, true);
  if (at < context || at >= context + XDP_BUFF_BYTES) return undefined;
  return `${bytes(at - context)} into the context, which has ${XDP_MD_BYTES}`;
}

function describeValue(memory: HostMemory, stateAddress: number, at: number, sizeBytes: number): string | undefined {
  const { view } = memory;
  const table = view.getUint32(stateAddress + VM_ACCESS_TABLE, true);
  const count = view.getUint32(stateAddress + VM_ACCESS_COUNT, true);
  for (let row = table; row < table + count * ACCESS_ROW_BYTES; row += ACCESS_ROW_BYTES) {
    const start = view.getUint32(row + ACCESS_START, true);
    if (at < start || at >= view.getUint32(row + ACCESS_END, true)) continue;
    const stride = view.getUint32(row + ACCESS_STRIDE, true);
    const valueBytes = view.getUint32(row + ACCESS_VALUE_BYTES, true);
    const offset = stride === 0 ? at - start : (at - start) % stride;
    const place = memory.describe(at);
    if (offset >= valueBytes) return `${bytes(offset - valueBytes)} beyond a value of ${bytes(valueBytes)}, ${place}`;
    if (offset + sizeBytes > valueBytes) return `the last ${bytes(offset + sizeBytes - valueBytes)} beyond a value of ${bytes(valueBytes)}, ${place}`;
    return place;
  }
  return undefined;
}
