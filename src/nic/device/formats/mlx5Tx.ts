import type { HostMemory } from '../../../memory/index.js';
import { DESC_CSUM, DESC_CSUM_IPV4, DESC_CSUM_PROTOCOL, DESC_EOP, DESC_FIRST, DESC_MALFORMED, DESC_VLAN, PACKET_IPV6 } from '../batch.js';
import type { DescriptorBatch } from '../batch.js';
import type { RingMemory, TxFormat } from './descriptorFormat.js';
import {
  MLX5_BYTE_COUNT_MASK, MLX5_COUNTER_MASK, MLX5_CQE_BYTES, MLX5_CQE_OP_OWN, MLX5_CQE_REQ, MLX5_CQE_WQE_COUNTER, MLX5_DS_ADDR_HIGH, MLX5_DS_ADDR_LOW,
  MLX5_DS_BYTE_COUNT, MLX5_DS_BYTES, MLX5_DS_LKEY, MLX5_DS_PER_WQEBB, MLX5_LKEY, MLX5_SND_DBR, MLX5_STATE_CQ, MLX5_STATE_DONE, MLX5_WQEBB_BYTES, mlx5Cq,
  mlx5CqSize, mlx5DoorbellRecord, mlx5Given, mlx5InitCq, mlx5OwnerBit, mlx5RingBytes, mlx5StoreConsumer,
} from './mlx5Bits.js';

// A send WQE is a run of 16-byte segments, padded to building blocks (WQEBB) of 64 bytes, which are the slots of the ring:
//
//     ctrl    0 opmod 31..24, wqe index 23..8, opcode 7..0   4 qpn 31..8, ds count 5..0   8 signature   11 fm_ce_se   12 imm
//     eth     0 software parser   4 cs_flags   5 swp_flags   6 mss be16   8 metadata   12 insert type be16   14 tci be16
//     data    one for each buffer of the frame
//
// The wqe index is the number of the first WQEBB. Hardware wants a WQE in one piece, and drivers fill the end of the ring up with NOPs
// (mlx5e_txqsq_get_next_pi, Linux 6.18). Here a WQE goes on in slot 0, block by block, so that what a frame takes depends on its buffers alone.
const CTRL_OPCODE = 0;
const CTRL_QPN_DS = 4;
const CTRL_SIGNATURE = 8;
const CTRL_FM_CE_SE = 11;
const CTRL_IMM = 12;
const OPCODE_SEND = 0x0a;
/** Write a CQE when the WQE is done. */
const CE_CQE_UPDATE = 2 << 2;
const DS_MASK = 0x3f;
const SQ_NUMBER = 0x123;

const ETH = MLX5_DS_BYTES;
const ETH_SWP = ETH;
const ETH_CS_FLAGS = ETH + 4;
const ETH_MSS = ETH + 6;
const ETH_METADATA = ETH + 8;
const ETH_INSERT_TYPE = ETH + 12;
const ETH_INSERT_TCI = ETH + 14;
const CS_L3 = 0x40;
const CS_L4 = 0x80;
/** A C-tag; otherwise the field is the size of an inline header, which is always 0 here. */
const INSERT_VLAN = 0x8000;
/** Segments before the data segments. */
const HEAD_DS = 2;

function wqebbs(dsCount: number): number {
  return Math.ceil(dsCount / MLX5_DS_PER_WQEBB);
}

/** Segments of the WQE that begins at a slot, as its ctrl segment says. */
function dsCountAt(memory: HostMemory, ring: RingMemory, slot: number): number {
  return memory.view.getUint32(ring.address + slot * MLX5_WQEBB_BYTES + CTRL_QPN_DS) & DS_MASK;
}

/** Slots of a WQE; one whose count makes no sense takes the one that it begins in. */
function slotsAt(memory: HostMemory, ring: RingMemory, slot: number): number {
  const slots = wqebbs(dsCountAt(memory, ring, slot));
  return slots === 0 || slots > ring.size ? 1 : slots;
}

/** Host address of segment `ds` of the WQE that begins at a slot. */
function segmentAt(ring: RingMemory, slot: number, ds: number): number {
  const block = slot + Math.floor(ds / MLX5_DS_PER_WQEBB);
  return ring.address + (block % ring.size) * MLX5_WQEBB_BYTES + (ds % MLX5_DS_PER_WQEBB) * MLX5_DS_BYTES;
}

/**
 * Rows `first` to `last` of the batch as a WQE. Drivers ask for the IPv4 header checksum with every CHECKSUM_PARTIAL, and hardware leaves it
 * out for IPv6; as this device takes the flag at its word, it is set for IPv4 only.
 */
function storeWqe(memory: HostMemory, ring: RingMemory, index: number, batch: DescriptorBatch, first: number, last: number, isSignaled: boolean): void {
  const { view, u8 } = memory;
  const { flags, packetType, vlanTci, lenBytes, iovaLow, iovaHigh } = batch;
  const slot = index % ring.size;
  const ctrl = ring.address + slot * MLX5_WQEBB_BYTES;
  const dsCount = HEAD_DS + last - first + 1;
  const hasCsum = (flags[first] & DESC_CSUM) !== 0;
  const hasVlan = (flags[first] & DESC_VLAN) !== 0;
  view.setUint32(ctrl + CTRL_OPCODE, ((index & MLX5_COUNTER_MASK) << 8) | OPCODE_SEND);
  view.setUint32(ctrl + CTRL_QPN_DS, (SQ_NUMBER << 8) | dsCount);
  view.setUint32(ctrl + CTRL_SIGNATURE, 0);
  if (isSignaled) u8[ctrl + CTRL_FM_CE_SE] = CE_CQE_UPDATE;
  view.setUint32(ctrl + CTRL_IMM, 0);
  view.setUint32(ctrl + ETH_SWP, 0);
  view.setUint16(ctrl + ETH_CS_FLAGS, hasCsum ? (CS_L4 | ((packetType[first] & PACKET_IPV6) !== 0 ? 0 : CS_L3)) << 8 : 0);
  view.setUint16(ctrl + ETH_MSS, 0);
  view.setUint32(ctrl + ETH_METADATA, 0);
  view.setUint16(ctrl + ETH_INSERT_TYPE, hasVlan ? INSERT_VLAN : 0);
  view.setUint16(ctrl + ETH_INSERT_TCI, hasVlan ? vlanTci[first] : 0);
  for (let i = first; i <= last; i++) {
    const data = segmentAt(ring, slot, HEAD_DS + i - first);
    view.setUint32(data + MLX5_DS_BYTE_COUNT, lenBytes[i]);
    view.setUint32(data + MLX5_DS_LKEY, MLX5_LKEY);
    view.setUint32(data + MLX5_DS_ADDR_HIGH, iovaHigh[i]);
    view.setUint32(data + MLX5_DS_ADDR_LOW, iovaLow[i]);
  }
}

/** Reads the ctrl and eth segments of a WQE into row `row`; false when they make no sense. */
function readHead(memory: HostMemory, ring: RingMemory, index: number, batch: DescriptorBatch, row: number): boolean {
  const { view, u8 } = memory;
  const slot = index % ring.size;
  const ctrl = ring.address + slot * MLX5_WQEBB_BYTES;
  const dsCount = dsCountAt(memory, ring, slot);
  const insertType = view.getUint16(ctrl + ETH_INSERT_TYPE);
  const csFlags = u8[ctrl + ETH_CS_FLAGS];
  let flags = DESC_FIRST;
  if ((csFlags & CS_L4) !== 0) flags |= DESC_CSUM | DESC_CSUM_PROTOCOL;
  if ((csFlags & CS_L3) !== 0) flags |= DESC_CSUM_IPV4;
  if (insertType === INSERT_VLAN) flags |= DESC_VLAN;
  batch.flags[row] = flags;
  batch.vlanTci[row] = insertType === INSERT_VLAN ? view.getUint16(ctrl + ETH_INSERT_TCI) : 0;
  // Hardware finds the headers by itself.
  batch.packetType[row] = 0;
  batch.l3Start[row] = 0;
  batch.csumStart[row] = 0;
  batch.csumOffset[row] = 0;
  const isOpcodeGood = view.getUint32(ctrl + CTRL_OPCODE) === (((index & MLX5_COUNTER_MASK) << 8) | OPCODE_SEND);
  return isOpcodeGood && dsCount > HEAD_DS && wqebbs(dsCount) <= ring.size && (insertType === INSERT_VLAN || insertType === 0);
}

/** Reads the data segments of a WQE into rows from `row` on; false when one of them makes no sense. */
function readData(memory: HostMemory, ring: RingMemory, slot: number, buffers: number, batch: DescriptorBatch, row: number): boolean {
  const { view } = memory;
  let isGood = true;
  for (let i = 0; i < buffers; i++) {
    const data = segmentAt(ring, slot, HEAD_DS + i);
    const byteCount = view.getUint32(data + MLX5_DS_BYTE_COUNT);
    if (byteCount === 0 || byteCount > MLX5_BYTE_COUNT_MASK || view.getUint32(data + MLX5_DS_LKEY) !== MLX5_LKEY) isGood = false;
    batch.lenBytes[row + i] = byteCount & MLX5_BYTE_COUNT_MASK;
    batch.iovaHigh[row + i] = view.getUint32(data + MLX5_DS_ADDR_HIGH);
    batch.iovaLow[row + i] = view.getUint32(data + MLX5_DS_ADDR_LOW);
    batch.slots[row + i] = 0;
    if (i > 0) batch.flags[row + i] = 0;
  }
  return isGood;
}

/** The sending half of the mlx5 format. */
export const mlx5Transmit: TxFormat = {
  txDescriptorBytes: MLX5_WQEBB_BYTES,
  txRingBytes: (size) => mlx5RingBytes(size, MLX5_WQEBB_BYTES),
  spareSlots: 0,
  hasTxChecksum: true,
  hasTxVlan: true,

  txInit(memory, ring) {
    mlx5InitCq(memory, ring, MLX5_WQEBB_BYTES);
  },

  txSlots: (buffers) => wqebbs(HEAD_DS + buffers),

  /** Only the last frame asks for a CQE, which speaks for all of them. */
  txPost(memory, ring, first, batch) {
    const { flags, count } = batch;
    let index = first;
    let firstOfFrame = 0;
    for (let i = 0; i < count; i++) {
      if ((flags[i] & DESC_EOP) === 0 && i !== count - 1) continue;
      storeWqe(memory, ring, index, batch, firstOfFrame, i, i === count - 1);
      index += wqebbs(HEAD_DS + i - firstOfFrame + 1);
      firstOfFrame = i + 1;
    }
  },

  /**
   * The record first, then the doorbell. Hardware takes the counter out of the ctrl segment that drivers write to the register; here the
   * register takes the counter itself.
   */
  txPublish(memory, ring, tail) {
    memory.view.setUint32(mlx5DoorbellRecord(ring, MLX5_WQEBB_BYTES) + MLX5_SND_DBR, tail & MLX5_COUNTER_MASK);
    return tail & MLX5_COUNTER_MASK;
  },

  /** Reads all new CQEs, and goes through the WQEs, whose sizes the driver knows, up to the last one complete. */
  txPoll(memory, ring, first, limit) {
    const { u8, view } = memory;
    const { state } = ring;
    const cq = mlx5Cq(ring, MLX5_WQEBB_BYTES);
    const cqSize = mlx5CqSize(ring.size);
    const seen = state[MLX5_STATE_CQ];
    for (;;) {
      const counter = state[MLX5_STATE_CQ];
      const cqe = cq + (counter & (cqSize - 1)) * MLX5_CQE_BYTES;
      if ((u8[cqe + MLX5_CQE_OP_OWN] & 1) !== mlx5OwnerBit(counter, cqSize)) break;
      const ahead = (view.getUint16(cqe + MLX5_CQE_WQE_COUNTER) - first) & MLX5_COUNTER_MASK;
      state[MLX5_STATE_DONE] = first + ahead + slotsAt(memory, ring, (first + ahead) % ring.size);
      state[MLX5_STATE_CQ] = counter + 1;
    }
    if (state[MLX5_STATE_CQ] !== seen) mlx5StoreConsumer(memory, ring, MLX5_WQEBB_BYTES);
    const done = (state[MLX5_STATE_DONE] - first) | 0;
    const most = done < limit ? done : limit;
    let whole = 0;
    while (whole < most) {
      const slots = slotsAt(memory, ring, (first + whole) % ring.size);
      if (whole + slots > most) break;
      whole += slots;
    }
    return whole;
  },

  txAvailable: (_memory, ring, head, doorbell, limit) => mlx5Given(doorbell, head, ring.size, limit),

  /** `slots` stands with the last buffer of a frame. A WQE that goes on behind `slots` is left out. */
  txFetch(memory, ring, first, slots, batch) {
    const { flags, lenBytes } = batch;
    const capacity = lenBytes.length;
    let row = 0;
    for (let done = 0; done < slots; ) {
      const slot = (first + done) % ring.size;
      const taken = slotsAt(memory, ring, slot);
      const buffers = Math.max(1, dsCountAt(memory, ring, slot) - HEAD_DS);
      if (done + taken > slots || row + buffers > capacity) break;
      let last = row + buffers - 1;
      if (!readHead(memory, ring, first + done, batch, row) || !readData(memory, ring, slot, buffers, batch, row)) {
        last = row;
        flags[row] = DESC_FIRST | DESC_MALFORMED;
        lenBytes[row] = 0;
      }
      flags[last] |= DESC_EOP;
      batch.slots[last] = taken;
      row = last + 1;
      done += taken;
    }
    batch.count = row;
  },

  /** A CQE for each WQE that asks for one; its wqe_counter tells that everything up to that WQE is complete. */
  txWriteBack(memory, ring, first, slots) {
    const { u8, view } = memory;
    const cq = mlx5Cq(ring, MLX5_WQEBB_BYTES);
    const cqSize = mlx5CqSize(ring.size);
    let counter = ring.state[MLX5_STATE_CQ];
    for (let done = 0; done < slots; ) {
      const slot = (first + done) % ring.size;
      if ((u8[ring.address + slot * MLX5_WQEBB_BYTES + CTRL_FM_CE_SE] & CE_CQE_UPDATE) !== 0) {
        const cqe = cq + (counter & (cqSize - 1)) * MLX5_CQE_BYTES;
        view.setUint16(cqe + MLX5_CQE_WQE_COUNTER, (first + done) & MLX5_COUNTER_MASK);
        u8[cqe + MLX5_CQE_OP_OWN] = (MLX5_CQE_REQ << 4) | mlx5OwnerBit(counter, cqSize);
        counter = (counter + 1) | 0;
      }
      done += slotsAt(memory, ring, slot);
    }
    ring.state[MLX5_STATE_CQ] = counter;
  },
};
