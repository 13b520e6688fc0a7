// Arithmetic whose corners differ between eBPF (RFC 9669 section 4.1) and WebAssembly, which traps on them.

/** Division by zero gives 0. */
export function udiv64(a: u64, b: u64): u64 {
  return b == 0 ? 0 : a / b;
}

/** Division by zero gives 0. */
export function udiv32(a: u32, b: u32): u32 {
  return b == 0 ? 0 : a / b;
}

/** Division by zero gives 0, the lowest number divided by -1 gives itself; rounds toward zero. */
export function sdiv64(a: i64, b: i64): i64 {
  if (b == 0) return 0;
  return b == -1 ? 0 - a : a / b;
}

/** Division by zero gives 0, the lowest number divided by -1 gives itself; rounds toward zero. */
export function sdiv32(a: i32, b: i32): i32 {
  if (b == 0) return 0;
  return b == -1 ? 0 - a : a / b;
}

/** Modulo zero leaves the dividend. */
export function umod64(a: u64, b: u64): u64 {
  return b == 0 ? a : a % b;
}

/** Modulo zero leaves the dividend. */
export function umod32(a: u32, b: u32): u32 {
  return b == 0 ? a : a % b;
}

/** Modulo zero leaves the dividend; the result has the dividend's sign. */
export function smod64(a: i64, b: i64): i64 {
  return b == 0 ? a : a % b;
}

/** Modulo zero leaves the dividend; the result has the dividend's sign. */
export function smod32(a: i32, b: i32): i32 {
  return b == 0 ? a : a % b;
}

/** The low 16, 32 or 64 bits, as a little-endian machine sees them in little-endian order. */
export function truncate(value: u64, bits: i32): u64 {
  if (bits == 16) return value & 0xffff;
  return bits == 32 ? value & 0xffffffff : value;
}

/** The low 16, 32 or 64 bits with their bytes in reverse order. */
export function swapBytes(value: u64, bits: i32): u64 {
  if (bits == 16) return u64(bswap<u16>(u16(value)));
  return bits == 32 ? u64(bswap<u32>(u32(value))) : bswap<u64>(value);
}

/** The low 8, 16 or 32 bits as a signed number. */
export function signExtend(value: u64, bits: i32): u64 {
  if (bits == 8) return u64(i64(i8(value)));
  return bits == 16 ? u64(i64(i16(value))) : u64(i64(i32(value)));
}
