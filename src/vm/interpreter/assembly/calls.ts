// Frames, helpers and tail calls.

import {
  BPF_MAP_TYPE_PROG_ARRAY,
  FAULT_HELPER_ARGUMENT,
  FRAME_PC, FRAME_PROGRAM, FRAME_REGS,
  MAP_BLOCK_BYTES, MAP_DATA, MAP_MAX_ENTRIES, MAP_TYPE, MAX_TAIL_CALL_CNT,
  PROG_BLOCK_BYTES, PROG_INSNS, PROG_INSN_COUNT,
  RETURN_INT, RETURN_U32,
  VM_CONTEXT, VM_DEPTH, VM_FAULT_CODE, VM_FAULT_REG, VM_FRAMES, VM_FRAME_BYTES, VM_MAX_FRAMES, VM_MAY_GOTO, VM_PC, VM_PROGRAM,
  VM_STACK_BOTTOM, VM_STACK_FRAME_BYTES, VM_TAIL_CALLS,
} from '../../layout';
import { callHelper } from './env';
import { isInMemory, refuse, state } from './state';

/** Byte offsets of registers in the state. */
export const R1 = 8;
const R2 = 16;
const R3 = 24;
const R4 = 32;
const R5 = 40;
const R6 = 48;
export const R10 = 80;

/** Calls a helper and puts its result into r0 as the loader has asked for. Gives the fault code that the helper set. */
export function runHelper(id: i32, returns: i32, pc: u32): i32 {
  const base = state;
  store<u32>(base, pc, VM_PC);
  const result = callHelper(id, load<i32>(base, R1), load<i32>(base, R2), load<i32>(base, R3), load<i32>(base, R4), load<i32>(base, R5));
  if (returns == RETURN_INT) store<u64>(base, u64(result));
  else if (returns == RETURN_U32) store<u64>(base, u64(u32(result)));
  return load<i32>(base, VM_FAULT_CODE);
}

/** True when a may_goto falls through. */
export function mayGoto(): bool {
  const left = load<u32>(state, VM_MAY_GOTO);
  if (left == 0) return false;
  store<u32>(state, left - 1, VM_MAY_GOTO);
  return true;
}

/** Address of the saved frame of this depth. */
function frameAt(depth: u32): u32 {
  return state + VM_FRAMES + depth * VM_FRAME_BYTES;
}

/** Copies r6 to r9; word by word, as a memory.copy costs a call out of the WASM code. */
function copyRegisters(to: u32, from: u32): void {
  store<u64>(to, load<u64>(from));
  store<u64>(to, load<u64>(from, 8), 8);
  store<u64>(to, load<u64>(from, 16), 16);
  store<u64>(to, load<u64>(from, 24), 24);
}

/** Opens the frame of a subprogram; false when there are too many. */
export function enterFrame(returnPc: u32): bool {
  const depth = load<u32>(state, VM_DEPTH);
  if (depth + 1 >= u32(VM_MAX_FRAMES)) return false;
  const frame = frameAt(depth);
  copyRegisters(frame + FRAME_REGS, state + R6);
  store<u32>(frame, returnPc, FRAME_PC);
  store<u32>(frame, load<u32>(state, VM_PROGRAM), FRAME_PROGRAM);
  store<u32>(state, depth + 1, VM_DEPTH);
  store<u64>(state, load<u64>(state, R10) - VM_STACK_FRAME_BYTES, R10);
  store<u32>(state, load<u32>(state, VM_STACK_BOTTOM) - VM_STACK_FRAME_BYTES, VM_STACK_BOTTOM);
  return true;
}

/** Closes the frame of a subprogram and gives the address of the saved frame of its caller. */
export function leaveFrame(): u32 {
  const depth = load<u32>(state, VM_DEPTH) - 1;
  const frame = frameAt(depth);
  copyRegisters(state + R6, frame + FRAME_REGS);
  store<u32>(state, depth, VM_DEPTH);
  store<u64>(state, load<u64>(state, R10) + VM_STACK_FRAME_BYTES, R10);
  store<u32>(state, load<u32>(state, VM_STACK_BOTTOM) + VM_STACK_FRAME_BYTES, VM_STACK_BOTTOM);
  return frame;
}

/**
 * bpf_tail_call(ctx, prog_array, index): the program to go on with, or 0 to fall through or (with the code in VM_FAULT_CODE) to fault.
 * As in the x86-64 JIT of 6.18, only a call that finds a program counts against MAX_TAIL_CALL_CNT.
 */
export function tailCallTarget(): u32 {
  const context = load<u64>(state, R1);
  if (context != u64(load<u32>(state, VM_CONTEXT))) return refuseArgument(1, context);
  const map = load<u64>(state, R2);
  if (!isInMemory(map, MAP_BLOCK_BYTES) || load<u32>(u32(map), MAP_TYPE) != BPF_MAP_TYPE_PROG_ARRAY) return refuseArgument(2, map);
  const index = load<u32>(state, R3);
  const count = load<u32>(state, VM_TAIL_CALLS);
  if (index >= load<u32>(u32(map), MAP_MAX_ENTRIES) || count >= u32(MAX_TAIL_CALL_CNT)) return 0;
  const slot = u64(load<u32>(u32(map), MAP_DATA)) + u64(index) * 4;
  if (!isInMemory(slot, 4)) return refuseArgument(2, map);
  const program = load<u32>(u32(slot));
  if (program == 0) return 0;
  if (!isInMemory(program, PROG_BLOCK_BYTES)) return refuseArgument(2, map);
  if (!isInMemory(load<u32>(program, PROG_INSNS), u64(load<u32>(program, PROG_INSN_COUNT)) << 3)) return refuseArgument(2, map);
  store<u32>(state, count + 1, VM_TAIL_CALLS);
  return program;
}

function refuseArgument(register: u32, value: u64): u32 {
  store<u32>(state, register, VM_FAULT_REG);
  return refuse(FAULT_HELPER_ARGUMENT, value, 0, false);
}
