import { describe, expect, test } from 'vitest';
import { FAULT_ACCESS, FAULT_HELPER_ARGUMENT, VM_STATE_BYTES } from '../../../src/vm/layout.js';
import { ENGINES, Machine } from './machine.js';

/** A number of its own for each register, with bits in both halves. */
const numberOf = (register: number): bigint => (BigInt(register + 1) << 32n) | BigInt(register + 1);
const REGISTERS = Array.from({ length: 10 }, (_, register) => register);
const FILL = REGISTERS.map((register) => `r${register} = ${numberOf(register)} ll`).join('\n');

describe.each(ENGINES)('registers at a fault: $name', (engine) => {
  test('of a load are those before it', () => {
    const machine = new Machine(engine);
    expect(machine.run(`${FILL}\nr3 = *(u8 *)(r7 +0)\nexit`)).toBe(FAULT_ACCESS);
    expect(REGISTERS.map((register) => machine.register(register))).toEqual(REGISTERS.map(numberOf));
    expect(machine.register(10)).toBe(BigInt(machine.state + VM_STATE_BYTES));
  });

  test('of a call that a helper refuses are those of the call, and r0 is what it gave', () => {
    const machine: Machine = new Machine({ ...engine, callHelper: () => (machine.setFault(FAULT_HELPER_ARGUMENT), 7) });
    expect(machine.run(`${FILL}\ncall #5\nexit`)).toBe(FAULT_HELPER_ARGUMENT);
    expect([0, 1, 5, 6, 9].map((register) => machine.register(register))).toEqual([7n, ...[1, 5, 6, 9].map(numberOf)]);
  });
});
