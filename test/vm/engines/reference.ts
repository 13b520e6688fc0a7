// What RFC 9669 says, in BigInt: slow, plain and independent of the interpreter.

const MASK = { 16: 0xffffn, 32: 0xffffffffn, 64: 0xffffffffffffffffn } as const;

function byteSwap(value: bigint, bits: number): bigint {
  let swapped = 0n;
  for (let at = 0; at < bits; at += 8) swapped = (swapped << 8n) | ((value >> BigInt(at)) & 0xffn);
  return swapped;
}

/**
 * Result of an arithmetic operation as the whole 64-bit register shows it.
 *
 * @param a destination register, unsigned 64 bits
 * @param b source register, or the immediate sign-extended, unsigned 64 bits
 * @param fromBits what movsx extends
 */
export function referenceAlu(operation: string, width: 32 | 64, a: bigint, b: bigint, fromBits = 0): bigint {
  const unsigned = (value: bigint): bigint => BigInt.asUintN(width, value);
  const signed = (value: bigint): bigint => BigInt.asIntN(width, value);
  const ua = unsigned(a);
  const ub = unsigned(b);
  const sa = signed(a);
  const sb = signed(b);
  const shift = ub & BigInt(width - 1);
  switch (operation) {
    case 'add': return unsigned(ua + ub);
    case 'sub': return unsigned(ua - ub);
    case 'mul': return unsigned(ua * ub);
    case 'div': return ub === 0n ? 0n : ua / ub;
    case 'sdiv': return sb === 0n ? 0n : unsigned(sa / sb);
    case 'mod': return ub === 0n ? ua : ua % ub;
    case 'smod': return sb === 0n ? ua : unsigned(sa % sb);
    case 'or': return ua | ub;
    case 'and': return ua & ub;
    case 'xor': return ua ^ ub;
    case 'lsh': return unsigned(ua << shift);
    case 'rsh': return ua >> shift;
    case 'arsh': return unsigned(sa >> shift);
    case 'neg': return unsigned(-sa);
    case 'mov': return ub;
    case 'movsx': return unsigned(BigInt.asIntN(fromBits, b));
    default: throw new Error(`no reference for ${operation}`);
  }
}

/** Result of le, be and bswap. */
export function referenceEndian(operation: string, width: 16 | 32 | 64, value: bigint): bigint {
  const low = value & MASK[width];
  return operation === 'le' ? low : byteSwap(low, width);
}

/** Whether a conditional jump is taken. */
export function referenceJump(operation: string, width: 32 | 64, a: bigint, b: bigint): boolean {
  const ua = BigInt.asUintN(width, a);
  const ub = BigInt.asUintN(width, b);
  const sa = BigInt.asIntN(width, a);
  const sb = BigInt.asIntN(width, b);
  switch (operation) {
    case 'jeq': return ua === ub;
    case 'jne': return ua !== ub;
    case 'jgt': return ua > ub;
    case 'jge': return ua >= ub;
    case 'jlt': return ua < ub;
    case 'jle': return ua <= ub;
    case 'jset': return (ua & ub) !== 0n;
    case 'jsgt': return sa > sb;
    case 'jsge': return sa >= sb;
    case 'jslt': return sa < sb;
    case 'jsle': return sa <= sb;
    default: throw new Error(`no reference for ${operation}`);
  }
}
