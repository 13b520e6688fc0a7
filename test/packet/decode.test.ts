import { describe, expect, it } from 'vitest';
import { decode, fieldAt, formatIpv6, formatTcpFlags, summarize } from '../../src/packet/index.js';
import { fc, prop } from '../support/property.js';
import * as frames from './support/frames.js';

const names = Object.keys(frames) as (keyof typeof frames)[];

describe('summarize', () => {
  it.each([
    ['udpDatagram', 'IPv4 10.0.0.1:5353 > 10.0.0.2:53 UDP 5'],
    ['udpPadded', 'IPv4 10.0.0.1:5353 > 10.0.0.2:53 UDP 5'],
    ['tcpSegment', 'IPv6 [2001:db8::1]:49152 > [2001:db8::2]:80 TCP [P.] seq 16909060 ack 2695938256 win 502 len 4'],
    ['tcpSyn', 'IPv4 10.0.0.1:49152 > 10.0.0.2:443 TCP [S] seq 7 win 502 len 0'],
    ['icmpEcho', 'IPv4 10.0.0.1 > 10.0.0.2 ICMP echo request id 7 seq 1 len 3'],
    ['icmpUnreachable', 'IPv4 10.0.0.1 > 10.0.0.2 ICMP unreachable code 3 len 28'],
    ['vlanTagged', 'VLAN 100 p 5 IPv4 10.0.0.1:5353 > 10.0.0.2:53 UDP 5'],
    ['qinq', 'VLAN 200 VLAN 100 IPv4 10.0.0.1:5353 > 10.0.0.2:53 UDP 5'],
    ['arpRequest', 'ARP who-has 10.0.0.2 tell 10.0.0.1'],
    ['arpReply', 'ARP 10.0.0.1 is-at 02:00:00:00:00:01'],
    ['neighborSolicitation', 'IPv6 fe80::1 > ff02::1:ff00:2 ICMPv6 neighbor solicitation 2001:db8::2 len 8'],
    ['icmpv6Echo', 'IPv6 2001:db8::1 > 2001:db8::2 ICMPv6 echo reply id 9 seq 2 len 4'],
    ['firstFragment', 'IPv4 10.0.0.1:5353 > 10.0.0.2:53 UDP 2000 fragment at 0'],
    ['laterFragment', 'IPv4 10.0.0.1 > 10.0.0.2 UDP 8 fragment at 1480'],
    ['ipv6Fragment', 'IPv6 [2001:db8::1]:5353 > [2001:db8::2]:53 UDP 2000 fragment at 0'],
    ['ipv6Extensions', 'IPv6 [2001:db8::1]:5353 > [2001:db8::2]:53 UDP 5'],
    ['sctp', 'IPv4 10.0.0.1:0 > 10.0.0.2:0 SCTP []'],
    ['lldp', 'Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x88cc 9'],
    ['llc', 'Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02 802.3 3'],
  ] as const)('%s', (name, text) => {
    expect(summarize(frames[name], 0, frames[name].length)).toBe(text);
  });

  it.each([
    ['udpDatagram', 0, 'Ethernet (eth header truncated, 0 bytes)'],
    ['udpDatagram', 13, 'Ethernet (eth header truncated, 13 bytes)'],
    ['udpDatagram', 33, 'Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x0800 19 (ipv4 header truncated)'],
    ['udpDatagram', 41, 'IPv4 10.0.0.1 > 10.0.0.2 UDP 13 (udp header truncated)'],
    ['udpDatagram', 45, 'IPv4 10.0.0.1:5353 > 10.0.0.2:53 UDP 5 (2 bytes missing)'],
    ['tcpSegment', 14 + 40 + 20, 'IPv6 2001:db8::1 > 2001:db8::2 TCP 36 (tcp header truncated)'],
    ['vlanTagged', 17, 'Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x8100 3 (vlan header truncated)'],
    ['arpReply', 30, 'Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x0806 28 (arp header truncated)'],
    ['ipv6Extensions', 14 + 40 + 8 + 10, 'IPv6 2001:db8::1 > 2001:db8::2 routing 37 (routing header truncated)'],
  ] as const)('%s cut to %i bytes', (name, lengthBytes, text) => {
    expect(summarize(frames[name], 0, lengthBytes)).toBe(text);
  });

  it.each([
    ['IPv4 of version 5', 14, 0x55, 'type 0x0800 33 (ipv4 header malformed)'],
    ['IPv4 with a header of 16 bytes', 14, 0x44, 'type 0x0800 33 (ipv4 header malformed)'],
    ['IPv4 shorter than its header', 17, 0x13, 'type 0x0800 33 (ipv4 header malformed)'],
    ['UDP shorter than its header', 39, 7, '10.0.0.1 > 10.0.0.2 UDP 13 (udp header malformed)'],
  ])('%s', (_, at, value, text) => {
    const frame = frames.udpDatagram.slice();
    frame[at] = value;
    expect(summarize(frame, 0, frame.length)).toContain(text);
  });

  it('works at an offset in a larger buffer', () => {
    const buffer = new Uint8Array(200).fill(0xee);
    buffer.set(frames.udpDatagram, 37);
    expect(summarize(buffer, 37, frames.udpDatagram.length)).toBe('IPv4 10.0.0.1:5353 > 10.0.0.2:53 UDP 5');
  });
});

describe('decode', () => {
  it('gives the layers of a packet with their places', () => {
    expect(decode(frames.qinq, 0, frames.qinq.length)).toEqual({
      layers: [
        { name: 'eth', offBytes: 0, lengthBytes: 14, endBytes: 55, missingBytes: 0 },
        { name: 'vlan', offBytes: 14, lengthBytes: 4, endBytes: 55, missingBytes: 0 },
        { name: 'vlan', offBytes: 18, lengthBytes: 4, endBytes: 55, missingBytes: 0 },
        { name: 'ipv4', offBytes: 22, lengthBytes: 20, endBytes: 55, missingBytes: 0 },
        { name: 'udp', offBytes: 42, lengthBytes: 8, endBytes: 55, missingBytes: 0 },
      ],
      fault: undefined, payloadOffBytes: 50, payloadEndBytes: 55, missingBytes: 0,
    });
  });

  it('walks IPv6 extension headers', () => {
    const { layers, payloadOffBytes } = decode(frames.ipv6Extensions, 0, frames.ipv6Extensions.length);
    expect(layers.map((layer) => [layer.name, layer.lengthBytes])).toEqual([['eth', 14], ['ipv6', 40], ['hopopts', 8], ['routing', 24], ['udp', 8]]);
    expect(payloadOffBytes).toBe(94);
  });

  it('takes an IPv6 payload length of 0 as a jumbogram: to the end of the frame', () => {
    const frame = frames.icmpv6Echo.slice();
    frame.set([0, 0], 18);
    expect(decode(frame, 0, frame.length)).toMatchObject({ fault: undefined, payloadEndBytes: frame.length });
  });

  const anyFrame = fc.constantFrom(...names).map((name) => frames[name]);

  prop([anyFrame, fc.array(fc.tuple(fc.nat(150), fc.nat(255)), { maxLength: 6 }), fc.nat(150), fc.nat(255)], { numRuns: 2000 })(
    'damaged frames never throw, and no byte outside of the packet counts', (good, changes, cut, filler) => {
      const frame = good.slice();
      for (const [at, value] of changes) frame[at % frame.length] = value;
      const lengthBytes = Math.min(cut, frame.length);
      const surrounded = new Uint8Array(lengthBytes + 400).fill(filler);
      surrounded.set(frame.subarray(0, lengthBytes), 200);
      expect(summarize(surrounded, 200, lengthBytes)).toBe(summarize(frame.slice(0, lengthBytes), 0, lengthBytes));

      const packet = decode(frame, 0, lengthBytes);
      expect(packet.payloadOffBytes).toBeLessThanOrEqual(packet.payloadEndBytes);
      expect(packet.payloadEndBytes).toBeLessThanOrEqual(lengthBytes);
      packet.layers.forEach((layer, i) => {
        const previous = packet.layers[i - 1];
        expect(layer.offBytes).toBe(previous === undefined ? 0 : previous.offBytes + previous.lengthBytes);
      });
    },
  );

  prop([fc.uint8Array({ maxLength: 200 })])('random bytes never throw', (bytes) => {
    summarize(bytes, 0, bytes.length);
    for (let i = 0; i <= bytes.length; i++) expect(fieldAt(bytes, bytes.length, i)).toMatch(/^[a-z][a-z0-9]*(#\d+)?([.+][a-z0-9_]+)(\+\d+)?$/);
  });
});

describe('fieldAt', () => {
  const runs = (frame: Uint8Array, lengthBytes = frame.length): string => {
    const found: string[] = [];
    for (let i = 0; i < lengthBytes; i++) {
      const name = fieldAt(frame, lengthBytes, i);
      if (found.at(-1) !== name) found.push(name);
    }
    return found.join(' ');
  };

  it('names every field of UDP over IPv4, once and in order', () => {
    expect(runs(frames.udpDatagram)).toBe(
      'eth.dst eth.src eth.type ipv4.version_ihl ipv4.tos ipv4.total_length ipv4.id ipv4.flags_fragment ipv4.ttl ipv4.protocol ipv4.checksum ' +
        'ipv4.src ipv4.dst udp.src_port udp.dst_port udp.length udp.checksum payload+0 payload+1 payload+2 payload+3 payload+4',
    );
  });

  it('names every field of TCP over IPv6', () => {
    expect(runs(frames.tcpSegment)).toBe(
      'eth.dst eth.src eth.type ipv6.version_class_flow ipv6.payload_length ipv6.next_header ipv6.hop_limit ipv6.src ipv6.dst tcp.src_port ' +
        'tcp.dst_port tcp.seq tcp.ack tcp.data_offset tcp.flags tcp.window tcp.checksum tcp.urgent ' +
        Array.from({ length: 12 }, (_, i) => `tcp.options+${i} `).join('') + 'payload+0 payload+1 payload+2 payload+3',
    );
  });

  it.each([
    ['udpDatagram', 22, 'ipv4.ttl'],
    ['udpDatagram', 40, 'udp.checksum'],
    ['udpDatagram', 47, 'end+0'],
    ['udpDatagram', 50, 'end+3'],
    ['udpPadded', 47, 'trailer+0'],
    ['udpPadded', 59, 'trailer+12'],
    ['tcpSyn', 34, 'ipv4.options+0'],
    ['vlanTagged', 15, 'vlan.tci'],
    ['vlanTagged', 16, 'vlan.type'],
    ['qinq', 14, 'vlan.tci'],
    ['qinq', 18, 'vlan#2.tci'],
    ['arpRequest', 20, 'arp.oper'],
    ['arpRequest', 41, 'arp.tpa'],
    ['arpRequest', 42, 'trailer+0'],
    ['icmpEcho', 38, 'icmp.id'],
    ['icmpUnreachable', 38, 'icmp.rest'],
    ['neighborSolicitation', 62, 'icmpv6.target'],
    ['neighborSolicitation', 78, 'payload+0'],
    ['ipv6Extensions', 54, 'hopopts.next_header'],
    ['ipv6Extensions', 56, 'hopopts.data+0'],
    ['ipv6Extensions', 61, 'hopopts.data+5'],
    ['ipv6Extensions', 85, 'routing.data+21'],
    ['ipv6Fragment', 56, 'fragment.offset_flags'],
    ['llc', 16, 'payload+2'],
    ['llc', 17, 'trailer+0'],
  ] as const)('%s, byte %i: %s', (name, at, text) => {
    expect(fieldAt(frames[name], frames[name].length, at)).toBe(text);
  });

  it('counts from the beginning of a header that is not all there', () => {
    expect(fieldAt(frames.udpDatagram, 40, 36)).toBe('udp+2');
    expect(fieldAt(frames.udpDatagram, 20, 15)).toBe('ipv4+1');
    expect(fieldAt(frames.udpDatagram, 10, 3)).toBe('eth+3');
  });

  it('numbers the addresses of an ARP that is not for IPv4', () => {
    const frame = frames.arpReply.slice();
    frame[17] = 0x55; // ptype
    expect(fieldAt(frame, frame.length, 22)).toBe('arp.addresses+0');
  });
});

describe('texts', () => {
  it.each([
    ['20010db8000000000000000000000001', '2001:db8::1'],
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['fe800000000000000000000000000000', 'fe80::'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['20010000000000010000000000000001', '2001:0:0:1::1'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['ffffffffffffffffffffffffffffffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('IPv6 address %s as RFC 5952 writes it', (hex, text) => {
    expect(formatIpv6(Buffer.from(hex, 'hex'), 0)).toBe(text);
  });

  it.each([[0x02, 'S'], [0x12, 'S.'], [0x18, 'P.'], [0x11, 'F.'], [0x04, 'R'], [0xc2, 'SEW'], [0, 'none']])('TCP flags %i: %s', (flags, text) => {
    expect(formatTcpFlags(flags)).toBe(text);
  });
});
