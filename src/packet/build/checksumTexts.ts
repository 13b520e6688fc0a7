import { checkChecksums } from '../verifyChecksums.js';

/** What is to be said of each checksum of a packet, by the name of its field: `ipv4.checksum`. */
export function checksumTexts(bytes: Uint8Array): ReadonlyMap<string, string> {
  return new Map(checkChecksums(bytes, 0, bytes.length).map(({ field, state, expected, lengthBytes }) => {
    switch (state) {
      case 'valid': return [field, 'right'];
      case 'absent': return [field, 'none'];
      case 'unverifiable': return [field, 'unverifiable'];
      case 'invalid': return [field, expected === undefined ? 'wrong' : `wrong, should be 0x${expected.toString(16).padStart(2 * lengthBytes, '0')}`];
    }
  }));
}
