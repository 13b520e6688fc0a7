import { decode, immAt, rowAt } from '../isa/decode.js';
import type { Instruction } from '../isa/decode.js';
import type { InstructionRow } from '../isa/instructionTable.js';
import { BPF_REG_FP } from '../isa/opcodes.js';
import {
  BPF_FUNC_TAIL_CALL, FAULT_BUDGET, FAULT_CALL_DEPTH, FAULT_INSTRUCTION, FAULT_PC, PROG_ENTRY, RETURN_INT, RETURN_U32, RETURN_U64,
  VM_CONTEXT, VM_DEPTH, VM_FAULT_CODE, VM_FAULT_HELPER, VM_FAULT_REG, VM_FUEL, VM_PC, VM_PROGRAM, VM_REGS, VM_STACK, VM_STACK_BOTTOM,
  VM_STACK_FRAME_BYTES, VM_STATE_BYTES, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META,
} from '../layout.js';
import { REGION_CONTEXT, REGION_STACK, REGION_TABLE } from './facts.js';
import type { Facts } from './facts.js';
import { jumpTarget } from './controlFlow.js';
import type { ControlFlow } from './controlFlow.js';
import { emitAlu, emitCondition, emitEndian } from './arithmetic.js';
import { ROTATION_TEMPS } from './rotations.js';
import type { Rotations } from './rotations.js';
import * as op from './wasmOpcodes.js';
import { I32, I64, VOID, WasmWriter } from './wasmWriter.js';

// Kinds of access, bits of one number, as interpreter/assembly/access.ts has them.
const READ = 0;
const WRITE = 1;
const ATOMIC = 2;
const SIGNED = 4;

/** Numbers of the imported functions, and of the types, in every module (program.ts of this folder). */
export const IMPORTS = { callHelper: 0, access: 1, tailCallTarget: 2, mayGoto: 3, refuse: 4, stop: 5, entryOf: 6 } as const;
export const IMPORTED_FUNCTIONS = 7;
export const TYPE_BPF_FUNCTION = 0;

// Locals. Parameters come first: the address above the function's stack frame, which is r10 (i32), and r1 to r5 (i64). The entry of a program has
// one parameter, the context, in the place of the first, and makes the others itself.
const FP = 0;
const R0 = 6;
const R6 = 7;
const ADDRESS64 = 11;
const PACKET = 12;
const PACKET_BYTES = 13;
const TEMP64 = 14;
const FUEL = 15;
const ADDRESS = 16;
const PC = 17;
const REGISTER = 18;
const HELPER = 19;
const TEMP32 = 20;
/** Which block comes next, in functions whose loops have several entries. */
const NEXT_BLOCK = 21;
/** Numbers that are rotated later (rotations.ts). */
const ROTATED = 22;
/** Declared behind the parameters: 10 times i64, 6 times i32, and the numbers for rotations. */
const LOCALS = [3, 10, I64, 6, I32, ROTATION_TEMPS, I64];
/** The same for the entry, which has r1 to r5 among them. */
const ENTRY_LOCALS = [3, 15, I64, 6, I32, ROTATION_TEMPS, I64];

/** What one function is translated from. */
export interface FunctionSource {
  readonly insns: Uint8Array;
  readonly flow: ControlFlow;
  readonly facts: Facts;
  readonly rotations: Rotations;
  /** Address of the machine's state. */
  readonly stateAddress: number;
  /** Address of the program's block. */
  readonly programAddress: number;
  /** Number of the wasm function that begins at an instruction; `undefined` when none does. */
  functionAt(insnIndex: number): number | undefined;
  /** Instructions of the function that begins at an instruction, for the budget. */
  insnsOf(insnIndex: number): number;
  /** True when a helper may run a function of the program: then the budget has to be in memory while a helper runs. */
  readonly hasCallbacks: boolean;
  readonly hasTailCalls: boolean;
  /** Bytes of the context that the program may read. */
  readonly contextBytes: number;
  /** The budget is so large that short loops needn't be counted. */
  readonly isBudgetLarge: boolean;
  /** Makes it the program's entry, of type (context: i32): what it does first, with the context in its parameter. It leaves its result in the state. */
  readonly prologue: Uint8Array | undefined;
}

type Label = { readonly kind: 'loop' | 'after'; readonly block: number } | { readonly kind: 'other' };

/** A function whose blocks lie too deep in each other for structured control flow. */
export class NestedTooDeepError extends Error {}

/** Translates one BPF function to the body of one WebAssembly function of type (fp: i32, r1..r5: i64) -> i64. */
export class FunctionTranslator {
  readonly #source: FunctionSource;
  readonly #out = new WasmWriter(4096);
  readonly #labels: Label[] = [];
  #nesting = 0;
  #hasFaults = false;
  #hasCalls = false;
  /** Some loop of the function is counted, so the budget is in a local. */
  readonly #usesFuel: boolean;
  /** Some access is compared with the packet's bounds. */
  readonly #comparesPacket: boolean;

  constructor(source: FunctionSource) {
    this.#source = source;
    this.#usesFuel = [...source.flow.loops.keys()].some((header) => !this.#isFree(header)) || !source.flow.isReducible;
    this.#comparesPacket = source.facts.comparesPacket;
  }

  translate(): Uint8Array {
    const out = this.#out;
    out.pair(op.BLOCK, VOID);
    this.#labels.push({ kind: 'other' });
    if (this.#source.flow.isReducible) this.#tree(0);
    else this.#dispatchLoop();
    this.#labels.pop();
    out.byte(op.END);
    if (this.#hasFaults) this.#faultExit();
    else out.byte(op.UNREACHABLE);
    const body = out.bytes.slice();
    out.clear();
    this.#start();
    out.raw(body);
    return out.bytes.slice();
  }

  /** Locals, and what has to be in them and in the machine's state; written last, when it is known what the rest needs. */
  #start(): void {
    const out = this.#out;
    const { prologue } = this.#source;
    out.raw(Uint8Array.from(prologue === undefined ? LOCALS : ENTRY_LOCALS));
    if (prologue !== undefined) {
      if (this.#needsState) out.raw(prologue);
      out.pair(op.LOCAL_GET, FP);
      out.byte(op.I64_EXTEND_I32_U);
      this.setRegister(1);
      this.#i32(this.#source.stateAddress + VM_STATE_BYTES);
      out.pair(op.LOCAL_SET, FP);
    }
    if (this.#usesFuel) this.#loadFuel();
    if (this.#comparesPacket) this.#loadPacketBounds();
  }

  /** Helpers, functions and faults look at the state; a program that has none of them leaves it alone. */
  get #needsState(): boolean {
    return this.#hasFaults || this.#hasCalls || this.#usesFuel || this.#comparesPacket;
  }

  // ── structured control flow: Ramsey, "Beyond Relooper" (ICFP 2022) ──

  /** A block and all that it dominates. Where it ends, nothing falls through. */
  #tree(root: number): void {
    if (++this.#nesting > MOST_NESTING) throw new NestedTooDeepError();
    this.#treeInside(root);
    this.#nesting--;
  }

  #treeInside(root: number): void {
    const { flow } = this.#source;
    const out = this.#out;
    // Blocks are opened for what is reached in several ways, the last of it outermost, and closed where it stands.
    let block = root;
    const opened: number[] = [];
    for (;;) {
      const isLoop = flow.isLoopHeader[block] === 1;
      if (isLoop) {
        const cost = this.#boundedCost(block);
        if (cost !== undefined && !this.#isFree(block)) this.#charge(cost, flow.blocks[block]!.start);
        out.pair(op.LOOP, VOID);
        this.#labels.push({ kind: 'loop', block });
        opened.push(NO_MERGE);
      }
      const merges = flow.children[block]!.filter((child) => flow.forwardEdges[child]! > 1);
      for (let i = merges.length - 1; i >= 0; i--) {
        out.pair(op.BLOCK, VOID);
        this.#labels.push({ kind: 'after', block: merges[i]! });
      }
      const next = this.#block(block);
      if (next !== undefined && merges.length === 0) {
        block = next;
        continue;
      }
      if (next !== undefined) this.#tree(next);
      for (const merge of merges) {
        this.#labels.pop();
        out.byte(op.END);
        if (merge !== merges[merges.length - 1]) this.#tree(merge);
      }
      const last = merges[merges.length - 1];
      if (last === undefined) break;
      block = last;
    }
    // Only loops are still open.
    for (let left = opened.length; left > 0; left--) {
      this.#labels.pop();
      out.byte(op.END);
      out.byte(op.UNREACHABLE);
    }
  }

  /** The instructions of a block and where they lead; gives the block to go on with in place, if any. */
  #block(block: number): number | undefined {
    const { insns, flow } = this.#source;
    const { start, last, next, taken } = flow.blocks[block]!;
    const out = this.#out;
    for (let index = start; index < last; ) index += this.#insn(index);
    const row = rowAt(insns, last);
    if (row === undefined) {
      this.#fault(FAULT_INSTRUCTION, last);
      return undefined;
    }
    if (row.kind === 'exit') {
      this.#exit();
      return undefined;
    }
    if (row.kind === 'goto') return this.#go(block, taken, last, true);
    if (row.kind !== 'branch') {
      this.#insn(last);
      return this.#go(block, next, last, false);
    }
    if (next === taken) return this.#go(block, next, last, false);
    if (this.#isBranch(block, taken)) {
      this.#condition(last, row);
      this.#branchIf(block, taken, last, true);
      return this.#go(block, next, last, false);
    }
    if (this.#isBranch(block, next)) {
      this.#condition(last, row);
      out.byte(op.I32_EQZ);
      this.#branchIf(block, next, last, false);
      return this.#go(block, taken, last, true);
    }
    // Both ways go on in place: the one that is taken inside a block that the other one leaves.
    out.pair(op.BLOCK, VOID);
    this.#labels.push({ kind: 'other' });
    this.#condition(last, row);
    out.byte(op.I32_EQZ);
    out.pair(op.BR_IF, 0);
    const inside = this.#go(block, taken, last, true);
    if (inside !== undefined) this.#tree(inside);
    this.#labels.pop();
    out.byte(op.END);
    return this.#go(block, next, last, false);
  }

  /** An edge that is a jump to a label (or a fault), and not code in place. */
  #isBranch(from: number, to: number): boolean {
    return to < 0 || to <= from || this.#source.flow.forwardEdges[to]! > 1;
  }

  /** Follows an edge; gives the block to go on with if that stands here. */
  #go(from: number, to: number, at: number, isTaken: boolean): number | undefined {
    if (!this.#isBranch(from, to)) return to;
    if (to < 0) this.#fault(FAULT_PC, this.#targetOf(at, isTaken));
    else if (to <= from) this.#back(to, at);
    else this.#br(op.BR, 'after', to);
    return undefined;
  }

  /** Follows an edge that is a branch if the number on the stack isn't 0. */
  #branchIf(from: number, to: number, at: number, isTaken: boolean): void {
    const out = this.#out;
    if (to > from) {
      this.#br(op.BR_IF, 'after', to);
      return;
    }
    if (to >= 0 && this.#boundedCost(to) !== undefined) {
      this.#br(op.BR_IF, 'loop', to);
      return;
    }
    out.pair(op.IF, VOID);
    this.#labels.push({ kind: 'other' });
    if (to < 0) this.#fault(FAULT_PC, this.#targetOf(at, isTaken));
    else this.#back(to, at);
    this.#labels.pop();
    out.byte(op.END);
  }

  /** The instruction that the one at `at` leads to. */
  #targetOf(at: number, isTaken: boolean): number {
    const { insns } = this.#source;
    return isTaken ? jumpTarget(insns, at)! : at + rowAt(insns, at)!.slots;
  }

  /** Back to the head of a loop while the budget lasts: counting down and going back are one branch. */
  #back(header: number, at: number): void {
    const out = this.#out;
    if (this.#boundedCost(header) !== undefined) {
      this.#br(op.BR, 'loop', header);
      return;
    }
    out.pair(op.LOCAL_GET, FUEL);
    this.#i64(this.#source.flow.loopInsns[header]!);
    out.byte(op.I64_SUB);
    out.pair(op.LOCAL_TEE, FUEL);
    this.#i64(0);
    out.byte(op.I64_GT_S);
    this.#br(op.BR_IF, 'loop', header);
    this.#fault(FAULT_BUDGET, at);
  }

  /** What all rounds of a loop cost together when that is known and little: then it is paid for before the first one. */
  #boundedCost(header: number): number | undefined {
    const { flow, facts } = this.#source;
    const rounds = flow.isReducible ? facts.loopRounds(flow.blocks[header]!.start) : undefined;
    const cost = (rounds ?? Infinity) * flow.loopInsns[header]!;
    return cost <= MOST_PREPAID_INSNS ? cost : undefined;
  }

  /** A loop that is known to be short, runs once at most, and costs next to nothing of the budget. */
  #isFree(header: number): boolean {
    const { flow, prologue, isBudgetLarge } = this.#source;
    const isInLoop = [...flow.loops].some(([outer, body]) => outer !== header && body.includes(header));
    return prologue !== undefined && isBudgetLarge && !isInLoop && this.#boundedCost(header) !== undefined;
  }

  #br(opcode: number, kind: 'loop' | 'after', block: number): void {
    for (let depth = 0; depth < this.#labels.length; depth++) {
      const label = this.#labels[this.#labels.length - 1 - depth]!;
      if (label.kind !== kind || label.block !== block) continue;
      this.#out.byte(opcode);
      this.#out.u32(depth);
      return;
    }
    throw new Error(`FunctionTranslator: no label for block ${block}`);
  }

  /** For functions with a loop that can be entered in several places: every block is a case of one switch in a loop. */
  #dispatchLoop(): void {
    const { blocks } = this.#source.flow;
    const out = this.#out;
    out.pair(op.LOOP, VOID);
    for (let i = 0; i < blocks.length; i++) out.pair(op.BLOCK, VOID);
    out.pair(op.LOCAL_GET, NEXT_BLOCK);
    out.byte(op.BR_TABLE);
    out.u32(blocks.length - 1);
    for (let i = 0; i < blocks.length; i++) out.u32(i);
    for (let block = 0; block < blocks.length; block++) {
      out.byte(op.END);
      // Still open: the loop, and the cases behind this one.
      const depth = blocks.length - 1 - block;
      for (let i = 0; i < depth + 1; i++) this.#labels.push({ kind: 'other' });
      this.#dispatchedBlock(block, depth);
      this.#labels.length -= depth + 1;
    }
    out.byte(op.END);
    out.byte(op.UNREACHABLE);
  }

  #dispatchedBlock(block: number, loopDepth: number): void {
    const { insns, flow } = this.#source;
    const { start, end, last, next, taken } = flow.blocks[block]!;
    const out = this.#out;
    const leave = (to: number, deeper: number, isTaken: boolean): void => {
      if (to < 0) {
        this.#fault(FAULT_PC, this.#targetOf(last, isTaken));
        return;
      }
      if (to <= block) {
        this.#charge(end - start + flow.loopInsns[to]!, last);
      }
      this.#i32(to);
      out.pair(op.LOCAL_SET, NEXT_BLOCK);
      out.byte(op.BR);
      out.u32(loopDepth + deeper);
    };
    for (let index = start; index < last; ) index += this.#insn(index);
    const row = rowAt(insns, last);
    if (row === undefined) this.#fault(FAULT_INSTRUCTION, last);
    else if (row.kind === 'exit') this.#exit();
    else if (row.kind === 'goto') leave(taken, 0, true);
    else if (row.kind !== 'branch') {
      this.#insn(last);
      leave(next, 0, false);
    } else {
      this.#condition(last, row);
      out.pair(op.IF, VOID);
      this.#labels.push({ kind: 'other' });
      leave(taken, 1, true);
      this.#labels.pop();
      out.byte(op.END);
      leave(next, 0, false);
    }
  }

  // ── instructions ──

  /** One instruction that isn't the last of its block, or doesn't jump; gives its slots. */
  #insn(index: number): number {
    const { insns } = this.#source;
    const row = rowAt(insns, index);
    if (row === undefined) {
      this.#fault(FAULT_INSTRUCTION, index);
      return 1;
    }
    const insn = decode(insns, index);
    switch (row.kind) {
      case 'alu':
        if (this.#rotated(index, insn)) break;
        emitAlu(this.#out, row, insn, this.getRegister, this.setRegister);
        break;
      case 'endian':
        emitEndian(this.#out, row, insn, this.getRegister, this.setRegister);
        break;
      case 'lddw':
        this.#out.byte(op.I64_CONST);
        this.#out.s64(insn.imm, immAt(insns, index + 1));
        this.setRegister(insn.dst);
        break;
      case 'load':
        this.#load(index, row, insn);
        break;
      case 'store':
        this.#store(index, row, insn);
        break;
      case 'atomic':
        this.#atomic(index, row, insn);
        break;
      case 'call':
        this.#call(index, row, insn);
        break;
      default:
        throw new Error(`FunctionTranslator: ${row.operation} in the middle of a block`);
    }
    return row.slots;
  }

  /** True when the instruction ends a rotation, which then takes its place. Keeps the number that one begins with. */
  #rotated(index: number, insn: Instruction): boolean {
    const out = this.#out;
    const { keep, rotate } = this.#source.rotations;
    const temp = keep.get(index);
    if (temp !== undefined) {
      this.getRegister(insn.dst);
      out.pair(op.LOCAL_SET, ROTATED + temp);
    }
    const rotation = rotate.get(index);
    if (rotation === undefined) return false;
    out.pair(op.LOCAL_GET, ROTATED + rotation.temp);
    this.#i64(rotation.bits);
    out.byte(op.I64_ROTL);
    this.setRegister(insn.dst);
    return true;
  }

  readonly getRegister = (register: number): void => {
    if (register === BPF_REG_FP) {
      this.#out.pair(op.LOCAL_GET, FP);
      this.#out.byte(op.I64_EXTEND_I32_U);
    } else {
      this.#out.pair(op.LOCAL_GET, localOf(register));
    }
  };

  readonly setRegister = (register: number): void => {
    this.#out.pair(op.LOCAL_SET, localOf(register));
  };

  #i32(value: number): void {
    this.#out.byte(op.I32_CONST);
    this.#out.s32(value);
  }

  #i64(value: number): void {
    this.#out.byte(op.I64_CONST);
    this.#out.s32(value);
  }

  #condition(index: number, row: InstructionRow): void {
    if (row.operation === 'may_goto') {
      this.#hasCalls = true;
      this.#out.pair(op.CALL, IMPORTS.mayGoto);
      this.#out.byte(op.I32_EQZ);
    } else {
      emitCondition(this.#out, row, decode(this.#source.insns, index), this.getRegister);
    }
  }

  /**
   * Leaves the host address of an access on the stack, after the checks that it needs, and gives the offset that its memory
   * instruction has to add.
   */
  #address(index: number, register: number, off: number, sizeBytes: number, kind: number): number {
    const out = this.#out;
    const { facts } = this.#source;
    if (facts.isSafe(index)) {
      if (register === BPF_REG_FP) {
        out.pair(op.LOCAL_GET, FP);
      } else {
        out.pair(op.LOCAL_GET, localOf(register));
        out.byte(op.I32_WRAP_I64);
      }
      if (off >= 0) return off;
      this.#i32(off);
      out.byte(op.I32_ADD);
      return 0;
    }
    this.getRegister(register);
    if (off !== 0) {
      out.byte(op.I64_CONST);
      out.s32(off);
      out.byte(op.I64_ADD);
    }
    out.pair(op.LOCAL_SET, ADDRESS64);
    const region = facts.region(index);
    if ((kind & ATOMIC) === 0 && region !== REGION_TABLE) {
      this.#isOutside(region, sizeBytes);
      out.pair(op.IF, VOID);
      this.#labels.push({ kind: 'other' });
      this.#slowCheck(index, register, sizeBytes, kind);
      this.#labels.pop();
      out.byte(op.END);
    } else {
      this.#slowCheck(index, register, sizeBytes, kind);
    }
    out.pair(op.LOCAL_GET, ADDRESS64);
    out.byte(op.I32_WRAP_I64);
    return 0;
  }

  /** Leaves 1 on the stack when an access at ADDRESS64 isn't in a region. */
  #isOutside(region: number, sizeBytes: number): void {
    const out = this.#out;
    // The access lies in the region when what is left of it at the address has room, in one unsigned comparison.
    out.pair(op.LOCAL_GET, ADDRESS64);
    if (region === REGION_STACK) {
      out.pair(op.LOCAL_GET, FP);
      this.#i32(VM_STACK_FRAME_BYTES);
      out.byte(op.I32_SUB);
      out.byte(op.I64_EXTEND_I32_U);
      out.byte(op.I64_SUB);
      out.byte(op.I64_CONST);
      out.s32(VM_STACK_FRAME_BYTES - sizeBytes);
    } else if (region === REGION_CONTEXT) {
      this.#i32(0);
      this.#memory(op.I64_LOAD32_U, this.#source.stateAddress + VM_CONTEXT);
      out.byte(op.I64_SUB);
      // To the right by 2 bits, which come in at the top: only multiples of 4 stay small.
      this.#i64(62);
      out.byte(op.I64_ROTL);
      this.#i64(this.#source.contextBytes / 4 - 1);
    } else {
      out.pair(op.LOCAL_GET, PACKET);
      out.byte(op.I64_SUB);
      out.pair(op.LOCAL_GET, PACKET_BYTES);
      out.byte(op.I64_CONST);
      out.s32(sizeBytes);
      out.byte(op.I64_SUB);
    }
    out.byte(op.I64_GT_U);
  }

  /** The interpreter's own check of ADDRESS64, which is the host's address too when it passes. */
  #slowCheck(index: number, register: number, sizeBytes: number, kind: number): void {
    const out = this.#out;
    out.pair(op.LOCAL_GET, ADDRESS64);
    this.#i32(sizeBytes);
    this.#i32(kind);
    out.pair(op.CALL, IMPORTS.access);
    out.byte(op.I32_EQZ);
    out.pair(op.IF, VOID);
    this.#labels.push({ kind: 'other' });
    this.#faultRecorded(index, register, 0);
    this.#labels.pop();
    out.byte(op.END);
  }

  #memory(opcode: number, offset: number): void {
    this.#out.pair(opcode, 0);
    this.#out.u32(offset);
  }

  #load(index: number, row: InstructionRow, { dst, src, off }: Instruction): void {
    const isSigned = row.operation === 'ldsx';
    const offset = this.#address(index, src, off, row.widthBits / 8, isSigned ? READ | SIGNED : READ);
    this.#memory(isSigned ? SIGNED_LOADS[row.widthBits]! : LOADS[row.widthBits]!, offset);
    this.setRegister(dst);
  }

  #store(index: number, row: InstructionRow, { dst, src, off, imm }: Instruction): void {
    const offset = this.#address(index, dst, off, row.widthBits / 8, WRITE);
    if (row.operation === 'st') {
      this.#out.byte(op.I64_CONST);
      this.#out.s32(imm);
    } else {
      this.getRegister(src);
    }
    this.#memory(STORES[row.widthBits]!, offset);
  }

  /** One thread runs a program, so plain loads and stores are atomic. */
  #atomic(index: number, row: InstructionRow, { dst, src, off }: Instruction): void {
    const out = this.#out;
    const bytes = row.widthBits / 8;
    const [load, store] = [LOADS[row.widthBits]!, STORES[row.widthBits]!];
    if (row.operation === 'load_acquire') {
      this.#memory(load, this.#address(index, src, off, bytes, READ | ATOMIC));
      this.setRegister(dst);
      return;
    }
    const offset = this.#address(index, dst, off, bytes, WRITE | ATOMIC);
    if (row.operation === 'store_release') {
      this.getRegister(src);
      this.#memory(store, offset);
      return;
    }
    out.pair(op.LOCAL_TEE, ADDRESS);
    this.#memory(load, offset);
    out.pair(op.LOCAL_SET, TEMP64);
    const operation = row.operation.replace('fetch_', '');
    if (operation === 'cmpxchg') {
      out.pair(op.LOCAL_GET, TEMP64);
      this.getRegister(0);
      if (bytes === 4) {
        out.byte(op.I32_WRAP_I64);
        out.byte(op.I64_EXTEND_I32_U);
      }
      out.byte(op.I64_EQ);
      out.pair(op.IF, VOID);
      out.pair(op.LOCAL_GET, ADDRESS);
      this.getRegister(src);
      this.#memory(store, offset);
      out.byte(op.END);
      out.pair(op.LOCAL_GET, TEMP64);
      this.setRegister(0);
      return;
    }
    out.pair(op.LOCAL_GET, ADDRESS);
    if (operation === 'xchg') {
      this.getRegister(src);
    } else {
      out.pair(op.LOCAL_GET, TEMP64);
      this.getRegister(src);
      out.byte(ATOMIC_OPERATIONS[operation]!);
    }
    this.#memory(store, offset);
    if (row.src !== 'modify') return;
    out.pair(op.LOCAL_GET, TEMP64);
    this.setRegister(src);
  }

  // ── calls ──

  #call(index: number, row: InstructionRow, insn: Instruction): void {
    this.#hasCalls = true;
    if (row.operation === 'subprogram') this.#callFunction(index, index + 1 + insn.imm);
    else if (row.operation === 'callx') this.#callHelper(index, undefined, insn.dst, RETURN_U64);
    else if (row.operation !== 'helper') this.#fault(FAULT_INSTRUCTION, index);
    else if (insn.imm === BPF_FUNC_TAIL_CALL) this.#tailCall(index);
    else if (!this.#inlined(index)) this.#callHelper(index, insn.imm, 0, insn.off);
  }

  /** A look-up in an array whose key lies on the stack, as the kernel inlines it (array_map_gen_lookup, kernel/bpf/arraymap.c, 6.18). */
  #inlined(index: number): boolean {
    const lookup = this.#source.facts.arrayLookup(index);
    if (lookup === undefined) return false;
    const out = this.#out;
    this.getRegister(2);
    out.byte(op.I32_WRAP_I64);
    this.#memory(op.I32_LOAD, 0);
    out.pair(op.LOCAL_TEE, TEMP32);
    this.#i32(lookup.maxEntries | 0);
    out.byte(op.I32_LT_U);
    out.pair(op.IF, I64);
    out.pair(op.LOCAL_GET, TEMP32);
    this.#i32(lookup.strideBytes);
    out.byte(op.I32_MUL);
    this.#i32(lookup.valuesAddress | 0);
    out.byte(op.I32_ADD);
    out.byte(op.I64_EXTEND_I32_U);
    out.byte(op.ELSE);
    out.pair(op.I64_CONST, 0);
    out.byte(op.END);
    this.setRegister(0);
    return true;
  }

  #callHelper(index: number, id: number | undefined, register: number, returns: number): void {
    const out = this.#out;
    const { stateAddress, hasCallbacks } = this.#source;
    this.#saveArguments(5);
    this.#storeState(VM_PC, index);
    if (hasCallbacks && this.#usesFuel) this.#storeFuel();
    const pushId = (): void => {
      if (id !== undefined) {
        this.#i32(id);
        return;
      }
      this.getRegister(register);
      out.byte(op.I32_WRAP_I64);
    };
    pushId();
    for (let argument = 1; argument <= 5; argument++) {
      this.getRegister(argument);
      out.byte(op.I32_WRAP_I64);
    }
    out.pair(op.CALL, IMPORTS.callHelper);
    if (returns === RETURN_INT) out.byte(op.I64_EXTEND_I32_S);
    else if (returns === RETURN_U32) out.byte(op.I64_EXTEND_I32_U);
    else {
      out.byte(op.DROP);
      this.#i32(0);
      this.#memory(op.I64_LOAD, stateAddress + VM_REGS);
    }
    this.setRegister(0);
    this.#i32(0);
    this.#memory(op.I32_LOAD, stateAddress + VM_FAULT_CODE);
    out.pair(op.IF, VOID);
    this.#labels.push({ kind: 'other' });
    pushId();
    out.pair(op.LOCAL_SET, HELPER);
    this.#faultRecorded(index, KEEP, KEEP);
    this.#labels.pop();
    out.byte(op.END);
    if (hasCallbacks && this.#usesFuel) this.#loadFuel();
    if (this.#comparesPacket) this.#loadPacketBounds();
  }

  /** Opens a frame below this one, checks depth and budget, and runs the function in it. */
  #callFunction(index: number, target: number): void {
    const out = this.#out;
    const { stateAddress, functionAt, insnsOf, hasTailCalls, programAddress } = this.#source;
    const fn = functionAt(target);
    if (fn === undefined) {
      this.#fault(FAULT_PC, index);
      return;
    }
    out.pair(op.LOCAL_GET, FP);
    this.#i32(stateAddress + VM_STACK + VM_STACK_FRAME_BYTES);
    out.byte(op.I32_EQ);
    out.pair(op.IF, VOID);
    this.#labels.push({ kind: 'other' });
    this.#fault(FAULT_CALL_DEPTH, index);
    this.#labels.pop();
    out.byte(op.END);
    if (this.#usesFuel) this.#storeFuel();
    this.#chargeMemory(insnsOf(target), index);
    this.#moveStackBottom(-1);
    out.pair(op.LOCAL_GET, FP);
    this.#i32(VM_STACK_FRAME_BYTES);
    out.byte(op.I32_SUB);
    for (let argument = 1; argument <= 5; argument++) this.getRegister(argument);
    out.byte(op.CALL);
    out.u32(fn);
    this.setRegister(0);
    this.#moveStackBottom(1);
    if (hasTailCalls) this.#storeState(VM_PROGRAM, programAddress);
    if (this.#usesFuel) this.#loadFuel();
    if (this.#comparesPacket) this.#loadPacketBounds();
  }

  /** VM_STACK_BOTTOM and VM_DEPTH of this function's frame, or of the one below it. */
  #moveStackBottom(by: 1 | -1): void {
    const out = this.#out;
    const { stateAddress } = this.#source;
    this.#i32(0);
    out.pair(op.LOCAL_GET, FP);
    this.#i32(by === 1 ? VM_STACK_FRAME_BYTES : 2 * VM_STACK_FRAME_BYTES);
    out.byte(op.I32_SUB);
    this.#memory(op.I32_STORE, stateAddress + VM_STACK_BOTTOM);
    this.#i32(0);
    this.#i32(0);
    this.#memory(op.I32_LOAD, stateAddress + VM_DEPTH);
    this.#i32(by);
    out.byte(op.I32_SUB);
    this.#memory(op.I32_STORE, stateAddress + VM_DEPTH);
  }

  /** bpf_tail_call: the interpreter's rules say where to; the code there takes this function's place. */
  #tailCall(index: number): void {
    const out = this.#out;
    const { stateAddress } = this.#source;
    this.#saveArguments(3);
    out.pair(op.CALL, IMPORTS.tailCallTarget);
    out.pair(op.LOCAL_TEE, TEMP32);
    out.pair(op.IF, VOID);
    this.#labels.push({ kind: 'other' });
    if (this.#usesFuel) this.#storeFuel();
    this.#i32(0);
    out.pair(op.LOCAL_GET, TEMP32);
    this.#memory(op.I32_STORE, stateAddress + VM_PROGRAM);
    out.pair(op.LOCAL_GET, FP);
    for (let argument = 1; argument <= 5; argument++) this.getRegister(argument);
    // A program that hasn't run yet has to be translated first.
    out.pair(op.LOCAL_GET, TEMP32);
    this.#memory(op.I32_LOAD, PROG_ENTRY);
    out.pair(op.LOCAL_TEE, ADDRESS);
    out.pair(op.IF, I32);
    out.pair(op.LOCAL_GET, ADDRESS);
    out.byte(op.ELSE);
    out.pair(op.LOCAL_GET, TEMP32);
    out.pair(op.CALL, IMPORTS.entryOf);
    out.byte(op.END);
    out.byte(op.RETURN_CALL_INDIRECT);
    out.u32(TYPE_BPF_FUNCTION);
    out.u32(0);
    this.#labels.pop();
    out.byte(op.END);
    this.#i32(0);
    this.#memory(op.I32_LOAD, stateAddress + VM_FAULT_CODE);
    out.pair(op.IF, VOID);
    this.#labels.push({ kind: 'other' });
    this.#i32(BPF_FUNC_TAIL_CALL);
    out.pair(op.LOCAL_SET, HELPER);
    this.#faultRecorded(index, KEEP, KEEP);
    this.#labels.pop();
    out.byte(op.END);
  }

  #saveArguments(count: number): void {
    for (let register = 1; register <= count; register++) {
      this.#i32(0);
      this.getRegister(register);
      this.#memory(op.I64_STORE, this.#source.stateAddress + VM_REGS + register * 8);
    }
  }

  #exit(): void {
    if (this.#usesFuel) this.#storeFuel();
    if (this.#source.prologue === undefined) {
      this.getRegister(0);
    } else {
      this.#i32(0);
      this.getRegister(0);
      this.#memory(op.I64_STORE, this.#source.stateAddress + VM_REGS);
    }
    this.#out.byte(op.RETURN);
  }

  // ── budget, bounds of the packet ──

  #storeState(field: number, value: number): void {
    this.#i32(0);
    this.#i32(value);
    this.#memory(op.I32_STORE, this.#source.stateAddress + field);
  }

  #loadFuel(): void {
    this.#i32(0);
    this.#memory(op.I64_LOAD, this.#source.stateAddress + VM_FUEL);
    this.#out.pair(op.LOCAL_SET, FUEL);
  }

  #storeFuel(): void {
    this.#i32(0);
    this.#out.pair(op.LOCAL_GET, FUEL);
    this.#memory(op.I64_STORE, this.#source.stateAddress + VM_FUEL);
  }

  /** Takes instructions off the budget in the local. */
  #charge(insns: number, at: number): void {
    const out = this.#out;
    out.pair(op.LOCAL_GET, FUEL);
    this.#i64(insns);
    out.byte(op.I64_SUB);
    out.pair(op.LOCAL_TEE, FUEL);
    this.#faultUnlessPositive(at);
  }

  /** Takes instructions off the budget in memory. */
  #chargeMemory(insns: number, at: number): void {
    const out = this.#out;
    const address = this.#source.stateAddress + VM_FUEL;
    this.#i32(0);
    this.#i32(0);
    this.#memory(op.I64_LOAD, address);
    this.#i64(insns);
    out.byte(op.I64_SUB);
    out.pair(op.LOCAL_TEE, TEMP64);
    this.#memory(op.I64_STORE, address);
    out.pair(op.LOCAL_GET, TEMP64);
    this.#faultUnlessPositive(at);
  }

  #faultUnlessPositive(at: number): void {
    const out = this.#out;
    this.#i64(0);
    out.byte(op.I64_LE_S);
    out.pair(op.IF, VOID);
    this.#labels.push({ kind: 'other' });
    this.#fault(FAULT_BUDGET, at);
    this.#labels.pop();
    out.byte(op.END);
  }

  /** Where the packet, metadata included, begins and how long it is. Without room for metadata data_meta is data + 1. */
  #loadPacketBounds(): void {
    const out = this.#out;
    this.#i32(0);
    this.#memory(op.I32_LOAD, this.#source.stateAddress + VM_CONTEXT);
    out.pair(op.LOCAL_TEE, ADDRESS);
    this.#memory(op.I64_LOAD32_U, XDP_MD_DATA);
    out.pair(op.LOCAL_TEE, PACKET);
    out.pair(op.LOCAL_GET, ADDRESS);
    this.#memory(op.I64_LOAD32_U, XDP_MD_DATA_META);
    out.pair(op.LOCAL_TEE, PACKET_BYTES);
    out.pair(op.LOCAL_GET, PACKET);
    out.pair(op.LOCAL_GET, PACKET_BYTES);
    out.byte(op.I64_LT_U);
    out.byte(op.SELECT);
    out.pair(op.LOCAL_SET, PACKET);
    out.pair(op.LOCAL_GET, ADDRESS);
    this.#memory(op.I64_LOAD32_U, XDP_MD_DATA_END);
    out.pair(op.LOCAL_GET, PACKET);
    out.byte(op.I64_SUB);
    out.pair(op.LOCAL_SET, PACKET_BYTES);
    // A comparison with what is left needs 8 bytes at least. A shorter packet is nowhere, and the slow check finds it.
    out.pair(op.LOCAL_GET, PACKET_BYTES);
    out.pair(op.I64_CONST, 8);
    out.byte(op.I64_LT_S);
    out.pair(op.IF, VOID);
    out.byte(op.I64_CONST);
    out.s64(0, 0x40000000);
    out.pair(op.LOCAL_SET, PACKET);
    out.pair(op.I64_CONST, 8);
    out.pair(op.LOCAL_SET, PACKET_BYTES);
    out.byte(op.END);
  }

  // ── faults ──

  /** A fault that has no address. */
  #fault(code: number, at: number): void {
    const out = this.#out;
    this.#i32(code);
    out.pair(op.CALL, IMPORTS.refuse);
    this.#faultRecorded(at, 0, 0);
  }

  /** The reason stands in the fault record: adds the place, and leaves. KEEP leaves what a helper has recorded. */
  #faultRecorded(at: number, register: number, helper: number): void {
    const out = this.#out;
    this.#hasFaults = true;
    this.#i32(at);
    out.pair(op.LOCAL_SET, PC);
    if (register !== KEEP) {
      this.#i32(register);
      out.pair(op.LOCAL_SET, REGISTER);
    } else {
      this.#i32(0);
      this.#memory(op.I32_LOAD, this.#source.stateAddress + VM_FAULT_REG);
      out.pair(op.LOCAL_SET, REGISTER);
    }
    if (helper !== KEEP) {
      this.#i32(helper);
      out.pair(op.LOCAL_SET, HELPER);
    }
    out.byte(op.BR);
    out.u32(this.#labels.length - 1);
  }

  /** Where all faults of the function end: leaves the registers in the state as the interpreter does, and stops the machine. */
  #faultExit(): void {
    const out = this.#out;
    const { stateAddress } = this.#source;
    for (let register = 0; register <= BPF_REG_FP; register++) {
      this.#i32(0);
      this.getRegister(register);
      this.#memory(op.I64_STORE, stateAddress + VM_REGS + register * 8);
    }
    for (const [field, local] of [[VM_PC, PC], [VM_FAULT_REG, REGISTER], [VM_FAULT_HELPER, HELPER]] as const) {
      this.#i32(0);
      out.pair(op.LOCAL_GET, local);
      this.#memory(op.I32_STORE, stateAddress + field);
    }
    out.pair(op.CALL, IMPORTS.stop);
    out.byte(op.UNREACHABLE);
  }
}

/** Blocks in each other: more could be more than the stack of JavaScript has room for. */
const MOST_NESTING = 500;

/** Instructions of a loop that are charged before it is known how many of them run. */
const MOST_PREPAID_INSNS = 16384;

const NO_MERGE = -1;
const KEEP = -1;

const LOADS: Readonly<Record<number, number>> = { 8: op.I64_LOAD8_U, 16: op.I64_LOAD16_U, 32: op.I64_LOAD32_U, 64: op.I64_LOAD };
const SIGNED_LOADS: Readonly<Record<number, number>> = { 8: op.I64_LOAD8_S, 16: op.I64_LOAD16_S, 32: op.I64_LOAD32_S };
const STORES: Readonly<Record<number, number>> = { 8: op.I64_STORE8, 16: op.I64_STORE16, 32: op.I64_STORE32, 64: op.I64_STORE };
const ATOMIC_OPERATIONS: Readonly<Record<string, number>> = { add: op.I64_ADD, or: op.I64_OR, and: op.I64_AND, xor: op.I64_XOR };

/** The local of r0 to r9. */
function localOf(register: number): number {
  if (register === 0) return R0;
  return register <= 5 ? register : R6 + register - 6;
}
