import { describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { Vm } from '../../../src/vm/index.js';
import type { MapSpec } from '../../../src/vm/index.js';
import { FAULT_ACCESS, VM_FAULT_PC } from '../../../src/vm/layout.js';
import { TestRunner } from '../../../src/xdp/index.js';
import { quietEnvironment, xdpProgram } from '../../support/xdpProgram.js';
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
  {
    name: 'a main function that is called again has what its caller leaves in r1',
    program: `again: r2 = *(u32 *)(r1 +16)
r1 = 65536
call again
exit`,
    pc: 0,
  },
];

describe.each(ENGINES)('no engine takes for proved what is not: $name', (engine) => {
  test.each(ESCAPES)('$name', ({ program, pc }) => {
    const machine = new Machine(engine);
    expect(machine.run(program)).toBe(FAULT_ACCESS);
    expect(machine.getU32(machine.state + VM_FAULT_PC)).toBe(pc);
  });

  test('a function that calls another program by a tail call may have moved the packet', () => {
    const jumps: MapSpec = {
      name: 'jumps', type: 3, keySize: 4, valueSize: 4, maxEntries: 1, flags: 0, keyTypeId: 0, valueTypeId: 0, dataSection: undefined, initialValue: undefined,
      initialPrograms: [{ index: 0, program: 'mover' }],
    };
    const main = xdpProgram(
      `r6 = *(u32 *)(r1 +0)
r7 = *(u32 *)(r1 +4)
r2 = r6
r2 += 40
if r2 > r7 goto out
call jump
r0 = *(u8 *)(r6 +0)
out: r0 = 2
exit
jump: r2 = map jumps
r3 = 0
call #12
r0 = 0
exit`,
      { maps: [jumps] },
    );
    const mover = xdpProgram('r2 = 20\ncall #44\nexit');
    const object = { ...main, programs: [...main.programs, { ...mover.programs[0]!, name: 'mover' }] };
    const memory = new HostMemory(4);
    const vm = new Vm({ memory, environment: quietEnvironment(), interpretedRuns: 0, ...engine });
    const program = unwrap(vm.load(object)).program('main')!;
    const { fault } = new TestRunner(memory, vm).run(program, { data: new Uint8Array(60) });
    expect(fault).toMatchObject({ name: 'bad-access', insnIndex: 6 });
  });
});
