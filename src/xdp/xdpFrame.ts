import { PAGE_BYTES } from '../memory/index.js';
import type { HostMemory } from '../memory/index.js';
import {
  fragmentAddress, fragmentLen, metadataBytes, SHINFO_FRAGS_SIZE, SHINFO_NR_FRAGS, SKB_SHARED_INFO_BYTES, XDP_BUFF_FLAGS, XDP_BUFF_FRAME_SZ,
  XDP_BUFF_HARD_START, XDP_BUFF_RXQ_FRAG_SIZE, XDP_FLAGS_HAS_FRAGS, XDP_FRAME_BYTES, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META, XDP_MD_EGRESS_IFINDEX,
  XDP_MD_INGRESS_IFINDEX, XDP_MD_RX_QUEUE_INDEX,
} from '../vm/index.js';

// struct xdp_frame (include/net/xdp.h, 6.18, x86-64), written over the first 40 bytes of the headroom:
//
//     0 data u64   8 len u32   12 headroom u32   16 metasize u32   20 mem_type u32   24 dev_rx u64   32 frame_sz u32   36 flags u32
//
// A frame is named by the address of this struct, which is where its buffer begins. A device has no address here: dev_rx holds its ifindex.
const DATA = 0;
const LEN = 8;
const HEADROOM = 12;
const METASIZE = 16;
const MEM_TYPE = 20;
const DEV_RX = 24;
const FRAME_SZ = 32;
const FLAGS = 36;

// enum xdp_mem_type: halves of pages that the driver counts (page_frag_free), single pages (put_page), a page_pool, chunks of a UMEM.
export const MEM_TYPE_PAGE_SHARED = 0;
export const MEM_TYPE_PAGE_ORDER0 = 1;
export const MEM_TYPE_PAGE_POOL = 2;
export const MEM_TYPE_XSK_BUFF_POOL = 3;

/**
 * xdp_convert_buff_to_frame: writes struct xdp_frame at the start of the page.
 *
 * @returns false when headroom without metadata is shorter than the struct, or the packet reaches into the tailroom
 */
export function convertBuffToFrame(
  u32: Uint32Array,
  hardStart: number,
  frameSizeBytes: number,
  dataMeta: number,
  data: number,
  dataEnd: number,
  flags: number,
  memType: number = MEM_TYPE_PAGE_POOL,
  rxIfindex = 0,
): boolean {
  if (dataMeta - hardStart < XDP_FRAME_BYTES) return false;
  if (dataEnd > hardStart + frameSizeBytes - SKB_SHARED_INFO_BYTES) return false;
  const word = hardStart >>> 2;
  u32[word + DATA / 4] = data;
  u32[word + DATA / 4 + 1] = 0;
  u32[word + LEN / 4] = dataEnd - data;
  u32[word + HEADROOM / 4] = data - hardStart - XDP_FRAME_BYTES;
  u32[word + METASIZE / 4] = data - dataMeta;
  u32[word + MEM_TYPE / 4] = memType;
  u32[word + DEV_RX / 4] = rxIfindex;
  u32[word + DEV_RX / 4 + 1] = 0;
  u32[word + FRAME_SZ / 4] = frameSizeBytes;
  u32[word + FLAGS / 4] = flags;
  return true;
}

/** The same for the packet in the context block. It is also xdp_update_frame_from_buff, for a frame that has been one before. */
export function convertContextToFrame(u32: Uint32Array, context: number, memType: number, rxIfindex: number): boolean {
  const word = context >>> 2;
  const data = u32[word + XDP_MD_DATA / 4];
  return convertBuffToFrame(
    u32, u32[word + XDP_BUFF_HARD_START / 4], u32[word + XDP_BUFF_FRAME_SZ / 4], data - metadataBytes(u32, context), data, u32[word + XDP_MD_DATA_END / 4],
    u32[word + XDP_BUFF_FLAGS / 4], memType, rxIfindex,
  );
}

/**
 * xdp_convert_frame_to_buff: fills the context block with a frame, for the program of an entry. A frame knows its device but not the queue that it
 * came from, so rx_queue_index is 0 and fragments can't grow.
 *
 * @param egressIfindex device that it is to leave by; 0 behind a CPUMAP
 */
export function convertFrameToBuff(u32: Uint32Array, context: number, frame: number, egressIfindex: number): void {
  const from = frame >>> 2;
  const word = context >>> 2;
  const data = u32[from + DATA / 4];
  u32[word + XDP_MD_DATA / 4] = data;
  u32[word + XDP_MD_DATA_END / 4] = data + u32[from + LEN / 4];
  u32[word + XDP_MD_DATA_META / 4] = data - u32[from + METASIZE / 4];
  u32[word + XDP_MD_INGRESS_IFINDEX / 4] = u32[from + DEV_RX / 4];
  u32[word + XDP_MD_RX_QUEUE_INDEX / 4] = 0;
  u32[word + XDP_MD_EGRESS_IFINDEX / 4] = egressIfindex;
  u32[word + XDP_BUFF_HARD_START / 4] = frame;
  u32[word + XDP_BUFF_FRAME_SZ / 4] = u32[from + FRAME_SZ / 4];
  u32[word + XDP_BUFF_FLAGS / 4] = u32[from + FLAGS / 4];
  u32[word + XDP_BUFF_RXQ_FRAG_SIZE / 4] = 0;
}

/** Where the linear part of the packet in an xdp_frame lies, and how long it is. */
export function xdpFrameData(u32: Uint32Array, hardStart: number): { readonly address: number; readonly lenBytes: number } {
  return { address: frameData(u32, hardStart), lenBytes: frameLinearBytes(u32, hardStart) };
}

/** Address of the first byte of packet. */
export function frameData(u32: Uint32Array, frame: number): number {
  return u32[(frame + DATA) >>> 2];
}

/** Bytes of the linear part (xdpf->len). */
export function frameLinearBytes(u32: Uint32Array, frame: number): number {
  return u32[(frame + LEN) >>> 2];
}

/** Bytes of metadata before the packet. */
export function frameMetaBytes(u32: Uint32Array, frame: number): number {
  return u32[(frame + METASIZE) >>> 2];
}

/** Interface that the packet came in on (xdpf->dev_rx). */
export function frameRxIfindex(u32: Uint32Array, frame: number): number {
  return u32[(frame + DEV_RX) >>> 2];
}

/** Address of the skb_shared_info of a frame (xdp_get_shared_info_from_frame). */
export function frameSharedInfo(u32: Uint32Array, frame: number): number {
  return frame + u32[(frame + FRAME_SZ) >>> 2] - SKB_SHARED_INFO_BYTES;
}

/** Number of fragments of a frame. */
export function frameFragments(u32: Uint32Array, frame: number): number {
  return (u32[(frame + FLAGS) >>> 2] & XDP_FLAGS_HAS_FRAGS) === 0 ? 0 : u32[(frameSharedInfo(u32, frame) + SHINFO_NR_FRAGS) >>> 2];
}

/** Length of the packet with all fragments (xdp_get_frame_len). */
export function frameBytes(u32: Uint32Array, frame: number): number {
  const linearBytes = frameLinearBytes(u32, frame);
  return (u32[(frame + FLAGS) >>> 2] & XDP_FLAGS_HAS_FRAGS) === 0 ? linearBytes : linearBytes + u32[(frameSharedInfo(u32, frame) + SHINFO_FRAGS_SIZE) >>> 2];
}

/** Address of a frame's part: -1 for the linear one, else the number of the fragment. */
export function framePartAddress(u32: Uint32Array, frame: number, part: number): number {
  return part < 0 ? frameData(u32, frame) : fragmentAddress(u32, frameSharedInfo(u32, frame), part);
}

/** Length of a frame's part. */
export function framePartBytes(u32: Uint32Array, frame: number, part: number): number {
  return part < 0 ? frameLinearBytes(u32, frame) : fragmentLen(u32, frameSharedInfo(u32, frame), part);
}

/**
 * xdpf_clone: writes a copy of a frame without fragments into a page of its own, headroom, metadata and packet.
 *
 * @param page where the copy is to be
 * @returns false when a page is too small for it
 */
export function cloneFrame(u8: Uint8Array, u32: Uint32Array, frame: number, page: number, pageBytes: number): boolean {
  const word = page >>> 2;
  const offBytes = frameData(u32, frame) - frame;
  const totalBytes = offBytes + frameLinearBytes(u32, frame);
  if (totalBytes > pageBytes) return false;
  u8.copyWithin(page, frame, frame + totalBytes);
  u32[word + DATA / 4] = page + offBytes;
  u32[word + FRAME_SZ / 4] = pageBytes;
  u32[word + MEM_TYPE / 4] = MEM_TYPE_PAGE_ORDER0;
  return true;
}

/**
 * xdp_convert_zc_to_xdp_frame: writes the packet in the context block, which lies in a chunk of a UMEM, as a frame into a page: struct xdp_frame, metadata,
 * packet, and no headroom. Of a packet in several buffers it is the first one only.
 *
 * @returns false when a page is too small for it
 */
export function convertZeroCopyToFrame({ u8, u32 }: HostMemory, context: number, page: number, rxIfindex: number): boolean {
  const data = u32[(context + XDP_MD_DATA) >>> 2];
  const dataEnd = u32[(context + XDP_MD_DATA_END) >>> 2];
  const metaBytes = metadataBytes(u32, context);
  const totalBytes = dataEnd - data + metaBytes;
  if (XDP_FRAME_BYTES + totalBytes > PAGE_BYTES) return false;
  const word = page >>> 2;
  const start = page + XDP_FRAME_BYTES;
  u8.fill(0, page, start);
  u8.copyWithin(start, data - metaBytes, dataEnd);
  u32[word + DATA / 4] = start + metaBytes;
  u32[word + LEN / 4] = totalBytes - metaBytes;
  u32[word + METASIZE / 4] = metaBytes;
  u32[word + FRAME_SZ / 4] = PAGE_BYTES;
  u32[word + MEM_TYPE / 4] = MEM_TYPE_PAGE_ORDER0;
  u32[word + DEV_RX / 4] = rxIfindex;
  return true;
}

/**
 * Where all bytes of a frame lie side by side, metadata before them: where they are, or, if it has fragments, a copy.
 *
 * @param buffer room for the copy
 */
export function gatherFrame({ u8, u32 }: HostMemory, frame: number, buffer: number): number {
  const fragments = frameFragments(u32, frame);
  if (fragments === 0) return frameData(u32, frame);
  const metaBytes = frameMetaBytes(u32, frame);
  u8.copyWithin(buffer, frameData(u32, frame) - metaBytes, frameData(u32, frame) + frameLinearBytes(u32, frame));
  let end = buffer + metaBytes + frameLinearBytes(u32, frame);
  for (let i = 0; i < fragments; i++) {
    const address = framePartAddress(u32, frame, i);
    const lenBytes = framePartBytes(u32, frame, i);
    u8.copyWithin(end, address, address + lenBytes);
    end += lenBytes;
  }
  return buffer + metaBytes;
}
