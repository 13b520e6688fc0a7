import * as fc from 'fast-check';
import { checkOptionNames } from '../../base/index.js';
import type { OptionNames } from '../../base/index.js';
import { ethernet, sctpData } from '../../packet/index.js';
import type { AfterEthernet, AfterIpv4, AfterIpv6, PacketEnd } from '../../packet/index.js';
import { ipv4Address, ipv6Address, macAddress, servicePort } from './addresses.js';
import { badChoice, checkChoices, checkSize } from './options.js';

/** What `packet` draws from. */
export type Protocol = 'arp' | 'udp' | 'tcp' | 'icmp' | 'icmpv6' | 'sctp' | 'gre' | 'vxlan' | 'geneve' | 'mpls' | 'raw';

const PROTOCOLS: readonly Protocol[] = ['udp', 'tcp', 'icmp', 'icmpv6', 'arp', 'sctp', 'gre', 'vxlan', 'geneve', 'mpls', 'raw'];

/** Protocols that are drawn with one version of IP only. */
const VERSION_OF: Readonly<Partial<Record<Protocol, 4 | 6>>> = { arp: 4, icmp: 4, mpls: 4, icmpv6: 6 };
const IP_VERSIONS = [4, 6] as const;

/** An IPv4 packet has 65535 bytes; what is left is for headers, those of tunnels too. */
const MOST_PAYLOAD_BYTES = 65_000;
const MOST_VLAN_TAGS = 32;

/** Which packets are drawn; everything by default. */
export interface PacketOptions {
  readonly protocols?: readonly Protocol[];
  /** 4, 6, or both. ARP, ICMP and MPLS are drawn with 4, ICMPv6 with 6. */
  readonly ipVersions?: readonly (4 | 6)[];
  /** Up to so many VLAN tags, at most 32; left out: 2. */
  readonly vlanTags?: number;
  /** Options of IPv4, extension headers of IPv6. Left out: yes. */
  readonly hasOptions?: boolean;
  /** Up to so many bytes of payload, at most 65000; left out: 64. */
  readonly maxPayloadBytes?: number;
}

/** Their names. */
export const PACKET_OPTIONS: OptionNames<PacketOptions> = { protocols: true, ipVersions: true, vlanTags: true, hasOptions: true, maxPayloadBytes: true };

/**
 * A well-formed packet: every length and checksum is right. It is a builder, so a test can say more of it before `build()`. Shrinks to the shortest and
 * plainest packet of its protocol: no tags, no options, no payload, first addresses; it stays well-formed on the way.
 *
 * @throws Error for options from which nothing can be drawn
 * @example
 * fc.assert(fc.property(packet({ protocols: ['udp', 'tcp'] }), (data) => {
 *   expect(program.testRun({ data })).toPassPacket();
 * }));
 */
export function packet(options: PacketOptions = {}): fc.Arbitrary<PacketEnd> {
  checkOptionNames('packet', options, PACKET_OPTIONS);
  const { vlanTags = 2, maxPayloadBytes = 64 } = options;
  const protocols = protocolsOf(options);
  checkSize('packet({ vlanTags })', vlanTags, 0, MOST_VLAN_TAGS);
  checkSize('packet({ maxPayloadBytes })', maxPayloadBytes, 0, MOST_PAYLOAD_BYTES);
  const tags = fc.array(fc.record({ id: fc.integer({ min: 0, max: 4095 }), pcp: fc.integer({ min: 0, max: 7 }) }, FULL), { maxLength: vlanTags });
  const link = fc.record({ dst: macAddress(), src: macAddress() }, FULL);
  const payload = fc.uint8Array({ maxLength: maxPayloadBytes });
  const bodies = fc.oneof({ withCrossShrink: true }, ...protocols.map((protocol) => bodyOf(protocol, payload, options)));
  return fc.tuple(bodies, link, tags).map(([body, macs, vlans]) => {
    // A tag before the last one is a service tag.
    const begin = vlans.reduce<AfterEthernet>((step, tag, i) => (i < vlans.length - 1 ? step.qinq(tag) : step.vlan(tag)), ethernet(macs));
    return body(begin);
  });
}

/** Those that are wanted; if none are named, those that go with the versions of IP. */
function protocolsOf({ protocols, ipVersions = IP_VERSIONS }: PacketOptions): readonly Protocol[] {
  checkChoices('packet({ ipVersions })', ipVersions, IP_VERSIONS);
  const isPossible = (protocol: Protocol): boolean => VERSION_OF[protocol] === undefined || ipVersions.includes(VERSION_OF[protocol]);
  if (protocols === undefined) return PROTOCOLS.filter(isPossible);
  checkChoices('packet({ protocols })', protocols, PROTOCOLS);
  const wrong = protocols.find((protocol) => !isPossible(protocol));
  if (wrong !== undefined) throw badChoice('packet({ ipVersions })', `${wrong} is drawn with IPv${VERSION_OF[wrong]} only`, `add ${VERSION_OF[wrong]} to ipVersions, or leave ${wrong} out`);
  return protocols;
}

/**
 * The bytes of a well-formed packet.
 *
 * @throws Error as `packet`
 * @example
 * fc.assert(fc.property(packetBytes({ protocols: ['tcp'], ipVersions: [6] }), (bytes) => decodePacket(bytes).layer('tcp') !== undefined));
 */
export function packetBytes(options: PacketOptions = {}): fc.Arbitrary<Uint8Array> {
  return packet(options).map((each) => each.build());
}

/** What comes behind Ethernet and its tags. All that is drawn is drawn before there is a packet, so that shrinking keeps what it doesn't look at. */
type Body = (begin: AfterEthernet) => PacketEnd;
type IpStep = AfterIpv4 | AfterIpv6;
/** Puts an IP header behind something. */
type Ip<Step extends IpStep> = (begin: Pick<AfterEthernet, 'ipv4' | 'ipv6'>) => Step;

/** All members are there, which is faster to draw. */
const FULL = { noNullPrototype: true } as const;

function bodyOf(protocol: Protocol, payload: fc.Arbitrary<Uint8Array>, options: PacketOptions): fc.Arbitrary<Body> {
  switch (protocol) {
    case 'arp':
      return fc.record({ oper: fc.constantFrom(1, 2), spa: ipv4Address(), tpa: ipv4Address() }, FULL).map((fields): Body => (begin) => begin.arp(fields));
    case 'raw':
      return payload.map((data): Body => (begin) => begin.payload(data));
    case 'mpls':
      return fc.tuple(fc.record({ label: fc.integer({ min: 16, max: 2 ** 20 - 1 }), ttl: fc.integer({ min: 1, max: 255 }) }, FULL), ipv4(options), payload)
        .map(([label, ip, data]): Body => (begin) => ip(begin.mpls(label)).udp().payload(data));
    case 'icmpv6':
      return fc.tuple(ipv6(options), fc.constantFrom(128, 129, 1), payload).map(([ip, type, data]): Body => (begin) => ip(begin).icmpv6({ type }).payload(data));
    case 'icmp':
      return fc.tuple(ipv4(options), fc.constantFrom(8, 0, 3, 11), payload).map(([ip, type, data]): Body => (begin) => ip(begin).icmp({ type }).payload(data));
    default:
      return fc.tuple(ipOf(options), transport(protocol), payload).map(([ip, add, data]): Body => (begin) => add(ip(begin), data));
  }
}

function ipOf(options: PacketOptions): fc.Arbitrary<Ip<IpStep>> {
  const { ipVersions = IP_VERSIONS } = options;
  const steps: fc.Arbitrary<Ip<IpStep>>[] = ipVersions.map((version) => (version === 4 ? ipv4(options) : ipv6(options)));
  return fc.oneof({ withCrossShrink: true }, ...steps);
}

function ipv4({ hasOptions = true }: PacketOptions): fc.Arbitrary<Ip<AfterIpv4>> {
  const fields = fc.record({
    src: ipv4Address(), dst: ipv4Address(), ttl: fc.integer({ min: 1, max: 255 }), dscp: fc.integer({ min: 0, max: 63 }), id: fc.integer({ min: 0, max: 65535 }), dontFragment: fc.boolean(),
  }, FULL);
  // No-operation options, one byte each, fill words of the header.
  const words = hasOptions ? fc.integer({ min: 0, max: 10 }) : fc.constant(0);
  return fc.tuple(fields, words).map(([each, count]): Ip<AfterIpv4> => (begin) => begin.ipv4(count === 0 ? each : { ...each, options: new Uint8Array(count * 4).fill(1) }));
}

type Extension = 'hopByHop' | 'destinationOptions' | 'routing';

function ipv6({ hasOptions = true }: PacketOptions): fc.Arbitrary<Ip<AfterIpv6>> {
  const fields = fc.record({ src: ipv6Address(), dst: ipv6Address(), hopLimit: fc.integer({ min: 1, max: 255 }), flowLabel: fc.integer({ min: 0, max: 2 ** 20 - 1 }) }, FULL);
  // Hop-by-hop options come first (RFC 8200 section 4.1).
  const chains: readonly (readonly Extension[])[] = [[], ['hopByHop'], ['destinationOptions'], ['routing'], ['hopByHop', 'routing'], ['hopByHop', 'destinationOptions']];
  const extensions = fc.constantFrom(...(hasOptions ? chains : chains.slice(0, 1)));
  return fc.tuple(fields, extensions).map(([each, names]): Ip<AfterIpv6> => (begin) => names.reduce<AfterIpv6>((step, name) => step[name](), begin.ipv6(each)));
}

/** Puts the transport header and the payload behind IP. */
type AddTransport = (ip: IpStep, payload: Uint8Array) => PacketEnd;

function transport(protocol: Protocol): fc.Arbitrary<AddTransport> {
  const ports = fc.record({ src: servicePort(), dst: servicePort() }, FULL);
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
