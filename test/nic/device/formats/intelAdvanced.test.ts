import { describe, expect, it } from 'vitest';
import {
  DESC_CSUM, DESC_CSUM_IPV4, DESC_EOP, DESC_LAUNCH, DESC_LAUNCH_FIRST, DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, DESC_MALFORMED, DESC_RSS, DESC_RX_ERROR, DESC_TIMESTAMP, DESC_VLAN,
  DescriptorBatch, PACKET_IPV4, PACKET_IPV6, PACKET_SCTP, PACKET_TCP, PACKET_UDP,
} from '../../../../src/nic/index.js';
import type { DescriptorFormat } from '../../../../src/nic/index.js';
import { igbFormat, igcFormat, ixgbeFormat } from '../../../../src/nic/device/formats/intelAdvanced.js';
import { describeFormat } from './formatSuite.js';
import { accessesWithin, batchOf, makeRing, recordAccesses } from './formatSupport.js';
import type { BatchRow } from './formatSupport.js';

/** XDP_RSS_*: L3_IPV4 1, L3_IPV6 2, L4 8, L4_TCP 16, L4_UDP 32. */
const XDP_IPV4_TCP = 0x19;

/** Descriptor 1 of a ring of 4 after the device wrote a frame back. */
function writtenBack(format: DescriptorFormat, row: BatchRow): string {
  const ring = makeRing(format, 'rx', 4);
  format.rxPost(ring.memory, ring.driver, 1, batchOf([{ iovaLow: 0x12100, iovaHigh: 1, lenBytes: 2048 }]));
  format.rxWriteBack(ring.memory, ring.device, 1, batchOf([row]));
  return ring.hex(16, 16);
}

/** What the driver reads out of a descriptor with these two dwords: status_error, and length with tag. */
function polledFlags(format: DescriptorFormat, statusError: number): number {
  const ring = makeRing(format, 'rx', 2);
  ring.memory.u32[(ring.driver.address >>> 2) + 2] = statusError;
  const batch = new DescriptorBatch(1);
  expect(format.rxPoll(ring.memory, ring.driver, 0, 1, batch)).toBe(1);
  return batch.flags[0];
}

describe('igb receive descriptors, byte for byte', () => {
  it('read form: pkt_addr, hdr_addr 0 over the write-back of the lap before', () => {
    const ring = makeRing(igbFormat, 'rx', 3);
    ring.memory.u8.fill(0xa5, ring.driver.address, ring.driver.address + 48);
    igbFormat.rxPost(ring.memory, ring.driver, 4, batchOf([{ iovaLow: 0x80012100 | 0, iovaHigh: 1, lenBytes: 2048 }]));
    expect(ring.hex(16, 16)).toBe('0021018001000000' + '0000000000000000');
    expect([ring.hex(0, 16), ring.hex(32, 16)]).toEqual(['a5'.repeat(16), 'a5'.repeat(16)]);
  });

  it('TCP over IPv4 with hash and stripped tag', () => {
    // pkt_info: TCP (bit 8) + IPv4 (bit 4) + RSS type 1 (TCP over IPv4)   = 0x0111, hdr_info 0
    // rss:      0x51ccc178
    // status:   IPCS (6) 0x40 + L4I (5) 0x20 + VP (3) 8 + EOP (1) 2 + DD 1  = 0x0000006b, no errors
    // length:   1510 = 0x05e6; vlan: priority 3, VID 100 = 3 << 13 | 0x064  = 0x6064
    const row = {
      lenBytes: 1510, flags: DESC_EOP | DESC_RSS | DESC_VLAN | DESC_L3_CHECKED | DESC_L4_CHECKED, packetType: PACKET_IPV4 | PACKET_TCP,
      rssHash: 0x51ccc178, rssType: XDP_IPV4_TCP, vlanTci: 0x6064,
    };
    expect(writtenBack(igbFormat, row)).toBe('11010000' + '78c1cc51' + '6b000000' + 'e605' + '6460');
  });

  it('UDP over IPv6 with a wrong checksum, first of two buffers', () => {
    // pkt_info: UDP (9) 0x200 + IPv6 (6) 0x40 + RSS type 8 = 0x0248
    // status:   L4I (5) 0x20 + UDPCS (4) 0x10 + DD 1 = 0x31, no IPCS as IPv6 has no header checksum; error L4E (29) = 0x20000000
    // length:   2048 = 0x0800
    const row = {
      lenBytes: 2048, flags: DESC_RSS | DESC_L4_CHECKED | DESC_L4_BAD, packetType: PACKET_IPV6 | PACKET_UDP, rssHash: 0x01020304, rssType: 0x2a,
    };
    expect(writtenBack(igbFormat, row)).toBe('48020000' + '04030201' + '31000020' + '0008' + '0000');
  });

  it('a frame of which nothing is known says that the checksum bits mean nothing', () => {
    // status: IXSM (2) 4 + EOP 2 + DD 1 = 7; length 60 = 0x3c
    expect(writtenBack(igbFormat, { lenBytes: 60, flags: DESC_EOP })).toBe('00000000' + '00000000' + '07000000' + '3c00' + '0000');
    expect(polledFlags(igbFormat, 0x00000067)).toBe(DESC_EOP);
  });

  it('error bits: IPE 30, L4E 29, RXE 31', () => {
    // IPv4 UDP, both wrong, damaged: pkt_info 0x0210; status IPCS 0x40 + L4I 0x20 + UDPCS 0x10 + EOP 2 + DD 1 = 0x73; errors 0x80000000 + 0x40000000 + 0x20000000
    const flags = DESC_EOP | DESC_L3_CHECKED | DESC_L3_BAD | DESC_L4_CHECKED | DESC_L4_BAD | DESC_RX_ERROR;
    expect(writtenBack(igbFormat, { lenBytes: 60, flags, packetType: PACKET_IPV4 | PACKET_UDP })).toBe('10020000' + '00000000' + '730000e0' + '3c00' + '0000');
  });

  it.each([[24, 'CE'], [25, 'SE'], [26, 'SEQ'], [28, 'CXE'], [31, 'RXE']])('bit %i (%s) makes the driver drop the frame', (bit) => {
    expect(polledFlags(igbFormat, 3 | (1 << bit))).toBe(DESC_EOP | DESC_RX_ERROR);
  });

  it.each([
    [1, 0x19], [2, 1], [3, 0x1a], [4, 6], [5, 2], [6, 0x1e], [7, 0x29], [8, 0x2a], [9, 0x2e],
  ])('RSS type %i is XDP_RSS type %i', (rssType, xdpType) => {
    const ring = makeRing(igbFormat, 'rx', 2);
    igbFormat.rxWriteBack(ring.memory, ring.device, 0, batchOf([{ lenBytes: 60, flags: DESC_EOP | DESC_RSS, rssHash: 7, rssType: xdpType }]));
    expect(ring.hex(0, 1)).toBe(`0${rssType}`);
    const batch = new DescriptorBatch(1);
    igbFormat.rxPoll(ring.memory, ring.driver, 0, 1, batch);
    expect([batch.flags[0] & DESC_RSS, batch.rssHash[0], batch.rssType[0]]).toEqual([DESC_RSS, 7, xdpType]);
  });

  it.each([0, 10, 15])('RSS type %i is no hash', (rssType) => {
    const ring = makeRing(igbFormat, 'rx', 2);
    ring.memory.u32.set([rssType, 99, 3, 60], ring.driver.address >>> 2);
    const batch = new DescriptorBatch(1);
    igbFormat.rxPoll(ring.memory, ring.driver, 0, 1, batch);
    expect(batch.flags[0] & DESC_RSS).toBe(0);
  });
});

describe('igc time stamps', () => {
  const T_NS = 5_000_000_007 + 0x1000;

  it('lie before the packet: 16 bytes, timer 0 in the upper eight; the descriptor says so and counts them', () => {
    const ring = makeRing(igcFormat, 'rx', 2);
    const buffer = ring.memory.reserve('buffer', 2048);
    ring.memory.u8.fill(0xa5, buffer, buffer + 32);
    igcFormat.rxWriteBack(ring.memory, ring.device, 0, batchOf([{ lenBytes: 60, flags: DESC_EOP | DESC_TIMESTAMP, timestampNs: T_NS, address: buffer }]));
    // 5 s and 7 + 4096 = 4103 = 0x1007 ns
    expect(Buffer.from(ring.memory.u8.subarray(buffer, buffer + 20)).toString('hex')).toBe('0000000000000000' + '07100000' + '05000000' + 'a5a5a5a5');
    // status: TSIP (15) 0x8000 + IXSM 4 + EOP 2 + DD 1 = 0x8007; length 60 + 16 = 76 = 0x4c
    expect(ring.hex(0, 16)).toBe('00000000' + '00000000' + '07800000' + '4c00' + '0000');
    const batch = batchOf([{ address: buffer }]);
    expect(igcFormat.rxPoll(ring.memory, ring.driver, 0, 1, batch)).toBe(1);
    expect([batch.lenBytes[0], batch.flags[0], batch.timestampNs[0]]).toEqual([60, DESC_EOP | DESC_TIMESTAMP, T_NS]);
  });

  it('are in the first buffer of a frame only', () => {
    const ring = makeRing(igcFormat, 'rx', 4);
    const buffers = ring.memory.reserve('buffers', 4096);
    const row = { flags: DESC_TIMESTAMP, timestampNs: T_NS };
    igcFormat.rxWriteBack(ring.memory, ring.device, 0, batchOf([
      { ...row, lenBytes: 2032, address: buffers }, { ...row, lenBytes: 100, flags: DESC_TIMESTAMP | DESC_EOP, address: buffers + 2048 },
    ]));
    // lengths: 2032 + 16 = 2048 = 0x0800, and 100 = 0x64
    expect([ring.hex(8, 8), ring.hex(24, 8)]).toEqual(['05800000' + '0008' + '0000', '07000000' + '6400' + '0000']);
    expect(ring.memory.u8.subarray(buffers + 2048, buffers + 2064).every((byte) => byte === 0)).toBe(true);
  });

  it('are not written where the DMA was refused', () => {
    const ring = makeRing(igcFormat, 'rx', 2);
    igcFormat.rxWriteBack(ring.memory, ring.device, 0, batchOf([{ lenBytes: 0, flags: DESC_EOP | DESC_TIMESTAMP, timestampNs: T_NS, address: 0 }]));
    expect(ring.hex(8, 8)).toBe('07000000' + '0000' + '0000');
    expect(ring.memory.u8.subarray(0, 16).every((byte) => byte === 0)).toBe(true);
  });

  it('a length shorter than the stamp is no negative length', () => {
    const ring = makeRing(igcFormat, 'rx', 2);
    ring.memory.u32.set([0, 0, 0x8003, 15], ring.driver.address >>> 2);
    const batch = new DescriptorBatch(1);
    igcFormat.rxPoll(ring.memory, ring.driver, 0, 1, batch);
    expect(batch.lenBytes[0]).toBe(0);
  });

  it('reach memory before the status', () => {
    const ring = makeRing(igcFormat, 'rx', 2);
    const buffer = ring.memory.reserve('buffer', 64);
    const { memory, accesses } = recordAccesses(ring.memory);
    igcFormat.rxWriteBack(memory, ring.device, 0, batchOf([{ lenBytes: 60, flags: DESC_EOP | DESC_TIMESTAMP, timestampNs: T_NS, address: buffer }]));
    const stores = accesses.filter(({ kind }) => kind === 'store');
    expect(accessesWithin(stores, 'store', buffer, buffer + 16)).toHaveLength(4);
    expect(stores.at(-1)).toEqual({ kind: 'store', address: ring.device.address + 8, bytes: 4 });
  });
});

describe('ixgbe receive descriptors, byte for byte', () => {
  it('error bits: IPE 31, TCPE 30, CE 24; no UDPCS, no IXSM', () => {
    // IPv4 UDP, both wrong: pkt_info 0x0210; status IPCS 0x40 + L4CS 0x20 + EOP 2 + DD 1 = 0x63; errors 0x80000000 + 0x40000000
    const wrong = DESC_EOP | DESC_L3_CHECKED | DESC_L3_BAD | DESC_L4_CHECKED | DESC_L4_BAD;
    expect(writtenBack(ixgbeFormat, { lenBytes: 60, flags: wrong, packetType: PACKET_IPV4 | PACKET_UDP })).toBe('10020000' + '00000000' + '630000c0' + '3c00' + '0000');
    // damaged: EOP 2 + DD 1 = 3, CE 0x01000000
    expect(writtenBack(ixgbeFormat, { lenBytes: 60, flags: DESC_EOP | DESC_RX_ERROR })).toBe('00000000' + '00000000' + '03000001' + '3c00' + '0000');
  });

  it('bit 31 is a wrong IPv4 checksum, not damage; bit 29 is damage, not a wrong checksum', () => {
    expect(polledFlags(ixgbeFormat, 0x80000043)).toBe(DESC_EOP | DESC_L3_CHECKED | DESC_L3_BAD);
    expect(polledFlags(igbFormat, 0x80000043)).toBe(DESC_EOP | DESC_L3_CHECKED | DESC_RX_ERROR);
    expect(polledFlags(ixgbeFormat, 0x20000023)).toBe(DESC_EOP | DESC_L4_CHECKED | DESC_RX_ERROR);
    expect(polledFlags(igbFormat, 0x20000023)).toBe(DESC_EOP | DESC_L4_CHECKED | DESC_L4_BAD);
  });

  it('bit 2 is FLM and says nothing of checksums', () => {
    expect(polledFlags(ixgbeFormat, 0x00000067)).toBe(DESC_EOP | DESC_L3_CHECKED | DESC_L4_CHECKED);
  });
});

/** Bytes of the first descriptors of a TX ring after one batch. */
function posted(format: DescriptorFormat, rows: readonly BatchRow[], descriptors: number): string[] {
  const ring = makeRing(format, 'tx', 8);
  format.txPost(ring.memory, ring.driver, 0, batchOf(rows));
  return Array.from({ length: descriptors }, (_, i) => ring.hex(i * 16, 16));
}

const CSUM_TCP = { flags: DESC_EOP | DESC_CSUM, packetType: PACKET_IPV4 | PACKET_TCP, l3Start: 14, csumStart: 34, csumOffset: 16 };

describe('igb transmit descriptors, byte for byte', () => {
  it('a frame without offloads is one data descriptor', () => {
    // cmd_type_len:  DEXT 0x20000000 + RS 0x08000000 + IFCS 0x02000000 + EOP 0x01000000 + DTYP 3 0x00300000 + 1514 = 0x05ea
    // olinfo_status: 1514 << 14 = 0x017a8000
    expect(posted(igbFormat, [{ iovaLow: 0x11100, iovaHigh: 1, lenBytes: 1514, flags: DESC_EOP }], 1)).toEqual(['0011010001000000' + 'ea05302b' + '00807a01']);
  });

  it('a frame of two buffers: the sum of the lengths in the first descriptor, EOP and RS in the last', () => {
    // first: DEXT + IFCS + DTYP 3 + 1000 = 0x223003e8; (1000 + 514) << 14 = 0x017a8000; last: 0x2b300000 + 514 = 0x0202
    expect(posted(igbFormat, [{ iovaLow: 0x1000, lenBytes: 1000 }, { iovaLow: 0x2000, lenBytes: 514, flags: DESC_EOP }], 2)).toEqual([
      '0010000000000000' + 'e8033022' + '00807a01', '0020000000000000' + '0202302b' + '00000000',
    ]);
  });

  it('a TCP checksum: a context before the data', () => {
    // vlan_macip_lens: MACLEN 14 << 9 = 0x1c00, IPLEN 34 - 14 = 20 = 0x14                    = 0x00001c14
    // type_tucmd:      DEXT 0x20000000 + DTYP 2 0x00200000 + L4T 1 << 11 0x800 + IPV4 0x400 = 0x20200c00
    // olinfo_status:   60 << 14 = 0x000f0000 + TXSM 0x200                                   = 0x000f0200
    expect(posted(igbFormat, [{ iovaLow: 0x1000, lenBytes: 60, ...CSUM_TCP }], 2)).toEqual([
      '141c0000' + '00000000' + '000c2020' + '00000000', '0010000000000000' + '3c00302b' + '00020f00',
    ]);
  });

  it('a UDP checksum over IPv6 and a tag', () => {
    // vlan_macip_lens: VLAN 0x6064 << 16, MACLEN 0x1c00, IPLEN 40 = 0x28 = 0x60641c28; type_tucmd: 0x20200000 (UDP is L4T 0, IPv6 is IPV4 clear)
    // cmd_type_len:    0x2b300000 + VLE 0x40000000 + 86 = 0x6b300056; olinfo_status: 86 << 14 = 0x00158000 + 0x200
    const row = { iovaLow: 0x1000, lenBytes: 86, flags: DESC_EOP | DESC_CSUM | DESC_VLAN, packetType: PACKET_IPV6 | PACKET_UDP, l3Start: 14, csumStart: 54, csumOffset: 6, vlanTci: 0x6064 };
    expect(posted(igbFormat, [row], 2)).toEqual(['281c6460' + '00000000' + '00002020' + '00000000', '0010000000000000' + '5600306b' + '00821500']);
  });

  it('a tag only: VLE in every descriptor of the frame, and of no other', () => {
    const rows = [{ lenBytes: 60, flags: DESC_VLAN, vlanTci: 5 }, { lenBytes: 60, flags: DESC_EOP }, { lenBytes: 60, flags: DESC_EOP }];
    // context: VLAN 5, MACLEN 14; data 0x22300000 + VLE, last 0x2b300000 + VLE, next frame 0x2b300000
    // PAYLEN of the two frames: 120 << 14 = 0x001e0000, 60 << 14 = 0x000f0000
    expect(posted(igbFormat, rows, 4)).toEqual([
      '001c0500' + '00000000' + '00002020' + '00000000', '00'.repeat(8) + '3c003062' + '00001e00', '00'.repeat(8) + '3c00306b' + '00000000', '00'.repeat(8) + '3c00302b' + '00000f00',
    ]);
    expect([igbFormat.txSlots(2, DESC_VLAN), igbFormat.txSlots(2, DESC_CSUM), igbFormat.txSlots(2, 0)]).toEqual([3, 3, 2]);
  });

  it('a launch time: a context before the data, on igc only, and the device reads it of the frame behind it', () => {
    const launch = { iovaLow: 0x1000, lenBytes: 60, flags: DESC_EOP | DESC_LAUNCH | DESC_LAUNCH_FIRST, launchNs: 0x0bebc200 };
    // vlan_macip_lens: MACLEN 14 << 9 = 0x1c00; launch time 200 ms; type_tucmd: DEXT + DTYP 2; mss_l4len_idx: FIRST 0x80
    const context = '001c0000' + '00c2eb0b' + '00002020' + '80000000';
    const data = '0010000000000000' + '3c00302b' + '00000f00';
    expect(posted(igcFormat, [launch], 2)).toEqual([context, data]);
    expect(posted(igbFormat, [launch], 1)).toEqual([data]);
    expect([igcFormat.txSlots(2, DESC_LAUNCH), igbFormat.txSlots(2, DESC_LAUNCH)]).toEqual([3, 2]);

    const ring = makeRing(igcFormat, 'tx', 8);
    const plain = { iovaLow: 0x2000, lenBytes: 60, flags: DESC_EOP };
    igcFormat.txPost(ring.memory, ring.driver, 0, batchOf([launch, plain, { ...launch, flags: DESC_EOP | DESC_LAUNCH, launchNs: 7 }, { ...launch, flags: DESC_EOP | DESC_LAUNCH, launchNs: 0 }]));
    const batch = new DescriptorBatch(8);
    igcFormat.txFetch(ring.memory, ring.device, 0, 7, batch);
    expect([...batch.flags.subarray(0, batch.count)]).toEqual([DESC_EOP | DESC_LAUNCH | DESC_LAUNCH_FIRST, DESC_EOP, DESC_EOP | DESC_LAUNCH, DESC_EOP]);
    expect([batch.launchNs[0], batch.launchNs[2], ...batch.slots.subarray(0, 4)]).toEqual([0x0bebc200, 7, 2, 1, 2, 2]);
  });

  it('DD is written where RS is, and nowhere else', () => {
    const ring = makeRing(igbFormat, 'tx', 8);
    igbFormat.txPost(ring.memory, ring.driver, 6, batchOf([{ lenBytes: 60, ...CSUM_TCP, flags: DESC_CSUM }, { lenBytes: 40, flags: DESC_EOP }]));
    expect(igbFormat.txPoll(ring.memory, ring.driver, 6, 3)).toBe(0);
    const before = [ring.hex(6 * 16, 16), ring.hex(7 * 16, 16), ring.hex(0, 16)];
    igbFormat.txWriteBack(ring.memory, ring.device, 6, 3);
    expect([ring.hex(6 * 16, 16), ring.hex(7 * 16, 16)]).toEqual(before.slice(0, 2));
    expect(ring.hex(0, 16)).toBe(before[2].slice(0, 24) + '01000000');
    expect([igbFormat.txPoll(ring.memory, ring.driver, 6, 3), igbFormat.txPoll(ring.memory, ring.driver, 6, 2)]).toEqual([3, 0]);
  });
});

// Words of hand-made descriptors: cmd_type_len without the length, and a context for TCP over IPv4.
const DATA = 0x22300000;
const LAST = 0x2b300000;
const DEXT = 0x20000000;
const TXSM = 0x200;
const VLE = 0x40000000;
const CONTEXT = [0x1c14, 0, 0x20200c00, 0];

/** What the device reads out of a ring with these descriptors, word by word. */
function fetched(format: DescriptorFormat, descriptors: readonly (readonly number[])[], slots = descriptors.length) {
  const ring = makeRing(format, 'tx', 16);
  descriptors.forEach((words, i) => ring.memory.u32.set(words, (ring.driver.address >>> 2) + i * 4));
  const batch = new DescriptorBatch(16);
  format.txFetch(ring.memory, ring.device, 0, slots, batch);
  return { ring, batch, flags: [...batch.flags.subarray(0, batch.count)], slots: [...batch.slots.subarray(0, batch.count)] };
}

describe('what the device makes of transmit descriptors', () => {
  it('a context counts as a slot of the buffer behind it, and stays valid for later frames', () => {
    const { batch, flags, slots } = fetched(igbFormat, [CONTEXT, [0x1000, 0, LAST | 60, TXSM], [0x2000, 0, LAST | 60, TXSM], [0x3000, 0, LAST | 60, 0]]);
    expect([flags, slots]).toEqual([[DESC_EOP | DESC_CSUM, DESC_EOP | DESC_CSUM, DESC_EOP], [2, 1, 1]]);
    expect([batch.l3Start[1], batch.csumStart[1], batch.csumOffset[1], batch.packetType[1]]).toEqual([14, 34, 16, PACKET_IPV4 | PACKET_TCP]);
  });

  it('two contexts, chosen by IDX; there are no more', () => {
    const second = [0x1c28, 0, 0x20200000, 1 << 4];
    const third = [0x1c28, 0, 0x20200000, 2 << 4];
    const { batch, flags } = fetched(igbFormat, [CONTEXT, second, third, [0, 0, LAST | 60, TXSM], [0, 0, LAST | 60, TXSM | (1 << 4)], [0, 0, LAST | 60, TXSM | (2 << 4)]]);
    expect(flags).toEqual([DESC_EOP | DESC_CSUM, DESC_EOP | DESC_CSUM, DESC_EOP | DESC_MALFORMED]);
    expect([...batch.csumStart.subarray(0, 2), ...batch.csumOffset.subarray(0, 2)]).toEqual([34, 54, 16, 6]);
  });

  it('IXSM asks for the IPv4 header checksum; L4T 2 is SCTP', () => {
    const { flags, batch } = fetched(igbFormat, [[0x1c14, 0, 0x20201400, 0], [0, 0, LAST | 60, TXSM | 0x100]]);
    expect(flags).toEqual([DESC_EOP | DESC_CSUM | DESC_CSUM_IPV4]);
    expect([batch.csumOffset[0], batch.packetType[0]]).toEqual([8, PACKET_IPV4 | PACKET_SCTP]);
  });

  it.each<[string, (readonly number[])[], number[]]>([
    ['TXSM without a context', [[0, 0, LAST | 60, TXSM]], [DESC_EOP | DESC_MALFORMED]],
    ['VLE without a context', [[0, 0, LAST | VLE | 60, 0]], [DESC_EOP | DESC_MALFORMED]],
    ['a context without DEXT', [[0x1c14, 0, CONTEXT[2] & ~DEXT, 0], [0, 0, LAST | 60, TXSM]], [DESC_MALFORMED, DESC_EOP]],
    ['data without DEXT', [[0, 0, (LAST & ~DEXT) | 60, 0]], [DESC_EOP | DESC_MALFORMED]],
    ['another DTYP', [[0, 0, (LAST & ~0xf00000) | 60, 0]], [DESC_EOP | DESC_MALFORMED]],
    ['no bytes', [[0, 0, LAST, 0]], [DESC_EOP | DESC_MALFORMED]],
    ['segmentation', [[0, 0, (LAST | 0x80000000) + 60, 0]], [DESC_EOP | DESC_MALFORMED]],
    ['more than 32 KiB', [[0, 0, LAST | 0x8001, 0]], [DESC_EOP | DESC_MALFORMED]],
    ['a fault in the second buffer, told of the frame', [[0, 0, DATA | 60, 0], [0, 0, LAST, 0]], [DESC_MALFORMED, DESC_EOP]],
    ['no EOP before a context', [[0, 0, DATA | 60, 0], [0, 0, DATA | 60, 0], CONTEXT, [0, 0, LAST | 60, TXSM]], [DESC_MALFORMED, DESC_EOP, DESC_EOP | DESC_CSUM]],
    ['a reserved L4T', [[0x1c14, 0, 0x20201c00, 0], [0, 0, LAST | 60, TXSM]], [DESC_EOP | DESC_MALFORMED]],
  ])('makes no sense: %s', (_, descriptors, flags) => {
    expect(fetched(igbFormat, descriptors).flags).toEqual(flags);
    expect(fetched(ixgbeFormat, descriptors).flags).toEqual(flags);
  });

  it('a checksum field that no protocol has is refused by the device', () => {
    const ring = makeRing(igbFormat, 'tx', 4);
    igbFormat.txPost(ring.memory, ring.driver, 0, batchOf([{ lenBytes: 60, ...CSUM_TCP, csumOffset: 2 }]));
    const batch = new DescriptorBatch(4);
    igbFormat.txFetch(ring.memory, ring.device, 0, 2, batch);
    expect(batch.flags[0]).toBe(DESC_EOP | DESC_MALFORMED);
  });

  it('32 KiB are not too many for igb, for ixgbe 16 KiB', () => {
    expect(fetched(igbFormat, [[0, 0, LAST | 0x8000, 0]]).flags).toEqual([DESC_EOP]);
    expect(fetched(ixgbeFormat, [[0, 0, LAST | 0x4000, 0], [0, 0, LAST | 0x4001, 0]]).flags).toEqual([DESC_EOP, DESC_EOP | DESC_MALFORMED]);
  });

  it('a frame without EOP waits', () => {
    const { flags, ring, batch } = fetched(igbFormat, [CONTEXT, [0x1000, 0, DATA | 60, TXSM], [0x2000, 0, LAST | 60, 0]], 2);
    expect(flags).toEqual([DESC_CSUM]);
    igbFormat.txFetch(ring.memory, ring.device, 0, 3, batch);
    expect([...batch.flags.subarray(0, batch.count)]).toEqual([DESC_CSUM, DESC_EOP]);
  });

  it('RS and EOP mean nothing in a context', () => {
    const { ring, flags } = fetched(igbFormat, [[0x1c14, 0, CONTEXT[2] | 0x09000000, 0], [0x1000, 0, LAST | 60, TXSM]]);
    expect(flags).toEqual([DESC_EOP | DESC_CSUM]);
    igbFormat.txWriteBack(ring.memory, ring.device, 0, 2);
    expect([ring.hex(12, 4), ring.hex(28, 4)]).toEqual(['00000000', '01020000']);
    expect([igbFormat.txPoll(ring.memory, ring.driver, 0, 1), igbFormat.txPoll(ring.memory, ring.driver, 0, 2)]).toEqual([0, 2]);
  });

  it('frames without RS are done when a later one is', () => {
    const { ring } = fetched(igbFormat, [[0, 0, (LAST & ~0x08000000) | 60, 0], [0, 0, LAST | 60, 0], [0, 0, LAST | 60, 0]]);
    igbFormat.txWriteBack(ring.memory, ring.device, 0, 1);
    expect(igbFormat.txPoll(ring.memory, ring.driver, 0, 3)).toBe(0);
    igbFormat.txWriteBack(ring.memory, ring.device, 1, 1);
    expect(igbFormat.txPoll(ring.memory, ring.driver, 0, 3)).toBe(2);
  });
});

describe('tail registers', () => {
  it('hold the number of a slot; head = tail is empty', () => {
    const ring = makeRing(igbFormat, 'rx', 5);
    expect([0, 4, 5, 13].map((tail) => igbFormat.rxPublish(ring.memory, ring.driver, tail))).toEqual([0, 4, 0, 3]);
    expect([[8, 3], [8, 2], [8, 4], [0, 0], [2 ** 40, 0], [3, -1]].map(([head, tail]) => igbFormat.txAvailable(ring.memory, ring.device, head, tail, 64))).toEqual([0, 4, 1, 0, 4, 2]);
    expect(igbFormat.rxAvailable(ring.memory, ring.device, 8, 2, 3)).toBe(3);
  });
});

describe.each([igbFormat, igcFormat, ixgbeFormat])('order of $name', (format) => {
  it('the device stores the status last, the driver loads it first', () => {
    const ring = makeRing(format, 'rx', 4);
    const { memory, accesses } = recordAccesses(ring.memory);
    format.rxWriteBack(memory, ring.device, 3, batchOf([{ lenBytes: 60, flags: DESC_EOP }, { lenBytes: 60, flags: DESC_EOP }]));
    for (const slot of [3, 0]) {
      const start = ring.device.address + slot * 16;
      expect(accessesWithin(accesses, 'store', start, start + 16).map(({ address }) => address - start)).toEqual([0, 4, 12, 8]);
    }
    accesses.length = 0;
    format.rxPoll(memory, ring.driver, 3, 1, batchOf([{}]));
    expect(accesses[0]).toEqual({ kind: 'load', address: ring.driver.address + 3 * 16 + 8, bytes: 4 });
  });

  it('posting takes DD away', () => {
    const ring = makeRing(format, 'rx', 3);
    const one = batchOf([{ lenBytes: 60, flags: DESC_EOP }]);
    format.rxPost(ring.memory, ring.driver, 0, one);
    format.rxWriteBack(ring.memory, ring.device, 0, one);
    expect(format.rxPoll(ring.memory, ring.driver, 0, 1, new DescriptorBatch(1))).toBe(1);
    format.rxPost(ring.memory, ring.driver, 3, one);
    expect(format.rxPoll(ring.memory, ring.driver, 3, 1, new DescriptorBatch(1))).toBe(0);
    format.txPost(ring.memory, makeRing(format, 'tx', 3, ring.memory).driver, 0, one);
  });
});

const RX_FLAGS = DESC_RSS | DESC_VLAN | DESC_L3_CHECKED | DESC_L3_BAD | DESC_L4_CHECKED | DESC_L4_BAD | DESC_RX_ERROR;
const CAPABILITIES = {
  rxBufferBytes: [128, 1024, 2048],
  rxFrameBytesMax: 9728,
  rxSegmentsMax: 18,
  rxFlags: RX_FLAGS,
  rxPacketTypes: [0, PACKET_IPV4, PACKET_IPV6, PACKET_IPV4 | PACKET_TCP, PACKET_IPV4 | PACKET_UDP, PACKET_IPV6 | PACKET_TCP, PACKET_IPV6 | PACKET_UDP, PACKET_IPV4 | PACKET_SCTP],
  rssTypesOf: () => [1, 2, 6, 0x19, 0x1a, 0x1e, 0x29, 0x2a, 0x2e],
  rxOffloadsAt: 'every',
  txBufferBytesMax: 1 << 15,
  txSegmentsMax: 18,
} as const;

describeFormat(igbFormat, CAPABILITIES);
describeFormat(igcFormat, { ...CAPABILITIES, rxFlags: RX_FLAGS | DESC_TIMESTAMP, rxOffloadsAt: 'first' });
describeFormat(ixgbeFormat, { ...CAPABILITIES, txBufferBytesMax: 1 << 14 });
