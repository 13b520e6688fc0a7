import type { KERNEL_CHANGES } from '../../base/index.js';
import {
  BPF_ADD, BPF_ALU, BPF_ALU64, BPF_AND, BPF_ARSH, BPF_ATOMIC, BPF_B, BPF_CALL, BPF_CMPXCHG, BPF_DIV, BPF_DW, BPF_END, BPF_EXIT,
  BPF_FETCH, BPF_H, BPF_IMM, BPF_JA, BPF_JCOND, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JLE, BPF_JLT, BPF_JMP, BPF_JMP32, BPF_JNE, BPF_JSET,
  BPF_JSGE, BPF_JSGT, BPF_JSLE, BPF_JSLT, BPF_K, BPF_LD, BPF_LDX, BPF_LOAD_ACQ, BPF_LSH, BPF_MEM, BPF_MEMSX, BPF_MOD, BPF_MOV, BPF_MUL,
  BPF_NEG, BPF_OR, BPF_PSEUDO_BTF_ID, BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC, BPF_PSEUDO_HELPER, BPF_PSEUDO_KFUNC_CALL, BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_IDX, BPF_PSEUDO_MAP_IDX_VALUE, BPF_PSEUDO_MAP_VALUE, BPF_RSH, BPF_SIGNED_OFFSET, BPF_ST, BPF_STORE_REL, BPF_STX,
  BPF_SUB, BPF_W, BPF_X, BPF_XCHG, BPF_XOR,
} from './opcodes.js';

/** What an instruction does with the register that a field names; `none`: the field must be zero. */
export type RegisterUse = 'none' | 'read' | 'write' | 'modify';

export type InstructionKind =
  | 'alu' | 'endian' | 'lddw' | 'load' | 'store' | 'atomic' | 'branch' | 'goto' | 'call' | 'exit';

/**
 * One instruction, or one variant of it that a fixed field value selects. Decoder, checks, disassembler and assembler all go by
 * these rows.
 */
export interface InstructionRow {
  readonly opcode: number;
  readonly kind: InstructionKind;
  /** What it does, regardless of width and operands: `add`, `jsgt`, `fetch_or`. */
  readonly operation: string;
  /** Width of the operation or of the memory access. */
  readonly widthBits: 8 | 16 | 32 | 64;
  /**
   * Text form, in the wording of the kernel's disassembler (kernel/bpf/disasm.c). Names in braces are operands:
   * dst, src (r1), dst32, src32 (w1), r0, imm (decimal), hex (imm, hexadecimal), imm64 and hi (of both slots of a lddw, of the second slot),
   * off (+8), jump and jump32 (+3: in the offset or the imm field), helper (imm, with its name).
   */
  readonly text: string;
  readonly dst: RegisterUse;
  /** A number is the value that selects this variant. */
  readonly src: RegisterUse | number;
  /** `jump` counts instructions from the next one; a number selects this variant. */
  readonly off: 'zero' | 'any' | 'jump' | number;
  /** `shift`: 0 to width - 1; `divisor`: anything but 0; `jump` and numbers as in `off`. */
  readonly imm: 'zero' | 'any' | 'jump' | 'shift' | 'divisor' | number;
  /** Lowest `-mcpu` version of clang that emits it. */
  readonly cpu: 1 | 2 | 3 | 4;
  /** What brought it to the kernel, if 6.1 does not have it yet. */
  readonly change: keyof typeof KERNEL_CHANGES | undefined;
  /** 8-byte slots: 2 for lddw, else 1. */
  readonly slots: 1 | 2;
  /** False for what the kernel's verifier refuses although RFC 9669 or its conformance suite has it. */
  readonly kernel: boolean;
}

/** Defaults: every field unused. */
function row(values: Partial<InstructionRow> & Pick<InstructionRow, 'opcode' | 'kind' | 'operation' | 'text'>): InstructionRow {
  return { widthBits: 64, dst: 'none', src: 'none', off: 'zero', imm: 'zero', cpu: 1, slots: 1, kernel: true, change: values.cpu === 4 ? 'insnV4' : undefined, ...values };
}

type RowOptions = Partial<Pick<InstructionRow, 'cpu' | 'off' | 'imm' | 'dst'>>;

/** Both widths of `dst OP= imm` and `dst OP= src`. */
function binaryAlu(operation: string, op: number, sign: string, options: RowOptions = {}): InstructionRow[] {
  const shared = { kind: 'alu', operation, dst: 'modify', ...options } as const;
  const registers = { ...shared, imm: 'zero', src: 'read' } as const;
  return [
    row({ imm: 'any', ...shared, opcode: BPF_ALU64 | op | BPF_K, text: `{dst} ${sign} {imm}` }),
    row({ ...registers, opcode: BPF_ALU64 | op | BPF_X, text: `{dst} ${sign} {src}` }),
    row({ imm: 'any', ...shared, opcode: BPF_ALU | op | BPF_K, widthBits: 32, text: `{dst32} ${sign} {imm}` }),
    row({ ...registers, opcode: BPF_ALU | op | BPF_X, widthBits: 32, text: `{dst32} ${sign} {src32}` }),
  ];
}

/** movsx: the offset field is the width of what is sign-extended. */
function signExtendingMove(opcode: number, widthBits: 32 | 64, fromBits: number): InstructionRow {
  const text = widthBits === 64 ? `{dst} = (s${fromBits}){src}` : `{dst32} = (s${fromBits}){src32}`;
  return row({ opcode, kind: 'alu', operation: 'movsx', widthBits, text, dst: 'write', src: 'read', off: fromBits, cpu: 4 });
}

function endian(operation: 'le' | 'be' | 'bswap', opcode: number, cpu: 1 | 4): InstructionRow[] {
  return ([16, 32, 64] as const).map((widthBits) =>
    row({ opcode, kind: 'endian', operation, widthBits, text: `{dst} = ${operation}${widthBits} {dst}`, dst: 'modify', imm: widthBits, cpu }),
  );
}

/** Both widths of `if dst OP imm` and `if dst OP src`. */
function branch(operation: string, op: number, sign: string, cpu: 1 | 2): InstructionRow[] {
  const shared = { kind: 'branch', operation, dst: 'read', off: 'jump' } as const;
  const narrow = { ...shared, widthBits: 32, cpu: 3 } as const;
  return [
    row({ ...shared, opcode: BPF_JMP | op | BPF_K, cpu, imm: 'any', text: `if {dst} ${sign} {hex} goto pc{jump}` }),
    row({ ...shared, opcode: BPF_JMP | op | BPF_X, cpu, src: 'read', text: `if {dst} ${sign} {src} goto pc{jump}` }),
    row({ ...narrow, opcode: BPF_JMP32 | op | BPF_K, imm: 'any', text: `if {dst32} ${sign} {hex} goto pc{jump}` }),
    row({ ...narrow, opcode: BPF_JMP32 | op | BPF_X, src: 'read', text: `if {dst32} ${sign} {src32} goto pc{jump}` }),
  ];
}

/** The 16-byte load; src says what its immediate stands for. */
function lddw(src: number, operation: string, value: string): InstructionRow {
  return row({
    opcode: BPF_LD | BPF_IMM | BPF_DW, kind: 'lddw', operation, text: `{dst} = ${value}`, dst: 'write', src,
    imm: src === BPF_PSEUDO_FUNC ? 'jump' : 'any', slots: 2,
  });
}

const SIZES = [
  [8, BPF_B],
  [16, BPF_H],
  [32, BPF_W],
  [64, BPF_DW],
] as const;

function memory(widthBits: 8 | 16 | 32 | 64, size: number): InstructionRow[] {
  const at = (base: string): string => `*(u${widthBits} *)({${base}} {off})`;
  const rows = [
    row({ opcode: BPF_LDX | BPF_MEM | size, kind: 'load', operation: 'ldx', widthBits, text: `{dst} = ${at('src')}`, dst: 'write', src: 'read', off: 'any' }),
    row({ opcode: BPF_ST | BPF_MEM | size, kind: 'store', operation: 'st', widthBits, text: `${at('dst')} = {imm}`, dst: 'read', off: 'any', imm: 'any' }),
    row({ opcode: BPF_STX | BPF_MEM | size, kind: 'store', operation: 'stx', widthBits, text: `${at('dst')} = {src}`, dst: 'read', src: 'read', off: 'any' }),
  ];
  if (widthBits === 64) return rows;
  const text = `{dst} = *(s${widthBits} *)({src} {off})`;
  return [
    ...rows,
    row({ opcode: BPF_LDX | BPF_MEMSX | size, kind: 'load', operation: 'ldsx', widthBits, text, dst: 'write', src: 'read', off: 'any', cpu: 4 }),
  ];
}

const ATOMIC_ALU = [
  ['add', BPF_ADD, '+='],
  ['or', BPF_OR, '|='],
  ['and', BPF_AND, '&='],
  ['xor', BPF_XOR, '^='],
] as const;

function readModifyWrite(widthBits: 32 | 64, size: number): InstructionRow[] {
  const opcode = BPF_STX | BPF_ATOMIC | size;
  const at = `(u${widthBits} *)({dst} {off})`;
  const prefix = widthBits === 64 ? 'atomic64' : 'atomic';
  const shared = { opcode, kind: 'atomic', widthBits, dst: 'read', off: 'any', cpu: 3 } as const;
  return [
    ...ATOMIC_ALU.map(([operation, imm, sign]) =>
      row({ ...shared, operation, text: `lock *${at} ${sign} {src}`, src: 'read', imm, cpu: imm === BPF_ADD ? 1 : 3 }),
    ),
    ...ATOMIC_ALU.map(([operation, imm]) =>
      row({ ...shared, operation: `fetch_${operation}`, text: `{src} = ${prefix}_fetch_${operation}(${at}, {src})`, src: 'modify', imm: imm | BPF_FETCH }),
    ),
    row({ ...shared, operation: 'xchg', text: `{src} = ${prefix}_xchg(${at}, {src})`, src: 'modify', imm: BPF_XCHG }),
    row({ ...shared, operation: 'cmpxchg', text: `{r0} = ${prefix}_cmpxchg(${at}, {r0}, {src})`, src: 'read', imm: BPF_CMPXCHG }),
  ];
}

/** Not in RFC 9669; Linux 6.15 and later (BPF_LOAD_ACQ, BPF_STORE_REL). */
function acquireRelease(widthBits: 8 | 16 | 32 | 64, size: number): InstructionRow[] {
  const shared = { opcode: BPF_STX | BPF_ATOMIC | size, kind: 'atomic', widthBits, off: 'any', src: 'read', cpu: 4, change: 'acquireRelease' } as const;
  return [
    row({ ...shared, operation: 'load_acquire', text: `{dst} = load_acquire((u${widthBits} *)({src} {off}))`, dst: 'write', imm: BPF_LOAD_ACQ }),
    row({ ...shared, operation: 'store_release', text: `store_release((u${widthBits} *)({dst} {off}), {src})`, dst: 'read', imm: BPF_STORE_REL }),
  ];
}

/** Every instruction that we know, RFC 9669 and what Linux 6.18 adds for XDP programs. */
export const INSTRUCTIONS: readonly InstructionRow[] = [
  // ── arithmetic ──
  ...binaryAlu('add', BPF_ADD, '+='),
  ...binaryAlu('sub', BPF_SUB, '-='),
  ...binaryAlu('mul', BPF_MUL, '*='),
  ...binaryAlu('div', BPF_DIV, '/=', { off: 0, imm: 'divisor' }),
  ...binaryAlu('sdiv', BPF_DIV, 's/=', { off: BPF_SIGNED_OFFSET, imm: 'divisor', cpu: 4 }),
  ...binaryAlu('or', BPF_OR, '|='),
  ...binaryAlu('and', BPF_AND, '&='),
  ...binaryAlu('lsh', BPF_LSH, '<<=', { imm: 'shift' }),
  ...binaryAlu('rsh', BPF_RSH, '>>=', { imm: 'shift' }),
  ...binaryAlu('arsh', BPF_ARSH, 's>>=', { imm: 'shift' }),
  ...binaryAlu('mod', BPF_MOD, '%=', { off: 0, imm: 'divisor' }),
  ...binaryAlu('smod', BPF_MOD, 's%=', { off: BPF_SIGNED_OFFSET, imm: 'divisor', cpu: 4 }),
  ...binaryAlu('xor', BPF_XOR, '^='),
  ...binaryAlu('mov', BPF_MOV, '=', { off: 0, dst: 'write' }),
  signExtendingMove(BPF_ALU64 | BPF_MOV | BPF_X, 64, 8),
  signExtendingMove(BPF_ALU64 | BPF_MOV | BPF_X, 64, 16),
  signExtendingMove(BPF_ALU64 | BPF_MOV | BPF_X, 64, 32),
  signExtendingMove(BPF_ALU | BPF_MOV | BPF_X, 32, 8),
  signExtendingMove(BPF_ALU | BPF_MOV | BPF_X, 32, 16),
  row({ opcode: BPF_ALU64 | BPF_NEG, kind: 'alu', operation: 'neg', text: '{dst} = -{dst}', dst: 'modify' }),
  row({ opcode: BPF_ALU | BPF_NEG, kind: 'alu', operation: 'neg', widthBits: 32, text: '{dst32} = -{dst32}', dst: 'modify' }),
  ...endian('le', BPF_ALU | BPF_END | BPF_K, 1),
  ...endian('be', BPF_ALU | BPF_END | BPF_X, 1),
  ...endian('bswap', BPF_ALU64 | BPF_END | BPF_K, 4),

  // ── loads and stores ──
  lddw(0, 'lddw', '{imm64} ll'),
  lddw(BPF_PSEUDO_MAP_FD, 'map_fd', 'map[fd:{imm}]'),
  lddw(BPF_PSEUDO_MAP_VALUE, 'map_value', 'map_value[fd:{imm}]{hi}'),
  lddw(BPF_PSEUDO_BTF_ID, 'btf_id', 'btf[id:{imm}]{hi}'),
  lddw(BPF_PSEUDO_FUNC, 'func', 'subprog[{jump32}]'),
  lddw(BPF_PSEUDO_MAP_IDX, 'map_idx', 'map[idx:{imm}]'),
  lddw(BPF_PSEUDO_MAP_IDX_VALUE, 'map_idx_value', 'map_value[idx:{imm}]{hi}'),
  ...SIZES.flatMap(([widthBits, size]) => memory(widthBits, size)),
  ...readModifyWrite(32, BPF_W),
  ...readModifyWrite(64, BPF_DW),
  ...SIZES.flatMap(([widthBits, size]) => acquireRelease(widthBits, size)),

  // ── jumps ──
  row({ opcode: BPF_JMP | BPF_JA, kind: 'goto', operation: 'ja', text: 'goto pc{jump}', off: 'jump' }),
  row({ opcode: BPF_JMP32 | BPF_JA, kind: 'goto', operation: 'gotol', text: 'gotol pc{jump32}', imm: 'jump', cpu: 4 }),
  row({ opcode: BPF_JMP | BPF_JCOND, kind: 'branch', operation: 'may_goto', text: 'may_goto pc{jump}', off: 'jump', cpu: 4, change: 'mayGoto' }),
  ...branch('jeq', BPF_JEQ, '==', 1),
  ...branch('jne', BPF_JNE, '!=', 1),
  ...branch('jgt', BPF_JGT, '>', 1),
  ...branch('jge', BPF_JGE, '>=', 1),
  ...branch('jlt', BPF_JLT, '<', 2),
  ...branch('jle', BPF_JLE, '<=', 2),
  ...branch('jset', BPF_JSET, '&', 1),
  ...branch('jsgt', BPF_JSGT, 's>', 1),
  ...branch('jsge', BPF_JSGE, 's>=', 1),
  ...branch('jslt', BPF_JSLT, 's<', 2),
  ...branch('jsle', BPF_JSLE, 's<=', 2),

  // ── calls ──
  row({ opcode: BPF_JMP | BPF_CALL, kind: 'call', operation: 'helper', text: 'call {helper}', src: BPF_PSEUDO_HELPER, imm: 'any' }),
  row({ opcode: BPF_JMP | BPF_CALL, kind: 'call', operation: 'subprogram', text: 'call pc{jump32}', src: BPF_PSEUDO_CALL, imm: 'jump' }),
  row({ opcode: BPF_JMP | BPF_CALL, kind: 'call', operation: 'kfunc', text: 'call kfunc#{imm}', src: BPF_PSEUDO_KFUNC_CALL, imm: 'any' }),
  row({ opcode: BPF_JMP | BPF_CALL | BPF_X, kind: 'call', operation: 'callx', text: 'callx {dst}', dst: 'read', kernel: false }),
  row({ opcode: BPF_JMP | BPF_EXIT, kind: 'exit', operation: 'exit', text: 'exit' }),
];

const BY_OPCODE: readonly (readonly InstructionRow[])[] = Array.from({ length: 256 }, (_, opcode) =>
  INSTRUCTIONS.filter((candidate) => candidate.opcode === opcode),
);

/** The row of each opcode that has one variant only, which no field selects: most of them. */
const ONLY_ROW: readonly (InstructionRow | undefined)[] = BY_OPCODE.map(([first, ...others]) => {
  const isSelected = first === undefined || [first.src, first.off, first.imm].some((field) => typeof field === 'number');
  return others.length > 0 || isSelected ? undefined : first;
});

/** Every variant of an opcode; empty when we don't know it. */
export function rowsOfOpcode(opcode: number): readonly InstructionRow[] {
  return BY_OPCODE[opcode & 0xff]!;
}

/** The row that an instruction belongs to. Fields that must be zero aren't looked at; those that select a variant are. */
export function findRow(opcode: number, src: number, off: number, imm: number): InstructionRow | undefined {
  const only = ONLY_ROW[opcode & 0xff];
  if (only !== undefined) return only;
  for (const candidate of rowsOfOpcode(opcode)) {
    const isMatch =
      (typeof candidate.src !== 'number' || candidate.src === src) &&
      (typeof candidate.off !== 'number' || candidate.off === off) &&
      (typeof candidate.imm !== 'number' || candidate.imm === imm);
    if (isMatch) return candidate;
  }
  return undefined;
}
