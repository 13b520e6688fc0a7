import { EINVAL, ERANGE } from '../../base/index.js';
import { hexDigit, isSpace } from './characters.js';

/** Characters behind space and sign that are looked at (`char str[64]` with its NUL). */
const MAX_DIGITS = 63;

const BASES: readonly number[] = [0, 8, 10, 16];
const ULLONG_MAX = 2n ** 64n - 1n;

/** What a text begins with: space, a sign, a number. */
export interface ParsedNumber {
  /** Characters up to the end of the number, or a negated errno. */
  readonly returned: number;
  /** Without its sign; 0 after an error. */
  readonly magnitude: bigint;
  readonly isNegative: boolean;
}

/** Parses as __bpf_strtoull does (kernel/bpf/helpers.c, 6.18). A base of 0 goes by the prefix: `0x` is 16, `0` is 8. */
export function parseNumber(text: Uint8Array, base: number): ParsedNumber {
  if (!BASES.includes(base) || text.length === 0) return failed(-EINVAL, false);
  let start = 0;
  while (start < text.length && isSpace(text[start])) start++;
  const isNegative = text[start] === 0x2d;
  if (isNegative) start++;
  if (start === text.length) return failed(-EINVAL, isNegative);
  const digits = text.subarray(start, start + MAX_DIGITS);

  // _parse_integer_fixup_radix and _parse_integer (lib/kstrtox.c).
  const hasHexPrefix = digits[0] === 0x30 && (digits[1] | 0x20) === 0x78;
  const guessed = digits[0] !== 0x30 ? 10 : hasHexPrefix && hexDigit(digits[2] ?? 0) >= 0 ? 16 : 8;
  const radix = base === 0 ? guessed : base;
  const first = radix === 16 && hasHexPrefix ? 2 : 0;
  let at = first;
  let magnitude = 0n;
  for (; at < digits.length; at++) {
    const digit = hexDigit(digits[at]);
    if (digit < 0 || digit >= radix) break;
    magnitude = magnitude * BigInt(radix) + BigInt(digit);
  }
  if (magnitude > ULLONG_MAX) return failed(-ERANGE, isNegative);
  return at === first ? failed(-EINVAL, isNegative) : { returned: start + at, magnitude, isNegative };
}

function failed(errno: number, isNegative: boolean): ParsedNumber {
  return { returned: errno, magnitude: 0n, isNegative };
}
