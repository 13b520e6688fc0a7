import { ETHERTYPE_TEB } from '../ethernet.js';
import { GENEVE_MIN_BYTES } from '../geneve.js';
import { UDP_PORT_GENEVE } from '../udp.js';
import { fixedHeader, nextEtherType } from './definition.js';
import type { Pieces } from './definition.js';
import { fieldTable, flag, number } from './fieldTable.js';
import { etherTypeMeaning } from './names.js';
import { geneveOptionTexts } from './optionTexts.js';

/** Fields of GENEVE (RFC 8926 section 3.4). */
export interface GeneveFields {
  /** 2 bits. Default 0. */
  readonly version?: number;
  /** 6 bits, length of the options in words of 4 bytes. Computed. */
  readonly optionsLength?: number;
  /** A packet for the endpoint itself. Default false. */
  readonly control?: boolean;
  /** There are critical options. Default false. */
  readonly critical?: boolean;
  /** 6 bits. Default 0. */
  readonly reserved?: number;
  /** u16, EtherType of what follows. Computed: 0x6558 for Ethernet. */
  readonly protocol?: number;
  /** 24 bits, network identifier. Default 1. */
  readonly vni?: number;
  /** u8. Default 0. */
  readonly reserved2?: number;
  /** Up to 252 bytes, see `geneveOption`; filled up with zeros to a multiple of 4. Default none. */
  readonly options?: Pieces;
}

/**
 *    0  version (7-6), options length (5-0)
 *    1  control (7), critical (6), reserved (5-0)
 *    2  protocol
 *    4  vni, 24 bits
 *    7  reserved2
 *    8  options
 */
export const geneveDefinition = fixedHeader({
  name: 'geneve',
  announces: 'etherType',
  udpPort: UDP_PORT_GENEVE,
  fields: fieldTable(
    number('version', 2),
    number('optionsLength', 6, { meaning: (words) => `${words * 4} bytes` }),
    flag('control'),
    flag('critical'),
    number('reserved', 6),
    number('protocol', 16, { default: ETHERTYPE_TEB, isHex: true, meaning: etherTypeMeaning }),
    number('vni', 24, { default: 1 }),
    number('reserved2', 8),
  ),
  rest: 'options',
  restMeaning: geneveOptionTexts,
  unitBytes: 4,
  computed: [
    { name: 'optionsLength', compute: ({ headerBytes }) => (headerBytes - GENEVE_MIN_BYTES) / 4 },
    { name: 'protocol', compute: nextEtherType },
  ],
});
