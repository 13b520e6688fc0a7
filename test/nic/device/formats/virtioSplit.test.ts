import { describe, expect, it } from 'vitest';
import {
  DESC_CSUM, DESC_DONE, DESC_EOP, DESC_FIRST, DESC_L4_BAD, DESC_L4_CHECKED, DESC_MALFORMED, DESC_RX_ERROR, DescriptorBatch, PACKET_IPV4, PACKET_TCP,
} from '../../../../src/nic/device/batch.js';
import { NO_DOORBELL } from '../../../../src/nic/device/formats/descriptorFormat.js';
import { virtioSplitFormat } from '../../../../src/nic/device/formats/virtioSplit.js';
import { IOVA_HIGH } from '../../../../src/nic/device/iommu.js';
import { describeFormat } from './formatSuite.js';
import { batchOf, makeRing, recordAccesses } from './formatSupport.js';
import type { TestRing } from './formatSupport.js';

// A queue of 4: table 4 * 16 = 64 bytes; available ring at 64, 4 + 4 * 2 + 2 = 14 bytes; used ring at 80 (78 rounded up to 4),
// 4 + 4 * 8 + 2 = 38 bytes; headers at 120 (118 rounded up to 4), 4 * 12 = 48 bytes: 168 in all.
const AVAIL = 64;
const USED = 80;
const HEADERS = 120;
const NEXT = '0100';

const le32 = (value: number): string => Buffer.from(Uint32Array.of(value).buffer).toString('hex');

/** Room for the headers of 4 buffers, 64 bytes each. */
function buffersOf({ memory }: TestRing): number[] {
  const start = memory.reserve('buffers', 256);
  return [0, 1, 2, 3].map((i) => start + i * 64);
}

describe('virtio receive, byte for byte', () => {
  it('gives buffers by the table and the available ring, whose index comes last', () => {
    const ring = makeRing(virtioSplitFormat, 'rx', 4);
    expect(virtioSplitFormat.rxRingBytes(4)).toBe(168);
    virtioSplitFormat.rxPost(ring.memory, ring.driver, 3, batchOf([{ iovaLow: 0x12100, iovaHigh: 1, lenBytes: 1536 }, { iovaLow: 0x13100, iovaHigh: 1, lenBytes: 1536 }]));
    // len 1536 = 0x600, flags WRITE 2, next 0
    expect(ring.hex(48, 16)).toBe('0021010001000000' + '00060000' + '0200' + '0000');
    expect(ring.hex(0, 16)).toBe('0031010001000000' + '00060000' + '0200' + '0000');
    expect(ring.hex(AVAIL, 14)).toBe('0000' + '0000' + '0000' + '0000' + '0000' + '0300' + '0000');
    expect(virtioSplitFormat.rxPublish(ring.memory, ring.driver, 5)).toBe(0);
    expect(ring.hex(AVAIL, 4)).toBe('0000' + '0500');
  });

  it('writes a header before the frame, and used lengths with it', () => {
    const ring = makeRing(virtioSplitFormat, 'rx', 4);
    const { memory, driver, device } = ring;
    const buffers = buffersOf(ring);
    virtioSplitFormat.rxPost(memory, driver, 0, batchOf(buffers.map(() => ({ lenBytes: 1536 }))));
    virtioSplitFormat.rxPublish(memory, driver, 4);
    const good = DESC_L4_CHECKED;
    const rows = [
      { lenBytes: 1524, flags: DESC_FIRST | good }, { lenBytes: 100, flags: DESC_EOP | good }, { lenBytes: 60, flags: DESC_FIRST | DESC_EOP | DESC_L4_CHECKED | DESC_L4_BAD },
    ].map((row, i) => ({ ...row, address: buffers[i] }));
    virtioSplitFormat.rxWriteBack(memory, device, 0, batchOf(rows));
    const header = (i: number): string => Buffer.from(memory.u8.subarray(buffers[i], buffers[i] + 12)).toString('hex');
    // DATA_VALID 2; num_buffers 2 and 1
    expect(header(0)).toBe('02' + '00' + '0000'.repeat(4) + '0200');
    expect(header(2)).toBe('00' + '00' + '0000'.repeat(4) + '0100');
    // idx 3; 1524 + 12 = 1536, 100, 60 + 12 = 72
    expect(ring.hex(USED, 28)).toBe('0000' + '0300' + le32(0) + le32(1536) + le32(1) + le32(100) + le32(2) + le32(72));
    const batch = batchOf(buffers.map((address) => ({ address })));
    expect(virtioSplitFormat.rxPoll(memory, driver, 0, 1, batch)).toBe(0);
    expect(virtioSplitFormat.rxPoll(memory, driver, 0, 4, batch)).toBe(3);
    expect([...batch.lenBytes.subarray(0, 3)]).toEqual([1524, 100, 60]);
    expect([...batch.flags.subarray(0, 3)]).toEqual([DESC_DONE | DESC_FIRST | good, DESC_DONE | DESC_EOP | good, DESC_DONE | DESC_FIRST | DESC_EOP]);
  });

  it('a frame whose header no DMA reached is an error, buffer by buffer; so is one with buffers missing', () => {
    const ring = makeRing(virtioSplitFormat, 'rx', 4);
    const { memory, driver, device } = ring;
    const buffers = buffersOf(ring);
    virtioSplitFormat.rxPost(memory, driver, 0, batchOf(buffers.map(() => ({ lenBytes: 64 }))));
    virtioSplitFormat.rxWriteBack(memory, device, 0, batchOf([
      { address: 0, lenBytes: 0 }, { address: buffers[1], lenBytes: 20, flags: DESC_EOP }, { address: buffers[2], lenBytes: 20, flags: DESC_EOP },
    ]));
    memory.u8[buffers[2] + 10] = 9;
    const batch = batchOf(buffers.map((address) => ({ address })));
    expect(virtioSplitFormat.rxPoll(memory, driver, 0, 4, batch)).toBe(3);
    const error = DESC_DONE | DESC_RX_ERROR | DESC_FIRST | DESC_EOP;
    expect([...batch.flags.subarray(0, 3)]).toEqual([error, error, error]);
  });

  it('indices of 16 bits wrap', () => {
    const ring = makeRing(virtioSplitFormat, 'rx', 4);
    const { memory, driver, device } = ring;
    const buffers = buffersOf(ring);
    virtioSplitFormat.rxWriteBack(memory, device, 65530, batchOf([]));
    virtioSplitFormat.rxPost(memory, driver, 65534, batchOf(buffers.map(() => ({ lenBytes: 64 }))));
    virtioSplitFormat.rxPublish(memory, driver, 65538);
    expect(ring.hex(AVAIL + 2, 2)).toBe('0200');
    expect(virtioSplitFormat.rxAvailable(memory, device, 65535, 0, 64)).toBe(3);
    virtioSplitFormat.rxWriteBack(memory, device, 65534, batchOf(buffers.map((address) => ({ address, lenBytes: 30, flags: DESC_EOP }))));
    expect(ring.hex(USED + 2, 2)).toBe('0200');
    expect(virtioSplitFormat.rxPoll(memory, driver, 65534, 4, batchOf(buffers.map((address) => ({ address }))))).toBe(4);
  });

  it('the used index is the last store of the device and the first load of the driver', () => {
    const ring = makeRing(virtioSplitFormat, 'rx', 4);
    const [address] = buffersOf(ring);
    virtioSplitFormat.rxPost(ring.memory, ring.driver, 0, batchOf([{ lenBytes: 64 }]));
    const index = { address: ring.driver.address + USED + 2, bytes: 2 };
    const device = recordAccesses(ring.memory);
    virtioSplitFormat.rxWriteBack(device.memory, ring.device, 0, batchOf([{ address, lenBytes: 30, flags: DESC_EOP }]));
    expect(device.accesses.filter(({ kind }) => kind === 'store').at(-1)).toMatchObject(index);
    const driver = recordAccesses(ring.memory);
    virtioSplitFormat.rxPoll(driver.memory, ring.driver, 0, 4, batchOf([{ address }]));
    expect(driver.accesses.find(({ kind }) => kind === 'load')).toMatchObject(index);
  });

  it('a descriptor that the device may not write to is a buffer without bytes', () => {
    const ring = makeRing(virtioSplitFormat, 'rx', 4);
    virtioSplitFormat.rxPost(ring.memory, ring.driver, 0, batchOf([{ lenBytes: 64 }, { lenBytes: 64 }, { lenBytes: 64 }]));
    ring.memory.view.setUint16(ring.driver.address + 12, 0, true);
    ring.memory.view.setUint16(ring.driver.address + AVAIL + 4 + 2, 400, true);
    const batch = new DescriptorBatch(4);
    virtioSplitFormat.rxFetch(ring.memory, ring.device, 0, 3, batch);
    expect([...batch.lenBytes.subarray(0, 3)]).toEqual([0, 0, 64]);
  });
});

describe('virtio transmit, byte for byte', () => {
  /** A frame of two buffers with a checksum, and one of one buffer. */
  function queued(first = 0): TestRing {
    const ring = makeRing(virtioSplitFormat, 'tx', 8);
    virtioSplitFormat.txPost(ring.memory, ring.driver, first, batchOf([
      { iovaLow: 0x11100, iovaHigh: IOVA_HIGH, lenBytes: 1000, flags: DESC_CSUM, csumStart: 34, csumOffset: 16, packetType: PACKET_IPV4 | PACKET_TCP },
      { iovaLow: 0x22200, iovaHigh: IOVA_HIGH, lenBytes: 514, flags: DESC_EOP },
      { iovaLow: 0x33300, iovaHigh: IOVA_HIGH, lenBytes: 60, flags: DESC_EOP },
    ]));
    return ring;
  }

  it('chains a header to the buffers', () => {
    const ring = queued();
    // A queue of 8: table 128, available ring at 128 (22 bytes), used ring at 152 (70 bytes), headers at 224.
    const high = le32(IOVA_HIGH);
    expect(ring.hex(0, 48)).toBe(
      le32(ring.driver.iovaLow + 224) + high + le32(12) + NEXT + '0100' + le32(0x11100) + high + le32(1000) + NEXT + '0200' + le32(0x22200) + high + le32(514) + '0000' + '0000',
    );
    // NEEDS_CSUM 1, csum_start 34 = 0x22, csum_offset 16 = 0x10
    expect(ring.hex(224, 12)).toBe('01' + '00' + '0000' + '0000' + '2200' + '1000' + '0000');
    expect(ring.hex(224 + 3 * 12, 12)).toBe('00'.repeat(12));
    // Heads 0 and 3; the index counts chains.
    expect(ring.hex(128, 8)).toBe('0000' + '0000' + '0000' + '0300');
    expect(virtioSplitFormat.txPublish(ring.memory, ring.driver, 5)).toBe(1);
    expect(ring.hex(130, 2)).toBe('0200');
  });

  it('a device that wants no notification gets none', () => {
    const ring = queued();
    ring.memory.u8[ring.driver.address + 152] = 1;
    expect(virtioSplitFormat.txPublish(ring.memory, ring.driver, 5)).toBe(NO_DOORBELL);
  });

  it('used entries name the heads', () => {
    const ring = queued();
    const { memory, driver, device } = ring;
    virtioSplitFormat.txPublish(memory, driver, 5);
    expect(virtioSplitFormat.txAvailable(memory, device, 0, 1, 64)).toBe(5);
    virtioSplitFormat.txWriteBack(memory, device, 0, 5);
    expect(ring.hex(152, 20)).toBe('0000' + '0200' + le32(0) + le32(0) + le32(3) + le32(0));
    expect(virtioSplitFormat.txPoll(memory, driver, 0, 4)).toBe(3);
    expect(virtioSplitFormat.txPoll(memory, driver, 3, 2)).toBe(2);
  });

  it('chain indices wrap at 65536', () => {
    const ring = makeRing(virtioSplitFormat, 'tx', 4);
    const { memory, driver, device } = ring;
    const one = batchOf([{ lenBytes: 60, flags: DESC_EOP }]);
    for (let chain = 0; chain < 65540; chain++) {
      virtioSplitFormat.txPost(memory, driver, chain * 2, one);
      virtioSplitFormat.txPublish(memory, driver, chain * 2 + 2);
      if (virtioSplitFormat.txAvailable(memory, device, chain * 2, 1, 64) !== 2) throw new Error(`chain ${chain} is not available`);
      virtioSplitFormat.txWriteBack(memory, device, chain * 2, 2);
      if (virtioSplitFormat.txPoll(memory, driver, chain * 2, 2) !== 2) throw new Error(`chain ${chain} is not done`);
    }
    expect([ring.hex(AVAIL + 2, 2), ring.hex(USED + 2, 2)]).toEqual(['0400', '0400']);
    expect(virtioSplitFormat.txRingBytes(4)).toBe(HEADERS + 48);
  });

  const MISTAKES: readonly (readonly [string, (view: DataView, ring: number) => void])[] = [
    ['a chain that comes back to its head', (view, ring) => { view.setUint16(ring + 32 + 12, 1, true); view.setUint16(ring + 32 + 14, 0, true); }],
    ['a next behind the table', (view, ring) => view.setUint16(ring + 16 + 14, 8, true)],
    ['a head behind the table', (view, ring) => view.setUint16(ring + 128 + 4, 8, true)],
    ['a buffer for the device to write to', (view, ring) => view.setUint16(ring + 32 + 12, 2, true)],
    ['an indirect table', (view, ring) => view.setUint16(ring + 12, 5, true)],
    ['a buffer of no bytes', (view, ring) => view.setUint32(ring + 16 + 8, 0, true)],
    ['a header without buffers', (view, ring) => view.setUint16(ring + 12, 0, true)],
    ['a header of another size', (view, ring) => view.setUint32(ring + 8, 10, true)],
    ['a header outside the ring', (view, ring) => view.setUint32(ring, 0x100, true)],
    ['segmentation', (view, ring) => view.setUint8(ring + 224 + 1, 1)],
  ];
  it.each(MISTAKES)('%s makes the frame malformed, and the next one not', (_what, spoil) => {
    const { memory, driver, device } = queued();
    spoil(memory.view, driver.address);
    virtioSplitFormat.txPublish(memory, driver, 5);
    const batch = new DescriptorBatch(64);
    const slots = virtioSplitFormat.txAvailable(memory, device, 0, 1, 64);
    virtioSplitFormat.txFetch(memory, device, 0, slots, batch);
    expect([batch.count, batch.flags[0], batch.flags[1], batch.lenBytes[1]]).toEqual([2, DESC_FIRST | DESC_EOP | DESC_MALFORMED, DESC_FIRST | DESC_EOP, 60]);
    expect(batch.slots[0] + batch.slots[1]).toBe(slots);
    virtioSplitFormat.txWriteBack(memory, device, 0, slots);
    expect(virtioSplitFormat.txAvailable(memory, device, slots, 1, 64)).toBe(0);
  });
});

describeFormat(virtioSplitFormat, {
  rxBufferBytes: [13, 128, 1536, 3520],
  rxFrameBytesMax: 16000,
  rxSegmentsMax: 18,
  rxFlags: DESC_FIRST | DESC_L4_CHECKED | DESC_L4_BAD,
  rxPacketTypes: [PACKET_IPV4 | PACKET_TCP],
  rxOffloadsAt: 'every',
  // Only a good checksum is told.
  rxSeen: ({ flags }) => ({ flags: (flags & DESC_L4_BAD) !== 0 ? 0 : flags & DESC_L4_CHECKED, packetType: 0 }),
  txBufferBytesMax: 0xffff,
  txSegmentsMax: 18,
});
