/**
 * Internet checksums (RFC 1071), over big-endian 16-bit words of a byte range; nothing is allocated and nothing is written.
 *
 * A *sum* is a running one's complement sum that isn't folded yet: add ranges and pseudo headers to it in any order, then `fold` it. Every
 * range but the last must have an even length. A sum stays exact (below 2^53) for 2^37 words.
 */

/**
 * Adds `lengthBytes` bytes from `offBytes` on to a sum; an odd last byte counts as the high half of a word.
 *
 * @example
 * addToSum(1, Uint8Array.of(0x12, 0x34, 0x56), 0, 3) === 1 + 0x1234 + 0x5600; // true
 */
export function addToSum(sum: number, bytes: Uint8Array, offBytes: number, lengthBytes: number): number {
  const end = offBytes + lengthBytes;
  const evenEnd = end - (lengthBytes & 1);
  let total = sum;
  for (let i = offBytes; i < evenEnd; i += 2) total += (bytes[i]! << 8) | bytes[i + 1]!;
  if (evenEnd !== end) total += bytes[evenEnd]! << 8;
  return total;
}

/**
 * A sum with all carries added back in: 16 bits.
 *
 * @example
 * fold(0x12345); // 0x2346
 */
export function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

/**
 * Checksum field value for a range whose own checksum field is zero: RFC 1071 section 1.
 *
 * @example
 * internetChecksum(Uint8Array.of(0xff, 0xfe), 0, 2); // 1
 */
export function internetChecksum(bytes: Uint8Array, offBytes: number, lengthBytes: number): number {
  return ~fold(addToSum(0, bytes, offBytes, lengthBytes)) & 0xffff;
}

/**
 * The checksum after one 16-bit word that it covers changed: RFC 1624 equation 3, HC' = ~(~HC + ~m + m').
 * All three are field values as read big-endian.
 *
 * @example
 * updateChecksum(0xffff, 1, 2); // 0xfffe
 */
export function updateChecksum(checksum: number, oldWord: number, newWord: number): number {
  return ~fold((~checksum & 0xffff) + (~oldWord & 0xffff) + newWord) & 0xffff;
}

/**
 * The same after a 32-bit word (an IPv4 address, say) changed.
 *
 * @example
 * updateChecksum32(0xffff, 0x0a000001, 0x0a000002); // 0xfffe
 */
export function updateChecksum32(checksum: number, oldWord: number, newWord: number): number {
  const high = updateChecksum(checksum, oldWord >>> 16, newWord >>> 16);
  return updateChecksum(high, oldWord & 0xffff, newWord & 0xffff);
}

/**
 * The same after a range of bytes that it covers was rewritten, which may have changed its length: RFC 1624 equation 3 over all its words.
 *
 * @param isOdd the range begins in the middle of a 16-bit word of what the checksum covers, so that its bytes change halves (RFC 1071 section 2 (B))
 * @example
 * const [before, after] = [Uint8Array.of(0, 1), Uint8Array.of(0, 2, 0, 3)];
 * updateChecksumRange(0xfffe, before, after); // 0xfffa
 */
export function updateChecksumRange(checksum: number, before: Uint8Array, after: Uint8Array, isOdd = false): number {
  const removed = fold(addToSum(0, before, 0, before.length));
  const added = fold(addToSum(0, after, 0, after.length));
  return isOdd ? updateChecksum(checksum, swapBytes(removed), swapBytes(added)) : updateChecksum(checksum, removed, added);
}

function swapBytes(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}

/**
 * Sum of the IPv4 pseudo header (RFC 768, RFC 9293 section 3.1): source, destination, zero and protocol, upper-layer length.
 *
 * @param ipOffBytes where the IPv4 header begins
 * @param protocol protocol number
 * @param upperLengthBytes length of the upper-layer header with its data
 * @example
 * const bytes = ethernet().ipv4().udp({ checksum: 0 }).payload('hello').build();
 * const sum = addToSum(pseudoHeaderSumV4(bytes, 14, 17, 13), bytes, 34, 13);
 * (~fold(sum) & 0xffff) === decodePacket(ethernet().ipv4().udp().payload('hello').build()).layer('udp')?.fields.checksum; // true
 */
export function pseudoHeaderSumV4(bytes: Uint8Array, ipOffBytes: number, protocol: number, upperLengthBytes: number): number {
  return addToSum(protocol + upperLengthBytes, bytes, ipOffBytes + 12, 8);
}

/**
 * Sum of the IPv6 pseudo header (RFC 8200 section 8.1): source, destination, u32 upper-layer length, next header.
 *
 * @param ipOffBytes where the IPv6 header begins
 * @param nextHeader protocol number of the upper layer, not that of an extension header
 * @param upperLengthBytes length of the upper-layer header with its data
 * @example
 * const bytes = ethernet().ipv6().udp().payload('hello').build();
 * isChecksumValid(pseudoHeaderSumV6(bytes, 14, 17, 13), bytes, 54, 13); // true
 */
export function pseudoHeaderSumV6(bytes: Uint8Array, ipOffBytes: number, nextHeader: number, upperLengthBytes: number): number {
  return addToSum(nextHeader + (upperLengthBytes >>> 16) + (upperLengthBytes & 0xffff), bytes, ipOffBytes + 8, 32);
}

/**
 * Whether a range that includes its checksum field, together with `sum` for a pseudo header (else 0), sums to all ones.
 *
 * @example
 * isChecksumValid(0, ethernet().ipv4().udp().build(), 14, 20); // true, as the sum of an IPv4 header has no pseudo header
 */
export function isChecksumValid(sum: number, bytes: Uint8Array, offBytes: number, lengthBytes: number): boolean {
  return fold(addToSum(sum, bytes, offBytes, lengthBytes)) === 0xffff;
}
