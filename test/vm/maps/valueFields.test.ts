import { closeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ENOTSUPP, unwrap } from '../../../src/base/index.js';
import { readBtf } from '../../../src/vm/btf/readBtf.js';
import { valueFieldsOf, withValueFields } from '../../../src/vm/maps/valueFields.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { BtfBuilder } from '../btf/btfBuilder.js';
import { KernelUserMap } from './support/kernelUserMap.js';
import type { MapSpec, ValueField } from '../../../src/vm/spec.js';

const [HASH, ARRAY, PERCPU_ARRAY, LRU_HASH] = [1, 2, 6, 9];
const LOCK: ValueField = { kind: 'bpf_spin_lock', offBytes: 8, sizeBytes: 4 };
const TIMER: ValueField = { kind: 'bpf_timer', offBytes: 8, sizeBytes: 16 };

interface Ids {
  readonly u32: number;
  readonly u64: number;
  readonly lock: number;
  readonly timer: number;
}

/** Name, size of the value, its type, and what is found in it for HASH and ARRAY. */
const VALUES: readonly (readonly [string, number, (b: BtfBuilder, ids: Ids) => number, readonly ValueField[] | undefined])[] = [
  ['a lock behind a number', 16, (b, { u64, lock, u32 }) => b.struct('v', 16, [['a', u64, 0], ['l', lock, 64], ['b', u32, 96]]), [LOCK]],
  ['a lock behind a typedef', 16, (b, { u64, lock, u32 }) => b.struct('v', 16, [['a', u64, 0], ['l', b.typedef('t', lock), 64], ['b', u32, 96]]), undefined],
  ['a lock in a struct behind a typedef', 16, (b, { u64, lock, u32 }) => b.struct('v', 16, [['a', u64, 0], ['s', b.typedef('t', b.struct('s', 8, [['l', lock, 0], ['b', u32, 32]])), 64]]), undefined],
  ['a lock, the value being behind a typedef', 16, (b, { u64, lock, u32 }) => b.typedef('t', b.struct('v', 16, [['a', u64, 0], ['l', lock, 64], ['b', u32, 96]])), [LOCK]],
  ['a lock in a struct in a struct', 16, (b, { u64, lock, u32 }) => b.struct('v', 16, [['a', u64, 0], ['s', b.struct('s', 8, [['i', b.struct('i', 8, [['l', lock, 0], ['b', u32, 32]]), 0]]), 64]]), [LOCK]],
  ['an array of one lock', 16, (b, { u64, lock, u32 }) => b.struct('v', 16, [['a', u64, 0], ['l', b.raw(3, '', 0, 0, [lock, u32, 1]), 64], ['b', u32, 96]]), [LOCK]],
  ['an array of two locks', 16, (b, { u64, u32, lock }) => b.struct('v', 16, [['a', u64, 0], ['l', b.raw(3, '', 0, 0, [lock, u32, 2]), 64]]), undefined],
  ['a lock in a union', 16, (b, { u64, u32, lock }) => b.struct('v', 16, [['a', u64, 0], ['u', b.union('u', 4, [['l', lock, 0], ['n', u32, 0]]), 64], ['b', u32, 96]]), undefined],
  ['nothing but a lock', 4, (_, { lock }) => lock, undefined],
  ['no lock', 8, (b, { u64 }) => b.struct('v', 8, [['a', u64, 0]]), undefined],
  ['a timer', 24, (b, { u64, timer }) => b.struct('v', 24, [['a', u64, 0], ['t', timer, 64]]), [TIMER]],
  ['a lock and a timer', 32, (b, { lock, timer, u32, u64 }) => b.struct('v', 32, [['l', lock, 0], ['n', u32, 32], ['t', timer, 64], ['b', u64, 192]]), [{ ...LOCK, offBytes: 0 }, TIMER]],
];

function typesOf(build: (b: BtfBuilder, ids: Ids) => number): { readonly bytes: Uint8Array; readonly keyTypeId: number; readonly valueTypeId: number } {
  const b = new BtfBuilder();
  const u32 = b.int('unsigned int', 4);
  const u64 = b.int('unsigned long', 8);
  const lock = b.struct('bpf_spin_lock', 4, [['val', u32, 0]]);
  const timer = b.struct('bpf_timer', 16, [['a', u64, 0], ['b', u64, 64]]);
  const valueTypeId = build(b, { u32, u64, lock, timer });
  return { bytes: b.bytes(), keyTypeId: u32, valueTypeId };
}

const specOf = (type: number, valueSize: number, keyTypeId: number, valueTypeId: number, flags = 0): MapSpec =>
  map('m', type, 4, valueSize, 2, { flags, keyTypeId, valueTypeId });

describe('what the kernel keeps in values', () => {
  it.each(VALUES)('%s', (_, valueSize, build, expected) => {
    const { bytes, keyTypeId, valueTypeId } = typesOf(build);
    const btf = unwrap(readBtf(bytes, 'test'));
    for (const type of [HASH, ARRAY]) expect(valueFieldsOf(specOf(type, valueSize, keyTypeId, valueTypeId), btf)).toEqual(expected);
    expect(valueFieldsOf(specOf(PERCPU_ARRAY, valueSize, keyTypeId, valueTypeId), btf)).toBeUndefined();
    expect(valueFieldsOf(specOf(LRU_HASH, valueSize, keyTypeId, valueTypeId), btf)).toEqual(expected?.some(({ kind }) => kind === 'bpf_spin_lock') ? undefined : expected);
    expect(valueFieldsOf(specOf(ARRAY, valueSize, keyTypeId, valueTypeId, 128), btf)).toBeUndefined();
  });

  it('two locks, or one at an odd place, are none', () => {
    const wrong: readonly ((b: BtfBuilder, ids: Ids) => number)[] = [
      (b, { lock }) => b.struct('v', 8, [['l', lock, 0], ['m', lock, 32]]),
      (b, { lock, u32 }) => b.struct('v', 9, [['a', u32, 0], ['l', lock, 40]]),
    ];
    for (const build of wrong) {
      const { bytes, keyTypeId, valueTypeId } = typesOf(build);
      expect(valueFieldsOf(specOf(ARRAY, 9, keyTypeId, valueTypeId), unwrap(readBtf(bytes, 'test')))).toBeUndefined();
    }
  });

  it('types nested in a hostile way cost no time', () => {
    const doubled = (depth: number, withLock: boolean) => typesOf((b, { u32, lock }) => {
      let inner = withLock ? b.struct('v', 4, [['l', lock, 0]]) : b.struct('v', 4, [['a', u32, 0]]);
      for (let level = 1; level <= depth; level++) inner = b.struct(`v${level}`, 4 * 2 ** level, [['x', inner, 0], ['y', inner, 32 * 2 ** (level - 1)]]);
      return inner;
    });
    for (const withLock of [true, false]) {
      const { bytes, keyTypeId, valueTypeId } = doubled(20, withLock);
      const spec = specOf(ARRAY, 4 * 2 ** 20, keyTypeId, valueTypeId);
      expect(withValueFields([spec], unwrap(readBtf(bytes, 'test')))[0]!.valueFields).toBeUndefined();
    }
  });
});

withKernel('what the kernel keeps in values, against the kernel', (kernel) => {
  // A map with such fields can't be frozen, and reads as zeros where they are.
  it.each(VALUES)('%s', (_, valueSize, build, expected) => {
    const { bytes, keyTypeId, valueTypeId } = typesOf(build);
    const fd = kernel.btfLoad(bytes, undefined);
    expect(fd).toBeGreaterThan(0);
    try {
      for (const type of [HASH, ARRAY]) {
        using theirs = new KernelUserMap(kernel, specOf(type, valueSize, keyTypeId, valueTypeId), { btf: { fd, keyTypeId, valueTypeId } });
        const value = new Uint8Array(valueSize).fill(0xff);
        expect(theirs.update(new Uint8Array(4), value)).toBe(0);
        for (const { offBytes, sizeBytes } of expected ?? []) value.fill(0, offBytes, offBytes + sizeBytes);
        expect(theirs.lookup(new Uint8Array(4)).value).toEqual(value);
        expect(theirs.freeze()).toBe(expected === undefined ? 0 : -ENOTSUPP);
      }
    } finally {
      closeSync(fd);
    }
  });
});
