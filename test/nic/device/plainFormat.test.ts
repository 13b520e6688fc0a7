import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { HostMemory } from '../../../src/memory/index.js';
import { DESC_DONE, DESC_EOP, DESC_RSS, DescriptorBatch } from '../../../src/nic/index.js';
import type { RingMemory } from '../../../src/nic/index.js';
import { plainFormat } from '../../../src/nic/device/formats/plain.js';

interface Fields {
  readonly iovaLow?: number;
  readonly iovaHigh?: number;
  readonly lenBytes?: number;
  readonly flags?: number;
  readonly rssHash?: number;
  readonly rssType?: number;
  readonly timestampNs?: number;
}

function batchOf(rows: readonly Fields[]): DescriptorBatch {
  const batch = new DescriptorBatch(64);
  rows.forEach((row, i) => {
    batch.iovaLow[i] = row.iovaLow ?? 0;
    batch.iovaHigh[i] = row.iovaHigh ?? 0;
    batch.lenBytes[i] = row.lenBytes ?? 0;
    batch.flags[i] = row.flags ?? 0;
    batch.rssHash[i] = row.rssHash ?? 0;
    batch.rssType[i] = row.rssType ?? 0;
    batch.timestampNs[i] = row.timestampNs ?? 0;
  });
  batch.count = rows.length;
  return batch;
}

/** A ring full of stale bytes. */
function ringOf(size: number): { memory: HostMemory; ring: RingMemory; bytesOf(index: number): string } {
  const memory = new HostMemory(1);
  const address = memory.reserve('ring', size * 16, 4096);
  memory.u8.fill(0xa5, address, address + size * 16);
  return { memory, ring: { address, size }, bytesOf: (index) => Buffer.from(memory.u8.subarray(address + index * 16, address + index * 16 + 16)).toString('hex') };
}

describe('plain descriptors, byte for byte', () => {
  //  addr u64         len  flags rss_hash
  it('RX posted: address and size of the buffer, DONE clear', () => {
    const { memory, ring, bytesOf } = ringOf(4);
    plainFormat.rxPost(memory, ring, 1, batchOf([{ iovaLow: 0x00012100, iovaHigh: 1, lenBytes: 3520, flags: DESC_EOP }]));
    expect(bytesOf(1)).toBe('0021010001000000' + 'c00d' + '0000' + '00000000');
    expect([bytesOf(0), bytesOf(2)]).toEqual(['a5'.repeat(16), 'a5'.repeat(16)]);
  });

  it('RX written back: length, hash, its type and flags with DONE, the time in place of the address', () => {
    const { memory, ring, bytesOf } = ringOf(4);
    plainFormat.rxPost(memory, ring, 3, batchOf([{ iovaLow: 0x80001100 | 0, iovaHigh: 1, lenBytes: 3520 }]));
    plainFormat.rxWriteBack(memory, ring, 3, batchOf([{ lenBytes: 60, flags: DESC_EOP | DESC_RSS, rssHash: 0x51ccc178, rssType: 0x19, timestampNs: 0x0123456789abc }]));
    expect(bytesOf(3)).toBe('bc9a785634120000' + '3c00' + '0719' + '78c1cc51');
  });

  it('TX queued and done', () => {
    const { memory, ring, bytesOf } = ringOf(4);
    plainFormat.txPost(memory, ring, 0, batchOf([{ iovaLow: 0x00011100, iovaHigh: 1, lenBytes: 1514, flags: DESC_EOP | DESC_RSS }]));
    expect(bytesOf(0)).toBe('0011010001000000' + 'ea05' + '0200' + '00000000');
    plainFormat.txWriteBack(memory, ring, 0, 1);
    expect(bytesOf(0)).toBe('0011010001000000' + 'ea05' + '0300' + '00000000');
  });
});

const u32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const row = fc.record({ iovaLow: u32, iovaHigh: u32, lenBytes: fc.integer({ min: 0, max: 0xffff }), flags: fc.constantFrom(0, DESC_EOP, DESC_RSS, DESC_EOP | DESC_RSS), rssHash: u32, rssType: fc.integer({ min: 0, max: 0x3f }), timestampNs: fc.integer({ min: 0, max: 2 ** 53 - 1 }) });
const rows = fc.array(row, { minLength: 1, maxLength: 16 });
/** Indices run freely, as signed 32-bit integers. */
const first = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(0x7fffffff, -0x80000000, -5));
const column = (array: Int32Array | Float64Array, count: number): number[] => [...array.subarray(0, count)];

describe('plain descriptors come back', () => {
  test.prop([rows, first])('driver to device to driver, receiving', (descriptors, index) => {
    const { memory, ring } = ringOf(16);
    const posted = batchOf(descriptors);
    plainFormat.rxPost(memory, ring, index, posted);
    const seen = new DescriptorBatch(64);
    expect(plainFormat.rxPoll(memory, ring, index, descriptors.length, seen)).toBe(0);
    plainFormat.rxFetch(memory, ring, index, descriptors.length, seen);
    expect(seen.count).toBe(descriptors.length);
    for (const field of ['iovaLow', 'iovaHigh', 'lenBytes'] as const) expect(column(seen[field], seen.count)).toEqual(descriptors.map((each) => each[field]));

    plainFormat.rxWriteBack(memory, ring, index, posted);
    const polled = new DescriptorBatch(64);
    expect(plainFormat.rxPoll(memory, ring, index, descriptors.length, polled)).toBe(descriptors.length);
    for (const field of ['lenBytes', 'flags', 'rssHash', 'rssType', 'timestampNs'] as const) expect(column(polled[field], polled.count)).toEqual(descriptors.map((each) => each[field]));
  });

  test.prop([rows, first, fc.nat(16)])('driver to device to driver, sending', (descriptors, index, done) => {
    const { memory, ring } = ringOf(16);
    plainFormat.txPost(memory, ring, index, batchOf(descriptors));
    expect(plainFormat.txPoll(memory, ring, index, descriptors.length)).toBe(0);
    const seen = new DescriptorBatch(64);
    plainFormat.txFetch(memory, ring, index, descriptors.length, seen);
    for (const field of ['iovaLow', 'iovaHigh', 'lenBytes'] as const) expect(column(seen[field], seen.count)).toEqual(descriptors.map((each) => each[field]));
    expect(column(seen.flags, seen.count)).toEqual(descriptors.map(({ flags }) => flags & DESC_EOP));
    const finished = Math.min(done, descriptors.length);
    plainFormat.txWriteBack(memory, ring, index, finished);
    expect(plainFormat.txPoll(memory, ring, index, descriptors.length)).toBe(finished);
  });

  test.prop([fc.integer({ min: 0, max: 16 }), fc.integer({ min: 0, max: 16 })])('poll stops at the limit and at the first descriptor that is not done', (done, limit) => {
    const { memory, ring } = ringOf(16);
    plainFormat.rxPost(memory, ring, 0, batchOf(Array.from({ length: 16 }, () => ({ lenBytes: 3520 }))));
    plainFormat.rxWriteBack(memory, ring, 0, batchOf(Array.from({ length: done }, () => ({ lenBytes: 60, flags: DESC_EOP }))));
    const batch = new DescriptorBatch(64);
    expect(plainFormat.rxPoll(memory, ring, 0, limit, batch)).toBe(Math.min(done, limit));
    expect(batch.count).toBe(Math.min(done, limit));
  });

  it('posting clears DONE of the round before', () => {
    const { memory, ring } = ringOf(4);
    const one = batchOf([{ lenBytes: 60 }]);
    plainFormat.rxPost(memory, ring, 0, one);
    plainFormat.rxWriteBack(memory, ring, 0, one);
    plainFormat.rxPost(memory, ring, 4, one);
    expect(plainFormat.rxPoll(memory, ring, 4, 1, new DescriptorBatch(1))).toBe(0);
    plainFormat.txPost(memory, ring, 1, one);
    plainFormat.txWriteBack(memory, ring, 1, 1);
    plainFormat.txPost(memory, ring, 5, one);
    expect(plainFormat.txPoll(memory, ring, 5, 1)).toBe(0);
    expect(DESC_DONE).toBe(1);
  });
});
