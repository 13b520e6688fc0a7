import { dstAt, immAt, offAt, opcodeAt, rowAt, srcAt } from './decode.js';
import { INSN_BYTES } from './opcodes.js';

export interface DisassembleOptions {
  /** Name of a helper, for `call bpf_map_lookup_elem#1`. */
  readonly helperName?: (id: number) => string | undefined;
  /** Name of the kernel function that the instruction at this index calls; the instruction itself has no number for it. */
  readonly kfuncName?: (insnIndex: number) => string | undefined;
}

/**
 * One instruction as text, in the kernel's wording (kernel/bpf/disasm.c), which `assemble` reads back. Two forms differ so that they can be told apart:
 * lddw has `ll` behind its number, as LLVM writes it, and a map or function that it loads is written in brackets, as bpftool does.
 */
export function disassemble(insns: Uint8Array, index: number, options: DisassembleOptions = {}): string {
  const row = rowAt(insns, index);
  if (row === undefined) return `unknown opcode 0x${opcodeAt(insns, index).toString(16).padStart(2, '0')}`;
  const kfunc = row.operation === 'kfunc' ? options.kfuncName?.(index) : undefined;
  if (kfunc !== undefined) return `call ${kfunc}`;
  return row.text.replace(/\{(\w+)\}/g, (_, name: string) => formatOperand(insns, index, name, options));
}

function formatOperand(insns: Uint8Array, index: number, name: string, options: DisassembleOptions): string {
  switch (name) {
    case 'dst': return `r${dstAt(insns, index)}`;
    case 'dst32': return `w${dstAt(insns, index)}`;
    case 'src': return `r${srcAt(insns, index)}`;
    case 'src32': return `w${srcAt(insns, index)}`;
    case 'r0': return 'r0';
    case 'off':
    case 'jump': return signed(offAt(insns, index));
    case 'imm': return String(immAt(insns, index));
    case 'jump32': return signed(immAt(insns, index));
    case 'hex': return `0x${(immAt(insns, index) >>> 0).toString(16)}`;
    case 'hi': return signed(secondImm(insns, index));
    case 'imm64': return `0x${((BigInt(secondImm(insns, index) >>> 0) << 32n) | BigInt(immAt(insns, index) >>> 0)).toString(16)}`;
    case 'helper': {
      const id = immAt(insns, index);
      return `${options.helperName?.(id) ?? ''}#${id}`;
    }
    default: throw new Error(`disassemble: no operand ${name}`);
  }
}

/** imm of the second slot of a lddw, 0 when the program ends before it. */
function secondImm(insns: Uint8Array, index: number): number {
  return (index + 2) * INSN_BYTES <= insns.length ? immAt(insns, index + 1) : 0;
}

function signed(value: number): string {
  return value < 0 ? String(value) : `+${value}`;
}
