import { describe, expect } from 'vitest';
import { encode } from '../../../src/vm/isa/decode.js';
import { disassemble } from '../../../src/vm/isa/disassemble.js';
import { INSTRUCTIONS } from '../../../src/vm/isa/instructionTable.js';
import type { InstructionRow } from '../../../src/vm/isa/instructionTable.js';
import { PROG_INSNS } from '../../../src/vm/layout.js';
import { fc, prop } from '../../support/property.js';
import { ENGINES, Machine } from './machine.js';
import type { MachineOptions } from './machine.js';
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

/** r3 = a and r4 = b, from memory so that no engine knows them; the instruction under test, then r0 = r3, or where a jump goes. */
const FRAME = `r5 = 0
r3 = *(u64 *)(r5 +0)
r4 = *(u64 *)(r5 +8)
r0 = 0
r0 = 0
r0 = r3
exit
r0 = ${0x7a6b5c4d}
exit`;
/** r0 after a jump that was taken. */
const TAKEN = 0x7a6b5c4dn;
const UNDER_TEST = 4;

/** Runs one instruction between loads of its operands and `exit`. */
class Bench {
  readonly #machine: Machine;
  readonly #block: number;
  readonly #insns: number;

  constructor(engine: MachineOptions) {
    this.#machine = new Machine(engine);
    this.#block = this.#machine.load(FRAME);
    this.#insns = this.#machine.getU32(this.#block + PROG_INSNS);
  }

  /** r0 after the instruction ran with a in r3 and b in r4; or TAKEN. */
  execute(row: InstructionRow, a: bigint, b: bigint, imm: number, isSame: boolean): { result: bigint; text: string } {
    const { view, u8 } = this.#machine.memory;
    view.setBigUint64(this.#machine.mem, a, true);
    view.setBigUint64(this.#machine.mem + 8, b, true);
    this.#machine.setU32(this.#insns + 4, this.#machine.mem);
    const one = new Uint8Array(8);
    encode(one, 0, {
      opcode: row.opcode,
      dst: DST,
      src: row.src === 'read' ? (isSame ? DST : SRC) : 0,
      off: row.off === 'jump' ? 2 : typeof row.off === 'number' ? row.off : 0,
      imm: typeof row.imm === 'number' ? row.imm : row.imm === 'zero' ? 0 : imm,
    });
    u8.set(one, this.#insns + UNDER_TEST * 8);
    return { result: this.#machine.result(this.#block), text: disassemble(one, 0) };
  }
}

/** The second operand as the instruction sees it. */
function operandOf(row: InstructionRow, a: bigint, b: bigint, imm: number, isSame: boolean): bigint {
  if (row.src === 'read') return isSame ? a : b;
  return BigInt.asUintN(64, BigInt(imm));
}

function named(row: InstructionRow): [string, InstructionRow] {
  return [`${row.text} (${row.widthBits} bits)`, row];
}

describe.each(ENGINES)('every arithmetic instruction gives what the reference gives: $name', (engine) => {
  const bench = new Bench(engine);

  for (const [name, row] of INSTRUCTIONS.filter(({ kind }) => kind === 'alu').map(named)) {
    prop([word, word, immediate, fc.boolean()])(name, (a, b, imm, isSame) => {
      const { result, text } = bench.execute(row, a, b, imm, isSame);
      const expected = referenceAlu(row.operation, row.widthBits as 32 | 64, a, operandOf(row, a, b, imm, isSame), Number(row.off));
      expect(result, `${text} with r3 = ${a}, r4 = ${b}`).toBe(expected);
    });
  }

  for (const [name, row] of INSTRUCTIONS.filter(({ kind }) => kind === 'endian').map(named)) {
    prop([word])(name, (a) => {
      const { result, text } = bench.execute(row, a, 0n, 0, false);
      expect(result, `${text} with r3 = ${a}`).toBe(referenceEndian(row.operation, row.widthBits as 16 | 32 | 64, a));
    });
  }
});

describe.each(ENGINES)('every conditional jump goes where the reference goes: $name', (engine) => {
  const bench = new Bench(engine);

  const rows = INSTRUCTIONS.filter(({ kind, operation }) => kind === 'branch' && operation !== 'may_goto');
  for (const [name, row] of rows.map(named)) {
    prop([word, word, immediate, fc.boolean(), fc.boolean()])(name, (a, b, imm, isSame, isEqual) => {
      const first = isEqual ? operandOf(row, a, b, imm, false) : a;
      const { result, text } = bench.execute(row, first, b, imm, isSame);
      const isTaken = referenceJump(row.operation, row.widthBits as 32 | 64, first, operandOf(row, first, b, imm, isSame));
      expect(result, `${text} with r3 = ${first}, r4 = ${b}`).toBe(isTaken ? TAKEN : first);
    });
  }
});
