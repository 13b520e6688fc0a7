import { describe, expect, it } from 'vitest';
import { DESC_CSUM, DESC_CSUM_IPV4, DESC_CSUM_PROTOCOL, PACKET_IPV4, PACKET_IPV6, PACKET_SCTP, PACKET_TCP, PACKET_UDP } from '../../../src/nic/device/batch.js';
import { ParsedFrame, parseFrame } from '../../../src/nic/device/parseFrame.js';
import { insertChecksums, insertIpv4Checksum, insertPartialChecksum, insertProtocolChecksum } from '../../../src/nic/device/txChecksum.js';
import {
  CHECKSUM_PARTIAL, CHECKSUM_PROTOCOL, CHECKSUM_REFUSED, preloadPseudoHeader, requestChecksum, softwareChecksum,
} from '../../../src/nic/driver/checksumRequest.js';
import { updateChecksum, verifyChecksums } from '../../../src/packet/index.js';
import * as frames from '../../packet/support/frames.js';
import { fc, prop } from '../../support/property.js';
import { buildFrame, frameSpecs, memoryWith } from './offloadFrames.js';

const frame = new ParsedFrame();
const AT = 64;

/** Both are the same number to one's complement arithmetic. */
const sameChecksum = (checksum: number): number => (checksum === 0 ? 0xffff : checksum);
const u16 = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1];

// The literals are what Linux 6.18 gives for PACKET_VNET_HDR with NEEDS_CSUM over a veth whose tx checksum is off.
describe('insertPartialChecksum', () => {
  it('sums from csum_start to the end, with what lies in the field', () => {
    const memory = memoryWith(Uint8Array.of(0xff, 0xff, 0x12, 0x34, 0x00, 0x05, 0x56, 0x78, 0x9a), AT);
    expect(insertPartialChecksum(memory, AT, 9, 2, 2)).toBe(true);
    // 0x1234 + 0x0005 + 0x5678 + 0x9a00 = 0x102b1, with its carry 0x02b2, complemented.
    expect([...memory.u8.subarray(AT, AT + 9)]).toEqual([0xff, 0xff, 0x12, 0x34, 0xfd, 0x4d, 0x56, 0x78, 0x9a]);
  });

  it.each([0, 4, 6, 16])('writes 0xffff for 0 at offset %i, not for UDP alone', (csumOffset) => {
    const segment = new Uint8Array(40);
    segment.set([0xff, 0xff], csumOffset);
    const memory = memoryWith(segment, AT);
    expect(insertPartialChecksum(memory, AT, 40, 0, csumOffset)).toBe(true);
    expect(memory.u8.subarray(AT, AT + 40)).toEqual(segment);
  });

  it('may end with the frame', () => {
    const memory = memoryWith(new Uint8Array(43), AT);
    expect(insertPartialChecksum(memory, AT, 43, 34, 7)).toBe(true);
    expect([...memory.u8.subarray(AT + 40, AT + 44)]).toEqual([0, 0xff, 0xff, 0xa5]);
  });

  it.each([[8, 1], [9, 0], [14, 14 + 20 + 16], [-1, 4], [4, -1], [4, 4]])('start %i, offset %i in a frame of 9 bytes: false, nothing written', (start, offset) => {
    const memory = memoryWith(new Uint8Array(9), AT);
    const before = Uint8Array.from(memory.u8);
    expect(insertPartialChecksum(memory, AT, 9, start, offset)).toBe(false);
    expect(memory.u8).toEqual(before);
  });

  prop([frameSpecs, fc.integer({ min: AT, max: AT + 3 })])('after the pseudo header is preloaded, is the checksum in full', (spec, address) => {
    const { bytes, l4Start, csumOffset, packetEnd } = buildFrame({ ...spec, padding: new Uint8Array(0) });
    const memory = memoryWith(bytes, address);
    const field = address + l4Start + csumOffset;
    memory.u8.set([0xde, 0xad], field);
    expect(requestChecksum(memory.u8, address, packetEnd, l4Start, csumOffset, frame)).toBe(CHECKSUM_PROTOCOL);
    expect(preloadPseudoHeader(memory, address, packetEnd, frame)).toBe(true);
    expect(softwareChecksum(memory, address, packetEnd, l4Start, csumOffset)).toBe(true);
    expect(u16(memory.u8, field)).toBe(sameChecksum(u16(bytes, l4Start + csumOffset)));
    memory.u8.set(bytes.subarray(l4Start + csumOffset, l4Start + csumOffset + 2), field);
    expect(memory.u8).toEqual(memoryWith(bytes, address).u8);
  });
});

describe('insertProtocolChecksum', () => {
  prop([frameSpecs, fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: AT, max: AT + 3 })])(
    'is the checksum in full whatever lies in the field, padding left out',
    (spec, garbage, address) => {
      const { bytes, l3Start, l4Start, csumOffset } = buildFrame(spec);
      const memory = memoryWith(bytes, address);
      memory.u8.set([garbage >> 8, garbage & 255], address + l4Start + csumOffset);
      parseFrame(memory.u8, address, bytes.length, frame);
      expect(insertProtocolChecksum(memory, address, bytes.length, frame.packetType, l3Start, l4Start)).toBe(true);
      expect(memory.u8).toEqual(memoryWith(bytes, address).u8);
    },
  );

  prop([frameSpecs, fc.nat(), fc.integer({ min: 0, max: 0xffff })])('is the incremental update after a word of the payload changed', (spec, draw, newWord) => {
    fc.pre(spec.payload.length >= 2);
    const { bytes, l3Start, l4Start, csumOffset } = buildFrame(spec);
    const payload = l4Start + (spec.protocol === 6 ? 20 : 8);
    const at = payload + 2 * (draw % (spec.payload.length >> 1));
    const expected = updateChecksum(u16(bytes, l4Start + csumOffset), u16(bytes, at), newWord);
    const memory = memoryWith(bytes, AT);
    memory.u8.set([newWord >> 8, newWord & 255], AT + at);
    parseFrame(memory.u8, AT, bytes.length, frame);
    expect(insertProtocolChecksum(memory, AT, bytes.length, frame.packetType, l3Start, l4Start)).toBe(true);
    expect(sameChecksum(u16(memory.u8, AT + l4Start + csumOffset))).toBe(sameChecksum(expected));
  });

  const { length } = frames.udpDatagram;
  it.each<[string, number, number, number, number]>([
    ['no protocol', length, PACKET_IPV4, 14, 34],
    ['two protocols', length, PACKET_IPV4 | PACKET_TCP | PACKET_UDP, 14, 34],
    ['no network protocol', length, PACKET_UDP, 14, 34],
    ['two network protocols', length, PACKET_IPV4 | PACKET_IPV6 | PACKET_UDP, 14, 34],
    ['layer 4 within layer 3', length, PACKET_IPV4 | PACKET_UDP, 14, 33],
    ['layer 4 behind the frame', length, PACKET_IPV4 | PACKET_UDP, 14, length],
    ['a field behind the frame', length, PACKET_IPV4 | PACKET_UDP, 14, length - 7],
    ['a packet longer than its frame', length - 1, PACKET_IPV4 | PACKET_UDP, 14, 34],
    ['a packet that ends before the field', length, PACKET_IPV4 | PACKET_UDP, 14, 40],
    ['another version of IP than the frame has', length, PACKET_IPV6 | PACKET_UDP, 14, 54],
    ['layer 3 before the frame', length, PACKET_IPV4 | PACKET_UDP, -1, 34],
  ])('%s: false, nothing written', (_, lenBytes, packetType, l3Start, l4Start) => {
    const memory = memoryWith(frames.udpDatagram, AT);
    const before = Uint8Array.from(memory.u8);
    expect(insertProtocolChecksum(memory, AT, lenBytes, packetType, l3Start, l4Start)).toBe(false);
    expect(memory.u8).toEqual(before);
  });
});

it('the checksum of a fragment is nobody\'s to insert', () => {
  const memory = memoryWith(frames.firstFragment, AT);
  expect(insertProtocolChecksum(memory, AT, frames.firstFragment.length, PACKET_IPV4 | PACKET_UDP, 14, 34)).toBe(false);
  expect(memory.u8).toEqual(memoryWith(frames.firstFragment, AT).u8);
});

describe('insertIpv4Checksum', () => {
  prop([frameSpecs.filter((spec) => !spec.isIpv6), fc.integer({ min: 0, max: 0xffff })])('is the checksum in full whatever lies in the field', (spec, garbage) => {
    const { bytes, l3Start } = buildFrame(spec);
    const memory = memoryWith(bytes, AT);
    memory.u8.set([garbage >> 8, garbage & 255], AT + l3Start + 10);
    expect(insertIpv4Checksum(memory, AT, bytes.length, l3Start)).toBe(true);
    expect(memory.u8).toEqual(memoryWith(bytes, AT).u8);
  });

  it.each<[string, Uint8Array, number]>([
    ['a header behind the frame', frames.udpDatagram, 28],
    ['IPv6', frames.tcpSegment, 14],
    ['a header length beyond the frame', Uint8Array.from([...frames.udpDatagram.subarray(0, 14), 0x4f, ...frames.udpDatagram.subarray(15)]), 14],
    ['a header length of 16', Uint8Array.from([...frames.udpDatagram.subarray(0, 14), 0x44, ...frames.udpDatagram.subarray(15)]), 14],
  ])('%s: false, nothing written', (_, bytes, l3Start) => {
    const memory = memoryWith(bytes, AT);
    expect(insertIpv4Checksum(memory, AT, bytes.length, l3Start)).toBe(false);
    expect(memory.u8).toEqual(memoryWith(bytes, AT).u8);
  });
});

describe('insertChecksums', () => {
  const emptied = (): Uint8Array => {
    const bytes = Uint8Array.from(frames.udpDatagram);
    bytes.fill(0, 24, 26);
    bytes.fill(0, 40, 42);
    return bytes;
  };

  it('does layer 3 and layer 4 by protocol', () => {
    const memory = memoryWith(emptied(), AT);
    const flags = DESC_CSUM | DESC_CSUM_PROTOCOL | DESC_CSUM_IPV4;
    expect(insertChecksums(memory, AT, 47, flags, PACKET_IPV4 | PACKET_UDP, 14, 34, 6)).toBe(true);
    expect(memory.u8.subarray(AT, AT + 47)).toEqual(frames.udpDatagram);
  });

  it('does layer 4 by offsets alone', () => {
    const bytes = emptied();
    const memory = memoryWith(bytes, AT);
    parseFrame(memory.u8, AT, 47, frame);
    preloadPseudoHeader(memory, AT, 47, frame);
    expect(insertChecksums(memory, AT, 47, DESC_CSUM, 0, 0, 34, 6)).toBe(true);
    expect([u16(memory.u8, AT + 24), u16(memory.u8, AT + 40)]).toEqual([0, u16(frames.udpDatagram, 40)]);
  });

  // mlx5 tells no protocol and no offset, r8169 (first layout) no offset, r8169 (second layout) that of layer 4.
  prop([frameSpecs, fc.boolean(), fc.boolean(), fc.boolean()])('by protocol finds in the headers what the descriptor leaves open', (spec, tellsIp, tellsUpper, tellsStart) => {
    const { bytes, l3Start, l4Start, csumOffset } = buildFrame(spec);
    const memory = memoryWith(bytes, AT);
    memory.u8.fill(0xee, AT + l4Start + csumOffset, AT + l4Start + csumOffset + 2);
    if (!spec.isIpv6) memory.u8.fill(0xee, AT + l3Start + 10, AT + l3Start + 12);
    const packetType = (tellsIp ? (spec.isIpv6 ? PACKET_IPV6 : PACKET_IPV4) : 0) | (tellsUpper ? (spec.protocol === 6 ? PACKET_TCP : PACKET_UDP) : 0);
    const flags = DESC_CSUM | DESC_CSUM_PROTOCOL | (spec.isIpv6 ? 0 : DESC_CSUM_IPV4);
    expect(insertChecksums(memory, AT, bytes.length, flags, packetType, 0, tellsStart ? l4Start : 0, 0)).toBe(true);
    expect(memory.u8).toEqual(memoryWith(bytes, AT).u8);
  });

  it.each([['ARP', frames.arpRequest], ['ICMP', frames.icmpEcho], ['SCTP', frames.sctp], ['a fragment of IPv6', frames.ipv6Fragment], ['IPv6 extension headers', frames.ipv6Extensions]])(
    'by protocol alone refuses %s',
    (_, bytes) => {
      const memory = memoryWith(bytes, AT);
      expect(insertChecksums(memory, AT, bytes.length, DESC_CSUM | DESC_CSUM_PROTOCOL, 0, 0, 0, 0)).toBe(false);
      expect(memory.u8).toEqual(memoryWith(bytes, AT).u8);
    },
  );

  it('by protocol does UDP behind IPv6 options when the descriptor tells where it begins', () => {
    // Hop-by-hop options of 8 bytes, then UDP with the checksum to be found.
    const bytes = Uint8Array.from([...frames.tcpSegment.subarray(0, 18), 0, 16, 0, ...frames.tcpSegment.subarray(21, 54), 17, 0, 1, 4, 0, 0, 0, 0, 0, 7, 0, 9, 0, 8, 0, 0]);
    const memory = memoryWith(bytes, AT);
    expect(insertChecksums(memory, AT, bytes.length, DESC_CSUM | DESC_CSUM_PROTOCOL, PACKET_IPV6 | PACKET_UDP, 14, 62, 6)).toBe(true);
    expect(verifyChecksums(memory.u8, AT, bytes.length)).toMatchObject({ upper: 'valid', upperName: 'udp' });
  });

  prop([fc.uint8Array({ minLength: 0, maxLength: 80 }), fc.constantFrom([8, 0, 0x45], [0x86, 0xdd, 0x60], [0x81, 0]), fc.integer({ min: 0, max: 0xff }), fc.nat(100), fc.nat(100), fc.nat(40), fc.nat(7)])(
    'never writes outside of the frame, whatever the descriptor says',
    (bytes, head, packetType, l3Start, csumStart, csumOffset, draw) => {
      if (bytes.length >= 15) bytes.set(head, 12);
      const memory = memoryWith(bytes, AT);
      const flags = DESC_CSUM | ((draw & 1) !== 0 ? DESC_CSUM_PROTOCOL : 0) | ((draw & 2) !== 0 ? DESC_CSUM_IPV4 : 0);
      insertChecksums(memory, AT, bytes.length, flags, packetType, l3Start, csumStart, csumOffset);
      memory.u8.set(bytes, AT);
      expect(memory.u8).toEqual(memoryWith(bytes, AT).u8);
    },
  );

  it('refuses SCTP, which has a CRC32c, in both modes', () => {
    for (const flags of [DESC_CSUM, DESC_CSUM | DESC_CSUM_PROTOCOL]) {
      const memory = memoryWith(frames.sctp, AT);
      expect(insertChecksums(memory, AT, frames.sctp.length, flags, PACKET_IPV4 | PACKET_SCTP, 14, 34, 8)).toBe(false);
      expect(memory.u8).toEqual(memoryWith(frames.sctp, AT).u8);
    }
  });

  it('does layer 3 alone, or nothing when nothing is asked for', () => {
    const memory = memoryWith(emptied(), AT);
    expect(insertChecksums(memory, AT, 47, DESC_CSUM_IPV4, 0, 14, 0, 0)).toBe(true);
    expect([u16(memory.u8, AT + 24), u16(memory.u8, AT + 40)]).toEqual([u16(frames.udpDatagram, 24), 0]);
    expect(insertChecksums(memory, AT, 47, 0, 0, 0, 999, 999)).toBe(true);
  });

  it('tells when one of the two is refused', () => {
    const memory = memoryWith(emptied(), AT);
    expect(insertChecksums(memory, AT, 47, DESC_CSUM | DESC_CSUM_IPV4, 0, 40, 34, 6)).toBe(false);
    expect(insertChecksums(memory, AT, 47, DESC_CSUM | DESC_CSUM_IPV4, 0, 14, 34, 26)).toBe(false);
  });
});

describe('requestChecksum', () => {
  const ask = (bytes: Uint8Array, start: number, offset: number): number => requestChecksum(bytes, 0, bytes.length, start, offset, frame);

  it('finds what the descriptor needs', () => {
    expect(ask(frames.qinq, 42, 6)).toBe(CHECKSUM_PROTOCOL);
    expect([frame.l3Start, frame.packetType]).toEqual([22, PACKET_IPV4 | PACKET_UDP]);
    expect(ask(frames.tcpSegment, 54, 16)).toBe(CHECKSUM_PROTOCOL);
    expect([frame.l3Start, frame.packetType]).toEqual([14, PACKET_IPV6 | PACKET_TCP]);
  });

  it.each<[string, Uint8Array, number, number, number]>([
    ['offset counted from the frame', frames.tcpSyn, 14, 14 + 20 + 16, CHECKSUM_REFUSED],
    ['a field behind the frame', frames.udpDatagram, 41, 6, CHECKSUM_REFUSED],
    ['another start', frames.udpDatagram, 36, 4, CHECKSUM_PARTIAL],
    ['another offset', frames.udpDatagram, 34, 4, CHECKSUM_PARTIAL],
    ['the offset of TCP in UDP', frames.udpPadded, 34, 16, CHECKSUM_PARTIAL],
    ['padding', frames.udpPadded, 34, 6, CHECKSUM_PARTIAL],
    ['a fragment', frames.firstFragment, 34, 6, CHECKSUM_PARTIAL],
    ['IPv6 extension headers', frames.ipv6Extensions, 86, 6, CHECKSUM_PARTIAL],
    ['ICMP', frames.icmpEcho, 34, 2, CHECKSUM_PARTIAL],
    ['no IP', frames.arpRequest, 14, 6, CHECKSUM_PARTIAL],
  ])('%s', (_, bytes, start, offset, expected) => {
    expect(ask(bytes, start, offset)).toBe(expected);
  });

  it.each([['ICMP', frames.icmpEcho], ['a fragment', frames.firstFragment], ['ARP', frames.arpRequest]])('no pseudo header is preloaded for %s', (_, bytes) => {
    const memory = memoryWith(bytes, AT);
    parseFrame(memory.u8, AT, bytes.length, frame);
    expect(preloadPseudoHeader(memory, AT, bytes.length, frame)).toBe(false);
    expect(memory.u8).toEqual(memoryWith(bytes, AT).u8);
  });
});
