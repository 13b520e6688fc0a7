import { describe, expect, it } from 'vitest';
import { DESC_EOP, DESC_RSS, DESC_TIMESTAMP, DescriptorBatch } from '../../../../src/nic/device/batch.js';
import { plainFormat } from '../../../../src/nic/device/formats/plain.js';
import { describeFormat } from './formatSuite.js';
import { batchOf, makeRing } from './formatSupport.js';

/** A ring full of stale bytes. */
function staleRing(size: number) {
  const ring = makeRing(plainFormat, 'rx', size);
  ring.memory.u8.fill(0xa5, ring.driver.address, ring.driver.address + size * 16);
  return { ...ring, bytesOf: (slot: number) => ring.hex(slot * 16, 16) };
}

describe('plain descriptors, byte for byte', () => {
  //  addr u64         len  flags rss_hash
  it('RX posted: address and size of the buffer, DONE clear', () => {
    const { memory, driver, bytesOf } = staleRing(4);
    plainFormat.rxPost(memory, driver, 1, batchOf([{ iovaLow: 0x00012100, iovaHigh: 1, lenBytes: 3520, flags: DESC_EOP }]));
    expect(bytesOf(1)).toBe('0021010001000000' + 'c00d' + '0000' + '00000000');
    expect([bytesOf(0), bytesOf(2)]).toEqual(['a5'.repeat(16), 'a5'.repeat(16)]);
  });

  it('RX written back: length, hash, its type and flags with DONE, the time in place of the address', () => {
    const { memory, driver, device, bytesOf } = staleRing(4);
    plainFormat.rxPost(memory, driver, 3, batchOf([{ iovaLow: 0x80001100 | 0, iovaHigh: 1, lenBytes: 3520 }]));
    plainFormat.rxWriteBack(memory, device, 3, batchOf([{ lenBytes: 60, flags: DESC_EOP | DESC_RSS, rssHash: 0x51ccc178, rssType: 0x19, timestampNs: 0x0123456789abc }]));
    expect(bytesOf(3)).toBe('bc9a785634120000' + '3c00' + '0719' + '78c1cc51');
  });

  it('TX queued and done', () => {
    const { memory, driver, device, bytesOf } = staleRing(4);
    plainFormat.txPost(memory, driver, 0, batchOf([{ iovaLow: 0x00011100, iovaHigh: 1, lenBytes: 1514, flags: DESC_EOP | DESC_RSS }]));
    expect(bytesOf(0)).toBe('0011010001000000' + 'ea05' + '0200' + '00000000');
    plainFormat.txWriteBack(memory, device, 0, 1);
    expect(bytesOf(0)).toBe('0011010001000000' + 'ea05' + '0300' + '00000000');
  });

  it('posting clears DONE of the round before', () => {
    const { memory, driver, device } = staleRing(4);
    const one = batchOf([{ lenBytes: 60, flags: DESC_EOP }]);
    plainFormat.rxPost(memory, driver, 0, one);
    plainFormat.rxWriteBack(memory, device, 0, one);
    plainFormat.rxPost(memory, driver, 4, one);
    expect(plainFormat.rxPoll(memory, driver, 4, 1, new DescriptorBatch(1))).toBe(0);
    plainFormat.txPost(memory, driver, 1, one);
    plainFormat.txWriteBack(memory, device, 1, 1);
    plainFormat.txPost(memory, driver, 5, one);
    expect(plainFormat.txPoll(memory, driver, 5, 1)).toBe(0);
  });
});

describeFormat(plainFormat, {
  rxBufferBytes: [1, 128, 3520, 0xffff],
  rxFrameBytesMax: 0xffff,
  rxSegmentsMax: 18,
  rxFlags: DESC_RSS,
  rxPacketTypes: [0],
  rssTypesOf: () => [0, 1, 0x19, 0x3f],
  rxOffloadsAt: 'every',
  rxSeen: ({ flags }) => ({ flags: flags | DESC_TIMESTAMP }),
  txBufferBytesMax: 0xffff,
  txSegmentsMax: 18,
});
