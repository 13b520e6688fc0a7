import { describe, expect, test } from 'vitest';
import { fromHex, unwrap } from '../../src/base/index.js';
import { assemble } from '../../src/vm/isa/assemble.js';
import { encode } from '../../src/vm/isa/decode.js';
import { runOnMemory } from '../../src/vm/index.js';

const ENGINES = ['interpreter', 'jit'] as const;

interface Case {
  readonly name: string;
  readonly program: string;
  /** Hex. */
  readonly memory?: string;
  readonly result: bigint;
}

const bytes = (hex = ''): Uint8Array => fromHex(hex)!;
const textOf = (program: string): Uint8Array => unwrap(assemble(program.replaceAll(' / ', '\n')));

// What test/vm/engines/semantics.test.ts doesn't have: r1 and r2, the helper, and what RFC 9669 allows though the kernel refuses it.
const CASES: readonly Case[] = [
  { name: 'r1 is the memory', program: 'r0 = *(u32 *)(r1 +2) / exit', memory: '00 01 02 03 04 05', result: 0x05040302n },
  { name: 'r2 is its length', program: 'r0 = r2 / exit', memory: '00 01 02', result: 3n },
  { name: 'the memory can be written', program: '*(u8 *)(r1 +1) = 0xaa / r0 = *(u16 *)(r1 +0) / exit', memory: '11 22', result: 0xaa11n },
  { name: 'atomics on the memory', program: 'r2 = 5 / r2 = atomic64_fetch_add((u64 *)(r1 +0), r2) / r0 = *(u64 *)(r1 +0) / r0 <<= 8 / r0 |= r2 / exit', memory: '2a 00 00 00 00 00 00 00', result: 0x2f2an },
  { name: 'no memory: r1 and r2 are 0', program: 'r0 = r1 / r0 += r2 / exit', result: 0n },
  { name: 'all 64 bits of r0', program: 'r0 = 0xfedcba9876543210 ll / exit', result: 0xfedcba9876543210n },
  { name: 'helper 5 returns its argument, all of it', program: 'r1 = 0x100000007 ll / call #5 / exit', result: 0x100000007n },
  { name: 'helper 5 does not end the program', program: 'r0 = -1 / r1 = 1 / call #5 / r0 = 2 / exit', result: 2n },
  { name: 'callx', program: 'r1 = 9 / r3 = 5 / callx r3 / exit', result: 9n },
  { name: 'a local call', program: 'r1 = 0x42 / call f / exit / f: r0 = r1 / exit', result: 0x42n },
  { name: 'a local call keeps r6 to r9', program: 'r6 = 1 / r9 = 2 / call f / r0 += r6 / r0 += r9 / exit / f: r6 = 100 / r9 = 100 / r0 = 4 / exit', result: 7n },
  { name: 'exit before other instructions', program: 'r0 = 1 / exit / r0 = 2 / exit', result: 1n },
  { name: 'div by immediate 0 is 0', program: 'r0 = 7 / r0 /= 0 / exit', result: 0n },
  { name: 'div32 by immediate 0 is 0', program: 'r0 = -7 / w0 /= 0 / exit', result: 0n },
  { name: 'sdiv by immediate 0 is 0', program: 'r0 = -7 / r0 s/= 0 / exit', result: 0n },
  { name: 'mod by immediate 0 leaves the dividend', program: 'r0 = -7 / r0 %= 0 / exit', result: BigInt.asUintN(64, -7n) },
  { name: 'mod32 by immediate 0 truncates the dividend', program: 'r0 = -7 / w0 %= 0 / exit', result: 0xfffffff9n },
  { name: 'smod32 by immediate 0 truncates the dividend', program: 'r0 = -7 / w0 s%= 0 / exit', result: 0xfffffff9n },
  { name: 'lsh by an immediate over the width', program: 'r0 = 1 / r0 <<= 65 / exit', result: 2n },
  { name: 'lsh by a negative immediate', program: 'r0 = 1 / r0 <<= -63 / exit', result: 2n },
  { name: 'rsh by an immediate over the width', program: 'r0 = 8 / r0 >>= 66 / exit', result: 2n },
  { name: 'rsh by a negative immediate', program: 'r0 = 8 / r0 >>= -62 / exit', result: 2n },
  { name: 'arsh by an immediate over the width', program: 'r0 = -8 / r0 s>>= 65 / exit', result: BigInt.asUintN(64, -4n) },
  { name: 'arsh by a negative immediate', program: 'r0 = -8 / r0 s>>= -63 / exit', result: BigInt.asUintN(64, -4n) },
  { name: 'lsh32 by an immediate over the width', program: 'r0 = 1 / w0 <<= 33 / exit', result: 2n },
  { name: 'lsh32 by a negative immediate', program: 'r0 = 1 / w0 <<= -31 / exit', result: 2n },
  { name: 'rsh32 by an immediate over the width', program: 'r0 = 8 / w0 >>= 34 / exit', result: 2n },
  { name: 'rsh32 by a negative immediate', program: 'r0 = 8 / w0 >>= -30 / exit', result: 2n },
  { name: 'arsh32 by an immediate over the width', program: 'r0 = -8 / w0 s>>= 33 / exit', result: 0xfffffffcn },
  { name: 'arsh32 by a negative immediate', program: 'r0 = -8 / w0 s>>= -31 / exit', result: 0xfffffffcn },
];

/** Programs that the kernel refuses for their form; those without `rfc` have no meaning in RFC 9669 either. */
const REFUSED: readonly { readonly name: string; readonly program: string; readonly fields?: { off?: number; imm?: number }; readonly code: string; readonly rfc?: true }[] = [
  { name: 'callx', program: 'callx r3 / exit', code: 'insn-unknown-opcode', rfc: true },
  ...['/=', '%=', 's/=', 's%='].map((operator) => ({ name: `${operator} 0`, program: `r0 ${operator} 0 / exit`, code: 'insn-divide-by-zero', rfc: true as const })),
  ...['<<=', '>>=', 's>>='].flatMap((operator) =>
    [['r0', 64], ['r0', -1], ['w0', 32], ['w0', -1]].map(([register, count]) => ({ name: `${register} ${operator} ${count}`, program: `${register} ${operator} ${count} / exit`, code: 'insn-shift-range', rfc: true as const })),
  ),
  { name: 'div with offset 2', program: 'r0 /= r1 / exit', fields: { off: 2 }, code: 'insn-reserved-field' },
  { name: 'movsx from 7 bits', program: 'r0 = r1 / exit', fields: { off: 7 }, code: 'insn-reserved-field' },
  { name: 'movsx from 32 to 32 bits', program: 'w0 = w1 / exit', fields: { off: 32 }, code: 'insn-reserved-field' },
  { name: 'bswap of 24 bits', program: 'r0 = bswap16 r0 / exit', fields: { imm: 24 }, code: 'insn-reserved-field' },
  { name: 'xchg without fetch', program: 'r2 = atomic64_xchg((u64 *)(r1 +0), r2) / exit', fields: { imm: 0xe0 }, code: 'insn-reserved-field' },
  { name: 'cmpxchg without fetch', program: 'r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2) / exit', fields: { imm: 0xf0 }, code: 'insn-reserved-field' },
  { name: 'ldsx of 64 bits', program: 'r0 = *(s32 *)(r1 +0) / exit', code: 'insn-unknown-opcode' },
  { name: 'a jump into a lddw', program: 'goto pc+1 / r0 = 0 ll / exit', code: 'insn-jump-range' },
  { name: 'a jump beyond the end', program: 'goto pc+1 / exit', code: 'insn-jump-range' },
  { name: 'an end without exit', program: 'r0 = 1', code: 'program-end' },
  { name: 'a write to r10', program: 'r10 = 1 / exit', code: 'insn-frame-pointer' },
];

describe.each(ENGINES)('%s', (engine) => {
  test.each(CASES)('$name', ({ program, memory, result }) => {
    expect(runOnMemory(textOf(program), bytes(memory), { engine })).toEqual({ ok: true, value: result });
  });

  test('outside the memory nothing is read', () => {
    const read = (offset: number) => runOnMemory(textOf(`r0 = *(u16 *)(r1 ${offset < 0 ? '' : '+'}${offset}) / exit`), bytes('01 02 03 04'), { engine });
    expect(read(2)).toEqual({ ok: true, value: 0x0403n });
    for (const offset of [-1, 3, 4, 4096]) expect(read(offset)).toMatchObject({ ok: false, problem: { code: 'bad-access', message: expect.stringContaining('insn 0') } });
  });

  test('without memory r1 points at nothing', () => {
    expect(runOnMemory(textOf('r0 = *(u8 *)(r1 +0) / exit'), bytes(), { engine })).toMatchObject({ ok: false, problem: { code: 'bad-access' } });
  });

  test('a loop without end is stopped', () => {
    expect(runOnMemory(textOf('goto pc-1 / exit'), bytes(), { engine })).toMatchObject({ ok: false, problem: { code: 'instruction-budget' } });
  });

  test('callx to a helper that is not there', () => {
    expect(runOnMemory(textOf('r3 = 6 / callx r3 / exit'), bytes(), { engine })).toMatchObject({ ok: false, problem: { code: 'bad-helper-argument' } });
  });
});

describe('what is refused', () => {
  test.each(REFUSED)('$name', ({ name, program, fields, code, rfc }) => {
    const insns = textOf(program);
    if (name === 'ldsx of 64 bits') insns[0] = 0x99;
    if (fields !== undefined) encode(insns, 0, { opcode: insns[0]!, dst: insns[1]! & 15, src: insns[1]! >> 4, off: fields.off ?? 0, imm: fields.imm ?? 0 });
    expect(runOnMemory(insns, bytes('00 00 00 00 00 00 00 00'), { rules: 'kernel' })).toMatchObject({ ok: false, problem: { code } });
    const permissive = runOnMemory(insns, bytes('00 00 00 00 00 00 00 00'), { rules: 'rfc' });
    if (rfc !== true) expect(permissive).toMatchObject({ ok: false, problem: { code } });
    else if (!permissive.ok) expect(permissive.problem.code, 'stopped, not refused').toBe('bad-helper-argument');
  });

  test.each([
    ['a helper', 'call #1 / exit', 'unsupported-helper'],
    ['a map', 'r1 = map[fd:5] / exit', 'unsupported-instruction'],
    ['a kernel function', 'call kfunc#5 / exit', 'unsupported-instruction'],
  ])('what needs %s', (_name, program, code) => {
    expect(runOnMemory(textOf(program), bytes())).toMatchObject({ ok: false, problem: { code } });
  });

  test('no program, half an instruction, and more than can be', () => {
    for (const size of [0, 12]) expect(runOnMemory(new Uint8Array(size), bytes())).toMatchObject({ ok: false, problem: { code: 'program-size' } });
    expect(runOnMemory(new Uint8Array(8_000_008), bytes())).toMatchObject({ ok: false, problem: { code: 'program-size' } });
    expect(runOnMemory(textOf('exit'), new Uint8Array((16 << 20) + 1))).toMatchObject({ ok: false, problem: { code: 'memory-size' } });
  });
});
