import {
  ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MIN, ETHERTYPE_MPLS, ETHERTYPE_MPLS_MULTICAST, ETHERTYPE_QINQ, ETHERTYPE_TEB, ETHERTYPE_VLAN,
} from '../ethernet.js';
import { protocolName } from '../ipProtocol.js';

const ETHERTYPE_NAMES = new Map<number, string>([
  [ETHERTYPE_IPV4, 'IPv4'], [ETHERTYPE_ARP, 'ARP'], [ETHERTYPE_IPV6, 'IPv6'], [ETHERTYPE_VLAN, 'VLAN'], [ETHERTYPE_QINQ, 'QinQ'],
  [ETHERTYPE_MPLS, 'MPLS'], [ETHERTYPE_MPLS_MULTICAST, 'MPLS multicast'], [ETHERTYPE_TEB, 'Ethernet'], [0x88cc, 'LLDP'],
  [0x88b5, 'local experiments'],
]);

/** EtherType of payload that no header announces: for local experiments (IEEE 802-2014 section 9.2.4). */
export const ETHERTYPE_EXPERIMENTAL = 0x88b5;
/** Protocol number of the same, for experiments (RFC 3692). */
export const IPPROTO_EXPERIMENTAL = 253;

/** What an EtherType means; `undefined` when it says no more than its number. */
export function etherTypeMeaning(type: number): string | undefined {
  return ETHERTYPE_NAMES.get(type) ?? (type < ETHERTYPE_MIN ? '802.3 length' : undefined);
}

export function protocolMeaning(protocol: number): string | undefined {
  const name = protocolName(protocol);
  return name === `protocol ${protocol}` ? undefined : name;
}
