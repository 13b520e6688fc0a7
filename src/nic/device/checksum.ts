/** The two views of host memory that sums are read through; `HostMemory` has them. */
export interface SumMemory {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
}

/** So much adds up within 32 bits: 2^16 words of 16 bits. */
const RANGE_BYTES_MAX = 131072;

/** A sum below 2^32 with all carries added back in: 16 bits. */
export function fold32(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/**
 * One's complement sum of a range of up to 128 KiB as 16-bit big-endian words, folded to 16 bits (RFC 1071). An odd last byte counts as the high half of
 * a word. Not complemented.
 *
 * RFC 1071 section 2: sums are independent of the byte order but for one swap at the end (B), may be made of longer words (C), and carries
 * may wait (A). So the aligned inside of the range is read as little-endian 32-bit words, whose halves gather in one sum each. A range that
 * begins at an odd address has all its bytes in the other half: one more swap.
 */
export function rangeSum(memory: SumMemory, address: number, lenBytes: number): number {
  if (lenBytes > RANGE_BYTES_MAX) throw new RangeError(`rangeSum: ${lenBytes} bytes`);
  const { u8, u32 } = memory;
  const end = address + lenBytes;
  let at = address;
  let halves = 0;
  for (; (at & 3) !== 0 && at < end; at++) halves += (at & 1) === 0 ? u8[at] : u8[at] << 8;
  const lastWord = end >>> 2;
  let word = at >>> 2;
  let upperHalves = 0;
  for (; word + 4 <= lastWord; word += 4) {
    const a = u32[word];
    const b = u32[word + 1];
    const c = u32[word + 2];
    const d = u32[word + 3];
    halves += (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff);
    upperHalves += (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16);
  }
  for (; word < lastWord; word++) {
    const a = u32[word];
    halves += a & 0xffff;
    upperHalves += a >>> 16;
  }
  if (lastWord * 4 > at) at = lastWord * 4;
  for (; at < end; at++) halves += (at & 1) === 0 ? u8[at] : u8[at] << 8;
  const sum = fold32(halves + upperHalves);
  return (address & 1) === 0 ? swap16(sum) : sum;
}

function swap16(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}

/** Sum of the pseudo header of a packet whose IPv4 or IPv6 header begins at `ip`, not folded (RFC 768, RFC 8200 section 8.1). */
export function pseudoHeaderSum(memory: SumMemory, isIpv6: boolean, ip: number, protocol: number, upperBytes: number): number {
  return protocol + upperBytes + (isIpv6 ? rangeSum(memory, ip + 8, 32) : rangeSum(memory, ip + 12, 8));
}
