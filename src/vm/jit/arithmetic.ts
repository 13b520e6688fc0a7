import type { Instruction } from '../isa/decode.js';
import type { InstructionRow } from '../isa/instructionTable.js';
import * as op from './wasmOpcodes.js';
import { I32, I64 } from './wasmWriter.js';
import type { WasmWriter } from './wasmWriter.js';

/** Puts a register's 64 bits on the stack, or takes them from there. */
type RegisterAccess = (register: number) => void;

/** Opcodes for 64 and 32 bits of what both machines do alike. WebAssembly takes shift amounts modulo the width, as eBPF does. */
const SIMPLE: Readonly<Record<string, readonly [number, number]>> = {
  add: [op.I64_ADD, op.I32_ADD],
  sub: [op.I64_SUB, op.I32_SUB],
  mul: [op.I64_MUL, op.I32_MUL],
  or: [op.I64_OR, op.I32_OR],
  and: [op.I64_AND, op.I32_AND],
  xor: [op.I64_XOR, op.I32_XOR],
  lsh: [op.I64_SHL, op.I32_SHL],
  rsh: [op.I64_SHR_U, op.I32_SHR_U],
  arsh: [op.I64_SHR_S, op.I32_SHR_S],
};

/** Divisions, which WebAssembly traps on where eBPF has a result (RFC 9669 section 4.1). */
const DIVISIONS: Readonly<Record<string, readonly [number, number]>> = {
  div: [op.I64_DIV_U, op.I32_DIV_U],
  sdiv: [op.I64_DIV_S, op.I32_DIV_S],
  mod: [op.I64_REM_U, op.I32_REM_U],
  smod: [op.I64_REM_S, op.I32_REM_S],
};

const CONDITIONS: Readonly<Record<string, readonly [number, number]>> = {
  jeq: [op.I64_EQ, op.I32_EQ],
  jne: [op.I64_NE, op.I32_NE],
  jgt: [op.I64_GT_U, op.I32_GT_U],
  jge: [op.I64_GE_U, op.I32_GE_U],
  jlt: [op.I64_LT_U, op.I32_LT_U],
  jle: [op.I64_LE_U, op.I32_LE_U],
  jsgt: [op.I64_GT_S, op.I32_GT_S],
  jsge: [op.I64_GE_S, op.I32_GE_S],
  jslt: [op.I64_LT_S, op.I32_LT_S],
  jsle: [op.I64_LE_S, op.I32_LE_S],
};

/** Arithmetic and moves. Every 32-bit result is zero-extended. */
export function emitAlu(out: WasmWriter, row: InstructionRow, insn: Instruction, get: RegisterAccess, set: RegisterAccess): void {
  const is32 = row.widthBits === 32;
  const operand = (): void => {
    if (row.src === 'read') narrow(out, insn.src, is32, get);
    else constant(out, insn.imm, is32);
  };
  const result = (): void => {
    if (is32) out.byte(op.I64_EXTEND_I32_U);
    set(insn.dst);
  };
  const simple = SIMPLE[row.operation];
  if (simple !== undefined) {
    narrow(out, insn.dst, is32, get);
    operand();
    out.byte(simple[is32 ? 1 : 0]);
    result();
    return;
  }
  switch (row.operation) {
    case 'mov':
      operand();
      result();
      return;
    case 'movsx':
      get(insn.src);
      if (is32) {
        out.byte(op.I32_WRAP_I64);
        out.byte(insn.off === 8 ? op.I32_EXTEND8_S : op.I32_EXTEND16_S);
      } else {
        out.byte(insn.off === 8 ? op.I64_EXTEND8_S : insn.off === 16 ? op.I64_EXTEND16_S : op.I64_EXTEND32_S);
      }
      result();
      return;
    case 'neg':
      constant(out, 0, is32);
      narrow(out, insn.dst, is32, get);
      out.byte(is32 ? op.I32_SUB : op.I64_SUB);
      result();
      return;
    default:
      emitDivision(out, row, insn, is32, get, operand);
      result();
  }
}

/** A register, of which only the low half counts in 32-bit arithmetic. */
function narrow(out: WasmWriter, register: number, is32: boolean, get: RegisterAccess): void {
  get(register);
  if (is32) out.byte(op.I32_WRAP_I64);
}

function constant(out: WasmWriter, value: number, is32: boolean): void {
  out.byte(is32 ? op.I32_CONST : op.I64_CONST);
  out.s32(value);
}

/** Leaves the result on the stack. A divisor of 0 gives 0, or for a remainder the dividend; -1 changes the sign, or leaves 0. */
function emitDivision(out: WasmWriter, row: InstructionRow, insn: Instruction, is32: boolean, get: RegisterAccess, operand: () => void): void {
  const opcode = DIVISIONS[row.operation]![is32 ? 1 : 0];
  const isSigned = row.operation.startsWith('s');
  const isRemainder = row.operation.endsWith('mod');
  const dividend = (): void => narrow(out, insn.dst, is32, get);
  const divide = (): void => {
    dividend();
    operand();
    out.byte(opcode);
  };
  const type = is32 ? I32 : I64;
  const zero = (): void => {
    if (isRemainder) dividend();
    else constant(out, 0, is32);
  };
  const minusOne = (): void => {
    if (isRemainder) {
      constant(out, 0, is32);
      return;
    }
    constant(out, 0, is32);
    dividend();
    out.byte(is32 ? op.I32_SUB : op.I64_SUB);
  };
  if (row.src !== 'read') {
    if (insn.imm === 0) zero();
    else if (isSigned && insn.imm === -1) minusOne();
    else divide();
    return;
  }
  operand();
  out.byte(is32 ? op.I32_EQZ : op.I64_EQZ);
  out.pair(op.IF, type);
  zero();
  out.byte(op.ELSE);
  if (isSigned) {
    operand();
    constant(out, -1, is32);
    out.byte(is32 ? op.I32_EQ : op.I64_EQ);
    out.pair(op.IF, type);
    minusOne();
    out.byte(op.ELSE);
    divide();
    out.byte(op.END);
  } else {
    divide();
  }
  out.byte(op.END);
}

/** Byte order: `le` cuts to the width, `be` and `bswap` cut and reverse (RFC 9669 section 4.2, on a little-endian machine). */
export function emitEndian(out: WasmWriter, row: InstructionRow, insn: Instruction, get: RegisterAccess, set: RegisterAccess): void {
  const { widthBits } = row;
  const and = (low: number, high: number): void => {
    out.byte(op.I64_CONST);
    out.s64(low, high);
    out.byte(op.I64_AND);
  };
  const shift = (opcode: number, bits: number): void => {
    out.byte(op.I64_CONST);
    out.s32(bits);
    out.byte(opcode);
  };
  if (row.operation === 'le') {
    if (widthBits === 64) return;
    get(insn.dst);
    and(widthBits === 16 ? 0xffff : -1, 0);
    set(insn.dst);
    return;
  }
  /** Swaps neighbouring groups of `bits` bits: the mask shows the lower of each two. */
  const swapGroups = (bits: number, low: number, high: number): void => {
    get(insn.dst);
    and(low, high);
    shift(op.I64_SHL, bits);
    get(insn.dst);
    shift(op.I64_SHR_U, bits);
    and(low, high);
    out.byte(op.I64_OR);
    set(insn.dst);
  };
  if (widthBits === 16) {
    get(insn.dst);
    and(0xff, 0);
    shift(op.I64_SHL, 8);
    get(insn.dst);
    shift(op.I64_SHR_U, 8);
    and(0xff, 0);
    out.byte(op.I64_OR);
    set(insn.dst);
    return;
  }
  if (widthBits === 32) {
    // bswap32(x) = rotl(x, 8) & 0x00ff00ff | rotl(x, 24) & 0xff00ff00
    const rotated = (bits: number, mask: number): void => {
      narrow(out, insn.dst, true, get);
      constant(out, bits, true);
      out.byte(op.I32_ROTL);
      constant(out, mask, true);
      out.byte(op.I32_AND);
    };
    rotated(8, 0x00ff00ff);
    rotated(24, 0xff00ff00 | 0);
    out.byte(op.I32_OR);
    out.byte(op.I64_EXTEND_I32_U);
    set(insn.dst);
    return;
  }
  swapGroups(8, 0x00ff00ff, 0x00ff00ff);
  swapGroups(16, 0x0000ffff, 0x0000ffff);
  get(insn.dst);
  constant(out, 32, false);
  out.byte(op.I64_ROTL);
  set(insn.dst);
}

/** Leaves 1 on the stack when a branch is taken, else 0. */
export function emitCondition(out: WasmWriter, row: InstructionRow, insn: Instruction, get: RegisterAccess): void {
  const is32 = row.widthBits === 32;
  narrow(out, insn.dst, is32, get);
  if (row.src === 'read') narrow(out, insn.src, is32, get);
  else constant(out, insn.imm, is32);
  if (row.operation === 'jset') {
    out.byte(is32 ? op.I32_AND : op.I64_AND);
    out.byte(is32 ? op.I32_EQZ : op.I64_EQZ);
    out.byte(op.I32_EQZ);
    return;
  }
  out.byte(CONDITIONS[row.operation]![is32 ? 1 : 0]);
}
