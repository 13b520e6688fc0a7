import type { HostMemory } from '../memory/index.js';
import {
  contextSharedInfo, fragmentAddress, fragmentCount, fragmentLen, fragmentWord, MAX_SKB_FRAGS, metadataBytes, SHINFO_FRAGS_SIZE,
  SHINFO_NR_FRAGS, SKB_SHARED_INFO_BYTES, XDP_BUFF_FLAGS, XDP_BUFF_FRAME_SZ, XDP_BUFF_HARD_START, XDP_BUFF_RXQ_FRAG_SIZE,
  XDP_FLAGS_HAS_FRAGS, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META, XDP_MD_EGRESS_IFINDEX, XDP_MD_INGRESS_IFINDEX,
  XDP_MD_RX_QUEUE_INDEX,
} from '../vm/index.js';

/** XDP_PACKET_HEADROOM: what a driver keeps free before the packet. */
export const XDP_PACKET_HEADROOM = 256;

/** The receive queue that a buffer came from (struct xdp_rxq_info). */
export interface XdpRxqInfo {
  readonly ifindex: number;
  readonly queueIndex: number;
  /** Size of a fragment's buffer, 0 where the driver can't grow fragments. */
  readonly fragSizeBytes: number;
}

//     data_hard_start                                                            data_hard_start + frame_sz
//     │◄── headroom ──►│◄─ metadata ─►│◄──── linear data ────►│  tailroom  │◄─ skb_shared_info, 320 ─►│
//     │ struct xdp_frame (40)         │                       │
//                      data_meta      data                    data_end

/** xdp_init_buff and xdp_prepare_buff (include/net/xdp.h, 6.18): fills the context block for one packet without fragments. */
export function prepareXdpBuff(
  u32: Uint32Array,
  context: number,
  rxq: XdpRxqInfo,
  hardStart: number,
  frameSizeBytes: number,
  headroomBytes: number,
  lenBytes: number,
): void {
  const word = context >>> 2;
  const data = hardStart + headroomBytes;
  u32[word + XDP_MD_DATA / 4] = data;
  u32[word + XDP_MD_DATA_END / 4] = data + lenBytes;
  u32[word + XDP_MD_DATA_META / 4] = data;
  u32[word + XDP_MD_INGRESS_IFINDEX / 4] = rxq.ifindex;
  u32[word + XDP_MD_RX_QUEUE_INDEX / 4] = rxq.queueIndex;
  u32[word + XDP_MD_EGRESS_IFINDEX / 4] = 0;
  u32[word + XDP_BUFF_HARD_START / 4] = hardStart;
  u32[word + XDP_BUFF_FRAME_SZ / 4] = frameSizeBytes;
  u32[word + XDP_BUFF_FLAGS / 4] = 0;
  u32[word + XDP_BUFF_RXQ_FRAG_SIZE / 4] = rxq.fragSizeBytes;
}

/** Address of the skb_shared_info at the end of a frame. */
export function sharedInfoAddress(hardStart: number, frameSizeBytes: number): number {
  return hardStart + frameSizeBytes - SKB_SHARED_INFO_BYTES;
}

/** Empties the fragment list of a frame and marks the packet as having fragments. */
export function startFragments(u32: Uint32Array, context: number, sharedInfo: number): void {
  u32[(sharedInfo + SHINFO_NR_FRAGS) >>> 2] = 0;
  u32[(sharedInfo + SHINFO_FRAGS_SIZE) >>> 2] = 0;
  u32[(context + XDP_BUFF_FLAGS) >>> 2] |= XDP_FLAGS_HAS_FRAGS;
}

/** Adds a fragment; false when there are 17 already. */
export function addFragment(u32: Uint32Array, sharedInfo: number, address: number, lenBytes: number): boolean {
  const countWord = (sharedInfo + SHINFO_NR_FRAGS) >>> 2;
  const count = u32[countWord];
  if (count >= MAX_SKB_FRAGS) return false;
  const word = fragmentWord(sharedInfo, count);
  u32[word] = address;
  u32[word + 1] = lenBytes;
  u32[countWord] = count + 1;
  u32[(sharedInfo + SHINFO_FRAGS_SIZE) >>> 2] += lenBytes;
  return true;
}

/** Puts metadata, linear part and fragments of the packet side by side at `target`; gives `target`, where the metadata begins. */
export function gatherPacket({ u8, u32 }: HostMemory, context: number, target: number): number {
  const word = context >>> 2;
  const start = u32[word + XDP_MD_DATA / 4] - metadataBytes(u32, context);
  const dataEnd = u32[word + XDP_MD_DATA_END / 4];
  u8.copyWithin(target, start, dataEnd);
  let end = target + dataEnd - start;
  const sharedInfo = contextSharedInfo(u32, context);
  for (let i = 0; i < fragmentCount(u32, context); i++) {
    const address = fragmentAddress(u32, sharedInfo, i);
    const lenBytes = fragmentLen(u32, sharedInfo, i);
    u8.copyWithin(end, address, address + lenBytes);
    end += lenBytes;
  }
  return target;
}
