import type { HostMemory } from '../../../memory/index.js';
import { DESC_CSUM, DESC_DONE, DESC_EOP, DESC_RSS, DESC_TIMESTAMP } from '../batch.js';
import type { DescriptorBatch } from '../batch.js';
import type { DescriptorFormat, RingMemory } from './descriptorFormat.js';
import { giveBack, givenBack } from './ownerBit.js';
import type { OwnerBit } from './ownerBit.js';

// The teaching format: 16 bytes, little endian, the same fields in both directions.
//
//     0 addr u64   8 len u16   10 flags u16 (bit 0 DONE, bit 1 EOP, bit 2 RSS valid, bits 8 to 13 rss_type)   12 rss_hash u32
//                                           (TX: bit 3 CSUM)                                                  12 csum_start u16   14 csum_offset u16
//
// RX: the driver writes addr and the buffer's size and clears DONE; the device writes len, hash and flags with DONE, and in
// place of addr, which the driver knows, the time of arrival in ns.
// TX: the driver writes addr, len, EOP and CSUM and clears DONE; the device sets DONE. With CSUM on the first descriptor of a frame the device
// sums up from csum_start to the end and stores the complement at csum_start + csum_offset.
// The doorbells are tail registers: slots since the start, modulo 2^31.
const RSS_TYPE_SHIFT = 8;
const RSS_TYPE_MASK = 0x3f;
const TX_CSUM = 8;
const BYTES = 16;
const WORDS = BYTES / 4;
const TAIL_MASK = 0x7fffffff;
const TX_OWNER: OwnerBit = { words: WORDS, word: 2, bit: DESC_DONE << 16, ofDevice: 0, last: DESC_EOP << 16 };

function fetch(memory: HostMemory, ring: RingMemory, first: number, count: number, batch: DescriptorBatch): void {
  const { u32 } = memory;
  const { iovaLow, iovaHigh, lenBytes } = batch;
  const base = ring.address >>> 2;
  let slot = first % ring.size;
  for (let i = 0; i < count; i++) {
    const word = base + slot * WORDS;
    iovaLow[i] = u32[word];
    iovaHigh[i] = u32[word + 1];
    lenBytes[i] = u32[word + 2] & 0xffff;
    if (++slot === ring.size) slot = 0;
  }
  batch.count = count;
}

function available(_memory: HostMemory, _ring: RingMemory, head: number, doorbell: number, limit: number): number {
  const given = (doorbell - (head & TAIL_MASK)) & TAIL_MASK;
  return given < limit ? given : limit;
}

function publish(_memory: HostMemory, _ring: RingMemory, tail: number): number {
  return tail & TAIL_MASK;
}

/** The teaching descriptor format of the `plain` profile. */
export const plainFormat: DescriptorFormat = {
  name: 'plain',
  description: 'the teaching format: 16 bytes, the same fields in both directions',
  rxDescriptorBytes: BYTES,
  txDescriptorBytes: BYTES,
  rxRingBytes: (size) => size * BYTES,
  txRingBytes: (size) => size * BYTES,
  spareSlots: 1,
  rxPrefixBytes: 0,
  hasTxChecksum: true,
  hasTxVlan: false,

  rxInit() {},

  rxPost(memory, ring, first, batch) {
    const { u32 } = memory;
    const { iovaLow, iovaHigh, lenBytes, count } = batch;
    const base = ring.address >>> 2;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const word = base + slot * WORDS;
      u32[word] = iovaLow[i];
      u32[word + 1] = iovaHigh[i];
      u32[word + 3] = 0;
      u32[word + 2] = lenBytes[i];
      if (++slot === ring.size) slot = 0;
    }
  },

  rxPublish: publish,
  rxAvailable: available,
  rxFetch: fetch,

  rxWriteBack(memory, ring, first, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, rssHash, rssType, timestampNs, count } = batch;
    const base = ring.address >>> 2;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const word = base + slot * WORDS;
      const high = Math.floor(timestampNs[i] / 2 ** 32);
      u32[word] = timestampNs[i] - high * 2 ** 32;
      u32[word + 1] = high;
      u32[word + 3] = rssHash[i];
      u32[word + 2] = lenBytes[i] | (((flags[i] & (DESC_EOP | DESC_RSS)) | DESC_DONE | (rssType[i] << RSS_TYPE_SHIFT)) << 16);
      if (++slot === ring.size) slot = 0;
    }
  },

  rxPoll(memory, ring, first, limit, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, rssHash, rssType, timestampNs, packetType } = batch;
    const base = ring.address >>> 2;
    let slot = first % ring.size;
    let count = 0;
    for (; count < limit; count++) {
      const word = base + slot * WORDS;
      const status = u32[word + 2];
      if (((status >>> 16) & DESC_DONE) === 0) break;
      lenBytes[count] = status & 0xffff;
      flags[count] = ((status >>> 16) & (DESC_EOP | DESC_RSS)) | DESC_TIMESTAMP;
      rssHash[count] = u32[word + 3];
      rssType[count] = (status >>> (16 + RSS_TYPE_SHIFT)) & RSS_TYPE_MASK;
      timestampNs[count] = u32[word + 1] * 2 ** 32 + u32[word];
      packetType[count] = 0;
      if (++slot === ring.size) slot = 0;
    }
    batch.count = count;
    return count;
  },

  txInit() {},

  txSlots: (buffers) => buffers,

  txPost(memory, ring, first, batch) {
    const { u32 } = memory;
    const { iovaLow, iovaHigh, lenBytes, flags, csumStart, csumOffset, count } = batch;
    const base = ring.address >>> 2;
    let slot = first % ring.size;
    for (let i = 0; i < count; i++) {
      const word = base + slot * WORDS;
      const hasCsum = (flags[i] & DESC_CSUM) !== 0;
      u32[word] = iovaLow[i];
      u32[word + 1] = iovaHigh[i];
      u32[word + 3] = hasCsum ? csumStart[i] | (csumOffset[i] << 16) : 0;
      u32[word + 2] = lenBytes[i] | (((flags[i] & DESC_EOP) | (hasCsum ? TX_CSUM : 0)) << 16);
      if (++slot === ring.size) slot = 0;
    }
  },

  txPublish: publish,
  txAvailable: available,

  txFetch(memory, ring, first, slots, batch) {
    fetch(memory, ring, first, slots, batch);
    const { u32 } = memory;
    const { flags, slots: taken, csumStart, csumOffset } = batch;
    const base = ring.address >>> 2;
    let slot = first % ring.size;
    for (let i = 0; i < slots; i++) {
      const word = base + slot * WORDS;
      const bits = u32[word + 2] >>> 16;
      flags[i] = (bits & DESC_EOP) | ((bits & TX_CSUM) !== 0 ? DESC_CSUM : 0);
      csumStart[i] = u32[word + 3] & 0xffff;
      csumOffset[i] = u32[word + 3] >>> 16;
      taken[i] = 1;
      if (++slot === ring.size) slot = 0;
    }
  },

  txWriteBack: (memory, ring, first, slots) => giveBack(memory, ring, first, slots, TX_OWNER),
  txPoll: (memory, ring, first, limit) => givenBack(memory, ring, first, limit, TX_OWNER),
};
