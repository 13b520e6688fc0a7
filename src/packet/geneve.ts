import { headerOfEtherType } from './ethernet.js';
import { field, u16 } from './header.js';
import type { Header } from './header.js';

/**
 * GENEVE (RFC 8926 section 3.4), inside of UDP to port 6081:
 *
 *    0  version (7-6), length of the options (5-0) in words of 4 bytes
 *    1  control packet (7), critical options present (6), reserved (5-0)
 *    2  protocol type, an EtherType
 *    4  network identifier, 24 bits
 *    7  reserved
 *    8  options, each: class 16 bits, type 8 (highest bit: critical), reserved 3, length of the data 5 in words of 4 bytes, data
 */
export const GENEVE_VERSION_LENGTH_OFF = 0;
export const GENEVE_FLAGS_OFF = 1;
export const GENEVE_PROTOCOL_OFF = 2;
export const GENEVE_VNI_OFF = 4;
export const GENEVE_MIN_BYTES = 8;

export const GENEVE_LENGTH_MASK = 0x3f;

const FIELDS = [
  field('version_length', GENEVE_VERSION_LENGTH_OFF, 1),
  field('flags', GENEVE_FLAGS_OFF, 1),
  field('protocol', GENEVE_PROTOCOL_OFF, 2),
  field('vni', GENEVE_VNI_OFF, 3),
  field('reserved', 7, 1),
];

/** GENEVE (RFC 8926). */
export const geneveHeader: Header = {
  minBytes: GENEVE_MIN_BYTES,
  rest: 'options',
  fields: () => FIELDS,
  lengthBytes: (bytes, at) => {
    const versionLength = bytes[at + GENEVE_VERSION_LENGTH_OFF]!;
    return versionLength >>> 6 === 0 ? GENEVE_MIN_BYTES + (versionLength & GENEVE_LENGTH_MASK) * 4 : 0;
  },
  next: (bytes, at) => headerOfEtherType(u16(bytes, at + GENEVE_PROTOCOL_OFF)),
};
