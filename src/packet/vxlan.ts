import { field } from './header.js';
import type { Header } from './header.js';

/**
 * VXLAN (RFC 7348 section 5), inside of UDP to port 4789, around an Ethernet frame:
 *
 *    0  flags: the identifier is valid (3), others reserved
 *    1  reserved
 *    4  network identifier, 24 bits
 *    7  reserved
 */
export const VXLAN_FLAGS_OFF = 0;
export const VXLAN_VNI_OFF = 4;
export const VXLAN_HEADER_BYTES = 8;

export const VXLAN_VNI_VALID = 0x08;

const FIELDS = [field('flags', VXLAN_FLAGS_OFF, 1), field('reserved', 1, 3), field('vni', VXLAN_VNI_OFF, 3), field('reserved2', 7, 1)];

/** VXLAN (RFC 7348). */
export const vxlanHeader: Header = {
  minBytes: VXLAN_HEADER_BYTES,
  rest: 'rest',
  fields: () => FIELDS,
  lengthBytes: () => VXLAN_HEADER_BYTES,
  next: (_, at, end) => (at + VXLAN_HEADER_BYTES < end ? 'eth' : undefined),
};
