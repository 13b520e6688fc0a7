// Character classes of the kernel (lib/ctype.c, 6.18), which are those of Latin-1. They take a byte.

export function isPrint(char: number): boolean {
  return char >= 0x20 && char <= 0x7e;
}

export function isSpace(char: number): boolean {
  return char === 0x20 || (char >= 0x09 && char <= 0x0d) || char === 0xa0;
}

export function isAlnum(char: number): boolean {
  return (char >= 0x30 && char <= 0x39) || (char >= 0x41 && char <= 0x5a) || (char >= 0x61 && char <= 0x7a) || (char >= 0xc0 && char !== 0xd7 && char !== 0xf7);
}

export function isPunct(char: number): boolean {
  return (isPrint(char) && !isAlnum(char) && char !== 0x20) || (char >= 0xa1 && char <= 0xbf) || char === 0xd7 || char === 0xf7;
}

/** Value of a hexadecimal digit, -1 for what is none. */
export function hexDigit(char: number): number {
  if (char >= 0x30 && char <= 0x39) return char - 0x30;
  const lower = char | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
