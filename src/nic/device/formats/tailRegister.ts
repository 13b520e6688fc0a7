import type { HostMemory } from '../../../memory/index.js';
import type { DescriptorBatch } from '../batch.js';
import type { DescriptorFormat, RingMemory } from './descriptorFormat.js';

// Rings of Intel's NICs: the device owns the slots from its head up to the tail register (RDT, TDT). Head = tail means empty, so one slot
// always stays unused. The register holds a slot's number, not a count.

/** What to write to the tail register: the first slot that the device does not own. */
export function publishTail(_memory: HostMemory, ring: RingMemory, tail: number): number {
  return tail % ring.size;
}

/** Slots between the device's head and the tail register (u32), at most `limit`. A value behind the ring's end counts modulo its size. */
export function slotsBeforeTail(_memory: HostMemory, ring: RingMemory, head: number, doorbell: number, limit: number): number {
  const { size } = ring;
  const ahead = (((doorbell >>> 0) % size) - (head % size) + size) % size;
  return ahead < limit ? ahead : limit;
}

/**
 * Bytes behind the descriptors of an RX ring in which the size of the queue's buffers is kept. In hardware that is a register of the queue
 * (SRRCTL.BSIZEPKT; RXDCTX.DBUFF of i40e and ice), since the descriptors don't say it; device and driver of the model share nothing but memory.
 */
const BUFFER_SIZE_BYTES = 16;

/**
 * Writes the read form of RX descriptors: pkt_addr in the first eight bytes, 0 in the rest. hdr_addr shares its eight bytes with the
 * status of the write-back, so that this also takes away the DD of the lap before. All buffers of a ring have the same size.
 *
 * @param words 32-bit words of a descriptor
 */
function postAddresses(memory: HostMemory, ring: RingMemory, first: number, batch: DescriptorBatch, words: number): void {
  const { u32 } = memory;
  const { iovaLow, iovaHigh, lenBytes, count } = batch;
  const base = ring.address >>> 2;
  let slot = first % ring.size;
  for (let i = 0; i < count; i++) {
    const word = base + slot * words;
    for (let rest = 2; rest < words; rest++) u32[word + rest] = 0;
    u32[word] = iovaLow[i];
    u32[word + 1] = iovaHigh[i];
    if (++slot === ring.size) slot = 0;
  }
  if (count > 0) u32[base + ring.size * words] = lenBytes[0];
}

/** Reads pkt_addr of RX descriptors, and the size of the buffers from where `postAddresses` keeps it. */
function fetchAddresses(memory: HostMemory, ring: RingMemory, first: number, count: number, batch: DescriptorBatch, words: number): void {
  const { u32 } = memory;
  const { iovaLow, iovaHigh, lenBytes } = batch;
  const base = ring.address >>> 2;
  const bufferBytes = u32[base + ring.size * words];
  let slot = first % ring.size;
  for (let i = 0; i < count; i++) {
    const word = base + slot * words;
    iovaLow[i] = u32[word];
    iovaHigh[i] = u32[word + 1];
    lenBytes[i] = bufferBytes;
    if (++slot === ring.size) slot = 0;
  }
  batch.count = count;
}

/** Of the receiving half of a format, all but what is written back. */
type RxAddresses = Pick<DescriptorFormat, 'rxDescriptorBytes' | 'rxRingBytes' | 'rxInit' | 'rxPost' | 'rxPublish' | 'rxAvailable' | 'rxFetch'>;

/**
 * An RX ring with a tail register, whose descriptors in their read form are an address.
 *
 * @param words 32-bit words of a descriptor
 * @param registerBytes bytes behind the descriptors, at least the 16 in which the size of the buffers is kept
 */
export function addressRing(words: number, registerBytes: number = BUFFER_SIZE_BYTES): RxAddresses {
  return {
    rxDescriptorBytes: words * 4,
    rxRingBytes: (size) => size * words * 4 + registerBytes,
    rxInit() {},
    rxPost: (memory, ring, first, batch) => postAddresses(memory, ring, first, batch, words),
    rxPublish: publishTail,
    rxAvailable: slotsBeforeTail,
    rxFetch: (memory, ring, first, count, batch) => fetchAddresses(memory, ring, first, count, batch, words),
  };
}
