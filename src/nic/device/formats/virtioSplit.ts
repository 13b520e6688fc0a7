import type { HostMemory } from '../../../memory/index.js';
import {
  DESC_CSUM, DESC_DONE, DESC_EOP, DESC_FIRST, DESC_L4_BAD, DESC_L4_CHECKED, DESC_MALFORMED, DESC_RX_ERROR, MAX_SEGMENTS,
} from '../batch.js';
import type { DescriptorBatch } from '../batch.js';
import { IOVA_HIGH } from '../iommu.js';
import { NO_DOORBELL } from './descriptorFormat.js';
import type { DescriptorFormat, RingMemory } from './descriptorFormat.js';

// A split virtqueue (virtio 1.2 section 2.7), little endian. The ring memory of one queue holds
//
//     descriptor table   size times { addr u64, len u32, flags u16, next u16 }, at a multiple of 16
//     available ring     { flags u16, idx u16, ring[size] u16, used_event u16 }, at a multiple of 2
//     used ring          { flags u16, idx u16, size times { id u32, len u32 }, avail_event u16 }, at a multiple of 4
//     TX headers         size times struct virtio_net_hdr_mrg_rxbuf, 12 bytes (the RX queue leaves them unused)
//
// idx counts the chains made available or used since the ring was made, modulo 2^16. Both sides use descriptors in the order of the ring, as
// with VIRTIO_F_IN_ORDER: slot n of the ring is descriptor n % size, and no list of free descriptors is kept.
const DESC_BYTES = 16;
const DESC_LEN = 8;
const DESC_FLAGS = 12;
const DESC_NEXT = 14;
const F_NEXT = 1;
const F_WRITE = 2;
const RING_IDX = 2;
const RING_ENTRIES = 4;
const USED_BYTES = 8;
const USED_LEN = 4;
const USED_F_NO_NOTIFY = 1;
const INDEX_MASK = 0xffff;

// struct virtio_net_hdr_mrg_rxbuf (section 5.1.6):
//     0 flags u8   1 gso_type u8   2 hdr_len u16   4 gso_size u16   6 csum_start u16   8 csum_offset u16   10 num_buffers u16
const HEADER_BYTES = 12;
const HEADER_GSO_TYPE = 1;
const HEADER_CSUM_START = 6;
const HEADER_CSUM_OFFSET = 8;
const HEADER_NUM_BUFFERS = 10;
const NEEDS_CSUM = 1;
const DATA_VALID = 2;

/** Descriptors of the longest chain that the device takes: header and buffers. */
const CHAIN_MAX = 1 + MAX_SEGMENTS;

/** Queue numbers, which drivers write into the notify register. */
const RECEIVEQ = 0;
const TRANSMITQ = 1;

/** Words of `RingMemory.state`. TX: chains given or taken, and where in the index rings the next one stands. */
const STATE_CHAINS = 0;
const STATE_ENTRY = 1;
/** Of the TX driver: chains seen in the used ring, and the slot behind the last of them. */
const STATE_USED = 2;
const STATE_DONE = 3;

function availAt(ring: RingMemory): number {
  return ring.address + ring.size * DESC_BYTES;
}

function usedOffset(size: number): number {
  return Math.ceil((size * DESC_BYTES + RING_ENTRIES + size * 2 + 2) / 4) * 4;
}

function usedAt(ring: RingMemory): number {
  return ring.address + usedOffset(ring.size);
}

function headersOffset(size: number): number {
  return Math.ceil((usedOffset(size) + RING_ENTRIES + size * USED_BYTES + 2) / 4) * 4;
}

function ringBytes(size: number): number {
  return headersOffset(size) + size * HEADER_BYTES;
}

function storeDescriptor(memory: HostMemory, ring: RingMemory, slot: number, low: number, high: number, lenBytes: number, flags: number, next: number): void {
  const { view } = memory;
  const at = ring.address + slot * DESC_BYTES;
  view.setUint32(at, low, true);
  view.setUint32(at + 4, high, true);
  view.setUint32(at + DESC_LEN, lenBytes, true);
  view.setUint16(at + DESC_FLAGS, flags, true);
  view.setUint16(at + DESC_NEXT, next, true);
}

/** Value for the notify register; none when the device has said that it needs no notification. */
function notify(memory: HostMemory, ring: RingMemory, queue: number): number {
  return (memory.view.getUint16(usedAt(ring), true) & USED_F_NO_NOTIFY) !== 0 ? NO_DOORBELL : queue;
}

/** Descriptors of the chain that begins with `id`, at least 1; the count ends where the chain makes no sense. */
function chainSlots(memory: HostMemory, ring: RingMemory, id: number): number {
  const { view } = memory;
  let slots = 1;
  for (let at = id; slots < CHAIN_MAX && at < ring.size; slots++) {
    const descriptor = ring.address + at * DESC_BYTES;
    if ((view.getUint16(descriptor + DESC_FLAGS, true) & F_NEXT) === 0) break;
    at = view.getUint16(descriptor + DESC_NEXT, true);
    if (at >= ring.size) break;
  }
  return slots;
}

/** Head of the chain that stands `ahead` entries behind the device's next one. */
function chainHead(memory: HostMemory, ring: RingMemory, ahead: number): number {
  return memory.view.getUint16(availAt(ring) + RING_ENTRIES + ((ring.state[STATE_ENTRY] + ahead) % ring.size) * 2, true);
}

/** Reads the header of a chain into row `row`; false when it makes no sense. It has a descriptor and a place in the ring memory of its own. */
function readHeader(memory: HostMemory, ring: RingMemory, id: number, batch: DescriptorBatch, row: number): boolean {
  const { view, u8 } = memory;
  if (id >= ring.size) return false;
  const descriptor = ring.address + id * DESC_BYTES;
  const offset = (view.getUint32(descriptor, true) - ring.iovaLow) >>> 0;
  if (view.getInt32(descriptor + 4, true) !== (IOVA_HIGH | 0) || view.getUint32(descriptor + DESC_LEN, true) !== HEADER_BYTES) return false;
  if (view.getUint16(descriptor + DESC_FLAGS, true) !== F_NEXT) return false;
  if (offset < headersOffset(ring.size) || offset > ringBytes(ring.size) - HEADER_BYTES) return false;
  const header = ring.address + offset;
  const hasCsum = (u8[header] & NEEDS_CSUM) !== 0;
  batch.flags[row] = DESC_FIRST | (hasCsum ? DESC_CSUM : 0);
  batch.csumStart[row] = hasCsum ? view.getUint16(header + HEADER_CSUM_START, true) : 0;
  batch.csumOffset[row] = hasCsum ? view.getUint16(header + HEADER_CSUM_OFFSET, true) : 0;
  batch.packetType[row] = 0;
  batch.l3Start[row] = 0;
  batch.vlanTci[row] = 0;
  return u8[header + HEADER_GSO_TYPE] === 0;
}

/** Reads the buffers of a chain of `slots` descriptors into rows from `row` on; false when it makes no sense. */
function readBuffers(memory: HostMemory, ring: RingMemory, id: number, slots: number, batch: DescriptorBatch, row: number): boolean {
  const { view } = memory;
  let at = view.getUint16(ring.address + id * DESC_BYTES + DESC_NEXT, true);
  for (let i = 0; i < slots - 1; i++) {
    if (at >= ring.size) return false;
    const descriptor = ring.address + at * DESC_BYTES;
    const flags = view.getUint16(descriptor + DESC_FLAGS, true);
    const lenBytes = view.getUint32(descriptor + DESC_LEN, true);
    if (lenBytes === 0 || lenBytes > 0x7fffffff || flags !== (i === slots - 2 ? 0 : F_NEXT)) return false;
    batch.iovaLow[row + i] = view.getUint32(descriptor, true);
    batch.iovaHigh[row + i] = view.getUint32(descriptor + 4, true);
    batch.lenBytes[row + i] = lenBytes;
    batch.slots[row + i] = i === 0 ? 2 : 1;
    if (i > 0) batch.flags[row + i] = 0;
    at = view.getUint16(descriptor + DESC_NEXT, true);
  }
  return slots > 1;
}

/** The device's header of a received frame. */
function storeRxHeader(memory: HostMemory, address: number, flags: number, buffers: number): void {
  const { view, u8 } = memory;
  for (let i = 0; i < HEADER_NUM_BUFFERS; i++) u8[address + i] = 0;
  if ((flags & (DESC_L4_CHECKED | DESC_L4_BAD)) === DESC_L4_CHECKED) u8[address] = DATA_VALID;
  view.setUint16(address + HEADER_NUM_BUFFERS, buffers, true);
}

/** virtio-net with split virtqueues, mergeable receive buffers and checksum offload in both directions. */
export const virtioSplitFormat: DescriptorFormat = {
  name: 'virtio-split',
  description: 'virtio-net 1.x: split virtqueues, each frame behind a 12-byte virtio_net_hdr (virtio 1.2 sections 2.7 and 5.1.6)',
  rxDescriptorBytes: DESC_BYTES,
  txDescriptorBytes: DESC_BYTES,
  rxRingBytes: ringBytes,
  txRingBytes: ringBytes,
  spareSlots: 0,
  rxPrefixBytes: HEADER_BYTES,
  hasTxChecksum: true,
  hasTxVlan: false,

  rxInit() {},

  rxPost(memory, ring, first, batch) {
    const { iovaLow, iovaHigh, lenBytes, count } = batch;
    const entries = availAt(ring) + RING_ENTRIES;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      storeDescriptor(memory, ring, slot, iovaLow[i], iovaHigh[i], lenBytes[i], F_WRITE, 0);
      memory.view.setUint16(entries + slot * 2, slot, true);
      if (++slot === ring.size) slot = 0;
    }
  },

  rxPublish(memory, ring, tail) {
    memory.view.setUint16(availAt(ring) + RING_IDX, tail & INDEX_MASK, true);
    return notify(memory, ring, RECEIVEQ);
  },

  /**
   * A used length without room for the header is a frame that the device could not write. A frame that is not whole within `limit` is left
   * for later; one with fewer buffers than its header says is an error, as in receive_mergeable (drivers/net/virtio_net.c, Linux 6.18).
   */
  rxPoll(memory, ring, first, limit, batch) {
    const { view, u8 } = memory;
    const { lenBytes, flags, packetType, address } = batch;
    const used = usedAt(ring);
    const ahead = (view.getUint16(used + RING_IDX, true) - first) & INDEX_MASK;
    // An index that runs ahead by more than the ring is none that a device could have written.
    const finished = ahead > ring.size ? 0 : ahead;
    let row = 0;
    while (row < finished && row < limit) {
      let slot = (first + row) % ring.size;
      const hasHeader = view.getUint32(used + RING_ENTRIES + slot * USED_BYTES + USED_LEN, true) >= HEADER_BYTES;
      const stated = hasHeader ? view.getUint16(address[row] + HEADER_NUM_BUFFERS, true) : 1;
      const buffers = Math.min(Math.max(stated, 1), finished - row);
      if (row + buffers > limit) break;
      let found = DESC_DONE;
      if (!hasHeader || buffers !== stated) found |= DESC_RX_ERROR;
      else if ((u8[address[row]] & DATA_VALID) !== 0) found |= DESC_L4_CHECKED;
      for (let i = row; i < row + buffers; i++) {
        const written = view.getUint32(used + RING_ENTRIES + slot * USED_BYTES + USED_LEN, true);
        lenBytes[i] = i > row ? written : Math.max(0, written - HEADER_BYTES);
        flags[i] = found | (i === row ? DESC_FIRST : 0) | (i === row + buffers - 1 ? DESC_EOP : 0);
        packetType[i] = 0;
        if (++slot === ring.size) slot = 0;
      }
      row += buffers;
    }
    batch.count = row;
    return row;
  },

  rxAvailable(memory, ring, head, _doorbell, limit) {
    const given = Math.min((memory.view.getUint16(availAt(ring) + RING_IDX, true) - head) & INDEX_MASK, ring.size);
    return given < limit ? given : limit;
  },

  /** A buffer that the device may not write to, or a descriptor that is none, is one without bytes. */
  rxFetch(memory, ring, first, count, batch) {
    const { view } = memory;
    const { iovaLow, iovaHigh, lenBytes } = batch;
    const entries = availAt(ring) + RING_ENTRIES;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const id = view.getUint16(entries + slot * 2, true);
      const descriptor = ring.address + (id < ring.size ? id : 0) * DESC_BYTES;
      const isGood = id < ring.size && view.getUint16(descriptor + DESC_FLAGS, true) === F_WRITE;
      iovaLow[i] = isGood ? view.getUint32(descriptor, true) : 0;
      iovaHigh[i] = isGood ? view.getUint32(descriptor + 4, true) : 0;
      lenBytes[i] = isGood ? view.getUint32(descriptor + DESC_LEN, true) & 0x7fffffff : 0;
      if (++slot === ring.size) slot = 0;
    }
    batch.count = count;
  },

  /** Buffers of a frame whose header could not be written have a used length of 0. */
  rxWriteBack(memory, ring, first, batch) {
    const { view } = memory;
    const { lenBytes, flags, address, count } = batch;
    const available = availAt(ring) + RING_ENTRIES;
    const used = usedAt(ring);
    let slot = first % ring.size;
    let firstOfFrame = 0;
    for (let i = 0; i < count; i++) {
      const header = address[firstOfFrame];
      const id = view.getUint16(available + slot * 2, true);
      const written = header === 0 ? 0 : lenBytes[i] + (i === firstOfFrame ? HEADER_BYTES : 0);
      view.setUint32(used + RING_ENTRIES + slot * USED_BYTES, id, true);
      view.setUint32(used + RING_ENTRIES + slot * USED_BYTES + USED_LEN, written, true);
      if ((flags[i] & DESC_EOP) !== 0) {
        if (header !== 0) storeRxHeader(memory, header, flags[i], i - firstOfFrame + 1);
        firstOfFrame = i + 1;
      }
      if (++slot === ring.size) slot = 0;
    }
    view.setUint16(used + RING_IDX, (first + count) & INDEX_MASK, true);
  },

  txInit() {},

  txSlots: (buffers) => buffers + 1,

  txPost(memory, ring, first, batch) {
    const { view, u8 } = memory;
    const { state, size } = ring;
    const { iovaLow, iovaHigh, lenBytes, flags, csumStart, csumOffset, count } = batch;
    const headers = headersOffset(size);
    const entries = availAt(ring) + RING_ENTRIES;
    let slot = first % size;
    for (let i = 0; i < count; ) {
      const offset = headers + slot * HEADER_BYTES;
      const header = ring.address + offset;
      const hasCsum = (flags[i] & DESC_CSUM) !== 0;
      for (let byte = 0; byte < HEADER_BYTES; byte++) u8[header + byte] = 0;
      if (hasCsum) {
        u8[header] = NEEDS_CSUM;
        view.setUint16(header + HEADER_CSUM_START, csumStart[i], true);
        view.setUint16(header + HEADER_CSUM_OFFSET, csumOffset[i], true);
      }
      const head = slot;
      let next = slot + 1 === size ? 0 : slot + 1;
      storeDescriptor(memory, ring, slot, ring.iovaLow + offset, IOVA_HIGH, HEADER_BYTES, F_NEXT, next);
      for (let isLast = false; !isLast; i++) {
        isLast = (flags[i] & DESC_EOP) !== 0 || i === count - 1;
        slot = next;
        next = slot + 1 === size ? 0 : slot + 1;
        storeDescriptor(memory, ring, slot, iovaLow[i], iovaHigh[i], lenBytes[i], isLast ? 0 : F_NEXT, isLast ? 0 : next);
      }
      slot = next;
      view.setUint16(entries + state[STATE_ENTRY] * 2, head, true);
      state[STATE_ENTRY] = (state[STATE_ENTRY] + 1) % size;
      state[STATE_CHAINS] = (state[STATE_CHAINS] + 1) & INDEX_MASK;
    }
  },

  txPublish(memory, ring) {
    memory.view.setUint16(availAt(ring) + RING_IDX, ring.state[STATE_CHAINS], true);
    return notify(memory, ring, TRANSMITQ);
  },

  /** Chains are used in the order of the ring, so that the used index alone tells which. */
  txPoll(memory, ring, first, limit) {
    const { state } = ring;
    const index = memory.view.getUint16(usedAt(ring) + RING_IDX, true);
    while (state[STATE_USED] !== index) {
      state[STATE_DONE] += chainSlots(memory, ring, (state[STATE_DONE] >>> 0) % ring.size);
      state[STATE_USED] = (state[STATE_USED] + 1) & INDEX_MASK;
    }
    const done = (state[STATE_DONE] - first) | 0;
    const most = done < limit ? done : limit;
    let whole = 0;
    while (whole < most) {
      const slots = chainSlots(memory, ring, (first + whole) % ring.size);
      if (whole + slots > most) break;
      whole += slots;
    }
    return whole;
  },

  /** An index that runs ahead by more than the ring counts as a full one. */
  txAvailable(memory, ring, _head, _doorbell, limit) {
    const chains = Math.min((memory.view.getUint16(availAt(ring) + RING_IDX, true) - ring.state[STATE_CHAINS]) & INDEX_MASK, ring.size);
    let slots = 0;
    for (let i = 0; i < chains && slots < limit; i++) slots += chainSlots(memory, ring, chainHead(memory, ring, i));
    return slots < limit ? slots : limit;
  },

  /** Where the chains stand in the descriptor table, the available ring tells. A chain that goes on behind `slots` is left out. */
  txFetch(memory, ring, _first, slots, batch) {
    const { flags, lenBytes } = batch;
    let row = 0;
    let taken = 0;
    for (let chain = 0; taken < slots; chain++) {
      const id = chainHead(memory, ring, chain);
      const length = chainSlots(memory, ring, id);
      if (taken + length > slots || row + length > lenBytes.length) break;
      let last = row + length - 2;
      if (!readHeader(memory, ring, id, batch, row) || !readBuffers(memory, ring, id, length, batch, row)) {
        last = row;
        flags[row] = DESC_FIRST | DESC_MALFORMED;
        lenBytes[row] = 0;
        batch.slots[row] = length;
      }
      flags[last] |= DESC_EOP;
      row = last + 1;
      taken += length;
    }
    batch.count = row;
  },

  txWriteBack(memory, ring, _first, slots) {
    const { view } = memory;
    const { state, size } = ring;
    const used = usedAt(ring);
    for (let taken = 0; taken < slots; ) {
      const id = chainHead(memory, ring, 0);
      const entry = used + RING_ENTRIES + state[STATE_ENTRY] * USED_BYTES;
      view.setUint32(entry, id, true);
      // The device writes nothing into a buffer that it reads.
      view.setUint32(entry + USED_LEN, 0, true);
      taken += chainSlots(memory, ring, id);
      state[STATE_ENTRY] = (state[STATE_ENTRY] + 1) % size;
      state[STATE_CHAINS] = (state[STATE_CHAINS] + 1) & INDEX_MASK;
    }
    view.setUint16(used + RING_IDX, state[STATE_CHAINS], true);
  },
};
