import { closeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EFAULT, EINVAL, ENOENT, ENOSPC, ENOTSUPP, EPERM, errnoName, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { Vm } from '../../../src/vm/index.js';
import { UserMap } from '../../../src/vm/maps/userMap.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { testEnvironment } from '../support/differential.js';
import { KernelUserMap } from './support/kernelUserMap.js';
import { LiveMap, hex, u32 } from './support/liveMap.js';
import type { MapCommands } from './support/naiveMaps.js';

const [HASH, ARRAY, PERCPU_ARRAY, QUEUE, BLOOM_FILTER, XSKMAP] = [1, 2, 6, 22, 30, 17];
const [RDONLY, WRONLY, ZERO_SEED, RDONLY_PROG] = [8, 16, 64, 128];

/** Type, key size, value size, flags. */
const TYPES: readonly (readonly [string, number, number, number, number])[] = [
  ['HASH', HASH, 4, 8, 0], ['ARRAY', ARRAY, 4, 8, 0], ['PROG_ARRAY', 3, 4, 4, 0], ['PERCPU_HASH', 5, 4, 8, 0], ['PERCPU_ARRAY', PERCPU_ARRAY, 4, 8, 0],
  ['LRU_HASH', 9, 4, 8, 0], ['LRU_PERCPU_HASH', 10, 4, 8, 0], ['LPM_TRIE', 11, 8, 8, 1], ['DEVMAP', 14, 4, 4, 0], ['XSKMAP', XSKMAP, 4, 4, 0],
  ['DEVMAP_HASH', 25, 4, 4, 0], ['QUEUE', QUEUE, 0, 8, 0], ['STACK', 23, 0, 8, 0], ['BLOOM_FILTER', BLOOM_FILTER, 0, 8, 0],
];

/** Every command, with what it is meant for and with what it refuses, one after the other: name and result. */
function everyCommand(user: MapCommands, keySize: number, type: number, valueBytes: number): string[] {
  const key = keySize === 0 ? undefined : new Uint8Array(keySize);
  const wrongKey = keySize === 0 ? new Uint8Array(4) : undefined;
  const value = new Uint8Array(valueBytes).fill(1);
  // What a slot takes is a number of the kernel: those tests are in slotMaps.test.ts and mapMachine.test.ts.
  const isSlot = type === 4 || type === 14 || type === 25 || type === XSKMAP;
  const bytes = key ?? new Uint8Array(0);
  const lookup = () => user.lookup(key, 0, type === BLOOM_FILTER ? value : undefined);
  const commands: readonly (readonly [string, () => unknown])[] = [
    ['first key of none', () => user.nextKey(undefined)],
    ['update', () => (isSlot ? 'not here' : user.update(key, value, 0))],
    ['update with BPF_F_LOCK', () => user.update(key, value, 4)],
    ['update of a wrong key', () => user.update(wrongKey, value, 0)],
    ['update without a value', () => user.update(key, undefined, 0)],
    ['update with an unknown flag', () => (type === 3 || type === 4 ? 'not here' : user.update(key, value, 8))],
    ['lookup', lookup],
    ['lookup with BPF_F_LOCK', () => user.lookup(key, 4)],
    ['lookup with an unknown flag', () => user.lookup(key, 1)],
    ['lookup of a wrong key', () => user.lookup(wrongKey)],
    ['next key', () => user.nextKey(key)],
    ['lookup batch', () => user.lookupBatch(undefined, 3)],
    ['lookup batch past the end', () => user.lookupBatch(undefined, 10)],
    ['lookup batch of nothing', () => user.lookupBatch(undefined, 0)],
    ['lookup batch with BPF_F_LOCK', () => user.lookupBatch(undefined, 3, 4)],
    ['lookup batch with an unknown flag', () => user.lookupBatch(undefined, 3, 1)],
    ['update batch', () => user.updateBatch([{ key: bytes, value }])],
    ['update batch with BPF_NOEXIST', () => user.updateBatch([{ key: bytes, value }], 1)],
    ['update batch of nothing', () => user.updateBatch([])],
    ['lookup and delete', () => user.lookupAndDelete(key)],
    ['lookup and delete again', () => user.lookupAndDelete(key)],
    ['lookup and delete with BPF_F_LOCK', () => user.lookupAndDelete(key, 4)],
    ['lookup and delete of a wrong key', () => user.lookupAndDelete(wrongKey)],
    ['lookup and delete batch', () => user.lookupAndDeleteBatch(undefined, 3)],
    ['delete batch', () => user.deleteBatch([bytes])],
    ['delete', () => user.delete(key)],
    ['delete of a wrong key', () => user.delete(wrongKey)],
    ['freeze', () => user.freeze()],
    ['freeze again', () => user.freeze()],
    ['update of a frozen map', () => user.update(key, value, 0)],
    ['lookup and delete in a frozen map', () => user.lookupAndDelete(key)],
    ['lookup in a frozen map', lookup],
  ];
  return commands.map(([name, run]) => `${name}: ${textOf(run())}`);
}

function textOf(result: unknown): string {
  return JSON.stringify(result, (_, part: unknown) => (part instanceof Uint8Array ? hex(part) : typeof part === 'number' && part < 0 ? errnoName(part) : part));
}

withKernel('every command on every map, against the kernel', (kernel) => {
  it.each(TYPES.flatMap(([name, ...rest]) => [0, RDONLY, WRONLY].map((access) => [name, access, ...rest] as const)))('%s, access flags %i', (_, access, type, keySize, valueSize, flags) => {
    const spec = map('m', type, keySize, valueSize, 4, { flags: flags | access });
    using theirs = new KernelUserMap(kernel, spec);
    const ours = new UserMap(new LiveMap(spec, kernel.possibleCpus).map);
    expect(everyCommand(ours, keySize, type, theirs.valueBytes)).toEqual(everyCommand(theirs, keySize, type, theirs.valueBytes));
  });
});

withKernel('maps without elements, against the kernel', (kernel) => {
  it.each([['RINGBUF', 27, 0, 4096], ['USER_RINGBUF', 31, 0, 4096], ['PERF_EVENT_ARRAY', 4, 4, 4]])('%s', (_, type, size, maxEntries) => {
    const spec = map('m', type, size, size, maxEntries);
    using theirs = new KernelUserMap(kernel, spec);
    const live = new LiveMap(spec, kernel.possibleCpus);
    // Here every CPU has its perf event from the start; the kernel's map is empty.
    for (let cpu = 0; type === 4 && cpu < kernel.possibleCpus; cpu++) live.map.deleteBytes(u32(cpu));
    expect(everyCommand(new UserMap(live.map), size, type, size)).toEqual(everyCommand(theirs, size, type, size));
  });
});

withKernel('maps of maps, against the kernel', (kernel) => {
  it.each([['ARRAY_OF_MAPS', 12, 0], ['HASH_OF_MAPS', 13, ZERO_SEED]])('%s: same errnos, order and batches; ids are numbers of one boot', (_, type, flags) => {
    const inner = map('inner', ARRAY, 4, 8, 2);
    const innerFd = kernel.mapCreate(inner);
    const vm = new Vm({ memory: new HostMemory(16), environment: testEnvironment() });
    const spec = map('outer', type, 4, 4, 5, { flags, innerMap: inner });
    const ours = new UserMap(unwrap(vm.createMap(spec)));
    const innerId = unwrap(vm.createMap(inner)).id;
    using theirs = new KernelUserMap(kernel, spec, { innerMapFd: innerFd });
    const run = (user: MapCommands, named: number): string[] => {
      const results: unknown[] = [];
      const show = (result: object): void => void results.push({ ...result, value: undefined, entries: (result as { entries?: { key: Uint8Array }[] }).entries?.map(({ key }) => key) });
      for (const n of [3, 0, 4, 1, 3, 9]) results.push(user.update(u32(n), u32(named), n === 9 ? 2 : 0));
      for (const n of [0, 2, 9]) show(user.lookup(u32(n)));
      for (let next = user.nextKey(undefined); next.key !== undefined; next = user.nextKey(next.key)) show(next);
      for (const count of [0, 1, 2, 9]) show(user.lookupBatch(undefined, count));
      results.push(user.updateBatch([{ key: u32(2), value: u32(named) }]), user.deleteBatch([u32(2), u32(2)]));
      show(user.lookupAndDelete(u32(0)));
      results.push(user.delete(u32(1)), user.delete(u32(1)));
      show(user.lookupBatch(undefined, 9));
      show(user.lookupAndDeleteBatch(undefined, 9));
      results.push(user.freeze(), user.update(u32(0), u32(named)));
      return results.map(textOf);
    };
    try {
      expect(run(ours, innerId)).toEqual(run(theirs, innerFd));
    } finally {
      closeSync(innerFd);
    }
  });
});

describe('UserMap', () => {
  const userMap = (type: number, maxEntries: number, flags = 0): UserMap => new UserMap(new LiveMap(map('m', type, type === QUEUE ? 0 : 4, 8, maxEntries, { flags })).map);
  const value = (n: number): Uint8Array => new Uint8Array(8).fill(n);

  it('gives a hash in batches of whole buckets, each position being where the next one goes on', () => {
    const user = userMap(HASH, 64);
    expect(user.updateBatch(Array.from({ length: 64 }, (_, n) => ({ key: u32(n), value: value(n) })))).toEqual({ errno: 0, count: 64 });
    const found: number[] = [];
    let position: Uint8Array | undefined;
    for (let errno = 0; errno === 0; ) {
      const batch = user.lookupBatch(position, 10);
      expect(batch.count).toBe(batch.entries.length);
      found.push(...batch.entries.map(({ key }) => key[0]));
      ({ errno, position } = batch);
      if (errno !== 0) expect(errno).toBe(-ENOENT);
    }
    expect(found.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, n) => n));
  });

  it('says -ENOSPC when a bucket has more entries than there is room for', () => {
    const user = userMap(HASH, 64);
    for (let n = 0; n < 64; n++) user.update(u32(n), value(n));
    const results = Array.from({ length: 64 }, (_, bucket) => user.lookupBatch(u32(bucket), 1));
    const full = results.findIndex(({ errno }) => errno === -ENOSPC);
    expect(results[full]).toEqual({ errno: -ENOSPC, count: 0, entries: [], position: u32(full) });
  });

  it('stops a batch of updates at the first that fails', () => {
    const user = userMap(ARRAY, 2);
    const batch = user.updateBatch([0, 1, 2, 0].map((n) => ({ key: u32(n), value: value(n + 1) })));
    expect({ ...batch, errno: errnoName(batch.errno) }).toEqual({ errno: 'E2BIG', count: 2 });
    expect(user.lookup(u32(0)).value).toEqual(value(1));
  });

  it('takes the next value out of a QUEUE', () => {
    const user = userMap(QUEUE, 2);
    expect(user.update(undefined, value(1))).toBe(0);
    expect(user.lookupAndDelete(undefined)).toEqual({ errno: 0, value: value(1) });
    expect(user.lookupAndDelete(undefined)).toEqual({ errno: -ENOENT });
    expect(user.lookupAndDelete(u32(0))).toEqual({ errno: -EINVAL });
  });

  it('is frozen for user space only', () => {
    const live = new LiveMap(map('m', ARRAY, 4, 8, 1));
    const user = new UserMap(live.map);
    expect(user.freeze()).toBe(0);
    expect(user.update(u32(0), value(1))).toBe(-EPERM);
    expect(live.put(u32(0), value(2))).toBe(0);
    expect(user.lookup(u32(0)).value).toEqual(value(2));
  });

  it('has the constants of an object frozen from the start, as libbpf leaves them', () => {
    const spec = map('.rodata', ARRAY, 4, 8, 1, { flags: RDONLY_PROG, dataSection: '.rodata', initialValue: value(7) });
    expect(new UserMap(new LiveMap(spec).map).update(u32(0), value(1))).toBe(-EPERM);
  });

  it('takes what the kernel would read past the end of, or not at all, for an error', () => {
    const user = userMap(HASH, 4, ZERO_SEED);
    expect(user.lookup(new Uint8Array(3))).toEqual({ errno: -EINVAL });
    expect(user.update(u32(0), new Uint8Array(7))).toBe(-EINVAL);
    expect(user.update(u32(0), undefined)).toBe(-EFAULT);
    expect(user.delete(undefined)).toBe(-EFAULT);
    expect(user.lookupBatch(new Uint8Array(2), 1).errno).toBe(-EINVAL);
    expect(user.updateBatch([{ key: u32(0), value: new Uint8Array(3) }])).toEqual({ errno: -EINVAL, count: 0 });
    expect(userMap(ARRAY, 4).lookupAndDeleteBatch(undefined, 1)).toMatchObject({ errno: -ENOTSUPP });
  });
});
