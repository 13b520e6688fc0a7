import { GRE_CHECKSUM_PRESENT, GRE_KEY_PRESENT, GRE_SEQUENCE_PRESENT, isGreKnown } from '../gre.js';
import { u16 } from '../header.js';
import { IPPROTO_GRE } from '../ipProtocol.js';
import { encodeTable, NO_BYTES, nextEtherType } from './definition.js';
import type { FieldValues, HeaderDefinition } from './definition.js';
import { fieldTable, flag, number } from './fieldTable.js';
import type { FieldTable } from './fieldTable.js';
import { ETHERTYPE_EXPERIMENTAL, etherTypeMeaning } from './names.js';
import { upperChecksum } from './upperChecksum.js';

/** Fields of GRE (RFC 2784, RFC 2890). A field behind the first four bytes is there when it is given, or when its flag is true. */
export interface GreFields {
  /** True has the checksum computed. Default: whether `checksum` is given. */
  readonly checksumPresent?: boolean;
  /** Default false; RFC 2784 has receivers discard such packets. */
  readonly routingPresent?: boolean;
  /** Default: whether `key` is given. */
  readonly keyPresent?: boolean;
  /** Default: whether `sequence` is given. */
  readonly sequencePresent?: boolean;
  /** 9 bits. Default 0. */
  readonly reserved?: number;
  /** 3 bits. Default 0. */
  readonly version?: number;
  /** u16, EtherType of what follows. Computed: 0x6558 for Ethernet. */
  readonly protocol?: number;
  /** u16. */
  readonly checksum?: number;
  /** u16, behind the checksum. */
  readonly reserved1?: number;
  /** u32. */
  readonly key?: number;
  /** u32. */
  readonly sequence?: number;
}

const FIXED_ROWS = [
  flag('checksumPresent'),
  flag('routingPresent'),
  flag('keyPresent'),
  flag('sequencePresent'),
  number('reserved', 9),
  number('version', 3),
  number('protocol', 16, { default: ETHERTYPE_EXPERIMENTAL, isHex: true, meaning: etherTypeMeaning }),
];
const CHECKSUM_ROWS = [number('checksum', 16, { isHex: true }), number('reserved1', 16)];
const KEY_ROWS = [number('key', 32)];
const SEQUENCE_ROWS = [number('sequence', 32)];

/** Tables by the flags for checksum (4), key (2) and sequence number (1). */
const TABLES = Array.from({ length: 8 }, (_, present) => fieldTable(
  ...FIXED_ROWS, ...((present & 4) !== 0 ? CHECKSUM_ROWS : []), ...((present & 2) !== 0 ? KEY_ROWS : []), ...((present & 1) !== 0 ? SEQUENCE_ROWS : []),
));

const CHECKSUM = upperChecksum(undefined);

/**
 *    0   checksum present, routing present, key present, sequence number present (15-12), reserved (11-3), version (2-0)
 *    2   protocol
 *   +4   checksum and reserved1, key, sequence: each that is present
 */
export const greDefinition: HeaderDefinition = {
  name: 'gre',
  announces: 'etherType',
  ipProtocol: IPPROTO_GRE,
  names: new Set(TABLES[7]!.byName.keys()),
  computed: [
    { name: 'protocol', compute: nextEtherType },
    { ...CHECKSUM, compute: (frame) => (hasChecksum(frame.bytes, frame.at) ? CHECKSUM.compute(frame) : undefined) },
  ],
  table: (bytes, at) => tableOf(u16(bytes, at)),
  encode: (fields: FieldValues) => {
    const presence = {
      checksumPresent: fields['checksumPresent'] ?? (fields['checksum'] !== undefined || fields['reserved1'] !== undefined),
      keyPresent: fields['keyPresent'] ?? fields['key'] !== undefined,
      sequencePresent: fields['sequencePresent'] ?? fields['sequence'] !== undefined,
    };
    const all = { ...fields, ...presence };
    return encodeTable('gre', tableOf(u16(encodeTable('gre', TABLES[0]!, all, NO_BYTES), 0)), all, NO_BYTES);
  },
  readRest: () => ({}),
};

function hasChecksum(bytes: Uint8Array, at: number): boolean {
  const flags = u16(bytes, at);
  return isGreKnown(flags) && (flags & GRE_CHECKSUM_PRESENT) !== 0;
}

function tableOf(flags: number): FieldTable {
  if (!isGreKnown(flags)) return TABLES[0]!;
  const bit = (present: number, weight: number): number => ((flags & present) !== 0 ? weight : 0);
  return TABLES[bit(GRE_CHECKSUM_PRESENT, 4) + bit(GRE_KEY_PRESENT, 2) + bit(GRE_SEQUENCE_PRESENT, 1)]!;
}
