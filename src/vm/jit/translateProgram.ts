import { immAt, rowAt } from '../isa/decode.js';
import { INSN_BYTES } from '../isa/opcodes.js';
import {
  BPF_FUNC_TAIL_CALL, FAULT_BUDGET, FAULT_CALL_DEPTH, MAY_GOTO_MAX, VM_BUDGET, VM_CONTEXT, VM_DEPTH, VM_FAULT_CODE, VM_FUEL, VM_IS_STOPPED, VM_MAY_GOTO, VM_PC, VM_PROGRAM, VM_REGS, VM_STACK, VM_STACK_BOTTOM, VM_STACK_FRAME_BYTES, VM_STATE_BYTES, VM_TAIL_CALLS,
} from '../layout.js';
import { analyse } from './analysis.js';
import { basicBlocks, controlFlow, functionStarts } from './controlFlow.js';
import { checkingFacts } from './facts.js';
import { IMPORTED_FUNCTIONS, IMPORTS, TYPE_BPF_FUNCTION } from './functionBody.js';
import type { FunctionSource } from './functionBody.js';
import { FunctionTranslator, NestedTooDeepError } from './functionTranslator.js';
import type { ProgramKnowledge } from './knowledge.js';
import { findRotations } from './rotations.js';
import * as op from './wasmOpcodes.js';
import { I32, I64, VOID, WasmWriter, encodeModule } from './wasmWriter.js';
import type { FunctionType, WasmFunction, WasmImport } from './wasmWriter.js';

export interface TranslateOptions {
  readonly stateAddress: number;
  readonly programAddress: number;
  readonly knowledge: ProgramKnowledge;
  /** Bytes of the context that the program may read. */
  readonly contextBytes: number;
  readonly checksEverything: boolean;
  /** Instructions that a run may execute. */
  readonly instructionBudget: number;
  /** Other programs tail-call it: `main` is exported too, as `run` can't be called so. */
  readonly isTailCallTarget: boolean;
}

/** Export that runs the function at an instruction for a helper. */
export function callbackName(insnIndex: number): string {
  return `callback${insnIndex}`;
}

/** A budget next to which a few short loops are nothing, instructions. */
const LARGE_BUDGET = 1_000_000;

const TYPES: readonly FunctionType[] = [
  { params: [I32, I64, I64, I64, I64, I64], results: [I64] }, // TYPE_BPF_FUNCTION
  { params: [I32, I32, I32, I32, I32, I32], results: [I32] }, // callHelper
  { params: [I64, I32, I32], results: [I32] }, // access
  { params: [], results: [I32] },
  { params: [I32], results: [] },
  { params: [], results: [] },
  { params: [I32], results: [I32] },
];
const TYPE_CALL_HELPER = 1;
const TYPE_ACCESS = 2;
const TYPE_GIVES_I32 = 3;
const TYPE_TAKES_I32 = 4;
const TYPE_PLAIN = 5;
const TYPE_I32_TO_I32 = 6;

/** In the order of IMPORTS. */
const IMPORT_LIST: readonly WasmImport[] = [
  { module: 'env', name: 'callHelper', what: TYPE_CALL_HELPER },
  { module: 'env', name: 'access', what: TYPE_ACCESS },
  { module: 'env', name: 'tailCallTarget', what: TYPE_GIVES_I32 },
  { module: 'env', name: 'mayGoto', what: TYPE_GIVES_I32 },
  { module: 'env', name: 'refuseAt', what: TYPE_TAKES_I32 },
  { module: 'env', name: 'stop', what: TYPE_PLAIN },
  { module: 'env', name: 'entryOf', what: TYPE_I32_TO_I32 },
  { module: 'env', name: 'memory', what: 'memory' },
  { module: 'env', name: 'table', what: 'table' },
];

/**
 * Translates a linked program (every lddw plain, the offset of each helper call says RETURN_*) to one WebAssembly module. It exports
 * `run(context)`, `callbackName` of each callback and, for the table of tail calls, the main function as `main`. Where nothing calls the main function it is part of
 * `run`, which saves a call, and there is no `main`.
 */
export function translateProgram(insns: Uint8Array, options: TranslateOptions): Uint8Array<ArrayBuffer> {
  const starts = functionStarts(insns, options.knowledge.callbacks);
  const blocks = basicBlocks(insns, starts);
  const flows = new Map(starts.map((start) => [start, controlFlow(blocks, blocks.findIndex((block) => block.start === start))]));
  const functionAt = (insnIndex: number): number | undefined => {
    const place = starts.indexOf(insnIndex);
    return place < 0 ? undefined : IMPORTED_FUNCTIONS + place;
  };
  const insnsOf = (insnIndex: number): number => flows.get(insnIndex)!.blocks.reduce((sum, { start, end }) => sum + end - start, 0);
  const uses = programUses(insns, options.knowledge.callbacks);
  const hasTailCalls = uses.tailCalls;
  const isMainCalled = options.isTailCallTarget || hasTailCalls || uses.callsMain;
  const { knowledge, contextBytes } = options;
  // What a tail call of a function leads to is another program.
  const areCallsQuiet = !hasTailCalls && callsOnly(insns, knowledge.quietHelpers);
  const functions: WasmFunction[] = [...flows].map(([start, flow]) => {
    const known = analyse({ insns, flow, knowledge, contextBytes, isMain: start === 0 && !uses.callsMain, areCallsQuiet, locks: uses.locks });
    const facts = options.checksEverything ? checkingFacts(known) : known;
    const isEntry = start === 0 && !isMainCalled;
    const body = translateFunction({
      insns, flow, facts, rotations: findRotations(insns, flow.blocks), functionAt, insnsOf, hasTailCalls, contextBytes,
      stateAddress: options.stateAddress,
      programAddress: options.programAddress,
      hasCallbacks: options.knowledge.callbacks.length > 0,
      isBudgetLarge: options.instructionBudget >= LARGE_BUDGET,
      prologue: isEntry ? prologue(options, uses) : undefined,
    });
    if (isEntry) return { typeIndex: TYPE_TAKES_I32, body, exportName: 'run' };
    return { typeIndex: TYPE_BPF_FUNCTION, body, ...(start === 0 ? { exportName: 'main' } : {}) };
  });
  if (isMainCalled) functions.push({ typeIndex: TYPE_TAKES_I32, body: runBody(options, uses), exportName: 'run' });
  for (const start of options.knowledge.callbacks) {
    const body = callbackBody(options, functionAt(start)!, insnsOf(start));
    functions.push({ typeIndex: TYPE_PLAIN, body, exportName: callbackName(start) });
  }
  return encodeModule(TYPES, IMPORT_LIST, functions);
}

/** With structured control flow where that isn't too deep. */
function translateFunction(source: FunctionSource): Uint8Array {
  try {
    return new FunctionTranslator(source).translate();
  } catch (error) {
    if (!(error instanceof NestedTooDeepError)) throw error;
    return new FunctionTranslator({ ...source, flow: { ...source.flow, isReducible: false } }).translate();
  }
}

/** Every helper that the program calls is one of these. */
function callsOnly(insns: Uint8Array, helpers: ReadonlySet<number>): boolean {
  for (let index = 0; index < insns.length / INSN_BYTES; ) {
    const row = rowAt(insns, index);
    if (row?.operation === 'callx' || (row?.operation === 'helper' && !helpers.has(immAt(insns, index)))) return false;
    index += row?.slots ?? 1;
  }
  return true;
}

interface ProgramUses {
  readonly tailCalls: boolean;
  /** A program that it tail-calls may have it too. */
  readonly mayGoto: boolean;
  /** bpf_spin_lock. */
  readonly locks: boolean;
  /** The main function is called as a subprogram too. */
  readonly callsMain: boolean;
}

const BPF_FUNC_SPIN_LOCK = 93;

function programUses(insns: Uint8Array, callbacks: readonly number[]): ProgramUses {
  let [tailCalls, mayGoto, locks, callsMain] = [false, false, false, callbacks.includes(0)];
  for (let index = 0; index < insns.length / INSN_BYTES; ) {
    const row = rowAt(insns, index);
    if (row?.operation === 'helper' && immAt(insns, index) === BPF_FUNC_TAIL_CALL) tailCalls = true;
    if (row?.operation === 'may_goto') mayGoto = true;
    if (row?.operation === 'helper' && immAt(insns, index) === BPF_FUNC_SPIN_LOCK) locks = true;
    if (row?.operation === 'subprogram' && index + 1 + immAt(insns, index) === 0) callsMain = true;
    index += row?.slots ?? 1;
  }
  return { tailCalls, mayGoto: mayGoto || tailCalls, locks, callsMain };
}

/** Prepares the state as the interpreter does; the context is in local 0. */
function prologue({ stateAddress, programAddress }: TranslateOptions, uses: ProgramUses): Uint8Array {
  const out = new WasmWriter(256);
  const storeWord = (field: number, value: () => void): void => {
    out.pair(op.I32_CONST, 0);
    value();
    memory(out, op.I32_STORE, stateAddress + field);
  };
  const number = (value: number) => (): void => {
    out.byte(op.I32_CONST);
    out.s32(value);
  };
  for (const field of [VM_FAULT_CODE, VM_IS_STOPPED, VM_DEPTH]) storeWord(field, number(0));
  if (uses.tailCalls) storeWord(VM_TAIL_CALLS, number(0));
  if (uses.mayGoto) storeWord(VM_MAY_GOTO, number(MAY_GOTO_MAX));
  storeWord(VM_PROGRAM, number(programAddress));
  storeWord(VM_CONTEXT, () => out.pair(op.LOCAL_GET, 0));
  storeWord(VM_STACK_BOTTOM, number(stateAddress + VM_STATE_BYTES - VM_STACK_FRAME_BYTES));
  out.pair(op.I32_CONST, 0);
  out.pair(op.I32_CONST, 0);
  memory(out, op.I64_LOAD32_U, stateAddress + VM_BUDGET);
  memory(out, op.I64_STORE, stateAddress + VM_FUEL);
  return out.bytes.slice();
}

/** run(context) of a program whose main function is called by others too: prepares the state, calls it, leaves its result in r0. */
function runBody(options: TranslateOptions, uses: ProgramUses): Uint8Array {
  const out = new WasmWriter(256);
  out.byte(0); // no locals
  out.raw(prologue(options, uses));
  out.pair(op.I32_CONST, 0);
  out.byte(op.I32_CONST);
  out.s32(options.stateAddress + VM_STATE_BYTES);
  out.pair(op.LOCAL_GET, 0);
  out.byte(op.I64_EXTEND_I32_U);
  for (let argument = 2; argument <= 5; argument++) out.pair(op.I64_CONST, 0);
  out.byte(op.CALL);
  out.u32(IMPORTED_FUNCTIONS);
  memory(out, op.I64_STORE, options.stateAddress + VM_REGS);
  return out.bytes.slice();
}

/**
 * For a helper that runs a function of the program: calls it in the frame below the current one on r1 to r5 of the state, and leaves its
 * result in r0.
 */
function callbackBody({ stateAddress }: TranslateOptions, fn: number, insnCount: number): Uint8Array {
  const out = new WasmWriter(256);
  const [FP, CALL_PC, FUEL] = [0, 1, 2];
  out.raw(Uint8Array.of(2, 2, I32, 1, I64));
  const number = (value: number): void => {
    out.byte(op.I32_CONST);
    out.s32(value);
  };
  const loadWord = (field: number): void => {
    out.pair(op.I32_CONST, 0);
    memory(out, op.I32_LOAD, stateAddress + field);
  };
  const faultIf = (code: number): void => {
    out.pair(op.IF, VOID);
    number(code);
    out.pair(op.CALL, IMPORTS.refuse);
    out.pair(op.CALL, IMPORTS.stop);
    out.byte(op.UNREACHABLE);
    out.byte(op.END);
  };
  loadWord(VM_PC);
  out.pair(op.LOCAL_SET, CALL_PC);
  // The frame that is active ends at VM_STACK_BOTTOM, and there the new one begins.
  loadWord(VM_STACK_BOTTOM);
  out.pair(op.LOCAL_TEE, FP);
  number(stateAddress + VM_STACK);
  out.byte(op.I32_EQ);
  faultIf(FAULT_CALL_DEPTH);
  out.pair(op.I32_CONST, 0);
  out.pair(op.I32_CONST, 0);
  memory(out, op.I64_LOAD, stateAddress + VM_FUEL);
  out.byte(op.I64_CONST);
  out.s32(insnCount);
  out.byte(op.I64_SUB);
  out.pair(op.LOCAL_TEE, FUEL);
  memory(out, op.I64_STORE, stateAddress + VM_FUEL);
  out.pair(op.LOCAL_GET, FUEL);
  out.pair(op.I64_CONST, 0);
  out.byte(op.I64_LE_S);
  faultIf(FAULT_BUDGET);
  const moveFrame = (bottomBytes: number, depth: number): void => {
    out.pair(op.I32_CONST, 0);
    out.pair(op.LOCAL_GET, FP);
    number(bottomBytes);
    out.byte(op.I32_SUB);
    memory(out, op.I32_STORE, stateAddress + VM_STACK_BOTTOM);
    out.pair(op.I32_CONST, 0);
    loadWord(VM_DEPTH);
    number(depth);
    out.byte(op.I32_ADD);
    memory(out, op.I32_STORE, stateAddress + VM_DEPTH);
  };
  moveFrame(VM_STACK_FRAME_BYTES, 1);
  out.pair(op.I32_CONST, 0);
  out.pair(op.LOCAL_GET, FP);
  for (let argument = 1; argument <= 5; argument++) {
    out.pair(op.I32_CONST, 0);
    memory(out, op.I64_LOAD, stateAddress + VM_REGS + argument * 8);
  }
  out.byte(op.CALL);
  out.u32(fn);
  memory(out, op.I64_STORE, stateAddress + VM_REGS);
  moveFrame(0, -1);
  out.pair(op.I32_CONST, 0);
  out.pair(op.LOCAL_GET, CALL_PC);
  memory(out, op.I32_STORE, stateAddress + VM_PC);
  return out.bytes.slice();
}

function memory(out: WasmWriter, opcode: number, offset: number): void {
  out.pair(opcode, 0);
  out.u32(offset);
}
