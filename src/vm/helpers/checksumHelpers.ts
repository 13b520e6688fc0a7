import type { HostMemory } from '../../memory/index.js';
import { RETURN_INT } from '../layout.js';
import type { HelperSupport } from './helper.js';

const TWO_TO_32 = 2 ** 32;

/** Words that can be added up in a double before it must be folded. */
const WORDS_PER_FOLD = 2 ** 20;

/** Folds a sum to 32 bits, carries added back: 0 only for 0, as in one's complement arithmetic. */
function fold32(sum: number): number {
  let folded = sum;
  while (folded >= TWO_TO_32) folded = (folded % TWO_TO_32) + Math.floor(folded / TWO_TO_32);
  return folded;
}

/** csum_partial (arch/x86/lib/csum-partial_64.c): one's complement sum of little-endian words, the last one filled with zeros. */
function csumPartial(memory: HostMemory, address: number, sizeBytes: number, seed: number): number {
  const { u8, view } = memory;
  const wordsEnd = address + (sizeBytes & ~3);
  const end = address + sizeBytes;
  let sum = seed;
  let at = address;
  for (let words = 1; at < wordsEnd; at += 4, words++) {
    sum += view.getUint32(at, true);
    if (words % WORDS_PER_FOLD === 0) sum = fold32(sum);
  }
  let tail = 0;
  for (let shift = 0; at < end; at++, shift += 8) tail |= u8[at] << shift;
  return fold32(sum + tail);
}

/** csum_from32to16 (include/net/checksum.h). */
function fold16(sum: number): number {
  const swapped = ((sum >>> 16) | (sum << 16)) >>> 0;
  return ((sum + swapped) >>> 0) >>> 16;
}

/**
 * bpf_csum_diff(from, from_size, to, to_size, seed) (net/core/filter.c; since 6.13 the result is folded to 16 bits and sizes
 * needn't be multiples of 4): the sum of `to` minus that of `from`, plus `seed`.
 */
export const csumDiff: HelperSupport = {
  args: ['ptr_to_mem_or_null', 'const_size_or_zero', 'ptr_to_mem_or_null', 'const_size_or_zero', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory }) => (from, fromSize, to, toSize, seed) => {
    if (!args.isSize(2, true) || !args.isSize(4, true)) return 0;
    if (fromSize > 0 && !args.isMemory(1, fromSize, false)) return 0;
    if (toSize > 0 && !args.isMemory(3, toSize, false)) return 0;
    const start = seed >>> 0;
    if (fromSize > 0 && toSize > 0) {
      const added = csumPartial(memory, to >>> 0, toSize, start);
      const removed = csumPartial(memory, from >>> 0, fromSize, 0);
      return fold16(fold32(added + (~removed >>> 0)));
    }
    if (toSize > 0) return fold16(csumPartial(memory, to >>> 0, toSize, start));
    if (fromSize > 0) return fold16(~csumPartial(memory, from >>> 0, fromSize, ~start >>> 0) >>> 0);
    return fold16(start);
  },
};
