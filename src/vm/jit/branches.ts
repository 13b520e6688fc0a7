import { BPF_REG_FP } from '../isa/opcodes.js';
import type { State } from './state.js';
import { MAP_VALUE, MAP_VALUE_OR_NULL, PACKET, SCALAR, U32_MAX, UNKNOWN_KIND, constant, scalar } from './values.js';
import type { Value } from './values.js';

/** The packet's address `value` compared with data_end: bytes before it, or with `jlt` one more, lie in the packet. */
export function learnPacket(state: State, value: Value, operation: string): void {
  if (operation !== 'jle' && operation !== 'jlt' && operation !== 'jeq') return;
  const more = operation === 'jlt' ? 1 : 0;
  if (value.lo < 0) return;
  state.packetBytes = Math.max(state.packetBytes, value.lo + more);
  if (value.name === 0) return;
  const known = value.fromName + more;
  for (let i = 0; i < state.values.length; i++) {
    const other = state.values[i]!;
    if (other.kind === PACKET && other.name === value.name && other.nameBytes < known) state.values[i] = { ...other, nameBytes: known };
  }
}

export function learnNull(state: State, { name }: Value, operation: string): void {
  if (operation !== 'jeq' && operation !== 'jne') return;
  for (let i = 0; i < state.values.length; i++) {
    const value = state.values[i]!;
    if (value.kind !== MAP_VALUE_OR_NULL || value.name !== name) continue;
    state.values[i] = operation === 'jeq' ? constant(0) : { ...value, kind: MAP_VALUE, name: 0 };
  }
}

export function isZero({ kind, lo, hi }: Value): boolean {
  return kind === SCALAR && lo === 0 && hi === 0;
}

/** What holds when a branch is not taken. */
export const OPPOSITE: Readonly<Record<string, string>> = {
  jeq: 'jne', jne: 'jeq', jgt: 'jle', jge: 'jlt', jlt: 'jge', jle: 'jgt', jsgt: 'jsle', jsge: 'jslt', jslt: 'jsge', jsle: 'jsgt',
};
/** The same comparison with its sides exchanged. */
export const MIRRORED: Readonly<Record<string, string>> = {
  jeq: 'jeq', jne: 'jne', jgt: 'jlt', jge: 'jle', jlt: 'jgt', jle: 'jge', jsgt: 'jslt', jsge: 'jsle', jslt: 'jsgt', jsle: 'jsge', jset: 'jset',
};

/** Narrows a number by a comparison that holds; false when it can't hold. */
export function refine(state: State, register: number, value: Value, other: Value, operation: string, widthBits: number): boolean {
  if (other.kind !== SCALAR || (value.kind !== SCALAR && value.kind !== UNKNOWN_KIND) || register === BPF_REG_FP) return true;
  const isSigned = operation.startsWith('js') && operation !== 'jset';
  let { lo, hi, stride } = value;
  if (value.kind === UNKNOWN_KIND) {
    // Of 64 unknown bits an unsigned bound says all, a comparison of the low half nothing.
    if (widthBits !== 64 || isSigned || other.lo < 0 || (operation !== 'jlt' && operation !== 'jle' && operation !== 'jeq')) return true;
    [lo, hi, stride] = [0, Number.MAX_SAFE_INTEGER, 1];
  } else if (widthBits === 32) {
    // Both have to be the same number in 32 bits, with the sign that the comparison sees.
    const limit = isSigned ? 2 ** 31 - 1 : U32_MAX;
    if (lo < 0 || hi > limit || other.lo < 0 || other.hi > limit) return true;
  } else if (!isSigned && (lo < 0 || other.lo < 0)) {
    return true;
  }
  switch (operation) {
    case 'jeq':
      [lo, hi] = [Math.max(lo, other.lo), Math.min(hi, other.hi)];
      break;
    case 'jne':
      if (other.lo !== other.hi) return true;
      if (lo === other.lo && lo === hi) return false;
      if (hi === other.lo) hi -= Math.max(1, stride);
      else if (lo === other.lo) lo += Math.max(1, stride);
      break;
    case 'jgt':
    case 'jsgt':
      lo = Math.max(lo, other.lo + 1);
      break;
    case 'jge':
    case 'jsge':
      lo = Math.max(lo, other.lo);
      break;
    case 'jlt':
    case 'jslt':
      hi = Math.min(hi, other.hi - 1);
      break;
    case 'jle':
    case 'jsle':
      hi = Math.min(hi, other.hi);
      break;
    default:
      return true;
  }
  if (lo > hi) return false;
  // Bounds are possible numbers: an upper one goes down to the next of them, a lower one that has moved makes every number possible.
  const kept = lo === value.lo ? Math.max(1, stride) : 1;
  const last = lo + Math.floor((hi - lo) / kept) * kept;
  state.values[register] = scalar(lo, last, lo === last ? 0 : kept);
  return true;
}
