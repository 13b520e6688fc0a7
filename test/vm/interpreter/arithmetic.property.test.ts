import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { encode } from '../../../src/vm/isa/decode.js';
import { disassemble } from '../../../src/vm/isa/disassemble.js';
import { INSTRUCTIONS } from '../../../src/vm/isa/instructionTable.js';
import type { InstructionRow } from '../../../src/vm/isa/instructionTable.js';
import { PROG_INSNS } from '../../../src/vm/layout.js';
import { Machine } from './machine.js';
import { referenceAlu, referenceEndian, referenceJump } from './reference.js';

const DST = 3;
const SRC = 4;

/** Numbers near the corners as often as any other. */
const corner = fc.constantFrom(
  0n, 1n, 2n, 7n, 31n, 32n, 33n, 63n, 64n, 65n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n,
  0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffff80000000n, 0xffffffffffffffffn,
);
const word = fc.oneof(corner, fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }));
const immediate = fc.oneof(corner.map((value) => Number(BigInt.asIntN(32, value))), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));

/** r3 = a, r4 = b, the instruction under test, then r0 = r3, or where a jump goes. */
const FRAME = `r3 = 0 ll
r4 = 0 ll
r0 = 0
r0 = r3
exit
r0 = ${0x7a6b5c4d}
exit`;
/** r0 after a jump that was taken. */
const TAKEN = 0x7a6b5c4dn;
const UNDER_TEST = 4;

const machine = new Machine();
const block = machine.load(FRAME);
const insns = machine.getU32(block + PROG_INSNS);

function setWide(slot: number, value: bigint): void {
  machine.setU32(insns + slot * 8 + 4, Number(value & 0xffffffffn));
  machine.setU32(insns + slot * 8 + 12, Number(value >> 32n));
}

/** r0 after the instruction ran with a in r3 and b in r4; or TAKEN. */
function execute(row: InstructionRow, a: bigint, b: bigint, imm: number, isSame: boolean): { result: bigint; text: string } {
  setWide(0, a);
  setWide(2, b);
  const one = new Uint8Array(8);
  encode(one, 0, {
    opcode: row.opcode,
    dst: DST,
    src: row.src === 'read' ? (isSame ? DST : SRC) : 0,
    off: row.off === 'jump' ? 2 : typeof row.off === 'number' ? row.off : 0,
    imm: typeof row.imm === 'number' ? row.imm : row.imm === 'zero' ? 0 : imm,
  });
  machine.memory.u8.set(one, insns + UNDER_TEST * 8);
  return { result: machine.result(block), text: disassemble(one, 0) };
}

/** The second operand as the instruction sees it. */
function operandOf(row: InstructionRow, a: bigint, b: bigint, imm: number, isSame: boolean): bigint {
  if (row.src === 'read') return isSame ? a : b;
  return BigInt.asUintN(64, BigInt(imm));
}

function named(row: InstructionRow): [string, InstructionRow] {
  return [`${row.text} (${row.widthBits} bits)`, row];
}

describe('every arithmetic instruction gives what the reference gives', () => {
  for (const [name, row] of INSTRUCTIONS.filter(({ kind }) => kind === 'alu').map(named)) {
    test.prop([word, word, immediate, fc.boolean()])(name, (a, b, imm, isSame) => {
      const { result, text } = execute(row, a, b, imm, isSame);
      const expected = referenceAlu(row.operation, row.widthBits as 32 | 64, a, operandOf(row, a, b, imm, isSame), Number(row.off));
      expect(result, `${text} with r3 = ${a}, r4 = ${b}`).toBe(expected);
    });
  }

  for (const [name, row] of INSTRUCTIONS.filter(({ kind }) => kind === 'endian').map(named)) {
    test.prop([word])(name, (a) => {
      const { result, text } = execute(row, a, 0n, 0, false);
      expect(result, `${text} with r3 = ${a}`).toBe(referenceEndian(row.operation, row.widthBits as 16 | 32 | 64, a));
    });
  }
});

describe('every conditional jump goes where the reference goes', () => {
  const rows = INSTRUCTIONS.filter(({ kind, operation }) => kind === 'branch' && operation !== 'may_goto');
  for (const [name, row] of rows.map(named)) {
    test.prop([word, word, immediate, fc.boolean(), fc.boolean()])(name, (a, b, imm, isSame, isEqual) => {
      const first = isEqual ? operandOf(row, a, b, imm, false) : a;
      const { result, text } = execute(row, first, b, imm, isSame);
      const isTaken = referenceJump(row.operation, row.widthBits as 32 | 64, first, operandOf(row, first, b, imm, isSame));
      expect(result, `${text} with r3 = ${first}, r4 = ${b}`).toBe(isTaken ? TAKEN : first);
    });
  }
});
