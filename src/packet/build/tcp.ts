import { IPPROTO_TCP } from '../ipProtocol.js';
import { formatTcpFlags, TCP_ACK, TCP_CWR, TCP_ECE, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, TCP_URG } from '../tcp.js';
import { encodeTable, fixedHeader, joinPieces } from './definition.js';
import type { FieldValues, Pieces } from './definition.js';
import { fieldTable, number } from './fieldTable.js';
import { tcpOptionTexts } from './optionTexts.js';
import { upperChecksum } from './upperChecksum.js';

/** Fields of TCP (RFC 9293 section 3.1). */
export interface TcpFields {
  /** u16. Default 49152. */
  readonly src?: number;
  /** u16. Default 80. */
  readonly dst?: number;
  /** u32. Default 0. */
  readonly seq?: number;
  /** u32. Default 0. */
  readonly ack?: number;
  /** 4 bits, length of the header in words of 4 bytes. Computed. */
  readonly dataOffset?: number;
  /** 4 bits. Default 0. */
  readonly reserved?: number;
  /** u8 of `TCP_SYN` and so on, or letters out of `FSRPAUEC`, where `.` is `A`: `'S'`, `'SA'`, `'P.'`. Default `'A'`. Decoded it is a number. */
  readonly flags?: number | string;
  /** u16. Default 65535. */
  readonly window?: number;
  /** u16. Computed. */
  readonly checksum?: number;
  /** u16. Default 0. */
  readonly urgent?: number;
  /** Up to 40 bytes, filled up with zeros to a multiple of 4. Default none. */
  readonly options?: Pieces;
}

const FLAG_OF_LETTER: Readonly<Record<string, number>> = {
  F: TCP_FIN, S: TCP_SYN, R: TCP_RST, P: TCP_PSH, A: TCP_ACK, '.': TCP_ACK, U: TCP_URG, E: TCP_ECE, C: TCP_CWR, W: TCP_CWR,
};

function flagsOf(letters: string): number {
  let flags = 0;
  for (const letter of letters) {
    const bit = FLAG_OF_LETTER[letter];
    if (bit === undefined) throw new TypeError(`tcp.flags: '${letter}' in '${letters}' is no flag; they are F, S, R, P, A or ., U, E, C or W`);
    flags |= bit;
  }
  return flags;
}

const TABLE = fieldTable(
  number('src', 16, { default: 49152 }),
  number('dst', 16, { default: 80 }),
  number('seq', 32),
  number('ack', 32),
  number('dataOffset', 4, { default: 5, meaning: (words) => `${words * 4} bytes` }),
  number('reserved', 4),
  number('flags', 8, { default: TCP_ACK, isHex: true, meaning: formatTcpFlags }),
  number('window', 16, { default: 0xffff }),
  number('checksum', 16, { isHex: true }),
  number('urgent', 16),
);

/**
 *    0  src                               13  flags: CWR ECE URG ACK PSH RST SYN FIN (7-0)
 *    2  dst                               14  window
 *    4  seq                               16  checksum
 *    8  ack                               18  urgent
 *   12  data offset (7-4), reserved (3-0) 20  options, up to the data offset
 */
export const tcpDefinition = fixedHeader({
  name: 'tcp',
  announces: 'nothing',
  ipProtocol: IPPROTO_TCP,
  fields: TABLE,
  rest: 'options',
  restMeaning: tcpOptionTexts,
  encode: (fields: FieldValues) => {
    const { flags } = fields;
    const numeric = typeof flags === 'string' ? { ...fields, flags: flagsOf(flags) } : fields;
    return encodeTable('tcp', TABLE, numeric, joinPieces('tcp', 'options', fields['options'], 4));
  },
  computed: [{ name: 'dataOffset', compute: ({ headerBytes }) => headerBytes / 4 }, upperChecksum(IPPROTO_TCP)],
});
