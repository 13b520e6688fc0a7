import { SKB_SHARED_INFO_BYTES, XDP_FRAME_BYTES } from '../vm/index.js';

// struct xdp_frame (include/net/xdp.h, 6.18, x86-64), written over the first 40 bytes of the headroom:
//
//     0 data u64   8 len u32   12 headroom u32   16 metasize u32   20 mem_type u32   24 dev_rx u64   32 frame_sz u32   36 flags u32
const DATA = 0;
const LEN = 8;
const HEADROOM = 12;
const METASIZE = 16;
const MEM_TYPE = 20;
const FRAME_SZ = 32;
const FLAGS = 36;

/** MEM_TYPE_PAGE_POOL. */
export const MEM_TYPE_PAGE_POOL = 2;

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
): boolean {
  if (dataMeta - hardStart < XDP_FRAME_BYTES) return false;
  if (dataEnd > hardStart + frameSizeBytes - SKB_SHARED_INFO_BYTES) return false;
  const word = hardStart >>> 2;
  u32[word + DATA / 4] = data;
  u32[word + DATA / 4 + 1] = 0;
  u32[word + LEN / 4] = dataEnd - data;
  u32[word + HEADROOM / 4] = data - hardStart - XDP_FRAME_BYTES;
  u32[word + METASIZE / 4] = data - dataMeta;
  u32[word + MEM_TYPE / 4] = MEM_TYPE_PAGE_POOL;
  u32[word + FRAME_SZ / 4] = frameSizeBytes;
  u32[word + FLAGS / 4] = flags;
  return true;
}

/** Where the linear part of the packet in an xdp_frame lies, and how long it is. */
export function xdpFrameData(u32: Uint32Array, hardStart: number): { readonly address: number; readonly lenBytes: number } {
  const word = hardStart >>> 2;
  return { address: u32[word + DATA / 4], lenBytes: u32[word + LEN / 4] };
}
