import { describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { assemble } from '../../../src/vm/isa/assemble.js';
import { decode, encode } from '../../../src/vm/isa/decode.js';
import { disassemble } from '../../../src/vm/isa/disassemble.js';
import { INSTRUCTIONS, findRow, rowsOfOpcode } from '../../../src/vm/isa/instructionTable.js';
import type { InstructionRow } from '../../../src/vm/isa/instructionTable.js';
import { fc, prop } from '../../support/property.js';

const register = fc.integer({ min: 0, max: 10 });
const s16 = fc.integer({ min: -32768, max: 32767 });
const s32 = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: -16, max: 16 }));

/** Any instruction of a row, with both of its slots. */
function instruction(row: InstructionRow): fc.Arbitrary<Uint8Array> {
  return fc.tuple(register, register, s16, s32, s32).map(([dst, src, off, imm, hi]) => {
    const insns = new Uint8Array(row.slots * 8);
    encode(insns, 0, {
      opcode: row.opcode,
      dst: row.dst === 'none' ? 0 : dst,
      src: typeof row.src === 'number' ? row.src : row.src === 'none' ? 0 : src,
      off: typeof row.off === 'number' ? row.off : row.off === 'zero' ? 0 : off,
      imm: typeof row.imm === 'number' ? row.imm : row.imm === 'zero' ? 0 : imm,
    });
    const hasHigh = row.text.includes('{imm64}') || row.text.includes('{hi}');
    if (row.slots === 2 && hasHigh) encode(insns, 1, { opcode: 0, dst: 0, src: 0, off: 0, imm: hi });
    return insns;
  });
}

describe('assemble(disassemble(x)) is x', () => {
  for (const row of INSTRUCTIONS) {
    prop([instruction(row)])(row.text, (insns) => {
      expect(findRow(insns[0]!, insns[1]! >> 4, decode(insns, 0).off, decode(insns, 0).imm)).toBe(row);
      expect(unwrap(assemble(disassemble(insns, 0)))).toEqual(insns);
    });
  }

  prop([fc.array(fc.constantFrom(...INSTRUCTIONS).chain(instruction), { minLength: 1, maxLength: 40 })])('whole programs', (parts) => {
    const insns = Uint8Array.from(parts.flatMap((part) => [...part]));
    const lines: string[] = [];
    for (let index = 0; index < insns.length / 8; ) {
      lines.push(disassemble(insns, index));
      index += rowsOfOpcode(insns[index * 8]!)[0]!.slots;
    }
    expect(unwrap(assemble(lines.join('\n')))).toEqual(insns);
  });

  prop([fc.uint8Array({ minLength: 8, maxLength: 8 })])('decode and encode lose nothing, whatever the bytes', (insns) => {
    const copy = new Uint8Array(8);
    encode(copy, 0, decode(insns, 0));
    expect(copy).toEqual(insns);
  });
});

test('decode takes registers, offset and immediate apart', () => {
  expect(decode(Uint8Array.from([0x61, 0x16, 0xfc, 0xff, 0, 0, 0, 0x80]), 0)).toEqual({ opcode: 0x61, dst: 6, src: 1, off: -4, imm: -0x80000000 });
});

test('no two rows describe the same instruction', () => {
  const keys = INSTRUCTIONS.map((row) => [row.opcode, ...[row.src, row.off, row.imm].map((field) => (typeof field === 'number' ? field : '*'))].join(' '));
  expect(new Set(keys).size).toBe(INSTRUCTIONS.length);
});

/** RFC 9669 appendix A without the deprecated packet loads, by class. */
const RFC_OPCODES = [
  '04 0c 14 1c 24 2c 34 3c 44 4c 54 5c 64 6c 74 7c 84 94 9c a4 ac b4 bc c4 cc d4 dc',
  '07 0f 17 1f 27 2f 37 3f 47 4f 57 5f 67 6f 77 7f 87 97 9f a7 af b7 bf c7 cf d7',
  '05 15 1d 25 2d 35 3d 45 4d 55 5d 65 6d 75 7d 85 95 a5 ad b5 bd c5 cd d5 dd',
  '06 16 1e 26 2e 36 3e 46 4e 56 5e 66 6e 76 7e a6 ae b6 be c6 ce d6 de',
  '18 61 62 63 69 6a 6b 71 72 73 79 7a 7b 81 89 91 c3 db',
];
/** load_acquire and store_release of 16 and 8 bits, may_goto, and callx of the conformance suite. */
const OTHER_OPCODES = 'cb d3 e5 8d';

test('the table has the opcodes of RFC 9669 and those that Linux adds, and no others', () => {
  const expected = [...RFC_OPCODES, OTHER_OPCODES].flatMap((text) => text.split(' '));
  const found = new Set(INSTRUCTIONS.map(({ opcode }) => opcode.toString(16).padStart(2, '0')));
  expect([...found].sort()).toEqual(expected.sort());
});

/** Bytes and text as bpftool 7.5 prints them for a program that Linux 6.18 has loaded; the last five as LLVM 19 does where bpftool doesn't know them, numbers in the kernel's way. */
const KERNEL_TEXT: readonly [bytes: number[], text: string][] = [
  [[0xb7, 0x02, 0, 0, 5, 0, 0, 0], 'r2 = 5'],
  [[0xdb, 0x21, 0, 0, 1, 0, 0, 0], 'r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)'],
  [[0xb4, 0x04, 0, 0, 3, 0, 0, 0], 'w4 = 3'],
  [[0xc3, 0x43, 0, 0, 0xa1, 0, 0, 0], 'r4 = atomic_fetch_xor((u32 *)(r3 +0), r4)'],
  [[0xc3, 0x53, 0, 0, 0xf1, 0, 0, 0], 'r0 = atomic_cmpxchg((u32 *)(r3 +0), r0, r5)'],
  [[0x0f, 0x42, 0, 0, 0, 0, 0, 0], 'r2 += r4'],
  [[0xbc, 0x03, 0, 0, 0, 0, 0, 0], 'w3 = w0'],
  [[0xdb, 0x31, 0, 0, 0xe1, 0, 0, 0], 'r3 = atomic64_xchg((u64 *)(r1 +0), r3)'],
  [[0xdb, 0x31, 0, 0, 0x40, 0, 0, 0], 'lock *(u64 *)(r1 +0) |= r3'],
  [[0xdc, 0x02, 0, 0, 0x20, 0, 0, 0], 'r2 = be32 r2'],
  [[0x84, 0x01, 0, 0, 0, 0, 0, 0], 'w1 = -w1'],
  [[0xc6, 0x02, 1, 0, 0xfb, 0xff, 0xff, 0xff], 'if w2 s< 0xfffffffb goto pc+1'],
  [[0x95, 0, 0, 0, 0, 0, 0, 0], 'exit'],
  [[0x61, 0x16, 0xfc, 0xff, 0, 0, 0, 0], 'r6 = *(u32 *)(r1 -4)'],
  [[0x2d, 0x23, 13, 0, 0, 0, 0, 0], 'if r3 > r2 goto pc+13'],
  [[0x91, 0x11, 1, 0, 0, 0, 0, 0], 'r1 = *(s8 *)(r1 +1)'],
  [[0xd7, 0x02, 0, 0, 0x10, 0, 0, 0], 'r2 = bswap16 r2'],
  [[0x37, 0x02, 1, 0, 3, 0, 0, 0], 'r2 s/= 3'],
];

describe('the wording of the kernel', () => {
  test.each(KERNEL_TEXT)('%j', (bytes, text) => {
    expect(disassemble(Uint8Array.from(bytes), 0)).toBe(text);
  });

  test('a helper by its name, when there is one', () => {
    const insns = Uint8Array.from([0x85, 0, 0, 0, 1, 0, 0, 0]);
    expect(disassemble(insns, 0, { helperName: (id) => (id === 1 ? 'bpf_map_lookup_elem' : undefined) })).toBe('call bpf_map_lookup_elem#1');
    expect(disassemble(insns, 0)).toBe('call #1');
    expect(unwrap(assemble('call bpf_map_lookup_elem#1'))).toEqual(insns);
    expect(unwrap(assemble('call 1'))).toEqual(insns);
  });

  test('what is no instruction', () => {
    expect(disassemble(Uint8Array.from([0x8e, 0, 0, 0, 0, 0, 0, 0]), 0)).toBe('unknown opcode 0x8e');
    expect(disassemble(Uint8Array.from([0x18, 1, 0, 0, 7, 0, 0, 0]), 0)).toBe('r1 = 0x7 ll');
  });
});
