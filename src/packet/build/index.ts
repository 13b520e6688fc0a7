export type { Address } from './addresses.js';
export type { ArpFields } from './arp.js';
export type { Breaking } from './assemble.js';
export { decodePacket } from './decodePacket.js';
export type { PacketFault, ParsedLayer, ParsedLayerOf, ParsedPacket } from './decodePacket.js';
export type { Pieces } from './definition.js';
export type { ComputedPath, DecodedFields, HeaderFields, HeaderKey } from './definitions.js';
export { differenceNames, diffPackets, formatPacketDiff, isDifferenceName } from './diffPackets.js';
export type { PacketDifference } from './diffPackets.js';
export type { EthernetFields } from './ethernet.js';
export type { GeneveFields } from './geneve.js';
export type { GreFields } from './gre.js';
export type { IcmpFields, Icmpv6Fields } from './icmp.js';
export type { Ipv4Fields } from './ipv4.js';
export type { Ipv6Fields } from './ipv6.js';
export type { AuthenticationFields, FragmentFields, Ipv6OptionsFields, RoutingFields } from './ipv6Extensions.js';
export type { MplsFields } from './mpls.js';
export * from './options.js';
export { ethernet, raw } from './packetBuilder.js';
export { packetFrom } from './packetFrom.js';
export { packetTree } from './packetTree.js';
export { sctpData } from './sctp.js';
export type { SctpChunkFields, SctpDataFields, SctpFields } from './sctp.js';
export type {
  AfterEthernet, AfterGeneve, AfterGre, AfterIpv4, AfterIpv6, AfterMpls, AfterSctp, AfterUdp, AfterVxlan, AnyStep, FragmentOptions, IpPacketEnd, IpPacketStep,
  PacketEnd, PacketStep, PayloadInput,
} from './steps.js';
export type { TcpFields } from './tcp.js';
export type { UdpFields } from './udp.js';
export type { VlanFields } from './vlan.js';
export type { VxlanFields } from './vxlan.js';
