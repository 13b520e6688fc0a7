import { describe, expect, test } from 'vitest';
import {
  ACCESS_WRITABLE, FAULT_ACCESS, FAULT_ATOMIC, FAULT_CONTEXT, FAULT_NONE, FAULT_READ_ONLY, VM_FAULT_ADDR_HI, VM_FAULT_ADDR_LO, VM_FAULT_CODE,
  VM_FAULT_IS_WRITE, VM_FAULT_PC, VM_FAULT_PROGRAM, VM_FAULT_REG, VM_FAULT_SIZE, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META,
} from '../../../src/vm/layout.js';
import { ENGINES, Machine } from './machine.js';
import type { MachineOptions } from './machine.js';

const NONE = FAULT_NONE;

/** A machine with a packet of 60 bytes, 8 bytes of metadata, a read-only region and a region of 3 values of 6 bytes, 8 apart. */
function setup(engine: MachineOptions) {
  const machine = new Machine({ ...engine, packet: Uint8Array.from({ length: 60 }, (_, i) => i + 1), metaBytes: 8 });
  const rodata = machine.memory.reserve('rodata', 16);
  machine.addRow(rodata, rodata + 16, 16, 16, 0);
  const values = machine.memory.reserve('values', 24);
  machine.addRow(values, values + 24, 8, 6, ACCESS_WRITABLE);
  return { machine, rodata, values };
}

interface Case {
  /** Body of the program: r6 is the context, r7 data, r8 data_end, r9 data_meta; {rodata}, {values}, {mem} are addresses. */
  readonly body: string;
  readonly fault: number;
}

function table(title: string, cases: readonly Case[]): void {
  describe.each(ENGINES)(`${title}: $name`, (engine) => {
    test.each(cases)('$body', ({ body, fault }) => {
      const { machine, rodata, values } = setup(engine);
      const program = `r6 = r1
r7 = *(u32 *)(r1 +0)
r8 = *(u32 *)(r1 +4)
r9 = *(u32 *)(r1 +8)
${body.replaceAll(' / ', '\n').replaceAll('{rodata}', String(rodata)).replaceAll('{values}', String(values)).replaceAll('{mem}', String(machine.mem))}
exit`;
      expect(machine.run(program)).toBe(fault);
      expect(machine.getU32(machine.state + VM_FAULT_CODE)).toBe(fault);
    });
  });
}

table('packet', [
  { body: 'r0 = *(u8 *)(r7 +0)', fault: NONE },
  { body: 'r0 = *(u8 *)(r7 +59)', fault: NONE },
  { body: 'r0 = *(u8 *)(r7 +60)', fault: FAULT_ACCESS },
  { body: 'r0 = *(u64 *)(r7 +52)', fault: NONE },
  { body: 'r0 = *(u64 *)(r7 +53)', fault: FAULT_ACCESS },
  { body: 'r0 = *(u8 *)(r8 -1)', fault: NONE },
  { body: 'r0 = *(u8 *)(r8 +0)', fault: FAULT_ACCESS },
  { body: '*(u32 *)(r7 +56) = 1', fault: NONE },
  { body: '*(u32 *)(r7 +57) = 1', fault: FAULT_ACCESS },
  { body: 'r0 = *(u8 *)(r7 -8)', fault: NONE },
  { body: 'r0 = *(u8 *)(r7 -9)', fault: FAULT_ACCESS },
  { body: 'r0 = *(u64 *)(r9 +4)', fault: NONE },
  { body: 'lock *(u64 *)(r7 +0) += r0', fault: FAULT_ATOMIC },
  { body: 'lock *(u64 *)(r9 +0) += r0', fault: FAULT_ATOMIC },
  { body: 'r0 = load_acquire((u8 *)(r7 +0))', fault: FAULT_ATOMIC },
  { body: 'store_release((u8 *)(r7 +0), r0)', fault: FAULT_ATOMIC },
]);

table('stack', [
  { body: '*(u64 *)(r10 -8) = 0', fault: NONE },
  { body: '*(u64 *)(r10 -512) = 0', fault: NONE },
  { body: '*(u64 *)(r10 -513) = 0', fault: FAULT_ACCESS },
  { body: '*(u8 *)(r10 -512) = 0', fault: NONE },
  { body: '*(u8 *)(r10 -513) = 0', fault: FAULT_ACCESS },
  { body: '*(u8 *)(r10 +0) = 0', fault: FAULT_ACCESS },
  { body: '*(u64 *)(r10 -7) = 0', fault: FAULT_ACCESS },
  { body: '*(u32 *)(r10 -6) = 0', fault: NONE },
  { body: 'lock *(u64 *)(r10 -8) += r0', fault: NONE },
  { body: 'lock *(u64 *)(r10 -12) += r0', fault: FAULT_ATOMIC },
  { body: 'lock *(u32 *)(r10 -12) += r0', fault: NONE },
  { body: 'lock *(u32 *)(r10 -10) += r0', fault: FAULT_ATOMIC },
  { body: 'r0 = load_acquire((u16 *)(r10 -1))', fault: FAULT_ACCESS },
  { body: 'r0 = load_acquire((u16 *)(r10 -3))', fault: FAULT_ATOMIC },
  { body: 'store_release((u8 *)(r10 -3), r0)', fault: NONE },
]);

table('context', [
  { body: 'r0 = *(u32 *)(r6 +0)', fault: NONE },
  { body: 'r0 = *(u32 *)(r6 +20)', fault: NONE },
  { body: 'r0 = *(u32 *)(r6 +24)', fault: FAULT_ACCESS },
  { body: 'r0 = *(u32 *)(r6 +22)', fault: FAULT_CONTEXT },
  { body: 'r0 = *(u32 *)(r6 -2)', fault: FAULT_CONTEXT },
  { body: 'r0 = *(u32 *)(r6 -4)', fault: FAULT_ACCESS },
  { body: 'r0 = *(u64 *)(r6 +0)', fault: FAULT_CONTEXT },
  { body: 'r0 = *(u16 *)(r6 +12)', fault: FAULT_CONTEXT },
  { body: 'r0 = *(u8 *)(r6 +12)', fault: FAULT_CONTEXT },
  { body: 'r0 = *(s32 *)(r6 +12)', fault: NONE },
  { body: 'r0 = *(s32 *)(r6 +4)', fault: FAULT_CONTEXT },
  { body: '*(u32 *)(r6 +16) = 0', fault: FAULT_CONTEXT },
  { body: '*(u32 *)(r6 +16) = r0', fault: FAULT_CONTEXT },
  { body: 'lock *(u32 *)(r6 +16) += r0', fault: FAULT_ATOMIC },
  { body: 'r0 = load_acquire((u32 *)(r6 +16))', fault: FAULT_ATOMIC },
]);

table('access table', [
  { body: 'r1 = {rodata} / r0 = *(u64 *)(r1 +8)', fault: NONE },
  { body: 'r1 = {rodata} / r0 = *(u64 *)(r1 +9)', fault: FAULT_ACCESS },
  { body: 'r1 = {rodata} / *(u8 *)(r1 +0) = 0', fault: FAULT_READ_ONLY },
  { body: 'r1 = {rodata} / lock *(u32 *)(r1 +0) += r0', fault: FAULT_READ_ONLY },
  { body: 'r1 = {rodata} / r0 = load_acquire((u32 *)(r1 +0))', fault: NONE },
  { body: 'r1 = {values} / r0 = *(u16 *)(r1 +4)', fault: NONE },
  { body: 'r1 = {values} / r0 = *(u16 *)(r1 +5)', fault: FAULT_ACCESS },
  { body: 'r1 = {values} / r0 = *(u8 *)(r1 +6)', fault: FAULT_ACCESS },
  { body: 'r1 = {values} / r0 = *(u8 *)(r1 +8)', fault: NONE },
  { body: 'r1 = {values} / r0 = *(u32 *)(r1 +18)', fault: NONE },
  { body: 'r1 = {values} / r0 = *(u32 *)(r1 +19)', fault: FAULT_ACCESS },
  { body: 'r1 = {values} / r0 = *(u8 *)(r1 +24)', fault: FAULT_ACCESS },
  { body: 'r1 = {values} / *(u8 *)(r1 +21) = 9', fault: NONE },
  { body: 'r1 = {mem} / r0 = *(u8 *)(r1 +0) / r1 = {values} / r0 = *(u8 *)(r1 +0) / r1 = {mem} / r0 = *(u8 *)(r1 +63)', fault: NONE },
]);

table('nowhere', [
  { body: 'r1 = 0 / r0 = *(u8 *)(r1 +0)', fault: FAULT_ACCESS },
  { body: 'r1 = 0 / r0 = *(u8 *)(r1 -1)', fault: FAULT_ACCESS },
  { body: 'r1 = -1 / r0 = *(u64 *)(r1 +0)', fault: FAULT_ACCESS },
  { body: 'r1 = 0xffffffff ll / r0 = *(u64 *)(r1 +0)', fault: FAULT_ACCESS },
  { body: 'r1 = 0x100000000 ll / r7 += r1 / r0 = *(u8 *)(r7 +0)', fault: FAULT_ACCESS },
  { body: 'r1 = 0x8000000000000000 ll / r10 = r10 / r7 |= r1 / r0 = *(u8 *)(r7 +0)', fault: FAULT_ACCESS },
]);

describe.each(ENGINES)('what a fault leaves behind: $name', (engine) => {
  test('the record of a load names instruction, program, address, size and base register', () => {
    const { machine } = setup(engine);
    machine.load('exit');
    expect(machine.run('r7 = *(u32 *)(r1 +4)\nr0 = *(u32 *)(r7 -2)\nexit')).toBe(FAULT_ACCESS);
    const field = (offset: number): number => machine.getU32(machine.state + offset);
    expect(field(VM_FAULT_PC)).toBe(1);
    expect(field(VM_FAULT_PROGRAM)).toBe(2);
    expect(field(VM_FAULT_ADDR_LO)).toBe(machine.data + 58);
    expect(field(VM_FAULT_ADDR_HI)).toBe(0);
    expect(field(VM_FAULT_SIZE)).toBe(4);
    expect(field(VM_FAULT_IS_WRITE)).toBe(0);
    expect(field(VM_FAULT_REG)).toBe(7);
  });

  test.each([
    ['*(u16 *)(r3 +0) = r4', 3, 2, 1],
    ['*(u16 *)(r3 +0) = 5', 3, 2, 1],
    ['lock *(u32 *)(r3 +0) += r4', 3, 4, 1],
    ['r5 = atomic64_cmpxchg((u64 *)(r3 +0), r0, r5)', 3, 8, 1],
    ['r5 = load_acquire((u32 *)(r4 +0))', 4, 4, 0],
    ['store_release((u16 *)(r3 +0), r4)', 3, 2, 1],
    ['r5 = *(s8 *)(r4 +0)', 4, 1, 0],
  ])('%s', (insn, register, size, isWrite) => {
    const { machine } = setup(engine);
    expect(machine.run(`r3 = -1\nr4 = -1\nr0 = 0\n${insn.replace('r5 = atomic64_cmp', 'r0 = atomic64_cmp')}\nexit`)).toBe(FAULT_ACCESS);
    expect(machine.getU32(machine.state + VM_FAULT_REG)).toBe(register);
    expect(machine.getU32(machine.state + VM_FAULT_SIZE)).toBe(size);
    expect(machine.getU32(machine.state + VM_FAULT_IS_WRITE)).toBe(isWrite);
    expect(machine.getU32(machine.state + VM_FAULT_ADDR_HI)).toBe(0xffffffff);
    expect(machine.getU32(machine.state + VM_FAULT_PC)).toBe(3);
  });

  test('a fault of one run is gone in the next', () => {
    const { machine } = setup(engine);
    expect(machine.run('r0 = *(u8 *)(r2 +0)\nexit')).toBe(FAULT_ACCESS);
    expect(machine.run('r0 = 5\nexit')).toBe(NONE);
    expect(machine.register(0)).toBe(5n);
  });
});

describe.each(ENGINES)('a packet that moves: $name', (engine) => {
  test('bounds are those of the context at the moment of the access', () => {
    const machine: Machine = new Machine({
      ...engine,
      packet: new Uint8Array(60),
      callHelper: () => {
        machine.setU32(machine.context + XDP_MD_DATA, machine.data + 20);
        machine.setU32(machine.context + XDP_MD_DATA_META, machine.data);
        machine.setU32(machine.context + XDP_MD_DATA_END, machine.data + 10);
        return 0;
      },
    });
    const program = (offset: number): string => `r6 = *(u32 *)(r1 +0)\nr0 = *(u8 *)(r6 ${offset})\ncall #44\nr0 = *(u8 *)(r6 +25)\nr0 = *(u8 *)(r6 +${offset})\nexit`;
    expect(machine.run(program(19))).toBe(FAULT_ACCESS);
    expect(machine.getU32(machine.state + VM_FAULT_PC)).toBe(4);
  });

  test('without room for metadata (data_meta is data + 1) the packet begins at data', () => {
    const { machine } = setup(engine);
    machine.setU32(machine.context + XDP_MD_DATA_META, machine.data + 1);
    expect(machine.run('r6 = *(u32 *)(r1 +0)\nr0 = *(u8 *)(r6 +0)\nexit')).toBe(NONE);
    expect(machine.run('r6 = *(u32 *)(r1 +0)\nr0 = *(u8 *)(r6 -1)\nexit')).toBe(FAULT_ACCESS);
  });

  test('an inverted packet (data_end before data) allows nothing', () => {
    const { machine } = setup(engine);
    machine.setU32(machine.context + XDP_MD_DATA_END, machine.data - 20);
    expect(machine.run('r6 = *(u32 *)(r1 +0)\nr0 = *(u8 *)(r6 +0)\nexit')).toBe(FAULT_ACCESS);
    expect(machine.run('r6 = *(u32 *)(r1 +0)\nr0 = *(u8 *)(r6 -24)\nexit')).toBe(FAULT_ACCESS);
  });
});
