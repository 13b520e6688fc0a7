import { field } from './header.js';
import type { Header, HeaderName } from './header.js';

/**
 * One entry of an MPLS label stack (RFC 3032 section 2.1):
 *
 *    0                      2                4
 *   +-------+--------------+-----+---+-------+---------
 *   | label (31-12)        | tc  | S |  ttl  | next entry, or payload after the bottom of the stack (S)
 *   +-------+--------------+-----+---+-------+---------
 *                           11-9   8    7-0
 */
export const MPLS_ENTRY_OFF = 0;
export const MPLS_TTL_OFF = 3;
export const MPLS_HEADER_BYTES = 4;

export const MPLS_LABEL_SHIFT = 12;
export const MPLS_BOTTOM = 0x100;

const FIELDS = [field('label_tc_bottom', MPLS_ENTRY_OFF, 3), field('ttl', MPLS_TTL_OFF, 1)];

/** An entry of an MPLS label stack (RFC 3032). */
export const mplsHeader: Header = {
  minBytes: MPLS_HEADER_BYTES,
  rest: 'rest',
  fields: () => FIELDS,
  lengthBytes: () => MPLS_HEADER_BYTES,
  next: (bytes, at, end) => {
    if ((bytes[at + 2]! & 1) === 0) return 'mpls';
    return at + MPLS_HEADER_BYTES < end ? headerOfVersion(bytes[at + MPLS_HEADER_BYTES]! >>> 4) : undefined;
  },
};

/** The label alone knows what it carries; routers guess by the first four bits, which no pseudowire begins with (RFC 4385 section 2). */
function headerOfVersion(version: number): HeaderName | undefined {
  if (version === 4) return 'ipv4';
  return version === 6 ? 'ipv6' : undefined;
}
