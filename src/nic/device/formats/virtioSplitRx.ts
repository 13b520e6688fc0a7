import type { HostMemory } from '../../../memory/index.js';
import { DESC_DONE, DESC_EOP, DESC_FIRST, DESC_L4_BAD, DESC_L4_CHECKED, DESC_RX_ERROR } from '../batch.js';
import type { RxFormat } from './descriptorFormat.js';
import {
  availAt, DATA_VALID, DESC_BYTES, DESC_FLAGS, DESC_LEN, F_WRITE, HEADER_BYTES, HEADER_NUM_BUFFERS, INDEX_MASK, notify, RECEIVEQ, RING_ENTRIES,
  RING_IDX, ringBytes, storeDescriptor, USED_BYTES, USED_LEN, usedAt,
} from './virtioSplitBits.js';

/** The device's header of a received frame. */
function storeRxHeader(memory: HostMemory, address: number, flags: number, buffers: number): void {
  const { view, u8 } = memory;
  for (let i = 0; i < HEADER_NUM_BUFFERS; i++) u8[address + i] = 0;
  if ((flags & (DESC_L4_CHECKED | DESC_L4_BAD)) === DESC_L4_CHECKED) u8[address] = DATA_VALID;
  view.setUint16(address + HEADER_NUM_BUFFERS, buffers, true);
}

/** The receiving half: mergeable buffers. */
export const virtioSplitReceive: RxFormat = {
  rxDescriptorBytes: DESC_BYTES,
  rxRingBytes: ringBytes,
  rxPrefixBytes: HEADER_BYTES,

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
};
