import { closeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { E2BIG, EEXIST, EINVAL, ENODEV, ENOENT, ENOMEM, EOVERFLOW, errnoName, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { KernelMap, KernelObject } from '../../../src/replay/index.js';
import type { KernelBpf } from '../../../src/replay/index.js';
import { AccessTable } from '../../../src/vm/accessTable.js';
import { VM_STATE_BYTES } from '../../../src/vm/layout.js';
import { createMap } from '../../../src/vm/maps/mapTypes.js';
import type { ProgramEntryMap } from '../../../src/vm/maps/programEntry.js';
import { placeProgram } from '../../../src/vm/program.js';
import type { LoadedProgram } from '../../../src/vm/program.js';
import type { MapSpec, ObjectSpec, ProgramSpec } from '../../../src/vm/spec.js';
import { bytes, exit, map, movImm, object, program } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc } from '../../support/property.js';
import { expectSameAsKernel, KernelPair, TestMachine, testEnvironment, textObject } from '../support/differential.js';
import { hex, u32 } from './support/liveMap.js';

const [DEVMAP, CPUMAP, DEVMAP_HASH] = [14, 16, 25];
const TYPES = [['DEVMAP', DEVMAP], ['DEVMAP_HASH', DEVMAP_HASH], ['CPUMAP', CPUMAP]] as const;
const CPUS = 2;
const LOOPBACK = 1;

/** What only the loopback interface makes true, as on the machine that the kernel is asked on. */
const isLoopback = (ifindex: number): boolean => ifindex === LOOPBACK;

interface Host {
  readonly possibleCpus: number;
  readonly isDevice?: (ifindex: number) => boolean;
}

function make(spec: MapSpec, host: Host = { possibleCpus: CPUS, isDevice: isLoopback }) {
  const memory = new HostMemory(4);
  const accessTable = new AccessTable(memory, memory.reserve('state', VM_STATE_BYTES));
  return { memory, created: createMap(spec, { memory, accessTable, id: 1, ...host }) };
}

const live = (spec: MapSpec, host?: Host): ProgramEntryMap => unwrap(make(spec, host).created) as ProgramEntryMap;

const pair = (first: number, second: number): Uint8Array => new Uint8Array(Int32Array.of(first | 0, second).buffer);

describe.each(TYPES)('%s, created', (name, type) => {
  const errnoOf = (spec: MapSpec): string => {
    const { created } = make(spec);
    return created.ok ? 'OK' : /\((E\w+)\)/.exec(created.problem.message)![1];
  };

  it.each([
    [4, 4, 4, 0, 'OK'], [4, 8, 4, 0, 'OK'], [4, 0, 4, 0, 'EINVAL'], [4, 6, 4, 0, 'EINVAL'], [4, 12, 4, 0, 'EINVAL'], [8, 4, 4, 0, 'EINVAL'],
    [0, 4, 4, 0, 'EINVAL'], [4, 4, 0, 0, 'EINVAL'],
    ...Array.from({ length: 20 }, (_, bit) => [4, 4, 4, 2 ** bit, bit === 2 || (type !== CPUMAP && (bit === 3 || bit === 4)) ? 'OK' : 'EINVAL'] as const),
    [4, 4, 4, 24, 'EINVAL'],
    [4, 4, 8193, 0, type === CPUMAP ? 'E2BIG' : 'OK'],
  ] as const)('key %i, value %i, %i entries, flags 0x%i: %s', (keySize, valueSize, maxEntries, flags, expected) => {
    expect(errnoOf(map('m', type, keySize, valueSize, maxEntries, { flags }))).toBe(expected);
  });

  it('asks for its size where the source leaves that to user space', () => {
    expect(make(map('m', type, 4, 4, 0)).created).toMatchObject({ ok: false, problem: { code: 'map-invalid', hint: expect.stringContaining('--map-size') } });
  });

  it(`${name} of more entries than its buckets can be counted for`, () => {
    if (type === DEVMAP_HASH) expect(errnoOf(map('m', type, 4, 4, 2 ** 31 + 1))).toBe('EINVAL');
  });

  withKernel('against the kernel', (kernel) => {
    it('the same errno', () => {
      const sizes = [0, 4, 6, 8, 12];
      const flags = [0, ...Array.from({ length: 20 }, (_, bit) => 2 ** bit), 24];
      const counts = [0, 1, 4, 64, 8193];
      for (const keySize of [0, 4, 8]) for (const valueSize of sizes) for (const flag of flags) for (const count of counts) {
        const spec = map('m', type, keySize, valueSize, count, { flags: flag });
        const fd = kernel.mapCreate(spec);
        if (fd >= 0) closeSync(fd);
        expect([keySize, valueSize, flag, count, errnoOf(spec)]).toEqual([keySize, valueSize, flag, count, fd >= 0 ? 'OK' : errnoName(fd)]);
      }
    });
  });
});

/** Programs of every kind that could be put into an entry. */
const KINDS = (['xdp', 'devmap', 'cpumap'] as const).flatMap((attachType) => [false, true].map((frags) => ({ attachType, frags })));
const PROGRAMS: readonly ProgramSpec[] = KINDS.map(({ attachType, frags }) => program(`${attachType}_${frags}`, [movImm(0, 2), exit], { attachType, frags }));

const key = fc.oneof({ weight: 6, arbitrary: fc.nat(4) }, fc.constantFrom(5, 8, 9, 16, 64, 0x7fffffff, 0xffffffff));
const target = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(0, 1, 1, 1) }, fc.constantFrom(16384, 16385, 99998, 99999, 0x80000000, 0xffffffff));
const flags = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.constantFrom(1, 2, 3, 4, 8, 0x80000000));
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ op: fc.constant('update' as const), key, target, fd: fc.constantFrom(0, 0, 0, -1, 99999), flags }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('program' as const), key, target, kind: fc.nat(KINDS.length - 1), flags }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
  ),
  { maxLength: 30 },
);
const valueSizes = fc.constantFrom(4, 8);

/** A plain model: what is in each key, and the kind of program that the map has taken first. */
class Model {
  readonly entries = new Map<number, { readonly target: number; readonly id: number }>();
  #frags: boolean | undefined;
  readonly #type: number;
  readonly #maxEntries: number;

  constructor(type: number, maxEntries: number) {
    this.#type = type;
    this.#maxEntries = maxEntries;
  }

  update(key: number, target: number, program: ProgramSpec | 'unknown' | undefined, id: number, flags: number): number {
    const isHash = this.#type === DEVMAP_HASH;
    if (flags > 2) return -EINVAL;
    if (isHash) {
      if (target === 0) return -EINVAL;
      if (flags === 1 && this.entries.has(key)) return -EEXIST;
    } else {
      if (key >= this.#maxEntries) return -E2BIG;
      if (flags === 1) return -EEXIST;
    }
    if (this.#type === CPUMAP) {
      if (target > 16384) return -EOVERFLOW;
      if (key >= CPUS) return -ENODEV;
    } else if (target !== 0 && target !== LOOPBACK) return -EINVAL;
    if (target === 0) {
      if (program !== undefined && this.#type === DEVMAP) return -EINVAL;
      this.entries.delete(key);
      return 0;
    }
    if (program !== undefined && !this.#takes(program)) return this.#type === CPUMAP ? -ENOMEM : -EINVAL;
    if (isHash && !this.entries.has(key) && this.entries.size === this.#maxEntries) return -E2BIG;
    this.entries.set(key, { target, id });
    return 0;
  }

  delete(key: number): number {
    if (this.#type === DEVMAP_HASH) return this.entries.delete(key) ? 0 : -ENOENT;
    if (key >= this.#maxEntries) return -EINVAL;
    this.entries.delete(key);
    return 0;
  }

  #takes(program: ProgramSpec | 'unknown'): boolean {
    if (program === 'unknown' || program.attachType !== (this.#type === CPUMAP ? 'cpumap' : 'devmap')) return false;
    this.#frags ??= program.frags;
    return this.#frags === program.frags;
  }
}

describe.each(TYPES)('%s', (_, type) => {
  it('is what a plain model says', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), valueSizes, steps, (maxEntries, valueSize, run) => {
        const { memory, created } = make(map('m', type, 4, valueSize, maxEntries));
        const ours = unwrap(created) as ProgramEntryMap;
        const model = new Model(type, maxEntries);
        const loaded = PROGRAMS.map((spec, i): LoadedProgram => placeProgram(memory, spec, i + 1, new Map()));
        for (const step of run) {
          if (step.op === 'delete') {
            expect(ours.deleteBytes(u32(step.key))).toBe(model.delete(step.key));
          } else if (step.op === 'update') {
            const value = pair(step.target, step.fd).subarray(0, valueSize);
            const named = valueSize === 8 && step.fd > 0 ? 'unknown' : undefined;
            expect(ours.updateBytes(u32(step.key), value, step.flags)).toBe(model.update(step.key, step.target, named, 0, step.flags));
          } else if (valueSize === 8) {
            const { kind } = step;
            expect(ours.updateEntry(u32(step.key), step.target, loaded[kind], step.flags)).toBe(
              model.update(step.key, step.target, PROGRAMS[kind], kind + 1, step.flags),
            );
          }
        }
        const expected = [...model.entries].map(([at, { target: first, id }]) => `${hex(u32(at))}=${hex(pair(first, id).subarray(0, valueSize))}`);
        expect([...ours.entries()].map((entry) => `${hex(entry.key)}=${hex(entry.value)}`).sort()).toEqual(expected.sort());
        for (let at = 0; at < 10; at++) {
          const entry = model.entries.get(at);
          expect(ours.lookupBytes(u32(at))).toEqual(entry === undefined ? undefined : pair(entry.target, entry.id).subarray(0, valueSize));
          const address = ours.redirectTarget(at);
          expect(address === 0 ? undefined : [memory.u32[address >>> 2], memory.u32[(address >>> 2) + 1]]).toEqual(entry && [entry.target, entry.id]);
        }
        const walked = Array.from({ length: ours.slotCount }, (__, slot) => ours.slotTarget(slot)).filter((address) => address !== 0);
        expect(new Set(walked).size).toBe(model.entries.size);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses keys and values of other sizes', () => {
    const ours = live(map('m', type, 4, 8, 4));
    expect(ours.updateBytes(u32(0), u32(1), 0)).toBe(-EINVAL);
    expect(ours.updateBytes(new Uint8Array(8), pair(1, 0), 0)).toBe(-EINVAL);
    expect(ours.lookupBytes(new Uint8Array(2))).toBeUndefined();
    expect(ours.deleteBytes(new Uint8Array(2))).toBe(-EINVAL);
  });

  it('has no room for a program in values of 4 bytes', () => {
    const { memory, created } = make(map('m', type, 4, 4, 4));
    const loaded = placeProgram(memory, PROGRAMS[type === CPUMAP ? 4 : 2], 1, new Map());
    expect((unwrap(created) as ProgramEntryMap).updateEntry(u32(0), 1, loaded, 0)).toBe(type === CPUMAP ? -ENOMEM : -EINVAL);
  });
});

describe('interfaces', () => {
  it.each([DEVMAP, DEVMAP_HASH])('type %i: without knowledge of the devices every positive int is one', (type) => {
    const ours = live(map('m', type, 4, 4, 4), { possibleCpus: 1 });
    expect([1, 7, 0x7fffffff].map((ifindex) => ours.updateBytes(u32(0), u32(ifindex), 0))).toEqual([0, 0, 0]);
    expect(ours.updateBytes(u32(0), u32(0x80000000), 0)).toBe(-EINVAL);
  });

  it('the environment says which there are', () => {
    const text = textObject('r0 = 0\nexit', [map('m', DEVMAP, 4, 4, 4)]);
    const { loaded } = new TestMachine(text, testEnvironment({ isDevice: (ifindex) => ifindex === 7 }));
    expect([1, 7].map((ifindex) => loaded.maps.get('m')!.updateBytes(u32(0), u32(ifindex), 0))).toEqual([-EINVAL, 0]);
  });
});

withKernel('DEVMAP, DEVMAP_HASH and CPUMAP, against the kernel', (kernel) => {
  it.each(TYPES)('%s: user space sees the same, in the same order', (_, type) => {
    using programs = new KernelObject(kernel, object(PROGRAMS));
    const fds = PROGRAMS.map(({ name }) => unwrap(programs.loadProgram(name)).fd);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), valueSizes, steps, (maxEntries, valueSize, run) => {
        const spec = map('m', type, 4, valueSize, maxEntries);
        const { memory, created } = make(spec, { possibleCpus: kernel.possibleCpus, isDevice: isLoopback });
        const ours = unwrap(created) as ProgramEntryMap;
        const theirs = new KernelMap(kernel, spec, kernel.mapCreate(spec));
        const loaded = PROGRAMS.map((each, i): LoadedProgram => placeProgram(memory, each, i + 1, new Map()));
        for (const step of run) {
          if (step.op === 'delete') {
            expect(errnoName(ours.deleteBytes(u32(step.key)))).toBe(errnoName(theirs.deleteBytes(u32(step.key))));
          } else if (step.op === 'update') {
            const value = pair(step.target, step.fd).subarray(0, valueSize);
            expect([step, ours.updateBytes(u32(step.key), value, step.flags)]).toEqual([step, theirs.updateBytes(u32(step.key), value, step.flags)]);
          } else if (valueSize === 8) {
            const result = theirs.updateBytes(u32(step.key), pair(step.target, fds[step.kind]), step.flags);
            expect([step, ours.updateEntry(u32(step.key), step.target, loaded[step.kind], step.flags)]).toEqual([step, result]);
          }
        }
        expect([...ours.entries()].map(shown)).toEqual([...theirs.entries()].map(shown));
        theirs.close();
      }),
      { numRuns: type === CPUMAP ? 25 : 150 },
    );
  }, 60_000);

  const lookup = 'r1 = map m\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto out';

  it.each([[DEVMAP, 4], [DEVMAP, 8], [DEVMAP_HASH, 4], [DEVMAP_HASH, 8]])('type %i with values of %i bytes: programs read entries', (type, valueSize) => {
    for (const at of [0, 1, 9]) {
      const text = `*(u32 *)(r10 - 4) = ${at}\n${lookup}\nr0 = *(u${valueSize * 8} *)(r0 + 0)\nr0 += 5\nout: exit`;
      using both = filledPair(kernel, textObject(text, [map('m', type, 4, valueSize, 4)]));
      both.run({ data: bytes(64) });
    }
  });

  it.each([
    ['a store into an entry', DEVMAP, `*(u32 *)(r10 - 4) = 0\n${lookup}\n*(u32 *)(r0 + 0) = 1\nr0 = 0\nout: exit`],
    ['a load beyond it', DEVMAP, `*(u32 *)(r10 - 4) = 0\n${lookup}\nr0 = *(u32 *)(r0 + 4)\nout: exit`],
    ['an update', DEVMAP, '*(u64 *)(r10 - 8) = 1\nr1 = map m\nr2 = r10\nr2 += -8\nr3 = r2\nr4 = 0\ncall 2\nr0 = 0\nexit'],
    ['a deletion', DEVMAP_HASH, '*(u32 *)(r10 - 4) = 0\nr1 = map m\nr2 = r10\nr2 += -4\ncall 3\nr0 = 0\nexit'],
    ['a look-up in a CPUMAP', CPUMAP, `*(u32 *)(r10 - 4) = 0\n${lookup}\nr0 = 0\nout: exit`],
  ])('%s is refused on both sides', (_, type, text) => {
    const spec = textObject(text, [map('m', type, 4, 4, 4)]);
    const machine = new TestMachine(spec);
    machine.loaded.maps.get('m')!.updateBytes(u32(0), u32(1), 0);
    expect(machine.run({ data: bytes(64) }).fault).toBeDefined();
    using theirs = new KernelObject(kernel, spec);
    expect(theirs.loadProgram('main')).toMatchObject({ ok: false, problem: { code: 'kernel-program-refused' } });
  });

  const REDIRECT_FLAGS = [0, 1, 2, 3, 4, 8, 10, 16, 18, 24, 27, 32, 40, 64];
  it.each(TYPES)('bpf_redirect_map on a %s', (_, type) => {
    for (const at of [0, 3, 9]) for (const flag of [...REDIRECT_FLAGS, '0x100000008 ll']) {
      using both = filledPair(kernel, textObject(`r1 = map m\nr2 = ${at}\nr3 = ${flag}\ncall 51\nexit`, [map('m', type, 4, 8, 4)]));
      both.run({ data: bytes(64) });
    }
  });

  // Which program ties the map to its kind: one that uses it, or one that was put into it.
  it.each(TYPES.flatMap(([name, type]) => [[name, type, false, true], [name, type, true, false], [name, type, true, true]] as const))(
    '%s (type %i): user with fragments %s, program in an entry %s',
    (_, type, userFrags, entryFrags) => {
      const base = textObject('r1 = map m\nr2 = 0\nr3 = 0\ncall 51\nexit', [map('m', type, 4, 8, 4)]);
      const second = program('second', [movImm(0, 2), exit], { attachType: type === CPUMAP ? 'cpumap' : 'devmap', frags: entryFrags });
      const spec = { ...base, programs: [{ ...base.programs[0], frags: userFrags }, second] };
      const { loaded } = new TestMachine(spec, testEnvironment({ isDevice: isLoopback }));
      using theirs = new KernelObject(kernel, spec);
      expect(theirs.loadProgram('main').ok).toBe(true);
      const fd = unwrap(theirs.loadProgram('second')).fd;
      const result = (loaded.maps.get('m') as ProgramEntryMap).updateEntry(u32(0), 1, loaded.program('second'), 0);
      expect(errnoName(result)).toBe(errnoName(unwrap(theirs.map('m')).updateBytes(u32(0), pair(1, fd), 0)));
    },
  );

  it('an empty map: no entry, no redirect', () => {
    for (const [, type] of TYPES) expectSameAsKernel(kernel, textObject('r1 = map m\nr2 = 0\nr3 = 2\ncall 51\nexit', [map('m', type, 4, 8, 4)]), { data: bytes(64) });
  });
});

/** Ids of programs differ between machines: whether there is one doesn't. */
function shown({ key: at, value }: { readonly key: Uint8Array; readonly value: Uint8Array }): string {
  return `${hex(at)}=${hex(value.subarray(0, 4))} ${value.length === 8 ? value.subarray(4).some((byte) => byte !== 0) : ''}`;
}

/** Entry 0 is loopback or CPU 0, on both sides. */
function filledPair(kernel: KernelBpf, spec: ObjectSpec): KernelPair {
  const both = new KernelPair(kernel, spec);
  both.update('m', u32(0), pair(1, 0).subarray(0, spec.maps[0].valueSize));
  return both;
}
