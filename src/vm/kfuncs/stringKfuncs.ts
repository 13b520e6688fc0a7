import { E2BIG, EFAULT, ENOENT, ERANGE } from '../../base/index.js';
import type { HelperContext, HelperSupport } from '../helpers/helper.js';
import { RETURN_INT } from '../layout.js';
import { kernelAddress } from './kernelAddress.js';

// Strings (kernel/bpf/helpers.c, 6.18). They may lie anywhere in kernel memory, that is in host memory here, whether the program may touch it
// or not: the kernel reads byte by byte and gives -EFAULT where nothing is mapped. A string that doesn't end goes on in what lies behind it.

/** XATTR_SIZE_MAX: bytes that are looked at before the answer is -E2BIG. */
const MAX_BYTES = 65536;

/** Kernel functions get a `char` in a register, of which they look at the lowest byte; the kernel's is unsigned (-funsigned-char). */
const CHAR = 0xff;

/** Works on all of host memory, with addresses of strings; gives an index, a length, an order, or a negated errno. */
type OneString = (u8: Uint8Array, s: number, count: number, c: number) => number;
type TwoStrings = (u8: Uint8Array, s1: number, s2: number, count: number) => number;

/** A `size_t`, as far as it matters: nothing looks at more than MAX_BYTES. */
function sizeArgument({ args }: HelperContext, register: number, low: number): number {
  return args.upperHalf(register) === 0 ? low >>> 0 : 0xffffffff;
}

function ofOne(call: OneString, countRegister = 0, charRegister = 0): HelperSupport {
  return {
    args: ['anything', 'anything', 'anything'],
    returns: RETURN_INT,
    make: (context) => (s, r2, r3) => {
      const address = kernelAddress(context, 1, s);
      if (address < 0) return -ERANGE;
      const count = countRegister === 0 ? MAX_BYTES : sizeArgument(context, countRegister, r2);
      return call(context.memory.u8, address, count, (charRegister === 2 ? r2 : r3) & CHAR);
    },
  };
}

function ofTwo(call: TwoStrings, countRegister = 0): HelperSupport {
  return {
    args: ['anything', 'anything', 'anything'],
    returns: RETURN_INT,
    make: (context) => (s1, s2, r3) => {
      const [first, second] = [kernelAddress(context, 1, s1), kernelAddress(context, 2, s2)];
      if (first < 0 || second < 0) return -ERANGE;
      return call(context.memory.u8, first, second, countRegister === 0 ? MAX_BYTES : sizeArgument(context, countRegister, r3));
    },
  };
}

/** Byte of memory, -1 where none is mapped. */
function byteAt(u8: Uint8Array, address: number): number {
  return address < u8.length ? u8[address]! : -1;
}

/** bpf_strlen(s), bpf_strnlen(s, count): bytes before the NUL, at most `count`. */
const length: OneString = (u8, s, count) => {
  const limit = Math.min(count, MAX_BYTES);
  for (let i = 0; i < limit; i++) {
    const byte = byteAt(u8, s + i);
    if (byte < 0) return -EFAULT;
    if (byte === 0) return i;
  }
  return limit === MAX_BYTES ? -E2BIG : limit;
};

/** bpf_strchr(s, c), bpf_strnchr(s, count, c): where `c` is first; that may be the NUL. */
const firstChar: OneString = (u8, s, count, c) => {
  const limit = Math.min(count, MAX_BYTES);
  for (let i = 0; i < limit; i++) {
    const byte = byteAt(u8, s + i);
    if (byte < 0) return -EFAULT;
    if (byte === c) return i;
    if (byte === 0) return -ENOENT;
  }
  return limit === MAX_BYTES ? -E2BIG : -ENOENT;
};

/** bpf_strchrnul(s, c): where `c` or the end is. */
const firstCharOrEnd: OneString = (u8, s, _count, c) => {
  for (let i = 0; i < MAX_BYTES; i++) {
    const byte = byteAt(u8, s + i);
    if (byte < 0) return -EFAULT;
    if (byte === c || byte === 0) return i;
  }
  return -E2BIG;
};

/** bpf_strrchr(s, c): where `c` is last. */
const lastChar: OneString = (u8, s, _count, c) => {
  let last = -ENOENT;
  for (let i = 0; i < MAX_BYTES; i++) {
    const byte = byteAt(u8, s + i);
    if (byte < 0) return -EFAULT;
    if (byte === c) last = i;
    if (byte === 0) return last;
  }
  return -E2BIG;
};

/** bpf_strspn(s, accept) and bpf_strcspn(s, reject): bytes at the start of `s` that are all, or none, in the set. */
function span(isInSet: boolean): TwoStrings {
  return (u8, s, set) => {
    for (let i = 0; i < MAX_BYTES; i++) {
      const byte = byteAt(u8, s + i);
      if (byte < 0) return -EFAULT;
      if (byte === 0) return i;
      const found = isMember(u8, byte, set);
      if (found < 0) return found;
      if ((found === 1) !== isInSet) return i;
    }
    return -E2BIG;
  };
}

/** 1 when a byte is in the string, 0 when it isn't, or a negated errno. */
function isMember(u8: Uint8Array, byte: number, set: number): number {
  for (let j = 0; j < MAX_BYTES; j++) {
    const member = byteAt(u8, set + j);
    if (member < 0) return -EFAULT;
    if (member === byte) return 1;
    if (member === 0) return 0;
  }
  return -E2BIG;
}

/** bpf_strcmp(s1, s2), bpf_strcasecmp(s1, s2): -1, 0 or 1. */
function compare(fold: (byte: number) => number): TwoStrings {
  return (u8, s1, s2) => {
    for (let i = 0; i < MAX_BYTES; i++) {
      const [byte1, byte2] = [byteAt(u8, s1 + i), byteAt(u8, s2 + i)];
      if (byte1 < 0 || byte2 < 0) return -EFAULT;
      const [c1, c2] = [fold(byte1), fold(byte2)];
      if (c1 !== c2) return c1 < c2 ? -1 : 1;
      if (c1 === 0) return 0;
    }
    return -E2BIG;
  };
}

/** tolower of the kernel, which takes text for ISO 8859-1 (lib/ctype.c): A to Z, and 0xc0 to 0xde without the multiplication sign. */
function toLower(byte: number): number {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0xc0 && byte <= 0xde && byte !== 0xd7) ? byte + 0x20 : byte;
}

/** bpf_strstr(s1, s2), bpf_strnstr(s1, s2, len): where `s2` begins in `s1`, of which `len` bytes are looked at. */
const find: TwoStrings = (u8, s1, s2, len) => {
  for (let i = 0; i < MAX_BYTES; i++) {
    let j = 0;
    for (; i + j <= len && j < MAX_BYTES; j++) {
      const byte2 = byteAt(u8, s2 + j);
      if (byte2 < 0) return -EFAULT;
      if (byte2 === 0) return i;
      if (i + j === len) return -ENOENT;
      const byte1 = byteAt(u8, s1 + i + j);
      if (byte1 < 0) return -EFAULT;
      if (byte1 === 0) return -ENOENT;
      if (byte1 !== byte2) break;
    }
    if (j === MAX_BYTES) return -E2BIG;
  }
  return -E2BIG;
};

export const strlen = ofOne(length);
export const strnlen = ofOne(length, 2);
export const strchr = ofOne(firstChar, 0, 2);
export const strnchr = ofOne(firstChar, 2, 3);
export const strchrnul = ofOne(firstCharOrEnd, 0, 2);
export const strrchr = ofOne(lastChar, 0, 2);
export const strspn = ofTwo(span(true));
export const strcspn = ofTwo(span(false));
export const strcmp = ofTwo(compare((byte) => byte));
export const strcasecmp = ofTwo(compare(toLower));
export const strstr = ofTwo(find);
export const strnstr = ofTwo(find, 3);
