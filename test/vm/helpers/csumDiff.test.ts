import { describe, expect, it } from 'vitest';
import { withKernel } from '../../support/kernelOracle.js';
import { fc } from '../../support/property.js';
import { TestMachine, expectSameAsKernel, textObject } from '../support/differential.js';

/** Room for `from` and `to`, one after the other, in the packet. */
const PART_BYTES = 100;

interface Question {
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly seed: number;
}

function packetOf({ from, to }: Question): Uint8Array {
  const data = new Uint8Array(2 * PART_BYTES);
  data.set(from, 0);
  data.set(to, PART_BYTES);
  return data;
}

/** `return bpf_csum_diff(...)` with pointers into the packet, NULL for what is empty. */
function asking({ from, to, seed }: Question): string {
  const pointer = (register: number, offset: number, length: number): string => (length === 0 ? `r${register} = 0` : `r${register} = r6\nr${register} += ${offset}`);
  return `r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r2 = r6
r2 += ${2 * PART_BYTES}
r0 = -1
if r2 > r7 goto out
${pointer(1, 0, from.length)}
r2 = ${from.length}
${pointer(3, PART_BYTES, to.length)}
r4 = ${to.length}
w5 = ${seed | 0}
call 28
out: exit`;
}

function ask(question: Question): number {
  const { retval, fault } = new TestMachine(textObject(asking(question))).run({ data: packetOf(question) });
  expect(fault).toBeUndefined();
  return retval | 0;
}

const zeros = [0, 0, 0, 0];
const ones = [0xff, 0xff, 0xff, 0xff];

describe('bpf_csum_diff', () => {
  // Results of Linux 6.18.
  it.each<[string, Question, number]>([
    ['nothing but a seed: folded', { from: [], to: [], seed: 0x12345678 }, 0x68ac],
    ['a seed of all ones', { from: [], to: [], seed: 0xffffffff }, 0xffff],
    ['nothing at all', { from: [], to: [], seed: 0 }, 0],
    ['three bytes taken away', { from: [1, 2, 3], to: [], seed: 0 }, 65019],
    ['three bytes added', { from: [], to: [1, 2, 3], seed: 0 }, 516],
    ['five bytes by two', { from: [1, 2, 3, 4, 5], to: [1, 2], seed: 0 }, 64503],
    ['zeros taken away', { from: zeros, to: [], seed: 0 }, 0],
    ['zeros added', { from: [], to: zeros, seed: 0 }, 0],
    ['ones taken away', { from: ones, to: [], seed: 0 }, 0],
    ['ones added', { from: [], to: ones, seed: 0 }, 0xffff],
    ['ones by zeros', { from: ones, to: zeros, seed: 0 }, 0],
    ['a multiple of 0xffff by zeros', { from: [1, 0, 0xfe, 0xff], to: zeros, seed: 0 }, 0xffff],
    ['zeros by ones', { from: zeros, to: ones, seed: 0 }, 0xffff],
    ['the same by the same', { from: [1, 2, 3, 4], to: [1, 2, 3, 4], seed: 0 }, 0xffff],
    ['a byte taken from all ones', { from: [1], to: [], seed: 0xffffffff }, 0xfffe],
  ])('%s', (_, question, result) => {
    expect(ask(question)).toBe(result);
  });

  it('stops a program that passes memory which is not its own', () => {
    const fault = (text: string): string | undefined => new TestMachine(textObject(text)).run({ data: new Uint8Array(64) }).fault?.message;
    expect(fault('r1 = 0\nr2 = 4\nr3 = 0\nr4 = 0\nr5 = 0\ncall 28\nexit')).toContain('bpf_csum_diff refuses r1 = 0x0 with 4 readable bytes: NULL');
    expect(fault('r1 = 0\nr2 = -4\nr3 = 0\nr4 = 0\nr5 = 0\ncall 28\nexit')).toContain('bpf_csum_diff refuses r2');
    expect(fault('r6 = *(u32 *)(r1 + 4)\nr3 = r6\nr3 += -2\nr1 = 0\nr2 = 0\nr4 = 3\nr5 = 0\ncall 28\nexit')).toContain("the last 1 byte beyond the packet's end");
  });
});

withKernel('bpf_csum_diff against the kernel', (kernel) => {
  const part = fc.array(fc.oneof(fc.constantFrom(0, 0xff), fc.integer({ min: 0, max: 255 })), { maxLength: PART_BYTES });
  const seed = fc.oneof(fc.constantFrom(0, 1, 0xffff, 0xffff0000, 0xffffffff), fc.integer({ min: 0, max: 0xffffffff }));

  it('any two ranges and any seed give the same', () => {
    fc.assert(
      fc.property(fc.record({ from: part, to: part, seed }), (question) => {
        expectSameAsKernel(kernel, textObject(asking(question)), { data: packetOf(question) });
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
