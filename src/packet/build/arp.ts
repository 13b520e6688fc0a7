import { ARP_FIXED_BYTES, ARP_HTYPE_ETHERNET, ARP_IPV4_BYTES, ARP_REPLY, ARP_REQUEST, isArpForIpv4 } from '../arp.js';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4 } from '../ethernet.js';
import type { Address } from './addresses.js';
import { encodeTable, joinPieces, NO_BYTES } from './definition.js';
import type { FieldValues, HeaderDefinition } from './definition.js';
import { address, fieldTable, number } from './fieldTable.js';
import { etherTypeMeaning } from './names.js';

/** Fields of ARP (RFC 826). */
export interface ArpFields {
  /** u16, hardware type. Default 1, Ethernet. */
  readonly htype?: number;
  /** u16, protocol type. Default 0x0800, IPv4. */
  readonly ptype?: number;
  /** u8, length of hardware addresses in bytes. Default 6. */
  readonly hlen?: number;
  /** u8, length of protocol addresses in bytes. Default 4. */
  readonly plen?: number;
  /** u16, operation. Default 1, `ARP_REQUEST`. */
  readonly oper?: number;
  /** Sender's hardware address. Default `02:00:00:00:00:01`. */
  readonly sha?: Address;
  /** Sender's protocol address. Default `10.0.0.1`. */
  readonly spa?: Address;
  /** Target's hardware address. Default `00:00:00:00:00:00`. */
  readonly tha?: Address;
  /** Target's protocol address. Default `10.0.0.2`. */
  readonly tpa?: Address;
  /** All four in one, for an ARP that isn't for Ethernet and IPv4; a decoded one has them only then. */
  readonly addresses?: Uint8Array;
}

function operationMeaning(oper: number): string | undefined {
  if (oper === ARP_REQUEST) return 'request';
  return oper === ARP_REPLY ? 'reply' : undefined;
}

const FIXED_ROWS = [
  number('htype', 16, { default: ARP_HTYPE_ETHERNET, meaning: (htype) => (htype === ARP_HTYPE_ETHERNET ? 'Ethernet' : undefined) }),
  number('ptype', 16, { default: ETHERTYPE_IPV4, isHex: true, meaning: etherTypeMeaning }),
  number('hlen', 8, { default: 6 }),
  number('plen', 8, { default: 4 }),
  number('oper', 16, { default: ARP_REQUEST, meaning: operationMeaning }),
];
const FIXED = fieldTable(...FIXED_ROWS);
const FOR_IPV4 = fieldTable(
  ...FIXED_ROWS,
  address('sha', 'mac', '02:00:00:00:00:01'),
  address('spa', 'ipv4', '10.0.0.1'),
  address('tha', 'mac', '00:00:00:00:00:00'),
  address('tpa', 'ipv4', '10.0.0.2'),
);

/**
 *    0       2       4      5      6       8            14           18           24           28
 *   +-------+-------+------+------+-------+------------+------------+------------+------------+
 *   | htype | ptype | hlen | plen | oper  | sha        | spa        | tha        | tpa        |
 *   +-------+-------+------+------+-------+------------+------------+------------+------------+
 */
export const arpDefinition: HeaderDefinition = {
  name: 'arp',
  announces: 'nothing',
  etherType: ETHERTYPE_ARP,
  names: new Set([...FOR_IPV4.byName.keys(), 'addresses']),
  computed: [],
  table: (bytes, at) => (isArpForIpv4(bytes, at) ? FOR_IPV4 : FIXED),
  encode: (fields: FieldValues) => {
    if (fields['addresses'] === undefined) return encodeTable('arp', FOR_IPV4, fields, NO_BYTES);
    return encodeTable('arp', FIXED, fields, joinPieces('arp', 'addresses', fields['addresses'], 1));
  },
  readRest: (bytes, at, lengthBytes) => {
    const isForIpv4 = lengthBytes === ARP_IPV4_BYTES && isArpForIpv4(bytes, at);
    return isForIpv4 ? {} : { addresses: bytes.slice(at + ARP_FIXED_BYTES, at + lengthBytes) };
  },
};
