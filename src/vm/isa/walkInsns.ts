import { immAt, offAt, rowAt } from './decode.js';
import { INSN_BYTES } from './opcodes.js';

/** One instruction where it stands; `row` is `undefined` for an opcode that there isn't. */
export interface PlacedInsn {
  readonly index: number;
  readonly row: ReturnType<typeof rowAt>;
}

/** The instructions from `start` up to `end`, without the second halves of lddw. */
export function* insnsBetween(insns: Uint8Array, start: number, end: number): IterableIterator<PlacedInsn> {
  for (let index = start; index < end; ) {
    const row = rowAt(insns, index);
    yield { index, row };
    index += row?.slots ?? 1;
  }
}

/** 8-byte slots, as the kernel counts instructions: a lddw is two. */
export function slotCount(insns: Uint8Array): number {
  return insns.length / INSN_BYTES;
}

/** Where a branch, a goto or a call within the program leads; `undefined` for all other instructions. */
export function targetOf(insns: Uint8Array, { index, row }: PlacedInsn): number | undefined {
  if (row === undefined || row.kind === 'lddw') return undefined;
  if (row.off === 'jump') return index + 1 + offAt(insns, index);
  if (row.imm === 'jump') return index + 1 + immAt(insns, index);
  return undefined;
}
