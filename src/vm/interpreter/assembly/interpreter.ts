// The eBPF interpreter: RFC 9669 with the kernel's tail calls, may_goto, load-acquire and store-release.
//
// It trusts that the program has passed isa/checkInstructions.ts as to fields that an instruction doesn't use, and
// nothing else: accesses, jumps, calls and the instruction count are checked here whatever the program is.
// The machine lives in its state block (layout.ts, VM_*) whenever this code isn't running, so it can stop at any instruction.

import {
  BPF_FUNC_TAIL_CALL,
  FAULT_BUDGET, FAULT_CALL_DEPTH, FAULT_INSTRUCTION, FAULT_NONE, FAULT_PC,
  FRAME_PC, FRAME_PROGRAM, MAY_GOTO_MAX,
  PROG_ID, PROG_INSNS, PROG_INSN_COUNT,
  RETURN_U64,
  VM_BASE_DEPTH, VM_BUDGET, VM_CALLED_BACK, VM_CONTEXT, VM_DEPTH, VM_EXECUTED, VM_FAULT_CODE, VM_FAULT_HELPER, VM_FAULT_PC, VM_FAULT_PROGRAM, VM_FAULT_REG,
  VM_IS_STOPPED, VM_MAY_GOTO, VM_PC, VM_PENDING, VM_PROGRAM, VM_RUNNING, VM_STACK_BOTTOM, VM_STACK_FRAME_BYTES, VM_STATE_BYTES, VM_TAIL_CALLS,
} from '../../layout';
import {
  BPF_ADD, BPF_ALU, BPF_ALU64, BPF_AND, BPF_ARSH, BPF_ATOMIC, BPF_B, BPF_CALL, BPF_CLASS_MASK, BPF_DIV, BPF_DW, BPF_END, BPF_EXIT,
  BPF_H, BPF_IMM, BPF_JA, BPF_JCOND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JLE, BPF_JLT, BPF_JMP, BPF_JMP32, BPF_JNE, BPF_JSET,
  BPF_JSGE, BPF_JSGT, BPF_JSLE, BPF_JSLT, BPF_K, BPF_LD, BPF_LDX, BPF_LOAD_ACQ, BPF_LSH, BPF_MEM, BPF_MEMSX, BPF_MOD, BPF_MODE_MASK, BPF_MOV, BPF_MUL,
  BPF_NEG, BPF_OR, BPF_PSEUDO_CALL, BPF_PSEUDO_HELPER, BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_W, BPF_X, BPF_XOR,
} from '../../isa/opcodes';
import { READ, SIGNED, WRITE, access } from './access';
import {
  sdiv32, sdiv64, signExtend, smod32, smod64, swapBytes, truncate, udiv32, udiv64, umod32, umod64,
} from './arithmetic';
import { runAtomic } from './atomics';
import { R1, R10, enterFrame, leaveFrame, mayGoto, runHelper, tailCallTarget } from './calls';
import { refuse, setState, state } from './state';

/**
 * Instructions that one call of `execute` may run. V8 keeps a call in the code that it began in, so without slices
 * a long first run would never get to the optimised code.
 */
const SLICE: u32 = 8192;

/** Binds the machine to its state block. */
export function init(stateAddress: u32): void {
  setState(stateAddress);
}

/** Prepares a run: r1 = context, r10 = top of the stack, all other registers 0. */
export function start(program: u32, context: u32): void {
  for (let register: u32 = 0; register < u32(R10); register += 8) store<u64>(state + register, 0);
  store<u64>(state, u64(context), R1);
  store<u64>(state, u64(state + VM_STATE_BYTES), R10);
  store<i32>(state, FAULT_NONE, VM_FAULT_CODE);
  store<u32>(state, 0, VM_EXECUTED);
  store<u32>(state, 0, VM_PC);
  store<u32>(state, program, VM_PROGRAM);
  store<u32>(state, 0, VM_DEPTH);
  store<u32>(state, 0, VM_TAIL_CALLS);
  store<u32>(state, context, VM_CONTEXT);
  store<u32>(state, state + VM_STATE_BYTES - VM_STACK_FRAME_BYTES, VM_STACK_BOTTOM);
  store<u32>(state, MAY_GOTO_MAX, VM_MAY_GOTO);
  store<u32>(state, 0, VM_BASE_DEPTH);
  store<u32>(state, 0, VM_IS_STOPPED);
}

/** Runs at most `limit` instructions: VM_RUNNING, or FAULT_NONE at the end, or the fault. */
export function step(limit: u32): i32 {
  const budget = load<u32>(state, VM_BUDGET);
  const executed = load<u32>(state, VM_EXECUTED);
  if (executed >= budget) return faultAt(FAULT_BUDGET, load<u32>(state, VM_PC) << 3, 0);
  return execute(min(limit, budget - executed));
}

/** Runs a program to its end: FAULT_NONE with the result in r0, or the fault. */
export function run(program: u32, context: u32): i32 {
  start(program, context);
  return goOn();
}

/** Executes until `exit` at VM_BASE_DEPTH, or a fault. */
function goOn(): i32 {
  let result: i32;
  do result = step(SLICE);
  while (result == VM_RUNNING);
  return result;
}

/**
 * For a helper that is being called: runs another function of the same program to its end, in a frame of its own, with the arguments that
 * stand in r1 to r5. FAULT_NONE with the result in r0, or the fault; then the helper has to return.
 */
export function callback(pc: u32): i32 {
  const callPc = load<u32>(state, VM_PC);
  store<i32>(state, FAULT_NONE, VM_FAULT_CODE);
  store<u32>(state, load<u32>(state, VM_EXECUTED) + load<u32>(state, VM_PENDING), VM_EXECUTED);
  store<u32>(state, 0, VM_PENDING);
  if (!enterFrame(callPc)) {
    refuse(FAULT_CALL_DEPTH, 0, 0, false);
    return recordPlace(FAULT_CALL_DEPTH, 0, 0);
  }
  const outer = load<u32>(state, VM_BASE_DEPTH);
  store<u32>(state, load<u32>(state, VM_DEPTH), VM_BASE_DEPTH);
  store<u32>(state, pc, VM_PC);
  const result = goOn();
  if (result != FAULT_NONE) return result;
  leaveFrame();
  store<u32>(state, outer, VM_BASE_DEPTH);
  store<u32>(state, callPc, VM_PC);
  store<u32>(state, 0, VM_PENDING);
  store<i32>(state, VM_CALLED_BACK, VM_FAULT_CODE);
  return FAULT_NONE;
}

// ── what translated programs ask this module for ──

export { access } from './access';
export { mayGoto, tailCallTarget } from './calls';

/** Writes a fault that has no address into the record. */
export function refuseAt(code: i32): void {
  refuse(code, 0, 0, false);
}

/** Adds to the fault record where the machine stands, and keeps it from being written again. */
export function stop(): void {
  if (load<u32>(state, VM_IS_STOPPED) != 0) return;
  store<u32>(state, 1, VM_IS_STOPPED);
  store<i32>(state, load<i32>(state, VM_PC), VM_FAULT_PC);
  store<u32>(state, load<u32>(load<u32>(state, VM_PROGRAM), PROG_ID), VM_FAULT_PROGRAM);
}

/** Writes back where the loop stands. */
function halt(result: i32, pcBytes: u32, executed: u32): i32 {
  store<i32>(state, i32(pcBytes) >> 3, VM_PC);
  store<u32>(state, load<u32>(state, VM_EXECUTED) + executed, VM_EXECUTED);
  return result;
}

/** Adds to the fault record where it happened, and through which register (base of an access, argument of a helper). */
function recordPlace(code: i32, register: u32, helper: i32): i32 {
  if (load<u32>(state, VM_IS_STOPPED) != 0) return code;
  store<u32>(state, 1, VM_IS_STOPPED);
  store<i32>(state, code, VM_FAULT_CODE);
  store<i32>(state, load<i32>(state, VM_PC), VM_FAULT_PC);
  store<u32>(state, load<u32>(load<u32>(state, VM_PROGRAM), PROG_ID), VM_FAULT_PROGRAM);
  store<u32>(state, register, VM_FAULT_REG);
  store<i32>(state, helper, VM_FAULT_HELPER);
  return code;
}

/** Ends a run whose access was refused: the record has everything but the place and the register. */
function faultAccess(insn: u32, imm: i32, pcBytes: u32, executed: u32): i32 {
  const isLoad = (insn & BPF_CLASS_MASK) == BPF_LDX || ((insn & BPF_MODE_MASK) == BPF_ATOMIC && imm == BPF_LOAD_ACQ);
  const register = (isLoad ? insn >> 12 : insn >> 8) & 15;
  return recordPlace(halt(load<i32>(state, VM_FAULT_CODE), pcBytes, executed), register, 0);
}

/** Ends a run that a helper, or a tail call, has refused to go on with. */
function faultHelper(helper: i32, pcBytes: u32, executed: u32): i32 {
  return recordPlace(halt(load<i32>(state, VM_FAULT_CODE), pcBytes, executed), load<u32>(state, VM_FAULT_REG), helper);
}

/** Ends a run for a reason that has no address. */
function faultAt(code: i32, pcBytes: u32, executed: u32): i32 {
  refuse(code, 0, 0, false);
  return recordPlace(halt(code, pcBytes, executed), 0, 0);
}

/**
 * Writes a 32-bit result, zero-extended. It must be an argument of this type: where AssemblyScript expects a u64, it
 * loads and computes a u32 in 64 bits.
 */
function setLow(register: u32, value: u32): void {
  store<u64>(register, u64(value));
}

/** The loop. Runs at most `limit` instructions from where the state says. */
function execute(limit: u32): i32 {
  const base = state;
  let program = load<u32>(base, VM_PROGRAM);
  let insns = load<u32>(program, PROG_INSNS);
  let sizeBytes = load<u32>(program, PROG_INSN_COUNT) << 3;
  let pc = insns + (load<u32>(base, VM_PC) << 3);
  let left = limit;

  while (left != 0) {
    left--;
    if (pc - insns >= sizeBytes) return faultAt(FAULT_PC, pc - insns, limit - left - 1);
    const insn = load<u32>(pc);
    const imm = load<i32>(pc, 4);
    const imm64 = u64(imm);
    const off = i32(insn) >> 16;
    const branch = u32(off << 3);
    const dst = base + ((insn >> 5) & 0x78);
    const src = base + ((insn >> 9) & 0x78);

    switch (insn & 0xff) {
      // ── arithmetic; every 32-bit result is zero-extended ──
      case BPF_ALU64 | BPF_ADD | BPF_K: store<u64>(dst, load<u64>(dst) + imm64); break;
      case BPF_ALU | BPF_ADD | BPF_K: setLow(dst, load<u32>(dst) + u32(imm)); break;
      case BPF_ALU64 | BPF_ADD | BPF_X: store<u64>(dst, load<u64>(dst) + load<u64>(src)); break;
      case BPF_ALU | BPF_ADD | BPF_X: setLow(dst, load<u32>(dst) + load<u32>(src)); break;
      case BPF_ALU64 | BPF_SUB | BPF_K: store<u64>(dst, load<u64>(dst) - imm64); break;
      case BPF_ALU | BPF_SUB | BPF_K: setLow(dst, load<u32>(dst) - u32(imm)); break;
      case BPF_ALU64 | BPF_SUB | BPF_X: store<u64>(dst, load<u64>(dst) - load<u64>(src)); break;
      case BPF_ALU | BPF_SUB | BPF_X: setLow(dst, load<u32>(dst) - load<u32>(src)); break;
      case BPF_ALU64 | BPF_MUL | BPF_K: store<u64>(dst, load<u64>(dst) * imm64); break;
      case BPF_ALU | BPF_MUL | BPF_K: setLow(dst, load<u32>(dst) * u32(imm)); break;
      case BPF_ALU64 | BPF_MUL | BPF_X: store<u64>(dst, load<u64>(dst) * load<u64>(src)); break;
      case BPF_ALU | BPF_MUL | BPF_X: setLow(dst, load<u32>(dst) * load<u32>(src)); break;
      case BPF_ALU64 | BPF_OR | BPF_K: store<u64>(dst, load<u64>(dst) | imm64); break;
      case BPF_ALU | BPF_OR | BPF_K: setLow(dst, load<u32>(dst) | u32(imm)); break;
      case BPF_ALU64 | BPF_OR | BPF_X: store<u64>(dst, load<u64>(dst) | load<u64>(src)); break;
      case BPF_ALU | BPF_OR | BPF_X: setLow(dst, load<u32>(dst) | load<u32>(src)); break;
      case BPF_ALU64 | BPF_AND | BPF_K: store<u64>(dst, load<u64>(dst) & imm64); break;
      case BPF_ALU | BPF_AND | BPF_K: setLow(dst, load<u32>(dst) & u32(imm)); break;
      case BPF_ALU64 | BPF_AND | BPF_X: store<u64>(dst, load<u64>(dst) & load<u64>(src)); break;
      case BPF_ALU | BPF_AND | BPF_X: setLow(dst, load<u32>(dst) & load<u32>(src)); break;
      case BPF_ALU64 | BPF_XOR | BPF_K: store<u64>(dst, load<u64>(dst) ^ imm64); break;
      case BPF_ALU | BPF_XOR | BPF_K: setLow(dst, load<u32>(dst) ^ u32(imm)); break;
      case BPF_ALU64 | BPF_XOR | BPF_X: store<u64>(dst, load<u64>(dst) ^ load<u64>(src)); break;
      case BPF_ALU | BPF_XOR | BPF_X: setLow(dst, load<u32>(dst) ^ load<u32>(src)); break;
      case BPF_ALU64 | BPF_LSH | BPF_K: store<u64>(dst, load<u64>(dst) << imm64); break;
      case BPF_ALU | BPF_LSH | BPF_K: setLow(dst, load<u32>(dst) << u32(imm)); break;
      case BPF_ALU64 | BPF_LSH | BPF_X: store<u64>(dst, load<u64>(dst) << load<u64>(src)); break;
      case BPF_ALU | BPF_LSH | BPF_X: setLow(dst, load<u32>(dst) << load<u32>(src)); break;
      case BPF_ALU64 | BPF_RSH | BPF_K: store<u64>(dst, load<u64>(dst) >> imm64); break;
      case BPF_ALU | BPF_RSH | BPF_K: setLow(dst, load<u32>(dst) >> u32(imm)); break;
      case BPF_ALU64 | BPF_RSH | BPF_X: store<u64>(dst, load<u64>(dst) >> load<u64>(src)); break;
      case BPF_ALU | BPF_RSH | BPF_X: setLow(dst, load<u32>(dst) >> load<u32>(src)); break;
      case BPF_ALU64 | BPF_ARSH | BPF_K: store<i64>(dst, load<i64>(dst) >> i64(imm)); break;
      case BPF_ALU | BPF_ARSH | BPF_K: setLow(dst, u32(load<i32>(dst) >> imm)); break;
      case BPF_ALU64 | BPF_ARSH | BPF_X: store<i64>(dst, load<i64>(dst) >> load<i64>(src)); break;
      case BPF_ALU | BPF_ARSH | BPF_X: setLow(dst, u32(load<i32>(dst) >> load<i32>(src))); break;
      case BPF_ALU64 | BPF_DIV | BPF_K:
        if (off == 0) store<u64>(dst, udiv64(load<u64>(dst), imm64));
        else store<i64>(dst, sdiv64(load<i64>(dst), i64(imm)));
        break;
      case BPF_ALU | BPF_DIV | BPF_K:
        if (off == 0) setLow(dst, udiv32(load<u32>(dst), u32(imm)));
        else setLow(dst, u32(sdiv32(load<i32>(dst), imm)));
        break;
      case BPF_ALU64 | BPF_DIV | BPF_X:
        if (off == 0) store<u64>(dst, udiv64(load<u64>(dst), load<u64>(src)));
        else store<i64>(dst, sdiv64(load<i64>(dst), load<i64>(src)));
        break;
      case BPF_ALU | BPF_DIV | BPF_X:
        if (off == 0) setLow(dst, udiv32(load<u32>(dst), load<u32>(src)));
        else setLow(dst, u32(sdiv32(load<i32>(dst), load<i32>(src))));
        break;
      case BPF_ALU64 | BPF_MOD | BPF_K:
        if (off == 0) store<u64>(dst, umod64(load<u64>(dst), imm64));
        else store<i64>(dst, smod64(load<i64>(dst), i64(imm)));
        break;
      case BPF_ALU | BPF_MOD | BPF_K:
        if (off == 0) setLow(dst, umod32(load<u32>(dst), u32(imm)));
        else setLow(dst, u32(smod32(load<i32>(dst), imm)));
        break;
      case BPF_ALU64 | BPF_MOD | BPF_X:
        if (off == 0) store<u64>(dst, umod64(load<u64>(dst), load<u64>(src)));
        else store<i64>(dst, smod64(load<i64>(dst), load<i64>(src)));
        break;
      case BPF_ALU | BPF_MOD | BPF_X:
        if (off == 0) setLow(dst, umod32(load<u32>(dst), load<u32>(src)));
        else setLow(dst, u32(smod32(load<i32>(dst), load<i32>(src))));
        break;
      case BPF_ALU64 | BPF_NEG: store<u64>(dst, 0 - load<u64>(dst)); break;
      case BPF_ALU | BPF_NEG: setLow(dst, 0 - load<u32>(dst)); break;
      case BPF_ALU64 | BPF_MOV | BPF_K: store<u64>(dst, imm64); break;
      case BPF_ALU | BPF_MOV | BPF_K: setLow(dst, u32(imm)); break;
      case BPF_ALU64 | BPF_MOV | BPF_X: store<u64>(dst, off == 0 ? load<u64>(src) : signExtend(load<u64>(src), off)); break;
      case BPF_ALU | BPF_MOV | BPF_X: setLow(dst, u32(off == 0 ? load<u64>(src) : signExtend(load<u64>(src), off))); break;
      case BPF_ALU | BPF_END | BPF_K: store<u64>(dst, truncate(load<u64>(dst), imm)); break;
      case BPF_ALU | BPF_END | BPF_X:
      case BPF_ALU64 | BPF_END | BPF_K: store<u64>(dst, swapBytes(load<u64>(dst), imm)); break;

      // ── jumps; `pc` is moved on once more below ──
      case BPF_JMP | BPF_JA: pc += branch; break;
      case BPF_JMP32 | BPF_JA: pc += u32(imm << 3); break;
      case BPF_JMP | BPF_JCOND: pc += mayGoto() ? 0 : branch; break;
      case BPF_JMP | BPF_JEQ | BPF_K: if (load<u64>(dst) == imm64) pc += branch; break;
      case BPF_JMP32 | BPF_JEQ | BPF_K: if (load<u32>(dst) == u32(imm)) pc += branch; break;
      case BPF_JMP | BPF_JEQ | BPF_X: if (load<u64>(dst) == load<u64>(src)) pc += branch; break;
      case BPF_JMP32 | BPF_JEQ | BPF_X: if (load<u32>(dst) == load<u32>(src)) pc += branch; break;
      case BPF_JMP | BPF_JNE | BPF_K: if (load<u64>(dst) != imm64) pc += branch; break;
      case BPF_JMP32 | BPF_JNE | BPF_K: if (load<u32>(dst) != u32(imm)) pc += branch; break;
      case BPF_JMP | BPF_JNE | BPF_X: if (load<u64>(dst) != load<u64>(src)) pc += branch; break;
      case BPF_JMP32 | BPF_JNE | BPF_X: if (load<u32>(dst) != load<u32>(src)) pc += branch; break;
      case BPF_JMP | BPF_JGT | BPF_K: if (load<u64>(dst) > imm64) pc += branch; break;
      case BPF_JMP32 | BPF_JGT | BPF_K: if (load<u32>(dst) > u32(imm)) pc += branch; break;
      case BPF_JMP | BPF_JGT | BPF_X: if (load<u64>(dst) > load<u64>(src)) pc += branch; break;
      case BPF_JMP32 | BPF_JGT | BPF_X: if (load<u32>(dst) > load<u32>(src)) pc += branch; break;
      case BPF_JMP | BPF_JGE | BPF_K: if (load<u64>(dst) >= imm64) pc += branch; break;
      case BPF_JMP32 | BPF_JGE | BPF_K: if (load<u32>(dst) >= u32(imm)) pc += branch; break;
      case BPF_JMP | BPF_JGE | BPF_X: if (load<u64>(dst) >= load<u64>(src)) pc += branch; break;
      case BPF_JMP32 | BPF_JGE | BPF_X: if (load<u32>(dst) >= load<u32>(src)) pc += branch; break;
      case BPF_JMP | BPF_JLT | BPF_K: if (load<u64>(dst) < imm64) pc += branch; break;
      case BPF_JMP32 | BPF_JLT | BPF_K: if (load<u32>(dst) < u32(imm)) pc += branch; break;
      case BPF_JMP | BPF_JLT | BPF_X: if (load<u64>(dst) < load<u64>(src)) pc += branch; break;
      case BPF_JMP32 | BPF_JLT | BPF_X: if (load<u32>(dst) < load<u32>(src)) pc += branch; break;
      case BPF_JMP | BPF_JLE | BPF_K: if (load<u64>(dst) <= imm64) pc += branch; break;
      case BPF_JMP32 | BPF_JLE | BPF_K: if (load<u32>(dst) <= u32(imm)) pc += branch; break;
      case BPF_JMP | BPF_JLE | BPF_X: if (load<u64>(dst) <= load<u64>(src)) pc += branch; break;
      case BPF_JMP32 | BPF_JLE | BPF_X: if (load<u32>(dst) <= load<u32>(src)) pc += branch; break;
      case BPF_JMP | BPF_JSGT | BPF_K: if (load<i64>(dst) > i64(imm)) pc += branch; break;
      case BPF_JMP32 | BPF_JSGT | BPF_K: if (load<i32>(dst) > imm) pc += branch; break;
      case BPF_JMP | BPF_JSGT | BPF_X: if (load<i64>(dst) > load<i64>(src)) pc += branch; break;
      case BPF_JMP32 | BPF_JSGT | BPF_X: if (load<i32>(dst) > load<i32>(src)) pc += branch; break;
      case BPF_JMP | BPF_JSGE | BPF_K: if (load<i64>(dst) >= i64(imm)) pc += branch; break;
      case BPF_JMP32 | BPF_JSGE | BPF_K: if (load<i32>(dst) >= imm) pc += branch; break;
      case BPF_JMP | BPF_JSGE | BPF_X: if (load<i64>(dst) >= load<i64>(src)) pc += branch; break;
      case BPF_JMP32 | BPF_JSGE | BPF_X: if (load<i32>(dst) >= load<i32>(src)) pc += branch; break;
      case BPF_JMP | BPF_JSLT | BPF_K: if (load<i64>(dst) < i64(imm)) pc += branch; break;
      case BPF_JMP32 | BPF_JSLT | BPF_K: if (load<i32>(dst) < imm) pc += branch; break;
      case BPF_JMP | BPF_JSLT | BPF_X: if (load<i64>(dst) < load<i64>(src)) pc += branch; break;
      case BPF_JMP32 | BPF_JSLT | BPF_X: if (load<i32>(dst) < load<i32>(src)) pc += branch; break;
      case BPF_JMP | BPF_JSLE | BPF_K: if (load<i64>(dst) <= i64(imm)) pc += branch; break;
      case BPF_JMP32 | BPF_JSLE | BPF_K: if (load<i32>(dst) <= imm) pc += branch; break;
      case BPF_JMP | BPF_JSLE | BPF_X: if (load<i64>(dst) <= load<i64>(src)) pc += branch; break;
      case BPF_JMP32 | BPF_JSLE | BPF_X: if (load<i32>(dst) <= load<i32>(src)) pc += branch; break;
      case BPF_JMP | BPF_JSET | BPF_K: if ((load<u64>(dst) & imm64) != 0) pc += branch; break;
      case BPF_JMP32 | BPF_JSET | BPF_K: if ((load<u32>(dst) & u32(imm)) != 0) pc += branch; break;
      case BPF_JMP | BPF_JSET | BPF_X: if ((load<u64>(dst) & load<u64>(src)) != 0) pc += branch; break;
      case BPF_JMP32 | BPF_JSET | BPF_X: if ((load<u32>(dst) & load<u32>(src)) != 0) pc += branch; break;

      // ── loads and stores ──
      case BPF_LD | BPF_IMM | BPF_DW: {
        if ((insn & 0xf000) != 0) return faultAt(FAULT_INSTRUCTION, pc - insns, limit - left);
        if (pc + 8 - insns >= sizeBytes) return faultAt(FAULT_PC, pc - insns, limit - left);
        store<u32>(dst, u32(imm));
        store<u32>(dst, load<u32>(pc, 12), 4);
        pc += 8;
        break;
      }
      case BPF_LDX | BPF_MEM | BPF_B: {
        const at = access(load<u64>(src) + u64(off), 1, READ);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u64>(dst, load<u8>(at));
        break;
      }
      case BPF_LDX | BPF_MEM | BPF_H: {
        const at = access(load<u64>(src) + u64(off), 2, READ);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u64>(dst, load<u16>(at));
        break;
      }
      case BPF_LDX | BPF_MEM | BPF_W: {
        const at = access(load<u64>(src) + u64(off), 4, READ);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u64>(dst, load<u32>(at));
        break;
      }
      case BPF_LDX | BPF_MEM | BPF_DW: {
        const at = access(load<u64>(src) + u64(off), 8, READ);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u64>(dst, load<u64>(at));
        break;
      }
      case BPF_LDX | BPF_MEMSX | BPF_B: {
        const at = access(load<u64>(src) + u64(off), 1, READ | SIGNED);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<i64>(dst, load<i8>(at));
        break;
      }
      case BPF_LDX | BPF_MEMSX | BPF_H: {
        const at = access(load<u64>(src) + u64(off), 2, READ | SIGNED);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<i64>(dst, load<i16>(at));
        break;
      }
      case BPF_LDX | BPF_MEMSX | BPF_W: {
        const at = access(load<u64>(src) + u64(off), 4, READ | SIGNED);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<i64>(dst, load<i32>(at));
        break;
      }
      case BPF_ST | BPF_MEM | BPF_B: {
        const at = access(load<u64>(dst) + u64(off), 1, WRITE);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u8>(at, u8(imm64));
        break;
      }
      case BPF_STX | BPF_MEM | BPF_B: {
        const at = access(load<u64>(dst) + u64(off), 1, WRITE);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u8>(at, u8(load<u64>(src)));
        break;
      }
      case BPF_ST | BPF_MEM | BPF_H: {
        const at = access(load<u64>(dst) + u64(off), 2, WRITE);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u16>(at, u16(imm64));
        break;
      }
      case BPF_STX | BPF_MEM | BPF_H: {
        const at = access(load<u64>(dst) + u64(off), 2, WRITE);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u16>(at, u16(load<u64>(src)));
        break;
      }
      case BPF_ST | BPF_MEM | BPF_W: {
        const at = access(load<u64>(dst) + u64(off), 4, WRITE);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u32>(at, u32(imm64));
        break;
      }
      case BPF_STX | BPF_MEM | BPF_W: {
        const at = access(load<u64>(dst) + u64(off), 4, WRITE);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u32>(at, u32(load<u64>(src)));
        break;
      }
      case BPF_ST | BPF_MEM | BPF_DW: {
        const at = access(load<u64>(dst) + u64(off), 8, WRITE);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u64>(at, imm64);
        break;
      }
      case BPF_STX | BPF_MEM | BPF_DW: {
        const at = access(load<u64>(dst) + u64(off), 8, WRITE);
        if (at == 0) return faultAccess(insn, imm, pc - insns, limit - left);
        store<u64>(at, load<u64>(src));
        break;
      }
      case BPF_STX | BPF_ATOMIC | BPF_B:
      case BPF_STX | BPF_ATOMIC | BPF_H:
      case BPF_STX | BPF_ATOMIC | BPF_W:
      case BPF_STX | BPF_ATOMIC | BPF_DW: {
        const code = runAtomic(insn & 0xff, imm, dst, src, off);
        if (code == FAULT_INSTRUCTION) return faultAt(code, pc - insns, limit - left);
        if (code != FAULT_NONE) return faultAccess(insn, imm, pc - insns, limit - left);
        break;
      }

      // ── calls ──
      case BPF_JMP | BPF_CALL: {
        const kind = (insn >> 12) & 15;
        if (kind == BPF_PSEUDO_CALL) {
          if (!enterFrame(((pc - insns) >> 3) + 1)) return faultAt(FAULT_CALL_DEPTH, pc - insns, limit - left);
          pc += u32(imm << 3);
        } else if (kind != BPF_PSEUDO_HELPER) {
          return faultAt(FAULT_INSTRUCTION, pc - insns, limit - left);
        } else if (imm != BPF_FUNC_TAIL_CALL) {
          store<u32>(base, limit - left, VM_PENDING);
          const code = runHelper(imm, off, (pc - insns) >> 3);
          if (code != FAULT_NONE) {
            if (code != VM_CALLED_BACK) return faultHelper(imm, pc - insns, load<u32>(base, VM_PENDING));
            // What ran in the callback counts too.
            store<i32>(base, FAULT_NONE, VM_FAULT_CODE);
            left = min(left, load<u32>(base, VM_BUDGET) - load<u32>(base, VM_EXECUTED));
            limit = left;
          }
        } else {
          const target = tailCallTarget();
          if (target != 0) {
            program = target;
            store<u32>(base, program, VM_PROGRAM);
            insns = load<u32>(program, PROG_INSNS);
            sizeBytes = load<u32>(program, PROG_INSN_COUNT) << 3;
            pc = insns - 8;
          } else if (load<i32>(base, VM_FAULT_CODE) != FAULT_NONE) {
            return faultHelper(imm, pc - insns, limit - left);
          }
        }
        break;
      }
      // callx: a helper by its number in a register. The kernel refuses it, bpf_conformance has it.
      case BPF_JMP | BPF_CALL | BPF_X: {
        if (runHelper(load<i32>(dst), RETURN_U64, (pc - insns) >> 3) != FAULT_NONE) {
          return faultHelper(load<i32>(dst), pc - insns, limit - left);
        }
        break;
      }
      case BPF_JMP | BPF_EXIT: {
        if (load<u32>(base, VM_DEPTH) == load<u32>(base, VM_BASE_DEPTH)) return halt(FAULT_NONE, pc - insns, limit - left);
        const frame = leaveFrame();
        program = load<u32>(frame, FRAME_PROGRAM);
        store<u32>(base, program, VM_PROGRAM);
        insns = load<u32>(program, PROG_INSNS);
        sizeBytes = load<u32>(program, PROG_INSN_COUNT) << 3;
        pc = insns + (load<u32>(frame, FRAME_PC) << 3) - 8;
        break;
      }

      // Opcode 0 is the second slot of a lddw.
      default: return faultAt((insn & 0xff) == 0 ? FAULT_PC : FAULT_INSTRUCTION, pc - insns, limit - left);
    }
    pc += 8;
  }
  return halt(VM_RUNNING, pc - insns, limit);
}
