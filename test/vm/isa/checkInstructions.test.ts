import { describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { assemble } from '../../../src/vm/isa/assemble.js';
import { checkInstructions } from '../../../src/vm/isa/checkInstructions.js';
import { encode } from '../../../src/vm/isa/decode.js';
import { INSTRUCTIONS } from '../../../src/vm/isa/instructionTable.js';
import { fc, prop } from '../../support/property.js';

function check(source: string, rules: 'kernel' | 'rfc' = 'kernel'): string | undefined {
  const problem = checkInstructions(unwrap(assemble(source)), { rules });
  return problem === undefined ? undefined : `${problem.where}: ${problem.message}`;
}

/** A program of raw instructions [opcode, registers, off, imm] and an exit. */
function raw(...insns: [opcode: number, dst: number, src: number, off: number, imm: number][]): Uint8Array {
  const bytes = new Uint8Array((insns.length + 1) * 8);
  for (const [index, [opcode, dst, src, off, imm]] of insns.entries()) encode(bytes, index, { opcode, dst, src, off, imm });
  bytes[insns.length * 8] = 0x95;
  return bytes;
}

describe('programs that pass', () => {
  test.each([
    'r0 = 0\nexit',
    'r0 = 0\nif r0 == 0 goto pc-2\nexit',
    'goto pc+0\nexit',
    'r1 = 0x1234567890 ll\nexit',
    'r1 = map[fd:3]\nexit',
    'call f\nexit\nf: r0 = 0\nexit',
    'r0 = 0\ngoto pc-2',
    'r0 <<= 63\nw0 >>= 31\nexit',
    'gotol pc+0\nexit',
  ])('%j', (source) => {
    expect(check(source)).toBeUndefined();
  });
});

describe('programs that fail', () => {
  test.each([
    ['r0 = 0', 'insn 0: r0 = 0: last insn is not an exit or jmp'],
    ['r0 = 5 ll', 'insn 0: r0 = 0x5 ll: last insn is not an exit or jmp'],
    ['if r0 == 0 goto pc-1', 'insn 0: if r0 == 0x0 goto pc-1: last insn is not an exit or jmp'],
    ['goto pc+1\nexit', 'insn 0: goto pc+1: jump out of range from insn 0 to 2'],
    ['if r1 == r2 goto pc-2\nexit', 'insn 0: if r1 == r2 goto pc-2: jump out of range from insn 0 to -1'],
    ['gotol pc+70000\nexit', 'insn 0: gotol pc+70000: jump out of range from insn 0 to 70001'],
    ['goto pc+1\nr0 = 0 ll\nexit', 'insn 0: goto pc+1: jump into the middle of ldimm64 insn 1'],
    ['call pc+1\nexit', 'insn 0: call pc+1: jump out of range from insn 0 to 2'],
    ['call pc+2\nr0 = 0 ll\nexit\nexit', 'insn 1: r0 = 0x0 ll: last insn is not an exit or jmp'],
    ['call pc+3\nr0 = 0 ll\nexit\nexit', undefined],
    ['call pc+1\nr0 = 0 ll\nexit', 'insn 0: call pc+1: jump into the middle of ldimm64 insn 1'],
    ['goto f\ncall f\nexit\nf: exit', 'insn 0: goto pc+2: jump out of range from insn 0 to 3'],
    ['call f\nr0 = 1\nf: exit', 'insn 1: r0 = 1: last insn is not an exit or jmp'],
    ['r11 = 0\nexit', 'insn 0: r11 = 0: R11 is invalid'],
    ['r0 = *(u8 *)(r12 +0)\nexit', 'insn 0: r0 = *(u8 *)(r12 +0): R12 is invalid'],
    ['r10 = 0\nexit', 'insn 0: r10 = 0: frame pointer is read only'],
    ['w10 += w1\nexit', 'insn 0: w10 += w1: frame pointer is read only'],
    ['r10 = be16 r10\nexit', 'insn 0: r10 = be16 r10: frame pointer is read only'],
    ['r10 = *(u64 *)(r1 +0)\nexit', 'insn 0: r10 = *(u64 *)(r1 +0): frame pointer is read only'],
    ['r10 = atomic64_xchg((u64 *)(r1 +0), r10)\nexit', 'insn 0: r10 = atomic64_xchg((u64 *)(r1 +0), r10): frame pointer is read only'],
    ['r10 = load_acquire((u64 *)(r1 +0))\nexit', 'insn 0: r10 = load_acquire((u64 *)(r1 +0)): frame pointer is read only'],
    ['*(u64 *)(r10 -8) = r10\nexit', undefined],
    ['r0 <<= 64\nexit', 'insn 0: r0 <<= 64: invalid shift 64'],
    ['w0 >>= 32\nexit', 'insn 0: w0 >>= 32: invalid shift 32'],
    ['r0 s>>= -1\nexit', 'insn 0: r0 s>>= -1: invalid shift -1'],
    ['r0 /= 0\nexit', 'insn 0: r0 /= 0: div by zero'],
    ['w0 s%= 0\nexit', 'insn 0: w0 s%= 0: div by zero'],
    ['callx r2\nexit', 'insn 0: callx r2: unknown opcode 0x8d'],
  ])('%j', (source, message) => {
    expect(check(source)).toBe(message);
  });

  test.each(['r0 <<= 64\nexit', 'w0 s>>= -1\nexit', 'r0 /= 0\nexit', 'callx r2\nexit'])('%j passes by the rules of RFC 9669', (source) => {
    expect(check(source, 'rfc')).toBeUndefined();
  });

  test.each([
    [raw([0x8e, 0, 0, 0, 0]), 'unknown opcode 0x8e'],
    [raw([0x99, 1, 2, 0, 0]), 'unknown opcode 0x99'],
    [raw([0x20, 0, 0, 0, 0]), 'BPF_LD_[ABS|IND] instructions not allowed for this program type (opcode 0x20)'],
    [raw([0xb7, 0, 3, 0, 0]), 'BPF_MOV uses reserved fields: src is 3, but must be 0'],
    [raw([0xbf, 0, 3, 0, 4]), 'BPF_MOV uses reserved fields: imm is 4, but must be 0'],
    [raw([0xbf, 0, 3, 7, 0]), 'BPF_MOV uses reserved fields: no variant of opcode 0xbf has src 3, offset 7 and imm 0'],
    [raw([0xbc, 0, 3, 32, 0]), 'BPF_MOV uses reserved fields: no variant of opcode 0xbc has src 3, offset 32 and imm 0'],
    [raw([0x07, 0, 0, 2, 0]), 'BPF_ALU uses reserved fields: offset is 2, but must be 0'],
    [raw([0x37, 0, 0, 2, 1]), 'BPF_ALU uses reserved fields: no variant of opcode 0x37 has src 0, offset 2 and imm 1'],
    [raw([0x87, 0, 1, 0, 0]), 'BPF_NEG uses reserved fields: src is 1, but must be 0'],
    [raw([0xd4, 0, 0, 0, 8]), 'BPF_END uses reserved fields: no variant of opcode 0xd4 has src 0, offset 0 and imm 8'],
    [raw([0x61, 0, 1, 0, 1]), 'BPF_LDX uses reserved fields: imm is 1, but must be 0'],
    [raw([0x62, 0, 1, 0, 1]), 'BPF_ST uses reserved fields: src is 1, but must be 0'],
    [raw([0x63, 0, 1, 0, 1]), 'BPF_STX uses reserved fields: imm is 1, but must be 0'],
    [raw([0xdb, 0, 1, 0, 0x10]), 'BPF_ATOMIC uses invalid atomic opcode 0x10 (opcode 0xdb)'],
    [raw([0xdb, 0, 1, 0, 0xe0]), 'BPF_ATOMIC uses invalid atomic opcode 0xe0 (opcode 0xdb)'],
    [raw([0xdb, 0, 1, 0, 0xf0]), 'BPF_ATOMIC uses invalid atomic opcode 0xf0 (opcode 0xdb)'],
    [raw([0xcb, 0, 1, 0, 0]), 'BPF_ATOMIC uses invalid atomic opcode 0x0 (opcode 0xcb)'],
    [raw([0x05, 1, 0, 0, 0]), 'BPF_JA uses reserved fields: dst is 1, but must be 0'],
    [raw([0x06, 0, 0, 1, 0]), 'BPF_JA uses reserved fields: offset is 1, but must be 0'],
    [raw([0x15, 0, 1, 0, 0]), 'BPF_JMP uses reserved fields: src is 1, but must be 0'],
    [raw([0x85, 0, 3, 0, 0]), 'BPF_CALL uses reserved fields: no variant of opcode 0x85 has src 3, offset 0 and imm 0'],
    [raw([0x85, 0, 0, 1, 5]), 'BPF_CALL uses reserved fields: offset is 1, but must be 0'],
    [raw([0x95, 0, 0, 0, 1]), 'BPF_EXIT uses reserved fields: imm is 1, but must be 0'],
    [raw([0x18, 0, 7, 0, 0], [0, 0, 0, 0, 0]), 'unrecognized bpf_ld_imm64 insn: src is 7'],
    [raw([0x18, 0, 0, 0, 0], [0, 1, 0, 0, 0]), 'invalid bpf_ld_imm64 insn: its second half has more than an immediate'],
    [raw([0x18, 0, 0, 0, 0]), 'invalid bpf_ld_imm64 insn: its second half has more than an immediate'],
    [raw().subarray(0, 0), 'a program of 0 bytes is not a whole number of 8-byte instructions, 1 or more'],
    [raw([0xb7, 0, 0, 0, 0]).subarray(0, 12), 'a program of 12 bytes is not a whole number of 8-byte instructions, 1 or more'],
  ])('bytes %#', (insns, message) => {
    expect(checkInstructions(insns)?.message).toBe(message);
  });

  test('a lddw cut in half', () => {
    expect(checkInstructions(unwrap(assemble('r0 = 5 ll')).subarray(0, 8))?.message).toBe('invalid bpf_ld_imm64 insn: the program ends before its second half');
  });

  test('`where` begins with what the program is called', () => {
    expect(checkInstructions(raw([0x8e, 0, 0, 0, 0]), { where: 'prog.o, program main' })?.where).toBe('prog.o, program main, insn 0: unknown opcode 0x8e');
  });
});

describe('each field that a row does not use must be zero', () => {
  for (const row of INSTRUCTIONS.filter(({ slots, kernel }) => slots === 1 && kernel)) {
    const unused = [row.dst === 'none' && 'dst', row.src === 'none' && 'src', row.off === 'zero' && 'off', row.imm === 'zero' && 'imm'].filter((name) => name !== false);
    test.each(unused)(`${row.text}: %s`, (field) => {
      const fields = {
        opcode: row.opcode,
        dst: 0,
        src: typeof row.src === 'number' ? row.src : 0,
        off: typeof row.off === 'number' ? row.off : 0,
        imm: typeof row.imm === 'number' ? row.imm : row.imm === 'divisor' ? 1 : row.imm === 'jump' ? -1 : 0,
      };
      const insns = raw([0, 0, 0, 0, 0]);
      encode(insns, 0, fields);
      expect(checkInstructions(insns)).toBeUndefined();
      encode(insns, 0, { ...fields, [field]: 1 });
      expect(checkInstructions(insns)?.code).toBe('insn-reserved-field');
    });
  }
});

prop([fc.uint8Array({ maxLength: 80 })])('any bytes are judged without a crash', (bytes) => {
  const problem = checkInstructions(bytes);
  expect(problem === undefined || problem.message.length > 0).toBe(true);
});
