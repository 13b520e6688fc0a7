import { describe, expect, test } from 'vitest';
import { ProblemError } from '../../../src/base/index.js';
import type { Btf } from '../../../src/vm/btf/btf.js';
import { resolveCoreRelocations } from '../../../src/vm/btf/coreRelocations.js';
import type { CoreOutcome } from '../../../src/vm/btf/coreRelocations.js';
import { KernelTypes, essentialName } from '../../../src/vm/btf/coreTarget.js';
import type { CoreRelocation } from '../../../src/vm/btf/readBtfExt.js';
import { fc, prop } from '../../support/property.js';
import { BtfBuilder } from './btfBuilder.js';

const [BYTE_OFF, BYTE_SIZE, EXISTS, SIGNED, LSHIFT, RSHIFT, ID_LOCAL, ID_TARGET, TYPE_EXISTS, TYPE_SIZE, ENUM_EXISTS, ENUM_VALUE, TYPE_MATCHES] = Array.from({ length: 13 }, (_, kind) => kind);

function kernel(build: (btf: BtfBuilder) => void): KernelTypes {
  const builder = new BtfBuilder();
  build(builder);
  return new KernelTypes(builder.bytes(), 'target');
}

/** What becomes of relocations in a row. */
function resolveAll(local: Btf, target: KernelTypes, relocations: readonly (readonly [kind: number | undefined, typeId: number, access: string])[]): CoreOutcome[] {
  const list = relocations.map(([kind, typeId, access], i): CoreRelocation => ({ offBytes: i * 8, typeId, access, kind: kind! }));
  const ext = { functions: new Map(), lines: new Map(), coreRelocations: new Map([['xdp', list]]) };
  return resolveCoreRelocations(local, ext, target, 'test').get('xdp')!.map(({ outcome }) => outcome);
}

/** The number that an outcome puts into the instruction, or what else it is. */
function brief(outcome: CoreOutcome): unknown {
  if (outcome.kind === 'value') return Number(outcome.patch.value);
  return outcome.kind === 'problem' ? outcome.code : outcome.kind;
}

test.each([
  ['sk_buff', 'sk_buff'], ['sk_buff___old', 'sk_buff'], ['a___b___c', 'a___b'], ['___a', '___a'], ['a___', 'a___'], ['a____b', 'a____b'], ['a___b', 'a'], ['', ''], ['a__b', 'a__b'],
])('the essential name of %s is %s', (name, expected) => expect(essentialName(name)).toBe(expected));

describe('fields', () => {
  const builder = new BtfBuilder();
  const u32 = builder.int('unsigned int', 4);
  const local = builder.struct('thing___mine', 4, [['field', u32, 0]]);
  const nested = builder.struct('outer', 8, [['', builder.struct('', 8, [['deep', u32, 32]]), 0]]);
  const flexible = builder.struct('flexible', 4, [['count', u32, 0], ['items', builder.array(u32, 0), 32]]);
  const btf = builder.build();

  test('all candidates of a name must agree', () => {
    const agreed = kernel((b) => {
      const int = b.int('int', 4);
      b.struct('thing', 8, [['field', int, 32]]);
      b.struct('thing___2', 12, [['other', int, 0], ['field', int, 32]]);
    });
    expect(resolveAll(btf, agreed, [[BYTE_OFF, local, '0:0'], [EXISTS, local, '0:0']]).map(brief)).toEqual([4, 1]);
    const split = kernel((b) => {
      const int = b.int('int', 4);
      b.struct('thing', 8, [['field', int, 32]]);
      b.struct('thing___2', 8, [['field', int, 0]]);
    });
    expect(resolveAll(btf, split, [[BYTE_OFF, local, '0:0'], [EXISTS, local, '0:0']]).map(brief)).toEqual(['core-ambiguous', 'core-ambiguous']);
  });

  test('a candidate that one relocation has ruled out is not looked at again', () => {
    const types = new BtfBuilder();
    const word = types.int('unsigned int', 4);
    const thing = types.struct('thing', 8, [['a', word, 0], ['b', word, 32]]);
    const target = kernel((b) => {
      const int = b.int('int', 4);
      b.struct('thing', 12, [['a', int, 0], ['b', int, 64]]);
      b.struct('thing___2', 8, [['b', int, 32]]);
    });
    const built = types.build();
    expect(resolveAll(built, target, [[BYTE_OFF, thing, '0:1']]).map(brief)).toEqual(['core-ambiguous']);
    expect(resolveAll(built, target, [[BYTE_OFF, thing, '0:0'], [BYTE_OFF, thing, '0:1']]).map(brief)).toEqual([0, 8]);
  });

  test('members of nameless structs, flexible arrays, the element that the pointer points to', () => {
    const target = kernel((b) => {
      const int = b.int('int', 4);
      const inner = b.struct('', 12, [['other', int, 0], ['', b.union('', 8, [['deep', int, 0]]), 32]]);
      b.struct('outer', 16, [['first', int, 0], ['', inner, 32]]);
      b.struct('flexible', 8, [['more', int, 0], ['count', int, 32], ['items', b.array(int, 0), 64]]);
    });
    expect(resolveAll(btf, target, [[BYTE_OFF, nested, '0:0:0'], [BYTE_OFF, nested, '2:0:0'], [BYTE_OFF, flexible, '0:1:5']]).map(brief)).toEqual([8, 40, 28]);
  });

  test('a bitfield is read by the smallest aligned load that holds it', () => {
    const types = new BtfBuilder();
    const word = types.int('int', 4, 1);
    const bits = types.struct('bits', 8, [['x', word, 0, 3]]);
    const target = kernel((b) => b.struct('bits', 16, [['y', b.int('int', 4, 1), 0, 30], ['x', 1, 60, 8]]));
    // Bits 60 to 67: no load of 8 bytes has them all.
    const questions = [BYTE_OFF, BYTE_SIZE, LSHIFT, RSHIFT, SIGNED].map((kind) => [kind, bits, '0:0'] as const);
    expect(resolveAll(types.build(), target, questions).map(brief)).toEqual(['core-unsatisfiable', 'core-unsatisfiable', 'core-unsatisfiable', 'core-unsatisfiable', 1]);
    const near = kernel((b) => b.struct('bits', 8, [['x', b.int('int', 4, 1), 30, 8]]));
    expect(resolveAll(types.build(), near, questions).map(brief)).toEqual([0, 8, 26, 56, 1]);
  });

  test('types that do not go together are no field', () => {
    const target = kernel((b) => b.struct('thing', 8, [['field', b.ptr(0), 0]]));
    expect(resolveAll(btf, target, [[EXISTS, local, '0:0'], [BYTE_OFF, local, '0:0']]).map(brief)).toEqual([0, 'poison']);
  });
});

describe('types and values', () => {
  const builder = new BtfBuilder();
  const int = builder.int('int', 4, 1);
  const one = builder.struct('one', 8, [['a', int, 0], ['next', builder.ptr(3), 0]]);
  const fwd = builder.raw(7, 'declared', 0, 0);
  const colour = builder.raw(6, 'colour', 2, 4, [builder.string('RED'), 0xffffffff, builder.string('BLUE___x'), 7]);
  const anonymous = builder.struct('', 4, [['a', int, 0]]);
  const btf = builder.build();
  const target = kernel((b) => {
    const s32 = b.int('int', 4, 1);
    b.struct('one', 16, [['b', s32, 0], ['a', s32, 32], ['next', b.ptr(3), 64]]);
    b.raw(19, 'colour', 3, 8, [b.string('GREEN'), 0, 0, b.string('BLUE'), 5, 1, b.string('RED'), 1, 0], true);
    b.struct('declared', 8, []);
  });

  test('existence, size, likeness, numbers', () => {
    const questions = [[TYPE_EXISTS, one, '0'], [TYPE_SIZE, one, '0'], [TYPE_MATCHES, one, '0'], [ID_TARGET, one, '0'], [ID_LOCAL, one, '0'], [TYPE_EXISTS, fwd, '0'], [TYPE_SIZE, fwd, '0']] as const;
    expect(resolveAll(btf, target, questions).map(brief)).toEqual([1, 16, 1, 3, one, 0, 0]);
  });

  test('values by name, also those of 64 bits', () => {
    const questions = [[ENUM_EXISTS, colour, '0'], [ENUM_VALUE, colour, '0'], [ENUM_VALUE, colour, '1']] as const;
    const outcomes = resolveAll(btf, target, questions);
    expect(outcomes.map(brief)).toEqual([1, 1, 2 ** 32 + 5]);
    // -1 of 32 bits: libbpf expects it sign-extended in the instruction.
    expect(outcomes[1]).toMatchObject({ patch: { expected: 2n ** 64n - 1n } });
  });

  test.each<[string, readonly [number | undefined, number, string], RegExp]>([
    ['a type that does not exist', [EXISTS, 999, '0:0'], /type 999 doesn't exist, there are/],
    ['a member that does not exist', [EXISTS, one, '0:2'], /struct one has no field '0:2'/],
    ['a member of an integer', [EXISTS, one, '0:0:0'], /has no field '0:0:0'/],
    ['no access string', [EXISTS, one, ''], /has no field ''/],
    ['words', [BYTE_OFF, one, '0:a'], /has no field/],
    ['a negative index', [BYTE_OFF, one, '-1:0'], /has no field/],
    ['an index beyond all types', [BYTE_OFF, one, '999999999:0'], /has no field/],
    ['too many indices', [BYTE_OFF, one, Array.from({ length: 65 }, () => 0).join(':')], /has no field/],
    ['a part of a type as a whole', [TYPE_EXISTS, one, '0:0'], /a type as a whole is meant, but '0:0' names a part/],
    ['a value of a struct', [ENUM_VALUE, one, '0'], /has no value '0'/],
    ['a value that the enum has not', [ENUM_EXISTS, colour, '2'], /has no value '2'/],
    ['an unknown kind', [13, one, '0'], /kind 13 is unknown/],
  ])('%s refuses the object', (_what, relocation, says) => {
    expect(() => resolveAll(btf, target, [relocation])).toThrow(says);
  });

  test('a type without a name can not be looked for', () => {
    expect(resolveAll(btf, target, [[EXISTS, anonymous, '0:0']]).map(brief)).toEqual(['core-anonymous-type']);
  });
});

describe('hostile types', () => {
  test('circles of typedefs and nameless members come to an end', () => {
    const types = new BtfBuilder();
    const thing = types.struct('thing', 4, [['field', types.int('int', 4), 0]]);
    const target = kernel((b) => {
      b.typedef('thing', 1);
      b.struct('thing', 8, [['', 2, 0], ['', 2, 0], ['', 2, 0]]);
      b.struct('thing', 8, [['field', 1, 0]]);
    });
    expect(() => resolveAll(types.build(), target, [[EXISTS, thing, '0:0']])).toThrow(ProblemError);
  });

  const word = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constantFrom(0x7fffffff, 0xffffffff, 0x80000000, 0x10000), fc.nat());
  const name = fc.constantFrom('', 'a', 'a___x', 'b', 'c', 'a___');
  /** Any type at all: kind, name, its words. */
  const anyType = fc.record({ kind: fc.integer({ min: 1, max: 19 }), name, vlen: fc.integer({ min: 0, max: 4 }), sizeOrType: word, words: fc.array(word, { minLength: 12, maxLength: 12 }), kindFlag: fc.boolean() });
  const WORDS = [0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0];
  const PER_ELEMENT = [0, 0, 0, 0, 3, 3, 2, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 3];

  prop([
    fc.array(anyType, { minLength: 1, maxLength: 12 }),
    fc.array(fc.record({ kind: fc.integer({ min: 0, max: 13 }), typeId: fc.integer({ min: 0, max: 8 }), access: fc.oneof(fc.stringMatching(/^\d(:\d){0,4}$/), fc.string({ maxLength: 6 })) }), { minLength: 1, maxLength: 8 }),
  ], { numRuns: 2000 })('give outcomes or a typed problem, soon', (types, relocations) => {
    const local = new BtfBuilder();
    const int = local.int('unsigned int', 4);
    local.struct('a', 16, [['a', int, 0], ['b', local.array(int, 2), 32], ['', local.union('', 4, [['c', int, 0, 3]]), 96]]);
    local.raw(6, 'b', 2, 4, [local.string('a'), 1, local.string('b'), 2]);
    local.typedef('c', int);
    const btf = local.build();
    const builder = new BtfBuilder();
    for (const type of types) {
      const names = type.words.map((value, i) => (i % PER_ELEMENT[type.kind]! === 0 && PER_ELEMENT[type.kind]! > 0 ? builder.string(['a', 'b', 'c', ''][value % 4]!) : value));
      builder.raw(type.kind, type.name, type.vlen, type.sizeOrType, names.slice(0, WORDS[type.kind]! + PER_ELEMENT[type.kind]! * type.vlen), type.kindFlag);
    }
    const startMs = performance.now();
    try {
      const target = new KernelTypes(builder.bytes(), 'target');
      for (const { kind, typeId, access } of relocations) {
        for (const outcome of resolveAll(btf, target, [[kind, typeId, access]])) expect(['keep', 'value', 'poison', 'problem']).toContain(outcome.kind);
      }
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      expect(error.problem.code).toMatch(/^(?:unsupported-)?btf-/);
    }
    expect(performance.now() - startMs).toBeLessThan(1000);
  });
});
