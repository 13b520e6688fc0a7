import {
  ICMP_ECHO_REQUEST, ICMPV6_ECHO_REQUEST, icmpTypeName, icmpv6TypeName, isIcmpEcho, isIcmpv6Echo, isNeighborMessage,
} from '../icmp.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from '../ipProtocol.js';
import type { Address } from './addresses.js';
import { encodeTable, NO_BYTES } from './definition.js';
import type { FieldValues, HeaderDefinition } from './definition.js';
import { address, fieldTable, number } from './fieldTable.js';
import type { FieldTable } from './fieldTable.js';
import { upperChecksum } from './upperChecksum.js';

/** Fields of ICMP (RFC 792). */
export interface IcmpFields {
  /** u8. Default 8, echo request; see `ICMP_UNREACHABLE` and so on. */
  readonly type?: number;
  /** u8. Default 0. */
  readonly code?: number;
  /** u16. Computed. */
  readonly checksum?: number;
  /** u16, of an echo. Default 0. */
  readonly id?: number;
  /** u16, of an echo. Default 0. */
  readonly seq?: number;
  /** u32, the second four bytes of any other type (an MTU, a gateway, …). Default 0. */
  readonly rest?: number;
}

/** Fields of ICMPv6 (RFC 4443), and of neighbor solicitations and advertisements (RFC 4861), whose options are payload. */
export interface Icmpv6Fields {
  /** u8. Default 128, echo request; see `ICMPV6_NEIGHBOR_SOLICITATION` and so on. */
  readonly type?: number;
  /** u8. Default 0. */
  readonly code?: number;
  /** u16. Computed. */
  readonly checksum?: number;
  /** u16, of an echo. Default 0. */
  readonly id?: number;
  /** u16, of an echo. Default 0. */
  readonly seq?: number;
  /** u32, the second four bytes of types that are neither echo nor neighbor messages. Default 0. */
  readonly rest?: number;
  /** u32, of neighbor messages. Default 0. */
  readonly flags?: number;
  /** Of neighbor messages. Default `2001:db8::2`. */
  readonly target?: Address;
}

/** Tables of the types: one for echoes, one for neighbor messages, one for all others. */
interface Tables {
  readonly echo: FieldTable;
  readonly neighbor: FieldTable;
  readonly other: FieldTable;
}

function tablesOf(defaultType: number, typeName: (type: number) => string): Tables {
  const common = [number('type', 8, { default: defaultType, meaning: typeName }), number('code', 8), number('checksum', 16, { isHex: true })];
  return {
    echo: fieldTable(...common, number('id', 16), number('seq', 16)),
    neighbor: fieldTable(...common, number('flags', 32, { isHex: true }), address('target', 'ipv6', '2001:db8::2')),
    other: fieldTable(...common, number('rest', 32)),
  };
}

const ICMP_TABLES = tablesOf(ICMP_ECHO_REQUEST, icmpTypeName);
const ICMPV6_TABLES = tablesOf(ICMPV6_ECHO_REQUEST, icmpv6TypeName);

function icmpTable(type: unknown): FieldTable {
  return isIcmpEcho(type as number) ? ICMP_TABLES.echo : ICMP_TABLES.other;
}

function icmpv6Table(type: unknown): FieldTable {
  if (isNeighborMessage(type as number)) return ICMPV6_TABLES.neighbor;
  return isIcmpv6Echo(type as number) ? ICMPV6_TABLES.echo : ICMPV6_TABLES.other;
}

/** Throws for a field that messages of this type don't have: it would be lost without a word. */
function encodeIcmp(header: string, table: FieldTable, fields: FieldValues): Uint8Array {
  for (const name of Object.keys(fields)) {
    if (fields[name] !== undefined && !table.byName.has(name)) {
      throw new TypeError(`${header}.${name}: messages of type ${String(fields['type'] ?? table.fields[0]!.default)} have no such field`);
    }
  }
  return encodeTable(header, table, fields, NO_BYTES);
}

/**
 *    0  type       echo: 4  id       others: 4  rest       neighbor messages: 4  flags
 *    1  code             6  seq                                               8  target
 *    2  checksum
 */
export const icmpDefinition: HeaderDefinition = {
  name: 'icmp',
  announces: 'nothing',
  ipProtocol: IPPROTO_ICMP,
  names: new Set(['type', 'code', 'checksum', 'id', 'seq', 'rest']),
  computed: [upperChecksum(undefined)],
  table: (bytes, at) => icmpTable(bytes[at]),
  encode: (fields) => encodeIcmp('icmp', icmpTable(fields['type'] ?? ICMP_ECHO_REQUEST), fields),
  readRest: () => ({}),
};

export const icmpv6Definition: HeaderDefinition = {
  name: 'icmpv6',
  announces: 'nothing',
  ipProtocol: IPPROTO_ICMPV6,
  names: new Set(['type', 'code', 'checksum', 'id', 'seq', 'rest', 'flags', 'target']),
  computed: [upperChecksum(IPPROTO_ICMPV6)],
  table: (bytes, at) => icmpv6Table(bytes[at]),
  encode: (fields) => encodeIcmp('icmpv6', icmpv6Table(fields['type'] ?? ICMPV6_ECHO_REQUEST), fields),
  readRest: () => ({}),
};
