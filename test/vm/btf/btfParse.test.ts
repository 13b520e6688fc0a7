import { describe, expect, test } from 'vitest';
import { formatProblem, toHex, unwrap } from '../../../src/base/index.js';
import type { Result } from '../../../src/base/index.js';
import { formatValue } from '../../../src/vm/btf/btfFormat.js';
import { parseText, parseValue } from '../../../src/vm/btf/btfParse.js';
import type { ValueTarget } from '../../../src/vm/btf/btfParse.js';
import { fc, prop } from '../../support/property.js';
import { loadOwn } from '../loader/support.js';
import { BtfBuilder } from './btfBuilder.js';

const object = loadOwn('types');

function target(name: string): ValueTarget {
  const variable = object.variables.find((candidate) => candidate.name === name)!;
  return { btf: object.btf, typeId: variable.typeId, sizeBytes: variable.sizeBytes, label: name };
}

const outcome = (result: Result<Uint8Array>): string => (result.ok ? toHex(result.value) : `${result.problem.code}: ${formatProblem(result.problem)}`);

test.each([
  ['enabled', 'true', '01'],
  ['enabled', '0', '00'],
  ['enabled', '2', '02'],
  ['enabled', '256', "value-out-of-range: enabled: 256 doesn't fit in _Bool, which goes from 0 to 255"],
  ['paint', 'RED', '00000000'],
  ['paint', ' BLUE ', 'fdffffff'],
  ['paint', '-3', 'fdffffff'],
  ['paint', '7', '07000000'],
  ['paint', 'PINK', "value-unknown-name: paint has no 'PINK'; it has RED, GREEN, BLUE"],
  ['address', '192.0.2.1', 'c0000201'],
  ['address', '192.0.2.256', "value-out-of-range: address: '192.0.2.256' is no IPv4 address"],
  ['address', '0x01020304', '01020304'],
  ['address', '4294967296', "value-out-of-range: address: 4294967296 doesn't fit in const volatile __be32, which goes from 0 to 4294967295"],
  ['address', '-1', "value-out-of-range: address: -1 doesn't fit in const volatile __be32, which goes from 0 to 4294967295"],
  ['hidden', '-2147483648', '00000080'],
  ['hidden', '+5', '05000000'],
  ['hidden', '2147483648', "value-out-of-range: hidden: 2147483648 doesn't fit in volatile int, which goes from -2147483648 to 2147483647"],
  ['hidden', 'seven', 'value-wrong-shape: hidden is of type volatile int and can\'t be "seven"'],
  ['hidden', '', 'value-wrong-shape: hidden is of type volatile int and can\'t be ""'],
  ['hidden', '1e3', 'value-wrong-shape: hidden is of type volatile int and can\'t be "1e3"'],
  ['message', 'eth0', '65746830' + '00'.repeat(12)],
  ['message', '"quoted"', '71756f746564' + '00'.repeat(10)],
  ['message', '[1,2]', '0102' + '00'.repeat(14)],
  ['message', 'x'.repeat(17), "value-out-of-range: message is of type char[16] and can't hold 17 elements"],
  ['counters', '[1, "18446744073709551615"]', '0100000000000000' + 'ffffffffffffffff' + '0000000000000000'],
  ['counters', '[1,2,3,4]', "value-out-of-range: counters is of type unsigned long long[3] and can't hold 4 elements"],
  ['counters', '5', "value-wrong-shape: counters is of type unsigned long long[3] and can't be 5; write [1,2,3]"],
  ['counters', '[1,', "value-wrong-shape: counters is of type unsigned long long[3] and needs JSON, but '[1,' is none; write [1,2,3]"],
  ['counters', '[1.5]', "value-wrong-shape: counters[0] is of type unsigned long long and can't be 1.5; write whole numbers, those beyond 2^53 as strings"],
  ['counters', '[9007199254740993]', "value-wrong-shape: counters[0] is of type unsigned long long and can't be 9007199254740992; write whole numbers, those beyond 2^53 as strings"],
  ['tagged', '0xffff', 'ffff000000000000'],
])('%s = %s', (name, text, expected) => {
  expect(outcome(parseText(target(name), text))).toBe(expected);
});

test.each([
  ['an unknown member', '{"port":1,"prot":2}', "value-unknown-name: mixed has no 'prot'; did you mean port? it has name, negative, flag, port, low, middle, high, signed_bits, ..."],
  ['a member of a member', '{"corners":[{"x":1},{"z":1}]}', "value-unknown-name: mixed.corners[1] has no 'z'; it has x, y"],
  ['a bitfield that overflows', '{"low":8}', "value-out-of-range: mixed.low: 8 doesn't fit in unsigned int:3, which goes from 0 to 7"],
  ['a signed bitfield', '{"signed_bits":-17}', "value-out-of-range: mixed.signed_bits: -17 doesn't fit in int:5, which goes from -16 to 15"],
  ['a union that disagrees', '{"word":1,"bytes":[2]}', 'value-wrong-shape: mixed.bytes[0] disagrees with another member of its union; give one of them'],
  ['a number for a struct', '5', 'value-wrong-shape: mixed is of type struct mixed and can\'t be 5; write {"member":value}'],
  ['an array for a struct', '{"pair":[1,2]}', 'value-wrong-shape: mixed.pair is of type struct {...} and can\'t be [1,2]; write {"member":value}'],
  ['a word for a float', '{"ratio":"half"}', 'value-wrong-shape: mixed.ratio is of type float and can\'t be "half"'],
])('refused: %s', (_name, text, expected) => {
  expect(outcome(parseText(target('mixed'), text))).toBe(expected);
});

test('members left out are zero, and overlapping members may agree', () => {
  const bytes = unwrap(parseText(target('mixed'), '{"port":443,"word":513,"bytes":[1,2]}'));
  const { port, word, big, name } = formatValue(object.btf, target('mixed').typeId, bytes) as Record<string, unknown>;
  expect([port, word, big, name]).toEqual([443, 513, 0, '']);
});

test('what the compiler wrote survives being shown and read', () => {
  for (const variable of object.variables) {
    const { initialValue } = object.maps.find((map) => map.name === variable.map)!;
    const bytes = initialValue!.subarray(variable.offBytes, variable.offBytes + variable.sizeBytes);
    const shown: unknown = JSON.parse(JSON.stringify(formatValue(object.btf, variable.typeId, bytes)));
    expect(toHex(unwrap(parseValue(target(variable.name), shown)))).toBe(toHex(bytes));
  }
});

describe('without a type', () => {
  test.each<[number, unknown, string]>([
    [4, 0x01020304, '04030201'],
    [4, '-1', "value-out-of-range: key: -1 doesn't fit in 32-bit integer, which goes from 0 to 4294967295"],
    [6, '0200 0000 0001', '020000000001'],
    [6, '0200', 'value-wrong-shape: key must be 6 bytes in hex, not "0200"'],
    [6, 5, 'value-wrong-shape: key must be 6 bytes in hex, not 5'],
  ])('%i bytes from %j', (sizeBytes, value, expected) => {
    expect(outcome(parseValue({ btf: undefined, typeId: 0, sizeBytes, label: 'key' }, value))).toBe(expected);
  });
});

// ── any type, any bytes: reading back what is shown gives the same bytes ──

interface Shape {
  readonly add: (builder: BtfBuilder) => number;
  readonly sizeBytes: number;
}

const scalar: fc.Arbitrary<Shape> = fc.oneof(
  fc.constantFrom(1, 2, 4, 8).chain((sizeBytes) => fc.constantFrom(0, 1).map((encoding) => ({ add: (b: BtfBuilder) => b.int('i', sizeBytes, encoding), sizeBytes }))),
  fc.constant({ add: (b: BtfBuilder) => b.int('__int128', 16, 1), sizeBytes: 16 }),
  fc.constant({ add: (b: BtfBuilder) => b.int('_Bool', 1, 4), sizeBytes: 1 }),
  fc.constant({ add: (b: BtfBuilder) => b.ptr(0), sizeBytes: 8 }),
  fc.constant({ add: (b: BtfBuilder) => b.raw(6, 'e', 2, 1, [b.string('A'), 0, b.string('B'), 200]), sizeBytes: 1 }),
  fc.nat(9).map((count) => ({ add: (b: BtfBuilder) => b.array(b.int('char', 1, 1), count), sizeBytes: count })),
);

const { shape } = fc.letrec<{ shape: Shape; array: Shape; struct: Shape; union: Shape; bitfields: Shape }>((tie) => ({
  shape: fc.oneof({ maxDepth: 3, withCrossShrink: true }, scalar, tie('array'), tie('struct'), tie('union'), tie('bitfields')),
  array: fc.tuple(tie('shape'), fc.nat(3)).map(([element, count]) => ({ add: (b) => b.array(element.add(b), count), sizeBytes: element.sizeBytes * count })),
  struct: fc.array(fc.tuple(tie('shape'), fc.nat(2)), { maxLength: 4 }).map((members) => ({
    // Unnamed members are only structs and unions; a gap of padding stands before each member.
    add: (b) => {
      let at = 0;
      return b.struct('', sizeOfMembers(members), members.map(([member, gap], i) => {
        const typeId = member.add(b);
        const entry = [`m${i}`, typeId, (at + gap) * 8] as const;
        at += gap + member.sizeBytes;
        return entry;
      }));
    },
    sizeBytes: sizeOfMembers(members),
  })),
  union: fc.array(tie('shape'), { minLength: 1, maxLength: 3 }).map((members) => {
    const sizeBytes = Math.max(...members.map((member) => member.sizeBytes));
    return { add: (b) => b.union('', sizeBytes, members.map((member, i) => [`u${i}`, member.add(b), 0] as const)), sizeBytes };
  }),
  bitfields: fc.array(fc.integer({ min: 1, max: 13 }), { minLength: 1, maxLength: 4 }).map((widths) => ({
    add: (b) => {
      const int = b.int('int', 4, 1);
      let at = 0;
      return b.struct('', 8, widths.map((width, i) => [`b${i}`, int, (at += width) - width, width] as const));
    },
    sizeBytes: 8,
  })),
}));

function sizeOfMembers(members: readonly (readonly [Shape, number])[]): number {
  return members.reduce((sum, [member, gap]) => sum + gap + member.sizeBytes, 0);
}

prop([shape, fc.uint8Array({ minLength: 4096, maxLength: 4096 })], { numRuns: 300 })('shown, read and shown again is the same', (any, noise) => {
  const builder = new BtfBuilder();
  const typeId = any.add(builder);
  const btf = builder.build();
  expect(btf.sizeOf(typeId)).toBe(any.sizeBytes);
  fc.pre(any.sizeBytes <= noise.length);
  const shown = formatValue(btf, typeId, noise.subarray(0, any.sizeBytes));
  const json: unknown = JSON.parse(JSON.stringify(shown));
  const bytes = unwrap(parseValue({ btf, typeId, sizeBytes: any.sizeBytes, label: 'value' }, json));
  expect(formatValue(btf, typeId, bytes)).toEqual(shown);
});

prop([fc.jsonValue(), fc.string()])('any JSON for any variable is a Result', (json, text) => {
  for (const variable of object.variables) {
    for (const result of [parseValue(target(variable.name), json), parseText(target(variable.name), text)]) {
      if (result.ok) expect(result.value).toHaveLength(variable.sizeBytes);
      else expect(result.problem.code).toMatch(/^value-/);
    }
  }
});
