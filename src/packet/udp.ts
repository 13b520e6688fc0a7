import { field, u16 } from './header.js';
import type { Header, HeaderName } from './header.js';

/**
 * UDP header (RFC 768):
 *
 *    0             2             4             6             8
 *   +-------------+-------------+-------------+-------------+---------
 *   | source port | dest. port  | length      | checksum    | payload
 *   +-------------+-------------+-------------+-------------+---------
 *
 * The length includes the header. A checksum of 0 means that there is none; a computed 0 is sent as 0xffff.
 */
export const UDP_SRC_PORT_OFF = 0;
export const UDP_DST_PORT_OFF = 2;
export const UDP_LENGTH_OFF = 4;
export const UDP_CHECKSUM_OFF = 6;
export const UDP_HEADER_BYTES = 8;

/** RFC 7348 section 5. */
export const UDP_PORT_VXLAN = 4789;
/** RFC 8926 section 3.3. */
export const UDP_PORT_GENEVE = 6081;

const FIELDS = [
  field('src_port', UDP_SRC_PORT_OFF, 2),
  field('dst_port', UDP_DST_PORT_OFF, 2),
  field('length', UDP_LENGTH_OFF, 2),
  field('checksum', UDP_CHECKSUM_OFF, 2),
];

/** UDP (RFC 768). */
export const udpHeader: Header = {
  minBytes: UDP_HEADER_BYTES,
  rest: 'rest',
  fields: () => FIELDS,
  lengthBytes: (bytes, at) => {
    const lengthBytes = u16(bytes, at + UDP_LENGTH_OFF);
    // 0 is legal in an IPv6 jumbogram only (RFC 2675 section 4), where the datagram ends with its packet.
    return lengthBytes === 0 || lengthBytes >= UDP_HEADER_BYTES ? UDP_HEADER_BYTES : 0;
  },
  next: (bytes, at) => headerOfUdpPort(u16(bytes, at + UDP_DST_PORT_OFF)),
  payloadEnd: (bytes, at) => {
    const lengthBytes = u16(bytes, at + UDP_LENGTH_OFF);
    return lengthBytes === 0 ? undefined : at + lengthBytes;
  },
};

/** The tunnel header that a destination port announces; `undefined` for any other port. */
function headerOfUdpPort(port: number): HeaderName | undefined {
  switch (port) {
    case UDP_PORT_VXLAN: return 'vxlan';
    case UDP_PORT_GENEVE: return 'geneve';
    default: return undefined;
  }
}
