import { describe, expect, test } from 'vitest';
import { ENGINES, Machine } from './machine.js';
import type { MachineOptions } from './machine.js';

/** r0 of `source`; `{mem}` stands for the address of 64 writable bytes, `{map}` for an empty PROG_ARRAY. */
function evaluate(engine: MachineOptions, source: string, mem?: number[]): bigint {
  const machine = new Machine({ ...engine, mem: Uint8Array.from({ length: 64 }, (_, i) => mem?.[i] ?? 0) });
  return machine.result(source.replaceAll('{mem}', String(machine.mem)).concat('\nexit'));
}

interface Case {
  readonly name: string;
  readonly program: string;
  readonly mem?: number[];
  readonly result: bigint;
}

function cases(title: string, table: readonly Case[]): void {
  describe.each(ENGINES)(`${title}: $name`, (engine) => {
    test.each(table)('$name', ({ program, mem, result }) => {
      expect(evaluate(engine, program.replaceAll(' / ', '\n'), mem)).toBe(result);
    });
  });
}

const BIG = 'r1 = 0xffffffff80000001 ll';

cases('division and modulo', [
  { name: 'div by zero in a register gives 0', program: 'r0 = 7 / r1 = 0 / r0 /= r1', result: 0n },
  { name: 'div32 by zero gives 0', program: 'r0 = -1 / r1 = 0 / w0 /= w1', result: 0n },
  { name: 'div32 looks only at the low half of the divisor', program: 'r0 = -1 / r1 = 0x100000000 ll / w0 /= w1', result: 0n },
  { name: 'sdiv by zero gives 0', program: 'r0 = -7 / r1 = 0 / r0 s/= r1', result: 0n },
  { name: 'mod by zero leaves the dividend', program: 'r0 = 0x1234567890 ll / r1 = 0 / r0 %= r1', result: 0x1234567890n },
  { name: 'mod32 by zero truncates the dividend', program: 'r0 = 0x1234567890 ll / r1 = 0 / w0 %= w1', result: 0x34567890n },
  { name: 'smod by zero leaves the dividend', program: 'r0 = -7 / r1 = 0 / r0 s%= r1', result: BigInt.asUintN(64, -7n) },
  { name: 'smod32 by zero truncates the dividend', program: 'r0 = -7 / r1 = 0 / w0 s%= w1', result: 0xfffffff9n },
  { name: 'lowest s64 by -1 gives itself', program: 'r0 = 0x8000000000000000 ll / r1 = -1 / r0 s/= r1', result: 1n << 63n },
  { name: 'lowest s32 by -1 gives itself, zero-extended', program: 'r0 = 0x80000000 ll / r1 = -1 / w0 s/= w1', result: 0x80000000n },
  { name: 'lowest s64 modulo -1 is 0', program: 'r0 = 0x8000000000000000 ll / r1 = -1 / r0 s%= r1', result: 0n },
  { name: 'lowest s32 modulo -1 is 0', program: 'r0 = 0x80000000 ll / w0 s%= -1', result: 0n },
  { name: 'sdiv truncates toward zero', program: 'r0 = -7 / r0 s/= 2', result: BigInt.asUintN(64, -3n) },
  { name: 'smod has the sign of the dividend', program: 'r0 = -7 / r0 s%= 2', result: BigInt.asUintN(64, -1n) },
  { name: 'div takes a negative immediate as a large unsigned number', program: 'r0 = -1 / r0 /= -2', result: 1n },
  { name: 'div32 takes a negative immediate as u32', program: 'r0 = -1 / w0 /= -2', result: 1n },
]);

cases('32-bit results are zero-extended', [
  { name: 'mov32 of a register to itself', program: `${BIG} / w1 = w1 / r0 = r1`, result: 0x80000001n },
  { name: 'shift by register 0', program: `${BIG} / r2 = 0 / w1 <<= w2 / r0 = r1`, result: 0x80000001n },
  { name: 'rsh32 by register 0', program: `${BIG} / r2 = 0 / w1 >>= w2 / r0 = r1`, result: 0x80000001n },
  { name: 'arsh32 by register 0', program: `${BIG} / r2 = 0 / w1 s>>= w2 / r0 = r1`, result: 0x80000001n },
  { name: 'neg32', program: 'r0 = 1 / w0 = -w0', result: 0xffffffffn },
  { name: 'add32', program: 'r0 = -1 / w0 += 0', result: 0xffffffffn },
  { name: 'mov32 of a negative immediate', program: 'w0 = -1', result: 0xffffffffn },
  { name: 'arsh32 fills with the sign and then zero-extends', program: 'r0 = 0x80000000 ll / w0 s>>= 4', result: 0xf8000000n },
  { name: 'movsx 8 to 32', program: 'r1 = 0x80 / w0 = (s8)w1', result: 0xffffff80n },
  { name: 'movsx 16 to 32', program: 'r1 = 0x8000 / w0 = (s16)w1', result: 0xffff8000n },
]);

cases('shifts, moves and byte order', [
  { name: 'register shift counts are masked with 63', program: 'r0 = 1 / r1 = 65 / r0 <<= r1', result: 2n },
  { name: 'register shift counts of 32-bit shifts are masked with 31', program: 'r0 = 1 / r1 = 33 / w0 <<= w1', result: 2n },
  { name: 'arsh', program: 'r0 = -16 / r0 s>>= 2', result: BigInt.asUintN(64, -4n) },
  { name: 'movsx 8 to 64', program: 'r1 = 0x180 / r0 = (s8)r1', result: BigInt.asUintN(64, -128n) },
  { name: 'movsx 16 to 64', program: 'r1 = 0x18000 / r0 = (s16)r1', result: BigInt.asUintN(64, -32768n) },
  { name: 'movsx 32 to 64', program: 'r1 = 0x180000000 ll / r0 = (s32)r1', result: 0xffffffff80000000n },
  { name: 'a 64-bit mov sign-extends its immediate', program: 'r0 = -2', result: 0xfffffffffffffffen },
  { name: 'a 64-bit or sign-extends its immediate', program: 'r0 = 0 / r0 |= -2', result: 0xfffffffffffffffen },
  { name: 'lddw', program: 'r0 = 0x123456789abcdef0 ll', result: 0x123456789abcdef0n },
  { name: 'le16 clears the upper bits', program: 'r0 = 0x123456789abcdef0 ll / r0 = le16 r0', result: 0xdef0n },
  { name: 'le32 clears the upper bits', program: 'r0 = 0x123456789abcdef0 ll / r0 = le32 r0', result: 0x9abcdef0n },
  { name: 'le64 changes nothing', program: 'r0 = 0x123456789abcdef0 ll / r0 = le64 r0', result: 0x123456789abcdef0n },
  { name: 'be16 swaps and clears the upper bits', program: 'r0 = 0x123456789abcdef0 ll / r0 = be16 r0', result: 0xf0den },
  { name: 'be32 swaps and clears the upper bits', program: 'r0 = 0x123456789abcdef0 ll / r0 = be32 r0', result: 0xf0debc9an },
  { name: 'be64 swaps', program: 'r0 = 0x123456789abcdef0 ll / r0 = be64 r0', result: 0xf0debc9a78563412n },
  { name: 'bswap16', program: 'r0 = 0x123456789abcdef0 ll / r0 = bswap16 r0', result: 0xf0den },
  { name: 'bswap32', program: 'r0 = 0x123456789abcdef0 ll / r0 = bswap32 r0', result: 0xf0debc9an },
  { name: 'bswap64', program: 'r0 = 0x123456789abcdef0 ll / r0 = bswap64 r0', result: 0xf0debc9a78563412n },
]);

cases('jumps', [
  { name: 'jmp32 compares the low halves', program: 'r0 = 0 / r1 = 0x100000005 ll / if w1 != 5 goto pc+1 / r0 = 1', result: 1n },
  { name: 'jset32 tests the low half', program: 'r0 = 0 / r1 = 0x100000000 ll / if w1 & -1 goto pc+1 / r0 = 1', result: 1n },
  { name: 'jset tests all bits with a sign-extended immediate', program: 'r0 = 1 / r1 = 0x100000000 ll / if r1 & -2147483648 goto pc+1 / r0 = 0', result: 1n },
  { name: 'signed jmp32 sees an s32', program: 'r0 = 0 / r1 = 0xffffffff ll / if w1 s> -2 goto pc+1 / exit / r0 = 1', result: 1n },
  { name: 'unsigned 64-bit compares use the sign-extended immediate', program: 'r0 = 0 / r1 = 0xffffffff ll / if r1 > -2 goto pc+1 / r0 = 1', result: 1n },
  { name: 'ja jumps backwards too', program: 'r0 = 1 / goto pc+2 / r0 += 1 / goto pc+2 / r0 *= 8 / goto pc-4 / r0 += 100', result: 109n },
  { name: 'gotol jumps by its 32-bit immediate', program: 'r0 = 1 / gotol pc+2 / r0 += 1 / gotol pc+2 / r0 *= 8 / gotol pc-4 / r0 += 100', result: 109n },
]);

cases('loads and stores', [
  { name: 'ldsx 8', program: 'r1 = {mem} / r0 = *(s8 *)(r1 +1)', mem: [0, 0x80], result: BigInt.asUintN(64, -128n) },
  { name: 'ldsx 16', program: 'r1 = {mem} / r0 = *(s16 *)(r1 +0)', mem: [0, 0x80], result: BigInt.asUintN(64, -32768n) },
  { name: 'ldsx 32', program: 'r1 = {mem} / r0 = *(s32 *)(r1 +0)', mem: [0, 0, 0, 0x80], result: 0xffffffff80000000n },
  { name: 'plain loads zero-extend', program: 'r0 = -1 / r1 = {mem} / r0 = *(u16 *)(r1 +0)', mem: [0xfe, 0xff], result: 0xfffen },
  { name: 'loads need no alignment', program: 'r1 = {mem} / r0 = *(u64 *)(r1 +3)', mem: [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], result: 0x0807060504030201n },
  { name: 'stdw sign-extends its immediate', program: 'r1 = {mem} / *(u64 *)(r1 +0) = -2 / r0 = *(u64 *)(r1 +0)', result: 0xfffffffffffffffen },
  { name: 'stw writes 4 bytes', program: 'r1 = {mem} / *(u32 *)(r1 +0) = -2 / r0 = *(u64 *)(r1 +0)', result: 0xfffffffen },
  { name: 'stxb writes one byte', program: 'r1 = {mem} / r2 = 0x1ff / *(u8 *)(r1 +1) = r2 / r0 = *(u64 *)(r1 +0)', result: 0xff00n },
  { name: 'negative offsets', program: 'r2 = 0x1234 / *(u16 *)(r10 -2) = r2 / r0 = *(u16 *)(r10 -2)', result: 0x1234n },
]);

const ATOMIC_64 = 'r1 = {mem} / r2 = 0x300000005 ll';
const ATOMIC_32 = 'r1 = {mem} / r2 = 0xffffffff00000005 ll';
const WORD = [0x0f, 0, 0, 0, 0xee, 0, 0, 0];

cases('atomics', [
  { name: 'add64 without fetch leaves src', program: `${ATOMIC_64} / lock *(u64 *)(r1 +0) += r2 / r0 = r2`, mem: WORD, result: 0x300000005n },
  { name: 'add64', program: `${ATOMIC_64} / lock *(u64 *)(r1 +0) += r2 / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0xf100000014n },
  { name: 'or64', program: `${ATOMIC_64} / lock *(u64 *)(r1 +0) |= r2 / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0xef0000000fn },
  { name: 'and64', program: `${ATOMIC_64} / lock *(u64 *)(r1 +0) &= r2 / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0x200000005n },
  { name: 'xor64', program: `${ATOMIC_64} / lock *(u64 *)(r1 +0) ^= r2 / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0xed0000000an },
  { name: 'fetch_add64 gives the old value', program: `${ATOMIC_64} / r2 = atomic64_fetch_add((u64 *)(r1 +0), r2) / r0 = r2`, mem: WORD, result: 0xee0000000fn },
  { name: 'fetch_add32 zero-extends the old value', program: `${ATOMIC_32} / r2 = atomic_fetch_add((u32 *)(r1 +0), r2) / r0 = r2`, mem: WORD, result: 0x0fn },
  { name: 'add32 without fetch leaves src', program: `${ATOMIC_32} / lock *(u32 *)(r1 +0) += r2 / r0 = r2`, mem: WORD, result: 0xffffffff00000005n },
  { name: 'add32 leaves the upper neighbour', program: `${ATOMIC_32} / lock *(u32 *)(r1 +0) += r2 / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0xee00000014n },
  { name: 'fetch_or32', program: `${ATOMIC_32} / r2 = atomic_fetch_or((u32 *)(r1 +0), r2) / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0xee0000000fn },
  { name: 'fetch_and32', program: `${ATOMIC_32} / r2 = atomic_fetch_and((u32 *)(r1 +0), r2) / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0xee00000005n },
  { name: 'fetch_xor32', program: `${ATOMIC_32} / r2 = atomic_fetch_xor((u32 *)(r1 +0), r2) / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0xee0000000an },
  { name: 'xchg64', program: `${ATOMIC_64} / r2 = atomic64_xchg((u64 *)(r1 +0), r2) / r0 = *(u64 *)(r1 +0) / r0 ^= r2`, mem: WORD, result: 0x300000005n ^ 0xee0000000fn },
  { name: 'xchg32 zero-extends the old value', program: `${ATOMIC_32} / r2 = atomic_xchg((u32 *)(r1 +0), r2) / r0 = r2`, mem: WORD, result: 0x0fn },
  { name: 'cmpxchg64 hit stores', program: `${ATOMIC_64} / r0 = 0xee0000000f ll / r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2) / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0x300000005n },
  { name: 'cmpxchg64 miss gives the old value', program: `${ATOMIC_64} / r0 = 1 / r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)`, mem: WORD, result: 0xee0000000fn },
  { name: 'cmpxchg64 miss stores nothing', program: `${ATOMIC_64} / r0 = 1 / r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2) / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0xee0000000fn },
  { name: 'cmpxchg32 compares the low half of r0 and zero-extends on a hit', program: `${ATOMIC_32} / r0 = 0xabcd0000000f ll / r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2)`, mem: WORD, result: 0x0fn },
  { name: 'cmpxchg32 zero-extends on a miss', program: `${ATOMIC_32} / r0 = -1 / r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2)`, mem: WORD, result: 0x0fn },
  { name: 'cmpxchg32 leaves src alone', program: `${ATOMIC_32} / r0 = 0x0f / r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2) / r0 = r2`, mem: WORD, result: 0xffffffff00000005n },
  { name: 'cmpxchg32 leaves the upper neighbour', program: `${ATOMIC_32} / r0 = 0x0f / r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2) / r0 = *(u64 *)(r1 +0)`, mem: WORD, result: 0xee00000005n },
  { name: 'cmpxchg with src r0', program: `r1 = {mem} / r0 = 0xee0000000f ll / r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r0)`, mem: WORD, result: 0xee0000000fn },
  { name: 'load_acquire 8', program: 'r1 = {mem} / r0 = -1 / r0 = load_acquire((u8 *)(r1 +4))', mem: WORD, result: 0xeen },
  { name: 'load_acquire 16', program: 'r1 = {mem} / r0 = -1 / r0 = load_acquire((u16 *)(r1 +4))', mem: WORD, result: 0xeen },
  { name: 'load_acquire 32', program: 'r1 = {mem} / r0 = -1 / r0 = load_acquire((u32 *)(r1 +4))', mem: WORD, result: 0xeen },
  { name: 'load_acquire 64', program: 'r1 = {mem} / r0 = load_acquire((u64 *)(r1 +0))', mem: WORD, result: 0xee0000000fn },
  { name: 'store_release 8', program: 'r1 = {mem} / r2 = -1 / store_release((u8 *)(r1 +0), r2) / r0 = *(u64 *)(r1 +0)', mem: WORD, result: 0xee000000ffn },
  { name: 'store_release 16', program: 'r1 = {mem} / r2 = -1 / store_release((u16 *)(r1 +0), r2) / r0 = *(u64 *)(r1 +0)', mem: WORD, result: 0xee0000ffffn },
  { name: 'store_release 32', program: 'r1 = {mem} / r2 = -1 / store_release((u32 *)(r1 +0), r2) / r0 = *(u64 *)(r1 +0)', mem: WORD, result: 0xeeffffffffn },
  { name: 'store_release 64', program: 'r1 = {mem} / r2 = -2 / store_release((u64 *)(r1 +0), r2) / r0 = *(u64 *)(r1 +0)', mem: WORD, result: 0xfffffffffffffffen },
]);
