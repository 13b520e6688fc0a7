import { describe, expect, it } from 'vitest';
import { bytes } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc, prop } from '../../support/property.js';
import { KernelPair, TestMachine } from '../support/differential.js';
import { kfuncObject } from './kfuncProgram.js';

const PACKET = { data: bytes(60) };
const INT_MIN = -0x80000000;
const INT_MAX = 0x7fffffff;
const BPF_MAX_LOOPS = 8 << 20;
const E2BIG = -7;
const EFAULT = -14;
const EINVAL = -22;
const ERANGE = -34;

const IT = 'r1 = r10\nr1 += -16';

/** Goes through an iterator on the stack; the result mixes what `new` gave with all numbers and their order. */
function walking(kind: string, begin: string): string {
  return `
    ${begin}
    ${IT}
    call iter_${kind}_new
    r7 = r0
    r6 = 0
    next: ${IT}
    call iter_${kind}_next
    if r0 == 0 goto done
    r1 = *(u32 *)(r0 + 0)
    r6 *= 31
    r6 += r1
    r6 += 1
    goto next
    done: ${IT}
    call iter_${kind}_next
    r8 = r0
    ${IT}
    call iter_${kind}_destroy
    r0 = r7
    r0 *= 1000003
    r0 += r6
    if r8 == 0 goto out
    r0 = 0
    out: exit`;
}

const numbers = (start: number, end: number): string => walking('num', `r2 = ${start}\nr3 = ${end}`);

/** What `walking` returns for these numbers. */
function mixed(result: number, values: readonly number[]): number {
  const sum = values.reduce((mix, value) => (Math.imul(mix, 31) + value + 1) | 0, 0);
  return (Math.imul(result, 1000003) + sum) | 0;
}

function run(text: string): number | string {
  const { retval, fault } = new TestMachine(kfuncObject(text)).run(PACKET);
  return fault === undefined ? retval | 0 : fault.message;
}

const RANGES: readonly (readonly [start: number, end: number, result: number, values: readonly number[]])[] = [
  [0, 5, 0, [0, 1, 2, 3, 4]],
  [-2, 2, 0, [-2, -1, 0, 1]],
  [3, 3, 0, []],
  [4, 3, EINVAL, []],
  [INT_MIN, INT_MIN + 3, 0, [INT_MIN, INT_MIN + 1, INT_MIN + 2]],
  [INT_MAX - 2, INT_MAX, 0, [INT_MAX - 2, INT_MAX - 1]],
  [INT_MAX, INT_MAX, 0, []],
  [INT_MIN, INT_MAX, E2BIG, []],
  [0, BPF_MAX_LOOPS + 1, E2BIG, []],
  [-1, BPF_MAX_LOOPS, E2BIG, []],
];

describe('bpf_iter_num', () => {
  it.each(RANGES)('from %i to %i: %i', (start, end, result, values) => {
    expect(run(numbers(start, end))).toBe(mixed(result, values));
  });

  it('nests and may be begun again at the same place', () => {
    const count = (body: string): string => `${IT}\nr2 = 0\nr3 = 3\ncall iter_num_new\n${body}\n${IT}\ncall iter_num_destroy`;
    const inner = 'r1 = r10\nr1 += -24\nr2 = 0\nr3 = 2\ncall iter_num_new\nr1 = r10\nr1 += -24\ncall iter_num_next\nr6 = *(u32 *)(r0 + 0)\nr1 = r10\nr1 += -24\ncall iter_num_destroy';
    expect(run(`${count(inner)}\n${count('')}\nr0 = r6\nexit`)).toBe(0);
  });

  it('must be destroyed before the program ends', () => {
    expect(run(`${IT}\nr2 = 0\nr3 = 3\ncall iter_num_new\nr0 = 2\nexit`)).toMatch(/has not given back the bpf_iter_num at 0x/);
  });

  it.each([
    ['off the stack', 'r2 = 0\nr3 = 3\ncall iter_num_new\nr0 = 2\nexit'],
    ['at no multiple of 8', 'r1 = r10\nr1 += -12\nr2 = 0\nr3 = 3\ncall iter_num_new\nr0 = 2\nexit'],
    ['that is not begun', `${IT}\ncall iter_num_next\nr0 = 2\nexit`],
    ['that is destroyed', `${IT}\nr2 = 0\nr3 = 3\ncall iter_num_new\n${IT}\ncall iter_num_destroy\n${IT}\ncall iter_num_next\nexit`],
    ['begun twice', `${IT}\nr2 = 0\nr3 = 3\ncall iter_num_new\n${IT}\nr2 = 0\nr3 = 3\ncall iter_num_new\nexit`],
    ['that the program has written over', `${IT}\nr2 = 0\nr3 = 3\ncall iter_num_new\n*(u64 *)(r10 - 16) = 7\n${IT}\ncall iter_num_next\nexit`],
  ])('one %s is refused', (_what, text) => {
    expect(run(text)).toMatch(/bpf_iter_num_(new|next) refuses r1/);
  });
});

describe('bpf_iter_bits', () => {
  const words = (...values: number[]): string => values.map((value, index) => `r1 = ${value}\n*(u64 *)(r10 - ${16 + 8 * (values.length - index)}) = r1`).join('\n');
  const bits = (count: number, ...values: number[]): string => walking('bits', `${words(...values)}\nr2 = r10\nr2 += -${16 + 8 * values.length}\nr3 = ${count}`);

  it.each([
    [1, [0b1011], 0, [0, 1, 3]],
    [1, [0], 0, []],
    [1, [-1], 0, Array.from({ length: 64 }, (_, i) => i)],
    [2, [1, 1], 0, [0, 64]],
    [3, [0, -0x80000000, 2], 0, [...Array.from({ length: 33 }, (_, i) => 95 + i), 129]],
    [0, [1], EINVAL, []],
    [512, [1], E2BIG, []],
  ])('over %i words %j: %i', (count, values, result, expected) => {
    expect(run(bits(count, ...values))).toBe(mixed(result, expected));
  });

  it('of memory that the program may not read', () => {
    expect(run(walking('bits', 'r2 = 0\nr3 = 1'))).toBe(mixed(EINVAL, []));
    expect(run(walking('bits', 'r2 = 4096\nr3 = 1'))).toBe(mixed(EFAULT, []));
    expect(run(walking('bits', 'r2 = 4096\nr3 = 2'))).toBe(mixed(ERANGE, []));
    expect(run(walking('bits', 'r2 = -4096\nr3 = 2'))).toBe(mixed(EFAULT, []));
  });

  it('keeps the bits as they were', () => {
    const text = `${words(3, 5)}\n${IT}\nr2 = r10\nr2 += -32\nr3 = 2\ncall iter_bits_new\n${words(0, 0)}\n${IT}\ncall iter_bits_next\nr6 = *(u32 *)(r0 + 0)\n${IT}\ncall iter_bits_next\nr7 = *(u32 *)(r0 + 0)\n${IT}\ncall iter_bits_destroy\nr0 = r6\nr0 <<= 8\nr0 |= r7\nexit`;
    expect(run(text)).toBe(1);
  });
});

withKernel('iterators, as the running kernel has them', (kernel) => {
  const same = (text: string): void => {
    using pair = new KernelPair(kernel, kfuncObject(text));
    pair.run(PACKET);
  };

  it.each(RANGES)('numbers from %i to %i', (start, end) => same(numbers(start, end)));

  prop([fc.integer(), fc.integer({ min: -3, max: 200 })], { numRuns: 50 })('numbers of any short range', (start, length) => {
    same(numbers(start, (start + length) | 0));
  });

  prop([fc.array(fc.integer(), { minLength: 1, maxLength: 6 }), fc.integer({ min: 0, max: 6 })], { numRuns: 50 })('bits', (values, count) => {
    const stores = values.map((value, index) => `r1 = ${value}\n*(u64 *)(r10 - ${16 + 8 * (values.length - index)}) = r1`).join('\n');
    same(walking('bits', `${stores}\nr2 = r10\nr2 += -${16 + 8 * values.length}\nr3 = ${Math.min(count, values.length)}`));
  });

  it.each([
    ['no words', 'r2 = r10\nr3 = 0'], ['too many', 'r2 = r10\nr3 = 512'], ['at NULL', 'r2 = 0\nr3 = 1'], ['at NULL, two', 'r2 = 0\nr3 = 2'],
    ['of user space', 'r2 = 4096\nr3 = 1'], ['of user space, two', 'r2 = 4096\nr3 = 2'], ['of unmapped kernel memory', 'r2 = 0xffff800000000000 ll\nr3 = 1'], ['of unmapped kernel memory, two', 'r2 = 0xffff800000000000 ll\nr3 = 2'],
    ['a number that overflows', 'r2 = r10\nw3 = 0x20000001'],
  ])('bits: %s', (_what, begin) => same(walking('bits', begin)));
});
