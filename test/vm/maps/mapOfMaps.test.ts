import { closeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { E2BIG, EBADF, EEXIST, EINVAL, ENOENT, errnoName, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { KernelMap } from '../../../src/replay/kernelMap.js';
import type { KernelBpf } from '../../../src/replay/index.js';
import { FAULT_ACCESS, FAULT_HELPER_ARGUMENT, fitsTemplate, isMapOfMaps, mapTypeName, Vm } from '../../../src/vm/index.js';
import type { BpfMap, MapOfMaps, MapSpec } from '../../../src/vm/index.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc } from '../../support/property.js';
import { expectSameAsKernel, TestMachine, testEnvironment, textObject } from '../support/differential.js';
import { hex, u32 } from './support/liveMap.js';

const [HASH, ARRAY, PROG_ARRAY, LPM_TRIE, ARRAY_OF_MAPS, HASH_OF_MAPS, XSKMAP, QUEUE, BLOOM_FILTER] = [1, 2, 3, 11, 12, 13, 17, 22, 30];
const BPF_F_INNER_MAP = 1 << 12;
const TYPES = [['ARRAY_OF_MAPS', ARRAY_OF_MAPS], ['HASH_OF_MAPS', HASH_OF_MAPS]] as const;
const NO_FD = 999_999;

const template = map('template', ARRAY, 4, 8, 2);
const newVm = (): Vm => new Vm({ memory: new HostMemory(16), environment: testEnvironment() });

function make(vm: Vm, type: number, maxEntries: number, more: Partial<MapSpec> = {}): MapOfMaps {
  const outer = unwrap(vm.createMap(map('outer', type, 4, 4, maxEntries, { innerMap: template, ...more })));
  if (!isMapOfMaps(outer)) throw new TypeError('make: no map of maps');
  return outer;
}

describe('maps of maps, from user space', () => {
  it.each(TYPES)('%s: takes a live map or its id, and gives the id', (_, type) => {
    const vm = newVm();
    const [outer, first, second] = [make(vm, type, 2), unwrap(vm.createMap(template)), unwrap(vm.createMap(template))];
    expect([outer.lookupBytes(u32(1)), outer.innerMap(u32(1))]).toEqual([undefined, undefined]);
    expect(outer.setMap(u32(1), first)).toBe(0);
    expect(outer.lookupBytes(u32(1))).toEqual(u32(first.id));
    expect(outer.updateBytes(u32(1), u32(second.id), 0)).toBe(0);
    expect(outer.innerMap(u32(1))).toBe(second);
    expect([...outer.entries()]).toEqual([{ key: u32(1), value: u32(second.id) }]);
    expect(outer.deleteBytes(u32(1))).toBe(0);
    expect([...outer.entries()]).toEqual([]);
  });

  it('names what is missing or wrong in a definition', () => {
    const vm = newVm();
    const refusalOf = (innerMap: MapSpec | undefined) => vm.createMap(map('outer', ARRAY_OF_MAPS, 4, 4, 1, innerMap === undefined ? {} : { innerMap }));
    expect(refusalOf(undefined)).toMatchObject({ problem: { code: 'map-invalid', message: expect.stringContaining('(EBADF)'), hint: expect.stringContaining('__array(values') } });
    expect(refusalOf(map('i', ARRAY_OF_MAPS, 4, 4, 1))).toMatchObject({ problem: { code: 'map-invalid', message: expect.stringContaining('map of maps itself') } });
    expect(refusalOf(map('i', PROG_ARRAY, 4, 4, 1))).toMatchObject({ problem: { code: 'map-invalid', message: expect.stringContaining('(ENOTSUPP)') } });
    expect(refusalOf(map('i', ARRAY, 4, 8, 0))).toMatchObject({ problem: { code: 'map-invalid', message: expect.stringContaining('map i (EINVAL): max_entries is 0') } });
    expect(refusalOf(map('i', 7, 4, 8, 1))).toMatchObject({ problem: { code: 'unsupported-map-type', message: expect.stringContaining('map i') } });
  });

  it('a definition is tried without a trace', () => {
    const memory = new HostMemory(16);
    const vm = new Vm({ memory, environment: testEnvironment() });
    const mark = memory.mark();
    expect(vm.createMap(map('outer', ARRAY_OF_MAPS, 4, 4, 1, { innerMap: map('i', ARRAY, 4, 8, 100_000) })).ok).toBe(true);
    expect(memory.mark() - mark).toBeLessThan(1000);
  });
});

describe('maps of maps, in an object', () => {
  const inner = (name: string): MapSpec => map(name, ARRAY, 4, 8, 2);
  const outer = (more: Partial<MapSpec> = {}): MapSpec => map('outer', ARRAY_OF_MAPS, 4, 4, 2, { innerMap: template, ...more });
  const find = (text: string): string => `*(u32 *)(r10 - 4) = 1\nr1 = map outer\nr2 = r10\nr2 += -4\ncall 1\n${text}`;

  it('the pointer to an inner map is for helpers only', () => {
    const initialMaps = [{ index: 1, map: 'a' }];
    const read = new TestMachine(textObject(find('if r0 == 0 goto out\nr0 = *(u32 *)(r0 + 0)\nout: exit'), [inner('a'), outer({ initialMaps })]));
    expect(read.run({ data: new Uint8Array(64) }).fault?.code).toBe(FAULT_ACCESS);
    const asKey = new TestMachine(textObject(find('if r0 == 0 goto out\nr2 = r0\nr1 = map a\ncall 1\nout: exit'), [inner('a'), outer({ initialMaps })]));
    expect(asKey.run({ data: new Uint8Array(64) }).fault?.code).toBe(FAULT_HELPER_ARGUMENT);
  });

  it.each([2, 3])('programs may not call helper %i on it', (helper) => {
    const text = `*(u64 *)(r10 - 8) = 0\nr1 = map outer\nr2 = r10\nr2 += -8\nr3 = r2\nr4 = 0\ncall ${helper}\nexit`;
    expect(new TestMachine(textObject(text, [outer()])).run({ data: new Uint8Array(64) }).fault?.code).toBe(FAULT_HELPER_ARGUMENT);
  });

  it('a map that is made at run time can be put in', () => {
    const text = find('if r0 == 0 goto out\n*(u32 *)(r10 - 4) = 0\nr1 = r0\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nout: exit');
    const machine = new TestMachine(textObject(text, [outer()]));
    const made = unwrap(machine.loaded.createMap(inner('made')));
    expect(made.updateBytes(u32(0), Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0), 0)).toBe(0);
    expect(machine.run({ data: new Uint8Array(64) }).retval).toBe(0);
    expect((machine.loaded.maps.get('outer') as MapOfMaps).setMap(u32(1), made)).toBe(0);
    expect(machine.run({ data: new Uint8Array(64) }).retval).toBe(7);
  });

  it('a map that does not fit stops the load', () => {
    const vm = newVm();
    const spec = textObject('r0 = 2\nexit', [map('a', ARRAY, 4, 8, 3), outer({ initialMaps: [{ index: 1, map: 'a' }] })]);
    expect(vm.load(spec)).toMatchObject({ problem: { code: 'inner-map-mismatch', message: expect.stringContaining('map a can\'t be put into slot 1 of map outer (EINVAL)') } });
  });
});

/** A map as a plain list; an inner map is its number. */
class Model {
  readonly entries = new Map<number, number>();
  readonly #isArray: boolean;
  readonly #maxEntries: number;

  constructor(type: number, maxEntries: number) {
    this.#isArray = type === ARRAY_OF_MAPS;
    this.#maxEntries = maxEntries;
  }

  put(key: number, inner: Inner, flags: number): number {
    if ((flags & 4) !== 0) return -EINVAL;
    if (this.#isArray && flags !== 0) return -EINVAL;
    if (this.#isArray && key >= this.#maxEntries) return -E2BIG;
    if (inner === 'none') return -EBADF;
    if (inner === 'other size') return -EINVAL;
    if (flags > 2) return -EINVAL;
    if (this.entries.has(key) && flags === 1) return -EEXIST;
    if (!this.entries.has(key) && flags === 2) return -ENOENT;
    if (!this.entries.has(key) && this.entries.size === this.#maxEntries) return -E2BIG;
    this.entries.set(key, inner === 'a' ? 0 : 1);
    return 0;
  }

  remove(key: number): number {
    if (this.#isArray && key >= this.#maxEntries) return -E2BIG;
    return this.entries.delete(key) ? 0 : -ENOENT;
  }
}

type Inner = 'a' | 'b' | 'other size' | 'none';
const command = fc.record({
  op: fc.constantFrom('put', 'put', 'remove'),
  key: fc.integer({ min: 0, max: 4 }),
  inner: fc.oneof({ weight: 3, arbitrary: fc.constantFrom<Inner>('a', 'b') }, { weight: 1, arbitrary: fc.constantFrom<Inner>('other size', 'none') }),
  flags: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.integer({ min: 0, max: 8 }) }),
});

withKernel('maps of maps, against the kernel', (kernel) => {
  const create = (spec: MapSpec, innerMapFd?: number): KernelMap => {
    const fd = kernel.mapCreate({ ...spec, innerMapFd });
    if (fd < 0) throw new Error(`create: ${spec.name}: ${errnoName(fd)}`);
    return new KernelMap(kernel, spec, fd);
  };

  it.each(TYPES)('%s: any operations give the same errno and entries as the kernel and as a model', (_, type) => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 25 }), fc.integer({ min: 1, max: 4 }), fc.boolean(), (commands, maxEntries, noPrealloc) => {
        const flags = noPrealloc && type === HASH_OF_MAPS ? 1 : 0;
        const vm = newVm();
        const ours = make(vm, type, maxEntries, { flags });
        const inners = [template, template, map('other', ARRAY, 4, 8, 3)];
        const live: readonly BpfMap[] = inners.map((spec) => unwrap(vm.createMap(spec)));
        const theirInners = inners.map((spec) => create(spec));
        const theirs = create(map('outer', type, 4, 4, maxEntries, { flags }), theirInners[0]!.fd);
        const model = new Model(type, maxEntries);
        try {
          for (const { op, key, inner, flags: updateFlags } of commands) {
            const index = { a: 0, b: 1, 'other size': 2, none: 3 }[inner];
            const results = op === 'remove'
              ? [model.remove(key), ours.deleteBytes(u32(key)), theirs.deleteBytes(u32(key))]
              : [
                  model.put(key, inner, updateFlags),
                  ours.updateBytes(u32(key), u32(live[index]?.id ?? NO_FD), updateFlags),
                  theirs.updateBytes(u32(key), u32(theirInners[index]?.fd ?? NO_FD), updateFlags),
                ];
            expect(results.map(errnoName)).toEqual([errnoName(results[0]!), errnoName(results[0]!), errnoName(results[0]!)]);
          }
          const entries = [...model.entries].map(([key, inner]) => [hex(u32(key)), inner]).sort();
          expect([...ours.entries()].map(({ key }) => [hex(key), live.indexOf(ours.innerMap(key)!)]).sort()).toEqual(entries);
          const ids = [...theirs.entries()].map(({ key, value }) => [hex(key), idsOf(kernel, theirInners).indexOf(hex(value))]).sort();
          expect(ids).toEqual(entries);
        } finally {
          for (const each of [theirs, ...theirInners]) each.close();
        }
      }),
      // The kernel lets an RCU grace period pass with each change.
      { numRuns: 30 },
    );
  }, 60_000);

  it('the same definitions are refused, for the same errno', () => {
    const inner = create(template);
    const definitions = [
      ...Array.from({ length: 18 }, (_, bit) => [4, 4, 2, 1 << bit] as const),
      [4, 4, 2, 0], [4, 4, 2, 0x18], [4, 4, 2, 0x180], [0, 4, 2, 0], [8, 4, 2, 0], [513, 4, 2, 0], [4, 8, 2, 0], [4, 1, 2, 0], [4, 0, 2, 0], [4, 4, 0, 0],
    ] as const;
    try {
      for (const [, type] of TYPES) {
        for (const [keySize, valueSize, maxEntries, flags] of definitions) {
          const spec = map('outer', type, keySize, valueSize, maxEntries, { flags });
          for (const innerMap of [template, undefined]) {
            const fd = kernel.mapCreate({ ...spec, innerMapFd: innerMap === undefined ? undefined : inner.fd });
            if (fd >= 0) closeSync(fd);
            const ours = newVm().createMap(innerMap === undefined ? spec : { ...spec, innerMap });
            const theirs = fd < 0 ? `(${errnoName(fd)})` : 'ok';
            expect([type, keySize, valueSize, maxEntries, flags, ours.ok ? 'ok' : ours.problem.message]).toEqual([
              type, keySize, valueSize, maxEntries, flags, expect.stringContaining(theirs),
            ]);
          }
        }
      }
    } finally {
      inner.close();
    }
  });

  it('the same inner maps fit', () => {
    const bases = [
      map('hash', HASH, 4, 4, 2), map('array', ARRAY, 4, 4, 2), map('inner array', ARRAY, 4, 4, 2, { flags: BPF_F_INNER_MAP }), map('percpu hash', 5, 4, 4, 2),
      map('percpu array', 6, 4, 4, 2), map('lru', 9, 4, 4, 2), map('percpu lru', 10, 4, 4, 2), map('trie', LPM_TRIE, 8, 4, 2, { flags: 1 }),
      map('sockets', XSKMAP, 4, 4, 2), map('queue', QUEUE, 0, 4, 2), map('filter', BLOOM_FILTER, 0, 4, 2),
    ];
    for (const base of bases) {
      const key = base.keySize === 0 || base.type === ARRAY ? 0 : 4;
      const variants: readonly MapSpec[] = [
        base, { ...base, maxEntries: 4 }, { ...base, valueSize: 8 }, { ...base, keySize: base.keySize + key }, { ...base, flags: base.flags ^ 8 }, { ...base, flags: base.flags ^ 4 },
        map('other', base.type === HASH ? ARRAY : HASH, 4, 4, 2),
      ];
      const like = create(base);
      const outer = create(map('outer', ARRAY_OF_MAPS, 4, 4, 2), like.fd);
      for (const variant of variants) {
        const fd = kernel.mapCreate(variant);
        if (fd < 0) continue;
        const theirs = outer.updateBytes(u32(0), u32(fd), 0);
        closeSync(fd);
        expect([mapTypeName(base.type), base, variant, fitsTemplate(base, variant)]).toEqual([mapTypeName(base.type), base, variant, theirs === 0]);
      }
      for (const each of [outer, like]) each.close();
    }
  });

  it('programs look up, update and delete in inner maps', () => {
    const key = (value: number): string => `*(u32 *)(r10 - 4) = ${value}`;
    const step = (slot: number, then: string, index: number): string =>
      `${key(slot)}\nr1 = map outer\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto skip${index}\nr6 = r0\n${then}\nr9 *= 31\nr9 += r0\nskip${index}: r9 += 1`;
    const lookup = (n: number, index: number): string => `${key(n)}\nr1 = r6\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto skip${index}\nr1 = *(u64 *)(r0 + 0)\nr1 += 3\n*(u64 *)(r0 + 0) = r1\nr0 = r1`;
    const update = (n: number, flags: number): string => `${key(n)}\n*(u64 *)(r10 - 16) = ${n * 7 + 1}\nr1 = r6\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -16\nr4 = ${flags}\ncall 2`;
    const remove = (n: number): string => `${key(n)}\nr1 = r6\nr2 = r10\nr2 += -4\ncall 3`;
    const slot = fc.integer({ min: 0, max: 3 });
    const inKey = fc.integer({ min: 0, max: 3 });
    const operation = fc.oneof(
      fc.record({ op: fc.constant('lookup' as const), slot, inKey }),
      fc.record({ op: fc.constant('update' as const), slot, inKey, flags: fc.integer({ min: 0, max: 2 }) }),
      fc.record({ op: fc.constant('remove' as const), slot, inKey }),
    );
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 12 }), fc.constantFrom(ARRAY_OF_MAPS, HASH_OF_MAPS), fc.constantFrom(ARRAY, HASH), (operations, type, innerType) => {
        const text = operations.map((each, index) => {
          const then = each.op === 'lookup' ? lookup(each.inKey, index) : each.op === 'update' ? update(each.inKey, each.flags) : remove(each.inKey);
          return step(each.slot, then, index);
        });
        const inner = (name: string): MapSpec => map(name, innerType, 4, 8, 3);
        const outer = map('outer', type, 4, 4, 3, { innerMap: inner('outer.inner'), initialMaps: [{ index: 0, map: 'a' }, { index: 2, map: 'b' }] });
        expectSameAsKernel(kernel, textObject(['r9 = 0', ...text, 'r0 = r9', 'exit'].join('\n'), [inner('a'), inner('b'), outer]), { data: new Uint8Array(64) });
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

/** Ids of maps in hex, which user space reads out of a map that holds them. */
function idsOf(kernel: KernelBpf, inners: readonly KernelMap[]): string[] {
  return inners.map((inner) => {
    const outer = new KernelMap(kernel, map('ids', ARRAY_OF_MAPS, 4, 4, 1), kernel.mapCreate({ ...map('ids', ARRAY_OF_MAPS, 4, 4, 1), innerMapFd: inner.fd }));
    outer.updateBytes(u32(0), u32(inner.fd), 0);
    const id = hex(outer.lookupBytes(u32(0))!);
    outer.close();
    return id;
  });
}
