// Integers of any width at any bit of a little-endian value. Bit 0 is the low bit of byte 0, as in BTF on a little-endian machine.

/** Reads `bits` bits from bit `bitOffset` on; two's complement when `signed`. */
export function readBits(bytes: Uint8Array, bitOffset: number, bits: number, signed: boolean): bigint {
  const first = bitOffset >>> 3;
  const last = (bitOffset + bits + 7) >>> 3;
  let value = 0n;
  for (let at = last - 1; at >= first; at--) value = (value << 8n) | BigInt(bytes[at]!);
  value >>= BigInt(bitOffset & 7);
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

/** Writes the low `bits` bits of a value; the bits around them stay. */
export function writeBits(bytes: Uint8Array, bitOffset: number, bits: number, value: bigint): void {
  let rest = BigInt.asUintN(bits, value);
  let at = bitOffset;
  const end = bitOffset + bits;
  while (at < end) {
    const shift = at & 7;
    const width = Math.min(8 - shift, end - at);
    const mask = ((1 << width) - 1) << shift;
    bytes[at >>> 3] = (bytes[at >>> 3]! & ~mask) | ((Number(rest & 0xffn) << shift) & mask);
    rest >>= BigInt(width);
    at += width;
  }
}
