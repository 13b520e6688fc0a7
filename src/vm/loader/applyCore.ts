import type { CoreOutcome, CorePatch } from '../btf/coreRelocations.js';
import { decode, encode } from '../isa/decode.js';
import type { Instruction } from '../isa/decode.js';
import {
  BPF_ALU, BPF_ALU64, BPF_B, BPF_CALL, BPF_CLASS_MASK, BPF_DW, BPF_H, BPF_IMM, BPF_JMP, BPF_LD, BPF_LDX, BPF_SIZE_MASK, BPF_ST, BPF_STX, BPF_W,
  BPF_X, INSN_BYTES,
} from '../isa/opcodes.js';

/** Number of the helper that a poisoned instruction calls, which there isn't: 0xbad2310 (bpf_core_poison_insn, tools/lib/bpf/relo_core.c). */
export const CORE_POISON_HELPER = 195896080;

const LDDW = BPF_LD | BPF_IMM | BPF_DW;
const POISON: Instruction = { opcode: BPF_JMP | BPF_CALL, dst: 0, src: 0, off: 0, imm: CORE_POISON_HELPER };

const MAX_OFF = 0x7fff;
const SIZE_BYTES = new Map([[BPF_B, 1], [BPF_H, 2], [BPF_W, 4], [BPF_DW, 8]]);

/** What else comes of an instruction besides its new bytes: the reason why it is poisoned, or why the program can't be loaded. */
export type PatchResult = {
  /** `slots`: instructions that it takes up, two for a lddw. */
  readonly poison?: { readonly message: string; readonly slots: number };
  readonly problem?: { readonly code: string; readonly message: string; readonly hint: string };
};

/**
 * Carries out a CO-RE relocation on one instruction (bpf_core_patch_insn, tools/lib/bpf/relo_core.c), in place:
 *
 *     r = imm, r += imm ...     imm = value
 *     r = imm64                 both imm = value
 *     load, store               off = value, and the width where the field's differs
 *
 * @param insns whole instructions; the one at `insnIndex` exists
 */
export function applyCore(insns: Uint8Array, insnIndex: number, outcome: CoreOutcome): PatchResult {
  switch (outcome.kind) {
    case 'keep': return {};
    case 'problem': return { problem: { code: outcome.code, message: outcome.message, hint: outcome.hint } };
    case 'poison': return poison(insns, insnIndex, outcome.message);
    case 'value': return patch(insns, insnIndex, outcome.patch);
  }
}

/** Both halves of a lddw become calls, so that none stands alone. */
function poison(insns: Uint8Array, insnIndex: number, message: string): PatchResult {
  const isWide = decode(insns, insnIndex).opcode === LDDW && (insnIndex + 2) * INSN_BYTES <= insns.length;
  encode(insns, insnIndex, POISON);
  if (isWide) encode(insns, insnIndex + 1, POISON);
  return { poison: { message, slots: isWide ? 2 : 1 } };
}

function patch(insns: Uint8Array, insnIndex: number, wanted: CorePatch): PatchResult {
  const insn = decode(insns, insnIndex);
  switch (insn.opcode & BPF_CLASS_MASK) {
    case BPF_ALU:
    case BPF_ALU64:
      if ((insn.opcode & BPF_X) !== 0) return unexpected('computes with a register');
      if (wanted.expected !== undefined && wanted.expected !== BigInt.asUintN(64, BigInt(insn.imm))) return unexpected(`holds ${insn.imm}, not ${wanted.expected}`);
      encode(insns, insnIndex, { ...insn, imm: Number(BigInt.asIntN(32, wanted.value)) });
      return {};
    case BPF_LD: return patchLddw(insns, insnIndex, insn, wanted);
    case BPF_LDX:
    case BPF_ST:
    case BPF_STX:
      return patchAccess(insns, insnIndex, insn, wanted);
    default:
      return unexpected('holds no number to replace');
  }
}

function patchLddw(insns: Uint8Array, insnIndex: number, insn: Instruction, { expected, value }: CorePatch): PatchResult {
  if (insn.opcode !== LDDW || insn.src !== 0 || insn.off !== 0 || (insnIndex + 2) * INSN_BYTES > insns.length) return unexpected('is no plain lddw');
  const second = decode(insns, insnIndex + 1);
  if (second.opcode !== 0 || second.dst !== 0 || second.src !== 0 || second.off !== 0) return unexpected('is no plain lddw');
  const held = (BigInt(second.imm >>> 0) << 32n) | BigInt(insn.imm >>> 0);
  if (expected !== undefined && expected !== held) return unexpected(`holds ${held}, not ${expected}`);
  encode(insns, insnIndex, { ...insn, imm: Number(BigInt.asIntN(32, value)) });
  encode(insns, insnIndex + 1, { ...second, imm: Number(BigInt.asIntN(32, value >> 32n)) });
  return {};
}

function patchAccess(insns: Uint8Array, insnIndex: number, insn: Instruction, { expected, value, fromBytes, toBytes, badWidth }: CorePatch): PatchResult {
  if (expected !== undefined && expected !== BigInt.asUintN(64, BigInt(insn.off))) return unexpected(`has offset ${insn.off}, not ${expected}`);
  if (value > MAX_OFF) return { problem: { code: 'core-too-far', message: `the field begins at byte ${value} in the target, farther than a load can reach (${MAX_OFF})`, hint: 'read it with bpf_core_read' } };
  if (badWidth !== undefined) return poison(insns, insnIndex, `CO-RE: the field ${badWidth}`);
  let { opcode } = insn;
  if (fromBytes !== toBytes) {
    if (SIZE_BYTES.get(opcode & BPF_SIZE_MASK) !== fromBytes) return unexpected(`doesn't access the ${fromBytes} bytes of the field`);
    const size = [...SIZE_BYTES].find(([, bytes]) => bytes === toBytes)?.[0];
    if (size === undefined) return unexpected(`can't access the ${toBytes} bytes that the field has in the target`);
    opcode = (opcode & ~BPF_SIZE_MASK) | size;
  }
  encode(insns, insnIndex, { ...insn, opcode, off: Number(value) });
  return {};
}

function unexpected(what: string): PatchResult {
  return { problem: { code: 'core-bad-instruction', message: `has a CO-RE relocation for an instruction that ${what}`, hint: 'compile the object again' } };
}
