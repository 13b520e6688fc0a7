import { INSN_BYTES } from './opcodes.js';
import { findRow } from './instructionTable.js';
import type { InstructionRow } from './instructionTable.js';

/** The fields of one 8-byte instruction. */
export interface Instruction {
  readonly opcode: number;
  /** 0 to 15; 10 is the highest register that exists. */
  readonly dst: number;
  readonly src: number;
  /** s16 */
  readonly off: number;
  /** s32 */
  readonly imm: number;
}

// One field at a time, without allocation, for those who walk programs often.

export function opcodeAt(insns: Uint8Array, index: number): number {
  return insns[index * INSN_BYTES]!;
}

export function dstAt(insns: Uint8Array, index: number): number {
  return insns[index * INSN_BYTES + 1]! & 15;
}

export function srcAt(insns: Uint8Array, index: number): number {
  return insns[index * INSN_BYTES + 1]! >> 4;
}

export function offAt(insns: Uint8Array, index: number): number {
  const at = index * INSN_BYTES;
  return ((insns[at + 2]! | (insns[at + 3]! << 8)) << 16) >> 16;
}

export function immAt(insns: Uint8Array, index: number): number {
  const at = index * INSN_BYTES;
  return insns[at + 4]! | (insns[at + 5]! << 8) | (insns[at + 6]! << 16) | (insns[at + 7]! << 24);
}

/** All fields at once. */
export function decode(insns: Uint8Array, index: number): Instruction {
  return {
    opcode: opcodeAt(insns, index),
    dst: dstAt(insns, index),
    src: srcAt(insns, index),
    off: offAt(insns, index),
    imm: immAt(insns, index),
  };
}

/** The table's row for an instruction, `undefined` when there is none. */
export function rowAt(insns: Uint8Array, index: number): InstructionRow | undefined {
  return findRow(opcodeAt(insns, index), srcAt(insns, index), offAt(insns, index), immAt(insns, index));
}

/** Writes an instruction; fields are cut to their widths. */
export function encode(insns: Uint8Array, index: number, instruction: Instruction): void {
  const at = index * INSN_BYTES;
  insns[at] = instruction.opcode;
  insns[at + 1] = (instruction.dst & 15) | (instruction.src << 4);
  insns[at + 2] = instruction.off;
  insns[at + 3] = instruction.off >> 8;
  insns[at + 4] = instruction.imm;
  insns[at + 5] = instruction.imm >> 8;
  insns[at + 6] = instruction.imm >> 16;
  insns[at + 7] = instruction.imm >> 24;
}
