import type { HostMemory } from '../../../memory/index.js';
import { DESC_DONE, DESC_EOP, DESC_RSS } from '../batch.js';
import type { DescriptorBatch } from '../batch.js';
import type { DescriptorFormat, RingMemory } from './descriptorFormat.js';

// The teaching format: 16 bytes, little endian, the same fields in both directions.
//
//     0 addr u64   8 len u16   10 flags u16 (bit 0 DONE, bit 1 EOP, bit 2 RSS valid, bits 8 to 13 rss_type)   12 rss_hash u32
//
// RX: the driver writes addr and the buffer's size and clears DONE; the device writes len, hash and flags with DONE, and in
// place of addr, which the driver knows, the time of arrival in ns.
// TX: the driver writes addr, len and EOP and clears DONE; the device sets DONE.
const RSS_TYPE_SHIFT = 8;
const RSS_TYPE_MASK = 0x3f;
const BYTES = 16;
const WORDS = BYTES / 4;

function wordOf(ring: RingMemory, index: number): number {
  return (ring.address >>> 2) + (index & (ring.size - 1)) * WORDS;
}

function post(memory: HostMemory, ring: RingMemory, first: number, batch: DescriptorBatch, flagsMask: number): void {
  const { u32 } = memory;
  const { iovaLow, iovaHigh, lenBytes, flags, count } = batch;
  for (let i = 0; i < count; i++) {
    const word = wordOf(ring, first + i);
    u32[word] = iovaLow[i];
    u32[word + 1] = iovaHigh[i];
    u32[word + 3] = 0;
    u32[word + 2] = lenBytes[i] | ((flags[i] & flagsMask) << 16);
  }
}

function fetch(memory: HostMemory, ring: RingMemory, first: number, count: number, batch: DescriptorBatch): void {
  const { u32 } = memory;
  const { iovaLow, iovaHigh, lenBytes, flags } = batch;
  for (let i = 0; i < count; i++) {
    const word = wordOf(ring, first + i);
    iovaLow[i] = u32[word];
    iovaHigh[i] = u32[word + 1];
    lenBytes[i] = u32[word + 2] & 0xffff;
    flags[i] = u32[word + 2] >>> 16;
  }
  batch.count = count;
}

/** The teaching descriptor format of the `plain` profile. */
export const plainFormat: DescriptorFormat = {
  name: 'plain',
  descriptorBytes: BYTES,

  rxPost(memory, ring, first, batch) {
    post(memory, ring, first, batch, 0);
  },

  rxFetch: fetch,

  rxWriteBack(memory, ring, first, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, rssHash, rssType, timestampNs, count } = batch;
    for (let i = 0; i < count; i++) {
      const word = wordOf(ring, first + i);
      const high = Math.floor(timestampNs[i] / 2 ** 32);
      u32[word] = timestampNs[i] - high * 2 ** 32;
      u32[word + 1] = high;
      u32[word + 3] = rssHash[i];
      u32[word + 2] = lenBytes[i] | ((flags[i] | DESC_DONE | (rssType[i] << RSS_TYPE_SHIFT)) << 16);
    }
  },

  rxPoll(memory, ring, first, limit, batch) {
    const { u32 } = memory;
    const { lenBytes, flags, rssHash, rssType, timestampNs } = batch;
    let count = 0;
    for (; count < limit; count++) {
      const word = wordOf(ring, first + count);
      const status = u32[word + 2];
      if (((status >>> 16) & DESC_DONE) === 0) break;
      lenBytes[count] = status & 0xffff;
      flags[count] = (status >>> 16) & (DESC_EOP | DESC_RSS);
      rssHash[count] = u32[word + 3];
      rssType[count] = (status >>> (16 + RSS_TYPE_SHIFT)) & RSS_TYPE_MASK;
      timestampNs[count] = u32[word + 1] * 2 ** 32 + u32[word];
    }
    batch.count = count;
    return count;
  },

  txPost(memory, ring, first, batch) {
    post(memory, ring, first, batch, DESC_EOP);
  },

  txFetch: fetch,

  txWriteBack(memory, ring, first, count) {
    const { u32 } = memory;
    for (let i = 0; i < count; i++) u32[wordOf(ring, first + i) + 2] |= DESC_DONE << 16;
  },

  txPoll(memory, ring, first, limit) {
    const { u32 } = memory;
    let count = 0;
    while (count < limit && ((u32[wordOf(ring, first + count) + 2] >>> 16) & DESC_DONE) !== 0) count++;
    return count;
  },
};
