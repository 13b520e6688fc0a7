import type { HeaderName } from '../header.js';
import type { ArpFields } from './arp.js';
import type { Breaking } from './assemble.js';
import type { ComputedPath, HeaderFields, HeaderKey } from './definitions.js';
import type { EthernetFields } from './ethernet.js';
import type { GeneveFields } from './geneve.js';
import type { GreFields } from './gre.js';
import type { IcmpFields, Icmpv6Fields } from './icmp.js';
import type { Ipv4Fields } from './ipv4.js';
import type { Ipv6Fields } from './ipv6.js';
import type { AuthenticationFields, FragmentFields, Ipv6OptionsFields, RoutingFields } from './ipv6Extensions.js';
import type { MplsFields } from './mpls.js';
import type { SctpChunkFields, SctpFields } from './sctp.js';
import type { TcpFields } from './tcp.js';
import type { UdpFields } from './udp.js';
import type { VlanFields } from './vlan.js';
import type { VxlanFields } from './vxlan.js';

/** Bytes, text that becomes UTF-8, or a number of bytes, which are 0, 1, 2, … 255, 0, … */
export type PayloadInput = Uint8Array | string | number;

/**
 * A packet that is being described. Nothing about it changes: every method gives a new one, so a common beginning can be kept and used again.
 * What a field isn't given for is right: see the fields of each header.
 */
export interface PacketEnd {
  /** Bytes behind all that the headers count, as Ethernet's padding is. They replace earlier ones. */
  trailer(bytes: Uint8Array): this;
  /** Fills the frame up with zeros to `minBytes` bytes; 60 is Ethernet's minimum without FCS. */
  pad(minBytes?: number): this;
  /**
   * Says more of a header that is there already; `undefined` for a field has it computed again. Throws a RangeError when there is no such header.
   *
   * @param header `ipv4`, or `ipv4#2` for the second one from the outside
   */
  set<Name extends HeaderName>(header: HeaderKey<Name>, fields: { readonly [F in keyof HeaderFields[Name]]?: HeaderFields[Name][F] | undefined }): this;
  /**
   * Makes a computed field wrong; what covers it (an outer checksum) is right about the wrong value. Throws a RangeError when there is no such
   * header or field, or when it was given a value.
   *
   * @param change wrong value from the right one; by default one more, and for checksums one that no receiver takes
   */
  break(field: ComputedPath, change?: Breaking): this;
  /** The frame. Throws a RangeError for lengths that don't fit their fields: give those values of your own. */
  build(): Uint8Array;
  /** The packet in one line, as `describePacket` has it. Never throws: for a packet that can't be built it says why. */
  toString(): string;
}

/** What a fragment header of IPv6 says beyond its offset. */
export interface FragmentOptions {
  /** u32 for IPv6. For IPv4 it is the field `id` of the header. Default 1. */
  readonly id?: number;
}

/** The end of a packet that has an IP header. */
export interface IpPacketEnd extends PacketEnd {
  /**
   * The frames of the outermost IP packet's fragments, or the frame itself when it fits. IPv4 by RFC 791 section 3.2 (options that aren't copied are in
   * the first one), IPv6 by RFC 8200 section 4.5. `pad` holds for each of them; a trailer isn't kept. Throws a RangeError when `dontFragment` is set or
   * nothing fits.
   *
   * @param mtuBytes longest IP packet, header included, without Ethernet
   */
  fragments(mtuBytes: number, options?: FragmentOptions): Uint8Array[];
}

/** What every header can be followed by. */
export interface PacketStep extends PacketEnd {
  /** What the headers carry; nothing follows but a trailer. */
  payload(data: PayloadInput): PacketEnd;
  /**
   * Bytes in place of a header; what follows them may be anything. They are not looked at: the header before says that nothing known follows, and a
   * checksum that needs the addresses of an IP header in them is computed without.
   */
  raw(bytes: Uint8Array): AnyStep;
}

/** What every header can be followed by where there is an IP header: the packet can be cut into fragments. */
export interface IpPacketStep extends IpPacketEnd {
  /** What the headers carry; nothing follows but a trailer. */
  payload(data: PayloadInput): IpPacketEnd;
  /** Bytes in place of a header; what follows them may be anything. */
  raw(bytes: Uint8Array): AnyStep;
}

/** After Ethernet and VLAN tags. */
export interface AfterEthernet extends PacketStep {
  /** IEEE 802.1Q tag. */
  vlan(fields?: VlanFields): AfterEthernet;
  /** IEEE 802.1ad service tag: a VLAN tag whose `tpid` is 0x88a8. */
  qinq(fields?: VlanFields): AfterEthernet;
  /** An entry of an MPLS label stack (RFC 3032). */
  mpls(fields?: MplsFields): AfterMpls;
  /** ARP (RFC 826), of which nothing follows. */
  arp(fields?: ArpFields): PacketStep;
  /** IPv4 (RFC 791). */
  ipv4(fields?: Ipv4Fields): AfterIpv4;
  /** IPv6 (RFC 8200). */
  ipv6(fields?: Ipv6Fields): AfterIpv6;
}

interface AfterIp extends IpPacketStep {
  /** TCP (RFC 9293). */
  tcp(fields?: TcpFields): IpPacketStep;
  /** UDP (RFC 768). */
  udp(fields?: UdpFields): AfterUdp;
  /** SCTP (RFC 9260). */
  sctp(fields?: SctpFields): AfterSctp;
  /** GRE (RFC 2784, RFC 2890). */
  gre(fields?: GreFields): AfterGre;
  /** An entry of an MPLS label stack (RFC 3032). */
  mpls(fields?: MplsFields): AfterMpls & IpPacketStep;
  /** IPv4 (RFC 791). */
  ipv4(fields?: Ipv4Fields): AfterIpv4;
  /** IPv6 (RFC 8200). */
  ipv6(fields?: Ipv6Fields): AfterIpv6;
}

/** After IPv4. */
export interface AfterIpv4 extends AfterIp {
  /** ICMP (RFC 792). */
  icmp(fields?: IcmpFields): IpPacketStep;
}

/** After IPv6 and its extension headers. */
export interface AfterIpv6 extends AfterIp {
  /** Hop-by-hop options (RFC 8200 section 4.3). */
  hopByHop(fields?: Ipv6OptionsFields): AfterIpv6;
  /** Destination options (RFC 8200 section 4.6). */
  destinationOptions(fields?: Ipv6OptionsFields): AfterIpv6;
  /** Routing header (RFC 8200 section 4.4). */
  routing(fields?: RoutingFields): AfterIpv6;
  /** Fragment header (RFC 8200 section 4.5). */
  fragment(fields?: FragmentFields): AfterIpv6;
  /** Authentication header (RFC 4302). */
  authentication(fields?: AuthenticationFields): AfterIpv6;
  /** ICMPv6 (RFC 4443). */
  icmpv6(fields?: Icmpv6Fields): IpPacketStep;
}

/** After UDP. */
export interface AfterUdp extends IpPacketStep {
  /** VXLAN (RFC 7348); the UDP port becomes 4789 unless it was given. */
  vxlan(fields?: VxlanFields): AfterVxlan;
  /** GENEVE (RFC 8926); the UDP port becomes 6081 unless it was given. */
  geneve(fields?: GeneveFields): AfterGeneve;
}

/** After SCTP and its chunks. */
export interface AfterSctp extends IpPacketStep {
  /** A chunk of SCTP (RFC 9260 section 3.2). */
  chunk(fields?: SctpChunkFields): AfterSctp;
}

/** After VXLAN. */
export interface AfterVxlan extends IpPacketStep {
  /** The inner frame. */
  ethernet(fields?: EthernetFields): AfterEthernet & IpPacketStep;
}

/** After GENEVE. */
export interface AfterGeneve extends AfterVxlan {
  /** IPv4 (RFC 791). */
  ipv4(fields?: Ipv4Fields): AfterIpv4;
  /** IPv6 (RFC 8200). */
  ipv6(fields?: Ipv6Fields): AfterIpv6;
}

/** After GRE. */
export interface AfterGre extends AfterGeneve {
  /** An entry of an MPLS label stack (RFC 3032). */
  mpls(fields?: MplsFields): AfterMpls & IpPacketStep;
}

/** After an entry of an MPLS label stack. */
export interface AfterMpls extends PacketStep {
  /** An entry of an MPLS label stack (RFC 3032). */
  mpls(fields?: MplsFields): this;
  /** IPv4 (RFC 791). */
  ipv4(fields?: Ipv4Fields): AfterIpv4;
  /** IPv6 (RFC 8200). */
  ipv6(fields?: Ipv6Fields): AfterIpv6;
}

/** Everything may follow: for bytes that are no header, and for packets that were taken apart. */
export type AnyStep = AfterEthernet & AfterIpv4 & AfterIpv6 & AfterUdp & AfterSctp & AfterGre & AfterMpls;
