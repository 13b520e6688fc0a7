import { describe, expect, it } from 'vitest';
import {
  decodePacket, ethernet, ETHERTYPE_ARP, ICMP_UNREACHABLE, ICMPV6_ECHO_REPLY, ICMPV6_NEIGHBOR_SOLICITATION, IPPROTO_UDP, noOperation, packetFrom, raw, sctpChecksum, tcpTimestamps,
} from '../../../src/packet/index.js';
import type { PacketEnd } from '../../../src/packet/index.js';
import * as frames from '../support/frames.js';

const udp = { src: 5353, dst: 53 };
const ip = { id: 0x1234 };
const flow = { src: '2001:db8::1', dst: '2001:db8::2' };
const hello = ethernet().ipv4(ip).udp(udp).payload('hello');

/** The same packets as the literals, which were made outside of this code base. */
const BUILT: Record<keyof typeof frames, PacketEnd> = {
  udpDatagram: hello,
  udpPadded: hello.pad(),
  udpWithoutChecksum: hello.set('udp', { checksum: 0 }),
  udpChecksumZero: ethernet().ipv4(ip).udp({ src: 1, dst: 2 }).payload(Uint8Array.of(0xeb, 0xd4)),
  tcpSegment: ethernet().ipv6(flow)
    .tcp({ seq: 0x01020304, ack: 0xa0b0c0d0, flags: 'P.', window: 502, options: [noOperation(), noOperation(), tcpTimestamps(1, 2)] }).payload('GET '),
  tcpSyn: ethernet().ipv4({ ...ip, options: Uint8Array.of(1, 1, 1, 0) }).tcp({ dst: 443, seq: 7, flags: 'S', window: 502 }),
  icmpEcho: ethernet().ipv4(ip).icmp({ id: 7, seq: 1 }).payload('abc'),
  icmpUnreachable: ethernet().ipv4(ip).icmp({ type: ICMP_UNREACHABLE, code: 3 })
    .payload(ethernet().ipv4(ip).udp({ src: 1, dst: 2 }).build().subarray(14)),
  vlanTagged: ethernet().vlan({ pcp: 5, id: 100 }).ipv4(ip).udp(udp).payload('hello'),
  qinq: ethernet().qinq({ id: 200 }).vlan({ id: 100 }).ipv4(ip).udp(udp).payload('hello'),
  arpRequest: ethernet({ dst: 'ff:ff:ff:ff:ff:ff' }).arp().pad(),
  arpReply: ethernet().arp({ oper: 2, tha: '02:00:00:00:00:02' }),
  neighborSolicitation: ethernet().ipv6({ hopLimit: 255, src: 'fe80::1', dst: 'ff02::1:ff00:2' })
    .icmpv6({ type: ICMPV6_NEIGHBOR_SOLICITATION, target: '2001:db8::2' }).payload(Uint8Array.of(1, 1, 2, 0, 0, 0, 0, 1)),
  icmpv6Echo: ethernet().ipv6(flow).icmpv6({ type: ICMPV6_ECHO_REPLY, id: 9, seq: 2 }).payload('ping'),
  firstFragment: ethernet().ipv4({ ...ip, moreFragments: true }).udp({ ...udp, length: 2008, checksum: 0xbeef }).payload('abcdefgh'),
  laterFragment: ethernet().ipv4({ ...ip, fragmentOffset: 185, protocol: IPPROTO_UDP }).payload('abcdefgh'),
  ipv6Fragment: ethernet().ipv6(flow).fragment({ moreFragments: true, id: 0xcafe }).udp({ ...udp, length: 2008, checksum: 0xbeef }),
  ipv6Extensions: ethernet().ipv6(flow).hopByHop({ options: Uint8Array.of(5, 2, 0, 0, 1, 0) }).routing({ segments: ['::'] }).udp(udp).payload('hello'),
  sctp: ethernet().ipv4(ip).sctp({ src: 0, dst: 0, checksum: 0 }),
  lldp: ethernet({ type: 0x88cc }).payload(Uint8Array.of(2, 7, 4, 2, 0, 0, 0, 0, 1)),
  llc: ethernet({ type: 3 }).payload(Uint8Array.of(0x42, 0x42, 3)).pad(),
};

describe('frames that were made elsewhere', () => {
  it.each(Object.keys(BUILT) as (keyof typeof frames)[])('%s', (name) => {
    expect(Buffer.from(BUILT[name].build()).toString('hex')).toBe(Buffer.from(frames[name]).toString('hex'));
    expect(packetFrom(frames[name]).build()).toEqual(frames[name]);
  });

  it('are all there', () => {
    expect(Object.keys(BUILT).sort()).toEqual(Object.keys(frames).sort());
  });
});

describe('headers whose bytes the standards draw', () => {
  const hexOf = (packet: PacketEnd, offBytes: number): string => Buffer.from(packet.build().subarray(offBytes)).toString('hex');

  it.each([
    ['VXLAN, RFC 7348 section 5', hexOf(ethernet().ipv4().udp().vxlan({ vni: 0x123456 }).payload(''), 42), '0800000012345600'],
    ['GENEVE, RFC 8926 section 3.4', hexOf(ethernet().ipv4().udp().geneve({ vni: 0x123456, control: true, options: Uint8Array.of(1, 2, 0x83, 1, 9, 9, 9, 9) }).payload(''), 42),
      `02806558${'12345600'}0102830109090909`],
    ['GRE without options, RFC 2784', hexOf(ethernet().ipv4().gre().ipv4(), 34).slice(0, 8), '00000800'],
    ['GRE with key and sequence number, RFC 2890', hexOf(ethernet().ipv4().gre({ key: 0xdeadbeef, sequence: 7 }).payload(''), 34), '300088b5deadbeef00000007'],
    ['GRE with a checksum, RFC 2784', hexOf(ethernet().ipv4().gre({ checksumPresent: true }).payload(Uint8Array.of(1, 2)), 34), '800088b5f6470000' + '0102'],
    ['MPLS, RFC 3032', hexOf(ethernet().mpls({ label: 0xabcde, tc: 5, ttl: 1 }).mpls({ label: 3 }).payload(''), 14), 'abcdea01' + '00003140'],
    ['AH, RFC 4302', hexOf(ethernet().ipv6().authentication().udp(), 54).slice(0, 48), '1104000000000100' + '00000001' + '00'.repeat(12)],
    ['segment routing, RFC 8754', hexOf(ethernet().ipv6().routing({ segments: ['2001:db8::9', '2001:db8::8'], segmentsLeft: 1 }).udp(), 54).slice(0, 16), '1104040101000000'],
  ])('%s', (_, found, expected) => {
    expect(found).toBe(expected);
  });

  it('SCTP: the CRC32c of "123456789" is e3069283, on the wire its bytes are reversed', () => {
    expect(sctpChecksum(new TextEncoder().encode('123456789'), 0, 9, 9)).toBe(0x839206e3);
    // Computed by a bitwise CRC elsewhere.
    expect(hexOf(ethernet().ipv4().sctp({ src: 1, dst: 2, tag: 3 }).chunk({ type: 11 }), 34)).toBe('0001000200000003c866090e0b000004');
  });

  it('ARP for something else keeps its addresses', () => {
    const packet = raw(ethernet({ type: ETHERTYPE_ARP }).build()).payload(Uint8Array.of(0, 6, 8, 0, 2, 4, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)).build();
    expect(decodePacket(packet).layer('arp')!.fields).toEqual({ htype: 6, ptype: 0x800, hlen: 2, plen: 4, oper: 1, addresses: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) });
    expect(packetFrom(packet).build()).toEqual(packet);
  });
});
