import { describe, expect, it } from 'vitest';
import {
  DESC_CSUM, DESC_CSUM_IPV4, DESC_CSUM_PROTOCOL, DESC_EOP, DESC_FIRST, DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, DESC_MALFORMED, DESC_RX_ERROR, DESC_VLAN,
  DescriptorBatch, PACKET_BROADCAST, PACKET_FRAGMENT, PACKET_IPV4, PACKET_IPV6, PACKET_MULTICAST, PACKET_TCP, PACKET_UDP,
} from '../../../../src/nic/device/batch.js';
import { NO_DOORBELL } from '../../../../src/nic/device/formats/descriptorFormat.js';
import { r8169V1Format, r8169V2Format } from '../../../../src/nic/device/formats/r8169.js';
import * as bits from '../../../../src/nic/device/formats/r8169Bits.js';
import { explainR8169Tx } from '../../../../src/nic/device/formats/r8169TxFaults.js';
import { insertChecksums } from '../../../../src/nic/device/txChecksum.js';
import { fc, prop } from '../../../support/property.js';
import { describeFormat, TX_CHECKSUMS } from './formatSuite.js';
import type { RxOffloads, TxOffloads } from './formatSuite.js';
import { accessesWithin, batchOf, inFreshMemory, makeRing, recordAccesses } from './formatSupport.js';
import type { BatchRow, TestRing } from './formatSupport.js';

const { R8169_OWN: OWN, R8169_EOR: EOR, R8169_FS: FS, R8169_LS: LS } = bits;
const FORMATS = { v1: r8169V1Format, v2: r8169V2Format } as const;
const LAYOUTS = ['v1', 'v2'] as const;

const opts1Of = ({ memory, driver }: TestRing, slot: number): number => memory.u32[driver.address / 4 + slot * 4];

function poke({ memory, driver }: TestRing, slot: number, opts1: number, opts2 = 0): void {
  memory.u32[driver.address / 4 + slot * 4] = opts1;
  memory.u32[driver.address / 4 + slot * 4 + 1] = opts2;
}

describe('r8169 receive descriptors, byte for byte', () => {
  //                                              opts1      opts2      addr, all little endian
  it('given to the device: OWN and the size, EOR on the last slot', () => {
    const ring = makeRing(r8169V2Format, 'rx', 3);
    const row = { iovaLow: 0x12345678, iovaHigh: 1, lenBytes: 2048 };
    ring.memory.u8.fill(0xa5, ring.driver.address, ring.driver.address + 48);
    r8169V2Format.rxPost(ring.memory, ring.driver, 1, batchOf([row, row]));
    // 2048 = 0x800. OWN is bit 31: 0x80000000 | 0x800 = 0x80000800. With EOR, bit 30: 0xc0000800.
    expect(ring.hex(0, 48)).toBe('a5'.repeat(16) + '00080080' + '00000000' + '7856341201000000' + '000800c0' + '00000000' + '7856341201000000');
    expect(bits.r8169RxPosted(2048, true)).toBe(0xc0000800);
    expect(bits.r8169RxPosted(16383, false)).toBe(0x80003fff);
  });

  it('written back: the length counts the 4 bytes of FCS, the address stays', () => {
    const ring = makeRing(r8169V2Format, 'rx', 2);
    const { memory, driver, device } = ring;
    r8169V2Format.rxPost(memory, driver, 0, batchOf([{ iovaLow: 0x1000, lenBytes: 2048 }, { iovaLow: 0x2000, lenBytes: 2048 }]));
    r8169V2Format.rxWriteBack(memory, device, 0, batchOf([{ lenBytes: 60, flags: DESC_FIRST | DESC_EOP | DESC_L3_CHECKED | DESC_L4_CHECKED, packetType: PACKET_IPV4 | PACKET_TCP }]));
    // FS 29 + LS 28 = 0x30000000; PAM 26 = 0x04000000; PID TCP is 1 in bits 18..17 = 0x00020000; 60 + 4 = 64 = 0x40.
    expect(opts1Of(ring, 0)).toBe(0x34020040);
    expect(ring.hex(0, 16)).toBe('40000234' + '00000000' + '0010000000000000');
    r8169V2Format.rxWriteBack(memory, device, 1, batchOf([{ lenBytes: 1514, flags: DESC_FIRST | DESC_EOP | DESC_VLAN, vlanTci: 0xa123 }]));
    // EOR 30 stays: 0x40000000 + 0x30000000 + 0x04000000; 1514 + 4 = 1518 = 0x5ee. opts2: bit 16, and 0xa123 swapped is 0x23a1.
    expect(ring.hex(16, 16)).toBe('ee050074' + 'a1230100' + '0020000000000000');
  });

  const fails = DESC_L4_CHECKED | DESC_L4_BAD;
  it.each([
    // MAR 27, PAM 26, BAR 25; PID 18..17: TCP 0x20000, UDP 0x40000, other IP 0x60000; IPF 0x10000, UDPF 0x8000, TCPF 0x4000; RES 0x200000, CRC 0x80000.
    ['a broadcast ARP request', 0, PACKET_BROADCAST, 0x02000000],
    ['a multicast UDP datagram', DESC_L4_CHECKED, PACKET_MULTICAST | PACKET_IPV4 | PACKET_UDP, 0x08040000],
    ['TCP with a wrong checksum', fails, PACKET_IPV4 | PACKET_TCP, 0x04024000],
    ['UDP with a wrong checksum', fails, PACKET_IPV6 | PACKET_UDP, 0x04048000],
    ['a wrong IPv4 header', DESC_L3_CHECKED | DESC_L3_BAD | DESC_L4_CHECKED, PACKET_IPV4 | PACKET_TCP, 0x04030000],
    ['a fragment: other IP', DESC_L3_CHECKED, PACKET_IPV4 | PACKET_UDP | PACKET_FRAGMENT, 0x04060000],
    ['TCP that the device did not look at: other IP', 0, PACKET_IPV6 | PACKET_TCP, 0x04060000],
    ['a damaged frame', DESC_RX_ERROR, 0, 0x04280000],
  ])('status of %s', (_name, flags, packetType, status) => {
    expect(bits.r8169RxStatus(flags, packetType)).toBe(status);
  });

  it('a checksum is good only when PID and failure bits are exactly TCP or UDP', () => {
    const pidAndFail = Array.from({ length: 32 }, (_, value) => value << 14);
    const good = pidAndFail.filter((opts1) => (bits.r8169RxFlags(opts1, 0) & (DESC_L4_CHECKED | DESC_L4_BAD)) === DESC_L4_CHECKED);
    expect(good).toEqual([bits.R8169_RX_PID_TCP, bits.R8169_RX_PID_UDP]);
    expect(bits.r8169RxFlags(bits.R8169_RX_PID_TCP | bits.R8169_RX_IPF, 0)).toBe(DESC_L3_CHECKED | DESC_L3_BAD);
  });

  it('the last descriptor of a frame has the length of the whole', () => {
    const ring = makeRing(r8169V1Format, 'rx', 3);
    const { memory, driver, device } = ring;
    r8169V1Format.rxPost(memory, driver, 0, batchOf([{ lenBytes: 128 }, { lenBytes: 128 }, { lenBytes: 128 }]));
    r8169V1Format.rxWriteBack(memory, device, 0, batchOf([{ lenBytes: 128, flags: DESC_FIRST }, { lenBytes: 128 }, { lenBytes: 44, flags: DESC_EOP }]));
    // FS | PAM | 128; PAM | 128; EOR | LS | PAM | 128 + 128 + 44 + 4 = 304 = 0x130.
    expect([0, 1, 2].map((slot) => opts1Of(ring, slot))).toEqual([0x24000080, 0x04000080, 0x54000130]);
    const batch = new DescriptorBatch(3);
    // In two polls, as a limit may cut a frame.
    expect(r8169V1Format.rxPoll(memory, driver, 0, 2, batch)).toBe(2);
    expect([...batch.lenBytes.subarray(0, 2)]).toEqual([128, 128]);
    expect(r8169V1Format.rxPoll(memory, driver, 2, 1, batch)).toBe(1);
    expect(batch.lenBytes[0]).toBe(44);
    // And again from the start, by a driver that went back to the frame's first descriptor.
    r8169V1Format.rxPoll(memory, driver, 0, 2, batch);
    expect(r8169V1Format.rxPoll(memory, driver, 0, 3, batch)).toBe(3);
    expect([...batch.lenBytes]).toEqual([128, 128, 44]);
  });

  it('a frame that 14 bits cannot count is an error, too long', () => {
    const ring = makeRing(r8169V1Format, 'rx', 2);
    r8169V1Format.rxWriteBack(ring.memory, ring.device, 0, batchOf([{ lenBytes: 16379, flags: DESC_EOP }, { lenBytes: 16380, flags: DESC_EOP }]));
    // 16379 + 4 = 16383 = 0x3fff fits. 16384 doesn't: RWT 22 and RES 21 = 0x600000.
    expect([opts1Of(ring, 0), opts1Of(ring, 1)]).toEqual([0x34003fff, 0x74603fff]);
    const batch = new DescriptorBatch(2);
    r8169V1Format.rxPoll(ring.memory, ring.driver, 0, 2, batch);
    expect([...batch.flags].map((flags) => flags & DESC_RX_ERROR)).toEqual([0, DESC_RX_ERROR]);
  });
});

describe('r8169 transmit descriptors, byte for byte', () => {
  const tcp4 = { flags: DESC_EOP | DESC_CSUM, packetType: PACKET_IPV4 | PACKET_TCP, l3Start: 14, csumStart: 34, csumOffset: 16 };
  const at = { iovaLow: 0x9000, iovaHigh: 1, lenBytes: 1514 };

  it('v1: checksum bits 18 (IP) and 16 (TCP) or 17 (UDP) in opts1', () => {
    const ring = makeRing(r8169V1Format, 'tx', 3);
    r8169V1Format.txPost(ring.memory, ring.driver, 1, batchOf([{ ...at, ...tcp4 }, { ...at, ...tcp4, packetType: PACKET_IPV4 | PACKET_UDP }]));
    // OWN FS LS = 0xb0000000; IPCS | TCPCS = 0x50000, IPCS | UDPCS = 0x60000; 1514 = 0x5ea. EOR in the last slot: 0xf0000000.
    expect(ring.hex(16, 32)).toBe('ea0505b0' + '00000000' + '0090000001000000' + 'ea0506f0' + '00000000' + '0090000001000000');
  });

  it('v2: checksum bits 31..28 and the transport offset in opts2', () => {
    const ring = makeRing(r8169V2Format, 'tx', 4);
    const udp6 = { ...tcp4, packetType: PACKET_IPV6 | PACKET_UDP, csumStart: 54, csumOffset: 6 };
    r8169V2Format.txPost(ring.memory, ring.driver, 0, batchOf([{ ...at, ...tcp4 }, { ...at, ...udp6, flags: udp6.flags | DESC_VLAN, vlanTci: 0x0064 }]));
    // TCP_CS 30 + IPv4_CS 29 = 0x60000000; 34 << 18 = 0x880000. UDP_CS 31 + IPv6_CS 28 = 0x90000000; 54 << 18 = 0xd80000; bit 17; tci 100 swapped 0x6400.
    expect(ring.hex(0, 8)).toBe('ea0500b0' + '00008860');
    expect(ring.hex(16, 8)).toBe('ea0500b0' + '0064da90');
  });

  it.each(LAYOUTS)('%s: a frame in three descriptors, around the end of the ring, and what the device leaves of it', (layout) => {
    const format = FORMATS[layout];
    const ring = makeRing(format, 'tx', 3);
    const frame = [{ lenBytes: 54, flags: DESC_VLAN, vlanTci: 1 }, { lenBytes: 1000 }, { lenBytes: 200, flags: DESC_EOP }];
    format.txPost(ring.memory, ring.driver, 2, batchOf(frame));
    // OWN EOR FS, 54 = 0x36; OWN, 1000 = 0x3e8; OWN LS, 200 = 0xc8.
    expect([2, 0, 1].map((slot) => opts1Of(ring, slot))).toEqual([0xe0000036, 0x800003e8, 0x900000c8]);
    // Bit 17 and 1 swapped: in every descriptor, as the Linux driver writes it.
    for (const slot of [0, 1, 2]) expect(ring.hex(slot * 16 + 4, 4)).toBe('00010200');
    expect(format.txPoll(ring.memory, ring.driver, 2, 3)).toBe(0);
    format.txWriteBack(ring.memory, ring.device, 2, 2);
    expect(format.txPoll(ring.memory, ring.driver, 2, 3)).toBe(0);
    format.txWriteBack(ring.memory, ring.device, 4, 1);
    expect([2, 0, 1].map((slot) => opts1Of(ring, slot))).toEqual([0x60000036, 0x000003e8, 0x100000c8]);
    expect(format.txPoll(ring.memory, ring.driver, 2, 3)).toBe(3);
  });

  it('the doorbell is TxPoll, and RX has none', () => {
    for (const format of Object.values(FORMATS)) {
      const { memory, driver } = makeRing(format, 'tx', 2);
      expect(format.txPublish(memory, driver, 1)).toBe(0x40);
      expect(format.rxPublish(memory, driver, 1)).toBe(NO_DOORBELL);
    }
  });

  it('the device is told protocols, and computes the pseudo header itself', () => {
    const batch = new DescriptorBatch(4);
    const seen = (format: (typeof FORMATS)['v1'], row: BatchRow) => {
      const { memory, driver, device } = makeRing(format, 'tx', 2);
      format.txPost(memory, driver, 0, batchOf([{ lenBytes: 100, ...row }]));
      format.txFetch(memory, device, 0, 1, batch);
      return { flags: batch.flags[0], packetType: batch.packetType[0], l3Start: batch.l3Start[0], csumStart: batch.csumStart[0], csumOffset: batch.csumOffset[0] };
    };
    const whole = DESC_FIRST | DESC_EOP | DESC_CSUM | DESC_CSUM_PROTOCOL;
    expect(seen(r8169V2Format, tcp4)).toEqual({ flags: whole | DESC_CSUM_IPV4, packetType: PACKET_IPV4 | PACKET_TCP, l3Start: 0, csumStart: 34, csumOffset: 16 });
    expect(seen(r8169V2Format, { ...tcp4, packetType: PACKET_IPV6 | PACKET_UDP, csumStart: 54 })).toEqual({ flags: whole, packetType: PACKET_IPV6 | PACKET_UDP, l3Start: 0, csumStart: 54, csumOffset: 6 });
    expect(seen(r8169V1Format, tcp4)).toEqual({ flags: whole | DESC_CSUM_IPV4, packetType: PACKET_IPV4 | PACKET_TCP, l3Start: 0, csumStart: 0, csumOffset: 16 });
    // The header of IPv4 alone.
    for (const format of Object.values(FORMATS)) {
      expect(seen(format, { ...tcp4, packetType: PACKET_IPV4 })).toMatchObject({ flags: DESC_FIRST | DESC_EOP | DESC_CSUM_IPV4, packetType: PACKET_IPV4 });
    }
  });
});

describe('r8169 transmit checksums on the wire', () => {
  // 192.168.0.1:1000 to 192.168.0.2:2000, UDP, "hello!", both checksums 0.
  const FRAME = '020000000002' + '020000000001' + '0800' + '45000022000000004011' + '0000' + 'c0a80001' + 'c0a80002' + '03e807d0000e' + '0000' + '68656c6c6f21';
  // IP: 0x4500 + 0x22 + 0x4011 = 0x8533; addresses 0xc0a8 + 0x1 + 0xc0a8 + 0x2 = 0x18153; together 0x20686; folded 0x0688; complement 0xf977.
  // UDP: addresses 0x18153 + protocol 0x11 + length 0xe = 0x18172; header 0x3e8+0x7d0+0xe = 0xbc6; data 0x6865+0x6c6c+0x6f21 = 0x143f2;
  // 0x18172 + 0xbc6 + 0x143f2 = 0x2d12a; folded 0xd12c; complement 0x2ed3.
  it.each(LAYOUTS)('%s: the engine writes both, from what the descriptor tells', (layout) => {
    const format = FORMATS[layout];
    const { memory, driver, device } = makeRing(format, 'tx', 2);
    const bytes = Buffer.from(FRAME, 'hex');
    const address = memory.reserve('frame', bytes.length);
    memory.u8.set(bytes, address);
    format.txPost(memory, driver, 0, batchOf([{ lenBytes: bytes.length, flags: DESC_EOP | DESC_CSUM, packetType: PACKET_IPV4 | PACKET_UDP, csumStart: 34, csumOffset: 6 }]));
    const batch = new DescriptorBatch(1);
    format.txFetch(memory, device, 0, 1, batch);
    expect(insertChecksums(memory, address, bytes.length, batch.flags[0], batch.packetType[0], batch.l3Start[0], batch.csumStart[0], batch.csumOffset[0])).toBe(true);
    expect(Buffer.from(memory.u8.subarray(address + 24, address + 26)).toString('hex')).toBe('f977');
    expect(Buffer.from(memory.u8.subarray(address + 40, address + 42)).toString('hex')).toBe('2ed3');
  });
});

describe('r8169 transmit descriptors that make no sense', () => {
  const good = FS | LS | 60;
  const v1Tcp = 1 << 18 | 1 << 16;

  it.each([
    ['v2', 'v1 checksum bits', good | v1Tcp, 0, /^opts1 bits 18\.\.16 are the checksum bits of the v1 layout; this chip takes v2: opts2 31\.\.28/],
    ['v2', 'all three v1 checksum bits', good | 7 << 16, 0, /v1 layout/],
    ['v2', 'LSO of v1', good | 1 << 27, 0, /without GTSENV4/],
    ['v2', 'a stray GTTCPHO', good | 1 << 20, 0, /without GTSENV4/],
    ['v2', 'segmentation', good | 1 << 26 | 34 << 18, 1460 << 18, /does not do/],
    ['v2', 'IPv4 and IPv6', good, 0x70000000, /IPv4 \(29\) and of IPv6 \(28\)/],
    ['v2', 'TCP and UDP', good, 0xe0000000, /TCP and of UDP/],
    ['v2', 'TCP over nothing', good, 0x40000000, /without saying/],
    ['v1', 'v2 checksum bits', good, 0x60000000 | 34 << 18, /^opts2 bits 31\.\.18 are .* of the v2 layout; this chip takes v1: opts1 18/],
    ['v1', 'a transport offset', good, 34 << 18, /v2 layout/],
    ['v1', 'TCP and UDP', good | 7 << 16, 0, /TCP and of UDP/],
    ['v1', 'MSS without LSO', good | 1 << 20, 0, /MSS without LSO/],
    ['v1', 'segmentation', good | 1 << 27 | 1460 << 16, 0, /does not do/],
  ] as const)('%s: %s', (layout, _name, opts1, opts2, sentence) => {
    expect(explainR8169Tx(opts1, opts2, layout)).toMatch(sentence);
    const ring = makeRing(FORMATS[layout], 'tx', 2);
    poke(ring, 0, OWN | opts1, opts2);
    const batch = new DescriptorBatch(2);
    FORMATS[layout].txFetch(ring.memory, ring.device, 0, 1, batch);
    expect(batch.flags[0] & (DESC_MALFORMED | DESC_EOP)).toBe(DESC_MALFORMED | DESC_EOP);
  });

  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  prop([fc.constantFrom(...LAYOUTS), fc.array(fc.tuple(word, word), { minLength: 1, maxLength: 16 })])('whatever lies in the ring, the device flags exactly the frames that have an explanation', (layout, words) => {
    const batch = new DescriptorBatch(16);
    inFreshMemory((memory) => {
      const ring = makeRing(FORMATS[layout], 'tx', 16, memory);
      words.forEach(([opts1, opts2], slot) => poke(ring, slot, opts1, opts2));
      FORMATS[layout].txFetch(memory, ring.device, 0, words.length, batch);
    });
    expect(batch.count).toBe(words.length);
    let first: number | undefined;
    let isWrong = false;
    words.forEach(([opts1, opts2], i) => {
      if (first === undefined) {
        first = i;
        isWrong = explainR8169Tx(opts1, opts2, layout, 'new') !== undefined;
      } else {
        const sentence = explainR8169Tx(opts1, opts2, layout, { opts1: words[first][0], opts2: words[first][1] });
        if (sentence?.includes('first one of its frame') === true) isWrong = true;
      }
      const isCut = i + 1 < words.length && (words[i + 1][0] & FS) !== 0;
      const isClosed = (opts1 & LS) !== 0 || (words[first][0] & FS) === 0 || isCut;
      if (isCut && (opts1 & LS) === 0) isWrong = true;
      expect(batch.flags[i] & DESC_EOP).toBe(isClosed ? DESC_EOP : 0);
      if (isClosed || i === words.length - 1) {
        expect((batch.flags[first] & DESC_MALFORMED) !== 0).toBe(isWrong);
        first = undefined;
      }
    });
  });

  it('FirstFrag and LastFrag that are missing, and checksum bits that come late', () => {
    expect(explainR8169Tx(OWN | LS | 60, 0, 'v2', 'new')).toMatch(/FirstFrag .* is not set/);
    expect(explainR8169Tx(OWN | FS | 60, 0, 'v2', { opts1: OWN | FS | 60, opts2: 0 })).toMatch(/lacks LastFrag/);
    expect(explainR8169Tx(OWN | LS | 60, 0x60000000, 'v2', { opts1: OWN | FS | 60, opts2: 0 })).toMatch(/first one of its frame/);
    expect(explainR8169Tx(OWN | LS | 60, 0x60000000, 'v2', { opts1: OWN | FS | 60, opts2: 0x60000000 })).toBeUndefined();
    expect(explainR8169Tx(OWN | LS | v1Tcp | 60, 0, 'v1', { opts1: OWN | FS | 60, opts2: 0 })).toMatch(/first one of its frame/);
  });
});

describe('r8169 order of loads and stores', () => {
  const SIZE = 5;
  const frames = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }).filter((lengths) => lengths.reduce((sum, length) => sum + length, 0) <= SIZE);
  const rowsOf = (lengths: readonly number[]) => lengths.flatMap((length) => Array.from({ length }, (_, i) => ({ lenBytes: 100, flags: (i === 0 ? DESC_FIRST | DESC_CSUM | DESC_VLAN : 0) | (i === length - 1 ? DESC_EOP : 0), packetType: PACKET_IPV4 | PACKET_TCP })));

  /** Index in `accesses` of the last store into a slot. It must be the only one to opts1, which holds OWN. */
  function lastStore(accesses: ReturnType<typeof recordAccesses>['accesses'], address: number): number {
    const stores = accessesWithin(accesses, 'store', address, address + 16);
    expect(stores.at(-1)).toMatchObject({ address, bytes: 4 });
    expect(stores.filter((each) => each.address < address + 4)).toHaveLength(1);
    return accesses.indexOf(stores[stores.length - 1]);
  }

  function expectOwnReadFirst(accesses: ReturnType<typeof recordAccesses>['accesses'], address: number): void {
    expect(accessesWithin(accesses, 'load', address, address + 16)[0]).toMatchObject({ address, bytes: 4 });
  }

  prop([fc.constantFrom(...LAYOUTS), fc.nat(20), frames])('the word with OWN is the last store of a descriptor, of the first descriptor for a TX frame', (layout, first, lengths) => {
    inFreshMemory((memory) => {
      const format = FORMATS[layout];
      const rx = makeRing(format, 'rx', SIZE, memory);
      const rows = rowsOf(lengths);
      const address = (i: number) => rx.driver.address + ((first + i) % SIZE) * 16;
      let recorder = recordAccesses(rx.memory);
      format.rxPost(recorder.memory, rx.driver, first, batchOf(rows));
      rows.forEach((_, i) => lastStore(recorder.accesses, address(i)));

      recorder = recordAccesses(rx.memory);
      format.rxWriteBack(recorder.memory, rx.device, first, batchOf(rows));
      rows.forEach((_, i) => lastStore(recorder.accesses, address(i)));

      recorder = recordAccesses(rx.memory);
      format.rxPoll(recorder.memory, rx.driver, first, rows.length, new DescriptorBatch(SIZE));
      rows.forEach((_, i) => expectOwnReadFirst(recorder.accesses, address(i)));

      recorder = recordAccesses(rx.memory);
      format.txPost(recorder.memory, rx.driver, first, batchOf(rows));
      let at = 0;
      for (const length of lengths) {
        const stores = Array.from({ length }, (_, i) => lastStore(recorder.accesses, address(at + i)));
        expect(Math.max(...stores)).toBe(stores[0]);
        // Nothing of the frame is stored after its first descriptor's OWN.
        for (let i = 0; i < length; i++) expect(accessesWithin(recorder.accesses.slice(stores[0] + 1), 'store', address(at + i), address(at + i) + 16)).toEqual([]);
        at += length;
      }

      recorder = recordAccesses(rx.memory);
      format.txFetch(recorder.memory, rx.device, first, rows.length, new DescriptorBatch(SIZE));
      rows.forEach((_, i) => expectOwnReadFirst(recorder.accesses, address(i)));
    });
  });

  prop([fc.constantFrom(...LAYOUTS), fc.integer({ min: 2, max: 9 }), fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 20 })])('EOR stands on the last slot and nowhere else, whoever has written', (layout, size, counts) => {
    const format = FORMATS[layout];
    inFreshMemory((memory) => {
      for (const direction of ['rx', 'tx'] as const) {
        const ring = makeRing(format, direction, size, memory);
        const check = (isWholeRingWritten: boolean) => {
          for (let slot = 0; slot < size; slot++) {
            const hasEor = (opts1Of(ring, slot) & EOR) !== 0;
            if (slot < size - 1) expect(hasEor).toBe(false);
            else if (isWholeRingWritten || direction === 'rx') expect(hasEor).toBe(true);
          }
        };
        let at = 0;
        for (const drawn of counts) {
          const count = Math.min(drawn, size);
          const rows = batchOf(rowsOf(Array.from({ length: count }, () => 1)));
          if (direction === 'rx') format.rxPost(ring.memory, ring.driver, at, rows);
          else format.txPost(ring.memory, ring.driver, at, rows);
          check(at + count >= size);
          if (direction === 'rx') format.rxWriteBack(ring.memory, ring.device, at, rows);
          else format.txWriteBack(ring.memory, ring.device, at, count);
          check(at + count >= size);
          at += count;
        }
      }
    });
  });
});

/** What is left of what the device found: no RSS, no time, no IP version, no good IPv4 header; a good checksum only with a good header. */
function rxSeen({ flags, packetType, vlanTci }: RxOffloads): Partial<RxOffloads> {
  const isL4Checked = (flags & DESC_L4_CHECKED) !== 0;
  const isL3Bad = (flags & DESC_L3_BAD) !== 0;
  let seen = flags & (DESC_VLAN | DESC_RX_ERROR);
  if (isL3Bad) seen |= DESC_L3_CHECKED | DESC_L3_BAD;
  if ((flags & DESC_L4_BAD) !== 0) seen |= DESC_L4_CHECKED | DESC_L4_BAD;
  else if (isL4Checked && !isL3Bad) seen |= DESC_L4_CHECKED;
  return { flags: seen, packetType: packetType & (PACKET_BROADCAST | PACKET_MULTICAST | (isL4Checked ? PACKET_TCP | PACKET_UDP : 0)), rssHash: 0, rssType: 0, timestampNs: 0, vlanTci };
}

const common = {
  rxBufferBytes: [64, 1536, 16383],
  rxFrameBytesMax: 16379,
  rxSegmentsMax: 18,
  rxFlags: DESC_FIRST | DESC_VLAN | DESC_L3_CHECKED | DESC_L3_BAD | DESC_L4_CHECKED | DESC_L4_BAD | DESC_RX_ERROR,
  rxPacketTypes: [0, PACKET_BROADCAST, PACKET_IPV4, PACKET_IPV4 | PACKET_TCP, PACKET_IPV6 | PACKET_TCP, PACKET_IPV4 | PACKET_UDP | PACKET_MULTICAST, PACKET_IPV4 | PACKET_UDP | PACKET_FRAGMENT],
  rxOffloadsAt: 'every',
  rxSeen,
  txBufferBytesMax: 0xffff,
  txSegmentsMax: 18,
} as const;

const engineFlags = ({ flags, packetType }: TxOffloads): number =>
  (flags & DESC_CSUM) === 0 ? flags : flags | DESC_CSUM_PROTOCOL | ((packetType & PACKET_IPV4) !== 0 ? DESC_CSUM_IPV4 : 0);

describeFormat(r8169V1Format, {
  ...common,
  txChecksums: TX_CHECKSUMS.filter(({ packetType }) => (packetType & PACKET_IPV4) !== 0),
  txSeen: (asked) => ({ flags: engineFlags(asked), packetType: asked.packetType, csumOffset: asked.csumOffset, vlanTci: asked.vlanTci }),
});

describeFormat(r8169V2Format, {
  ...common,
  txChecksums: [...TX_CHECKSUMS, { packetType: PACKET_IPV6 | PACKET_TCP, l3Start: 14, csumStart: 0x3ff, csumOffset: 16 }],
  txSeen: (asked) => ({ flags: engineFlags(asked), packetType: asked.packetType, csumStart: asked.csumStart, csumOffset: asked.csumOffset, vlanTci: asked.vlanTci }),
});
