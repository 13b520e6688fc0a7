import type { HostMemory } from '../../memory/index.js';

const JHASH_INITVAL = 0xdeadbeef;

/**
 * Jenkins' lookup3 (Bob Jenkins, public domain) of `sizeBytes` at any address: jhash() of include/linux/jhash.h, and for whole words
 * jhash2(), which on a little-endian machine gives the same.
 *
 * @returns 32 bits, signed
 */
export function jhash({ u8, view }: HostMemory, address: number, sizeBytes: number, seed: number): number {
  let left = sizeBytes;
  let at = address;
  let a = (JHASH_INITVAL + left + seed) | 0;
  let b = a;
  let c = a;
  for (; left > 12; left -= 12, at += 12) {
    a = (a + view.getInt32(at, true)) | 0;
    b = (b + view.getInt32(at + 4, true)) | 0;
    c = (c + view.getInt32(at + 8, true)) | 0;
    a = (a - c) ^ rotate(c, 4); c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 6); a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 8); b = (b + a) | 0;
    a = (a - c) ^ rotate(c, 16); c = (c + b) | 0;
    b = (b - a) ^ rotate(a, 19); a = (a + c) | 0;
    c = (c - b) ^ rotate(b, 4); b = (b + a) | 0;
  }
  if (left === 0) return c;
  for (let byte = 0; byte < left; byte++) {
    const part = u8[at + byte] << ((byte & 3) * 8);
    if (byte < 4) a = (a + part) | 0;
    else if (byte < 8) b = (b + part) | 0;
    else c = (c + part) | 0;
  }
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  return ((c ^ b) - rotate(b, 24)) | 0;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
