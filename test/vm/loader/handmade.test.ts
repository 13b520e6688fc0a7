import { describe, expect, test } from 'vitest';
import { formatProblem, unwrap } from '../../../src/base/index.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObject.js';
import { BtfBuilder } from '../btf/btfBuilder.js';
import { EXIT, ElfBuilder, LDDW, SECOND_HALF, callTo } from '../elf/elfBuilder.js';
import { programNamed } from './support.js';

// Objects that no compiler of today writes: old ones, damaged ones, and ones that are made to hurt.

const R_64_64 = 1;
const R_64_32 = 10;

/** Loads what a builder says; the refusal as text, or each program with its problem. */
function load(write: (elf: ElfBuilder) => void): string {
  const elf = new ElfBuilder();
  write(elf);
  const result = loadObjectBytes(elf.build(), 'prog.o');
  if (!result.ok) return `${result.problem.code}: ${formatProblem(result.problem)}`;
  return result.value.programs.map(({ name, problem }) => (problem === undefined ? name : `${name} ${problem.code}: ${formatProblem(problem)}`)).join('\n');
}

/** An object that loads shows nothing but its programs' names; of a refusal a part is enough. */
function expectOutcome(outcome: string, expected: string): void {
  if (/^\w*$/.test(expected)) expect(outcome).toBe(expected);
  else expect(outcome).toContain(expected);
}

describe('functions', () => {
  test('without STT_FUNC the global symbols are the functions, as old compilers left them', () => {
    const elf = new ElfBuilder();
    const section = elf.code('xdp_prog', [EXIT, EXIT, EXIT]);
    elf.symbol('LBB0_1', section, 8, 0, { type: 0, binding: 0 });
    elf.symbol('first', section, 0, 0, { type: 0 });
    elf.symbol('second', section, 16, 0, { type: 0 });
    const { programs } = unwrap(loadObjectBytes(elf.build(), 'old.o'));
    expect(programs.map(({ name, type, insns }) => [name, type, insns.length])).toEqual([['first', 'xdp', 16], ['second', 'xdp', 8]]);
  });

  test.each<[string, (elf: ElfBuilder) => void, string]>([
    ['no symbol: the section is the program', (elf) => void elf.code('xdp_prog', [EXIT]), 'xdp_prog'],
    ['no symbol and half an instruction', (elf) => void elf.section('xdp', new Uint8Array(12), { flags: 6 }), 'elf-bad-function: prog.o, section xdp: a program of 12 bytes is no list of instructions'],
    ['no symbol in .text', (elf) => void elf.code('.text', [EXIT]), ''],
    ['half an instruction', (elf) => void elf.symbol('f', elf.code('xdp', [EXIT]), 4, 4), "elf-bad-function: prog.o, section xdp, byte 4: function 'f' of 4 bytes is no list of instructions"],
    ['empty', (elf) => void elf.symbol('f', elf.code('xdp', [EXIT]), 0, 0), "elf-bad-function: prog.o, section xdp, byte 0: function 'f' of 0 bytes is no list of instructions"],
    ['too long', (elf) => void elf.symbol('f', elf.code('xdp', [EXIT]), 0, 16), "elf-bad-function: prog.o, section xdp, byte 0: function 'f' ends at byte 16, its section has 8"],
    ['far too long', (elf) => void elf.symbol('f', elf.code('xdp', [EXIT]), 0, 2 ** 40), "function 'f' ends at byte 1099511627776, its section has 8"],
    ['overlapping', (elf) => {
      const section = elf.code('xdp', [EXIT, EXIT]);
      elf.symbol('f', section, 0, 16);
      elf.symbol('g', section, 8, 8);
    }, "elf-bad-function: prog.o, section xdp, byte 0: functions 'f' and 'g' overlap"],
  ])('%s', (_name, write, expected) => {
    expectOutcome(load(write), expected);
  });
});

describe('calls and addresses', () => {
  /** One function `f` of these instructions, with relocations against a symbol that `target` adds. */
  const one = (insns: readonly (readonly number[])[], relocations: readonly (readonly [number, number])[] = [], target?: (elf: ElfBuilder, code: number) => number) => (elf: ElfBuilder): void => {
    const code = elf.code('xdp', insns);
    elf.symbol('f', code, 0, insns.length * 8);
    const symbol = target?.(elf, code) ?? 1;
    if (relocations.length > 0) elf.relocate(code, relocations.map(([offset, type]) => [offset, type, symbol]));
  };
  const data = (elf: ElfBuilder): number => elf.symbol('d', elf.section('.data', new Uint8Array(8)), 4, 4, { type: 1 });

  test.each<[string, (elf: ElfBuilder) => void, string]>([
    ['data with an offset in the instruction', one([[0x18, 1, 0, 0, 3], SECOND_HALF, EXIT], [[0, R_64_64]], data), 'f'],
    ['data past its end', one([[0x18, 1, 0, 0, 4], SECOND_HALF, EXIT], [[0, R_64_64]], data), "f program-bad-address: prog.o, function f, instruction 0: 'f' points at byte 8 of .data, which has 8"],
    ['data before its start', one([[0x18, 1, 0, 0, -5], SECOND_HALF, EXIT], [[0, R_64_64]], data), "points at byte -1 of .data, which has 8"],
    ['an absolute symbol', one([LDDW, SECOND_HALF, EXIT], [[0, R_64_64]], (elf) => elf.symbol('abs', 0xfff1, 5, 0)), "f unsupported-symbol: prog.o, function f, instruction 0: 'f' refers to 'abs', which is in no section"],
    ['a map without a relocation', one([[0x18, 1, 1], SECOND_HALF, EXIT]), 'a lddw refers to something of kind 1, but no relocation says to what'],
    ['a kernel function by number', one([[0x85, 0, 2, 0, 77], EXIT]), "f unsupported-kfunc: prog.o, function f, instruction 0: 'f' calls a kernel function by its number"],
    ['a call into the middle', one([callTo(0), EXIT]), "f program-bad-call: prog.o, function f, instruction 0: 'f' calls byte 8 of xdp, where no function begins"],
    ['a call out of everything', one([callTo(0x7fffffff), EXIT]), 'where no function begins'],
    ['a call of itself', one([callTo(-1), EXIT]), 'f'],
    ['a call of an absolute symbol', one([callTo(-1), EXIT], [[0, R_64_32]], (elf) => elf.symbol('abs', 0xfff1, 5, 0)), 'calls byte 5 of section 65521, where no function begins'],
    ['a relocation that patches nothing', one([LDDW, SECOND_HALF, EXIT], [[0, 0], [0, R_64_64]], data), 'f'],
    ['the address of its own middle', one([[0x18, 1, 0, 0, 8], SECOND_HALF, EXIT], [[0, R_64_64]], (elf, code) => elf.symbol('', code, 0, 0, { type: 3, binding: 0 })), "f program-bad-address: prog.o, function f, instruction 0: 'f' takes the address of byte 8 of xdp, where no function begins"],
    ['its own address', one([LDDW, SECOND_HALF, EXIT], [[0, R_64_64]]), 'f'],
    ['a lddw cut in two', one([EXIT, LDDW]), 'elf-bad-relocation: prog.o, function f, instruction 1: a lddw is cut in two by the end of the function'],
    ['a relocation in the middle', one([LDDW, SECOND_HALF, EXIT], [[8, R_64_64]], data), 'a relocation begins inside an instruction'],
    ['a relocation of odd bytes', one([LDDW, SECOND_HALF, EXIT], [[4, R_64_64]], data), 'a relocation begins inside an instruction'],
    ['two relocations of one instruction', one([LDDW, SECOND_HALF, EXIT], [[0, R_64_64], [0, R_64_64]], data), 'two relocations patch one instruction'],
    ['an address in a call', one([callTo(-1), EXIT], [[0, R_64_64]]), "a relocation of type 1 doesn't go with opcode 0x85"],
    ['a call in an address', one([LDDW, SECOND_HALF, EXIT], [[0, R_64_32]]), "a relocation of type 10 doesn't go with opcode 0x18"],
    ['more relocations than words', one([EXIT], Array.from({ length: 9 }, () => [0, R_64_64] as const)), '9 relocations are too many for the 8 bytes of section xdp'],
  ])('%s', (_name, write, expected) => {
    expectOutcome(load(write), expected);
  });
});

describe('maps and data', () => {
  const withMaps = (define: (btf: BtfBuilder) => number, sizeBytes = 8): string =>
    load((elf) => {
      const btf = new BtfBuilder();
      const variable = btf.raw(14, 'm', 0, define(btf), [1]);
      btf.raw(15, '.maps', 1, 0, [variable, 0, sizeBytes]);
      elf.symbol('m', elf.section('.maps', new Uint8Array(sizeBytes)), 0, sizeBytes, { type: 1 });
      elf.section('.BTF', btf.bytes());
    });
  /** A definition with `__uint` members. */
  const uints = (members: Readonly<Record<string, number>>) => (btf: BtfBuilder): number => {
    const int = btf.int('int', 4, 1);
    const fields = Object.entries(members).map(([name, count], i) => [name, btf.ptr(btf.array(int, count)), i * 64] as const);
    return btf.struct('', fields.length * 8, fields);
  };

  test.each<[string, string, string]>([
    ['sound', withMaps(uints({ type: 2 })), ''],
    ['no type', withMaps(uints({ max_entries: 2 })), "map-bad-definition: prog.o, section .maps: map 'm' has no type; define it with __uint, __type and __array of bpf_helpers.h"],
    ['unknown attribute', withMaps(uints({ type: 2, colour: 3 }), 16), "unsupported-map-attribute: prog.o, section .maps: map 'm' has the unknown attribute 'colour'"],
    ['no struct', withMaps((btf) => btf.int('int', 4)), "map 'm' is defined as int, not as a struct"],
    ['no pointer', withMaps((btf) => btf.struct('', 8, [['type', btf.int('int', 4), 0]])), "map 'm' has an attribute 'type' that isn't made with __uint"],
    ['twice', withMaps((btf) => { const p = btf.ptr(btf.array(btf.int('int', 4), 1)); return btf.struct('', 16, [['type', p, 0], ['type', p, 64]]); }, 16), "has the attribute 'type' twice"],
    ['void key', withMaps((btf) => { const p = btf.ptr(btf.array(btf.int('int', 4), 1)); return btf.struct('', 16, [['type', p, 0], ['key', btf.ptr(0), 64]]); }, 16), "map 'm' has a key of type void, which has no size"],
    ['contradiction', withMaps((btf) => {
      const int = btf.int('int', 4);
      const p = btf.ptr(btf.array(int, 8));
      return btf.struct('', 24, [['type', p, 0], ['key', btf.ptr(int), 64], ['key_size', p, 128]]);
    }, 24), "map 'm' says key_size 8, but its key int has 4 bytes"],
  ])('definition: %s', (_name, outcome, expected) => {
    expectOutcome(outcome, expected);
  });

  test.each<[string, (elf: ElfBuilder) => void, string]>([
    ['.maps without BTF', (elf) => void elf.section('.maps', new Uint8Array(8)), 'btf-missing: prog.o, section .maps: maps are defined, but BTF does not describe them; compile with -g'],
    ['a .bss of a terabyte', (elf) => void elf.section('.bss', new Uint8Array(0), { type: 8, sizeBytes: 2 ** 40 }), 'elf-data-too-big: prog.o, section .bss: global data of 1099511627776 bytes is more than 67108864; put large tables into a map'],
    ['two sections of one name', (elf) => { elf.section('.data', new Uint8Array(8)); elf.section('.data', new Uint8Array(8)); }, "map-duplicate: prog.o, section .data: there are two maps '.data'"],
    ['a variable that sticks out', (elf) => void elf.symbol('v', elf.section('.data', new Uint8Array(8)), 4, 8, { type: 1 }), "elf-bad-symbol: prog.o, section .data: variable 'v' ends at byte 12, its section has 8"],
    ['BTF that contradicts the section', (elf) => {
      const btf = new BtfBuilder();
      btf.raw(15, '.data', 1, 0, [btf.raw(14, 'v', 0, btf.int('int', 4), [1]), 8, 4]);
      elf.section('.data', new Uint8Array(8));
      elf.section('.BTF', btf.bytes());
    }, "btf-bad-type: prog.o, section .data: BTF variable 'v' of 4 bytes at byte 8 doesn't fit the section of 8"],
    ['broken BTF', (elf) => void elf.section('.BTF', Uint8Array.of(1, 2, 3)), 'btf-bad-header: prog.o, section .BTF, byte 0: 3 bytes are too few for a BTF header'],
  ])('%s', (_name, write, expected) => {
    expect(load(write)).toContain(expected);
  });
});

describe('made to hurt', () => {
  /** Loads, and says how long it took. */
  function timed(write: (elf: ElfBuilder) => void): { outcome: string; tookMs: number } {
    const elf = new ElfBuilder();
    write(elf);
    const bytes = elf.build();
    const startMs = performance.now();
    const result = loadObjectBytes(bytes, 'prog.o');
    return { outcome: result.ok ? `${result.value.programs.length} programs` : result.problem.code, tookMs: performance.now() - startMs };
  }

  test('sixty thousand sections', () => {
    const { outcome, tookMs } = timed((elf) => {
      for (let i = 0; i < 20_000; i++) {
        const code = elf.code(`xdp/${i}`, [EXIT]);
        elf.symbol(`f${i}`, code, 0, 8);
        elf.section(`.data.${i}`, new Uint8Array(4));
        elf.relocate(code, []);
      }
    });
    expect(outcome).toBe('20000 programs');
    expect(tookMs).toBeLessThan(5000);
  });

  test('a call chain of a hundred thousand functions', () => {
    const elf = new ElfBuilder();
    const count = 100_000;
    const section = elf.code('xdp', Array.from({ length: count }, () => [callTo(1), EXIT]).flat());
    for (let i = 0; i < count; i++) elf.symbol(`f${i}`, section, i * 16, 16, { binding: i === 0 ? 1 : 0 });
    const result = loadObjectBytes(elf.build(), 'prog.o');
    // The last one calls past the end of the section.
    expect(result.ok && programNamed(result.value, 'f0').problem?.code).toBe('program-bad-call');
    expect(result.ok && programNamed(result.value, 'f0').functions.length).toBe(count);
  });

  test('many programs that share one long subprogram', () => {
    const { outcome, tookMs } = timed((elf) => {
      const long = elf.code('.text', Array.from({ length: 200_000 }, () => EXIT));
      const target = elf.symbol('long', long, 0, 200_000 * 8);
      const section = elf.code('xdp', Array.from({ length: 10_000 }, () => [callTo(-1), EXIT]).flat());
      for (let i = 0; i < 10_000; i++) elf.symbol(`p${i}`, section, i * 16, 16);
      elf.relocate(section, Array.from({ length: 10_000 }, (_, i) => [i * 16, R_64_32, target] as const));
    });
    expect(outcome).toBe('object-too-big');
    expect(tookMs).toBeLessThan(5000);
  });

  test('a program longer than the kernel takes', () => {
    const { outcome } = timed((elf) => {
      const insns = 1_000_001;
      elf.symbol('p', elf.code('xdp', Array.from({ length: insns }, () => EXIT)), 0, insns * 8);
    });
    expect(outcome).toBe('program-too-long');
  });
});
