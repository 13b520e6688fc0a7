import { describe, expect, it } from 'vitest';
import {
  DESC_CSUM, DESC_DONE, DESC_EOP, DESC_FIRST, DESC_L3_CHECKED, DESC_L4_CHECKED, DESC_RSS, DESC_TIMESTAMP, DESC_VLAN, PACKET_IPV4, PACKET_IPV6, PACKET_TCP, PACKET_UDP,
} from '../../../../src/nic/index.js';
import type { DescriptorFormat } from '../../../../src/nic/index.js';
import { i40eFormat } from '../../../../src/nic/device/formats/i40e.js';
import { iceFormat } from '../../../../src/nic/device/formats/ice.js';
import { igbFormat, igcFormat, ixgbeFormat } from '../../../../src/nic/device/formats/intelAdvanced.js';
import { mlx5Format } from '../../../../src/nic/device/formats/mlx5.js';
import { r8169V1Format, r8169V2Format } from '../../../../src/nic/device/formats/r8169.js';
import { virtioSplitFormat } from '../../../../src/nic/device/formats/virtioSplit.js';
import { batchOf, makeRing } from './formatSupport.js';

// One frame through every format, on the last slot of a ring of 4 in its second lap (slot 7), so that wrapping, ends of rings and owner bits
// are in the bytes. The bytes were worked out from the data sheets and headers before looking at what the formats produce.
//
//     received: TCP over IPv4, 1510 bytes without FCS, both checksums right, tag 0x6064 (priority 3, VID 100) taken out, hash 0x51ccc178
//     sent:     UDP over IPv6, 1514 bytes at I/O address 0x1_00012100, checksum asked for (csum_start 54, csum_offset 6), tag 0x6064 put in
const SLOT = 3;
const LAP_1 = 7;
const RX = {
  lenBytes: 1510, flags: DESC_DONE | DESC_FIRST | DESC_EOP | DESC_RSS | DESC_VLAN | DESC_L3_CHECKED | DESC_L4_CHECKED, packetType: PACKET_IPV4 | PACKET_TCP,
  rssHash: 0x51ccc178, rssType: 0x19, vlanTci: 0x6064,
};
const TX = {
  iovaLow: 0x12100, iovaHigh: 1, lenBytes: 1514, flags: DESC_EOP | DESC_CSUM | DESC_VLAN, packetType: PACKET_IPV6 | PACKET_UDP,
  l3Start: 14, csumStart: 54, csumOffset: 6, vlanTci: 0x6064,
};

/** Bytes of little-endian fields, each given as the hex digits of its number. */
function littleEndian(...numbers: readonly string[]): string {
  return numbers.map((number) => Buffer.from(number, 'hex').reverse().toString('hex')).join('');
}

function received(format: DescriptorFormat, offset: number, bytes: number, row: Record<string, number> = RX): string {
  const ring = makeRing(format, 'rx', 4);
  const buffer = { iovaLow: 0x34000, iovaHigh: 1, lenBytes: 2048 };
  const address = ring.memory.reserve('buffer', 2048, 64);
  // From the beginning, so that counters of completions are where they would be.
  const frame = batchOf([{ ...row, address }]);
  for (let first = 0; first <= LAP_1; first++) {
    format.rxPost(ring.memory, ring.driver, first, batchOf([buffer]));
    format.rxWriteBack(ring.memory, ring.device, first, frame);
  }
  return ring.hex(offset, bytes);
}

function sent(format: DescriptorFormat, first: number, offset: number, bytes: number, row: Record<string, number> = TX): string {
  const ring = makeRing(format, 'tx', 4);
  format.txPost(ring.memory, ring.driver, first, batchOf([row]));
  return ring.hex(offset, bytes);
}

describe('a received frame, byte for byte', () => {
  it('r8169: EOR survives, FCS is counted, the tag is swapped, PID 01 is TCP', () => {
    // opts1: EOR 30, FS 29, LS 28, PAM 26, PID0 17, 1510 + 4 = 0x5ea; opts2: tag present 16, 0x6064 swapped
    expect(received(r8169V2Format, SLOT * 16, 16)).toBe(littleEndian('740205ea', '00016460', '0000000100034000'));
  });

  it('igb and ixgbe: RSS type 1, packet type IPv4 and TCP, status DD EOP VP L4CS IPCS, length without FCS, tag as it is', () => {
    const bytes = littleEndian('0111', '0000', '51ccc178', '0000006b', '05e6', '6064');
    expect([received(igbFormat, SLOT * 16, 16), received(ixgbeFormat, SLOT * 16, 16)]).toEqual([bytes, bytes]);
  });

  it('igc with a time stamp: TSIP (15), and 16 bytes more', () => {
    expect(received(igcFormat, SLOT * 16, 16, { ...RX, flags: RX.flags | DESC_TIMESTAMP, timestampNs: 3_000_000_007 }))
      .toBe(littleEndian('0111', '0000', '51ccc178', '0000806b', '05f6', '6064'));
  });

  it('i40e: status DD EOF L2TAG1P L3L4P FLTSTAT=3, ptype 26 from bit 30, length from bit 38', () => {
    // low 0x0000300f with two bits of 26 = 0b011010: 10 << 30; high: 0b000110 + 1510 << 6
    expect(received(i40eFormat, SLOT * 16, 16)).toBe(littleEndian('0000', '6064', '51ccc178', '8000300f', '00017986'));
  });

  it('ice: RXDID 2, ptype 26, length, status0 DD EOF L3L4P RSS_VALID L2TAG1P, tag, hash, and 40 bits of time', () => {
    expect(received(iceFormat, SLOT * 32, 32, { ...RX, flags: RX.flags | DESC_TIMESTAMP, timestampNs: 5 * 2 ** 32 + 0x01020304 }))
      .toBe(`0200${littleEndian('001a', '05e6', '0000', '300b', '6064', '51ccc178', '0000')}0001${littleEndian('0000', '0000', '00000000', '01020304')}`);
  });

  it('mlx5: big endian, hash of IPv4 and TCP, all three OK, tag, bytes of the frame, WQE counter 7, RESP_SEND with owner 1 in lap 1', () => {
    const cqe = received(mlx5Format, 4 * 16 + SLOT * 64, 64);
    expect(cqe).toBe(
      `${'00'.repeat(12)}51ccc17844${'00'.repeat(11)}07496064${'00'.repeat(12)}000005e6${'00'.repeat(8)}${'00'.repeat(4)}0007${'00'}21`,
    );
  });

  it('virtio: used element with descriptor and bytes including the header, index 8', () => {
    // The tag is in the frame, as virtio strips none; available ring at 64, used ring at 64 + 4 + 4 * 2 + 2 = 78, so at 80.
    expect(received(virtioSplitFormat, 80, 4)).toBe(littleEndian('0000', '0008'));
    expect(received(virtioSplitFormat, 80 + 4 + SLOT * 8, 8)).toBe(littleEndian('00000003', '000005f2'));
  });
});

describe('a sent frame, byte for byte', () => {
  it('r8169 v2: OWN EOR FS LS and the length in opts1, UDPCS 31, IPV6CS 28, 54 << 18, TAGC 17 and the swapped tag in opts2', () => {
    expect(sent(r8169V2Format, LAP_1, SLOT * 16, 16)).toBe(littleEndian('f00005ea', '90da6460', '0000000100012100'));
  });

  it('r8169 v1, TCP over IPv4: IPCS 18 and TCPCS 16 in opts1', () => {
    expect(sent(r8169V1Format, LAP_1, SLOT * 16, 16, { ...TX, packetType: PACKET_IPV4 | PACKET_TCP, csumStart: 34, csumOffset: 16 }))
      .toBe(littleEndian('f00505ea', '00026460', '0000000100012100'));
  });

  it('igb and ixgbe: a context on the last slot, the data on the first', () => {
    // context: VLAN, MACLEN 14 << 9, IPLEN 40; DEXT 29, DTYP 2, L4T 0 is UDP, IPv6. data: DEXT VLE RS IFCS EOP, DTYP 3; PAYLEN 1514 << 14, TXSM 9
    for (const format of [igbFormat, ixgbeFormat]) {
      expect(sent(format, LAP_1, SLOT * 16, 16)).toBe(littleEndian('60641c28', '00000000', '20200000', '00000000'));
      expect(sent(format, LAP_1, 0, 16)).toBe(littleEndian('0000000100012100', '6b3005ea', '017a8200'));
    }
  });

  it('i40e and ice: CMD, OFFSET in words of 2 and 4 bytes, BUF_SZ, L2TAG1', () => {
    // CMD EOP 1 RS 2 (ICRC 4 of i40e) IL2TAG1 8 IIPT 0x20 L4T 0x300; OFFSET 14 / 2 + 40 / 4 << 7 + 8 / 4 << 14 = 0x8507
    expect(sent(i40eFormat, LAP_1, SLOT * 16, 16)).toBe(littleEndian('0000000100012100', '606417a8850732f0'));
    expect(sent(iceFormat, LAP_1, SLOT * 16, 16)).toBe(littleEndian('0000000100012100', '606417a8850732b0'));
  });

  it('mlx5: ctrl with WQE index 7, SEND and 3 segments, CE; eth with L4 and an inserted tag; one data segment', () => {
    expect(sent(mlx5Format, LAP_1, SLOT * 64, 48)).toBe(
      '0000070a' + '00012303' + '00000008' + '00000000' + '00000000' + '80000000' + '00000000' + '80006064' + '000005ea' + '00001800' + '0000000100012100',
    );
  });

  it('virtio: the header on the last descriptor chains to the buffer on the first; NEEDS_CSUM with start and offset', () => {
    const row = { ...TX, flags: DESC_EOP | DESC_CSUM };
    // headers behind the used ring: 80 + 4 + 4 * 8 + 2 = 118, so at 120
    expect(sent(virtioSplitFormat, LAP_1, SLOT * 16 + 8, 8, row)).toBe(littleEndian('0000000c', '0001', '0000'));
    expect(sent(virtioSplitFormat, LAP_1, 0, 16, row)).toBe(littleEndian('0000000100012100', '000005ea', '0000', '0000'));
    expect(sent(virtioSplitFormat, LAP_1, 120 + SLOT * 12, 12, row)).toBe(`0100${littleEndian('0000', '0000', '0036', '0006', '0000')}`);
  });
});
