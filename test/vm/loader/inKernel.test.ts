import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatProblem, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObject.js';
import type { LoadObjectOptions } from '../../../src/vm/loader/loadObject.js';
import { decode } from '../../../src/vm/isa/decode.js';
import { BPF_PSEUDO_FUNC } from '../../../src/vm/isa/opcodes.js';
import type { ObjectSpec } from '../../../src/vm/spec.js';
import { openKernelSide, openSimulatorSide } from '../../conformance/sides.js';
import type { Side } from '../../conformance/sides.js';
import { withKernel } from '../../support/kernelOracle.js';
import { EXIT, ElfBuilder, LDDW, SECOND_HALF } from '../elf/elfBuilder.js';
import { loadOwn, programNamed } from './support.js';

// Loads objects and runs them, here and in the running kernel.

const PASS = 2;
const frame = new Uint8Array(64);

interface Run {
  readonly retval: number;
  /** 64-bit values of the map, in hexadecimal. */
  readonly values: readonly string[];
}

function runOn(side: Side, mapName: string): Run {
  try {
    const { retval } = side.run({ data: frame });
    const map = side.maps.find(({ spec }) => spec.name === mapName)!;
    const values = [...map.entries()].map(({ value }) => new DataView(value.buffer, value.byteOffset).getBigUint64(0, true).toString(16));
    return { retval, values };
  } finally {
    side.close();
  }
}

const subjectOf = (spec: ObjectSpec) => ({ name: spec.name, object: { file: spec.name, spec }, program: spec.programs[0]!.name, variant: { name: '' } });
const runInSimulator = (spec: ObjectSpec, map: string): Run => runOn(openSimulatorSide(new HostMemory(64), subjectOf(spec), 2), map);

/** Program that writes 7 to entry 2 of the legacy array `counts`, whose size is left open. */
function unsized(options: LoadObjectOptions): ReturnType<typeof loadObjectBytes> {
  const elf = new ElfBuilder();
  const counts = elf.symbol('counts', elf.section('maps', new Uint8Array(Uint32Array.of(2, 4, 8, 0, 0).buffer)), 0, 20, { type: 1 });
  elf.section('.data', new Uint8Array(8));
  const code = elf.code('xdp', [
    [0x62, 10, 0, -4, 2], // *(u32 *)(r10 - 4) = 2
    [0xbf, 2, 10], [0x07, 2, 0, 0, -4], // r2 = r10 - 4
    LDDW, SECOND_HALF, [0x85, 0, 0, 0, 1], // r0 = bpf_map_lookup_elem(&counts, r2)
    [0x15, 0, 0, 2], // if r0 == 0 goto +2
    [0x7a, 0, 0, 0, 7], // *(u64 *)(r0 + 0) = 7
    [0xb7, 0, 0, 0, PASS], EXIT,
    EXIT,
  ]);
  elf.symbol('count', code, 0, 80);
  elf.relocate(code, [[24, 1, counts]]);
  return loadObjectBytes(elf.build(), 'unsized.o', options);
}

const constants = unwrap(loadObjectBytes(readFileSync('test/vm/loader/objects/constants.o'), 'constants.o'));
const cases: readonly (readonly [string, ObjectSpec, string, Run])[] = [
  // The last one is a pointer to "vlan" that nobody relocates: its place in .rodata.str1.1, behind "letters" and "eth".
  ['mergeable constants, strings and data with relocations', constants, 'seen', { retval: PASS, values: ['2a', 'cafe', '4', '74', 'c'] }],
  ['a map that is sized at load', unwrap(unsized({ maxEntries: { counts: 3 } })), 'counts', { retval: PASS, values: ['0', '0', '7'] }],
];

describe('in the simulator', () => {
  test.each(cases)('%s', (_name, spec, map, expected) => expect(runInSimulator(spec, map)).toEqual(expected));
});

/** The simulator has no callbacks yet; the kernel does. */
const callbacks = unwrap(loadObjectBytes(readFileSync('test/vm/loader/objects/callbacks.o'), 'callbacks.o'));

test('functions whose address is taken are subprograms', () => {
  expect(callbacks.programs).toHaveLength(1);
  const { functions, functionReferences, problem } = callbacks.programs[0]!;
  expect(functions.map(({ name }) => name)).toEqual(['callbacks', 'in_text', 'see', 'beside']);
  expect(functionReferences!.map(({ kind, targetInsnIndex }) => [kind, functions.find(({ insnIndex }) => insnIndex === targetInsnIndex)!.name])).toEqual([['function', 'in_text'], ['function', 'beside']]);
  for (const { insnIndex, targetInsnIndex } of functionReferences!) {
    expect(decode(callbacks.programs[0]!.insns, insnIndex)).toMatchObject({ opcode: 0x18, src: BPF_PSEUDO_FUNC, imm: targetInsnIndex - insnIndex - 1 });
  }
  expect(problem).toBeUndefined();
  expect(programNamed(loadOwn('maps'), 'main_program').functionReferences).toBeUndefined();
});

withKernel('in the running kernel', (kernel) => {
  test('callbacks', () => {
    // in_text runs for 0 to 3, where it stops the loop.
    expect(runOn(openKernelSide(kernel, subjectOf(callbacks)), 'seen')).toEqual({ retval: PASS, values: ['3', '1', '5'] });
  });

  test.each(cases)('%s', (_name, spec, map, expected) => expect(runOn(openKernelSide(kernel, subjectOf(spec)), map)).toEqual(expected));
});

test('each constant section is a read-only map of its own; .data.rel.ro is writable, as libbpf has it', () => {
  const maps = constants.maps.filter(({ dataSection }) => dataSection !== undefined).map(({ name, valueSize, flags }) => [name, valueSize, flags]);
  expect(maps).toEqual([['.rodata.cst16', 16, 0x480], ['.data.rel.ro', 32, 0x400], ['.rodata.str1.1', 17, 0x480], ['.rodata.cst4', 4, 0x480]]);
});

describe('sizes of maps', () => {
  const outcome = (maxEntries: Record<string, number>): unknown => {
    const result = unsized({ maxEntries });
    return result.ok ? result.value.maps.map(({ name, maxEntries: size }) => [name, size]) : `${result.problem.code}: ${formatProblem(result.problem)}`;
  };

  test.each<[Record<string, number>, unknown]>([
    [{}, [['counts', 0], ['.data', 1]]],
    [{ counts: 4294967295 }, [['counts', 4294967295], ['.data', 1]]],
    [{ count: 3 }, 'unknown-map: unsized.o: there is no map count; choose one of: counts'],
    [{ counts: 0 }, 'map-bad-size: unsized.o, map counts: max_entries 0 is no size of a map; give a whole number from 1 to 4294967295'],
    [{ counts: 1.5 }, 'map-bad-size: unsized.o, map counts: max_entries 1.5 is no size of a map; give a whole number from 1 to 4294967295'],
    [{ counts: 2 ** 32 }, 'map-bad-size: unsized.o, map counts: max_entries 4294967296 is no size of a map; give a whole number from 1 to 4294967295'],
    [{ '.data': 2 }, 'map-bad-size: unsized.o, map .data: global data is a map of one entry, and no other number is possible; size the maps that the program defines'],
  ])('%o', (maxEntries, expected) => {
    expect(outcome(maxEntries)).toEqual(expected);
  });
});
