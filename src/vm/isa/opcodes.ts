// Pieces of an eBPF opcode, by the names of include/uapi/linux/bpf.h and RFC 9669 section 2.
//
// This file is compiled twice, by tsc and by the AssemblyScript compiler, so it holds nothing but plain integer constants.
//
//     byte 0            byte 1             bytes 2-3        bytes 4-7
//     opcode            src:4 (high)       offset (s16)     imm (s32)
//                       dst:4 (low)
//
//     opcode of an arithmetic or jump instruction:    operation:4  source:1  class:3
//     opcode of a load or store:                      mode:3  size:2  class:3

export const INSN_BYTES = 8;

export const BPF_CLASS_MASK = 0x07;
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_JMP32 = 0x06;
export const BPF_ALU64 = 0x07;

// ── loads and stores: size and mode ──
export const BPF_SIZE_MASK = 0x18;
export const BPF_W = 0x00;
export const BPF_H = 0x08;
export const BPF_B = 0x10;
export const BPF_DW = 0x18;

export const BPF_MODE_MASK = 0xe0;
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_MEMSX = 0x80;
export const BPF_ATOMIC = 0xc0;

// ── arithmetic and jumps: source of the second operand ──
export const BPF_K = 0x00;
export const BPF_X = 0x08;

export const BPF_OP_MASK = 0xf0;
export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;
export const BPF_MOV = 0xb0;
export const BPF_ARSH = 0xc0;
/** Byte swap; class ALU: to little (K) or big (X) endian, class ALU64: unconditional. */
export const BPF_END = 0xd0;

export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_JNE = 0x50;
export const BPF_JSGT = 0x60;
export const BPF_JSGE = 0x70;
export const BPF_CALL = 0x80;
export const BPF_EXIT = 0x90;
export const BPF_JLT = 0xa0;
export const BPF_JLE = 0xb0;
export const BPF_JSLT = 0xc0;
export const BPF_JSLE = 0xd0;
/** may_goto. */
export const BPF_JCOND = 0xe0;

/** Offset field of DIV and MOD that makes them signed. */
export const BPF_SIGNED_OFFSET = 1;

// ── atomics: operation in the imm field; the arithmetic ones use BPF_ADD, OR, AND, XOR ──
export const BPF_FETCH = 0x01;
export const BPF_XCHG = 0xe1;
export const BPF_CMPXCHG = 0xf1;
export const BPF_LOAD_ACQ = 0x100;
export const BPF_STORE_REL = 0x110;

// ── src field of the 16-byte load (lddw): what its immediate is ──
export const BPF_PSEUDO_MAP_FD = 1;
export const BPF_PSEUDO_MAP_VALUE = 2;
export const BPF_PSEUDO_BTF_ID = 3;
export const BPF_PSEUDO_FUNC = 4;
export const BPF_PSEUDO_MAP_IDX = 5;
export const BPF_PSEUDO_MAP_IDX_VALUE = 6;

// ── src field of a call: whom it calls ──
export const BPF_PSEUDO_HELPER = 0;
export const BPF_PSEUDO_CALL = 1;
export const BPF_PSEUDO_KFUNC_CALL = 2;

/** Frame pointer, the only register that can't be written. */
export const BPF_REG_FP = 10;
