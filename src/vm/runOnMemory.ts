import { fail, ok } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { HostMemory } from '../memory/index.js';
import { AccessTable } from './accessTable.js';
import type { EngineName } from './engine.js';
import { readFault } from './fault.js';
import { Interpreter } from './interpreter/interpreter.js';
import type { HelperDispatcher } from './interpreter/interpreter.js';
import { checkInstructions } from './isa/checkInstructions.js';
import type { CheckOptions } from './isa/checkInstructions.js';
import { decode, encode, immAt, rowAt } from './isa/decode.js';
import { BPF_ALU64, BPF_DW, BPF_IMM, BPF_K, BPF_LD, BPF_MOV, INSN_BYTES } from './isa/opcodes.js';
import { Jit } from './jit/jit.js';
import {
  FAULT_HELPER_ARGUMENT, PROG_BLOCK_BYTES, PROG_ID, PROG_INSNS, PROG_INSN_COUNT, RETURN_U64, VM_FAULT_CODE, VM_FAULT_PC, VM_REGS, VM_STACK_FRAME_BYTES, VM_STATE_BYTES, XDP_BUFF_BYTES,
} from './layout.js';

export interface RunOnMemoryOptions {
  /** `jit` when left out. */
  readonly engine?: EngineName;
  /** What is refused before the run (`checkInstructions`); `rfc` when left out. */
  readonly rules?: CheckOptions['rules'];
}

/** The one helper: gives back its first argument. */
const HELPER_SAME = 5;
/** Instructions before the program, which set r1 and r2. */
const PROLOGUE_INSNS = 4;
const MOST_INSNS = 1_000_000;
const MOST_MEMORY_BYTES = 16 << 20;
const LDDW = BPF_LD | BPF_IMM | BPF_DW;
/** State, access table, context and what alignment costs. */
const MACHINE_BYTES = 1 << 20;

/**
 * Runs a bare program without packet and maps, as test suites of the instruction set do: r1 is the address of `bytes`, which it may read and write, r2 their
 * number; with no bytes r1 is 0. Helper 5 returns its first argument; there is no other.
 *
 * Problems: those of `checkInstructions`; `unsupported-helper`, `unsupported-instruction` for what needs a loader; `program-size`, `memory-size`; a fault by
 * its name, e.g. `bad-access`.
 *
 * @returns r0, all 64 bits
 */
export function runOnMemory(program: Uint8Array, bytes: Uint8Array, { engine = 'jit', rules = 'rfc' }: RunOnMemoryOptions = {}): Result<bigint> {
  if (bytes.length > MOST_MEMORY_BYTES) return fail({ code: 'memory-size', message: `${bytes.length} bytes of memory are more than ${MOST_MEMORY_BYTES}` });
  if (program.length > MOST_INSNS * INSN_BYTES) return fail({ code: 'program-size', message: `a program of ${program.length} bytes has more than ${MOST_INSNS} instructions` });
  const problem = checkInstructions(program, { rules }) ?? needsMore(program);
  if (problem !== undefined) return fail(problem);

  const memory = HostMemory.withRoomFor(2 * program.length + bytes.length + MACHINE_BYTES);
  const { view, u8 } = memory;
  const stateAddress = memory.reserve('state', VM_STATE_BYTES);
  memory.reserve('the gap above the stack', VM_STACK_FRAME_BYTES);
  // No byte of it may be read: the program's block says that the context has none.
  const contextAddress = memory.reserve('context', XDP_BUFF_BYTES);
  const accessTable = new AccessTable(memory, stateAddress);
  let start = 0;
  if (bytes.length > 0) {
    start = memory.reserve('memory', bytes.length, 16);
    u8.set(bytes, start);
    accessTable.add({ start, end: start + bytes.length, strideBytes: bytes.length, valueBytes: bytes.length, writable: true });
  }
  const insns = withPrologue(program, start, bytes.length);
  const programAddress = memory.reserve('program', PROG_BLOCK_BYTES);
  const text = memory.reserve('instructions', insns.length);
  u8.set(insns, text);
  view.setUint32(programAddress + PROG_ID, 1, true);
  view.setUint32(programAddress + PROG_INSN_COUNT, insns.length / INSN_BYTES, true);
  view.setUint32(programAddress + PROG_INSNS, text, true);

  const callHelper: HelperDispatcher = (id) => {
    // A register may name any helper.
    if (id !== HELPER_SAME) view.setUint32(stateAddress + VM_FAULT_CODE, FAULT_HELPER_ARGUMENT, true);
    view.setBigUint64(stateAddress + VM_REGS, view.getBigUint64(stateAddress + VM_REGS + 8, true), true);
    return 0;
  };
  const interpreter = new Interpreter(memory, stateAddress, callHelper);
  const jit = engine === 'jit' ? new Jit(memory, stateAddress, interpreter, callHelper, { interpretedRuns: 0 }) : undefined;
  jit?.add(programAddress);
  const runner = jit ?? interpreter;
  if (runner.run(programAddress, contextAddress) === 0) return ok(view.getBigUint64(stateAddress + VM_REGS, true));
  // Instructions are counted without the prologue.
  view.setInt32(stateAddress + VM_FAULT_PC, view.getInt32(stateAddress + VM_FAULT_PC, true) - PROLOGUE_INSNS, true);
  const fault = readFault(memory, stateAddress, () => ({ name: 'bare', insns: program, lines: [] }), (id) => `helper ${id}`);
  return fail({ code: fault.name, message: fault.message });
}

/** What a program asks of its surroundings that isn't there. */
function needsMore(program: Uint8Array): Problem | undefined {
  for (let index = 0; index < program.length / INSN_BYTES; ) {
    const row = rowAt(program, index)!;
    if (row.operation === 'helper' && immAt(program, index) !== HELPER_SAME) {
      return { code: 'unsupported-helper', message: `helper ${immAt(program, index)} is not there`, where: `insn ${index}`, hint: `there is helper ${HELPER_SAME}, which returns its first argument` };
    }
    if (row.operation === 'kfunc' || (row.kind === 'lddw' && decode(program, index).src !== 0)) {
      return { code: 'unsupported-instruction', message: `${row.text} needs a loader`, where: `insn ${index}`, hint: 'a bare program has no maps, variables or kernel functions' };
    }
    index += row.slots;
  }
  return undefined;
}

/** r1 and r2 are set, and calls of helpers say how they give their result. */
function withPrologue(program: Uint8Array, address: number, sizeBytes: number): Uint8Array {
  const insns = new Uint8Array(program.length + PROLOGUE_INSNS * INSN_BYTES);
  insns.set(program, PROLOGUE_INSNS * INSN_BYTES);
  encode(insns, 0, { opcode: LDDW, dst: 1, src: 0, off: 0, imm: address | 0 });
  encode(insns, 1, { opcode: 0, dst: 0, src: 0, off: 0, imm: 0 });
  encode(insns, 2, { opcode: BPF_ALU64 | BPF_MOV | BPF_K, dst: 2, src: 0, off: 0, imm: sizeBytes });
  // What a bare program finds in r0 is nobody's business, but it is the same each time.
  encode(insns, 3, { opcode: BPF_ALU64 | BPF_MOV | BPF_K, dst: 0, src: 0, off: 0, imm: 0 });
  for (let index = PROLOGUE_INSNS; index < insns.length / INSN_BYTES; ) {
    const row = rowAt(insns, index)!;
    if (row.operation === 'helper') encode(insns, index, { ...decode(insns, index), off: RETURN_U64 });
    index += row.slots;
  }
  return insns;
}
