import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Rng } from '../../../src/base/index.js';
import { formatValue } from '../../../src/vm/btf/btfFormat.js';
import { readElf } from '../../../src/vm/elf/readElf.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObject.js';
import type { ObjectSpec } from '../../../src/vm/spec.js';

// Damaged objects: whatever the bytes, the answer is a Result, soon, and what is accepted holds together.

const SEED = 20260701;
const ROUNDS = 60;
const SLOWEST_MS = 1000;

const OBJECTS = [
  'fixtures/programs/tail_calls/tail_calls.o',
  'fixtures/programs/printk/printk.o',
  'fixtures/programs/subprogs/subprogs.o',
  'fixtures/programs/xdp-tools/xdp-dispatcher.o',
  'fixtures/programs/legacy_maps/legacy_maps.o',
  'fixtures/programs/legacy_iproute2/legacy_iproute2.o',
  'test/vm/loader/objects/callbacks.o',
  'test/vm/loader/objects/types.o',
  'test/vm/loader/objects/maps.o',
  'test/vm/loader/objects/sections.o',
  'test/vm/loader/objects/unsupported.o',
];

/** Numbers that break careless arithmetic. */
const HOSTILE = [0, 1, 7, 8, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff];

type Mutation = (bytes: Buffer, rng: Rng) => Buffer;

function flipBits(bytes: Buffer, rng: Rng): Buffer {
  for (let left = 1 + rng.below(8); left > 0; left--) {
    const at = rng.below(bytes.length);
    bytes[at] = bytes[at]! ^ (1 << rng.below(8));
  }
  return bytes;
}

function writeHostile(bytes: Buffer, at: number, rng: Rng): void {
  const value = HOSTILE[rng.below(HOSTILE.length)]!;
  if (at + 8 <= bytes.length && rng.below(3) === 0) bytes.writeBigUInt64LE((BigInt(value) << 32n) | BigInt(rng.nextU32()), at);
  else if (at + 4 <= bytes.length && rng.below(3) !== 0) bytes.writeUInt32LE(value, at);
  else if (at + 2 <= bytes.length) bytes.writeUInt16LE(value & 0xffff, at);
}

/** A word of a section whose contents are counts, offsets and ids. */
function hostileIn(names: RegExp): Mutation {
  return (bytes, rng) => {
    const sections = readElf(bytes, 'seed.o').sections.filter(({ name, bytes: contents }) => names.test(name) && contents.length > 0);
    for (let left = 1 + rng.below(3); left > 0; left--) {
      const section = sections[rng.below(sections.length)]!;
      writeHostile(bytes, section.offBytes + (rng.below(section.sizeBytes) & ~1), rng);
    }
    return bytes;
  };
}

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'flipped bits': flipBits,
  'cut short': (bytes, rng) => bytes.subarray(0, rng.below(bytes.length)),
  'hostile ELF header': (bytes, rng) => (writeHostile(bytes, 16 + (rng.below(48) & ~1), rng), bytes),
  'hostile section headers': (bytes, rng) => {
    const table = bytes.readUInt32LE(40);
    for (let left = 1 + rng.below(3); left > 0; left--) writeHostile(bytes, table + (rng.below(bytes.readUInt16LE(60) * 64) & ~3), rng);
    return bytes;
  },
  'hostile BTF': hostileIn(/^\.BTF$/),
  'hostile line information': hostileIn(/^\.BTF\.ext$/),
  'hostile relocations': hostileIn(/^\.rel(xdp|\d|\.maps)/),
  'hostile symbols': hostileIn(/^\.symtab$/),
  'hostile instructions': hostileIn(/^(xdp|xdp_prog|xdp_entry|\d+\/\d+|\.text)$/),
  'a block moved': (bytes, rng) => {
    const size = 1 + rng.below(64);
    bytes.copyWithin(rng.below(bytes.length - size), rng.below(bytes.length - size), rng.below(bytes.length));
    return bytes;
  },
};

/** Everything that the users of an ObjectSpec rely on. */
function checkSpec(object: ObjectSpec): void {
  const maps = new Map(object.maps.map((map) => [map.name, map]));
  if (maps.size !== object.maps.length) throw new Error('two maps of one name');
  for (const map of object.maps) {
    if (map.initialValue !== undefined) {
      if (map.initialValue.length !== map.valueSize) throw new Error('initial value of another size');
      formatValue(object.btf, map.valueTypeId, map.initialValue);
    }
  }
  for (const { map, offBytes, sizeBytes } of object.variables) {
    if (offBytes + sizeBytes > maps.get(map)!.valueSize) throw new Error('variable outside its map');
  }
  for (const program of object.programs) {
    const count = program.insns.length / 8;
    if (!Number.isInteger(count) || count === 0) throw new Error('no whole instructions');
    for (const { insnIndex, map, kind, offBytes } of program.references) {
      if (program.insns[insnIndex * 8] !== 0x18 || insnIndex + 1 >= count) throw new Error('reference without a lddw');
      if (kind === 'value' && offBytes >= maps.get(map)!.valueSize) throw new Error('reference outside its map');
    }
    for (const { insnIndex, targetInsnIndex } of program.functionReferences ?? []) {
      if (program.insns[insnIndex * 8] !== 0x18 || insnIndex + 1 >= count) throw new Error('address of a function without a lddw');
      if (!program.functions.some((fn) => fn.insnIndex === targetInsnIndex)) throw new Error('address of no function');
    }
    for (const { insnIndex } of [...program.functions, ...program.lines]) if (insnIndex >= count) throw new Error('place outside the program');
  }
}

describe.each(OBJECTS)('%s', (path) => {
  const good = readFileSync(path);

  test.each(Object.keys(MUTATIONS))('%s', (name) => {
    const outcomes = { loaded: 0, refused: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const seed = SEED + round;
      const bytes = MUTATIONS[name]!(Buffer.from(good), new Rng(seed));
      const startMs = performance.now();
      try {
        const result = loadObjectBytes(bytes, 'fuzz.o');
        if (result.ok) checkSpec(result.value);
        else expect(result.problem.where).toMatch(/^fuzz\.o/);
        outcomes[result.ok ? 'loaded' : 'refused']++;
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      const tookMs = performance.now() - startMs;
      if (tookMs > SLOWEST_MS) throw new Error(`seed ${seed}: ${tookMs} ms`);
    }
    expect(outcomes.refused).toBeGreaterThan(0);
  });
});
