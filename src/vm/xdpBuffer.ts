import { hasChange, NEWEST_KERNEL } from '../base/index.js';
import type { KernelRelease } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import {
  SHINFO_FRAG_BYTES, SHINFO_FRAGS, SHINFO_FRAGS_SIZE, SHINFO_NR_FRAGS, SKB_SHARED_INFO_BYTES, XDP_BUFF_FLAGS, XDP_BUFF_FRAME_SZ,
  XDP_BUFF_HARD_START, XDP_FLAGS_HAS_FRAGS, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META,
} from './layout.js';

// Reading struct xdp_buff and its skb_shared_info (include/net/xdp.h, 6.18; layout.ts draws ours). `u32` is all of host memory.

/** Address of the skb_shared_info, which is also the first byte behind the room for packet data (xdp_data_hard_end). */
export function contextSharedInfo(u32: Uint32Array, context: number): number {
  return u32[(context + XDP_BUFF_HARD_START) >>> 2] + u32[(context + XDP_BUFF_FRAME_SZ) >>> 2] - SKB_SHARED_INFO_BYTES;
}

/** The packet goes on in fragments (xdp_buff_has_frags). */
export function hasFragments(u32: Uint32Array, context: number): boolean {
  return (u32[(context + XDP_BUFF_FLAGS) >>> 2] & XDP_FLAGS_HAS_FRAGS) !== 0;
}

/** Number of fragments, 0 for a linear packet. */
export function fragmentCount(u32: Uint32Array, context: number): number {
  return hasFragments(u32, context) ? u32[(contextSharedInfo(u32, context) + SHINFO_NR_FRAGS) >>> 2] : 0;
}

/** Index in `u32` of the address of fragment `index`; behind it stands the length. */
export function fragmentWord(sharedInfo: number, index: number): number {
  return (sharedInfo + SHINFO_FRAGS + index * SHINFO_FRAG_BYTES) >>> 2;
}

/** Address of fragment `index`. */
export function fragmentAddress(u32: Uint32Array, sharedInfo: number, index: number): number {
  return u32[fragmentWord(sharedInfo, index)];
}

/** Length of fragment `index`, bytes. */
export function fragmentLen(u32: Uint32Array, sharedInfo: number, index: number): number {
  return u32[fragmentWord(sharedInfo, index) + 1];
}

/** Bytes of the packet in its first buffer. */
export function linearBytes(u32: Uint32Array, context: number): number {
  return u32[(context + XDP_MD_DATA_END) >>> 2] - u32[(context + XDP_MD_DATA) >>> 2];
}

/** Bytes of the packet in all buffers (xdp_get_buff_len). */
export function packetBytes(u32: Uint32Array, context: number): number {
  const linear = linearBytes(u32, context);
  return hasFragments(u32, context) ? linear + u32[(contextSharedInfo(u32, context) + SHINFO_FRAGS_SIZE) >>> 2] : linear;
}

/** The driver has no room for metadata: it left data_meta behind data (xdp_data_meta_unsupported). */
export function isMetaUnsupported(u32: Uint32Array, context: number): boolean {
  return u32[(context + XDP_MD_DATA_META) >>> 2] > u32[(context + XDP_MD_DATA) >>> 2];
}

/** Bytes of metadata before the packet, 0 where the driver has none. */
export function metadataBytes(u32: Uint32Array, context: number): number {
  const bytes = u32[(context + XDP_MD_DATA) >>> 2] - u32[(context + XDP_MD_DATA_META) >>> 2];
  return bytes > 0 ? bytes : 0;
}

/** Longest metadata (xdp_metalen_invalid, include/net/xdp.h): it must fit in the u8 `meta_len` of skb_shared_info; up to 6.8 there was a limit of its own. */
export function metaMaxBytes(kernel: KernelRelease = NEWEST_KERNEL): number {
  return hasChange(kernel, 'longMetadata') ? 252 : 32;
}

/** Copies the start of the packet, fragments included, until `to` is full; the packet is at least as long. */
export function copyPacketStart(memory: HostMemory, context: number, to: Uint8Array): void {
  const { u8, u32 } = memory;
  const data = u32[(context + XDP_MD_DATA) >>> 2];
  let done = Math.min(to.length, linearBytes(u32, context));
  to.set(u8.subarray(data, data + done));
  const sharedInfo = contextSharedInfo(u32, context);
  for (let frag = 0; done < to.length; frag++) {
    const at = fragmentAddress(u32, sharedInfo, frag);
    const part = Math.min(to.length - done, fragmentLen(u32, sharedInfo, frag));
    to.set(u8.subarray(at, at + part), done);
    done += part;
  }
}
