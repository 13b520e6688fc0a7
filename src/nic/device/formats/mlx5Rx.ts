import type { HostMemory } from '../../../memory/index.js';
import {
  DESC_DONE, DESC_EOP, DESC_FIRST, DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, DESC_RSS, DESC_RX_ERROR, DESC_TIMESTAMP, DESC_VLAN, PACKET_FRAGMENT,
  PACKET_IPV4, PACKET_IPV6, PACKET_TCP, PACKET_UDP,
} from '../batch.js';
import type { DescriptorBatch } from '../batch.js';
import { NO_DOORBELL } from './descriptorFormat.js';
import type { RingMemory, RxFormat } from './descriptorFormat.js';
import {
  MLX5_BYTE_COUNT_MASK, MLX5_COUNTER_MASK, MLX5_CQE_BYTE_CNT, MLX5_CQE_BYTES, MLX5_CQE_HDR_TYPE, MLX5_CQE_HDS_IP_EXT, MLX5_CQE_L2_OK, MLX5_CQE_L3_IPV4, MLX5_CQE_L3_IPV6, MLX5_CQE_L3_MASK,
  MLX5_CQE_L3_OK, MLX5_CQE_L4_MASK, MLX5_CQE_L4_OK, MLX5_CQE_L4_TCP_ACK_AND_DATA, MLX5_CQE_L4_UDP, MLX5_CQE_OP_OWN, MLX5_CQE_RESP_ERR, MLX5_CQE_RESP_SEND,
  MLX5_CQE_RSS_HASH, MLX5_CQE_RSS_TYPE, MLX5_CQE_SYNDROME, MLX5_CQE_TIMESTAMP_HIGH, MLX5_CQE_TIMESTAMP_LOW, MLX5_CQE_VLAN_INFO, MLX5_CQE_VLAN_STRIPPED,
  MLX5_CQE_WQE_COUNTER, MLX5_DS_ADDR_HIGH, MLX5_DS_ADDR_LOW, MLX5_DS_BYTE_COUNT, MLX5_DS_BYTES, MLX5_DS_LKEY, MLX5_LKEY, MLX5_RCV_DBR, MLX5_STATE_CQ,
  MLX5_SYNDROME_LOCAL_LENGTH, MLX5_SYNDROME_LOCAL_PROT, mlx5Cq, mlx5CqSize, mlx5DoorbellRecord, mlx5Given, mlx5InitCq, mlx5OwnerBit, mlx5RingBytes,
  mlx5RssHashType, mlx5StoreConsumer, mlx5XdpRssType,
} from './mlx5Bits.js';

// A cyclic receive queue whose WQEs are one data segment each, that is one buffer. A frame has one CQE, whose wqe_counter is the last WQE
// that it took and whose byte_cnt is the whole frame. A real queue has WQEs of as many data segments as the longest frame needs, and takes
// one WQE for each frame; as every segment is a slot here, a frame takes as many slots as it needs.

/** Rows `first` to `last` of the batch can't be received: a WQE that no DMA reached, or a damaged frame. 0 for none. */
function syndromeOf(batch: DescriptorBatch, first: number, last: number): number {
  const { lenBytes, flags } = batch;
  for (let i = first; i <= last; i++) if (lenBytes[i] === 0) return MLX5_SYNDROME_LOCAL_PROT;
  return (flags[last] & DESC_RX_ERROR) !== 0 ? MLX5_SYNDROME_LOCAL_LENGTH : 0;
}

/** The batch does not tell what a TCP segment acknowledges, so every one counts as one with ACK and data. */
function headerType(flags: number, packetType: number): number {
  let type = (flags & DESC_VLAN) !== 0 ? MLX5_CQE_VLAN_STRIPPED : 0;
  if ((packetType & PACKET_IPV4) !== 0) type |= MLX5_CQE_L3_IPV4;
  else if ((packetType & PACKET_IPV6) !== 0) type |= MLX5_CQE_L3_IPV6;
  if ((packetType & PACKET_FRAGMENT) !== 0) return type;
  if ((packetType & PACKET_TCP) !== 0) type |= MLX5_CQE_L4_TCP_ACK_AND_DATA;
  else if ((packetType & PACKET_UDP) !== 0) type |= MLX5_CQE_L4_UDP;
  return type;
}

/** IPv6 has no header checksum: its header is always in order. */
function hdsIpExt(flags: number, packetType: number): number {
  const isL3Good = (packetType & PACKET_IPV6) !== 0 || (flags & (DESC_L3_CHECKED | DESC_L3_BAD)) === DESC_L3_CHECKED;
  const isL4Good = (flags & (DESC_L4_CHECKED | DESC_L4_BAD)) === DESC_L4_CHECKED;
  return MLX5_CQE_L2_OK | (isL3Good ? MLX5_CQE_L3_OK : 0) | (isL4Good ? MLX5_CQE_L4_OK : 0);
}

/**
 * Writes all of a CQE but its last four bytes. check_sum (the sum of the whole frame, for CHECKSUM_COMPLETE) stays 0: with an XDP program
 * attached the driver does not look at it, as the program may have changed the frame (mlx5e_handle_csum, Linux 6.18).
 */
function storeFrame(memory: HostMemory, cqe: number, batch: DescriptorBatch, last: number, totalBytes: number): void {
  const { view, u8 } = memory;
  const flags = batch.flags[last];
  const packetType = batch.packetType[last];
  const timestampHigh = Math.floor(batch.timestampNs[last] / 2 ** 32);
  view.setUint32(cqe + MLX5_CQE_RSS_HASH, (flags & DESC_RSS) !== 0 ? batch.rssHash[last] : 0);
  u8[cqe + MLX5_CQE_RSS_TYPE] = (flags & DESC_RSS) !== 0 ? mlx5RssHashType(batch.rssType[last]) : 0;
  u8[cqe + MLX5_CQE_HDS_IP_EXT] = hdsIpExt(flags, packetType);
  u8[cqe + MLX5_CQE_HDR_TYPE] = headerType(flags, packetType);
  view.setUint16(cqe + MLX5_CQE_VLAN_INFO, (flags & DESC_VLAN) !== 0 ? batch.vlanTci[last] : 0);
  view.setUint32(cqe + MLX5_CQE_BYTE_CNT, totalBytes);
  view.setUint32(cqe + MLX5_CQE_TIMESTAMP_HIGH, timestampHigh);
  view.setUint32(cqe + MLX5_CQE_TIMESTAMP_LOW, batch.timestampNs[last] - timestampHigh * 2 ** 32);
}

/**
 * DESC_* flags that a driver reads out of a CQE. A checksum that is not OK may be wrong or not looked at; layer 4 counts only together with
 * layer 3, as in mlx5e_handle_csum (Linux 6.18).
 */
function readFlags(hdsIpExtBits: number, hdrType: number, rssHashType: number): number {
  let flags = DESC_DONE | DESC_TIMESTAMP;
  if (rssHashType !== 0) flags |= DESC_RSS;
  if ((hdrType & MLX5_CQE_VLAN_STRIPPED) !== 0) flags |= DESC_VLAN;
  if ((hdsIpExtBits & MLX5_CQE_L3_OK) === 0) return flags;
  if ((hdrType & MLX5_CQE_L3_MASK) === MLX5_CQE_L3_IPV4) flags |= DESC_L3_CHECKED;
  if ((hdsIpExtBits & MLX5_CQE_L4_OK) !== 0) flags |= DESC_L4_CHECKED;
  return flags;
}

function readPacketType(hdrType: number): number {
  const l3 = hdrType & MLX5_CQE_L3_MASK;
  const l4 = hdrType & MLX5_CQE_L4_MASK;
  let type = 0;
  if (l3 === MLX5_CQE_L3_IPV4) type = PACKET_IPV4;
  else if (l3 === MLX5_CQE_L3_IPV6) type = PACKET_IPV6;
  if (l4 === MLX5_CQE_L4_UDP) type |= PACKET_UDP;
  else if (l4 !== 0) type |= PACKET_TCP;
  return type;
}

/**
 * Reads the CQE of a frame into rows from `row` on, one for each of its `count` WQEs, which begin at slot `first`. Every row has the
 * offloads. The rows of an error CQE have no bytes.
 */
function readFrame(memory: HostMemory, ring: RingMemory, cqe: number, first: number, count: number, batch: DescriptorBatch, row: number): void {
  const { view, u8 } = memory;
  const isError = u8[cqe + MLX5_CQE_OP_OWN] >>> 4 !== MLX5_CQE_RESP_SEND;
  const hdrType = isError ? 0 : u8[cqe + MLX5_CQE_HDR_TYPE];
  const rssHashType = isError ? 0 : u8[cqe + MLX5_CQE_RSS_TYPE];
  const found = isError ? DESC_DONE | DESC_RX_ERROR : readFlags(u8[cqe + MLX5_CQE_HDS_IP_EXT], hdrType, rssHashType);
  const timestampNs = isError ? 0 : view.getUint32(cqe + MLX5_CQE_TIMESTAMP_HIGH) * 2 ** 32 + view.getUint32(cqe + MLX5_CQE_TIMESTAMP_LOW);
  let left = isError ? 0 : view.getUint32(cqe + MLX5_CQE_BYTE_CNT);
  let slot = first % ring.size;
  for (let i = row; i < row + count; i++) {
    const room = view.getUint32(ring.address + slot * MLX5_DS_BYTES + MLX5_DS_BYTE_COUNT);
    const bytes = left < room ? left : room;
    left -= bytes;
    batch.lenBytes[i] = bytes;
    batch.flags[i] = found | (i === row ? DESC_FIRST : 0) | (i === row + count - 1 ? DESC_EOP : 0);
    batch.rssHash[i] = isError ? 0 : view.getInt32(cqe + MLX5_CQE_RSS_HASH);
    batch.rssType[i] = mlx5XdpRssType(rssHashType);
    batch.packetType[i] = readPacketType(hdrType);
    batch.vlanTci[i] = (hdrType & MLX5_CQE_VLAN_STRIPPED) !== 0 ? view.getUint16(cqe + MLX5_CQE_VLAN_INFO) : 0;
    batch.timestampNs[i] = timestampNs;
    if (++slot === ring.size) slot = 0;
  }
}

/** The receiving half of the mlx5 format. */
export const mlx5Receive: RxFormat = {
  rxDescriptorBytes: MLX5_DS_BYTES,
  rxRingBytes: (size) => mlx5RingBytes(size, MLX5_DS_BYTES),
  rxPrefixBytes: 0,

  rxInit(memory, ring) {
    mlx5InitCq(memory, ring, MLX5_DS_BYTES);
  },

  rxPost(memory, ring, first, batch) {
    const { view } = memory;
    const { iovaLow, iovaHigh, lenBytes, count } = batch;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const at = ring.address + slot * MLX5_DS_BYTES;
      view.setUint32(at + MLX5_DS_BYTE_COUNT, lenBytes[i]);
      view.setUint32(at + MLX5_DS_LKEY, MLX5_LKEY);
      view.setUint32(at + MLX5_DS_ADDR_HIGH, iovaHigh[i]);
      view.setUint32(at + MLX5_DS_ADDR_LOW, iovaLow[i]);
      if (++slot === ring.size) slot = 0;
    }
  },

  /** The device looks at the doorbell record by itself when a frame arrives. */
  rxPublish(memory, ring, tail) {
    memory.view.setUint32(mlx5DoorbellRecord(ring, MLX5_DS_BYTES) + MLX5_RCV_DBR, tail & MLX5_COUNTER_MASK);
    return NO_DOORBELL;
  },

  /** A frame that is not whole within `limit` stays in the completion queue. */
  rxPoll(memory, ring, first, limit, batch) {
    const { u8, view } = memory;
    const cq = mlx5Cq(ring, MLX5_DS_BYTES);
    const cqSize = mlx5CqSize(ring.size);
    let counter = ring.state[MLX5_STATE_CQ];
    let rows = 0;
    while (rows < limit) {
      const cqe = cq + (counter & (cqSize - 1)) * MLX5_CQE_BYTES;
      if ((u8[cqe + MLX5_CQE_OP_OWN] & 1) !== mlx5OwnerBit(counter, cqSize)) break;
      const count = ((view.getUint16(cqe + MLX5_CQE_WQE_COUNTER) - (first + rows)) & MLX5_COUNTER_MASK) + 1;
      if (rows + count > limit) break;
      readFrame(memory, ring, cqe, first + rows, count, batch, rows);
      rows += count;
      counter = (counter + 1) | 0;
    }
    batch.count = rows;
    if (rows > 0) {
      ring.state[MLX5_STATE_CQ] = counter;
      mlx5StoreConsumer(memory, ring, MLX5_DS_BYTES);
    }
    return rows;
  },

  rxAvailable: (memory, ring, head, _doorbell, limit) =>
    mlx5Given(memory.view.getUint32(mlx5DoorbellRecord(ring, MLX5_DS_BYTES) + MLX5_RCV_DBR), head, ring.size, limit),

  rxFetch(memory, ring, first, count, batch) {
    const { view } = memory;
    const { iovaLow, iovaHigh, lenBytes } = batch;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const at = ring.address + slot * MLX5_DS_BYTES;
      iovaLow[i] = view.getUint32(at + MLX5_DS_ADDR_LOW);
      iovaHigh[i] = view.getUint32(at + MLX5_DS_ADDR_HIGH);
      lenBytes[i] = view.getUint32(at + MLX5_DS_BYTE_COUNT) & MLX5_BYTE_COUNT_MASK;
      if (++slot === ring.size) slot = 0;
    }
    batch.count = count;
  },

  rxWriteBack(memory, ring, first, batch) {
    const { u8, view } = memory;
    const { lenBytes, flags, count } = batch;
    const cq = mlx5Cq(ring, MLX5_DS_BYTES);
    const cqSize = mlx5CqSize(ring.size);
    let counter = ring.state[MLX5_STATE_CQ];
    let firstOfFrame = 0;
    let totalBytes = 0;
    for (let i = 0; i < count; i++) {
      totalBytes += lenBytes[i];
      if ((flags[i] & DESC_EOP) === 0) continue;
      const cqe = cq + (counter & (cqSize - 1)) * MLX5_CQE_BYTES;
      const syndrome = syndromeOf(batch, firstOfFrame, i);
      if (syndrome === 0) storeFrame(memory, cqe, batch, i, totalBytes);
      else u8[cqe + MLX5_CQE_SYNDROME] = syndrome;
      view.setUint16(cqe + MLX5_CQE_WQE_COUNTER, (first + i) & MLX5_COUNTER_MASK);
      // The owner bit hands the CQE over: the last byte that DMA writes.
      u8[cqe + MLX5_CQE_OP_OWN] = ((syndrome === 0 ? MLX5_CQE_RESP_SEND : MLX5_CQE_RESP_ERR) << 4) | mlx5OwnerBit(counter, cqSize);
      counter = (counter + 1) | 0;
      firstOfFrame = i + 1;
      totalBytes = 0;
    }
    ring.state[MLX5_STATE_CQ] = counter;
  },
};
