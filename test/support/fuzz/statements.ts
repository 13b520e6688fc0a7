import { fc } from '../property.js';

// What fuzzed programs are made of. Every number is free here; emitProgram.ts fits it to its place, so that shrinking can't make a program invalid.

/** Registers that hold numbers between two statements. */
export const SCALARS = [0, 4, 5, 7, 8, 9] as const;
/** Functions besides the main one. */
export const FUNCTIONS = 2;

export type Operand = { readonly register: number } | { readonly imm: number };

export interface Alu {
  readonly kind: 'alu';
  readonly operation: string;
  readonly isWide: boolean;
  readonly dst: number;
  readonly operand: Operand;
}

/** A load, store or atomic at some offset of what its surroundings give. */
export interface Access {
  readonly what: 'load' | 'signedLoad' | 'store' | 'storeImm' | 'atomic';
  readonly bytes: 1 | 2 | 4 | 8;
  readonly offset: number;
  readonly register: number;
  readonly imm: number;
  readonly atomic: string;
}

export interface Comparison {
  readonly operator: string;
  readonly isWide: boolean;
  readonly left: number;
  readonly right: Operand;
}

/** How a number is brought into 0 to 31 before it is an offset. */
export interface Bound {
  readonly way: 'mask' | 'scaledMask' | 'compare' | 'compare32' | 'signed' | 'shift' | 'shift32' | 'scaledCompare';
  readonly register: number;
}

/** `x << k | x >> width - k` as compilers write it, or nearly so. */
export interface Rotation {
  readonly kind: 'rotation';
  readonly isWide: boolean;
  readonly source: number;
  readonly dst: number;
  readonly bits: number;
  /** Added to the second shift: 0 for a true rotation. */
  readonly error: number;
  readonly isLeftFirst: boolean;
  /** The second shift is one of the source itself. */
  readonly isInPlace: boolean;
  readonly operation: '|' | '^' | '+';
  /** Between the shifts. */
  readonly between: Alu | undefined;
}

export interface Loop {
  readonly kind: 'loop';
  readonly times: number;
  readonly first: readonly Statement[];
  readonly second: readonly Statement[];
  /** Goes into the loop between its halves, which makes it one with two entries. */
  readonly enters: Comparison | undefined;
  /** Leaves it there. */
  readonly leaves: Comparison | undefined;
}

export type Statement =
  | Alu
  | { readonly kind: 'wide'; readonly dst: number; readonly value: bigint }
  | Rotation
  | { readonly kind: 'stack'; readonly access: Access; readonly bound: Bound | undefined }
  | { readonly kind: 'if'; readonly comparison: Comparison; readonly taken: readonly Statement[]; readonly otherwise: readonly Statement[] }
  | Loop
  | { readonly kind: 'packet'; readonly check: number; readonly bytes: number; readonly accesses: readonly Access[]; readonly bound: Bound | undefined; readonly step: number }
  | { readonly kind: 'spilled'; readonly check: number; readonly bytes: number; readonly between: readonly Statement[]; readonly access: Access }
  | { readonly kind: 'walk'; readonly times: number; readonly step: number; readonly access: Access }
  | { readonly kind: 'lookup'; readonly map: 'array' | 'hash'; readonly key: Operand; readonly isCopyChecked: boolean; readonly bound: Bound | undefined; readonly accesses: readonly Access[] }
  | { readonly kind: 'change'; readonly how: 'update' | 'delete'; readonly map: 'array' | 'hash'; readonly key: Operand; readonly flags: number }
  | { readonly kind: 'call'; readonly target: number; readonly first: number; readonly second: number }
  | { readonly kind: 'lend'; readonly offset: number; readonly value: number }
  | { readonly kind: 'move'; readonly end: 'head' | 'tail'; readonly by: number }
  | { readonly kind: 'reach'; readonly base: 'packet' | 'stack' | 'value'; readonly register: number | undefined; readonly maskBits: number; readonly shift: number; readonly numbers: readonly number[]; readonly rounds: number; readonly pointerStep: number; readonly steps: readonly Step[]; readonly isUpwards: boolean };

/** `r3 OPERATION number`, or with the sides exchanged, or a comparison that may end the statement. */
export interface Step {
  readonly operation: string;
  readonly isWide: boolean;
  /** Which of the statement's numbers. */
  readonly number: number;
  readonly isFlipped: boolean;
  /** A comparison that holds leads to the reads, not past them. */
  readonly isEarly: boolean;
}

export interface FuzzProgram {
  readonly main: readonly Statement[];
  readonly functions: readonly (readonly Statement[])[];
}

const register = fc.constantFrom(...SCALARS);
const CORNERS = [0, 1, -1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 64, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x7fffffff, -0x80000000, -2, -8, -128];
const imm = fc.oneof(fc.constantFrom(...CORNERS), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
const operand: fc.Arbitrary<Operand> = fc.oneof(register.map((number) => ({ register: number })), imm.map((number) => ({ imm: number })));
const small = fc.nat(255);

const alu: fc.Arbitrary<Alu> = fc.record({
  kind: fc.constant('alu' as const),
  operation: fc.constantFrom(
    '+', '-', '*', '/', '%', 's/', 's%', '|', '&', '^', '<<', '>>', 's>>', '=', 'neg', 's8', 's16', 's32', 'le16', 'le32', 'le64', 'be16', 'be32', 'be64', 'bswap16', 'bswap32', 'bswap64',
  ),
  isWide: fc.boolean(),
  dst: register,
  operand,
});

const access: fc.Arbitrary<Access> = fc.record({
  what: fc.constantFrom('load', 'signedLoad', 'store', 'storeImm', 'atomic'),
  bytes: fc.constantFrom(1, 2, 4, 8),
  offset: small,
  register,
  imm,
  atomic: fc.constantFrom('+=', '|=', '&=', '^=', 'fetch_add', 'fetch_or', 'fetch_and', 'fetch_xor', 'xchg', 'cmpxchg', 'load_acquire', 'store_release'),
});

const bound: fc.Arbitrary<Bound> = fc.record({
  way: fc.constantFrom('mask', 'scaledMask', 'compare', 'compare32', 'signed', 'shift', 'shift32', 'scaledCompare'),
  register,
});
const maybeBound = fc.option(bound, { nil: undefined });

const comparison: fc.Arbitrary<Comparison> = fc.record({
  operator: fc.constantFrom('==', '!=', '>', '>=', '<', '<=', 's>', 's>=', 's<', 's<=', '&'),
  isWide: fc.boolean(),
  left: register,
  right: operand,
});

const maybeComparison = fc.option(comparison, { nil: undefined, freq: 2 });

const wide = fc.record({ kind: fc.constant('wide' as const), dst: register, value: fc.bigInt({ min: 0n, max: 0xffffffffffffffffn }) });
const rotation: fc.Arbitrary<Statement> = fc.record({
  kind: fc.constant('rotation' as const),
  isWide: fc.boolean(),
  source: register,
  dst: register,
  bits: fc.nat(63),
  error: fc.constantFrom(0, 0, 0, 1, 32),
  isLeftFirst: fc.boolean(),
  isInPlace: fc.boolean(),
  operation: fc.constantFrom('|', '|', '|', '^', '+'),
  between: fc.option(alu, { nil: undefined }),
});
const stack = fc.record({ kind: fc.constant('stack' as const), access, bound: maybeBound });
const plain: fc.Arbitrary<Statement> = fc.oneof({ weight: 6, arbitrary: alu }, { weight: 1, arbitrary: wide }, { weight: 1, arbitrary: rotation }, { weight: 3, arbitrary: stack });
const map = fc.constantFrom('array' as const, 'hash' as const);
const key = fc.oneof(fc.nat(5).map((number) => ({ imm: number })), register.map((number) => ({ register: number })));

const reaching: fc.Arbitrary<Statement> = fc.oneof(
  fc.record({ kind: fc.constant('packet' as const), check: fc.nat(7), bytes: small, accesses: fc.array(access, { minLength: 1, maxLength: 3 }), bound: maybeBound, step: fc.nat(8) }),
  fc.record({ kind: fc.constant('spilled' as const), check: fc.nat(7), bytes: small, between: fc.array(plain, { maxLength: 3 }), access }),
  fc.record({ kind: fc.constant('walk' as const), times: fc.nat(6), step: fc.nat(8), access }),
  fc.record({ kind: fc.constant('lookup' as const), map, key, isCopyChecked: fc.boolean(), bound: maybeBound, accesses: fc.array(access, { minLength: 1, maxLength: 3 }) }),
  fc.record({ kind: fc.constant('change' as const), how: fc.constantFrom('update' as const, 'delete' as const), map, key, flags: fc.nat(2) }),
  fc.record({ kind: fc.constant('lend' as const), offset: small, value: register }),
  fc.record({ kind: fc.constant('move' as const), end: fc.constantFrom('head' as const, 'tail' as const), by: fc.integer({ min: -24, max: 24 }) }),
);

const call: fc.Arbitrary<Statement> = fc.record({ kind: fc.constant('call' as const), target: fc.nat(FUNCTIONS - 1), first: register, second: register });

/** Statements, nested at most `depth` deep. */
function statements(depth: number, maxLength: number): fc.Arbitrary<Statement[]> {
  const choices: fc.WeightedArbitrary<Statement>[] = [
    { weight: 5, arbitrary: plain },
    { weight: 4, arbitrary: reaching },
    { weight: 1, arbitrary: call },
  ];
  if (depth > 0) {
    const body = statements(depth - 1, 4);
    choices.push(
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('if' as const), comparison, taken: body, otherwise: body }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('loop' as const), times: fc.nat(2), first: body, second: body, enters: maybeComparison, leaves: maybeComparison }) },
    );
  }
  return fc.array(fc.oneof(...choices), { maxLength });
}

/** Programs that the kernel's verifier takes, save for a few that are too much work for it. */
export const fuzzProgram: fc.Arbitrary<FuzzProgram> = fc.record({
  main: statements(2, 12),
  functions: fc.tuple(...Array.from({ length: FUNCTIONS }, () => statements(1, 4))),
});

/** Packets of 14 to 200 bytes, with 8-byte words that are corners of arithmetic as often as not. */
export const fuzzPackets: fc.Arbitrary<Uint8Array[]> = fc.array(
  fc.oneof(
    fc.uint8Array({ minLength: 14, maxLength: 200 }),
    fc
      .array(fc.oneof(fc.constantFrom(...CORNERS).map((corner) => BigInt(corner)), fc.bigInt({ min: 0n, max: 0xffffffffffffffffn })), { minLength: 6, maxLength: 16 })
      .map((words) => new Uint8Array(BigUint64Array.from(words, (word) => BigInt.asUintN(64, word)).buffer)),
  ),
  { minLength: 4, maxLength: 8 },
);

const step: fc.Arbitrary<Step> = fc.record({
  operation: fc.oneof(
    fc.constantFrom('+=', '-=', '-=', '&=', '|=', '^=', '*=', '/=', '%=', '<<=', '>>=', 's>>='),
    fc.constantFrom('if >', 'if >=', 'if <', 'if <=', 'if ==', 'if ==', 'if !=', 'if s>', 'if s<', 'if s>=', 'if s<=', 'if &'),
  ),
  isWide: fc.boolean(),
  number: fc.nat(2),
  isFlipped: fc.boolean(),
  isEarly: fc.boolean(),
});

/** Programs that do arithmetic on an offset and then trust it: no verifier would. */
export const recklessProgram: fc.Arbitrary<FuzzProgram> = fc
  .array(
    fc.oneof(
      { weight: 1, arbitrary: plain },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('reach' as const),
          base: fc.constantFrom('packet' as const, 'stack' as const, 'value' as const),
          register: fc.option(register, { nil: undefined, freq: 2 }),
          maskBits: fc.integer({ min: 1, max: 8 }),
          shift: fc.oneof(fc.nat(3), fc.nat(40)),
          // Few of them, so that the same one comes back.
          numbers: fc.tuple(fc.nat(47), fc.nat(15), fc.oneof(fc.nat(8), fc.constantFrom(31, 32, 40, 63, 255, 256, 4095, 0x7fffffff))),
          rounds: fc.oneof(fc.constant(0), fc.nat(6)),
          pointerStep: fc.oneof(fc.constant(0), fc.integer({ min: -4, max: 8 })),
          steps: fc.array(step, { minLength: 1, maxLength: 6 }),
          isUpwards: fc.boolean(),
        }),
      },
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((main) => ({ main, functions: [] }));

/** A change to one line of a program, by which it may go anywhere. */
export interface Spoiling {
  readonly how: 'number' | 'dropBranch' | 'operator' | 'swapLines';
  /** Which of the lines that it can be done to. */
  readonly line: number;
  readonly imm: number;
  readonly operator: string;
}

/** Offsets and bounds that are wrong by little or by much. */
export const spoiling: fc.Arbitrary<Spoiling> = fc.record({
  how: fc.constantFrom('number', 'number', 'dropBranch', 'operator', 'swapLines'),
  line: fc.nat(1023),
  imm: fc.oneof(fc.integer({ min: -70, max: 70 }), imm),
  operator: fc.constantFrom('==', '!=', '>', '>=', '<', '<=', 's>', 's>=', 's<', 's<='),
});
