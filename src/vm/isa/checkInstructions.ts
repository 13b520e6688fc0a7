import { hasChange, KERNEL_CHANGES, NEWEST_KERNEL } from '../../base/index.js';
import type { KernelRelease, Problem } from '../../base/index.js';
import { dstAt, immAt, offAt, opcodeAt, rowAt, srcAt } from './decode.js';
import { disassemble } from './disassemble.js';
import { rowsOfOpcode } from './instructionTable.js';
import type { InstructionRow, RegisterUse } from './instructionTable.js';
import {
  BPF_ABS, BPF_ALU, BPF_ALU64, BPF_ATOMIC, BPF_CALL, BPF_CLASS_MASK, BPF_END, BPF_EXIT, BPF_IND, BPF_JA, BPF_JMP, BPF_JMP32, BPF_LD,
  BPF_LDX, BPF_MODE_MASK, BPF_MOV, BPF_NEG, BPF_OP_MASK, BPF_REG_FP, BPF_ST, BPF_STX, INSN_BYTES,
} from './opcodes.js';

export interface CheckOptions {
  /** `kernel` (default): refuse what Linux 6.18 refuses. `rfc`: also take callx, division by immediate 0 and immediate shifts beyond the width. */
  readonly rules?: 'kernel' | 'rfc';
  /** Whose instructions are known; left out: the newest kernel's. */
  readonly kernel?: KernelRelease | undefined;
  /** What the program is called in `where`, e.g. `prog.o, program count_packets`. */
  readonly where?: string;
}

/**
 * The structure of a program: known opcodes, fields that must be zero, registers, jump targets, both halves of every lddw, and that
 * it can't run off its end. Data flow is the verifier's business. Run it before the loader writes into offset fields of calls.
 *
 * Messages follow kernel/bpf/verifier.c (check_subprogs, resolve_pseudo_ldimm64, do_check) and say in addition which field is wrong.
 *
 * @returns the first problem, or `undefined`
 */
export function checkInstructions(insns: Uint8Array, options: CheckOptions = {}): Problem | undefined {
  return new Checker(insns, options).run();
}

class Checker {
  readonly #insns: Uint8Array;
  readonly #count: number;
  readonly #options: CheckOptions;
  /** 1 for the second slot of a lddw. */
  readonly #isSecondSlot: Uint8Array;

  constructor(insns: Uint8Array, options: CheckOptions) {
    this.#insns = insns;
    this.#count = Math.floor(insns.length / INSN_BYTES);
    this.#options = options;
    this.#isSecondSlot = new Uint8Array(this.#count);
  }

  run(): Problem | undefined {
    const where = this.#options.where;
    if (this.#count === 0 || this.#insns.length % INSN_BYTES !== 0) {
      return {
        code: 'program-size',
        message: `a program of ${this.#insns.length} bytes is not a whole number of 8-byte instructions, 1 or more`,
        ...(where === undefined ? {} : { where }),
      };
    }
    return this.#checkFields() ?? this.#checkFlow();
  }

  #problem(index: number, code: string, message: string, hint?: string): Problem {
    const place = `insn ${index}: ${disassemble(this.#insns, index)}`;
    const where = this.#options.where === undefined ? place : `${this.#options.where}, ${place}`;
    return { code, message, where, ...(hint === undefined ? {} : { hint }) };
  }

  #checkFields(): Problem | undefined {
    for (let index = 0; index < this.#count; index++) {
      const row = rowAt(this.#insns, index);
      if (row === undefined) return this.#noRow(index);
      const problem = this.#checkRelease(index, row) ?? this.#checkReserved(index, row) ?? this.#checkRegisters(index, row) ?? this.#checkRules(index, row);
      if (problem !== undefined) return problem;
      if (row.slots === 2) {
        const second = this.#checkSecondSlot(index);
        if (second !== undefined) return second;
        this.#isSecondSlot[++index] = 1;
      }
    }
    return undefined;
  }

  /** The opcode, or the variant that a field selects, doesn't exist. */
  #noRow(index: number): Problem {
    const opcode = opcodeAt(this.#insns, index);
    const shown = `0x${opcode.toString(16).padStart(2, '0')}`;
    const mode = opcode & BPF_MODE_MASK;
    if (rowsOfOpcode(opcode).length === 0) {
      if ((opcode & BPF_CLASS_MASK) === BPF_LD && (mode === BPF_ABS || mode === BPF_IND)) {
        return this.#problem(index, 'insn-unknown-opcode', `BPF_LD_[ABS|IND] instructions not allowed for this program type (opcode ${shown})`, 'read the packet through data and data_end');
      }
      return this.#problem(index, 'insn-unknown-opcode', `unknown opcode ${shown}`);
    }
    const src = srcAt(this.#insns, index);
    const imm = immAt(this.#insns, index);
    if ((opcode & BPF_CLASS_MASK) === BPF_STX && mode === BPF_ATOMIC) {
      return this.#problem(index, 'insn-reserved-field', `BPF_ATOMIC uses invalid atomic opcode 0x${(imm >>> 0).toString(16)} (opcode ${shown})`);
    }
    if ((opcode & BPF_CLASS_MASK) === BPF_LD) return this.#problem(index, 'insn-reserved-field', `unrecognized bpf_ld_imm64 insn: src is ${src}`);
    return this.#problem(
      index,
      'insn-reserved-field',
      `${familyOf(opcode)} uses reserved fields: no variant of opcode ${shown} has src ${src}, offset ${offAt(this.#insns, index)} and imm ${imm}`,
    );
  }

  #checkRelease(index: number, { change, operation }: InstructionRow): Problem | undefined {
    const { kernel = NEWEST_KERNEL } = this.#options;
    if (change === undefined || hasChange(kernel, change)) return undefined;
    const message = `Linux ${kernel} doesn't know ${operation} yet: it exists since ${KERNEL_CHANGES[change].since}`;
    return this.#problem(index, 'insn-too-new', message, 'compile with -mcpu=v3');
  }

  #checkReserved(index: number, row: InstructionRow): Problem | undefined {
    const wrong =
      row.dst === 'none' && dstAt(this.#insns, index) !== 0 ? `dst is ${dstAt(this.#insns, index)}`
      : row.src === 'none' && srcAt(this.#insns, index) !== 0 ? `src is ${srcAt(this.#insns, index)}`
      : row.off === 'zero' && offAt(this.#insns, index) !== 0 ? `offset is ${offAt(this.#insns, index)}`
      : row.imm === 'zero' && immAt(this.#insns, index) !== 0 ? `imm is ${immAt(this.#insns, index)}`
      : undefined;
    if (wrong === undefined) return undefined;
    return this.#problem(index, 'insn-reserved-field', `${familyOf(row.opcode)} uses reserved fields: ${wrong}, but must be 0`);
  }

  #checkRegisters(index: number, row: InstructionRow): Problem | undefined {
    return this.#checkRegister(index, row.dst, dstAt(this.#insns, index)) ?? this.#checkRegister(index, row.src, srcAt(this.#insns, index));
  }

  #checkRegister(index: number, use: RegisterUse | number, register: number): Problem | undefined {
    if (use === 'none' || typeof use === 'number') return undefined;
    if (register > BPF_REG_FP) return this.#problem(index, 'insn-bad-register', `R${register} is invalid`);
    if (use !== 'read' && register === BPF_REG_FP) return this.#problem(index, 'insn-frame-pointer', 'frame pointer is read only');
    return undefined;
  }

  /** What the encoding allows and the kernel refuses all the same. */
  #checkRules(index: number, row: InstructionRow): Problem | undefined {
    if (this.#options.rules === 'rfc') return undefined;
    const imm = immAt(this.#insns, index);
    if (!row.kernel) return this.#problem(index, 'insn-unknown-opcode', `unknown opcode 0x${row.opcode.toString(16)}`, 'the kernel knows no calls through a register: let the compiler inline the function');
    if (row.imm === 'divisor' && imm === 0) return this.#problem(index, 'insn-divide-by-zero', 'div by zero');
    if (row.imm === 'shift' && (imm < 0 || imm >= row.widthBits)) return this.#problem(index, 'insn-shift-range', `invalid shift ${imm}`, `it must be from 0 to ${row.widthBits - 1}`);
    return undefined;
  }

  #checkSecondSlot(index: number): Problem | undefined {
    const second = index + 1;
    if (second >= this.#count) return this.#problem(index, 'insn-lddw', 'invalid bpf_ld_imm64 insn: the program ends before its second half');
    if (opcodeAt(this.#insns, second) !== 0 || dstAt(this.#insns, second) !== 0 || srcAt(this.#insns, second) !== 0 || offAt(this.#insns, second) !== 0) {
      return this.#problem(index, 'insn-lddw', 'invalid bpf_ld_imm64 insn: its second half has more than an immediate');
    }
    return undefined;
  }

  /** Jumps stay inside their function, and no function runs off its end. */
  #checkFlow(): Problem | undefined {
    const starts = new Set([0]);
    for (let index = 0; index < this.#count; index++) {
      const row = this.#rowOfFirstSlot(index);
      if (row === undefined || (row.operation !== 'subprogram' && row.operation !== 'func')) continue;
      const target = index + 1 + immAt(this.#insns, index);
      const problem = this.#checkTarget(index, target, 0, this.#count);
      if (problem !== undefined) return problem;
      starts.add(target);
    }
    const sorted = [...starts].sort((a, b) => a - b);
    for (const [position, start] of sorted.entries()) {
      const problem = this.#checkFunction(start, sorted[position + 1] ?? this.#count);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #checkFunction(start: number, end: number): Problem | undefined {
    for (let index = start; index < end; index++) {
      const row = this.#rowOfFirstSlot(index);
      if (row === undefined || (row.kind !== 'goto' && row.kind !== 'branch')) continue;
      const distance = row.off === 'jump' ? offAt(this.#insns, index) : immAt(this.#insns, index);
      const problem = this.#checkTarget(index, index + 1 + distance, start, end);
      if (problem !== undefined) return problem;
    }
    const last = this.#rowOfFirstSlot(end - 1);
    if (last?.kind === 'exit' || last?.kind === 'goto') return undefined;
    const index = this.#isSecondSlot[end - 1] === 1 ? end - 2 : end - 1;
    return this.#problem(index, 'program-end', 'last insn is not an exit or jmp');
  }

  #checkTarget(index: number, target: number, start: number, end: number): Problem | undefined {
    if (target < start || target >= end) return this.#problem(index, 'insn-jump-range', `jump out of range from insn ${index} to ${target}`);
    if (this.#isSecondSlot[target] === 1) return this.#problem(index, 'insn-jump-range', `jump into the middle of ldimm64 insn ${target - 1}`);
    return undefined;
  }

  #rowOfFirstSlot(index: number): InstructionRow | undefined {
    return this.#isSecondSlot[index] === 1 ? undefined : rowAt(this.#insns, index);
  }
}

/** Name of an opcode's family, as the verifier's messages use it. */
function familyOf(opcode: number): string {
  const operation = opcode & BPF_OP_MASK;
  switch (opcode & BPF_CLASS_MASK) {
    case BPF_ALU:
    case BPF_ALU64:
      if (operation === BPF_END) return 'BPF_END';
      if (operation === BPF_NEG) return 'BPF_NEG';
      return operation === BPF_MOV ? 'BPF_MOV' : 'BPF_ALU';
    case BPF_JMP:
      if (operation === BPF_CALL) return 'BPF_CALL';
      if (operation === BPF_EXIT) return 'BPF_EXIT';
      return operation === BPF_JA ? 'BPF_JA' : 'BPF_JMP';
    case BPF_JMP32: return operation === BPF_JA ? 'BPF_JA' : 'BPF_JMP32';
    case BPF_LDX: return 'BPF_LDX';
    case BPF_ST: return 'BPF_ST';
    case BPF_STX: return (opcode & BPF_MODE_MASK) === BPF_ATOMIC ? 'BPF_ATOMIC' : 'BPF_STX';
    default: return 'BPF_LD_IMM';
  }
}
