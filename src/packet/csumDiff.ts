/**
 * bpf_csum_diff outside of a program: sums as the kernel keeps them, of little-endian 32-bit words, so that tests can compute what their
 * programs compute. A folded one of these, complemented and stored little-endian, is a checksum field (RFC 1071 section 2 (B)).
 */

const TWO_TO_32 = 2 ** 32;

/** Words that can be added up in a double before it must be folded. */
const WORDS_PER_FOLD = 2 ** 20;

/** Folds a sum to 32 bits, carries added back: 0 only for 0, as in one's complement arithmetic. */
function fold32(sum: number): number {
  let folded = sum;
  while (folded >= TWO_TO_32) folded = (folded % TWO_TO_32) + Math.floor(folded / TWO_TO_32);
  return folded;
}

/**
 * csum_partial (arch/x86/lib/csum-partial_64.c, 6.18): one's complement sum of little-endian words, the last one filled with zeros.
 *
 * @example
 * csumPartial(Uint8Array.of(1, 0, 0, 0, 2), 0, 5, 0); // 3
 */
export function csumPartial(bytes: Uint8Array, offBytes: number, lengthBytes: number, seed: number): number {
  const wordsEnd = offBytes + (lengthBytes & ~3);
  const end = offBytes + lengthBytes;
  let sum = seed;
  let at = offBytes;
  for (let words = 1; at < wordsEnd; at += 4, words++) {
    sum += (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
    if (words % WORDS_PER_FOLD === 0) sum = fold32(sum);
  }
  let tail = 0;
  for (let shift = 0; at < end; at++, shift += 8) tail |= bytes[at] << shift;
  return fold32(sum + tail);
}

/**
 * csum_from32to16 (include/net/checksum.h, 6.18).
 *
 * @example
 * csumFrom32To16(0x00010002); // 3
 */
export function csumFrom32To16(sum: number): number {
  const swapped = ((sum >>> 16) | (sum << 16)) >>> 0;
  return ((sum + swapped) >>> 0) >>> 16;
}

/**
 * The sum of `to` minus that of `from`, plus `seed`, as 32 bits that aren't folded (net/core/filter.c, before 6.13; since then the helper
 * folds it by `csumFrom32To16`). An empty range counts as none.
 *
 * @param seed u32
 * @example
 * csumDifference(Uint8Array.of(1, 0, 0, 0, 5, 0, 0, 0), 0, 4, 4, 4, 0); // 4
 */
export function csumDifference(
  bytes: Uint8Array, fromOffBytes: number, fromBytes: number, toOffBytes: number, toBytes: number, seed: number,
): number {
  if (fromBytes > 0 && toBytes > 0) {
    const added = csumPartial(bytes, toOffBytes, toBytes, seed);
    return fold32(added + (~csumPartial(bytes, fromOffBytes, fromBytes, 0) >>> 0));
  }
  if (toBytes > 0) return csumPartial(bytes, toOffBytes, toBytes, seed);
  if (fromBytes > 0) return ~csumPartial(bytes, fromOffBytes, fromBytes, ~seed >>> 0) >>> 0;
  return seed;
}

/**
 * bpf_csum_diff(from, from_size, to, to_size, seed) of 6.18, for bytes that lie in two arrays.
 *
 * @returns 16 bits
 * @example
 * csumDiff(Uint8Array.of(1, 0, 0, 0), Uint8Array.of(5, 0, 0, 0)); // 4
 */
export function csumDiff(from: Uint8Array, to: Uint8Array, seed = 0): number {
  const bytes = new Uint8Array(from.length + to.length);
  bytes.set(from);
  bytes.set(to, from.length);
  return csumFrom32To16(csumDifference(bytes, 0, from.length, from.length, to.length, seed >>> 0));
}

/**
 * The checksum field after `bpf_csum_diff`: what `csum_fold` makes of the old field, complemented, plus the difference, as programs do it
 * with a field that they load as it lies in memory (little-endian).
 *
 * @param checksum field as a little-endian u16
 * @returns the same
 * @example
 * foldIntoChecksum(0xfffe, csumDiff(Uint8Array.of(1, 0, 0, 0), Uint8Array.of(5, 0, 0, 0))); // 0xfffa
 */
export function foldIntoChecksum(checksum: number, difference: number): number {
  return ~csumFrom32To16(fold32((~checksum & 0xffff) + difference)) & 0xffff;
}
