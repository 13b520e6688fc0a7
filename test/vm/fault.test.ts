import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { readFault } from '../../src/vm/fault.js';
import type { Fault, FaultProgram } from '../../src/vm/fault.js';
import { assemble } from '../../src/vm/isa/assemble.js';
import { ACCESS_WRITABLE, FAULT_HELPER_ARGUMENT, VM_FAULT_ADDR_LO, VM_FAULT_CODE, VM_FAULT_REG, VM_FAULT_SIZE } from '../../src/vm/layout.js';
import type { LineSpec } from '../../src/vm/spec.js';
import { Machine } from './engines/machine.js';

const LINES: LineSpec[] = [
  { insnIndex: 0, file: 'prog.c', line: 40, column: 1, text: 'int main_program(struct xdp_md *ctx)' },
  { insnIndex: 2, file: 'prog.c', line: 41, column: 3, text: '  x = *p;' },
];

/** The fault of a program that must not end well; r0 and r6 hold nothing, {values}, {rodata} and {mem} are addresses. */
function fault(machine: Machine, source: string, lines: readonly LineSpec[] = []): Fault {
  const insns = unwrap(assemble(source));
  expect(machine.run(insns)).not.toBe(0);
  const program: FaultProgram = { name: 'main_program', insns, lines };
  return readFault(machine.memory, machine.state, () => program, (id) => (id === 1 ? 'bpf_map_lookup_elem' : undefined));
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

describe('readFault', () => {
  test('says file, line, access, address, place and instruction in one line', () => {
    const machine = new Machine({ packet: new Uint8Array(14) });
    const found = fault(machine, 'r1 = *(u32 *)(r1 +0)\nr0 = 0\nr0 = *(u32 *)(r1 +12)\nexit', LINES);
    expect(found.message).toBe(
      `prog.c:41: load of 4 bytes at r1+12 = ${hex(machine.data + 12)}: the last 2 bytes beyond the packet's end (its length is 14) [insn 2: r0 = *(u32 *)(r1 +12)]`,
    );
    expect(found).toMatchObject({
      name: 'bad-access', program: 'main_program', insnIndex: 2, source: LINES[1], address: BigInt(machine.data + 12), sizeBytes: 4, isWrite: false, register: 1,
    });
  });

  test('without line information it names the program', () => {
    expect(fault(new Machine(), 'r2 = *(u32 *)(r1 +4)\n*(u8 *)(r2 +0) = 1\nexit').message).toMatch(
      /^program main_program: store of 1 byte at r2 = 0x[0-9a-f]+: right behind the packet's end \(its length is 64\) \[insn 1: \*\(u8 \*\)\(r2 \+0\) = 1\]$/,
    );
  });

  test('a program that is not known any more has its id', () => {
    const machine = new Machine();
    machine.run('exit');
    machine.run('r0 = *(u8 *)(r0 +0)\nexit');
    const found = readFault(machine.memory, machine.state, () => undefined);
    expect(found).toMatchObject({ program: 'program 2', insn: 'no instruction', insnIndex: 0 });
    expect(found.message).toMatch(/^program 2: load of 1 byte at r0 = 0x0: NULL/);
  });
});

interface Case {
  readonly title: string;
  readonly source: string;
  readonly region: string;
}

describe('where a bad address lies', () => {
  const machine = new Machine({ packet: new Uint8Array(60), metaBytes: 4 });
  machine.memory.reserve('gap', 4096);
  const values = machine.memory.reserve('map counters', 32);
  machine.addRow(values, values + 32, 8, 6, ACCESS_WRITABLE);
  const rodata = machine.memory.reserve('map prog.rodata', 8);
  machine.addRow(rodata, rodata + 8, 8, 8, 0);
  machine.memory.reserve('gap', 4096, 4096);

  const cases: Case[] = [
    { title: 'NULL', source: 'r0 = *(u8 *)(r6 +0)', region: 'NULL: a pointer that can be NULL was not tested, or a number was used as one' },
    { title: 'a field of NULL', source: 'r0 = *(u64 *)(r6 +16)', region: 'NULL plus 16: a pointer that can be NULL was not tested, or a number was used as one' },
    { title: 'below NULL', source: 'r0 = *(u8 *)(r6 -3)', region: '3 bytes below NULL' },
    { title: 'an upper half', source: 'r6 = 0x500000000 ll\nr0 = *(u8 *)(r6 +0)', region: 'not an address, its upper half is 0x5' },
    { title: 'beyond the packet', source: 'r6 = *(u32 *)(r1 +0)\nr0 = *(u8 *)(r6 +70)', region: "10 bytes beyond the packet's end (its length is 60)" },
    { title: 'before the metadata', source: 'r6 = *(u32 *)(r1 +0)\nr0 = *(u8 *)(r6 -5)', region: "1 byte before the packet's metadata" },
    { title: 'in the tailroom', source: 'r6 = *(u32 *)(r1 +0)\nr0 = *(u8 *)(r6 +3000)', region: "2940 bytes beyond the packet's end (its length is 60)" },
    { title: 'below the stack', source: '*(u64 *)(r10 -520) = 1', region: "8 bytes below the 512 bytes of this function's stack frame" },
    { title: 'above the stack', source: '*(u32 *)(r10 -2) = 1', region: "2 bytes above the stack's top" },
    { title: 'behind the context', source: 'r0 = *(u32 *)(r1 +28)', region: '28 bytes into the context, which has 24' },
    { title: 'between two values', source: `r6 = ${values}\nr0 = *(u8 *)(r6 +15)`, region: '1 byte beyond a value of 6 bytes, 15 bytes into map counters' },
    { title: 'across the end of a value', source: `r6 = ${values}\nr0 = *(u32 *)(r6 +4)`, region: 'the last 2 bytes beyond a value of 6 bytes, 4 bytes into map counters' },
    { title: 'behind a map', source: `r6 = ${rodata}\nr0 = *(u8 *)(r6 +10)`, region: '2 bytes beyond the end of map prog.rodata' },
  ];
  test.each(cases)('$title', ({ source, region }) => {
    expect(fault(machine, `${source}\nexit`).region).toBe(region);
  });

  test('read-only memory', () => {
    const found = fault(machine, `r6 = ${rodata}\n*(u16 *)(r6 +2) = 1\nexit`);
    expect(found.name).toBe('read-only');
    expect(found.message).toContain(`store of 2 bytes at r6+2 = ${hex(rodata + 2)}: 2 bytes into map prog.rodata, which is read-only`);
  });
});

describe('faults that are no bad address', () => {
  const messages: [string, string, string][] = [
    ['bad-context-access', 'r0 = *(u64 *)(r1 +0)\nexit', '0 bytes into the context, which has 24, of which only 4-byte fields can be loaded'],
    ['bad-context-access', '*(u32 *)(r1 +16) = 1\nexit', 'the context is read-only'],
    ['bad-atomic', 'lock *(u64 *)(r10 -12) += r1\nexit', 'atomic store of 8 bytes at r10-12 = '],
    ['bad-program-counter', 'r0 = 0', 'the program counter left the program'],
    ['bad-instruction', 'r1 = map[fd:3]\nexit', "this instruction can't be executed"],
    ['call-depth', 'call pc-1', 'this call is too deep, at most 8 functions can be active'],
    ['instruction-budget', 'goto pc-1', 'still running after 1000000 instructions'],
  ];
  test.each(messages)('%s: %j', (name, source, part) => {
    const found = fault(new Machine(), source);
    expect(found.name).toBe(name);
    expect(found.message).toContain(part);
  });

  test('an argument that a helper refused', () => {
    const machine: Machine = new Machine({
      callHelper: () => {
        machine.setFault(FAULT_HELPER_ARGUMENT);
        machine.setU32(machine.state + VM_FAULT_ADDR_LO, machine.data + 62);
        machine.setU32(machine.state + VM_FAULT_SIZE, 4);
        machine.setU32(machine.state + VM_FAULT_REG, 2);
        return 0;
      },
    });
    const found = fault(machine, 'call #1\nexit');
    expect(machine.getU32(machine.state + VM_FAULT_CODE)).toBe(FAULT_HELPER_ARGUMENT);
    expect(found.message).toBe(
      `program main_program: bpf_map_lookup_elem refuses r2 = ${hex(machine.data + 62)} with 4 readable bytes: the last 2 bytes beyond the packet's end (its length is 64) [insn 0: call bpf_map_lookup_elem#1]`,
    );
  });
});
