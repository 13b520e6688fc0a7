import * as fc from 'fast-check';
import { ethernet, sctpData } from '../../packet/index.js';
import type { AfterEthernet, AfterIpv4, AfterIpv6, PacketEnd } from '../../packet/index.js';
import { ipv4Address, ipv6Address, macAddress, servicePort } from './addresses.js';

/** What `packet` draws from. */
export type Protocol = 'arp' | 'udp' | 'tcp' | 'icmp' | 'icmpv6' | 'sctp' | 'gre' | 'vxlan' | 'geneve' | 'mpls' | 'raw';

const PROTOCOLS: readonly Protocol[] = ['udp', 'tcp', 'icmp', 'icmpv6', 'arp', 'sctp', 'gre', 'vxlan', 'geneve', 'mpls', 'raw'];

/** Which packets are drawn; everything by default. */
export interface PacketOptions {
  readonly protocols?: readonly Protocol[];
  /** 4, 6, or both. */
  readonly ipVersions?: readonly (4 | 6)[];
  /** Up to so many VLAN tags; left out: 2. */
  readonly vlanTags?: number;
  /** Options of IPv4, extension headers of IPv6. Left out: yes. */
  readonly hasOptions?: boolean;
  /** Bytes of payload; left out: up to 64. */
  readonly maxPayloadBytes?: number;
}

/**
 * A well-formed packet: every length and checksum is right. It is a builder, so a test can say more of it before `build()`. Shrinks to the shortest and
 * plainest packet of its protocol: no tags, no options, no payload, first addresses; it stays well-formed on the way.
 *
 * @example
 * fc.assert(fc.property(packet({ protocols: ['udp', 'tcp'] }), (data) => expect(program.testRun({ data })).not.toAbortPacket()));
 */
export function packet(options: PacketOptions = {}): fc.Arbitrary<PacketEnd> {
  const { protocols = PROTOCOLS, vlanTags = 2, maxPayloadBytes = 64 } = options;
  const tags = fc.array(fc.record({ id: fc.integer({ min: 0, max: 4095 }), pcp: fc.integer({ min: 0, max: 7 }) }), { maxLength: vlanTags });
  const link = fc.record({ dst: macAddress(), src: macAddress() });
  const payload = fc.uint8Array({ maxLength: maxPayloadBytes });
  return fc.tuple(fc.constantFrom(...protocols), link, tags).chain(([protocol, macs, vlans]) => {
    // A tag before the last one is a service tag.
    const begin = vlans.reduce<AfterEthernet>((step, tag, i) => (i < vlans.length - 1 ? step.qinq(tag) : step.vlan(tag)), ethernet(macs));
    return bodyOf(protocol, begin, payload, options);
  });
}

/** The same as bytes. */
export function packetBytes(options: PacketOptions = {}): fc.Arbitrary<Uint8Array> {
  return packet(options).map((each) => each.build());
}

function bodyOf(protocol: Protocol, begin: AfterEthernet, payload: fc.Arbitrary<Uint8Array>, options: PacketOptions): fc.Arbitrary<PacketEnd> {
  switch (protocol) {
    case 'arp':
      return fc.record({ oper: fc.constantFrom(1, 2), spa: ipv4Address(), tpa: ipv4Address() }).map((fields) => begin.arp(fields));
    case 'raw':
      return payload.map((data) => begin.payload(data));
    case 'mpls':
      return fc.tuple(fc.record({ label: fc.integer({ min: 16, max: 2 ** 20 - 1 }), ttl: fc.integer({ min: 1, max: 255 }) }), ipv4Step(begin.mpls(), options), payload).map(([, ip, data]) => ip.udp().payload(data));
    case 'icmpv6':
      return fc.tuple(ipv6Step(begin, options), fc.record({ type: fc.constantFrom(128, 129, 1), code: fc.constant(0) }), payload).map(([ip, fields, data]) => ip.icmpv6(fields).payload(data));
    case 'icmp':
      return fc.tuple(ipv4Step(begin, options), fc.record({ type: fc.constantFrom(8, 0, 3, 11), code: fc.constant(0) }), payload).map(([ip, fields, data]) => ip.icmp(fields).payload(data));
    default:
      return fc.tuple(ipStep(begin, options), transport(protocol), payload).map(([ip, add, data]) => add(ip, data));
  }
}

type IpStep = AfterIpv4 | AfterIpv6;

function ipStep(begin: AfterEthernet, options: PacketOptions): fc.Arbitrary<IpStep> {
  const { ipVersions = [4, 6] } = options;
  const steps: fc.Arbitrary<IpStep>[] = ipVersions.map((version) => (version === 4 ? ipv4Step(begin, options) : ipv6Step(begin, options)));
  return fc.oneof({ withCrossShrink: true }, ...steps);
}

function ipv4Step(begin: { ipv4: AfterEthernet['ipv4'] }, { hasOptions = true }: PacketOptions): fc.Arbitrary<AfterIpv4> {
  const fields = fc.record({ src: ipv4Address(), dst: ipv4Address(), ttl: fc.integer({ min: 1, max: 255 }), dscp: fc.integer({ min: 0, max: 63 }), id: fc.integer({ min: 0, max: 65535 }), dontFragment: fc.boolean() });
  // No-operation options, one byte each, fill words of the header.
  const options = hasOptions ? fc.integer({ min: 0, max: 10 }) : fc.constant(0);
  return fc.tuple(fields, options).map(([each, words]) => begin.ipv4(words === 0 ? each : { ...each, options: new Uint8Array(words * 4).fill(1) }));
}

function ipv6Step(begin: { ipv6: AfterEthernet['ipv6'] }, { hasOptions = true }: PacketOptions): fc.Arbitrary<AfterIpv6> {
  const fields = fc.record({ src: ipv6Address(), dst: ipv6Address(), hopLimit: fc.integer({ min: 1, max: 255 }), flowLabel: fc.integer({ min: 0, max: 2 ** 20 - 1 }) });
  const extensions = hasOptions ? fc.uniqueArray(fc.constantFrom('hopByHop', 'destinationOptions', 'routing'), { maxLength: 2 }) : fc.constant([]);
  return fc.tuple(fields, extensions).map(([each, names]) => {
    const start = begin.ipv6(each);
    // Hop-by-hop options come first (RFC 8200 section 4.1).
    const ordered = [...names].sort((a, b) => Number(b === 'hopByHop') - Number(a === 'hopByHop'));
    return ordered.reduce<AfterIpv6>((step, name) => (name === 'hopByHop' ? step.hopByHop() : name === 'routing' ? step.routing() : step.destinationOptions()), start);
  });
}

/** Puts the transport header and the payload behind IP. */
type AddTransport = (ip: IpStep, payload: Uint8Array) => PacketEnd;

function transport(protocol: Protocol): fc.Arbitrary<AddTransport> {
  const ports = fc.record({ src: servicePort(), dst: servicePort() });
  switch (protocol) {
    case 'tcp':
      return fc.record({ ports, flags: fc.constantFrom('S', 'SA', 'A', 'PA', 'FA', 'R'), seq: fc.integer({ min: 0, max: 2 ** 32 - 1 }), ack: fc.integer({ min: 0, max: 2 ** 32 - 1 }), window: fc.integer({ min: 0, max: 65535 }) })
        .map(({ ports: { src, dst }, ...fields }): AddTransport => (ip, data) => ip.tcp({ src, dst, ...fields }).payload(data));
    case 'sctp':
      return ports.map((fields): AddTransport => (ip, data) => ip.sctp(fields).chunk(sctpData({}, data)));
    case 'gre':
      return ports.map((fields): AddTransport => (ip, data) => ip.gre().ipv4().udp(fields).payload(data));
    case 'vxlan':
      return fc.record({ ports, vni: fc.integer({ min: 0, max: 2 ** 24 - 1 }) }).map(({ ports: fields, vni }): AddTransport => (ip, data) => ip.udp().vxlan({ vni }).ethernet().ipv4().udp(fields).payload(data));
    case 'geneve':
      return fc.record({ ports, vni: fc.integer({ min: 0, max: 2 ** 24 - 1 }) }).map(({ ports: fields, vni }): AddTransport => (ip, data) => ip.udp().geneve({ vni }).ethernet().ipv4().udp(fields).payload(data));
    default:
      return ports.map((fields): AddTransport => (ip, data) => ip.udp(fields).payload(data));
  }
}
