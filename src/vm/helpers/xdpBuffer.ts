import type { HostMemory } from '../../memory/index.js';
import {
  SHINFO_FRAGS, SHINFO_FRAGS_SIZE, SHINFO_FRAG_BYTES, SHINFO_NR_FRAGS, SKB_SHARED_INFO_BYTES, XDP_BUFF_FLAGS, XDP_BUFF_FRAME_SZ,
  XDP_BUFF_HARD_START, XDP_FLAGS_HAS_FRAGS, XDP_MD_DATA, XDP_MD_DATA_END,
} from '../layout.js';

// Reading struct xdp_buff and its skb_shared_info (include/net/xdp.h, 6.18; layout.ts draws ours).

/** First byte behind the room for packet data: where skb_shared_info begins (xdp_data_hard_end). */
export function dataHardEnd(memory: HostMemory, context: number): number {
  const { u32 } = memory;
  return u32[(context + XDP_BUFF_HARD_START) >>> 2] + u32[(context + XDP_BUFF_FRAME_SZ) >>> 2] - SKB_SHARED_INFO_BYTES;
}

/** The packet goes on in fragments (xdp_buff_has_frags). */
export function hasFrags(memory: HostMemory, context: number): boolean {
  return (memory.u32[(context + XDP_BUFF_FLAGS) >>> 2] & XDP_FLAGS_HAS_FRAGS) !== 0;
}

/** Bytes of the packet in its first buffer. */
export function linearBytes(memory: HostMemory, context: number): number {
  return memory.u32[(context + XDP_MD_DATA_END) >>> 2] - memory.u32[(context + XDP_MD_DATA) >>> 2];
}

/** Bytes of the packet in all buffers (xdp_get_buff_len). */
export function buffLen(memory: HostMemory, context: number): number {
  const linear = linearBytes(memory, context);
  return hasFrags(memory, context) ? linear + memory.u32[(dataHardEnd(memory, context) + SHINFO_FRAGS_SIZE) >>> 2] : linear;
}

/** Number of fragments of a packet that has some. */
export function fragCount(memory: HostMemory, context: number): number {
  return memory.u32[(dataHardEnd(memory, context) + SHINFO_NR_FRAGS) >>> 2];
}

/** Index in `memory.u32` of fragment `index`: its address, and behind it its length. */
export function fragWord(memory: HostMemory, context: number, index: number): number {
  return (dataHardEnd(memory, context) + SHINFO_FRAGS + index * SHINFO_FRAG_BYTES) >>> 2;
}
