import { describe, expect, test } from 'vitest';
import { formatProblem, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { Vm, isMapOfMaps } from '../../../src/vm/index.js';
import type { BpfMap, LoadedObject, MapSpec, ObjectSpec } from '../../../src/vm/index.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObject.js';
import type { LoadObjectOptions } from '../../../src/vm/loader/loadObject.js';
import { BtfBuilder } from '../btf/btfBuilder.js';
import { ElfBuilder } from '../elf/elfBuilder.js';
import { testEnvironment } from '../support/differential.js';
import { loadFixture } from './support.js';

const [HASH, ARRAY, ARRAY_OF_MAPS, HASH_OF_MAPS] = [1, 2, 12, 13];
const OBJECT = { type: 1 };
const NO_SLOT = 0xffffffff;

const mapNamed = (object: ObjectSpec, name: string): MapSpec => object.maps.find((map) => map.name === name)!;
const numbersOf = ({ name, type, keySize, valueSize, maxEntries }: MapSpec) => [name, type, keySize, valueSize, maxEntries];

/** Names of the maps in a map of maps, by key. */
function contentsOf(loaded: LoadedObject, name: string): [number, string][] {
  const outer: BpfMap = loaded.maps.get(name)!;
  if (!isMapOfMaps(outer)) throw new TypeError(`contentsOf: ${name} is no map of maps`);
  const read = ({ key }: { readonly key: Uint8Array }): [number, string] => [new DataView(key.buffer).getUint32(0, true), outer.innerMap(key)!.spec.name];
  return [...outer.entries()].map(read).sort(([a], [b]) => a - b);
}

function live(object: ObjectSpec): LoadedObject {
  return unwrap(new Vm({ memory: new HostMemory(16), environment: testEnvironment() }).load(object));
}

describe('maps of maps in .maps', () => {
  test('the inner definition by its name, slots by their symbols', () => {
    const object = loadFixture('map_in_map_array');
    const outer = mapNamed(object, 'counters_by_protocol');
    expect(numbersOf(outer)).toEqual(['counters_by_protocol', ARRAY_OF_MAPS, 4, 4, 256]);
    expect(numbersOf(outer.innerMap!)).toEqual(['counters_by_protocol.inner', ARRAY, 4, 8, 8]);
    expect(outer.initialMaps).toEqual([
      { index: 1, map: 'icmp_counters' }, { index: 6, map: 'tcp_counters' }, { index: 17, map: 'udp_counters' }, { index: 58, map: 'icmp_counters' },
    ]);
    expect(contentsOf(live(object), 'counters_by_protocol')).toEqual([[1, 'icmp_counters'], [6, 'tcp_counters'], [17, 'udp_counters'], [58, 'icmp_counters']]);
  });

  test('the inner definition in place', () => {
    const object = loadFixture('map_in_map_hash');
    const outer = mapNamed(object, 'sources_by_protocol');
    expect([outer.type, numbersOf(outer.innerMap!)]).toEqual([HASH_OF_MAPS, ['sources_by_protocol.inner', HASH, 4, 8, 1]]);
    expect(contentsOf(live(object), 'sources_by_protocol')).toEqual([[6, 'tcp_sources'], [17, 'udp_sources']]);
  });
});

/** Why an object with the map of maps `m` is refused; its `values`, at byte 32, have room for two slots. */
function refused(define: (btf: BtfBuilder) => number, relocate: (elf: ElfBuilder, section: number) => void = () => {}): string {
  const [elf, btf] = [new ElfBuilder(), new BtfBuilder()];
  btf.raw(15, '.maps', 1, 0, [btf.raw(14, 'm', 0, define(btf), [1]), 0, 48]);
  const section = elf.section('.maps', new Uint8Array(48));
  elf.symbol('m', section, 0, 48, OBJECT);
  relocate(elf, section);
  elf.section('.BTF', btf.bytes());
  const result = loadObjectBytes(elf.build(), 'prog.o');
  return result.ok ? 'loaded' : formatProblem(result.problem);
}

describe('definitions made to hurt', () => {
  const R_64_ABS64 = 2;
  /** `__uint` members and `values` of pointers to a type. */
  const outer = (btf: BtfBuilder, numbers: Readonly<Record<string, number>>, innerId: (structId: number) => number): number => {
    const int = btf.int('int', 4, 1);
    const fields = Object.entries(numbers).map(([name, count], i) => [name, btf.ptr(btf.array(int, count)), i * 64] as const);
    // The array, its pointer and then the struct: a struct may hold pointers to itself.
    const structId = fields.length * 2 + 4;
    const values = btf.array(structId - 1, 0);
    const pointer = btf.ptr(innerId(structId));
    expect(pointer).toBe(structId - 1);
    return btf.struct('', 48, [...fields, ['values', values, 256]]);
  };
  const array = { type: ARRAY_OF_MAPS, key_size: 4, value_size: 4, max_entries: 2 };

  test('inner maps that are like the map itself, and so on for ever', () => {
    expect(refused((btf) => outer(btf, array, (structId) => structId))).toContain("map 'm.inner' is an inner map and has values itself");
  });

  test('inner maps of no struct are none', () => {
    expect(refused((btf) => outer(btf, array, () => 1))).toBe('loaded');
  });

  test.each<[string, Readonly<Record<string, number>>, number, number, string]>([
    ['a slot beyond the last', { ...array, max_entries: 1 }, 40, 0, "byte 40 is no slot of map 'm', which has 1"],
    ['half a slot', array, 36, 0, "byte 36 is no slot of map 'm'"],
    ['a slot in front of values', array, 24, 0, "byte 24 is no slot of map 'm'"],
    ['no map begins there', array, 32, 8, "slot 0 of map 'm' holds 'target', which is no map"],
    ['a hash with keys that are no u32', { ...array, type: HASH_OF_MAPS, key_size: 8 }, 32, 0, "map 'm' has initial values, but its key has 8 bytes, not 4"],
  ])('%s', (_name, numbers, offBytes, targetBytes, message) => {
    const outcome = refused((btf) => outer(btf, numbers, () => 1), (elf, section) => {
      elf.relocate(section, [[offBytes, R_64_ABS64, elf.symbol('target', section, targetBytes, 8, OBJECT)]]);
    });
    expect(outcome).toContain(message);
  });
});

/** type, key_size, value_size, max_entries, map_flags and what follows, by the map's name. */
function legacy(definitions: Readonly<Record<string, readonly number[]>>, options: LoadObjectOptions = {}): ObjectSpec {
  const elf = new ElfBuilder();
  const section = elf.section('maps', new Uint8Array(Uint32Array.from(Object.values(definitions).flat()).buffer));
  let offBytes = 0;
  for (const [name, words] of Object.entries(definitions)) {
    elf.symbol(name, section, offBytes, words.length * 4, OBJECT);
    offBytes += words.length * 4;
  }
  return unwrap(loadObjectBytes(elf.build(), 'old.o', options));
}

/** struct bpf_elf_map of iproute2. */
const elfMap = (type: number, maxEntries: number, id: number, innerId: number, innerIdx: number): number[] => [type, 4, 4, maxEntries, 0, id, 0, innerId, innerIdx];

describe('maps of maps in maps', () => {
  test('iproute2 finds inner maps by id and puts each into its slot', () => {
    const object = loadFixture('legacy_map_in_map');
    expect(mapNamed(object, 'counters').innerMap).toEqual(mapNamed(object, 'template'));
    expect(contentsOf(live(object), 'counters')).toEqual([[0, 'even'], [1, 'odd']]);
  });

  test('id 0 is none, other ids go elsewhere, and only the first map of maps with an id is filled', () => {
    const object = legacy({
      none: elfMap(ARRAY, 2, 0, 0, 0), seven: elfMap(ARRAY, 2, 7, 0, 1), eight: elfMap(ARRAY, 3, 8, 0, 0),
      first: elfMap(ARRAY_OF_MAPS, 2, 0, 7, 0), second: elfMap(ARRAY_OF_MAPS, 2, 0, 7, 0), lonely: elfMap(HASH_OF_MAPS, 2, 0, 9, 0), zero: elfMap(ARRAY_OF_MAPS, 2, 0, 0, 0),
    });
    expect(object.maps.filter(({ type }) => type >= ARRAY_OF_MAPS).map(({ name, innerMap, initialMaps }) => [name, innerMap?.name, initialMaps])).toEqual([
      ['first', 'seven', [{ index: 1, map: 'seven' }]], ['second', 'seven', undefined], ['lonely', undefined, undefined], ['zero', undefined, undefined],
    ]);
  });

  test('inner_idx -1: only what inner maps are like', () => {
    const object = legacy({ seven: elfMap(ARRAY, 2, 7, 0, NO_SLOT), outer: elfMap(ARRAY_OF_MAPS, 2, 0, 7, 0) });
    expect(mapNamed(object, 'outer')).toMatchObject({ innerMap: { name: 'seven' } });
    expect(mapNamed(object, 'outer').initialMaps).toBeUndefined();
  });

  test('bpf_load finds it by its place in the section and fills nothing in', () => {
    const object = legacy({ a: [ARRAY, 4, 4, 2, 0, 0, 0], b: [HASH, 4, 8, 3, 0, 0, 0], outer: [HASH_OF_MAPS, 4, 4, 2, 0, 1, 0], beyond: [ARRAY_OF_MAPS, 4, 4, 2, 0, 9, 0] });
    expect(mapNamed(object, 'outer')).toMatchObject({ innerMap: { name: 'b' } });
    expect([mapNamed(object, 'outer').initialMaps, mapNamed(object, 'beyond').innerMap]).toEqual([undefined, undefined]);
  });

  test('an inner map keeps the size that it is given', () => {
    const definitions = { a: elfMap(ARRAY, 0, 7, 0, 0), outer: elfMap(ARRAY_OF_MAPS, 2, 0, 7, 0) };
    const object = legacy(definitions, { maxEntries: { a: 5 } });
    expect(mapNamed(object, 'outer').innerMap).toEqual(mapNamed(object, 'a'));
    expect(contentsOf(live({ ...object, programs: loadFixture('return_77').programs }), 'outer')).toEqual([[0, 'a']]);
  });
});

describe('inner maps from user space', () => {
  const definitions = { a: [HASH, 4, 8, 3, 0], outer: [ARRAY_OF_MAPS, 4, 4, 2, 0] };
  const refusal = (innerMaps: LoadObjectOptions['innerMaps'] & object): string => {
    try {
      legacy(definitions, { innerMaps });
      return 'loaded';
    } catch (error) {
      return formatProblem((error as { problem: Parameters<typeof formatProblem>[0] }).problem);
    }
  };

  test('a map of maps without an inner definition stops the load, and says what to do', () => {
    const object = { ...legacy(definitions), programs: loadFixture('return_77').programs };
    expect(new Vm({ memory: new HostMemory(16), environment: testEnvironment() }).load(object)).toMatchObject({
      problem: { code: 'map-invalid', message: expect.stringContaining('map outer (EBADF): nothing says what its inner maps are like'), hint: expect.stringContaining('innerMaps') },
    });
  });

  test('a map of the object, or any other', () => {
    expect(mapNamed(legacy(definitions, { innerMaps: { outer: 'a' } }), 'outer')).toMatchObject({ innerMap: { name: 'a', type: HASH } });
    const other = legacy(definitions, { innerMaps: { outer: { type: ARRAY, keySize: 4, valueSize: 16, maxEntries: 9, flags: 0 } } });
    expect(numbersOf(mapNamed(other, 'outer').innerMap!)).toEqual(['outer.inner', ARRAY, 4, 16, 9]);
  });

  test.each([
    [{ outer: 'b' }, 'there is no map b'],
    [{ missing: 'a' }, 'there is no map missing'],
    [{ a: 'a' }, 'map a is no map of maps'],
  ])('%o: %s', (innerMaps, message) => {
    expect(refusal(innerMaps)).toContain(message);
  });
});
