import { XDP_RSS_L3_IPV4, XDP_RSS_L3_IPV6, XDP_RSS_L4, XDP_RSS_L4_TCP, XDP_RSS_L4_UDP } from '../../../vm/index.js';
import type { HostMemory } from '../../../memory/index.js';
import type { RingMemory } from './descriptorFormat.js';

// Everything that a ConnectX reads or writes is big endian. The ring memory of one queue holds, each part beginning at a multiple of 64:
//
//     work queue         RX: size data segments of 16 bytes; TX: size building blocks (WQEBB) of 64 bytes
//     completion queue   2^n CQEs of 64 bytes, 2^n >= size
//     doorbell record    of the work queue: 0 receive counter be32   4 send counter be32
//     doorbell record    of the completion queue: 0 consumer counter be32 (24 bits)   4 arm be32
//
// Names and places as in include/linux/mlx5/device.h and qp.h (Linux 6.18).

/** Data segment: 0 byte_count be32   4 lkey be32   8 addr be64. */
export const MLX5_DS_BYTES = 16;
export const MLX5_DS_BYTE_COUNT = 0;
export const MLX5_DS_LKEY = 4;
export const MLX5_DS_ADDR_HIGH = 8;
export const MLX5_DS_ADDR_LOW = 12;
/** Bit 31 belongs to inline segments. */
export const MLX5_BYTE_COUNT_MASK = 0x7fffffff;
/** Key of the memory region that spans all of host memory; the firmware gives out such a number, here it is always the same. */
export const MLX5_LKEY = 0x1800;

export const MLX5_WQEBB_BYTES = 64;
export const MLX5_DS_PER_WQEBB = 4;

export const MLX5_CQE_BYTES = 64;
// CQE of a received frame:
//     12 rss_hash_result be32   16 rss_hash_type   20 check_sum be16   28 hds_ip_ext   29 l4_l3_hdr_type   30 vlan_info be16
//     44 byte_cnt be32   48 timestamp be64   60 wqe_counter be16   62 signature   63 op_own
// CQE of an error: 54 vendor_err_synd   55 syndrome   60 wqe_counter   63 op_own
export const MLX5_CQE_RSS_HASH = 12;
export const MLX5_CQE_RSS_TYPE = 16;
export const MLX5_CQE_HDS_IP_EXT = 28;
export const MLX5_CQE_HDR_TYPE = 29;
export const MLX5_CQE_VLAN_INFO = 30;
export const MLX5_CQE_BYTE_CNT = 44;
export const MLX5_CQE_TIMESTAMP_HIGH = 48;
export const MLX5_CQE_TIMESTAMP_LOW = 52;
export const MLX5_CQE_SYNDROME = 55;
export const MLX5_CQE_WQE_COUNTER = 60;
/** opcode 7..4   format 3..2   solicited 1   owner 0. */
export const MLX5_CQE_OP_OWN = 63;

export const MLX5_CQE_REQ = 0;
export const MLX5_CQE_RESP_SEND = 2;
export const MLX5_CQE_RESP_ERR = 14;
/** opcode INVALID (15), owner 1: the device's in lap 0. */
export const MLX5_CQE_UNUSED = 0xf1;

/** A buffer too short or a damaged frame; a buffer that DMA could not reach. */
export const MLX5_SYNDROME_LOCAL_LENGTH = 0x01;
export const MLX5_SYNDROME_LOCAL_PROT = 0x04;

// hds_ip_ext
export const MLX5_CQE_L2_OK = 1;
export const MLX5_CQE_L3_OK = 2;
export const MLX5_CQE_L4_OK = 4;

// l4_l3_hdr_type: 6..4 layer 4 (1 TCP without ACK, 2 UDP, 3 TCP with ACK and no data, 4 TCP with both)   3..2 layer 3   0 a VLAN tag was taken out
export const MLX5_CQE_VLAN_STRIPPED = 1;
export const MLX5_CQE_L3_IPV6 = 1 << 2;
export const MLX5_CQE_L3_IPV4 = 2 << 2;
export const MLX5_CQE_L3_MASK = 3 << 2;
export const MLX5_CQE_L4_UDP = 2 << 4;
export const MLX5_CQE_L4_TCP_ACK_AND_DATA = 4 << 4;
export const MLX5_CQE_L4_MASK = 7 << 4;

// rss_hash_type: 7..6 layer 4 whose destination was hashed (1 TCP, 2 UDP)   3..2 the same for IP (1 version 4, 2 version 6)
const RSS_IP_SHIFT = 2;
const RSS_L4_SHIFT = 6;

/** rss_hash_type of XDP_RSS_* bits; hardware hashes no ports but those of TCP and UDP. */
export function mlx5RssHashType(rssType: number): number {
  const ip = (rssType & XDP_RSS_L3_IPV4) !== 0 ? 1 : (rssType & XDP_RSS_L3_IPV6) !== 0 ? 2 : 0;
  const l4 = (rssType & XDP_RSS_L4_TCP) !== 0 ? 1 : (rssType & XDP_RSS_L4_UDP) !== 0 ? 2 : 0;
  return (ip << RSS_IP_SHIFT) | (l4 << RSS_L4_SHIFT);
}

/** XDP_RSS_* bits of an rss_hash_type, as the table in mlx5e_xdp_rx_hash has it (en/xdp.c, Linux 6.18). */
export function mlx5XdpRssType(rssHashType: number): number {
  const ip = (rssHashType >>> RSS_IP_SHIFT) & 3;
  const l4 = (rssHashType >>> RSS_L4_SHIFT) & 3;
  const l3Bits = ip === 1 ? XDP_RSS_L3_IPV4 : ip === 2 ? XDP_RSS_L3_IPV6 : 0;
  const l4Bits = l4 === 1 ? XDP_RSS_L4 | XDP_RSS_L4_TCP : l4 === 2 ? XDP_RSS_L4 | XDP_RSS_L4_UDP : 0;
  return l3Bits | l4Bits;
}

/** Doorbell records take a cache line each, as drivers allocate them. */
const RECORD_BYTES = 64;

/** Word of the counter in the work queue's doorbell record. */
export const MLX5_RCV_DBR = 0;
export const MLX5_SND_DBR = 4;

/** Counters of work queues have 16 bits, the consumer counter of a completion queue 24. */
export const MLX5_COUNTER_MASK = 0xffff;
const CQ_COUNTER_MASK = 0xffffff;

/** CQEs of a ring: the smallest power of two that is not less than its size, so that it can't overflow. */
export function mlx5CqSize(size: number): number {
  return 2 ** Math.ceil(Math.log2(size));
}

function workQueueBytes(size: number, slotBytes: number): number {
  return Math.ceil((size * slotBytes) / 64) * 64;
}

export function mlx5RingBytes(size: number, slotBytes: number): number {
  return workQueueBytes(size, slotBytes) + mlx5CqSize(size) * MLX5_CQE_BYTES + 2 * RECORD_BYTES;
}

/** Host address of the completion queue. */
export function mlx5Cq(ring: RingMemory, slotBytes: number): number {
  return ring.address + workQueueBytes(ring.size, slotBytes);
}

/** Host address of the work queue's doorbell record. */
export function mlx5DoorbellRecord(ring: RingMemory, slotBytes: number): number {
  return mlx5Cq(ring, slotBytes) + mlx5CqSize(ring.size) * MLX5_CQE_BYTES;
}

/** Word of `RingMemory.state`: CQEs that this side has written or read. */
export const MLX5_STATE_CQ = 0;
/** Of a TX ring's driver: slots that CQEs have told to be complete. */
export const MLX5_STATE_DONE = 1;

/** All CQEs become the device's. */
export function mlx5InitCq(memory: HostMemory, ring: RingMemory, slotBytes: number): void {
  const cq = mlx5Cq(ring, slotBytes);
  const end = cq + mlx5CqSize(ring.size) * MLX5_CQE_BYTES;
  for (let cqe = cq; cqe < end; cqe += MLX5_CQE_BYTES) memory.u8[cqe + MLX5_CQE_OP_OWN] = MLX5_CQE_UNUSED;
}

/** Owner bit of the CQE with this number: 0 in lap 0, then alternating. A power of two divides 2^32, so the counter may wrap. */
export function mlx5OwnerBit(counter: number, cqSize: number): number {
  return (counter & cqSize) !== 0 ? 1 : 0;
}

/** The driver tells the device up to where it has read the completion queue. */
export function mlx5StoreConsumer(memory: HostMemory, ring: RingMemory, slotBytes: number): void {
  memory.view.setUint32(mlx5DoorbellRecord(ring, slotBytes) + RECORD_BYTES, ring.state[MLX5_STATE_CQ] & CQ_COUNTER_MASK);
}

/** Slots between a free-running 16-bit producer counter and `head`; a counter that runs ahead by more than the ring counts as a full one. */
export function mlx5Given(counter: number, head: number, size: number, limit: number): number {
  const given = Math.min((counter - head) & MLX5_COUNTER_MASK, size);
  return given < limit ? given : limit;
}
