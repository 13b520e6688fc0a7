import { describe, expect, it } from 'vitest';
import {
  DESC_CSUM, DESC_CSUM_IPV4, DESC_CSUM_PROTOCOL, DESC_DONE, DESC_EOP, DESC_FIRST, DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED, DESC_MALFORMED, DESC_RSS,
  DESC_RX_ERROR, DESC_TIMESTAMP, DESC_VLAN, DescriptorBatch, PACKET_FRAGMENT, PACKET_IPV4, PACKET_IPV6, PACKET_TCP, PACKET_UDP,
} from '../../../../src/nic/device/batch.js';
import { NO_DOORBELL } from '../../../../src/nic/device/formats/descriptorFormat.js';
import { mlx5Format } from '../../../../src/nic/device/formats/mlx5.js';
import { describeFormat } from './formatSuite.js';
import { accessesWithin, batchOf, makeRing, recordAccesses } from './formatSupport.js';
import type { TestRing } from './formatSupport.js';

// A ring of 4. RX: WQ 4 * 16 = 64 bytes, CQ from 64, 4 * 64 = 256 bytes, records at 320 and 384: 448 in all.
const RX_CQ = 64;
const RX_RECORD = 320;
// TX: SQ 4 * 64 = 256 bytes, CQ from 256 on, records at 512 and 576.
const TX_CQ = 256;
const TX_RECORD = 512;
const CQE = 64;
const OP_OWN = 63;

const zeros = (bytes: number): string => '00'.repeat(bytes);

function postFour({ memory, driver }: TestRing, first = 0, bufferBytes = 1000): void {
  mlx5Format.rxPost(memory, driver, first, batchOf(Array.from({ length: 4 }, (_, i) => ({ iovaLow: 0x1000 * (i + 1), iovaHigh: 1, lenBytes: bufferBytes }))));
  mlx5Format.rxPublish(memory, driver, first + 4);
}

describe('mlx5 receive, byte for byte', () => {
  it('lays out work queue, completion queue and records', () => {
    expect(mlx5Format.rxRingBytes(4)).toBe(448);
    // 5 * 16 = 80, rounded up to 128; 8 CQEs; 2 records.
    expect(mlx5Format.rxRingBytes(5)).toBe(128 + 8 * 64 + 128);
    expect(mlx5Format.txRingBytes(4)).toBe(640);
  });

  it('a CQE that was never written is INVALID and not the driver\'s', () => {
    const ring = makeRing(mlx5Format, 'rx', 4);
    for (let i = 0; i < 4; i++) expect(ring.hex(RX_CQ + i * CQE + OP_OWN, 1)).toBe('f1');
    expect(mlx5Format.rxPoll(ring.memory, ring.driver, 0, 4, new DescriptorBatch(4))).toBe(0);
  });

  it('a WQE is a data segment; the record has the counter, and no register is written', () => {
    const ring = makeRing(mlx5Format, 'rx', 4);
    mlx5Format.rxPost(ring.memory, ring.driver, 2, batchOf([{ iovaLow: 0x80012100 | 0, iovaHigh: 1, lenBytes: 3520 }]));
    // 3520 = 0xdc0
    expect(ring.hex(32, 16)).toBe('00000dc0' + '00001800' + '0000000180012100');
    expect(mlx5Format.rxPublish(ring.memory, ring.driver, 0x10003)).toBe(NO_DOORBELL);
    expect(ring.hex(RX_RECORD, 8)).toBe('00000003' + '00000000');
  });

  it('one CQE for a frame over three buffers', () => {
    const ring = makeRing(mlx5Format, 'rx', 4);
    const { memory, driver, device } = ring;
    postFour(ring);
    const found = {
      flags: DESC_RSS | DESC_VLAN | DESC_L3_CHECKED | DESC_L4_CHECKED | DESC_TIMESTAMP, packetType: PACKET_IPV4 | PACKET_TCP, rssHash: 0x51ccc178, rssType: 0x19, vlanTci: 0x6005,
      timestampNs: 0x12345_6789abcd,
    };
    const lens = [1000, 1000, 514];
    mlx5Format.rxWriteBack(memory, device, 0, batchOf(lens.map((lenBytes, i) => ({ ...found, lenBytes, flags: found.flags | (i === 2 ? DESC_EOP : 0) }))));
    // rss_hash_type: IPv4 (1) in 3..2 and TCP (1) in 7..6: 0x44. hds_ip_ext: L2, L3, L4 OK: 7. l4_l3_hdr_type: 4 << 4 | 2 << 2 | 1 = 0x49.
    // byte_cnt: 2514 = 0x9d2. wqe_counter 2. op_own: RESP_SEND << 4 | 0.
    expect(ring.hex(RX_CQ, 64)).toBe(
      zeros(12) + '51ccc178' + '44' + zeros(11) + '07' + '49' + '6005' + zeros(12) + '000009d2' + '00012345' + '6789abcd' + zeros(4) + '0002' + '00' + '20',
    );
    expect(ring.hex(RX_CQ + CQE + OP_OWN, 1)).toBe('f1');
    const batch = new DescriptorBatch(4);
    expect(mlx5Format.rxPoll(memory, driver, 0, 2, batch)).toBe(0);
    expect(mlx5Format.rxPoll(memory, driver, 0, 4, batch)).toBe(3);
    expect([...batch.lenBytes.subarray(0, 3)]).toEqual(lens);
    const seen = found.flags | DESC_DONE;
    expect([...batch.flags.subarray(0, 3)]).toEqual([seen | DESC_FIRST, seen, seen | DESC_EOP]);
    // Consumer counter of the completion queue.
    expect(ring.hex(RX_RECORD + 64, 4)).toBe('00000001');
  });

  it('a damaged frame and a refused DMA are error CQEs with their syndromes', () => {
    const ring = makeRing(mlx5Format, 'rx', 4);
    postFour(ring);
    mlx5Format.rxWriteBack(ring.memory, ring.device, 0, batchOf([{ lenBytes: 60, flags: DESC_EOP | DESC_RX_ERROR }, { lenBytes: 0 }, { lenBytes: 20, flags: DESC_EOP }]));
    // syndrome @55, wqe_counter @60, op_own: RESP_ERR << 4 | 0
    expect([ring.hex(RX_CQ + 55, 1), ring.hex(RX_CQ + 60, 4)]).toEqual(['01', '0000' + '00' + 'e0']);
    expect([ring.hex(RX_CQ + CQE + 55, 1), ring.hex(RX_CQ + CQE + 60, 4)]).toEqual(['04', '0002' + '00' + 'e0']);
    const batch = new DescriptorBatch(4);
    expect(mlx5Format.rxPoll(ring.memory, ring.driver, 0, 4, batch)).toBe(3);
    const error = DESC_DONE | DESC_RX_ERROR;
    expect([...batch.flags.subarray(0, 3)]).toEqual([error | DESC_FIRST | DESC_EOP, error | DESC_FIRST, error | DESC_EOP]);
    expect([...batch.lenBytes.subarray(0, 3)]).toEqual([0, 0, 0]);
  });

  it('the owner bit changes with every lap of the completion queue', () => {
    const ring = makeRing(mlx5Format, 'rx', 4);
    const batch = new DescriptorBatch(4);
    for (let lap = 0; lap < 5; lap++) {
      postFour(ring, lap * 4);
      for (let i = 0; i < 4; i++) {
        expect(mlx5Format.rxPoll(ring.memory, ring.driver, lap * 4 + i, 4, batch)).toBe(0);
        mlx5Format.rxWriteBack(ring.memory, ring.device, lap * 4 + i, batchOf([{ lenBytes: 60 + i, flags: DESC_EOP }]));
        expect(ring.hex(RX_CQ + i * CQE + OP_OWN, 1)).toBe(lap % 2 === 0 ? '20' : '21');
        expect(mlx5Format.rxPoll(ring.memory, ring.driver, lap * 4 + i, 4, batch)).toBe(1);
      }
    }
  });

  it('counters of 16 bits wrap', () => {
    const ring = makeRing(mlx5Format, 'rx', 4);
    postFour(ring, 65534);
    expect(ring.hex(RX_RECORD, 4)).toBe('00000002');
    expect(mlx5Format.rxAvailable(ring.memory, ring.device, 65535, 0, 64)).toBe(3);
    mlx5Format.rxWriteBack(ring.memory, ring.device, 65534, batchOf([{ lenBytes: 1000 }, { lenBytes: 1000 }, { lenBytes: 1, flags: DESC_EOP }]));
    expect(mlx5Format.rxPoll(ring.memory, ring.driver, 65534, 4, new DescriptorBatch(4))).toBe(3);
  });

  it('op_own is the last byte that the device stores in a CQE and the first that the driver loads', () => {
    const ring = makeRing(mlx5Format, 'rx', 4);
    postFour(ring);
    const start = ring.driver.address + RX_CQ;
    const opOwn = { address: start + OP_OWN, bytes: 1 };
    const device = recordAccesses(ring.memory);
    mlx5Format.rxWriteBack(device.memory, ring.device, 0, batchOf([{ lenBytes: 60, flags: DESC_EOP | DESC_RSS, rssType: 1 }]));
    expect(accessesWithin(device.accesses, 'store', start, start + CQE).at(-1)).toMatchObject(opOwn);
    const driver = recordAccesses(ring.memory);
    mlx5Format.rxPoll(driver.memory, ring.driver, 0, 4, new DescriptorBatch(4));
    expect(accessesWithin(driver.accesses, 'load', start, start + CQE)[0]).toMatchObject(opOwn);
  });
});

describe('mlx5 transmit, byte for byte', () => {
  it('takes a block for 2 buffers, and one more for every 4', () => {
    // ctrl, eth and data segments, 4 to a block
    expect([1, 2, 3, 6, 7, 18].map((buffers) => mlx5Format.txSlots(buffers, 0))).toEqual([1, 1, 2, 2, 3, 5]);
  });

  it('writes ctrl, eth and data segments; only the last frame asks for a CQE', () => {
    const ring = makeRing(mlx5Format, 'tx', 4);
    mlx5Format.txPost(ring.memory, ring.driver, 0, batchOf([
      { iovaLow: 0x11100, iovaHigh: 1, lenBytes: 1514, flags: DESC_EOP | DESC_CSUM | DESC_VLAN, packetType: PACKET_IPV4 | PACKET_TCP, vlanTci: 0x2064 },
      { iovaLow: 0x22200, iovaHigh: 1, lenBytes: 60, flags: DESC_EOP },
    ]));
    // ctrl: opmod 0, index, SEND; qpn 0x123, 3 segments. eth: cs_flags L4 | L3 = 0xc0, insert 0x8000, TCI. 1514 = 0x5ea.
    expect(ring.hex(0, 64)).toBe(
      '0000000a' + '00012303' + '00000000' + '00000000' + '00000000' + 'c0000000' + '00000000' + '80002064' + '000005ea' + '00001800' + '0000000100011100' + zeros(16),
    );
    // CE: 2 << 2 at byte 11.
    expect(ring.hex(64, 48)).toBe('0000010a' + '00012303' + '00000008' + '00000000' + zeros(16) + '0000003c' + '00001800' + '0000000100022200');
    expect(mlx5Format.txPublish(ring.memory, ring.driver, 2)).toBe(2);
    // The send counter is the second word.
    expect(ring.hex(TX_RECORD, 8)).toBe('00000000' + '00000002');
  });

  it('one CQE completes all WQEs up to the one that asked; the driver may take them in parts', () => {
    const ring = makeRing(mlx5Format, 'tx', 4);
    const { memory, driver, device } = ring;
    const three = batchOf([{ lenBytes: 60, flags: DESC_EOP }, { lenBytes: 61 }, { lenBytes: 62 }, { lenBytes: 63, flags: DESC_EOP }, { lenBytes: 64, flags: DESC_EOP }]);
    mlx5Format.txPost(memory, driver, 65535, three);
    const doorbell = mlx5Format.txPublish(memory, driver, 65535 + 4);
    expect(doorbell).toBe(3);
    expect(mlx5Format.txAvailable(memory, device, 65535, doorbell, 64)).toBe(4);
    mlx5Format.txWriteBack(memory, device, 65535, 3);
    expect(ring.hex(TX_CQ + OP_OWN, 1)).toBe('f1');
    expect(mlx5Format.txPoll(memory, driver, 65535, 4)).toBe(0);
    mlx5Format.txWriteBack(memory, device, 65538, 1);
    // wqe_counter 65538 & 0xffff, REQ << 4 | 0
    expect(ring.hex(TX_CQ + 60, 4)).toBe('0002' + '00' + '00');
    expect(mlx5Format.txPoll(memory, driver, 65535, 2)).toBe(1);
    expect(mlx5Format.txPoll(memory, driver, 65536, 3)).toBe(3);
    expect(ring.hex(TX_RECORD + 64, 4)).toBe('00000001');
  });

  it('IPv6 has no header checksum to ask for', () => {
    const ring = makeRing(mlx5Format, 'tx', 4);
    mlx5Format.txPost(ring.memory, ring.driver, 0, batchOf([{ lenBytes: 90, flags: DESC_EOP | DESC_CSUM, packetType: PACKET_IPV6 | PACKET_UDP }]));
    expect(ring.hex(20, 1)).toBe('80');
  });

  const MISTAKES: readonly (readonly [string, (bytes: DataView, wqe: number) => void])[] = [
    ['a segment count of 0', (view, wqe) => view.setUint8(wqe + 7, 0)],
    ['no data segment', (view, wqe) => view.setUint8(wqe + 7, 2)],
    ['more segments than the ring has', (view, wqe) => view.setUint8(wqe + 7, 63)],
    ['an opcode that is no SEND', (view, wqe) => view.setUint8(wqe + 3, 0x0e)],
    ['the wrong index', (view, wqe) => view.setUint8(wqe + 2, 7)],
    ['an inline header', (view, wqe) => view.setUint16(wqe + 28, 18)],
    ['a length of 0', (view, wqe) => view.setUint32(wqe + 32, 0)],
    ['another key', (view, wqe) => view.setUint32(wqe + 36, 0x100)],
  ];
  it.each(MISTAKES)('%s makes the frame malformed, and the next one not', (_what, spoil) => {
    const ring = makeRing(mlx5Format, 'tx', 4);
    const { memory, driver, device } = ring;
    mlx5Format.txPost(memory, driver, 0, batchOf([{ lenBytes: 60, flags: DESC_EOP }, { lenBytes: 61, flags: DESC_EOP }]));
    spoil(memory.view, driver.address);
    const batch = new DescriptorBatch(64);
    mlx5Format.txFetch(memory, device, 0, 2, batch);
    expect([batch.count, batch.flags[0], batch.flags[1], batch.slots[0], batch.slots[1], batch.lenBytes[1]]).toEqual(
      [2, DESC_FIRST | DESC_EOP | DESC_MALFORMED, DESC_FIRST | DESC_EOP, 1, 1, 61],
    );
  });

  it('a doorbell far ahead of the ring counts as a full ring', () => {
    const ring = makeRing(mlx5Format, 'tx', 4);
    expect(mlx5Format.txAvailable(ring.memory, ring.device, 0, 0x8000, 64)).toBe(4);
  });
});

const RSS_TYPES = new Map([
  [PACKET_IPV4, [1]], [PACKET_IPV4 | PACKET_TCP, [1, 0x19]], [PACKET_IPV4 | PACKET_UDP, [1, 0x29]], [PACKET_IPV4 | PACKET_UDP | PACKET_FRAGMENT, [1]],
  [PACKET_IPV6, [2]], [PACKET_IPV6 | PACKET_TCP, [2, 0x1a]], [PACKET_IPV6 | PACKET_UDP, [2, 0x2a]],
]);

/** OK bits tell good checksums only; layer 4 counts with a good layer 3. */
function seenFlags(flags: number, packetType: number): number {
  const isL3Good = (packetType & PACKET_IPV6) !== 0 || (flags & (DESC_L3_CHECKED | DESC_L3_BAD)) === DESC_L3_CHECKED;
  let seen = (flags & ~(DESC_L3_CHECKED | DESC_L3_BAD | DESC_L4_CHECKED | DESC_L4_BAD)) | DESC_TIMESTAMP;
  if (!isL3Good) return seen;
  if ((packetType & PACKET_IPV4) !== 0) seen |= DESC_L3_CHECKED;
  return (flags & (DESC_L4_CHECKED | DESC_L4_BAD)) === DESC_L4_CHECKED ? seen | DESC_L4_CHECKED : seen;
}

describeFormat(mlx5Format, {
  rxBufferBytes: [64, 2048, 3520],
  rxFrameBytesMax: 16000,
  rxSegmentsMax: 18,
  rxFlags: DESC_FIRST | DESC_RSS | DESC_VLAN | DESC_L3_CHECKED | DESC_L3_BAD | DESC_L4_CHECKED | DESC_L4_BAD | DESC_TIMESTAMP,
  rxPacketTypes: [0, ...RSS_TYPES.keys()],
  rssTypesOf: (packetType) => RSS_TYPES.get(packetType) ?? [],
  rxOffloadsAt: 'every',
  rxSeen: ({ flags, packetType }) => ({
    flags: seenFlags(flags, packetType),
    packetType: (packetType & PACKET_FRAGMENT) === 0 ? packetType : packetType & (PACKET_IPV4 | PACKET_IPV6),
  }),
  txBufferBytesMax: 0xffff,
  txSegmentsMax: 18,
  txReports: 'post',
  txSeen: ({ flags, packetType, vlanTci }) => {
    const isIpv4 = (packetType & PACKET_IPV4) !== 0;
    const csum = (flags & DESC_CSUM) !== 0 ? DESC_CSUM_PROTOCOL | (isIpv4 ? DESC_CSUM_IPV4 : 0) : 0;
    return { flags: flags | csum, csumStart: 0, csumOffset: 0, packetType: 0, ...((flags & DESC_VLAN) !== 0 ? { vlanTci } : {}) };
  },
});
