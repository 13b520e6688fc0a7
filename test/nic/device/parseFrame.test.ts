import { describe, expect, it } from 'vitest';
import {
  PACKET_BROADCAST, PACKET_FRAGMENT, PACKET_IPV4, PACKET_IPV6, PACKET_MULTICAST, PACKET_SCTP, PACKET_TCP, PACKET_UDP,
} from '../../../src/nic/device/batch.js';
import { NO_L4, ParsedFrame, parseFrame } from '../../../src/nic/device/parseFrame.js';
import { NO_VLAN_TAG } from '../../../src/nic/device/vlan.js';
import { decode, layerOf } from '../../../src/packet/index.js';
import * as frames from '../../packet/support/frames.js';
import { fc, prop } from '../../support/property.js';
import { buildFrame, frameSpecs } from './offloadFrames.js';

function parsed(bytes: Uint8Array, lenBytes = bytes.length): ParsedFrame {
  const frame = new ParsedFrame();
  parseFrame(bytes, 0, lenBytes, frame);
  return frame;
}

function withBytes(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, at);
  return copy;
}

describe('parseFrame', () => {
  it.each<[string, Uint8Array, Partial<ParsedFrame>]>([
    ['UDP', frames.udpDatagram, { packetType: PACKET_IPV4 | PACKET_UDP, etherType: 0x800, vlanTci: NO_VLAN_TAG, l3Start: 14, l4Start: 34, protocol: 17 }],
    ['TCP over IPv6', frames.tcpSegment, { packetType: PACKET_IPV6 | PACKET_TCP, etherType: 0x86dd, l3Start: 14, l4Start: 54, protocol: 6 }],
    ['IPv4 options', frames.tcpSyn, { packetType: PACKET_IPV4 | PACKET_TCP, l4Start: 38 }],
    ['a VLAN tag', frames.vlanTagged, { packetType: PACKET_IPV4 | PACKET_UDP, etherType: 0x800, vlanTci: 0xa064, l3Start: 18, l4Start: 38 }],
    ['two VLAN tags: the outer one counts', frames.qinq, { packetType: PACKET_IPV4 | PACKET_UDP, etherType: 0x800, vlanTci: 200, l3Start: 22 }],
    ['ARP', frames.arpRequest, { packetType: PACKET_BROADCAST, etherType: 0x806, l3Start: 14, l4Start: NO_L4, protocol: NO_L4 }],
    ['multicast', frames.neighborSolicitation, { packetType: PACKET_IPV6, protocol: 58 }],
    ['LLDP', frames.lldp, { etherType: 0x88cc, l4Start: NO_L4 }],
    ['ICMP', frames.icmpEcho, { packetType: PACKET_IPV4, l4Start: 34, protocol: 1 }],
    ['SCTP', frames.sctp, { packetType: PACKET_IPV4 | PACKET_SCTP, protocol: 132 }],
    ['a first fragment', frames.firstFragment, { packetType: PACKET_IPV4 | PACKET_FRAGMENT, l4Start: 34, protocol: 17 }],
    ['a last fragment', frames.laterFragment, { packetType: PACKET_IPV4 | PACKET_FRAGMENT }],
    ['a fragment of IPv6', frames.ipv6Fragment, { packetType: PACKET_IPV6 | PACKET_FRAGMENT, l4Start: 54, protocol: 44 }],
    ['IPv6 extension headers', frames.ipv6Extensions, { packetType: PACKET_IPV6, l4Start: 54, protocol: 0 }],
    ['version 6 in IPv4', withBytes(frames.udpDatagram, 14, 0x65), { packetType: 0, etherType: 0x800, l4Start: NO_L4 }],
    ['header length of 16', withBytes(frames.udpDatagram, 14, 0x44), { packetType: 0, l4Start: NO_L4 }],
    ['header length beyond the frame', withBytes(frames.udpDatagram, 14, 0x4f), { packetType: 0, l4Start: NO_L4 }],
    ['version 4 in IPv6', withBytes(frames.tcpSegment, 14, 0x40), { packetType: 0, l4Start: NO_L4 }],
  ])('%s', (_, bytes, expected) => {
    expect(parsed(bytes)).toMatchObject(expected);
  });

  it('tells broadcast from multicast', () => {
    const to = (...mac: number[]): number => parsed(withBytes(frames.lldp, 0, ...mac)).packetType;
    expect([to(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), to(0xff, 0xff, 0xff, 0xff, 0xff, 0xfe), to(1, 0x80, 0xc2, 0, 0, 0x0e), to(2, 0, 0, 0, 0, 1)])
      .toEqual([PACKET_BROADCAST, PACKET_MULTICAST, PACKET_MULTICAST, 0]);
  });

  it('knows ports when all four bytes are there', () => {
    expect([33, 34, 37, 38].map((len) => parsed(frames.udpDatagram, len).packetType)).toEqual([0, PACKET_IPV4, PACKET_IPV4, PACKET_IPV4 | PACKET_UDP]);
  });

  prop([frameSpecs])('finds the headers where src/packet does', (spec) => {
    const { bytes } = buildFrame(spec);
    const packet = decode(bytes, 0, bytes.length);
    const ip = layerOf(packet, spec.isIpv6 ? 'ipv6' : 'ipv4')!;
    const upper = layerOf(packet, spec.protocol === 6 ? 'tcp' : 'udp')!;
    expect(parsed(bytes)).toMatchObject({ l3Start: ip.offBytes, l4Start: upper.offBytes, protocol: spec.protocol, vlanTci: spec.tags[0]?.[1] ?? NO_VLAN_TAG });
  });

  prop([fc.uint8Array({ minLength: 14, maxLength: 100 }), fc.constantFrom([8, 0, 0x45], [0x86, 0xdd, 0x60], [0x81, 0], [0x88, 0xa8])])(
    'reads no byte behind the frame',
    (bytes, head) => {
      bytes.set(head.slice(0, bytes.length - 12), 12);
      const padded = (fill: number): Uint8Array => Uint8Array.from([...bytes, ...new Uint8Array(60).fill(fill)]);
      expect(parsed(padded(0), bytes.length)).toEqual(parsed(padded(0xff), bytes.length));
    },
  );
});
