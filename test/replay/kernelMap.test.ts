import { afterAll, describe, expect, it } from 'vitest';
import { E2BIG, EEXIST, EINVAL, ENOENT, EPERM, unwrap } from '../../src/base/index.js';
import { KernelObject, loadIntoKernel, testRun } from '../../src/replay/index.js';
import type { KernelMap } from '../../src/replay/index.js';
import type { MapSpec } from '../../src/vm/spec.js';
import { withKernel } from '../support/kernelOracle.js';
import { bytes, call, exit, insn, jumpZero, lddw, load8, map, mapReference, mov, movImm, object, program, storeImm32 } from './support/kernelPrograms.js';

const HASH = 1;
const ARRAY = 2;
const PERCPU_HASH = 5;
const PERCPU_ARRAY = 6;
const ARRAY_OF_MAPS = 12;
const XSKMAP = 17;
const BPF_NOEXIST = 1;
const BPF_EXIST = 2;
const MAP_LOOKUP_ELEM = 1;
const MAP_UPDATE_ELEM = 2;

const key = (n: number): Uint8Array => Uint8Array.of(n, 0, 0, 0);

withKernel('maps in the kernel', (kernel) => {
  const objects: KernelObject[] = [];
  const create = (spec: MapSpec): KernelMap => {
    const loaded = new KernelObject(kernel, object([], [spec]));
    objects.push(loaded);
    return unwrap(loaded.map(spec.name));
  };
  afterAll(() => {
    for (const loaded of objects) loaded.close();
  });

  describe('hash', () => {
    it('looks up, updates and deletes with the errnos of bpf(2)', () => {
      const hash = create(map('h', HASH, 4, 8, 2));
      expect(hash.lookupBytes(key(1))).toBeUndefined();
      expect(hash.deleteBytes(key(1))).toBe(-ENOENT);
      expect(hash.updateBytes(key(1), bytes(8), BPF_EXIST)).toBe(-ENOENT);
      expect(hash.updateBytes(key(1), bytes(8), BPF_NOEXIST)).toBe(0);
      expect(hash.updateBytes(key(1), bytes(8), BPF_NOEXIST)).toBe(-EEXIST);
      expect(hash.lookupBytes(key(1))).toEqual(bytes(8));
      expect(hash.updateBytes(key(2), bytes(8), 0)).toBe(0);
      expect(hash.updateBytes(key(3), bytes(8), 0)).toBe(-E2BIG);
      expect(hash.updateBytes(key(1), bytes(8), 8)).toBe(-EINVAL);
      expect(hash.deleteBytes(key(1))).toBe(0);
      expect(hash.lookupBytes(key(1))).toBeUndefined();
    });

    it('gives every entry once', () => {
      const hash = create(map('h', HASH, 4, 8, 500));
      for (let n = 0; n < 500; n++) expect(hash.updateBytes(Uint8Array.of(n & 0xff, n >> 8, 0, 0), new Uint8Array(8).fill(n & 0xff), 0)).toBe(0);
      const entries = [...hash.entries()];
      expect(new Set(entries.map((entry) => Buffer.from(entry.key).readUInt32LE())).size).toBe(500);
      expect(entries.every((entry) => entry.value.every((byte) => byte === entry.key[0]))).toBe(true);
    });

    it('has no entries when it is empty', () => {
      expect([...create(map('h', HASH, 4, 8, 2)).entries()]).toEqual([]);
    });
  });

  describe('array', () => {
    const array = create(map('a', ARRAY, 4, 3, 3));

    it('has all its entries from the start, in the order of their indices', () => {
      expect([...array.entries()]).toEqual([0, 1, 2].map((n) => ({ key: key(n), value: new Uint8Array(3) })));
    });

    it('has neither new nor missing entries', () => {
      expect(array.lookupBytes(key(3))).toBeUndefined();
      expect(array.updateBytes(key(3), bytes(3), 0)).toBe(-E2BIG);
      expect(array.updateBytes(key(0), bytes(3), BPF_NOEXIST)).toBe(-EEXIST);
      expect(array.deleteBytes(key(0))).toBe(-EINVAL);
    });

    it('takes keys and values of its own size only', () => {
      expect(() => array.lookupBytes(bytes(3))).toThrow('a key of map a has 4 bytes, not 3');
      expect(() => array.updateBytes(key(0), bytes(4), 0)).toThrow('a value of map a has 3 bytes, not 4');
    });
  });

  describe('per-CPU maps', () => {
    it('give one value per possible CPU, each rounded up to 8 bytes', () => {
      const percpu = create(map('p', PERCPU_ARRAY, 4, 12, 2));
      expect(percpu.userValueBytes).toBe(16 * kernel.possibleCpus);
      const value = bytes(percpu.userValueBytes);
      expect(percpu.updateBytes(key(1), value, 0)).toBe(0);
      const back = percpu.lookupBytes(key(1))!;
      for (let cpu = 0; cpu < kernel.possibleCpus; cpu++) {
        expect(back.subarray(cpu * 16, cpu * 16 + 12)).toEqual(value.subarray(cpu * 16, cpu * 16 + 12));
      }
    });

    it('hold zero on all CPUs but the one that made the entry', () => {
      const insns = [
        storeImm32(10, -4, 9), storeImm32(10, -16, 0x11111111), storeImm32(10, -12, 0x22222222),
        lddw(1), mov(2, 10), insn(0x07, 2, 0, 0, -4), mov(3, 10), insn(0x07, 3, 0, 0, -16), movImm(4, 0), call(MAP_UPDATE_ELEM), movImm(0, 2), exit,
      ];
      const spec = object([program('count', insns, { references: [mapReference(3, 'p')] })], [map('p', PERCPU_HASH, 4, 8, 4)]);
      using loaded = unwrap(loadIntoKernel(kernel, spec, 'count'));
      expect(testRun(loaded, { data: bytes(60) }).retval).toBe(2);
      const entries = [...loaded.object.maps.get('p')!.entries()];
      expect(entries).toHaveLength(1);
      expect(entries[0].key).toEqual(key(9));
      const words = Array.from({ length: kernel.possibleCpus }, (_, cpu) => Buffer.from(entries[0].value).toString('hex', cpu * 8, cpu * 8 + 8));
      expect(words.filter((word) => word === '1111111122222222')).toHaveLength(1);
      expect(words.filter((word) => word === '0000000000000000')).toHaveLength(kernel.possibleCpus - 1);
    });
  });

  describe('data sections', () => {
    const rodata = map('.rodata', ARRAY, 4, 8, 1, { flags: 0x80, dataSection: '.rodata', initialValue: bytes(8) });
    const bss = map('.bss', ARRAY, 4, 8, 1, { dataSection: '.bss', initialValue: new Uint8Array(8) });
    const more = {
      variables: [
        { name: 'limit', map: '.rodata', offBytes: 4, sizeBytes: 4, typeId: 0 },
        { name: 'count', map: '.bss', offBytes: 2, sizeBytes: 2, typeId: 0 },
      ],
    };

    it('begin with the bytes of the file, and read-only ones are frozen', () => {
      const loaded = new KernelObject(kernel, object([], [rodata, bss], more));
      objects.push(loaded);
      const map_ = unwrap(loaded.map('.rodata'));
      expect(map_.lookupBytes(key(0))).toEqual(bytes(8));
      expect(map_.updateBytes(key(0), bytes(8), 0)).toBe(-EPERM);
      expect(loaded.writeVariable('limit', bytes(4))).toMatchObject({ problem: { code: 'variable-read-only', message: 'the kernel refused to set variable limit: EPERM' } });
    });

    it('take variables before they are frozen, and at any time in .bss', () => {
      const loaded = new KernelObject(kernel, object([], [rodata, bss], more), { variables: { limit: Uint8Array.of(9, 8, 7, 6) } });
      objects.push(loaded);
      expect(unwrap(loaded.readVariable('limit'))).toEqual(Uint8Array.of(9, 8, 7, 6));
      expect(unwrap(loaded.map('.rodata')).lookupBytes(key(0))!.subarray(0, 4)).toEqual(bytes(8).subarray(0, 4));
      expect(loaded.writeVariable('count', Uint8Array.of(1, 2)).ok).toBe(true);
      expect(unwrap(loaded.map('.bss')).lookupBytes(key(0))).toEqual(Uint8Array.of(0, 0, 1, 2, 0, 0, 0, 0));
    });

    it('know their variables and sizes', () => {
      const loaded = new KernelObject(kernel, object([], [rodata, bss], more), { variables: { limit: bytes(8) } });
      objects.push(loaded);
      expect(loaded.map('.rodata')).toMatchObject({ problem: { code: 'variable-size', message: 'variable limit has 4 bytes, and 8 were given' } });
      expect(loaded.readVariable('limits')).toMatchObject({ problem: { code: 'no-such-variable', hint: 'choose one of: limit, count' } });
    });
  });

  describe('XSKMAP', () => {
    it('redirects to a socket, and falls back where there is none', () => {
      const insns = [lddw(1), movImm(2, 3), movImm(3, 2), call(51), exit];
      const spec = object([program('xsk', insns, { references: [mapReference(0, 'xsks')] })], [map('xsks', XSKMAP, 4, 4, 8)]);
      using loaded = unwrap(loadIntoKernel(kernel, spec, 'xsk'));
      expect(testRun(loaded, { data: bytes(60) }).retval).toBe(2);
      unwrap(loaded.object.putXskSocket('xsks', 3));
      expect(testRun(loaded, { data: bytes(60) }).retval).toBe(4);
      expect(loaded.object.putXskSocket('xsks', 8)).toMatchObject({ problem: { code: 'kernel-map-fill', hint: 'the index is past the end of the map' } });
      expect(loaded.object.maps.get('xsks')!.lookupBytes(key(3))).toBeUndefined();
      expect([...loaded.object.maps.get('xsks')!.entries()]).toEqual([]);
      expect(loaded.object.maps.get('xsks')!.deleteBytes(key(3))).toBe(0);
      expect(testRun(loaded, { data: bytes(60) }).retval).toBe(2);
    });
  });

  it('gives programs the first byte of a value, or any other', () => {
    const insns = [lddw(1), load8(0, 1, 0), exit];
    const data = map('.data', ARRAY, 4, 8, 1, { dataSection: '.data', initialValue: bytes(8) });
    for (const offBytes of [0, 5]) {
      const spec = object([program('read', insns, { references: [{ insnIndex: 0, map: '.data', kind: 'value', offBytes }] })], [data]);
      using loaded = unwrap(loadIntoKernel(kernel, spec, 'read'));
      expect(testRun(loaded, { data: bytes(60) }).retval).toBe(bytes(8)[offBytes]);
    }
  });

  it('gives programs NULL for what is not there', () => {
    const insns = [storeImm32(10, -4, 7), lddw(1), mov(2, 10), insn(0x07, 2, 0, 0, -4), call(MAP_LOOKUP_ELEM), jumpZero(0, 2), movImm(0, 1), exit, movImm(0, 5), exit];
    const spec = object([program('find', insns, { references: [mapReference(1, 'h')] })], [map('h', HASH, 4, 4, 4)]);
    using loaded = unwrap(loadIntoKernel(kernel, spec, 'find'));
    expect(testRun(loaded, { data: bytes(60) }).retval).toBe(5);
    loaded.object.maps.get('h')!.updateBytes(key(7), bytes(4), 0);
    expect(testRun(loaded, { data: bytes(60) }).retval).toBe(1);
  });

  it('says what the kernel refuses to create', () => {
    const refused = new KernelObject(kernel, object([], [map('odd', ARRAY, 3, 8, 4)]));
    expect(refused.map('odd')).toEqual({
      ok: false,
      problem: {
        code: 'kernel-map-create',
        message: 'the kernel refused to create map odd (type 2, key 3, value 8, 4 entries, flags 0x0): EINVAL',
        where: 'test.o',
        hint: 'check key size, value size, max_entries and flags of this map type',
      },
    });
    expect(new KernelObject(kernel, object([], [map('outer', ARRAY_OF_MAPS, 4, 4, 4)])).map('outer')).toMatchObject({
      problem: { code: 'kernel-map-create', message: expect.stringContaining('EBADF'), hint: expect.stringContaining('__array(values') },
    });
  });

  it('is not created when it would eat the memory of the machine', () => {
    expect(new KernelObject(kernel, object([], [map('huge', ARRAY, 4, 1 << 20, 1 << 20)])).map('huge')).toMatchObject({ problem: { code: 'kernel-map-too-big' } });
  });
});
