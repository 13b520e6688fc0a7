import { describe, expect, test } from 'vitest';
import { assemble } from '../../../src/vm/isa/assemble.js';
import { encode } from '../../../src/vm/isa/decode.js';
import { unwrap } from '../../../src/base/index.js';
import {
  FAULT_ACCESS, FAULT_BUDGET, FAULT_CALL_DEPTH, FAULT_HELPER_ARGUMENT, FAULT_INSTRUCTION, FAULT_NONE, FAULT_PC, MAP_DATA, MAP_TYPE, MAY_GOTO_MAX,
  PROG_INSN_COUNT, RETURN_INT, RETURN_U32, RETURN_U64, VM_DEPTH, VM_FAULT_HELPER, VM_FAULT_PC, VM_FAULT_PROGRAM, VM_FAULT_REG, VM_PC, VM_PROGRAM, VM_RUNNING,
} from '../../../src/vm/layout.js';
import { ENGINES, Machine } from './machine.js';

describe.each(ENGINES)('bpf-to-bpf calls: $name', (engine) => {
  test('the callee gets r1 to r5, the caller keeps r6 to r9 and r10, r0 comes back', () => {
    const machine = new Machine(engine);
    expect(
      machine.result(`r6 = 1
r7 = 2
r8 = 3
r9 = 4
r1 = 10
r5 = 50
call add
r0 += r6
r0 += r7
r0 += r8
r0 += r9
exit
add:
r6 = 100
r7 = 100
r8 = 100
r9 = 100
r0 = r1
r0 += r5
exit`),
    ).toBe(70n);
  });

  test('the target counts from the instruction behind the call, and may lie before it', () => {
    const machine = new Machine(engine);
    expect(machine.result('goto main\ntwice: r0 = r1\nr0 += r1\nexit\nmain: r1 = 21\ncall twice\nexit')).toBe(42n);
  });

  test('each frame has 512 bytes of its own, and a callee can reach its caller through a pointer', () => {
    const machine = new Machine(engine);
    expect(
      machine.result(`*(u64 *)(r10 -512) = 7
*(u64 *)(r10 -8) = 8
r1 = r10
call inner
r0 = *(u64 *)(r10 -512)
r2 = *(u64 *)(r10 -8)
r0 += r2
exit
inner:
*(u64 *)(r10 -8) = 99
*(u64 *)(r10 -512) = 99
*(u64 *)(r1 -8) = 35
exit`),
    ).toBe(42n);
  });

  test('a caller cannot reach the frame of a callee that has returned', () => {
    const machine = new Machine(engine);
    expect(machine.run('call inner\nr0 = *(u64 *)(r0 +0)\nexit\ninner: *(u64 *)(r10 -8) = 1\nr0 = r10\nr0 += -8\nexit')).toBe(FAULT_ACCESS);
    expect(machine.getU32(machine.state + VM_FAULT_PC)).toBe(1);
  });

  test('a callee cannot go below its own frame', () => {
    const machine = new Machine(engine);
    expect(machine.run('call inner\nexit\ninner: *(u8 *)(r10 -512) = 1\n*(u8 *)(r10 -513) = 1\nexit')).toBe(FAULT_ACCESS);
    expect(machine.getU32(machine.state + VM_FAULT_PC)).toBe(3);
  });

  /** A main program and `functions` subprograms, each calling the next; r1 counts the frames. */
  function chain(functions: number): string {
    const bodies = Array.from({ length: functions }, (_, i) => `f${i}: r1 += 1\n${i + 1 < functions ? `call f${i + 1}` : 'r0 = r1'}\nexit`);
    return `r1 = 1\ncall f0\nexit\n${bodies.join('\n')}`;
  }

  test('8 frames run', () => {
    expect(new Machine(engine).result(chain(7))).toBe(8n);
  });

  test('9 frames are too deep', () => {
    const machine = new Machine(engine);
    expect(machine.run(chain(8))).toBe(FAULT_CALL_DEPTH);
    expect(machine.register(1)).toBe(8n);
    expect(machine.run('r0 = 3\nexit')).toBe(FAULT_NONE);
  });
});

describe.each(ENGINES)('helper calls: $name', (engine) => {
  test('a helper gets its id and the low halves of r1 to r5, and sees all of the registers', () => {
    const seen: (number | bigint)[][] = [];
    const machine: Machine = new Machine({
      ...engine,
      callHelper: (...args) => {
        seen.push(args, [machine.register(2), machine.getU32(machine.state + VM_PC)]);
        return 1;
      },
    });
    machine.result('r1 = 1\nr2 = 0x500000002 ll\nr3 = 3\nr4 = -4\nr5 = 5\ncall #77\nexit');
    expect(seen).toEqual([[77, 1, 2, 3, -4, 5], [0x500000002n, 6]]);
  });

  test.each([
    ['an int is sign-extended', RETURN_INT, -22, 0xffffffffffffffean],
    ['a u32 or a pointer is zero-extended', RETURN_U32, -22, 0xffffffean],
    ['a u64 is what the helper wrote into r0', RETURN_U64, -22, 0x1234567890n],
  ])('%s', (_name, returns, result, r0) => {
    const machine: Machine = new Machine({
      ...engine,
      callHelper: () => {
        if (returns === RETURN_U64) machine.setRegister(0, 0x1234567890n);
        return result;
      },
    });
    const insns = unwrap(assemble('call #5\nexit'));
    encode(insns, 0, { opcode: 0x85, dst: 0, src: 0, off: returns, imm: 5 });
    expect(machine.result(insns)).toBe(r0);
  });

  test('a fault that the helper raises ends the run at the call', () => {
    const machine: Machine = new Machine({
      ...engine,
      callHelper: () => {
        machine.setFault(FAULT_HELPER_ARGUMENT);
        machine.setU32(machine.state + VM_FAULT_REG, 2);
        return 0;
      },
    });
    expect(machine.run('r0 = 1\ncall #9\nr0 = 2\nexit')).toBe(FAULT_HELPER_ARGUMENT);
    const field = (offset: number): number => machine.getU32(machine.state + offset);
    expect([field(VM_FAULT_PC), field(VM_FAULT_PROGRAM), field(VM_FAULT_REG), field(VM_FAULT_HELPER)]).toEqual([1, 1, 2, 9]);
  });

  test('an exception of the host passes through and the next run is sound', () => {
    const machine: Machine = new Machine({
      ...engine,
      callHelper: () => {
        throw new Error('host');
      },
    });
    expect(() => machine.run('call inner\nexit\ninner: call #1\nexit')).toThrow('host');
    expect(machine.result('r0 = 6\nexit')).toBe(6n);
  });

  test('callx calls the helper that a register names', () => {
    const machine = new Machine({ ...engine, callHelper: (id) => (id === 5 ? 0 : 1) });
    expect(machine.run('r3 = 5\ncallx r3\nr0 = 4\nexit')).toBe(FAULT_NONE);
  });

  test('kernel functions are not there', () => {
    const machine = new Machine(engine);
    expect(machine.run('call kfunc#5\nexit')).toBe(FAULT_INSTRUCTION);
  });
});

describe.each(ENGINES)('tail calls: $name', (engine) => {
  test('the target runs in place of the caller', () => {
    const machine = new Machine(engine);
    const array = machine.progArray(2);
    array.set(1, machine.load('r0 = 42\nexit'));
    expect(machine.result(`r2 = ${array.address}\nr3 = 1\ncall #12\nr0 = 1\nexit`)).toBe(42n);
  });

  test('33 tail calls run, 34 bodies in all, then the call falls through', () => {
    const machine = new Machine({ ...engine, mem: new Uint8Array(8) });
    const array = machine.progArray(1);
    const self = machine.load(`r4 = ${machine.mem}\nlock *(u64 *)(r4 +0) += r4\nr2 = ${array.address}\nr3 = 0\ncall #12\nr0 = 1\nexit`);
    array.set(0, self);
    expect(machine.result(self)).toBe(1n);
    expect(machine.memory.view.getBigUint64(machine.mem, true) / BigInt(machine.mem)).toBe(34n);
  });

  test('empty slots and indexes out of range fall through and do not count', () => {
    const machine = new Machine({ ...engine, mem: new Uint8Array(8) });
    const array = machine.progArray(2);
    const self = machine.load(`r6 = r1
r4 = ${machine.mem}
lock *(u64 *)(r4 +0) += r4
r2 = ${array.address}
r3 = 1
call #12
r1 = r6
r2 = ${array.address}
r3 = 2
call #12
r1 = r6
r2 = ${array.address}
r3 = 0
call #12
r0 = 1
exit`);
    array.set(0, self);
    expect(machine.result(self)).toBe(1n);
    expect(machine.memory.view.getBigUint64(machine.mem, true) / BigInt(machine.mem)).toBe(34n);
  });

  test('the index is a u32', () => {
    const machine = new Machine(engine);
    const array = machine.progArray(1);
    array.set(0, machine.load('r0 = 42\nexit'));
    expect(machine.result(`r2 = ${array.address}\nr3 = 0x700000000 ll\ncall #12\nr0 = 1\nexit`)).toBe(42n);
  });

  test('from a subprogram it replaces that frame only and returns to the caller, in the caller\'s program', () => {
    const machine = new Machine(engine);
    const array = machine.progArray(1);
    array.set(0, machine.load('r6 = 9\n*(u64 *)(r10 -512) = 1\nr0 = *(u32 *)(r1 +16)\nexit'));
    expect(
      machine.result(`r6 = 5
call sub
r0 += r6
exit
sub:
r2 = ${array.address}
r3 = 0
call #12
r0 = 100
exit`),
    ).toBe(8n);
    expect(machine.getU32(machine.state + VM_FAULT_PROGRAM)).toBe(0);
  });

  test('a fault after a tail call names the program that it went to', () => {
    const machine = new Machine(engine);
    const array = machine.progArray(1);
    array.set(0, machine.load('r0 = 0\nr0 = *(u8 *)(r0 +0)\nexit'));
    expect(machine.run(`r2 = ${array.address}\nr3 = 0\ncall #12\nexit`)).toBe(FAULT_ACCESS);
    expect(machine.getU32(machine.state + VM_FAULT_PROGRAM)).toBe(1);
    expect(machine.getU32(machine.state + VM_FAULT_PC)).toBe(1);
  });

  test.each([
    ['r1 is not the context', 'r1 = 5', 1],
    ['r2 is NULL', 'r2 = 0', 2],
    ['r2 lies outside host memory', 'r2 = 0xfffffff8 ll', 2],
    ['r2 has an upper half', 'r4 = 0x100000000 ll\nr2 += r4', 2],
  ])('%s: refused', (_name, spoil, register) => {
    const machine = new Machine(engine);
    const array = machine.progArray(1);
    expect(machine.run(`r2 = ${array.address}\nr3 = 0\n${spoil}\ncall #12\nexit`)).toBe(FAULT_HELPER_ARGUMENT);
    expect(machine.getU32(machine.state + VM_FAULT_REG)).toBe(register);
    expect(machine.getU32(machine.state + VM_FAULT_HELPER)).toBe(12);
  });

  test('a damaged array, slot or program is refused, not followed out of host memory', () => {
    const machine = new Machine(engine);
    const array = machine.progArray(2);
    const broken = machine.load('exit');
    const run = (): number => machine.run(`r2 = ${array.address}\nr3 = 1\ncall #12\nexit`);
    array.set(1, 0xfffffff0);
    expect(run()).toBe(FAULT_HELPER_ARGUMENT);
    array.set(1, broken);
    machine.setU32(broken + PROG_INSN_COUNT, 0x7fffffff);
    expect(run()).toBe(FAULT_HELPER_ARGUMENT);
    machine.setU32(array.address + MAP_DATA, 0xfffffff8);
    expect(run()).toBe(FAULT_HELPER_ARGUMENT);
  });

  test('r2 is a map of another type: refused', () => {
    const machine = new Machine(engine);
    const array = machine.progArray(1);
    machine.setU32(array.address + MAP_TYPE, 2);
    expect(machine.run(`r2 = ${array.address}\nr3 = 0\ncall #12\nexit`)).toBe(FAULT_HELPER_ARGUMENT);
  });
});

/** Name, program, where the interpreter finds out, and after how many instructions. */
const ASTRAY: readonly (readonly [string, string, number, number])[] = [
  ['runs off its end', 'r0 = 1', 1, 1],
  ['jumps beyond its end', 'goto pc+5\nexit', 6, 1],
  ['jumps before its start', 'goto pc-3\nexit', -2, 1],
  ['calls beyond its end', 'call pc+9\nexit', 10, 1],
  ['jumps into the middle of a lddw', 'goto pc+1\nr0 = 0 ll\nexit', 2, 2],
];

describe.each(ENGINES)('program counter and instructions: $name', (engine) => {
  test.each(ASTRAY)('a program that %s', (_name, program) => {
    expect(new Machine(engine).run(program)).toBe(FAULT_PC);
  });

  test('half a lddw at the end', () => {
    expect(new Machine(engine).run(unwrap(assemble('r0 = 5 ll')).slice(0, 8))).toBe(FAULT_PC);
  });

  test.each([0x8e, 0xff, 0x20, 0x99, 0x06 + 0x80])('opcode 0x%s is none', (opcode) => {
    const insns = unwrap(assemble('r0 = 0\nexit'));
    insns[0] = opcode;
    expect(new Machine(engine).run(insns)).toBe(FAULT_INSTRUCTION);
  });

  test.each([0x10, 0xe0, 0xf0, 0x120, 0x41 + 0x100])('atomic operation 0x%s is none', (imm) => {
    const insns = unwrap(assemble('lock *(u64 *)(r10 -8) += r1\nexit'));
    encode(insns, 0, { opcode: 0xdb, dst: 10, src: 1, off: -8, imm });
    expect(new Machine(engine).run(insns)).toBe(FAULT_INSTRUCTION);
  });
});

describe.each(ENGINES)('instruction budget: $name', (engine) => {
  test('a loop without end stops', () => {
    const machine = new Machine(engine);
    machine.budget = 100_000;
    expect(machine.run('goto pc-1\nexit')).toBe(FAULT_BUDGET);
  });

  test('a function that calls itself in a loop stops', () => {
    const machine = new Machine(engine);
    machine.budget = 100_000;
    expect(machine.run('again: call f\ngoto again\nf: r0 = 0\nexit')).toBe(FAULT_BUDGET);
  });

  test('a program may use its whole budget', () => {
    const machine = new Machine(engine);
    machine.budget = 3;
    expect(machine.run('r0 = 1\nr0 = 2\nexit')).toBe(FAULT_NONE);
  });

  test('may_goto falls through until its own limit', () => {
    const machine = new Machine(engine);
    machine.budget = 0xffffffff;
    expect(machine.result('r0 = 0\nmay_goto pc+2\nr0 += 1\ngoto pc-3\nexit')).toBe(BigInt(MAY_GOTO_MAX));
  });
});

// The interpreter alone counts every instruction (VM_EXECUTED, a budget that ends exactly), can be stepped, says where a malformed program went, and
// keeps what a caller leaves in registers that a callee may not read. The JIT counts at the ends of loops and at calls.

describe('the interpreter counts exactly', () => {
  test.each(ASTRAY)('a program that %s', (_name, program, pc, executed) => {
    const machine = new Machine();
    machine.run(program);
    expect(machine.memory.view.getInt32(machine.state + VM_FAULT_PC, true)).toBe(pc);
    expect(machine.executed).toBe(executed);
  });

  test('a lddw that no loader has resolved', () => {
    expect(new Machine().run('r1 = map[fd:5]\nexit')).toBe(FAULT_INSTRUCTION);
  });

  test('a fault counts', () => {
    const machine: Machine = new Machine({
      callHelper: () => {
        machine.setFault(FAULT_HELPER_ARGUMENT);
        return 0;
      },
    });
    machine.run('r0 = 1\ncall #9\nr0 = 2\nexit');
    expect(machine.executed).toBe(2);
    machine.run('r0 = *(u32 *)(r1 +4)\nr0 = *(u32 *)(r0 -2)\nexit');
    expect(machine.executed).toBe(2);
  });

  test('a loop without end stops at exactly the budget', () => {
    const machine = new Machine();
    machine.budget = 100_000;
    expect(machine.run('goto pc-1\nexit')).toBe(FAULT_BUDGET);
    expect(machine.executed).toBe(100_000);
  });

  test('a program stops at the first instruction beyond its budget', () => {
    const machine = new Machine();
    machine.budget = 3;
    expect(machine.run('r0 = 1\nr0 = 2\nexit')).toBe(FAULT_NONE);
    expect(machine.executed).toBe(3);
    machine.budget = 2;
    expect(machine.run('r0 = 1\nr0 = 2\nexit')).toBe(FAULT_BUDGET);
    expect(machine.getU32(machine.state + VM_FAULT_PC)).toBe(2);
  });

  test('lddw counts once, and a run longer than a slice counts every instruction', () => {
    const machine = new Machine();
    expect(machine.result('r1 = 50000 ll\nr0 += 1\nr1 -= 1\nif r1 != 0 goto pc-3\nexit')).toBe(50_000n);
    expect(machine.executed).toBe(150_002);
  });
});

describe('single steps', () => {
  test('the machine shows where it stands after each', () => {
    const machine = new Machine();
    const program = machine.load('r0 = 1\ncall inner\nr0 += 1\nexit\ninner: r0 += 10\nexit');
    const trace: number[][] = [];
    machine.interpreter.start(program, machine.context);
    let result: number;
    do {
      result = machine.interpreter.step(1);
      trace.push([machine.getU32(machine.state + VM_PC), machine.getU32(machine.state + VM_DEPTH), Number(machine.register(0)), result]);
    } while (result === VM_RUNNING);
    expect(trace).toEqual([
      [1, 0, 1, VM_RUNNING],
      [4, 1, 1, VM_RUNNING],
      [5, 1, 11, VM_RUNNING],
      [2, 0, 11, VM_RUNNING],
      [3, 0, 12, VM_RUNNING],
      [3, 0, 12, FAULT_NONE],
    ]);
    expect(machine.getU32(machine.state + VM_PROGRAM)).toBe(program);
  });

  test('slices of any length give what one run gives', () => {
    const source = 'r1 = 1000\nr0 = 0\nr0 += r1\ncall f\nr1 -= 1\nif r1 != 0 goto pc-4\nexit\nf: r0 ^= 12345\nexit';
    const whole = new Machine();
    const expected = whole.result(source);
    for (const slice of [1, 2, 3, 7, 100, 4999]) {
      const machine = new Machine();
      machine.interpreter.start(machine.load(source), machine.context);
      let result: number;
      do result = machine.interpreter.step(slice);
      while (result === VM_RUNNING);
      expect([result, machine.register(0), machine.executed]).toEqual([FAULT_NONE, expected, whole.executed]);
    }
  });
});

test('a run begins with r1 = context, r10 = top of the stack and nothing of the run before', () => {
  const machine = new Machine();
  machine.run('r0 = 1\nr2 = 2\nr9 = 9\nexit');
  machine.interpreter.start(machine.load('exit'), machine.context);
  expect(Array.from({ length: 11 }, (_, i) => machine.register(i))).toEqual([
    0n, BigInt(machine.context), 0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, BigInt(machine.state + 5120),
  ]);
});
