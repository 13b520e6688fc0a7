import type { HostMemory } from '../../../memory/index.js';
import { DESC_CSUM, DESC_EOP, DESC_FIRST, DESC_MALFORMED, MAX_SEGMENTS } from '../batch.js';
import type { DescriptorBatch } from '../batch.js';
import { IOVA_HIGH } from '../iommu.js';
import type { RingMemory, TxFormat } from './descriptorFormat.js';
import {
  availAt, DESC_BYTES, DESC_FLAGS, DESC_LEN, DESC_NEXT, F_NEXT, HEADER_BYTES, HEADER_CSUM_OFFSET, HEADER_CSUM_START, HEADER_GSO_TYPE,
  headersOffset, INDEX_MASK, NEEDS_CSUM, notify, RING_ENTRIES, RING_IDX, ringBytes, storeDescriptor, TRANSMITQ, USED_BYTES, USED_LEN, usedAt,
} from './virtioSplitBits.js';

/** Descriptors of the longest chain that the device takes: header and buffers. */
const CHAIN_MAX = 1 + MAX_SEGMENTS;

/** Words of `RingMemory.state`. TX: chains given or taken, and where in the index rings the next one stands. */
const STATE_CHAINS = 0;
const STATE_ENTRY = 1;
/** Of the TX driver: chains seen in the used ring, and the slot behind the last of them. */
const STATE_USED = 2;
const STATE_DONE = 3;

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

/** The sending half: each frame a chain of its header and its buffers. */
export const virtioSplitTransmit: TxFormat = {
  txDescriptorBytes: DESC_BYTES,
  txRingBytes: ringBytes,
  spareSlots: 0,
  hasTxChecksum: true,
  hasTxVlan: false,

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
