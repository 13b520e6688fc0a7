import { describe, expect, test } from 'vitest';
import { FAULT_ACCESS, VM_FAULT_PC } from '../../../src/vm/layout.js';
import { ENGINES, Machine } from './machine.js';

interface Escape {
  readonly name: string;
  readonly program: string;
  /** Instruction that goes outside. */
  readonly pc: number;
}

// What an analysis may believe about numbers and pointers and what is so. Each of these reads outside on an engine that believes too much.
const ESCAPES: readonly Escape[] = [
  {
    name: 'an offset in the packet beyond all bounds is no smaller for a subtraction',
    program: `r6 = *(u32 *)(r1 +0)
r7 = *(u32 *)(r1 +4)
r2 = r6
r2 += 16
if r2 > r7 goto out
r8 = 1
r8 <<= 40
r9 = 3000
r6 += r8
r6 += r9
r6 -= r8
r0 = *(u8 *)(r6 +0)
out: exit`,
    pc: 11,
  },
  {
    name: 'a multiple of 4 up to 14 that is not 14 may be 12',
    program: `r2 = *(u32 *)(r1 +16)
r2 &= 255
r2 <<= 2
if r2 > 14 goto out
if r2 == 14 goto out
r3 = r10
r3 += -11
r3 += r2
r0 = *(u8 *)(r3 +0)
out: exit`,
    pc: 8,
  },
  {
    name: 'a 32-bit shift to the right shifts the low half',
    program: `r2 = 1
r2 <<= 32
w2 >>= 31
r3 = 2
r3 -= r2
r4 = r10
r4 += -1
r4 += r3
r0 = *(u8 *)(r4 +0)
exit`,
    pc: 8,
  },
];

describe.each(ENGINES)('no engine takes for proved what is not: $name', (engine) => {
  test.each(ESCAPES)('$name', ({ program, pc }) => {
    const machine = new Machine(engine);
    expect(machine.run(`r0 = 0\n${program}`)).toBe(FAULT_ACCESS);
    expect(machine.getU32(machine.state + VM_FAULT_PC)).toBe(pc + 1);
  });
});
