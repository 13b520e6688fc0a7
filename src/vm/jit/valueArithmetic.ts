import type { InstructionRow } from '../isa/instructionTable.js';
import { SCALAR, U32, U32_MAX, UNKNOWN, add, negated, scalar } from './values.js';
import type { Value } from './values.js';

/** The result of an arithmetic instruction, before a 32-bit one is cut. */
export function alu(row: InstructionRow, left: Value, right: Value, site: number): Value {
  const is32 = row.widthBits === 32;
  const [a, b] = is32 ? [lowHalf(left), lowHalf(right)] : [left, right];
  if (row.operation === 'mov') return b;
  if (row.operation === 'movsx') return UNKNOWN;
  switch (row.operation) {
    case 'add':
      return add(a, b, site);
    case 'sub':
      return add(a, negated(b), site);
    case 'and':
      if (b.kind === SCALAR && b.lo === b.hi && b.lo >= 0) return scalar(0, a.kind === SCALAR && a.lo >= 0 ? Math.min(a.hi, b.lo) : b.lo);
      if (a.kind === SCALAR && b.kind === SCALAR && a.lo >= 0 && b.lo >= 0) return scalar(0, Math.min(a.hi, b.hi));
      return UNKNOWN;
    case 'or':
    case 'xor':
      if (a.kind !== SCALAR || b.kind !== SCALAR || a.lo < 0 || b.lo < 0) return UNKNOWN;
      return scalar(0, 2 ** Math.ceil(Math.log2(Math.max(a.hi, b.hi) + 1)) - 1);
    case 'lsh':
      if (a.kind !== SCALAR || b.kind !== SCALAR || b.lo !== b.hi || a.lo < 0 || b.lo < 0 || b.lo >= row.widthBits) return UNKNOWN;
      return scalar(a.lo * 2 ** b.lo, a.hi * 2 ** b.lo, a.stride * 2 ** b.lo);
    case 'rsh':
      if (b.kind !== SCALAR || b.lo !== b.hi || b.lo < 0 || b.lo >= row.widthBits) return UNKNOWN;
      if (a.kind === SCALAR && a.lo >= 0) return scalar(Math.floor(a.lo / 2 ** b.lo), Math.floor(a.hi / 2 ** b.lo));
      return b.lo >= 24 && !is32 ? scalar(0, 2 ** (64 - b.lo) - 1) : UNKNOWN;
    case 'mul':
      if (a.kind !== SCALAR || b.kind !== SCALAR || a.lo < 0 || b.lo < 0) return UNKNOWN;
      return scalar(a.lo * b.lo, a.hi * b.hi, b.lo === b.hi ? a.stride * b.lo : 1);
    case 'div':
      if (a.kind !== SCALAR || b.kind !== SCALAR || a.lo < 0 || b.lo < 0) return UNKNOWN;
      return scalar(0, a.hi);
    case 'mod':
      if (b.kind !== SCALAR || b.lo !== b.hi || b.lo <= 0) return UNKNOWN;
      return scalar(0, b.lo - 1);
    default:
      return UNKNOWN;
  }
}

/** What 32-bit arithmetic sees of a value. */
function lowHalf(value: Value): Value {
  return value.kind === SCALAR && value.lo >= 0 && value.hi <= U32_MAX ? value : U32;
}
