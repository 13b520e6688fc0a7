import { headerOfEtherType } from './ethernet.js';
import { field, u16 } from './header.js';
import type { Header, HeaderField } from './header.js';

/**
 * GRE (RFC 2784, key and sequence number RFC 2890). What the flags announce follows in this order, 4 bytes each:
 *
 *    0  checksum present (15), routing present (14), key present (13), sequence number present (12), reserved (11-3), version (2-0)
 *    2  protocol type, an EtherType
 *    4  checksum over header and payload, reserved
 *       key
 *       sequence number
 *
 * RFC 2784 has receivers discard packets with the routing bit or another version: those are not taken apart further.
 */
export const GRE_FLAGS_OFF = 0;
export const GRE_PROTOCOL_OFF = 2;
export const GRE_CHECKSUM_OFF = 4;
export const GRE_MIN_BYTES = 4;

export const GRE_CHECKSUM_PRESENT = 0x8000;
export const GRE_ROUTING_PRESENT = 0x4000;
export const GRE_KEY_PRESENT = 0x2000;
export const GRE_SEQUENCE_PRESENT = 0x1000;
export const GRE_VERSION_MASK = 0x0007;

/**
 * Whether the header is of the kind whose optional fields are known.
 *
 * @example
 * isGreKnown(0x2000); // true, a key
 */
export function isGreKnown(flags: number): boolean {
  return (flags & (GRE_ROUTING_PRESENT | GRE_VERSION_MASK)) === 0;
}

/** GRE (RFC 2784, RFC 2890). */
export const greHeader: Header = {
  minBytes: GRE_MIN_BYTES,
  rest: 'rest',
  fields: (bytes, at) => {
    const flags = u16(bytes, at + GRE_FLAGS_OFF);
    const fields: HeaderField[] = [field('flags', GRE_FLAGS_OFF, 2), field('protocol', GRE_PROTOCOL_OFF, 2)];
    if (!isGreKnown(flags)) return fields;
    if ((flags & GRE_CHECKSUM_PRESENT) !== 0) fields.push(field('checksum', GRE_CHECKSUM_OFF, 2), field('reserved', GRE_CHECKSUM_OFF + 2, 2));
    let offBytes = fields.length === 2 ? GRE_CHECKSUM_OFF : GRE_CHECKSUM_OFF + 4;
    if ((flags & GRE_KEY_PRESENT) !== 0) {
      fields.push(field('key', offBytes, 4));
      offBytes += 4;
    }
    if ((flags & GRE_SEQUENCE_PRESENT) !== 0) fields.push(field('sequence', offBytes, 4));
    return fields;
  },
  lengthBytes: (bytes, at) => {
    const flags = u16(bytes, at + GRE_FLAGS_OFF);
    const present = [GRE_CHECKSUM_PRESENT, GRE_KEY_PRESENT, GRE_SEQUENCE_PRESENT].filter((flag) => (flags & flag) !== 0);
    return GRE_MIN_BYTES + (isGreKnown(flags) ? 4 * present.length : 0);
  },
  next: (bytes, at) => (isGreKnown(u16(bytes, at + GRE_FLAGS_OFF)) ? headerOfEtherType(u16(bytes, at + GRE_PROTOCOL_OFF)) : undefined),
};
