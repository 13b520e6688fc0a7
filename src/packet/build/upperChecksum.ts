import { addToSum, fold } from '../checksum.js';
import { pseudoHeaderSum } from '../ipPacket.js';
import { wrongChecksum } from './definition.js';
import type { Completion, ComputedField } from './definition.js';

/**
 * The checksum of an upper-layer header over itself and all that it carries.
 *
 * @param protocol that of the pseudo header; `undefined` for a checksum without one
 */
export function upperChecksum(protocol: number | undefined): ComputedField {
  return { name: 'checksum', compute: (frame) => checksumOf(frame, protocol), wrong: wrongChecksum };
}

/** The same for UDP, where 0 says that there is none, and a computed 0 goes out as 0xffff (RFC 768). */
export function udpChecksum(protocol: number): ComputedField {
  return { name: 'checksum', compute: (frame) => checksumOf(frame, protocol) || 0xffff, wrong: wrongChecksum };
}

function checksumOf({ bytes, at, endBytes, ip }: Completion, protocol: number | undefined): number {
  const pseudo = protocol === undefined || ip === undefined ? 0 : pseudoHeaderSum(bytes, ip, protocol, endBytes - at);
  return ~fold(addToSum(pseudo, bytes, at, endBytes - at)) & 0xffff;
}
