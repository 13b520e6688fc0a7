import type { Owner } from '../memory/index.js';
import { fragmentAddress, fragmentLen, SHINFO_NR_FRAGS, SKB_SHARED_INFO_BYTES } from '../vm/index.js';
import type { LoadedProgram } from '../vm/index.js';
import { PACKET_HOST } from './ethTypeTrans.js';
import type { PacketObserver } from './xdpDevice.js';

/** NET_SKB_PAD: what netdev_alloc_skb and napi_alloc_skb leave before a packet, without NET_IP_ALIGN, which is 0 on x86-64. */
export const NET_SKB_PAD = 64;
/** A cache line, to which the head of an skb is aligned (SMP_CACHE_BYTES). */
const CACHE_LINE_BYTES = 64;
/** SKB_SMALL_HEAD_CACHE_SIZE of a distribution's kernel (measured on 6.18), and KMALLOC buckets beyond it, which are powers of two. */
const SMALL_HEAD_BYTES = 576;
const NEXT_BUCKET_BYTES = 1024;
const PAGE_BYTES = 4096;

/** Who takes buffers back that are part of an skb: the pool of a receive queue, or the page allocator. */
export interface SkbBuffers {
  /** Takes a buffer back from any context. */
  recycle(buffer: number, from: Owner): void;
}

/** A device as its skbs know it (struct net_device). */
export interface SkbDevice {
  readonly ifindex: number;
  /** dev_addr. */
  readonly address: Uint8Array;
  /** Program that the stack runs for the device (dev->xdp_prog), `undefined` for none. */
  readonly genericProgram: LoadedProgram | undefined;
  /** Counts by what the program returned: `verdictIndex`. */
  readonly verdicts: Float64Array;
  /** Hears of the device's packets, wherever they end. */
  readonly observer: PacketObserver;
}

/** How the head of an skb is allocated: kmalloc (alloc_skb), or, for middling sizes, as a piece of a page (napi_alloc_skb). */
export type SkbAllocation = 'kmalloc' | 'napi';

//     head                                                                          head + endBytes
//     │◄── headroom ──►│◄─ metadata ─►│◄── linear part ──►│◄── tailroom ──►│◄─ skb_shared_info, 320 ─►│
//                                     data                                       fragments

/**
 * A packet as the network stack has it (struct sk_buff, include/linux/skbuff.h, 6.18). `data` is where the MAC header begins, which is what XDP
 * programs see; in the kernel it lies behind that header by then.
 *
 * Objects are used again (SkbMemory); nobody keeps one that was freed.
 */
export class SkBuff {
  head = 0;
  /** skb_end_offset: bytes from `head` to skb_shared_info. */
  endBytes = 0;
  data = 0;
  /** skb_headlen: bytes of packet in the head. */
  linearBytes = 0;
  /** skb->data_len: bytes of packet in fragments. */
  fragmentBytes = 0;
  /** skb_metadata_len: bytes of metadata before `data`. */
  metaBytes = 0;
  /** Who takes the head back; `undefined`: it is pages of the allocator, 2^headOrder of them. */
  headBuffers: SkbBuffers | undefined;
  headOrder = 0;
  /** The same for the fragments, which are buffers of one origin. */
  fragmentBuffers: SkbBuffers | undefined;
  /** The device that it came in on. */
  origin: SkbDevice | undefined;
  /** skb->dev: where it came in, and then where it is to leave. */
  ifindex = 0;
  /** skb_get_rx_queue, -1 while the driver has not recorded it (skb_rx_queue_recorded). */
  rxQueue = -1;
  /** EtherType, host byte order, and PACKET_*. */
  protocol = 0;
  packetType = PACKET_HOST;
  /** Tag that the device stripped (skb_vlan_tag_get), -1 for none. */
  vlanTci = -1;
  /** The packet (1-based) that it carries, and what the program returned for it, -1 for nothing. */
  packetId = 0;
  retval = -1;
  /** It came in at this queue, whatever the stack knows. */
  arrivalQueue = 0;
  /** A copy of a packet that has an end of its own. */
  isCopy = false;

  /** Where skb_shared_info lies. */
  get sharedInfo(): number {
    return this.head + this.endBytes;
  }

  /** skb_headroom. */
  get headroomBytes(): number {
    return this.data - this.head;
  }

  /** skb_tailroom of a linear skb. */
  get tailroomBytes(): number {
    return this.endBytes - this.headroomBytes - this.linearBytes;
  }

  /** skb->len. */
  get lenBytes(): number {
    return this.linearBytes + this.fragmentBytes;
  }
}

/** Number of an skb's fragments. */
export function skbFragments(u32: Uint32Array, skb: SkBuff): number {
  return u32[(skb.sharedInfo + SHINFO_NR_FRAGS) >>> 2];
}

/** Address of a part of an skb: -1 for the linear one, else the number of the fragment. */
export function skbPartAddress(u32: Uint32Array, skb: SkBuff, part: number): number {
  return part < 0 ? skb.data : fragmentAddress(u32, skb.sharedInfo, part);
}

/** Length of a part of an skb. */
export function skbPartBytes(u32: Uint32Array, skb: SkBuff, part: number): number {
  return part < 0 ? skb.linearBytes : fragmentLen(u32, skb.sharedInfo, part);
}

/** SKB_DATA_ALIGN: the next multiple of a cache line. */
export function skbDataAlign(bytes: number): number {
  return Math.ceil(bytes / CACHE_LINE_BYTES) * CACHE_LINE_BYTES;
}

/**
 * Room for data that an allocation of so many bytes gets (skb_end_offset): kmalloc rounds up to its bucket, and the skb uses all of it
 * (kmalloc_reserve, net/core/skbuff.c, 6.18). napi_alloc_skb takes a piece of a page for what is neither small nor larger than one.
 */
export function skbEndBytes(bytes: number, allocation: SkbAllocation): number {
  const aligned = skbDataAlign(bytes) + SKB_SHARED_INFO_BYTES;
  const isPiece = allocation === 'napi' && bytes > SMALL_HEAD_BYTES - SKB_SHARED_INFO_BYTES && bytes <= PAGE_BYTES - SKB_SHARED_INFO_BYTES;
  return (isPiece ? aligned : kmallocBytes(aligned)) - SKB_SHARED_INFO_BYTES;
}

function kmallocBytes(bytes: number): number {
  if (bytes <= SMALL_HEAD_BYTES) return SMALL_HEAD_BYTES;
  let bucket = NEXT_BUCKET_BYTES;
  while (bucket < bytes) bucket *= 2;
  return bucket;
}
