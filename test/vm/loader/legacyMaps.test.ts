import { describe, expect, test } from 'vitest';
import { formatProblem, unwrap } from '../../../src/base/index.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObject.js';
import type { MapSpec, ObjectSpec } from '../../../src/vm/spec.js';
import { EXIT, ElfBuilder, LDDW, SECOND_HALF } from '../elf/elfBuilder.js';
import { loadFixture, loadOwn, programNamed } from './support.js';

const R_64_64 = 1;
const [HASH, PROG_ARRAY, PERF_EVENT_ARRAY, ARRAY_OF_MAPS, HASH_OF_MAPS] = [1, 3, 4, 12, 13];
const OBJECT = { type: 1 };
/** As compilers before LLVM 6 wrote data symbols: without type and size. */
const UNTYPED = { type: 0 };

const u32s = (...words: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);
const load = (elf: ElfBuilder): ObjectSpec => unwrap(loadObjectBytes(elf.build(), 'old.o'));
const numbersOf = ({ name, type, keySize, valueSize, maxEntries, flags }: MapSpec) => [name, type, keySize, valueSize, maxEntries, flags];

function refusal(write: (elf: ElfBuilder) => void): string {
  const elf = new ElfBuilder();
  write(elf);
  const result = loadObjectBytes(elf.build(), 'old.o');
  return result.ok ? 'loaded' : `${result.problem.code}: ${formatProblem(result.problem)}`;
}

describe('definitions', () => {
  test.each([
    ['without flags', [HASH, 4, 8, 16], 0],
    ['plain', [HASH, 4, 8, 16, 1], 1],
    ['bpf_load: inner_map_idx, numa_node', [HASH, 4, 8, 16, 1, 0, 5], 1],
    ['Aya: id, pinning', [HASH, 4, 8, 16, 1, 0, 1], 1],
    ['iproute2: id, pinning, inner_id, inner_idx', [HASH, 4, 8, 16, 1, 9, 2, 3, 4], 1],
    ['iproute2, with zeros behind', [HASH, 4, 8, 16, 1, 9, 2, 3, 4, 0, 0], 1],
  ])('%s', (_name, words, flags) => {
    for (const symbol of [OBJECT, UNTYPED]) {
      const elf = new ElfBuilder();
      const section = elf.section('maps', u32s(...words, ...words));
      // Not in the order of the section.
      elf.symbol('b', section, words.length * 4, symbol === OBJECT ? words.length * 4 : 0, symbol);
      elf.symbol('a', section, 0, symbol === OBJECT ? words.length * 4 : 0, symbol);
      expect(load(elf).maps.map(numbersOf)).toEqual([['a', HASH, 4, 8, 16, flags], ['b', HASH, 4, 8, 16, flags]]);
    }
  });

  test('of several lengths in one section, and a section for each map', () => {
    const elf = new ElfBuilder();
    const section = elf.section('maps', u32s(HASH, 4, 8, 1, 0, 2, 4, 4, 3, 1, 0, 0, 77, 77));
    elf.symbol('short', section, 0, 20, OBJECT);
    elf.symbol('long', section, 20, 28, OBJECT);
    // What no symbol covers is padding.
    elf.symbol('alone', elf.section('maps/alone', u32s(HASH, 8, 8, 2, 0)), 0, 20, OBJECT);
    expect(load(elf).maps.map(numbersOf)).toEqual([['short', HASH, 4, 8, 1, 0], ['long', 2, 4, 4, 3, 1], ['alone', HASH, 8, 8, 2, 0]]);
  });

  test('sizes that are always the same may be left out, as with cilium/ebpf', () => {
    const elf = new ElfBuilder();
    const section = elf.section('maps', u32s(PERF_EVENT_ARRAY, 0, 0, 8, 0, ARRAY_OF_MAPS, 4, 0, 2, 0, HASH_OF_MAPS, 8, 0, 2, 0, HASH, 4, 0, 2, 0));
    ['events', 'outer', 'outer_hash', 'hash'].forEach((name, index) => elf.symbol(name, section, index * 20, 20, OBJECT));
    expect(load(elf).maps.map(numbersOf)).toEqual([
      ['events', PERF_EVENT_ARRAY, 4, 4, 8, 0], ['outer', ARRAY_OF_MAPS, 4, 4, 2, 0], ['outer_hash', HASH_OF_MAPS, 8, 4, 2, 0],
      // What a HASH holds is for nobody to guess.
      ['hash', HASH, 4, 0, 2, 0],
    ]);
  });

  test('max_entries 0 stays for whoever loads the object', () => {
    const elf = new ElfBuilder();
    elf.symbol('events', elf.section('maps', u32s(PERF_EVENT_ARRAY, 4, 4, 0, 0)), 0, 20, OBJECT);
    expect(load(elf).maps.map(numbersOf)).toEqual([['events', PERF_EVENT_ARRAY, 4, 4, 0, 0]]);
  });

  test.each<[string, (elf: ElfBuilder) => void, string]>([
    ['no symbol', (elf) => void elf.section('maps', new Uint8Array(20)), 'map-bad-definition: old.o, section maps: no symbol says where the maps in its 20 bytes begin; keep the symbol table'],
    ['too short', (elf) => void elf.symbol('m', elf.section('maps', new Uint8Array(12)), 0, 12, OBJECT), "map-bad-definition: old.o, section maps: map 'm' at byte 0 has 12 bytes, a definition takes 16; the file is damaged; compile it again"],
    ['cut by the next', (elf) => {
      const section = elf.section('maps', new Uint8Array(40));
      elf.symbol('m', section, 0, 20, OBJECT);
      elf.symbol('n', section, 8, 20, OBJECT);
    }, "map 'm' at byte 0 has 8 bytes, a definition takes 16"],
    ['behind the end', (elf) => void elf.symbol('m', elf.section('maps', new Uint8Array(20)), 2 ** 40, 20, OBJECT), "map 'm' at byte 1099511627776 has 0 bytes, a definition takes 16"],
    ['more than any loader knows', (elf) => void elf.symbol('m', elf.section('maps', u32s(1, 4, 4, 1, 0, 0, 0, 0, 0, 6)), 0, 40, OBJECT), "unsupported-map-attribute: old.o, section maps: map 'm' has attributes behind byte 36, which no known loader has; define it in .maps (BTF)"],
    ['two of one name', (elf) => {
      const section = elf.section('maps', new Uint8Array(40));
      elf.symbol('m', section, 0, 20, OBJECT);
      elf.symbol('m', section, 20, 20, OBJECT);
    }, "map-duplicate: old.o, section maps: there are two maps 'm'"],
  ])('%s', (_name, write, expected) => {
    expect(refusal(write)).toContain(expected);
  });
});

describe('references', () => {
  /** Two maps of 20 bytes and a program that takes the address `symbol + imm`. */
  const reference = (imm: number, symbolOf: (first: number, second: number, section: number) => number) => (elf: ElfBuilder): void => {
    const maps = elf.section('maps', u32s(HASH, 4, 8, 1, 0, HASH, 4, 8, 1, 0));
    const symbol = symbolOf(elf.symbol('first', maps, 0, 20, OBJECT), elf.symbol('second', maps, 20, 20, OBJECT), elf.symbol('', maps, 0, 0, { type: 3, binding: 0 }));
    const code = elf.code('xdp', [[...LDDW, 0, 0, imm], SECOND_HALF, EXIT]);
    elf.symbol('f', code, 0, 24);
    elf.relocate(code, [[0, R_64_64, symbol]]);
  };

  test.each<[string, (elf: ElfBuilder) => void, string]>([
    ['the symbol of a map', reference(0, (_first, second) => second), 'second'],
    ['the section and an offset', reference(20, (_first, _second, section) => section), 'second'],
    ['the section', reference(0, (_first, _second, section) => section), 'first'],
  ])('by %s', (_name, write, map) => {
    const elf = new ElfBuilder();
    write(elf);
    const { problem, references } = programNamed(load(elf), 'f');
    expect(problem).toBeUndefined();
    expect(references).toEqual([{ insnIndex: 0, map, kind: 'map', offBytes: 0 }]);
  });

  test('into the middle of a definition', () => {
    expect(refusal(reference(4, (first) => first))).toContain('elf-bad-relocation: old.o, function f, instruction 0: the address of byte 4 of maps is taken, where no map begins');
  });
});

describe('compiled objects', () => {
  test('plain definitions', () => {
    const object = loadOwn('legacy_maps');
    expect(object.maps.map(numbersOf)).toEqual([['counters', 2, 4, 8, 1, 0]]);
    expect(programNamed(object, 'counts')).toMatchObject({ problem: undefined, references: [{ map: 'counters', kind: 'map', offBytes: 0 }] });
  });

  test('both kinds of maps side by side, a static one, annotated types', () => {
    const object = loadFixture('legacy_maps');
    expect(object.maps.map(numbersOf)).toEqual([
      ['packets_by_source', HASH, 4, 16, 1024, 1],
      ['packets_by_length', 2, 4, 8, 32, 0],
      ['packets', 2, 4, 8, 1, 0],
    ]);
    expect(object.maps.map(({ keyTypeId, valueTypeId }) => [object.btf!.typeName(keyTypeId), object.btf!.typeName(valueTypeId)])).toEqual([
      ['__be32', 'struct totals'],
      ['void', 'void'],
      ['__u32', '__u64'],
    ]);
    expect(programNamed(object, 'legacy_maps').references.map(({ map }) => map)).toEqual(['packets', 'packets_by_length', 'packets_by_source', 'packets_by_source']);
  });

  test('iproute2: sections ID/INDEX fill the PROG_ARRAY of that id, and are XDP programs', () => {
    const object = loadFixture('legacy_iproute2');
    expect(object.maps.map((map) => [...numbersOf(map), map.initialPrograms])).toEqual([
      ['stages', PROG_ARRAY, 4, 4, 2, 0, [{ index: 1, program: 'udp_stage' }, { index: 0, program: 'ipv4_stage' }]],
      ['hits', 6, 4, 8, 3, 0, []],
    ]);
    expect(object.programs.map(({ name, section, type }) => [name, section, type])).toEqual([
      ['udp_stage', '7/1', 'xdp'],
      ['ipv4_stage', '7/0', 'xdp'],
      ['iproute2_entry', 'xdp_entry', 'xdp'],
    ]);
  });
});

describe('iproute2 sections', () => {
  /** A PROG_ARRAY of id 16, and one program in each of these sections. */
  const withSections = (...names: readonly string[]): ElfBuilder => {
    const elf = new ElfBuilder();
    elf.symbol('jumps', elf.section('maps', u32s(PROG_ARRAY, 4, 4, 8, 0, 16, 0, 0, 0)), 0, 36, OBJECT);
    names.forEach((name, i) => elf.symbol(`f${i}`, elf.code(name, [EXIT]), 0, 8));
    return elf;
  };

  test('numbers as C writes them; of other maps, or no numbers, they mean nothing', () => {
    const { maps, programs } = load(withSections('xdp', '0x10/0x2', '16/3', '17/1', '16/x', '16'));
    expect(maps[0]!.initialPrograms).toEqual([{ index: 2, program: 'f1' }, { index: 3, program: 'f2' }]);
    expect(programs.map(({ type }) => type)).toEqual(['xdp', 'xdp', 'xdp', 'other', 'other', 'other']);
  });

  test('the type is that of the main program', () => {
    const bytes = withSections('from-netdev', '16/0').build();
    const types = (options: { assumeXdp?: boolean }) => unwrap(loadObjectBytes(bytes, 'old.o', options)).programs.map(({ type, attachType }) => [type, attachType]);
    expect(types({})).toEqual([['other', 'xdp'], ['other', 'xdp']]);
    expect(types({ assumeXdp: true })).toEqual([['xdp', 'xdp'], ['xdp', 'xdp']]);
  });
});
