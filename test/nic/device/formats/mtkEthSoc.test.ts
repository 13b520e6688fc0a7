import { describe, expect, it } from 'vitest';
import {
  DESC_CSUM, DESC_CSUM_PROTOCOL, DESC_EOP, DESC_FIRST, DESC_L4_BAD, DESC_L4_CHECKED, DESC_MALFORMED, DESC_VLAN, DescriptorBatch, PACKET_IPV4, PACKET_IPV6, PACKET_TCP,
  PACKET_UDP,
} from '../../../../src/nic/device/batch.js';
import { mtkEthSocFormat as format } from '../../../../src/nic/device/formats/mtkEthSoc.js';
import { describeFormat } from './formatSuite.js';
import { batchOf, makeRing } from './formatSupport.js';

/** Words of a descriptor, the first one rxd1 or txd1. */
function words({ memory, driver }: ReturnType<typeof makeRing>, slot: number): number[] {
  return Array.from(memory.u32.subarray(driver.address / 4 + slot * 8, driver.address / 4 + slot * 8 + 8));
}

describe('mtk_eth_soc receive descriptors, bit for bit', () => {
  const ring = makeRing(format, 'rx', 4);
  const { memory, driver, device } = ring;
  memory.u8.fill(0xa5, driver.address, driver.address + 4 * 32);

  it('given to the device: size in bits 23 to 8, bits 35 to 32 of the address below it, DONE clear', () => {
    format.rxPost(memory, driver, 1, batchOf([{ iovaLow: 0x12345100, iovaHigh: 1, lenBytes: 3520 }]));
    // 3520 = 0xdc0
    expect(words(ring, 1)).toEqual([0x12345100, 0x000dc001, 0, 0, 0, 0, 0, 0]);
    expect(ring.hex(32, 8)).toBe('0051341201c00d00');
    expect(new Set([...words(ring, 0), ...words(ring, 2)])).toEqual(new Set([0xa5a5a5a5]));
  });

  it('written back: DONE with the length, address kept, L4_VALID, port of GDM1, no flow entry', () => {
    format.rxWriteBack(memory, device, 1, batchOf([{ lenBytes: 60, flags: DESC_FIRST | DESC_EOP | DESC_L4_CHECKED }]));
    expect(words(ring, 1)).toEqual([0x12345100, 0x80003c01, 0x00000004, 0, 0x04007fff, 0, 0, 0]);
  });

  it('a wrong checksum is one that is not valid, a tag lies in rxd4 behind its TPID', () => {
    format.rxPost(memory, driver, 2, batchOf([{ iovaLow: 0x1000, iovaHigh: 15, lenBytes: 2048 }]));
    format.rxWriteBack(memory, device, 2, batchOf([{ lenBytes: 1514, flags: DESC_EOP | DESC_L4_CHECKED | DESC_L4_BAD | DESC_VLAN, vlanTci: 0xa123 }]));
    expect(words(ring, 2)).toEqual([0x1000, 0x8005ea0f, 0x00000001, 0x8100a123, 0x04007fff, 0, 0, 0]);
  });
});

describe('mtk_eth_soc transmit descriptors, bit for bit', () => {
  it('prepared: a list around the ring that belongs to the CPU', () => {
    const ring = makeRing(format, 'tx', 3);
    const base = ring.driver.iovaLow;
    expect([0, 1, 2].map((slot) => words(ring, slot).slice(0, 4))).toEqual([[0, base + 32, 0xc0000000, 0], [0, base + 64, 0xc0000000, 0], [0, base, 0xc0000000, 0]]);
  });

  it('queued: LS0 on the last buffer, CHKSUM and tag on the first, SWC and port on all; the register takes the address behind', () => {
    const ring = makeRing(format, 'tx', 3);
    const { memory, driver, device } = ring;
    const frame = batchOf([
      { iovaLow: 0x1000, iovaHigh: 1, lenBytes: 54, flags: DESC_FIRST | DESC_CSUM | DESC_VLAN, vlanTci: 0x6042, packetType: PACKET_IPV4 | PACKET_TCP },
      { iovaLow: 0x2000, iovaHigh: 1, lenBytes: 1460, flags: DESC_EOP },
    ]);
    format.txPost(memory, driver, 2, frame);
    expect(words(ring, 2)).toEqual([0x1000, driver.iovaLow, 0x00003601, 0x40000100, 0x70000000, 0x00016042, 0, 0]);
    expect(words(ring, 0)).toEqual([0x2000, driver.iovaLow + 32, 0x4005b401, 0x40000100, 0, 0, 0, 0]);
    expect(format.txPublish(memory, driver, 4)).toBe(driver.iovaLow + 32);
    format.txWriteBack(memory, device, 2, 2);
    expect([words(ring, 2)[2], words(ring, 0)[2]]).toEqual([0x80003601, 0xc005b401]);
  });

  it('the device stops at a descriptor of the CPU, and takes no pointer that is no descriptor', () => {
    const { memory, driver, device } = makeRing(format, 'tx', 4);
    format.txPost(memory, driver, 0, batchOf([{ lenBytes: 60, flags: DESC_EOP }]));
    const base = driver.iovaLow;
    const answers = [0, base, base + 32, base + 64, base + 33, base + 4 * 32, base - 32].map((pointer) => format.txAvailable(memory, device, 0, pointer, 64));
    expect(answers).toEqual([0, 0, 1, 1, 0, 0, 0]);
  });

  it('a list that leaves the ring is malformed', () => {
    const { memory, driver, device } = makeRing(format, 'tx', 4);
    format.txPost(memory, driver, 0, batchOf([{ lenBytes: 60 }, { lenBytes: 60, flags: DESC_EOP }, { lenBytes: 60, flags: DESC_EOP }]));
    memory.u32[driver.address / 4 + 8 + 1] += 32;
    const batch = new DescriptorBatch(4);
    format.txFetch(memory, device, 0, 3, batch);
    expect([0, 1, 2].map((i) => batch.flags[i])).toEqual([DESC_FIRST | DESC_MALFORMED, DESC_EOP, DESC_FIRST | DESC_EOP]);
  });
});

describeFormat(format, {
  addressBits: 36,
  rxBufferBytes: [1, 128, 3520, 0xffff],
  rxFrameBytesMax: 0xffff,
  rxSegmentsMax: 1,
  rxFlags: DESC_FIRST | DESC_L4_CHECKED | DESC_L4_BAD | DESC_VLAN,
  rxPacketTypes: [0, PACKET_IPV4 | PACKET_TCP, PACKET_IPV6 | PACKET_UDP],
  rxSeen: ({ flags }) => ({ flags: (flags & DESC_L4_BAD) !== 0 ? flags & ~(DESC_L4_CHECKED | DESC_L4_BAD) : flags, packetType: 0 }),
  txBufferBytesMax: 0xffff,
  txSegmentsMax: 18,
  txSeen: ({ flags, vlanTci }) => ({ flags: (flags & DESC_CSUM) !== 0 ? flags | DESC_CSUM_PROTOCOL : flags, vlanTci: (flags & DESC_VLAN) !== 0 ? vlanTci : 0 }),
});
