import { describe, expect, test } from 'vitest';
import { formatValue } from '../../../src/vm/btf/btfFormat.js';
import type { JsonValue } from '../../../src/vm/btf/btfFormat.js';
import { loadOwn } from '../loader/support.js';
import { BtfBuilder } from './btfBuilder.js';

const object = loadOwn('types');

/** A variable's first value, as the compiler wrote it. */
function initial(name: string): JsonValue {
  const variable = object.variables.find((candidate) => candidate.name === name)!;
  const { initialValue } = object.maps.find((map) => map.name === variable.map)!;
  return formatValue(object.btf, variable.typeId, initialValue!.subarray(variable.offBytes, variable.offBytes + variable.sizeBytes));
}

test('a struct with a member of every kind shows what its C initializer says', () => {
  expect(initial('mixed')).toEqual({
    name: 'eth0', negative: -2, flag: true, port: 443,
    low: 5, middle: 100, high: 4000000, signed_bits: -9,
    corners: [{ x: 1, y: -1 }, { x: 1000000, y: -1000000 }],
    word: 0x04030201, bytes: [1, 2, 3, 4],
    pair: { left: 7, right: 8 },
    pointer: '0x0', function: '0x0',
    color: 'BLUE', wide: 'LARGE', big: '18446744073709551615',
    ratio: 0.5, precise: -1e300, huge: -5,
    matrix: [[1, 2, 3], [4, 5, 6]],
  });
});

test.each<[string, JsonValue]>([
  ['paint', 'GREEN'],
  ['message', 'hello'],
  ['enabled', false],
  ['counters', [0, 0, 0]],
  ['tagged', '0x0'],
  ['hidden', 3],
  ['address', '192.0.0.2'],
  ['table', 'named section'],
  ['late', 9],
])('variable %s', (name, value) => {
  expect(initial(name)).toEqual(value);
});

test('a whole data section shows its variables', () => {
  const map = object.maps.find(({ name }) => name === '.bss')!;
  expect(formatValue(object.btf, map.valueTypeId, map.initialValue!)).toEqual({ enabled: false, tagged: '0x0', counters: [0, 0, 0] });
});

describe('corner cases', () => {
  const builder = new BtfBuilder();
  const bool = builder.int('_Bool', 1, 4);
  const char = builder.int('char', 1, 1);
  const s64 = builder.int('long', 8, 1);
  const text = builder.array(char, 4);
  const double = builder.raw(16, 'double', 0, 8);
  const half = builder.raw(16, 'half', 0, 2);
  const color = builder.raw(6, 'color', 1, 4, [builder.string('RED'), 1]);
  const empty = builder.struct('empty', 0, []);
  const manyEmpty = builder.array(empty, 0xffffffff);
  const flexible = builder.struct('flexible', 1, [['length', char, 0], ['rest', builder.array(char, 0), 8]]);
  const proto = builder.struct('s', 1, [['__proto__', char, 0]]);
  const forward = builder.raw(7, 'later', 0, 0);
  const oldBitfield = builder.struct('old', 4, [['b', builder.int('unsigned int', 4, 0, 5, 3), 0]]);
  const btf = builder.build();

  test.each<[string, number, number[], JsonValue]>([
    ['a bool that is neither', bool, [2], 2],
    ['the largest exact number', s64, [255, 255, 255, 255, 255, 255, 31, 0], 2 ** 53 - 1],
    ['one more', s64, [0, 0, 0, 0, 0, 0, 32, 0], '9007199254740992'],
    ['the smallest', s64, [0, 0, 0, 0, 0, 0, 0, 128], '-9223372036854775808'],
    ['text without a zero', text, [0x61, 0x62, 0x63, 0x64], 'abcd'],
    ['text with something behind its zero', text, [0x61, 0, 0x63, 0], [97, 0, 99, 0]],
    ['text that is no UTF-8', text, [0xff, 0xfe, 0, 0], [-1, -2, 0, 0]],
    ['text with escape codes', text, [0x1b, 0x5b, 0x4a, 0], [27, 91, 74, 0]],
    ['not a number', double, [0, 0, 0, 0, 0, 0, 0xf8, 0x7f], 'NaN'],
    ['infinity', double, [0, 0, 0, 0, 0, 0, 0xf0, 0xff], '-Infinity'],
    ['a float we do not know', half, [1, 2], 0x0201],
    ['an enumerator without a name', color, [7, 0, 0, 0], 7],
    ['nothing, four billion times', manyEmpty, [], ''],
    ['a flexible array', flexible, [1, 2, 3], { length: 1, rest: '' }],
    ['a struct that is only declared', forward, [1, 2, 3], '010203'],
    ['a bitfield of an old compiler', oldBitfield, [0b10101000, 0, 0, 0], { b: 0b10101 }],
    ['an unknown type of 4 bytes', 0, [1, 0, 0, 128], 0x80000001],
    ['an unknown type of 3 bytes', 0, [1, 0, 255], '0100ff'],
  ])('%s', (_name, typeId, bytes, value) => {
    expect(formatValue(btf, typeId, Uint8Array.from(bytes))).toEqual(value);
  });

  test('a member called __proto__ is a member', () => {
    expect(JSON.stringify(formatValue(btf, proto, Uint8Array.of(5)))).toBe('{"__proto__":5}');
  });

  test('too few bytes are a programmer error', () => {
    expect(() => formatValue(btf, s64, new Uint8Array(7))).toThrow(RangeError);
  });

  test('unions of unions do not multiply the work', () => {
    const hostile = new BtfBuilder();
    let inner = hostile.int('int', 4);
    for (let depth = 0; depth < 20; depth++) {
      inner = hostile.union('', 4, Array.from({ length: 100 }, (_, i) => [`m${i}`, inner, 0] as const));
    }
    expect(formatValue(hostile.build(), inner, Uint8Array.of(1, 0, 0, 0))).toBe(1);
  });
});
