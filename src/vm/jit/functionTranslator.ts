import { decode, immAt, rowAt } from '../isa/decode.js';
import type { Instruction } from '../isa/decode.js';
import type { InstructionRow } from '../isa/instructionTable.js';
import { FAULT_BUDGET, FAULT_INSTRUCTION, FAULT_PC, VM_REGS, VM_STATE_BYTES } from '../layout.js';
import { emitAlu, emitCondition, emitEndian } from './arithmetic.js';
import { Calls } from './calls.js';
import { jumpTarget } from './controlFlow.js';
import { ENTRY_LOCALS, FP, FUEL, FunctionBody, IMPORTS, LOCALS, NEXT_BLOCK, ROTATED } from './functionBody.js';
import type { FunctionSource } from './functionBody.js';
import { MemoryAccess } from './memoryAccess.js';
import * as op from './wasmOpcodes.js';
import { VOID } from './wasmWriter.js';

/** Blocks in each other: more could be more than the stack of JavaScript has room for. */
const MOST_NESTING = 500;

/** Instructions of a loop that are charged before it is known how many of them run. */
const MOST_PREPAID_INSNS = 16384;

/** A function whose blocks lie too deep in each other for structured control flow. */
export class NestedTooDeepError extends Error {}

/** Translates one BPF function to the body of one WebAssembly function of type (fp: i32, r1..r5: i64) -> i64. */
export class FunctionTranslator {
  readonly #body: FunctionBody;
  readonly #memory: MemoryAccess;
  readonly #calls: Calls;
  #nesting = 0;

  constructor(source: FunctionSource) {
    const isCounted = [...source.flow.loops.keys()].some((header) => !isFree(source, header));
    this.#body = new FunctionBody(source, isCounted || !source.flow.isReducible);
    this.#memory = new MemoryAccess(this.#body);
    this.#calls = new Calls(this.#body);
  }

  translate(): Uint8Array {
    const out = this.#body.out;
    out.pair(op.BLOCK, VOID);
    this.#body.labels.push({ kind: 'other' });
    if (this.#body.source.flow.isReducible) this.#tree(0);
    else this.#dispatchLoop();
    this.#body.labels.pop();
    out.byte(op.END);
    if (this.#body.hasFaults) this.#body.faultExit();
    else out.byte(op.UNREACHABLE);
    const body = out.bytes.slice();
    out.clear();
    this.#start();
    out.raw(body);
    return out.bytes.slice();
  }

  /** Locals, and what has to be in them and in the machine's state; written last, when it is known what the rest needs. */
  #start(): void {
    const out = this.#body.out;
    const { prologue } = this.#body.source;
    out.raw(Uint8Array.from(prologue === undefined ? LOCALS : ENTRY_LOCALS));
    if (prologue !== undefined) {
      if (this.#needsState) out.raw(prologue);
      out.pair(op.LOCAL_GET, FP);
      out.byte(op.I64_EXTEND_I32_U);
      this.#body.setRegister(1);
      this.#body.i32(this.#body.source.stateAddress + VM_STATE_BYTES);
      out.pair(op.LOCAL_SET, FP);
    }
    if (this.#body.usesFuel) this.#body.loadFuel();
    if (this.#body.comparesPacket) this.#body.loadPacketBounds();
  }

  /** Helpers, functions and faults look at the state; a program that has none of them leaves it alone. */
  get #needsState(): boolean {
    return this.#body.hasFaults || this.#body.hasCalls || this.#body.usesFuel || this.#body.comparesPacket;
  }

  // Structured control flow: Ramsey, "Beyond Relooper" (ICFP 2022).

  /** A block and all that it dominates. Where it ends, nothing falls through. */
  #tree(root: number): void {
    if (++this.#nesting > MOST_NESTING) throw new NestedTooDeepError();
    this.#treeInside(root);
    this.#nesting--;
  }

  #treeInside(root: number): void {
    const { flow } = this.#body.source;
    const out = this.#body.out;
    // Blocks are opened for what is reached in several ways, the last of it outermost, and closed where it stands.
    let block = root;
    let openLoops = 0;
    for (;;) {
      const isLoop = flow.isLoopHeader[block] === 1;
      if (isLoop) {
        const cost = boundedCost(this.#body.source, block);
        if (cost !== undefined && !isFree(this.#body.source, block)) this.#body.charge(cost, flow.blocks[block]!.start);
        out.pair(op.LOOP, VOID);
        this.#body.labels.push({ kind: 'loop', block });
        openLoops++;
      }
      const merges = flow.children[block]!.filter((child) => flow.forwardEdges[child]! > 1);
      for (let i = merges.length - 1; i >= 0; i--) {
        out.pair(op.BLOCK, VOID);
        this.#body.labels.push({ kind: 'after', block: merges[i]! });
      }
      const next = this.#block(block);
      if (next !== undefined && merges.length === 0) {
        block = next;
        continue;
      }
      if (next !== undefined) this.#tree(next);
      for (const merge of merges) {
        this.#body.labels.pop();
        out.byte(op.END);
        if (merge !== merges[merges.length - 1]) this.#tree(merge);
      }
      const last = merges[merges.length - 1];
      if (last === undefined) break;
      block = last;
    }
    // Only loops are still open.
    for (; openLoops > 0; openLoops--) {
      this.#body.labels.pop();
      out.byte(op.END);
      out.byte(op.UNREACHABLE);
    }
  }

  /** The instructions of a block and where they lead; gives the block to go on with in place, if any. */
  #block(block: number): number | undefined {
    const { insns, flow } = this.#body.source;
    const { start, last, next, taken } = flow.blocks[block]!;
    const out = this.#body.out;
    for (let index = start; index < last; ) index += this.#insn(index);
    const row = rowAt(insns, last);
    if (row === undefined) {
      this.#body.fault(FAULT_INSTRUCTION, last);
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
    this.#body.labels.push({ kind: 'other' });
    this.#condition(last, row);
    out.byte(op.I32_EQZ);
    out.pair(op.BR_IF, 0);
    const inside = this.#go(block, taken, last, true);
    if (inside !== undefined) this.#tree(inside);
    this.#body.labels.pop();
    out.byte(op.END);
    return this.#go(block, next, last, false);
  }

  /** An edge that is a jump to a label (or a fault), and not code in place. */
  #isBranch(from: number, to: number): boolean {
    return to < 0 || to <= from || this.#body.source.flow.forwardEdges[to]! > 1;
  }

  /** Follows an edge; gives the block to go on with if that stands here. */
  #go(from: number, to: number, at: number, isTaken: boolean): number | undefined {
    if (!this.#isBranch(from, to)) return to;
    if (to < 0) this.#body.fault(FAULT_PC, this.#targetOf(at, isTaken));
    else if (to <= from) this.#back(to, at);
    else this.#br(op.BR, 'after', to);
    return undefined;
  }

  /** Follows an edge that is a branch if the number on the stack isn't 0. */
  #branchIf(from: number, to: number, at: number, isTaken: boolean): void {
    const out = this.#body.out;
    if (to > from) {
      this.#br(op.BR_IF, 'after', to);
      return;
    }
    if (to >= 0 && boundedCost(this.#body.source, to) !== undefined) {
      this.#br(op.BR_IF, 'loop', to);
      return;
    }
    out.pair(op.IF, VOID);
    this.#body.labels.push({ kind: 'other' });
    if (to < 0) this.#body.fault(FAULT_PC, this.#targetOf(at, isTaken));
    else this.#back(to, at);
    this.#body.labels.pop();
    out.byte(op.END);
  }

  /** The instruction that the one at `at` leads to. */
  #targetOf(at: number, isTaken: boolean): number {
    const { insns } = this.#body.source;
    return isTaken ? jumpTarget(insns, at)! : at + rowAt(insns, at)!.slots;
  }

  /** Back to the head of a loop while the budget lasts: counting down and going back are one branch. */
  #back(header: number, at: number): void {
    const out = this.#body.out;
    if (boundedCost(this.#body.source, header) !== undefined) {
      this.#br(op.BR, 'loop', header);
      return;
    }
    out.pair(op.LOCAL_GET, FUEL);
    this.#body.i64(this.#body.source.flow.loopInsns[header]!);
    out.byte(op.I64_SUB);
    out.pair(op.LOCAL_TEE, FUEL);
    this.#body.i64(0);
    out.byte(op.I64_GT_S);
    this.#br(op.BR_IF, 'loop', header);
    this.#body.fault(FAULT_BUDGET, at);
  }

  #br(opcode: number, kind: 'loop' | 'after', block: number): void {
    for (let depth = 0; depth < this.#body.labels.length; depth++) {
      const label = this.#body.labels[this.#body.labels.length - 1 - depth]!;
      if (label.kind !== kind || label.block !== block) continue;
      this.#body.out.byte(opcode);
      this.#body.out.u32(depth);
      return;
    }
    throw new Error(`FunctionTranslator: no label for block ${block}`);
  }

  /** For functions with a loop that can be entered in several places: every block is a case of one switch in a loop. */
  #dispatchLoop(): void {
    const { blocks } = this.#body.source.flow;
    const out = this.#body.out;
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
      for (let i = 0; i < depth + 1; i++) this.#body.labels.push({ kind: 'other' });
      this.#dispatchedBlock(block, depth);
      this.#body.labels.length -= depth + 1;
    }
    out.byte(op.END);
    out.byte(op.UNREACHABLE);
  }

  #dispatchedBlock(block: number, loopDepth: number): void {
    const { insns, flow } = this.#body.source;
    const { start, end, last, next, taken } = flow.blocks[block]!;
    const out = this.#body.out;
    const leave = (to: number, deeper: number, isTaken: boolean): void => {
      if (to < 0) {
        this.#body.fault(FAULT_PC, this.#targetOf(last, isTaken));
        return;
      }
      if (to <= block) {
        this.#body.charge(end - start + flow.loopInsns[to]!, last);
      }
      this.#body.i32(to);
      out.pair(op.LOCAL_SET, NEXT_BLOCK);
      out.byte(op.BR);
      out.u32(loopDepth + deeper);
    };
    for (let index = start; index < last; ) index += this.#insn(index);
    const row = rowAt(insns, last);
    if (row === undefined) this.#body.fault(FAULT_INSTRUCTION, last);
    else if (row.kind === 'exit') this.#exit();
    else if (row.kind === 'goto') leave(taken, 0, true);
    else if (row.kind !== 'branch') {
      this.#insn(last);
      leave(next, 0, false);
    } else {
      this.#condition(last, row);
      out.pair(op.IF, VOID);
      this.#body.labels.push({ kind: 'other' });
      leave(taken, 1, true);
      this.#body.labels.pop();
      out.byte(op.END);
      leave(next, 0, false);
    }
  }

  /** One instruction that isn't the last of its block, or doesn't jump; gives its slots. */
  #insn(index: number): number {
    const { insns } = this.#body.source;
    const row = rowAt(insns, index);
    if (row === undefined) {
      this.#body.fault(FAULT_INSTRUCTION, index);
      return 1;
    }
    const insn = decode(insns, index);
    switch (row.kind) {
      case 'alu':
        if (this.#rotated(index, insn)) break;
        emitAlu(this.#body.out, row, insn, this.#body.getRegister, this.#body.setRegister);
        break;
      case 'endian':
        emitEndian(this.#body.out, row, insn, this.#body.getRegister, this.#body.setRegister);
        break;
      case 'lddw':
        this.#body.out.byte(op.I64_CONST);
        this.#body.out.s64(insn.imm, immAt(insns, index + 1));
        this.#body.setRegister(insn.dst);
        break;
      case 'load':
        this.#memory.load(index, row, insn);
        break;
      case 'store':
        this.#memory.store(index, row, insn);
        break;
      case 'atomic':
        this.#memory.atomic(index, row, insn);
        break;
      case 'call':
        this.#calls.call(index, row, insn);
        break;
      default:
        throw new Error(`FunctionTranslator: ${row.operation} in the middle of a block`);
    }
    return row.slots;
  }

  /** True when the instruction ends a rotation, which then takes its place. Keeps the number that one begins with. */
  #rotated(index: number, insn: Instruction): boolean {
    const out = this.#body.out;
    const { keep, rotate } = this.#body.source.rotations;
    const temp = keep.get(index);
    if (temp !== undefined) {
      this.#body.getRegister(insn.dst);
      out.pair(op.LOCAL_SET, ROTATED + temp);
    }
    const rotation = rotate.get(index);
    if (rotation === undefined) return false;
    out.pair(op.LOCAL_GET, ROTATED + rotation.temp);
    this.#body.i64(rotation.bits);
    out.byte(op.I64_ROTL);
    this.#body.setRegister(insn.dst);
    return true;
  }

  #condition(index: number, row: InstructionRow): void {
    if (row.operation === 'may_goto') {
      this.#body.hasCalls = true;
      this.#body.out.pair(op.CALL, IMPORTS.mayGoto);
      this.#body.out.byte(op.I32_EQZ);
    } else {
      emitCondition(this.#body.out, row, decode(this.#body.source.insns, index), this.#body.getRegister);
    }
  }

  #exit(): void {
    if (this.#body.usesFuel) this.#body.storeFuel();
    if (this.#body.source.prologue === undefined) {
      this.#body.getRegister(0);
    } else {
      this.#body.i32(0);
      this.#body.getRegister(0);
      this.#body.memory(op.I64_STORE, this.#body.source.stateAddress + VM_REGS);
    }
    this.#body.out.byte(op.RETURN);
  }
}

/** What all rounds of a loop cost together when that is known and little: then it is paid for before the first one. */
function boundedCost({ flow, facts }: FunctionSource, header: number): number | undefined {
  const rounds = flow.isReducible ? facts.loopRounds(flow.blocks[header]!.start) : undefined;
  const cost = (rounds ?? Infinity) * flow.loopInsns[header]!;
  return cost <= MOST_PREPAID_INSNS ? cost : undefined;
}

/** A loop that is known to be short, runs once at most, and costs next to nothing of the budget. */
function isFree(source: FunctionSource, header: number): boolean {
  const { flow, prologue, isBudgetLarge } = source;
  const isInLoop = [...flow.loops].some(([outer, body]) => outer !== header && body.includes(header));
  return prologue !== undefined && isBudgetLarge && !isInLoop && boundedCost(source, header) !== undefined;
}
