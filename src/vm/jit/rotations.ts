import { dstAt, immAt, rowAt, srcAt } from '../isa/decode.js';

/** Numbers that can be kept for rotations at the same time. */
export const ROTATION_TEMPS = 4;

/** Rotations of 64 bits in a function, which V8 doesn't find by itself. */
export interface Rotations {
  /** By the shift that comes first: where its register has to be kept before it. */
  readonly keep: ReadonlyMap<number, number>;
  /** By the `or`: where the number is kept, and how far it is rotated to the left. */
  readonly rotate: ReadonlyMap<number, { readonly temp: number; readonly bits: number }>;
}

interface Shift {
  readonly isLeft: boolean;
  readonly bits: number;
  /** What was shifted. */
  readonly source: number;
  readonly insnIndex: number;
}

/**
 * Finds `x << k | x >> 64 - k` in a straight run of instructions. Registers get numbers for their values, which copies share.
 *
 * The shifts stay where they are: when nobody else needs their results, V8 leaves them out.
 */
export function findRotations(insns: Uint8Array, blocks: readonly { readonly start: number; readonly end: number }[]): Rotations {
  const keep = new Map<number, number>();
  const rotate = new Map<number, { temp: number; bits: number }>();
  for (const { start, end } of blocks) findInBlock(insns, start, end, keep, rotate);
  return { keep, rotate };
}

function findInBlock(insns: Uint8Array, start: number, end: number, keep: Map<number, number>, rotate: Map<number, { temp: number; bits: number }>): void {
  let values = 0;
  const valueOf = Array.from({ length: 11 }, () => values++);
  const shiftOf: (Shift | undefined)[] = [];
  /** Instruction up to which each place is taken. */
  const takenTo = Array.from({ length: ROTATION_TEMPS }, () => -1);
  for (let index = start; index < end; ) {
    const row = rowAt(insns, index);
    if (row === undefined) return;
    const [dst, src] = [dstAt(insns, index), srcAt(insns, index)];
    if (row.kind === 'call') {
      for (let register = 0; register <= 5; register++) valueOf[register] = values++;
    } else if (row.kind === 'atomic') {
      for (const register of [0, dst, src]) valueOf[register] = values++;
    } else if (row.kind === 'alu' && row.widthBits === 64 && row.operation === 'mov' && row.src === 'read') {
      valueOf[dst] = valueOf[src]!;
    } else if (row.kind === 'alu' && row.widthBits === 64 && (row.operation === 'lsh' || row.operation === 'rsh') && row.src !== 'read') {
      const shift = { isLeft: row.operation === 'lsh', bits: immAt(insns, index), source: valueOf[dst]!, insnIndex: index };
      valueOf[dst] = values++;
      shiftOf[valueOf[dst]] = shift;
    } else if (row.kind === 'alu' && row.widthBits === 64 && row.operation === 'or' && row.src === 'read') {
      const [a, b] = [shiftOf[valueOf[dst]!], shiftOf[valueOf[src]!]];
      if (a !== undefined && b !== undefined && a.source === b.source && a.isLeft !== b.isLeft && a.bits + b.bits === 64) {
        const first = Math.min(a.insnIndex, b.insnIndex);
        const temp = takenTo.findIndex((to) => to < first);
        if (temp >= 0 && !keep.has(first)) {
          takenTo[temp] = index;
          keep.set(first, temp);
          rotate.set(index, { temp, bits: a.isLeft ? a.bits : b.bits });
        }
      }
      valueOf[dst] = values++;
    } else if (row.dst === 'write' || row.dst === 'modify') {
      valueOf[dst] = values++;
    }
    index += row.slots;
  }
}
