import { hex } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { describePlace } from './faultPlace.js';
import { offAt, rowAt } from './isa/decode.js';
import { disassemble } from './isa/disassemble.js';
import { INSN_BYTES } from './isa/opcodes.js';
import {
  FAULT_ACCESS, FAULT_ATOMIC, FAULT_BUDGET, FAULT_CALL_DEPTH, FAULT_CALL_UNDER_LOCK, FAULT_CONTEXT, FAULT_HELPER_ARGUMENT, FAULT_INSTRUCTION, FAULT_PC,
  FAULT_READ_ONLY, FAULT_REFERENCE_LEAK, VM_BUDGET, VM_FAULT_ADDR_HI, VM_FAULT_ADDR_LO, VM_FAULT_CODE, VM_FAULT_HELPER, VM_FAULT_IS_WRITE, VM_FAULT_PC,
  VM_FAULT_PROGRAM, VM_FAULT_REG, VM_FAULT_SIZE, VM_MAX_FRAMES, VM_REGS,
} from './layout.js';
import { partAt } from './programPart.js';
import type { KfuncReference, LineSpec, PoisonedInstruction, ProgramPart } from './spec.js';

/** What a fault message needs to know about a program; a ProgramSpec has it. */
export interface FaultProgram {
  readonly name: string;
  readonly insns: Uint8Array;
  readonly lines: readonly LineSpec[];
  readonly poisons?: readonly PoisonedInstruction[];
  readonly kfuncs?: readonly KfuncReference[];
  readonly parts?: readonly ProgramPart[];
}

const REGISTERS = 11;

/** Why a program was stopped. */
export interface Fault {
  /** FAULT_* of layout.ts. */
  readonly code: number;
  /** The code in words, e.g. `bad-access`: stable, for scripts. */
  readonly name: string;
  /** Where the instruction comes from, if the program was linked out of several objects. */
  readonly program: string;
  /** Counted from the start of that program. */
  readonly insnIndex: number;
  /** The instruction, disassembled. */
  readonly insn: string;
  readonly source: LineSpec | undefined;
  /** 64-bit address of the access, or the value of a helper's argument; 0 for faults that have none. */
  readonly address: bigint;
  readonly sizeBytes: number;
  readonly isWrite: boolean;
  /** Register that the address was computed from, or that holds the helper's argument. */
  readonly register: number;
  /** Where the address lies, in words. */
  readonly region: string;
  /** Helper that refused its argument, 0 for none. */
  readonly helperId: number;
  /** r0 to r10 before the instruction, 64 bits each. */
  readonly registers: readonly bigint[];
  /** Everything in one line. */
  readonly message: string;
}

const NAMES: Readonly<Record<number, string>> = {
  [FAULT_ACCESS]: 'bad-access',
  [FAULT_READ_ONLY]: 'read-only',
  [FAULT_CONTEXT]: 'bad-context-access',
  [FAULT_BUDGET]: 'instruction-budget',
  [FAULT_CALL_DEPTH]: 'call-depth',
  [FAULT_PC]: 'bad-program-counter',
  [FAULT_INSTRUCTION]: 'bad-instruction',
  [FAULT_HELPER_ARGUMENT]: 'bad-helper-argument',
  [FAULT_ATOMIC]: 'bad-atomic',
  [FAULT_REFERENCE_LEAK]: 'reference-leak',
  [FAULT_CALL_UNDER_LOCK]: 'call-under-lock',
};

/** Stable name of a fault code. */
export function faultName(code: number): string {
  return NAMES[code] ?? `fault-${code}`;
}

/**
 * Reads the fault record that an engine left in the machine's state.
 *
 * @param programById program of a PROG_ID; `undefined` when it is not known any more
 * @param helperName name of a helper, for messages
 * @param leaked what a program that ended still held, for FAULT_REFERENCE_LEAK
 */
export function readFault(
  memory: HostMemory,
  stateAddress: number,
  programById: (id: number) => FaultProgram | undefined,
  helperName?: (id: number) => string | undefined,
  leaked?: string,
): Fault {
  const { view } = memory;
  const field = (offset: number): number => view.getUint32(stateAddress + offset, true);
  const code = field(VM_FAULT_CODE);
  const insnIndex = view.getInt32(stateAddress + VM_FAULT_PC, true);
  const programId = field(VM_FAULT_PROGRAM);
  const program = programById(programId);
  const insns = program?.insns;
  const known = insns !== undefined && insnIndex >= 0 && (insnIndex + 1) * INSN_BYTES <= insns.length;
  const address = (BigInt(field(VM_FAULT_ADDR_HI)) << 32n) | BigInt(field(VM_FAULT_ADDR_LO));
  const sizeBytes = field(VM_FAULT_SIZE);
  const hasAddress = code === FAULT_ACCESS || code === FAULT_READ_ONLY || code === FAULT_CONTEXT || code === FAULT_ATOMIC || code === FAULT_HELPER_ARGUMENT;
  const part = program === undefined ? undefined : partAt(program, insnIndex);
  const fault = {
    code,
    name: faultName(code),
    program: part?.program ?? program?.name ?? `program ${programId}`,
    insnIndex: insnIndex - (part?.insnIndex ?? 0),
    insn: known ? disassemble(insns, insnIndex, { ...(helperName === undefined ? {} : { helperName }), kfuncName: kfuncNames(program) }) : 'no instruction',
    source: program === undefined ? undefined : sourceOf(program.lines, insnIndex, part),
    address,
    sizeBytes,
    isWrite: field(VM_FAULT_IS_WRITE) !== 0,
    register: field(VM_FAULT_REG),
    region: hasAddress ? describePlace(memory, stateAddress, address, sizeBytes) : '',
    helperId: field(VM_FAULT_HELPER),
    registers: Array.from({ length: REGISTERS }, (_, register) => view.getBigUint64(stateAddress + VM_REGS + register * 8, true)),
  };
  const inProgram = program === undefined ? fault.program : `program ${fault.program}`;
  const place = `${part === undefined ? '' : `${part.object}, `}${fault.source === undefined ? inProgram : `${fault.source.file}:${fault.source.line}`}`;
  const offset = known && hasOffset(insns, insnIndex) ? offAt(insns, insnIndex) : 0;
  const reason = (code === FAULT_INSTRUCTION ? poisonReason(program, insnIndex) : undefined) ?? reasonOf(fault, offset, field(VM_BUDGET), helperName?.(fault.helperId) ?? `helper ${fault.helperId}`, leaked);
  return { ...fault, message: `${place}: ${reason} [insn ${fault.insnIndex}: ${fault.insn}]` };
}

/** Why an instruction that was put out of action must not be executed. */
function poisonReason(program: FaultProgram | undefined, insnIndex: number): string | undefined {
  const poison = program?.poisons?.find((candidate) => candidate.insnIndex === insnIndex);
  if (poison !== undefined) return poison.message;
  const kfunc = program?.kfuncs?.find((candidate) => candidate.insnIndex === insnIndex);
  return kfunc && `kernel function ${kfunc.name} is not there: ask bpf_ksym_exists(${kfunc.name}) before the call`;
}

/** Names of the kernel functions that a program calls, by instruction. */
function kfuncNames(program: FaultProgram | undefined): (insnIndex: number) => string | undefined {
  return (insnIndex) => program?.kfuncs?.find((call) => call.insnIndex === insnIndex)?.name;
}

/** Last line that begins at or before the instruction, in the same part of the program. */
function sourceOf(lines: readonly LineSpec[], insnIndex: number, part: ProgramPart | undefined): LineSpec | undefined {
  return lines.findLast((line) => line.insnIndex <= insnIndex && line.insnIndex >= (part?.insnIndex ?? 0));
}

function hasOffset(insns: Uint8Array, index: number): boolean {
  return rowAt(insns, index)?.off === 'any';
}

function reasonOf(fault: Omit<Fault, 'message'>, offset: number, budget: number, helper: string, leaked = 'reference'): string {
  const { address, sizeBytes, isWrite, register, region } = fault;
  const base = `r${register}${offset === 0 ? '' : offset < 0 ? String(offset) : `+${offset}`}`;
  const access = `${isWrite ? 'store' : 'load'} of ${sizeBytes} ${sizeBytes === 1 ? 'byte' : 'bytes'} at ${base} = 0x${address.toString(16)}`;
  switch (fault.code) {
    case FAULT_ACCESS: return `${access}: ${region}`;
    case FAULT_READ_ONLY: return `${access}: ${region}, which is read-only`;
    case FAULT_CONTEXT:
      return isWrite
        ? `${access}: the context is read-only`
        : `${access}: ${region}, of which only 4-byte fields can be loaded, data, data_end and data_meta not sign-extended, and egress_ifindex only in SEC("xdp/devmap")`;
    case FAULT_ATOMIC: return `atomic ${access}: ${region}; atomics need an address that is a multiple of their size, outside packet and context`;
    case FAULT_BUDGET: return `still running after ${budget} instructions`;
    case FAULT_CALL_DEPTH: return `this call is too deep, at most ${VM_MAX_FRAMES} functions can be active`;
    case FAULT_PC: return 'the program counter left the program, or points into the middle of a lddw';
    case FAULT_INSTRUCTION: return "this instruction can't be executed";
    case FAULT_HELPER_ARGUMENT: {
      const need = sizeBytes === 0 ? '' : ` with ${sizeBytes} ${isWrite ? 'writable' : 'readable'} ${sizeBytes === 1 ? 'byte' : 'bytes'}`;
      return `${helper} refuses r${register} = 0x${address.toString(16)}${need}: ${region}`;
    }
    case FAULT_CALL_UNDER_LOCK:
      return `${helper} is called while the bpf_spin_lock at 0x${address.toString(16)} is held; until bpf_spin_unlock no other helper can be`;
    case FAULT_REFERENCE_LEAK: return `the program ends here and has not given back the ${leaked} at 0x${address.toString(16)}`;
    default: return `fault ${hex(fault.code)}`;
  }
}
