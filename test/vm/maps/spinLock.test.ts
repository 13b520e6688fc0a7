import { closeSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EACCES, EINVAL, EOPNOTSUPP, unwrap } from '../../../src/base/index.js';
import { loadKernelBtf } from '../../../src/replay/kernelBtf.js';
import { KernelObject } from '../../../src/replay/index.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObjectBytes.js';
import { UserMap } from '../../../src/vm/maps/userMap.js';
import type { MapSpec, ObjectSpec } from '../../../src/vm/spec.js';
import { withKernel } from '../../support/kernelOracle.js';
import { TestMachine, textObject } from '../support/differential.js';
import { bytes } from '../../replay/support/kernelPrograms.js';
import { fc } from '../../support/property.js';
import { KernelUserMap } from './support/kernelUserMap.js';
import { LiveMap, hex, u32 } from './support/liveMap.js';

// Values with a bpf_spin_lock: { u64 packets; bpf_spin_lock lock; u32 restarts; u64 bytes } of fixtures/programs/spin_lock.
const PATH = new URL('../../../fixtures/programs/spin_lock/spin_lock.o', import.meta.url);
const fixture = unwrap(loadObjectBytes(readFileSync(PATH), 'spin_lock.o'));
const locked = (type: number, maxEntries: number): MapSpec => ({ ...fixture.maps.find(({ name }) => name === 'by_protocol')!, type, maxEntries });
const [HASH, ARRAY] = [1, 2];
const LOCK = 4;
const VALUE = 24;
const LOCK_OFF = 8;

describe('a value with a bpf_spin_lock', () => {
  it('is known by its BTF', () => {
    expect(locked(ARRAY, 1).valueFields).toEqual([{ kind: 'bpf_spin_lock', offBytes: LOCK_OFF, sizeBytes: 4 }]);
    expect(fixture.maps.find(({ name }) => name === 'results')!.valueFields).toBeUndefined();
  });

  it.each([['HASH', HASH], ['ARRAY', ARRAY]])('%s: no copy reaches the lock, and user space reads zeros there', (_, type) => {
    const live = new LiveMap(locked(type, 2));
    const user = new UserMap(live.map);
    const ones = new Uint8Array(VALUE).fill(0xff);
    const expected = ones.slice().fill(0, LOCK_OFF, LOCK_OFF + 4);
    expect(user.update(u32(0), ones)).toBe(0);
    const address = live.find(u32(0));
    expect(live.valueAt(address)).toEqual(expected);
    live.memory.view.setUint32(address + LOCK_OFF, 1, true);
    expect(user.update(u32(0), ones, LOCK)).toBe(0);
    expect(live.find(u32(0))).toBe(address);
    expect(live.memory.view.getUint32(address + LOCK_OFF, true)).toBe(1);
    expect(user.lookup(u32(0), LOCK)).toEqual({ errno: 0, value: expected });
    expect([...live.map.entries()][0].value).toEqual(expected);
    expect(live.put(u32(0), ones, LOCK)).toBe(0);
    expect(live.memory.view.getUint32(address + LOCK_OFF, true)).toBe(1);
  });

  it.each([['HASH', HASH], ['ARRAY', ARRAY]])('%s: without the type of the value there is no lock', (_, type) => {
    const { valueFields: __, ...spec } = locked(type, 2);
    const live = new LiveMap(spec);
    expect(live.put(u32(0), new Uint8Array(VALUE), LOCK)).toBe(-EINVAL);
    expect(new UserMap(live.map).update(u32(0), new Uint8Array(VALUE), LOCK)).toBe(-EINVAL);
  });
});

const find = '*(u32 *)(r10 - 4) = 0\nr1 = map by_protocol\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto out\nr6 = r0';
const lock = `r1 = r6\nr1 += ${LOCK_OFF}\ncall 93`;
const unlock = `r1 = r6\nr1 += ${LOCK_OFF}\ncall 94`;
const out = 'out: r0 = 2\nexit';
const withLock = (text: string): ObjectSpec => ({
  ...textObject(text, [locked(ARRAY, 4)], { btf: fixture.btf, btfBytes: fixture.btfBytes }), name: 'spin_lock.o',
});

/** Programs that the verifier refuses, and why this machine stops them. */
const WRONG: readonly (readonly [string, string, RegExp])[] = [
  ['ends with the lock held', `${find}\n${lock}\n${out}`, /has not given back the bpf_spin_lock at 0x/],
  ['takes the lock twice', `${find}\n${lock}\n${lock}\n${unlock}\n${out}`, /bpf_spin_lock is called while the bpf_spin_lock at 0x/],
  ['calls another helper under the lock', `${find}\n${lock}\ncall 5\n${unlock}\n${out}`, /bpf_ktime_get_ns is called while the bpf_spin_lock at 0x/],
  ['gives back what it has not', `${find}\n${unlock}\n${out}`, /bpf_spin_unlock refuses r1/],
  ['takes for a lock what is none', `${find}\nr1 = r6\ncall 93\n${unlock}\n${out}`, /bpf_spin_lock refuses r1/],
  ['takes its stack for a lock', `*(u64 *)(r10 - 8) = 0\nr1 = r10\nr1 += -8\ncall 93\n${out}`, /bpf_spin_lock refuses r1/],
];

describe('bpf_spin_lock', () => {
  it('is taken and given back', () => {
    const machine = new TestMachine(withLock(`${find}\n${lock}\nr1 = 5\n*(u64 *)(r6 + 0) = r1\n${unlock}\n${out}`));
    expect(machine.run({ data: bytes(64) })).toMatchObject({ retval: 2, fault: undefined });
    expect(machine.loaded.maps.get('by_protocol')!.lookupBytes(u32(0))![0]).toBe(5);
  });

  it.each(WRONG)('stops a program that %s, and the lock is free again', (_, text, message) => {
    const machine = new TestMachine(withLock(text));
    for (let run = 0; run < 2; run++) expect(machine.run({ data: bytes(64) }).fault?.message).toMatch(message);
    const free = machine.loaded.maps.get('by_protocol')!;
    expect(machine.memory.view.getUint32((free as unknown as { valuesAddress: number }).valuesAddress + LOCK_OFF, true)).toBe(0);
  });
});

withKernel('bpf_spin_lock, against the kernel', (kernel) => {
  it('is allowed and refused as the verifier does', () => {
    using right = new KernelObject(kernel, withLock(`${find}\n${lock}\nr1 = 5\n*(u64 *)(r6 + 0) = r1\n${unlock}\n${out}`));
    expect(right.loadProgram('main')).toMatchObject({ ok: true });
    for (const [, text] of WRONG) {
      using wrong = new KernelObject(kernel, withLock(text));
      expect(wrong.loadProgram('main')).toMatchObject({ ok: false });
    }
  });

  it('may be in values of HASH and ARRAY only, and not in maps that are read-only or write-only for programs', () => {
    const btf = loadKernelBtf(kernel, fixture)!;
    const create = (type: number, flags: number): number => {
      const spec = { ...locked(type, 4), flags };
      const fd = kernel.mapCreate({ ...spec, btf: { fd: btf.fd!, keyTypeId: spec.keyTypeId, valueTypeId: spec.valueTypeId } });
      if (fd >= 0) closeSync(fd);
      return Math.min(fd, 0);
    };
    try {
      expect([1, 2, 5, 6, 9, 10].map((type) => create(type, 0))).toEqual([0, 0, -EOPNOTSUPP, -EOPNOTSUPP, -EOPNOTSUPP, -EOPNOTSUPP]);
      expect([128, 256].map((flags) => create(ARRAY, flags))).toEqual([-EACCES, -EACCES]);
    } finally {
      btf.close();
    }
  });

  it.each([['HASH', HASH], ['ARRAY', ARRAY]])('%s: user space sees the same with and without BPF_F_LOCK, and the same order', (_, type) => {
    const btf = loadKernelBtf(kernel, fixture)!;
    const spec = { ...locked(type, 4), flags: type === HASH ? 1 << 6 : 0 };
    const step = fc.record({
      op: fc.constantFrom('update', 'update', 'lookup', 'delete', 'take', 'batch', 'updateBatch', 'freeze'), key: fc.integer({ min: 0, max: 5 }), fill: fc.integer({ min: 1, max: 255 }),
      flags: fc.constantFrom(0, LOCK, LOCK, LOCK | 1, LOCK | 2, LOCK | 3, 1, 2, LOCK | 8),
    });
    try {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
          const ours = new UserMap(new LiveMap(spec, kernel.possibleCpus).map);
          using theirs = new KernelUserMap(kernel, spec, { btf: { fd: btf.fd!, keyTypeId: spec.keyTypeId, valueTypeId: spec.valueTypeId } });
          for (const { op, key: number, fill, flags } of steps) {
            const key = u32(number);
            const value = new Uint8Array(VALUE).fill(fill);
            const run = (map: UserMap | KernelUserMap): unknown => {
              if (op === 'update') return map.update(key, value, flags);
              if (op === 'lookup') return map.lookup(key, flags);
              if (op === 'delete') return map.delete(key);
              if (op === 'take') return map.lookupAndDelete(key, flags & ~3);
              if (op === 'freeze') return map.freeze();
              return op === 'batch' ? map.lookupBatch(undefined, 4, flags & ~3) : map.updateBatch([{ key, value }, { key: u32(fill & 3), value }], flags & ~3);
            };
            expect(run(ours)).toEqual(run(theirs));
          }
          const keysOf = (map: UserMap | KernelUserMap): string[] => map.lookupBatch(undefined, 9).entries.map(({ key }) => hex(key));
          expect(keysOf(ours)).toEqual(keysOf(theirs));
        }),
        { numRuns: 60 },
      );
    } finally {
      btf.close();
    }
  }, 60_000);
});
