import { IPPROTO_AH, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT, IPPROTO_HOPOPTS, IPPROTO_ROUTING } from '../ipProtocol.js';
import { AH_MIN_BYTES, IPV6_ADDRESS_BYTES, IPV6_EXT_MIN_BYTES, ROUTING_TYPE_SEGMENT } from '../ipv6.js';
import { ipv6Bytes } from './addresses.js';
import type { Address } from './addresses.js';
import { encodeTable, fixedHeader, joinPieces } from './definition.js';
import type { ComputedField, FieldValues, HeaderDefinition, Pieces } from './definition.js';
import { fieldTable, flag, number } from './fieldTable.js';
import { nextHeaderOf } from './ipv6.js';
import { IPPROTO_EXPERIMENTAL, protocolMeaning } from './names.js';
import { padN } from './options.js';
import { ipv6OptionTexts } from './optionTexts.js';

/** Fields of hop-by-hop and destination options (RFC 8200 sections 4.3 and 4.6). */
export interface Ipv6OptionsFields {
  /** u8. Computed. */
  readonly nextHeader?: number;
  /** u8, in units of 8 bytes without the first 8. Computed. */
  readonly length?: number;
  /** Filled up with a PadN option to a whole unit. Default a PadN alone. */
  readonly options?: Pieces;
}

/** Fields of a routing header (RFC 8200 section 4.4). */
export interface RoutingFields {
  /** u8. Computed. */
  readonly nextHeader?: number;
  /** u8, in units of 8 bytes without the first 8. Computed. */
  readonly length?: number;
  /** u8. Default 4, segment routing (RFC 8754). */
  readonly type?: number;
  /** u8. Default 0: the packet is where it should go, and `ipv6.dst` its final destination. */
  readonly segmentsLeft?: number;
  /** The addresses as the wire has them: of type 4 the last segment first. Default none. A decoded header has them in `data`. */
  readonly segments?: readonly Address[];
  /** All that is behind `segmentsLeft`, in place of `segments`; 4 bytes and a multiple of 8. */
  readonly data?: Uint8Array;
}

/** Fields of a fragment header (RFC 8200 section 4.5). To have fragments made, see `fragments`. */
export interface FragmentFields {
  /** u8. Computed. */
  readonly nextHeader?: number;
  /** u8. Default 0. */
  readonly reserved?: number;
  /** 13 bits, in units of 8 bytes. Default 0. */
  readonly fragmentOffset?: number;
  /** 2 bits. Default 0. */
  readonly reserved2?: number;
  /** Default false. */
  readonly moreFragments?: boolean;
  /** u32. Default 0. */
  readonly id?: number;
}

/** Fields of an authentication header (RFC 4302 section 2). */
export interface AuthenticationFields {
  /** u8. Computed. */
  readonly nextHeader?: number;
  /** u8, in units of 4 bytes without the first 8. Computed. */
  readonly length?: number;
  /** u16. Default 0. */
  readonly reserved?: number;
  /** u32, security parameters index. Default 256. */
  readonly spi?: number;
  /** u32. Default 1. */
  readonly sequence?: number;
  /** Integrity check value; zeros are as good as any here. Default 12 zeros; over IPv6 a multiple of 8 plus 4 bytes. */
  readonly icv?: Uint8Array;
}

const NEXT_HEADER = number('nextHeader', 8, { default: IPPROTO_EXPERIMENTAL, meaning: protocolMeaning });
const NEXT: ComputedField = { name: 'nextHeader', compute: nextHeaderOf };
const UNIT_BYTES = 8;

function lengthRow(unitBytes: number): ReturnType<typeof number> {
  return number('length', 8, { meaning: (units) => `${IPV6_EXT_MIN_BYTES + units * unitBytes} bytes` });
}

function lengthOf(unitBytes: number): ComputedField {
  return { name: 'length', compute: ({ headerBytes }) => (headerBytes - IPV6_EXT_MIN_BYTES) / unitBytes };
}

/**
 *    0              8                    16
 *   +--------------+--------------------+---------
 *   | next header  | length             | options, to the end of a unit of 8 bytes
 *   +--------------+--------------------+---------
 */
function optionsHeader(name: 'hopopts' | 'dstopts', ipProtocol: number): HeaderDefinition {
  const table = fieldTable(NEXT_HEADER, lengthRow(UNIT_BYTES));
  return fixedHeader({
    name,
    announces: 'ipProtocol',
    ipProtocol,
    fields: table,
    rest: 'options',
    restMeaning: ipv6OptionTexts,
    encode: (fields: FieldValues) => {
      const options = joinPieces(name, 'options', fields['options'], 1);
      const beyondBytes = (table.lengthBytes + options.length) % UNIT_BYTES;
      const padding = padN(beyondBytes === 0 ? 0 : UNIT_BYTES - beyondBytes);
      return encodeTable(name, table, fields, joinPieces(name, 'options', [options, padding], 1));
    },
    computed: [NEXT, lengthOf(UNIT_BYTES)],
  });
}

export const hopByHopDefinition = optionsHeader('hopopts', IPPROTO_HOPOPTS);
export const destinationOptionsDefinition = optionsHeader('dstopts', IPPROTO_DSTOPTS);

const ROUTING_TABLE = fieldTable(NEXT_HEADER, lengthRow(UNIT_BYTES), number('type', 8, { default: ROUTING_TYPE_SEGMENT }), number('segmentsLeft', 8));

/**
 *    0              8                    16          24                32
 *   +--------------+--------------------+-----------+-----------------+---------
 *   | next header  | length             | type      | segments left   | data: 4 bytes by type, then addresses
 *   +--------------+--------------------+-----------+-----------------+---------
 *
 * Type 4 has the index of the last address, flags and a tag (u16) before the addresses (RFC 8754 section 2).
 */
export const routingDefinition = fixedHeader({
  name: 'routing',
  announces: 'ipProtocol',
  ipProtocol: IPPROTO_ROUTING,
  fields: ROUTING_TABLE,
  rest: 'data',
  names: new Set([...ROUTING_TABLE.byName.keys(), 'segments', 'data']),
  encode: (fields: FieldValues) => encodeTable('routing', ROUTING_TABLE, fields, routingData(fields)),
  computed: [NEXT, lengthOf(UNIT_BYTES)],
});

function routingData({ type, segments = [], data }: FieldValues): Uint8Array {
  if (data !== undefined) return checkMultiple('routing', 'data', joinPieces('routing', 'data', data, 1), ROUTING_TABLE.lengthBytes, UNIT_BYTES);
  const addresses = (segments as readonly Address[]).map((segment) => ipv6Bytes(segment, 'routing', 'segments'));
  const bytes = new Uint8Array(4 + addresses.length * IPV6_ADDRESS_BYTES);
  if ((type ?? ROUTING_TYPE_SEGMENT) === ROUTING_TYPE_SEGMENT) bytes[0] = Math.max(0, addresses.length - 1);
  addresses.forEach((each, i) => bytes.set(each, 4 + i * IPV6_ADDRESS_BYTES));
  return bytes;
}

/**
 *    0              8           16                       29          31  32
 *   +--------------+-----------+------------------------+-----------+---+---------------------
 *   | next header  | reserved  | fragment offset        | reserved2 | M | id, 32 bits
 *   +--------------+-----------+------------------------+-----------+---+---------------------
 */
export const fragmentDefinition = fixedHeader({
  name: 'fragment',
  announces: 'ipProtocol',
  ipProtocol: IPPROTO_FRAGMENT,
  fields: fieldTable(
    NEXT_HEADER,
    number('reserved', 8),
    number('fragmentOffset', 13, { meaning: (units) => (units === 0 ? undefined : `${units * 8} bytes`) }),
    number('reserved2', 2),
    flag('moreFragments'),
    number('id', 32, { isHex: true }),
  ),
  computed: [NEXT],
});

const AH_TABLE = fieldTable(NEXT_HEADER, lengthRow(4), number('reserved', 16), number('spi', 32, { default: 256, isHex: true }), number('sequence', 32, { default: 1 }));
const AH_ICV = new Uint8Array(12);

/**
 *    0              8           16                       32         64                96
 *   +--------------+-----------+------------------------+----------+-----------------+---------
 *   | next header  | length    | reserved               | spi      | sequence number | icv
 *   +--------------+-----------+------------------------+----------+-----------------+---------
 */
export const authenticationDefinition = fixedHeader({
  name: 'ah',
  announces: 'ipProtocol',
  ipProtocol: IPPROTO_AH,
  fields: AH_TABLE,
  rest: 'icv',
  encode: (fields: FieldValues) => encodeTable('ah', AH_TABLE, fields, checkMultiple('ah', 'icv', joinPieces('ah', 'icv', fields['icv'] ?? AH_ICV, 1), AH_MIN_BYTES, 4)),
  computed: [NEXT, lengthOf(4)],
});

/** Throws when a header would not be a whole number of units long. */
function checkMultiple(header: string, field: string, bytes: Uint8Array, before: number, unitBytes: number): Uint8Array {
  if ((before + bytes.length) % unitBytes === 0) return bytes;
  throw new RangeError(`${header}.${field}: with ${bytes.length} bytes the header isn't a multiple of ${unitBytes} bytes long`);
}
