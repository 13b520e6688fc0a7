import { describe, expect, it } from 'vitest';
import { HostMemory } from '../../../../src/memory/index.js';
import {
  DESC_CSUM, DESC_CSUM_IPV4, DESC_EOP, DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, DESC_MALFORMED, DESC_RSS, DESC_RX_ERROR, DESC_TIMESTAMP, DESC_VLAN,
  DescriptorBatch, PACKET_BROADCAST, PACKET_FRAGMENT, PACKET_IPV4, PACKET_IPV6, PACKET_MULTICAST, PACKET_SCTP, PACKET_TCP, PACKET_UDP,
} from '../../../../src/nic/index.js';
import type { DescriptorFormat } from '../../../../src/nic/index.js';
import { iceFormat } from '../../../../src/nic/device/formats/ice.js';
import { i40eFormat } from '../../../../src/nic/device/formats/i40e.js';
import { fc, prop } from '../../../support/property.js';
import { describeFormat } from './formatSuite.js';
import { accessesWithin, batchOf, makeRing, recordAccesses } from './formatSupport.js';
import type { BatchRow } from './formatSupport.js';

/** One for many runs of a property: each takes a ring out of it and gives it back. */
const MEMORY = new HostMemory(2);
const MARK = MEMORY.mark();

/** XDP_RSS_* by what a frame is: L3_IPV4 1, L3_IPV6 2, L4 8, L4_TCP 16, L4_UDP 32, L4_SCTP 64. */
const RSS_TYPES: readonly (readonly [number, number])[] = [
  [PACKET_IPV4, 0x01], [PACKET_IPV4 | PACKET_FRAGMENT, 0x01], [PACKET_IPV4 | PACKET_TCP, 0x19], [PACKET_IPV4 | PACKET_UDP, 0x29], [PACKET_IPV4 | PACKET_SCTP, 0x49],
  [PACKET_IPV6, 0x02], [PACKET_IPV6 | PACKET_FRAGMENT, 0x02], [PACKET_IPV6 | PACKET_TCP, 0x1a], [PACKET_IPV6 | PACKET_UDP, 0x2a], [PACKET_IPV6 | PACKET_SCTP, 0x4a],
];

/** Descriptor 1 of a ring of 4 after the device wrote a frame back. */
function writtenBack(format: DescriptorFormat, row: BatchRow): string {
  const ring = makeRing(format, 'rx', 4);
  const bytes = format.rxDescriptorBytes;
  ring.memory.u8.fill(0xa5, ring.driver.address, ring.driver.address + 4 * bytes);
  format.rxPost(ring.memory, ring.driver, 1, batchOf([{ iovaLow: 0x12100, iovaHigh: 1, lenBytes: 2048 }]));
  expect(ring.hex(bytes, bytes)).toBe('0021010001000000' + '00'.repeat(bytes - 8));
  format.rxWriteBack(ring.memory, ring.device, 1, batchOf([row]));
  return ring.hex(bytes, bytes);
}

const TCP_FRAME = {
  lenBytes: 1510, flags: DESC_EOP | DESC_RSS | DESC_VLAN | DESC_L3_CHECKED | DESC_L4_CHECKED, packetType: PACKET_IPV4 | PACKET_TCP,
  rssHash: 0x51ccc178, rssType: 0x19, vlanTci: 0x6064,
};
const BAD_FRAME = {
  lenBytes: 60, flags: DESC_EOP | DESC_L3_CHECKED | DESC_L3_BAD | DESC_L4_CHECKED | DESC_L4_BAD | DESC_RX_ERROR,
  packetType: PACKET_IPV4 | PACKET_UDP | PACKET_MULTICAST,
};

describe('i40e receive descriptors, byte for byte', () => {
  it('TCP over IPv4 with hash and stripped tag', () => {
    // q0: mirror 0, l2tag1 0x6064, hash 0x51ccc178
    // q1: status FLTSTAT 3 << 12 = 0x3000 + L3L4P 8 + L2TAG1P 4 + EOF 2 + DD 1 = 0x300f; error 0
    //     ptype 26 = 0b00011010 << 30: bits 1:0 = 2 << 30 = 0x80000000, bits 7:2 = 6; length 1510 << 6 = 0x17980
    //     low 0x8000300f, high 0x00017986
    expect(writtenBack(i40eFormat, TCP_FRAME)).toBe('00006460' + '78c1cc51' + '0f300080' + '86790100');
  });

  it('a damaged multicast frame with wrong checksums', () => {
    // status: UMBCAST 1 << 9 = 0x200 + L3L4P 8 + EOF 2 + DD 1 = 0x20b; error RXE 1 + IPE 8 + L4E 16 = 25 << 19 = 0x00c80000
    // ptype 24 = 0b00011000: low bits 0, high bits 6; length 60 << 6 = 0xf00; low 0x00c8020b, high 0x00000f06
    expect(writtenBack(i40eFormat, BAD_FRAME)).toBe('00000000' + '00000000' + '0b02c800' + '060f0000');
  });

  it('first buffer of a frame of which nothing is known', () => {
    // DD 1; ptype 1 (layer 2): low bits 1 << 30 = 0x40000000; length 2048 << 6 = 0x20000
    expect(writtenBack(i40eFormat, { lenBytes: 2048 })).toBe('00000000' + '00000000' + '01000040' + '00000200');
  });

  it('a filter status other than 3 is no hash', () => {
    const ring = makeRing(i40eFormat, 'rx', 2);
    // FLTSTAT 1: word 1 is the number of a flow director filter
    ring.memory.u32.set([0, 99, 0x1003, 60 << 6], ring.driver.address >>> 2);
    const batch = new DescriptorBatch(1);
    i40eFormat.rxPoll(ring.memory, ring.driver, 0, 1, batch);
    expect([batch.flags[0], batch.lenBytes[0]]).toEqual([DESC_EOP, 60]);
  });
});

describe('ice receive descriptors, byte for byte', () => {
  it('TCP over IPv4 with hash, stripped tag and time stamp', () => {
    // rxdid 2, umbcast 0, ptype 26 = 0x001a; pkt_len 1510 = 0x05e6, hdr_len 0
    // status_error0: L2TAG1P (13) 0x2000 + RSS_VALID (12) 0x1000 + L3L4P 8 + EOF 2 + DD 1 = 0x300b; l2tag1 0x6064; hash
    // status_error1 0, flags2 0, ts_low 1 (valid), l2tag2 0, flow_id 0
    // ts_high: 0x123456789abc modulo 2^32 = 0x56789abc
    const row = { ...TCP_FRAME, flags: TCP_FRAME.flags | DESC_TIMESTAMP, timestampNs: 0x123456789abc };
    expect(writtenBack(iceFormat, row)).toBe('02001a00' + 'e6050000' + '0b306460' + '78c1cc51' + '00000001' + '00000000' + '00000000' + 'bc9a7856');
  });

  it('a damaged multicast frame with wrong checksums', () => {
    // rxdid 2, umbcast 1 << 6 = 0x40 in byte 1, ptype 24 = 0x0018; length 60 = 0x3c
    // status_error0: RXE (10) 0x400 + L4E 0x20 + IPE 0x10 + L3L4P 8 + EOF 2 + DD 1 = 0x043b
    expect(writtenBack(iceFormat, BAD_FRAME)).toBe('02401800' + '3c000000' + '3b040000' + '00000000' + '00'.repeat(16));
  });

  it('a tag in l2tag2, as with two stripped tags, counts as well', () => {
    const ring = makeRing(iceFormat, 'rx', 2);
    // status_error1 L2TAG2P (11) 0x800, l2tag2_2nd 0x0123
    ring.memory.u32.set([2, 60, 3, 0, 0x800, 0x01230000, 0, 0], ring.driver.address >>> 2);
    const batch = new DescriptorBatch(1);
    iceFormat.rxPoll(ring.memory, ring.driver, 0, 1, batch);
    expect([batch.flags[0], batch.vlanTci[0]]).toEqual([DESC_EOP | DESC_VLAN, 0x123]);
  });

  prop([fc.integer({ min: 2 ** 31, max: Number.MAX_SAFE_INTEGER - 2 ** 32 }), fc.array(fc.nat(2 ** 31 - 1), { minLength: 1, maxLength: 8 })])('time stamps within two seconds of each other come back whole', (baseNs, offsets) => {
    const ring = makeRing(iceFormat, 'rx', 16, MEMORY);
    const times = offsets.map((offset) => baseNs + offset);
    iceFormat.rxWriteBack(ring.memory, ring.device, 0, batchOf(times.map((timestampNs) => ({ lenBytes: 60, flags: DESC_EOP | DESC_TIMESTAMP, timestampNs }))));
    const batch = new DescriptorBatch(16);
    expect(iceFormat.rxPoll(ring.memory, ring.driver, 0, times.length, batch)).toBe(times.length);
    expect([...batch.timestampNs.subarray(0, times.length)]).toEqual(times);
    MEMORY.release(MARK);
  });
});

describe.each([i40eFormat, iceFormat])('$name packet types', (format) => {
  const polled = (packetType: number): DescriptorBatch => {
    const ring = makeRing(format, 'rx', 2);
    format.rxWriteBack(ring.memory, ring.device, 0, batchOf([{ lenBytes: 60, flags: DESC_EOP | DESC_RSS, packetType, rssHash: 7 }]));
    const batch = new DescriptorBatch(1);
    format.rxPoll(ring.memory, ring.driver, 0, 1, batch);
    return batch;
  };

  it.each(RSS_TYPES)('%i come back, and say what was hashed: %i', (packetType, rssType) => {
    for (const cast of [0, PACKET_MULTICAST, PACKET_BROADCAST]) {
      const { flags, packetType: seen, rssType: hashed } = polled(packetType | cast);
      expect([flags[0], seen[0], hashed[0]]).toEqual([DESC_EOP | DESC_RSS, packetType | cast, rssType]);
    }
  });

  it('numbers that are no plain frame mean nothing', () => {
    const ring = makeRing(format, 'rx', 2);
    const base = ring.driver.address >>> 2;
    // every ptype but the known ones: i40e has 8 bits at 30 of q1, ice 10 bits at 16 of q0
    const known = [22, 23, 24, 26, 27, 28, 88, 89, 90, 92, 93, 94];
    for (let ptype = 0; ptype < (format === iceFormat ? 1024 : 256); ptype++) {
      ring.memory.u32.set(format === iceFormat ? [2 | (ptype << 16), 60, 3, 0] : [0, 0, 3 | (ptype << 30), (60 << 6) | (ptype >>> 2)], base);
      const batch = new DescriptorBatch(1);
      format.rxPoll(ring.memory, ring.driver, 0, 1, batch);
      expect(batch.packetType[0] !== 0).toBe(known.includes(ptype));
    }
  });
});

/** Bytes of the first descriptors of a TX ring after one batch. */
function posted(format: DescriptorFormat, rows: readonly BatchRow[], descriptors: number): string[] {
  const ring = makeRing(format, 'tx', 8);
  format.txPost(ring.memory, ring.driver, 0, batchOf(rows));
  return Array.from({ length: descriptors }, (_, i) => ring.hex(i * 16, 16));
}

describe('i40e and ice transmit descriptors, byte for byte', () => {
  it('a frame of two buffers without offloads', () => {
    // low: DTYPE 0, CMD ICRC 4 << 4 = 0x40, on the last + EOP 0x10 + RS 0x20 = 0x70; high: BUF_SZ 1000 << 2 = 0xfa0, 514 << 2 = 0x808
    const rows = [{ iovaLow: 0x1000, iovaHigh: 1, lenBytes: 1000 }, { iovaLow: 0x2000, iovaHigh: 1, lenBytes: 514, flags: DESC_EOP }];
    expect(posted(i40eFormat, rows, 2)).toEqual(['0010000001000000' + '40000000' + 'a00f0000', '0020000001000000' + '70000000' + '08080000']);
    // ice has no ICRC: the MAC always appends the FCS
    expect(posted(iceFormat, rows, 2)).toEqual(['0010000001000000' + '00000000' + 'a00f0000', '0020000001000000' + '30000000' + '08080000']);
  });

  it('a TCP checksum over IPv4', () => {
    // CMD:    EOP 1 + RS 2 + ICRC 4 + IIPT IPv4 0x40 + L4T TCP 0x100 = 0x147 << 4 = 0x1470
    // OFFSET: MACLEN 14 / 2 = 7 + IPLEN 20 / 4 = 5 << 7 = 0x280 + L4LEN 5 << 14 = 0x14000 = 0x14287; its lower 16 bits << 16 = 0x42870000, upper 2 bits 1
    // high:   60 << 2 = 0xf0 + 1 = 0xf1
    const row = { iovaLow: 0x1000, lenBytes: 60, flags: DESC_EOP | DESC_CSUM, packetType: PACKET_IPV4 | PACKET_TCP, l3Start: 14, csumStart: 34, csumOffset: 16 };
    expect(posted(i40eFormat, [row], 1)).toEqual(['0010000000000000' + '70148742' + 'f1000000']);
    expect(posted(iceFormat, [row], 1)).toEqual(['0010000000000000' + '30148742' + 'f1000000']);
  });

  it('a UDP checksum over IPv6 and a tag, in both descriptors of a frame', () => {
    // CMD:    ICRC 4 + IL2TAG1 8 + IIPT IPv6 0x20 + L4T UDP 0x300 = 0x32c << 4 = 0x32c0; last + EOP + RS = 0x32f0
    // OFFSET: 7 + (40 / 4 = 10) << 7 = 0x500 + 2 << 14 = 0x8000 = 0x8507; upper bits 0
    // high:   L2TAG1 0x6064 << 16 + 64 << 2 = 0x100, 22 << 2 = 0x58
    const row = { lenBytes: 64, flags: DESC_CSUM | DESC_VLAN, packetType: PACKET_IPV6 | PACKET_UDP, l3Start: 14, csumStart: 54, csumOffset: 6, vlanTci: 0x6064 };
    expect(posted(i40eFormat, [row, { lenBytes: 22, flags: DESC_EOP }], 2)).toEqual([
      '0000000000000000' + 'c0320785' + '00016460', '0000000000000000' + 'f0320785' + '58006460',
    ]);
    expect(i40eFormat.txSlots(2, DESC_CSUM | DESC_VLAN)).toBe(2);
    // nothing of it is left in the next frame of the batch: CMD EOP + RS + ICRC, BUF_SZ 60 << 2
    expect(posted(i40eFormat, [{ ...row, flags: row.flags | DESC_EOP }, { lenBytes: 60, flags: DESC_EOP }], 2)[1]).toBe('0000000000000000' + '70000000' + 'f0000000');
  });

  it.each([i40eFormat, iceFormat])('$name: DTYPE becomes 0xF where RS is, and nowhere else', (format) => {
    const ring = makeRing(format, 'tx', 3);
    format.txPost(ring.memory, ring.driver, 2, batchOf([{ lenBytes: 60 }, { lenBytes: 40, flags: DESC_EOP }]));
    const before = [ring.hex(32, 16), ring.hex(0, 16)];
    expect(format.txPoll(ring.memory, ring.driver, 2, 2)).toBe(0);
    format.txWriteBack(ring.memory, ring.device, 2, 2);
    expect(ring.hex(32, 16)).toBe(before[0]);
    expect(ring.hex(0, 16)).toBe(before[1].slice(0, 17) + 'f' + before[1].slice(18));
    expect([format.txPoll(ring.memory, ring.driver, 2, 2), format.txPoll(ring.memory, ring.driver, 2, 1)]).toEqual([2, 0]);
  });
});

describe.each([i40eFormat, iceFormat])('what the device of $name makes of transmit descriptors', (format) => {
  const fetched = (descriptors: readonly (readonly number[])[]): DescriptorBatch => {
    const ring = makeRing(format, 'tx', 8);
    descriptors.forEach((words, i) => ring.memory.u32.set(words, (ring.driver.address >>> 2) + i * 4));
    const batch = new DescriptorBatch(8);
    format.txFetch(ring.memory, ring.device, 0, descriptors.length, batch);
    return batch;
  };
  const SIZE_60 = 60 << 2;

  it.each<[string, (readonly number[])[], number[]]>([
    ['a context descriptor', [[0, 0, 0x1, 0], [0, 0, 0x30, SIZE_60]], [DESC_MALFORMED, DESC_EOP]],
    ['a descriptor of the lap before', [[0, 0, 0x3f, SIZE_60]], [DESC_EOP | DESC_MALFORMED]],
    ['no bytes', [[0, 0, 0x30, 0]], [DESC_EOP | DESC_MALFORMED]],
    ['layer 4 without layer 3', [[0, 0, 0x1030, SIZE_60]], [DESC_EOP | DESC_MALFORMED]],
    ['a fault in the second buffer, told of the frame', [[0, 0, 0, SIZE_60], [0, 0, 0x30, 0]], [DESC_MALFORMED, DESC_EOP]],
  ])('makes no sense: %s', (_, descriptors, flags) => {
    expect([...fetched(descriptors).flags.subarray(0, descriptors.length)]).toEqual(flags);
  });

  it('IIPT 3 asks for the IPv4 header checksum; L4T 2 is SCTP', () => {
    // CMD 0x260 << 4 + EOP + RS; OFFSET 7 + 5 << 7 = 0x287
    const { flags, l3Start, csumStart, csumOffset, packetType } = fetched([[0, 0, 0x02872630, SIZE_60]]);
    expect([flags[0], l3Start[0], csumStart[0], csumOffset[0], packetType[0]]).toEqual([DESC_EOP | DESC_CSUM | DESC_CSUM_IPV4, 14, 34, 8, PACKET_IPV4 | PACKET_SCTP]);
  });

  it('stores the receive status last, loads it first', () => {
    const ring = makeRing(format, 'rx', 4);
    const bytes = format.rxDescriptorBytes;
    const { memory, accesses } = recordAccesses(ring.memory);
    format.rxWriteBack(memory, ring.device, 3, batchOf([{ lenBytes: 60, flags: DESC_EOP | DESC_TIMESTAMP }, { lenBytes: 60, flags: DESC_EOP }]));
    for (const slot of [3, 0]) {
      const start = ring.device.address + slot * bytes;
      const stores = accessesWithin(accesses, 'store', start, start + bytes);
      expect(stores).toHaveLength(bytes / 4);
      expect(stores.at(-1)?.address).toBe(start + 8);
    }
    accesses.length = 0;
    format.rxPoll(memory, ring.driver, 3, 1, new DescriptorBatch(1));
    expect(accesses[0]).toEqual({ kind: 'load', address: ring.driver.address + 3 * bytes + 8, bytes: 4 });
  });
});

const RX_FLAGS = DESC_RSS | DESC_VLAN | DESC_L3_CHECKED | DESC_L3_BAD | DESC_L4_CHECKED | DESC_L4_BAD | DESC_RX_ERROR;
const CHECKED = DESC_L3_CHECKED | DESC_L4_CHECKED;
const CAPABILITIES = {
  rxBufferBytes: [128, 2048, 4096],
  rxFrameBytesMax: 9728,
  rxSegmentsMax: 18,
  rxFlags: RX_FLAGS,
  rxPacketTypes: [0, PACKET_BROADCAST, PACKET_IPV4 | PACKET_MULTICAST, ...RSS_TYPES.map(([packetType]) => packetType)],
  rssTypesOf: (packetType: number) => RSS_TYPES.filter(([each]) => each === (packetType & ~(PACKET_MULTICAST | PACKET_BROADCAST))).map(([, rssType]) => rssType),
  rxOffloadsAt: 'every',
  // One bit says that the device looked at both.
  rxSeen: ({ flags, packetType }: { flags: number; packetType: number }) => {
    if ((flags & CHECKED) === 0) return {};
    const hasL4 = (packetType & (PACKET_TCP | PACKET_UDP | PACKET_SCTP)) !== 0;
    return { flags: flags | ((packetType & PACKET_IPV4) !== 0 ? DESC_L3_CHECKED : 0) | (hasL4 ? DESC_L4_CHECKED : 0) };
  },
  txBufferBytesMax: 16383,
  txSegmentsMax: 8,
} as const;

describeFormat(i40eFormat, CAPABILITIES);
describeFormat(iceFormat, { ...CAPABILITIES, rxFlags: RX_FLAGS | DESC_TIMESTAMP, timestampMaxNs: 2 ** 31 - 1 });
