import type { HeaderName } from '../header.js';
import { arpDefinition } from './arp.js';
import type { ArpFields } from './arp.js';
import type { HeaderDefinition } from './definition.js';
import { ethernetDefinition } from './ethernet.js';
import type { EthernetFields } from './ethernet.js';
import { geneveDefinition } from './geneve.js';
import type { GeneveFields } from './geneve.js';
import { greDefinition } from './gre.js';
import type { GreFields } from './gre.js';
import { icmpDefinition, icmpv6Definition } from './icmp.js';
import type { IcmpFields, Icmpv6Fields } from './icmp.js';
import { ipv4Definition } from './ipv4.js';
import type { Ipv4Fields } from './ipv4.js';
import { ipv6Definition } from './ipv6.js';
import type { Ipv6Fields } from './ipv6.js';
import { authenticationDefinition, destinationOptionsDefinition, fragmentDefinition, hopByHopDefinition, routingDefinition } from './ipv6Extensions.js';
import type { AuthenticationFields, FragmentFields, Ipv6OptionsFields, RoutingFields } from './ipv6Extensions.js';
import { mplsDefinition } from './mpls.js';
import type { MplsFields } from './mpls.js';
import { sctpChunkDefinition, sctpDefinition } from './sctp.js';
import type { SctpChunkFields, SctpFields } from './sctp.js';
import { tcpDefinition } from './tcp.js';
import type { TcpFields } from './tcp.js';
import { udpDefinition } from './udp.js';
import type { UdpFields } from './udp.js';
import { vlanDefinition } from './vlan.js';
import type { VlanFields } from './vlan.js';
import { vxlanDefinition } from './vxlan.js';
import type { VxlanFields } from './vxlan.js';

/** A new header is one file, one line here, one in `HeaderFields` and one method of the builder. */
export const DEFINITIONS: Readonly<Record<HeaderName, HeaderDefinition>> = {
  eth: ethernetDefinition,
  vlan: vlanDefinition,
  arp: arpDefinition,
  ipv4: ipv4Definition,
  ipv6: ipv6Definition,
  hopopts: hopByHopDefinition,
  routing: routingDefinition,
  fragment: fragmentDefinition,
  dstopts: destinationOptionsDefinition,
  ah: authenticationDefinition,
  tcp: tcpDefinition,
  udp: udpDefinition,
  icmp: icmpDefinition,
  icmpv6: icmpv6Definition,
  sctp: sctpDefinition,
  chunk: sctpChunkDefinition,
  gre: greDefinition,
  vxlan: vxlanDefinition,
  geneve: geneveDefinition,
  mpls: mplsDefinition,
};

/** What can be said of each header when it is built. */
export interface HeaderFields {
  readonly eth: EthernetFields;
  readonly vlan: VlanFields;
  readonly arp: ArpFields;
  readonly ipv4: Ipv4Fields;
  readonly ipv6: Ipv6Fields;
  readonly hopopts: Ipv6OptionsFields;
  readonly routing: RoutingFields;
  readonly fragment: FragmentFields;
  readonly dstopts: Ipv6OptionsFields;
  readonly ah: AuthenticationFields;
  readonly tcp: TcpFields;
  readonly udp: UdpFields;
  readonly icmp: IcmpFields;
  readonly icmpv6: Icmpv6Fields;
  readonly sctp: SctpFields;
  readonly chunk: SctpChunkFields;
  readonly gre: GreFields;
  readonly vxlan: VxlanFields;
  readonly geneve: GeneveFields;
  readonly mpls: MplsFields;
}

/** Fields that only some headers of a kind have. */
interface VaryingFields {
  readonly arp: 'sha' | 'spa' | 'tha' | 'tpa' | 'addresses';
  readonly icmp: 'id' | 'seq' | 'rest';
  readonly icmpv6: 'id' | 'seq' | 'rest' | 'flags' | 'target';
  readonly chunk: 'padding';
  readonly gre: 'checksum' | 'reserved1' | 'key' | 'sequence';
}

/** Fields that can be said but aren't on the wire as such. */
interface InputFields {
  readonly vlan: 'tpid';
  readonly routing: 'segments';
}

type NamesIn<Table, Name> = Name extends keyof Table ? Table[Name] : never;

/** The fields that the builder computes. */
export interface ComputedFields {
  readonly eth: 'type';
  readonly vlan: 'type';
  readonly ipv4: 'ihl' | 'totalLength' | 'protocol' | 'checksum';
  readonly ipv6: 'payloadLength' | 'nextHeader';
  readonly hopopts: 'nextHeader' | 'length';
  readonly routing: 'nextHeader' | 'length';
  readonly fragment: 'nextHeader';
  readonly dstopts: 'nextHeader' | 'length';
  readonly ah: 'nextHeader' | 'length';
  readonly tcp: 'dataOffset' | 'checksum';
  readonly udp: 'dst' | 'length' | 'checksum';
  readonly icmp: 'checksum';
  readonly icmpv6: 'checksum';
  readonly sctp: 'checksum';
  readonly chunk: 'length';
  readonly gre: 'protocol' | 'checksum';
  readonly geneve: 'optionsLength' | 'protocol';
  readonly mpls: 'bottom';
}

/** A header by its name, or one of several: `udp`, `udp#2` for the second one from the outside. */
export type HeaderKey<Name extends HeaderName = HeaderName> = Name | `${Name}#${number}`;

/** A computed field of a header: `udp.checksum`, `ipv4#2.totalLength`. */
export type ComputedPath = { [Name in keyof ComputedFields]: `${HeaderKey<Name>}.${ComputedFields[Name]}` }[keyof ComputedFields];

/** What an input field is once it is decoded: numbers, booleans, addresses as text, all else as bytes. */
type Decoded<Value> = [Value] extends [boolean] ? boolean
  : number extends Value ? number
    : string extends Value ? string
      : Uint8Array;

/** The fields of a header that was decoded, computed ones included. */
export type DecodedFields<Name extends HeaderName> = {
  readonly [F in Exclude<keyof HeaderFields[Name], NamesIn<VaryingFields, Name> | NamesIn<InputFields, Name>>]-?: Decoded<NonNullable<HeaderFields[Name][F]>>;
} & {
  readonly [F in Extract<keyof HeaderFields[Name], NamesIn<VaryingFields, Name>>]?: Decoded<NonNullable<HeaderFields[Name][F]>>;
};
