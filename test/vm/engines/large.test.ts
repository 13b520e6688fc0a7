import { describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { runOnMemory } from '../../../src/vm/index.js';
import { assemble } from '../../../src/vm/isa/assemble.js';

// Programs that are larger or deeper than a compiler may be made for: they run all the same.

const lines = (count: number, line: (index: number) => string): string => Array.from({ length: count }, (_, index) => line(index)).join('\n');

const PROGRAMS = [
  { name: '200,000 loads', text: `${lines(200_000, (i) => `r0 = *(u64 *)(r1 +${i % 56})`)}\nexit`, result: 0n },
  { name: '20,000 branches in a row', text: `r3 = *(u64 *)(r1 +0)\n${lines(20_000, (i) => `if r3 == ${i} goto l${i}\nr0 += 1\nl${i}:`)}\nexit`, result: 19_999n },
  { name: '4,000 branches whose targets lie in each other', text: `r3 = *(u64 *)(r1 +0)\n${lines(4000, (i) => `if r3 == ${i + 1} goto l${i}\nr0 += 1`)}\nexit\n${lines(4000, (i) => `l${3999 - i}: r0 += 2`)}\nexit`, result: 4000n },
  { name: '8,000 early ends', text: `r3 = *(u64 *)(r1 +0)\n${lines(8000, (i) => `if r3 != ${i + 1} goto l${i}\nr0 += 1\nexit\nl${i}:`)}\nexit`, result: 0n },
  { name: '600 loops in each other', text: `${lines(600, (i) => `l${i}: r0 += 1`)}\n${lines(600, (i) => `if r0 == 0x7fffffff goto l${599 - i}`)}\nexit`, result: 600n },
  { name: '6,000 branches behind a loop with two entries', text: `r3 = *(u64 *)(r1 +0)\nif r3 == 0 goto middle\ntop: r0 += 1\nmiddle: r0 += 1\nif r0 < 10 goto top\n${lines(6000, (i) => `if r3 == ${i} goto l${i}\nr0 += 1\nl${i}:`)}\nexit`, result: 6010n },
];

describe.each(['interpreter', 'jit'] as const)('%s', (engine) => {
  test.each(PROGRAMS)('$name', ({ text, result }) => {
    expect(runOnMemory(unwrap(assemble(text)), new Uint8Array(64), { engine })).toEqual({ ok: true, value: result });
  });
});
