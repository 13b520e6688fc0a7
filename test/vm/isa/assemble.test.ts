import { describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { assemble } from '../../../src/vm/isa/assemble.js';
import { disassemble } from '../../../src/vm/isa/disassemble.js';

function lines(source: string): string[] {
  const insns = unwrap(assemble(source));
  return Array.from({ length: insns.length / 8 }, (_, index) => disassemble(insns, index));
}

describe('assemble', () => {
  test('labels, comments, blank lines and spacing', () => {
    expect(
      lines(`
        // count down
        r1=10            ; ten times
        loop:
          r1 -= 0x1
          if r1!=0 goto loop
          *(u32*)(r10-4) = 7
        call add
        goto end
        r0 = -1
        end: exit
        add: exit`),
    ).toEqual([
      'r1 = 10', 'r1 -= 1', 'if r1 != 0x0 goto pc-2', '*(u32 *)(r10 -4) = 7', 'call pc+3', 'goto pc+1', 'r0 = -1', 'exit', 'exit',
    ]);
  });

  test('jumps over a lddw count both of its halves', () => {
    expect(lines('goto end\nr0 = 5 ll\nend: exit')[0]).toBe('goto pc+2');
  });

  test('immediates may be written unsigned', () => {
    expect(lines('r0 = 0xffffffff\nif w1 == 4294967295 goto pc+0\nr2 = 0xffffffffffffffff ll\nr3 = -2 ll').filter((_, i) => i !== 3 && i !== 5)).toEqual([
      'r0 = -1', 'if w1 == 0xffffffff goto pc+0', 'r2 = 0xffffffffffffffff ll', 'r3 = 0xfffffffffffffffe ll',
    ]);
  });

  test.each([
    ['r0 = 1\nr0 ^^ 2', 'line 2', 'no instruction looks like "r0 ^^ 2"'],
    ['r0 = w1', 'line 1', 'no instruction looks like "r0 = w1"'],
    ['goto nowhere', 'line 1', 'label nowhere is not defined'],
    ['a: exit\na: exit', 'line 2', 'label a is defined twice'],
    ['r0 = 4294967296', 'line 1', '4294967296 in "r0 = 4294967296" is outside -2147483648 to 4294967295'],
    ['r0 = *(u8 *)(r1 +32768)', 'line 1', '32768 in "r0 = *(u8 *)(r1 +32768)" is outside -32768 to 32767'],
    ['r16 = 0', 'line 1', '16 in "r16 = 0" is outside 0 to 15'],
    ['r0 = -r1', 'line 1', '"r0 = -r1" must name the same register twice'],
    ['r1 = be16 r2', 'line 1', '"r1 = be16 r2" must name the same register twice'],
    ['r1 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)', 'line 1', '1 in "r1 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)" is outside 0 to 0'],
    ['r1 = atomic_xchg((u32 *)(r3 +0), r2)', 'line 1', '"r1 = atomic_xchg((u32 *)(r3 +0), r2)" must name the same register twice'],
  ])('%j is refused', (source, where, message) => {
    const result = assemble(source);
    expect(result).toEqual({ ok: false, problem: { code: 'asm-syntax', where, message } });
  });
});
