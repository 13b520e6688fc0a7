import { describe, expect, it } from 'vitest';
import { DESC_L3_BAD, DESC_L3_CHECKED, DESC_L4_BAD, DESC_L4_CHECKED } from '../../../src/nic/device/batch.js';
import { rangeSum } from '../../../src/nic/device/checksum.js';
import { ParsedFrame, parseFrame } from '../../../src/nic/device/parseFrame.js';
import { rxChecksumFlags } from '../../../src/nic/device/rxChecksum.js';
import { addToSum, fold, verifyChecksums } from '../../../src/packet/index.js';
import * as frames from '../../packet/support/frames.js';
import { fc, prop } from '../../support/property.js';
import { buildFrame, frameSpecs, memoryWith } from './offloadFrames.js';

const frame = new ParsedFrame();

function flagsOf(bytes: Uint8Array, address = 64, lenBytes = bytes.length): number {
  const memory = memoryWith(bytes, address);
  parseFrame(memory.u8, address, lenBytes, frame);
  return rxChecksumFlags(memory, address, lenBytes, frame);
}

const L3_OK = DESC_L3_CHECKED;
const L4_OK = DESC_L4_CHECKED;
const L4_WRONG = DESC_L4_CHECKED | DESC_L4_BAD;

/** A copy with other bytes at `at`. */
function withBytes(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, at);
  return copy;
}

describe('rangeSum', () => {
  prop([fc.uint8Array({ minLength: 1024, maxLength: 1024 }), fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 424 })])(
    'is the sum of src/packet at every alignment',
    (u8, address, lenBytes) => {
      const memory = { u8, u32: new Uint32Array(u8.buffer, u8.byteOffset, 256) };
      expect(rangeSum(memory, address, lenBytes)).toBe(fold(addToSum(0, u8, address, lenBytes)));
    },
  );

  it.each([0, 1, 2, 3])('is exact with all bits set over 128 KiB at alignment %i', (address) => {
    const u8 = new Uint8Array(131072 + 4).fill(0xff);
    expect(rangeSum({ u8, u32: new Uint32Array(u8.buffer) }, address, 131072)).toBe(0xffff);
    expect(() => rangeSum({ u8, u32: new Uint32Array(u8.buffer) }, address, 131073)).toThrow(RangeError);
  });
});

describe('rxChecksumFlags', () => {
  it.each<[string, Uint8Array, number]>([
    ['UDP', frames.udpDatagram, L3_OK | L4_OK],
    ['UDP with Ethernet padding', frames.udpPadded, L3_OK | L4_OK],
    ['UDP without a checksum counts as right', frames.udpWithoutChecksum, L3_OK | L4_OK],
    ['UDP whose checksum is 0xffff', frames.udpChecksumZero, L3_OK | L4_OK],
    ['TCP over IPv6', frames.tcpSegment, L4_OK],
    ['TCP behind IPv4 options', frames.tcpSyn, L3_OK | L4_OK],
    ['a VLAN tag', frames.vlanTagged, L3_OK | L4_OK],
    ['two VLAN tags', frames.qinq, L3_OK | L4_OK],
    ['ICMP: the header only', frames.icmpEcho, L3_OK],
    ['SCTP: the header only', frames.sctp, L3_OK],
    ['a first fragment: the header only', frames.firstFragment, L3_OK],
    ['a last fragment: the header only', frames.laterFragment, L3_OK],
    ['a fragment of IPv6', frames.ipv6Fragment, 0],
    ['IPv6 extension headers', frames.ipv6Extensions, 0],
    ['ICMPv6', frames.icmpv6Echo, 0],
    ['ARP', frames.arpRequest, 0],
    ['LLDP', frames.lldp, 0],
    ['UDP over IPv6 with checksum 0 is wrong', Uint8Array.from([...frames.tcpSegment.subarray(0, 18), 0, 8, 17, ...frames.tcpSegment.subarray(21, 54), 0, 1, 0, 2, 0, 8, 0, 0]), L4_WRONG],
  ])('%s', (_, bytes, expected) => {
    expect(flagsOf(bytes)).toBe(expected);
  });

  it.each<[string, Uint8Array, number]>([
    ['cut by one byte', frames.udpDatagram.subarray(0, 46), L3_OK],
    ['cut within the UDP header', frames.udpDatagram.subarray(0, 38), L3_OK],
    ['cut within the IP header', frames.udpDatagram.subarray(0, 33), 0],
    ['UDP length beyond IP length', withBytes(frames.udpDatagram, 38, 0, 14), L3_OK],
    ['UDP length short of IP length', withBytes(frames.udpDatagram, 38, 0, 12), L3_OK],
    ['UDP length shorter than its header', withBytes(frames.udpDatagram, 38, 0, 7), L3_OK],
    ['IP length 0', withBytes(frames.udpDatagram, 16, 0, 0), L3_OK | DESC_L3_BAD],
    ['IP length of 19', withBytes(frames.udpDatagram, 16, 0, 19), L3_OK | DESC_L3_BAD],
    ['IP length beyond the frame', withBytes(frames.udpDatagram, 16, 0xff, 0xff), L3_OK | DESC_L3_BAD],
    ['TCP shorter than its header', withBytes(frames.tcpSegment, 18, 0, 19), 0],
  ])('lengths that lie: %s is not checked', (_, bytes, expected) => {
    expect(flagsOf(bytes)).toBe(expected);
  });

  prop([frameSpecs, fc.integer({ min: 64, max: 67 })])('every whole packet is right at every alignment', (spec, address) => {
    expect(flagsOf(buildFrame(spec).bytes, address)).toBe((spec.isIpv6 ? 0 : L3_OK) | L4_OK);
  });

  prop([frameSpecs, fc.nat(), fc.integer({ min: 64, max: 67 })])('a flipped bit of the payload, ports or checksum is found', (spec, draw, address) => {
    const { bytes, l4Start, packetEnd } = buildFrame(spec);
    const bit = draw % ((packetEnd - l4Start) * 8);
    const at = l4Start + (bit >> 3);
    const isUdpLength = spec.protocol === 17 && (at === l4Start + 4 || at === l4Start + 5);
    fc.pre(!isUdpLength);
    bytes[at] ^= 1 << (bit & 7);
    // A checksum of one bit that is flipped becomes 0, which says that there is none.
    fc.pre(spec.protocol === 6 || (bytes[l4Start + 6] | bytes[l4Start + 7]) !== 0);
    expect(flagsOf(bytes, address)).toBe((spec.isIpv6 ? 0 : L3_OK) | L4_WRONG);
  });

  prop([frameSpecs, fc.nat()])('a flipped bit of an address is found by both checksums', (spec, draw) => {
    const { bytes, l3Start } = buildFrame(spec);
    const bit = draw % (spec.isIpv6 ? 256 : 64);
    bytes[l3Start + (spec.isIpv6 ? 8 : 12) + (bit >> 3)] ^= 1 << (bit & 7);
    expect(flagsOf(bytes)).toBe((spec.isIpv6 ? 0 : L3_OK | DESC_L3_BAD) | L4_WRONG);
  });

  prop([frameSpecs.filter((spec) => !spec.isIpv6), fc.nat()])('a flipped bit of the IPv4 header is found unless it hides the header', (spec, draw) => {
    const { bytes, l3Start, l4Start } = buildFrame(spec);
    const bit = 8 + (draw % ((l4Start - l3Start - 1) * 8));
    bytes[l3Start + (bit >> 3)] ^= 1 << (bit & 7);
    expect(flagsOf(bytes) & (DESC_L3_CHECKED | DESC_L3_BAD)).toBe(DESC_L3_CHECKED | DESC_L3_BAD);
  });

  prop([frameSpecs, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }), fc.integer({ min: 0, max: 9 })])(
    'agrees with verifyChecksums wherever both look, on damaged and cut frames too',
    (spec, damage, cutBytes) => {
      const { bytes } = buildFrame(spec);
      for (const [at, value] of damage) bytes[at % bytes.length] = value;
      const lenBytes = Math.max(14, bytes.length - cutBytes);
      const flags = flagsOf(bytes, 64, lenBytes);
      const report = verifyChecksums(bytes, 0, lenBytes);
      if ((flags & DESC_L3_CHECKED) !== 0 && report.ipv4 !== undefined) expect((flags & DESC_L3_BAD) === 0).toBe(report.ipv4 === 'valid');
      if ((flags & DESC_L4_CHECKED) === 0 || report.upper === undefined) return;
      expect(report.upper).toBe((flags & DESC_L4_BAD) !== 0 ? 'invalid' : report.upper === 'absent' ? 'absent' : 'valid');
    },
  );

  prop([fc.uint8Array({ minLength: 14, maxLength: 120 }), fc.constantFrom([8, 0, 0x45], [0x86, 0xdd, 0x60]), fc.integer({ min: 0, max: 3 })])(
    'reads no byte behind the frame',
    (bytes, head, address) => {
      bytes.set(head.slice(0, Math.max(0, bytes.length - 12)), 12);
      const flagsBefore = (fill: number): number => {
        const memory = memoryWith(bytes, 64 + address);
        memory.u8.fill(fill, 64 + address + bytes.length);
        parseFrame(memory.u8, 64 + address, bytes.length, frame);
        return rxChecksumFlags(memory, 64 + address, bytes.length, frame);
      };
      expect(flagsBefore(0)).toBe(flagsBefore(0xff));
    },
  );
});
