import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { formatProblem, unwrap } from '../../../src/base/index.js';
import { decode } from '../../../src/vm/isa/decode.js';
import { BPF_PSEUDO_KFUNC_CALL } from '../../../src/vm/isa/opcodes.js';
import { loadObjectBytes, loadObjectFile } from '../../../src/vm/loader/loadObject.js';
import { lineAt } from '../../../src/vm/loader/sourceLine.js';
import { goodObjects, loadFixture, loadOwn, programNamed } from './support.js';

function messageOf(path: string): string {
  const result = loadObjectFile(path);
  return result.ok ? 'loaded' : `${result.problem.code}: ${formatProblem(result.problem)}`;
}

describe('files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'loader-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, bytes: string): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };

  test.each([
    ['/does/not/exist.o', 'file-missing: /does/not/exist.o: there is no such file; check the path'],
    ['package.json/prog.o', 'file-missing: package.json/prog.o: there is no such file; check the path'],
    ['fixtures', 'file-is-directory: fixtures: this is a directory; give the object file that clang -target bpf wrote'],
    ['/dev/zero', 'file-not-regular: /dev/zero: this is no regular file; give the object file that clang -target bpf wrote'],
    ['package.json', 'elf-not-elf: package.json: not an ELF object; compile with clang -O2 -g -target bpf -c and give the object file'],
    ['fixtures/bad/big_endian.o', 'elf-big-endian: fixtures/bad/big_endian.o: big-endian object; compile with -target bpfel'],
    [
      'fixtures/bad/x86_64.o',
      'elf-wrong-machine: fixtures/bad/x86_64.o, byte 18: object for x86-64, not for BPF; compile with clang -O2 -g -target bpf -c',
    ],
  ])('%s', (path, message) => {
    expect(messageOf(path)).toBe(message);
  });

  test('an empty file', () => {
    expect(messageOf(file('empty.o', ''))).toContain('elf-not-elf');
  });

  test('a file beyond 256 MiB is not read', () => {
    const path = file('huge.o', '');
    truncateSync(path, 2 ** 40);
    expect(messageOf(path)).toContain('file-too-big');
  });
});

test('every good object loads, and its programs have no problem', () => {
  for (const path of goodObjects().filter((object) => object.startsWith('fixtures/'))) {
    const object = unwrap(loadObjectFile(path));
    expect(object.programs.length).toBeGreaterThan(0);
    expect(object.programs.map(({ type, problem }) => [type, problem])).toEqual(object.programs.map(() => ['xdp', undefined]));
    expect(object.license).toMatch(/^(Dual MIT\/GPL|GPL)$/);
  }
});

test('objects of compilers before EM_BPF name no machine', () => {
  const bytes = readFileSync('fixtures/programs/tail_calls/tail_calls.o');
  const programs = unwrap(loadObjectBytes(bytes, 'old.o')).programs;
  bytes.writeUInt16LE(0, 18); // e_machine: EM_NONE
  expect(unwrap(loadObjectBytes(bytes, 'old.o')).programs).toEqual(programs);
});

test.each(['no_xdp', 'unsupported_helper', 'unsupported_map'])('fixtures/bad/%s.o is a sound object', (name) => {
  const object = unwrap(loadObjectFile(`fixtures/bad/${name}.o`));
  expect(object.programs.map((program) => [program.name, program.type])).toEqual([[name, name === 'no_xdp' ? 'other' : 'xdp']]);
});

test('sections say what a program is', () => {
  const kinds = loadOwn('sections').programs.map(({ name, type, attachType, frags }) => [name, type, attachType, frags]);
  expect(kinds).toEqual([
    ['frags', 'xdp', 'xdp', true],
    ['devmap', 'xdp', 'devmap', false],
    ['frags_devmap', 'xdp', 'devmap', true],
    ['cpumap', 'xdp', 'cpumap', false],
    ['frags_cpumap', 'xdp', 'cpumap', true],
    ['mine', 'xdp', 'xdp', false],
    ['optional', 'xdp', 'xdp', false],
    ['old_style', 'other', 'xdp', false],
    ['classifier', 'other', 'xdp', false],
    ['callee', 'xdp', 'xdp', false],
    ['caller', 'xdp', 'xdp', false],
    ['static_program', 'xdp', 'xdp', false],
    ['recursive', 'xdp', 'xdp', false],
  ]);
});

test('sections of other names hold XDP programs for whom says so', () => {
  const object = unwrap(loadObjectFile('test/vm/loader/objects/sections.o', { assumeXdp: true }));
  expect(object.programs.filter(({ type }) => type !== 'xdp')).toEqual([]);
  expect(programNamed(object, 'old_style')).toMatchObject({ section: 'prog', attachType: 'xdp', frags: false });
  expect(programNamed(object, 'frags_cpumap')).toMatchObject({ attachType: 'cpumap', frags: true });
});

describe('what can not be run is a problem of one program', () => {
  test.each([
    ['fine', undefined],
    ['kconfig', undefined],
    ['ksym', undefined],
    [
      'custom_data',
      "unsupported-data-section: unsupported.o, ./unsupported.c:55, instruction 0: 'custom_data' uses 'feature_bits' in section 'features'; keep global data in .data, .rodata or .bss",
    ],
  ])('%s', (name, expected) => {
    const { problem } = programNamed(loadOwn('unsupported'), name);
    expect(problem && `${problem.code}: ${formatProblem(problem)}`).toBe(expected);
  });
});

test('calls of kernel functions are listed by name, subprograms included', () => {
  const object = loadOwn('unsupported');
  const kfuncs = (name: string): unknown => programNamed(object, name).kfuncs;
  expect(kfuncs('fine')).toBeUndefined();
  expect(kfuncs('kfunc')).toEqual([{ insnIndex: 7, name: 'bpf_xdp_metadata_rx_hash', isWeak: false }]);
  const { functions, insns } = programNamed(object, 'kfunc_in_subprogram');
  const [kfunc] = programNamed(object, 'kfunc_in_subprogram').kfuncs!;
  expect(kfunc).toEqual({ insnIndex: functions[1]!.insnIndex + 7, name: 'bpf_xdp_metadata_rx_hash', isWeak: false });
  expect(decode(insns, kfunc!.insnIndex)).toMatchObject({ opcode: 0x85, src: BPF_PSEUDO_KFUNC_CALL, imm: 0 });
});

describe('maps', () => {
  const object = loadOwn('maps');
  const map = (name: string) => object.maps.find((candidate) => candidate.name === name)!;

  test('attributes', () => {
    expect(map('flows')).toMatchObject({ type: 9, keySize: 8, valueSize: 16, maxEntries: 33554432, flags: 0x9 });
    expect(object.btf!.typeName(map('flows').keyTypeId)).toBe('struct key');
    expect(object.btf!.typeName(map('flows').valueTypeId)).toBe('struct value');
    expect(map('sized_by_user')).toMatchObject({ type: 2, keySize: 4, valueSize: 16, maxEntries: 0, keyTypeId: 0 });
    expect(map('outer')).toMatchObject({ type: 12, keySize: 4, valueSize: 4, maxEntries: 2, initialPrograms: [] });
    expect(map('private')).toMatchObject({ type: 1, keySize: 4, valueSize: 4, maxEntries: 1 });
  });

  test('a PROG_ARRAY holds what its initializer says', () => {
    expect(map('programs').initialPrograms).toEqual([{ index: 1, program: 'other_program' }, { index: 7, program: 'main_program' }]);
    expect(loadFixture('tail_calls').maps.find(({ name }) => name === 'stages')!.initialPrograms).toEqual([
      { index: 0, program: 'stage_ipv4' },
      { index: 1, program: 'stage_udp' },
    ]);
  });

  test('references name the maps, static ones too', () => {
    const references = programNamed(object, 'main_program').references;
    expect(references.map(({ map: name, kind, offBytes }) => [name, kind, offBytes])).toEqual(
      ['programs', 'flows', 'private', 'sized_by_user', 'outer'].map((name) => [name, 'map', 0]),
    );
  });

  test('data sections are maps of one value', () => {
    const maps = loadOwn('types').maps.map(({ name, dataSection, type, valueSize, flags }) => [name, dataSection, type, valueSize, flags]);
    expect(maps).toEqual([
      ['.data', '.data', 2, 168, 0x400],
      ['.rodata', '.rodata', 2, 4, 0x480],
      ['.rodata.table', '.rodata.table', 2, 14, 0x480],
      ['.data.late', '.data.late', 2, 4, 0x400],
      ['.bss', '.bss', 2, 40, 0x400],
    ]);
  });
});

test('variables lie where the code looks for them', () => {
  const object = loadOwn('types');
  expect(object.variables.map(({ name, map, offBytes, sizeBytes, typeId }) => [name, map, offBytes, sizeBytes, object.btf!.typeName(typeId)])).toEqual([
    ['mixed', '.data', 0, 144, 'struct mixed'],
    ['paint', '.data', 144, 4, 'volatile enum color'],
    ['message', '.data', 148, 16, 'char[16]'],
    ['hidden', '.data', 164, 4, 'volatile int'],
    ['address', '.rodata', 0, 4, 'const volatile __be32'],
    ['table', '.rodata.table', 0, 14, 'const char[14]'],
    ['late', '.data.late', 0, 4, 'int'],
    ['enabled', '.bss', 0, 1, '_Bool'],
    ['tagged', '.bss', 8, 8, 'int *'],
    ['counters', '.bss', 16, 24, 'unsigned long long[3]'],
  ]);
  const places = new Set(object.variables.map(({ map, offBytes }) => `${map}+${offBytes}`));
  const { references } = programNamed(object, 'uses_all');
  expect(references.length).toBeGreaterThan(8);
  for (const { kind, map, offBytes } of references.filter(({ map: name }) => name !== '.bss' && name !== '.data')) {
    expect(kind).toBe('value');
    expect(places).toContain(`${map}+${offBytes}`);
  }
});

test('strings in mergeable sections are reached by section and offset', () => {
  const references = programNamed(loadFixture('printk'), 'printk').references.map(({ map, kind, offBytes }) => `${map} ${kind} ${offBytes}`);
  expect(references).toEqual([
    'last map 0', '.rodata value 84', '.rodata value 0', '.rodata value 48', '.rodata.str1.1 value 0', '.rodata value 64', '.rodata.str1.1 value 5',
  ]);
});

test('lineAt gives the last line at or before an instruction', () => {
  const program = programNamed(loadFixture('subprogs'), 'subprogs');
  expect(lineAt(program, 36)).toMatchObject({ file: './programs/subprogs/subprogs.c', line: 58 });
  expect(lineAt(program, 37)).toMatchObject({ line: 60 });
  expect(lineAt(program, 38)).toMatchObject({ line: 60 });
  expect(lineAt({ ...program, lines: [] }, 3)).toBeUndefined();
  expect(lineAt({ ...program, lines: program.lines.filter(({ insnIndex }) => insnIndex > 0) }, 0)).toBeUndefined();
});
