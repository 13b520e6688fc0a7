import type { HostMemory } from '../../../memory/index.js';
import { NO_DOORBELL } from './descriptorFormat.js';
import type { RingMemory } from './descriptorFormat.js';

// A split virtqueue (virtio 1.2 section 2.7), little endian. The ring memory of one queue holds
//
//     descriptor table   size times { addr u64, len u32, flags u16, next u16 }, at a multiple of 16
//     available ring     { flags u16, idx u16, ring[size] u16, used_event u16 }, at a multiple of 2
//     used ring          { flags u16, idx u16, size times { id u32, len u32 }, avail_event u16 }, at a multiple of 4
//     TX headers         size times struct virtio_net_hdr_mrg_rxbuf, 12 bytes (the RX queue leaves them unused)
//
// idx counts the chains made available or used since the ring was made, modulo 2^16. Both sides use descriptors in the order of the ring, as
// with VIRTIO_F_IN_ORDER: slot n of the ring is descriptor n % size, and no list of free descriptors is kept.
export const DESC_BYTES = 16;
export const DESC_LEN = 8;
export const DESC_FLAGS = 12;
export const DESC_NEXT = 14;
export const F_NEXT = 1;
export const F_WRITE = 2;
export const RING_IDX = 2;
export const RING_ENTRIES = 4;
export const USED_BYTES = 8;
export const USED_LEN = 4;
const USED_F_NO_NOTIFY = 1;
export const INDEX_MASK = 0xffff;

// struct virtio_net_hdr_mrg_rxbuf (section 5.1.6):
//     0 flags u8   1 gso_type u8   2 hdr_len u16   4 gso_size u16   6 csum_start u16   8 csum_offset u16   10 num_buffers u16
export const HEADER_BYTES = 12;
export const HEADER_GSO_TYPE = 1;
export const HEADER_CSUM_START = 6;
export const HEADER_CSUM_OFFSET = 8;
export const HEADER_NUM_BUFFERS = 10;
export const NEEDS_CSUM = 1;
export const DATA_VALID = 2;

/** Queue numbers, which drivers write into the notify register. */
export const RECEIVEQ = 0;
export const TRANSMITQ = 1;

/** Where the available ring and the used ring begin. */
export function availAt(ring: RingMemory): number {
  return ring.address + ring.size * DESC_BYTES;
}

function usedOffset(size: number): number {
  return Math.ceil((size * DESC_BYTES + RING_ENTRIES + size * 2 + 2) / 4) * 4;
}

export function usedAt(ring: RingMemory): number {
  return ring.address + usedOffset(ring.size);
}

/** Where the TX headers begin. */
export function headersOffset(size: number): number {
  return Math.ceil((usedOffset(size) + RING_ENTRIES + size * USED_BYTES + 2) / 4) * 4;
}

/** Host memory of one queue. */
export function ringBytes(size: number): number {
  return headersOffset(size) + size * HEADER_BYTES;
}

/** Fills in a descriptor. */
export function storeDescriptor(memory: HostMemory, ring: RingMemory, slot: number, low: number, high: number, lenBytes: number, flags: number, next: number): void {
  const { view } = memory;
  const at = ring.address + slot * DESC_BYTES;
  view.setUint32(at, low, true);
  view.setUint32(at + 4, high, true);
  view.setUint32(at + DESC_LEN, lenBytes, true);
  view.setUint16(at + DESC_FLAGS, flags, true);
  view.setUint16(at + DESC_NEXT, next, true);
}

/** Value for the notify register; none when the device has said that it needs no notification. */
export function notify(memory: HostMemory, ring: RingMemory, queue: number): number {
  return (memory.view.getUint16(usedAt(ring), true) & USED_F_NO_NOTIFY) !== 0 ? NO_DOORBELL : queue;
}
