import { closeSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { CpuBinding } from '../../../src/replay/cpuBinding.js';
import type { MapSpec } from '../../../src/vm/spec.js';
import { UserMap } from '../../../src/vm/maps/userMap.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc } from '../../support/property.js';
import { KernelUserMap } from './support/kernelUserMap.js';
import { LiveMap, hex, u32 } from './support/liveMap.js';
import { NaiveArray, NaiveBloom, NaiveHash, NaiveLpm, NaiveQueue, NaiveSlots } from './support/naiveMaps.js';
import type { MapCommands, NaiveMap } from './support/naiveMaps.js';

// The same commands on a naive map, on ours and on the kernel's: every result has to be the same.
// For a long run: MAP_MACHINE_RUNS=20000 npx vitest run test/vm/maps/mapMachine.test.ts. MAP_MACHINE_SEED repeats one.
const RUNS = Number(process.env.MAP_MACHINE_RUNS ?? 25);
const SEED = Number(process.env.MAP_MACHINE_SEED ?? Date.now() % 2 ** 31);
console.log(`mapMachine: seed ${SEED}, ${RUNS} runs of each type`);
const TIMEOUT_MS = 60_000 + RUNS * 200;

const ZERO_SEED = 1 << 6;
const NO_PREALLOC = 1;
const NO_COMMON_LRU = 2;
const MAX_ENTRIES = 6;

interface Machine {
  readonly naive: NaiveMap;
  /** Ours, and the kernel's where there is one. */
  readonly others: readonly MapCommands[];
  readonly live: LiveMap;
  readonly valueBytes: number;
  /** Where the last batch stopped. */
  position: Uint8Array | undefined;
}

interface MapKind {
  readonly name: string;
  readonly type: number;
  readonly keys: fc.Arbitrary<Uint8Array | undefined>;
  readonly keySize: number;
  readonly valueSizes: readonly number[];
  readonly flags: readonly number[];
  readonly mapExtra?: readonly number[];
  readonly naive: (spec: MapSpec, valueBytes: number, possibleCpus: number) => NaiveMap;
  /** Values have this many kinds. */
  readonly fills?: number;
}

const hashKeys = (keySize: number): fc.Arbitrary<Uint8Array> =>
  fc.integer({ min: 0, max: 9 }).map((number) => Uint8Array.from({ length: keySize }, (_, i) => (i === 0 || i === keySize - 1 ? number : 7)));
const indexKeys = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: MAX_ENTRIES + 1 }) }, fc.constant(255)).map(u32);
const lpmKeys = fc
  .tuple(fc.integer({ min: 0, max: 17 }), fc.constantFrom(0, 1, 2, 3, 0x80, 0xc0, 0xff), fc.constantFrom(0, 0x80, 0xff))
  .map(([prefixlen, ...data]) => Uint8Array.of(...u32(prefixlen), ...data));
const noKey = fc.constant(undefined);

const KINDS: readonly MapKind[] = [
  { name: 'ARRAY', type: 2, keys: indexKeys, keySize: 4, valueSizes: [3, 8], flags: [0], naive: (spec, bytes) => new NaiveArray(spec, bytes) },
  { name: 'PERCPU_ARRAY', type: 6, keys: indexKeys, keySize: 4, valueSizes: [3, 8], flags: [0], naive: (spec, bytes) => new NaiveArray(spec, bytes) },
  ...[4, 5, 16, 29].flatMap((keySize): MapKind[] => {
    const hash = { keys: hashKeys(keySize), keySize, naive: (spec: MapSpec, _bytes: number, cpus: number) => new NaiveHash(spec, cpus) };
    const lru = { ...hash, flags: [ZERO_SEED, ZERO_SEED | NO_COMMON_LRU] };
    return [
      { ...hash, name: `HASH, keys of ${keySize}`, type: 1, valueSizes: [3, 8, 80], flags: [ZERO_SEED, ZERO_SEED | NO_PREALLOC] },
      { ...hash, name: `PERCPU_HASH, keys of ${keySize}`, type: 5, valueSizes: [3, 8], flags: [ZERO_SEED, ZERO_SEED | NO_PREALLOC] },
      ...(keySize === 4
        ? [{ ...lru, name: 'LRU_HASH', type: 9, valueSizes: [3, 8] }, { ...lru, name: 'LRU_PERCPU_HASH', type: 10, valueSizes: [3, 8] }]
        : []),
    ];
  }),
  { name: 'LPM_TRIE', type: 11, keys: lpmKeys, keySize: 6, valueSizes: [3, 8], flags: [NO_PREALLOC], naive: (spec) => new NaiveLpm(spec) },
  { name: 'QUEUE', type: 22, keys: noKey, keySize: 0, valueSizes: [3, 8], flags: [0], naive: (spec) => new NaiveQueue(spec) },
  { name: 'STACK', type: 23, keys: noKey, keySize: 0, valueSizes: [3, 8], flags: [0], naive: (spec) => new NaiveQueue(spec) },
  {
    name: 'BLOOM_FILTER', type: 30, keys: noKey, keySize: 0, valueSizes: [3, 8, 13, 24], flags: [ZERO_SEED], mapExtra: [0, 1, 5], fills: 40,
    naive: (spec) => new NaiveBloom(spec),
  },
  { name: 'XSKMAP', type: 17, keys: indexKeys, keySize: 4, valueSizes: [4], flags: [0], fills: 3, naive: (spec) => new NaiveSlots(spec) },
  // Without updates: slotMaps.test.ts has them, as numbers of programs are different in the kernel.
  { name: 'PROG_ARRAY', type: 3, keys: indexKeys, keySize: 4, valueSizes: [4], flags: [0], naive: (spec) => new NaiveSlots(spec) },
];

/** One command on all maps; what it gives is compared. */
class Step implements fc.Command<Machine, object> {
  readonly #name: string;
  readonly #do: (commands: MapCommands, machine: Machine) => unknown;

  constructor(name: string, run: (commands: MapCommands, machine: Machine) => unknown) {
    this.#name = name;
    this.#do = run;
  }

  check(): boolean {
    return true;
  }

  run(machine: Machine): void {
    const expected = this.#do(machine.naive, machine);
    for (const other of machine.others) {
      const found = this.#do(other, machine);
      // The quick comparison first: it is the one that nearly always holds.
      if (!isDeepStrictEqual(found, expected)) expect(found).toEqual(expected);
    }
    const position = (expected as { position?: Uint8Array } | undefined)?.position;
    if (position !== undefined) machine.position = position;
  }

  toString(): string {
    return this.#name;
  }
}

const text = (bytes: Uint8Array | undefined): string => (bytes === undefined ? 'NULL' : hex(bytes));

/** A whole value for user space, the padding of per-CPU values being zero. */
function valueOf(machine: Machine, fill: number): Uint8Array {
  const { spec } = machine.naive;
  if (machine.valueBytes === spec.valueSize) return spec.type === 17 ? u32(fill) : new Uint8Array(spec.valueSize).fill(fill);
  const stride = Math.ceil(spec.valueSize / 8) * 8;
  return Uint8Array.from({ length: machine.valueBytes }, (_, i) => (i % stride < spec.valueSize ? fill + Math.floor(i / stride) : 0));
}

function stepsOf({ keys, type, fills = 200 }: MapKind): fc.Arbitrary<fc.Command<Machine, object>>[] {
  const fill = fc.integer({ min: 0, max: fills - 1 });
  const elemFlags = fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 4);
  const bytes = (key: Uint8Array | undefined): Uint8Array => key ?? new Uint8Array(0);
  const count = fc.integer({ min: 0, max: 9 });
  const from = fc.constantFrom<'start' | 'last'>('start', 'last', 'last');
  const isBloom = type === 30;
  const put = fc.record({ key: keys, fill, flags: fc.constantFrom(0, 0, 0, 0, 1, 2, 3, 4, 8) }).map(
    ({ key, fill: by, flags }) => new Step(`update(${text(key)}, ${by}, ${flags})`, (map_, machine) => map_.update(key, valueOf(machine, by), flags)),
  );
  return [
    ...(type === 3 ? [] : [put, put, put]),
    fc.record({ key: keys, fill, flags: fc.constantFrom(0, 0, 0, 0, 1, 4) }).map(
      ({ key, fill: by, flags }) => new Step(`lookup(${text(key)}, ${flags})`, (map_, machine) => map_.lookup(key, flags, isBloom ? valueOf(machine, by) : undefined)),
    ),
    keys.map((key) => new Step(`delete(${text(key)})`, (map_) => map_.delete(key))),
    fc.option(keys, { nil: undefined, freq: 4 }).map((key) => new Step(`nextKey(${text(key)})`, (map_) => map_.nextKey(key))),
    fc.record({ key: keys, flags: fc.constantFrom(0, 0, 0, 0, 1, 4) }).map(
      ({ key, flags }) => new Step(`lookupAndDelete(${text(key)}, ${flags})`, (map_) => map_.lookupAndDelete(key, flags)),
    ),
    fc.constant(new Step('all keys', (map_) => {
      const found: string[] = [];
      for (let next = map_.nextKey(undefined); next.key !== undefined; next = map_.nextKey(next.key)) found.push(hex(next.key));
      return found;
    })),
    fc.record({ count, from, elemFlags }).map((batch) =>
      new Step(`lookupBatch(${batch.from}, ${batch.count}, ${batch.elemFlags})`, (map_, machine) =>
        map_.lookupBatch(batch.from === 'start' ? undefined : machine.position, batch.count, batch.elemFlags))),
    fc.record({ count, from, elemFlags }).map((batch) =>
      new Step(`lookupAndDeleteBatch(${batch.from}, ${batch.count}, ${batch.elemFlags})`, (map_, machine) =>
        map_.lookupAndDeleteBatch(batch.from === 'start' ? undefined : machine.position, batch.count, batch.elemFlags))),
    fc.record({ entries: fc.array(fc.tuple(keys, fill), { maxLength: 4 }), elemFlags }).map(({ entries, elemFlags: flags }) =>
      new Step(`updateBatch(${entries.map(([key, by]) => `${text(key)}=${by}`).join(' ')}, ${flags})`, (map_, machine) =>
        map_.updateBatch(entries.map(([key, by]) => ({ key: bytes(key), value: valueOf(machine, by) })), flags))),
    fc.record({ batch: fc.array(keys, { maxLength: 4 }), elemFlags }).map(({ batch, elemFlags: flags }) =>
      new Step(`deleteBatch(${batch.map(text).join(' ')}, ${flags})`, (map_) => map_.deleteBatch(batch.map(bytes), flags))),
  ];
}

/** A program on CPU 0 looks an element up, which counts as use in an LRU map. */
const programLookup = (keys: MapKind['keys']): fc.Arbitrary<fc.Command<Machine, object>> =>
  keys.map((key) => new Step(`program looks up ${text(key)}`, (_, machine) => {
    if (machine.naive instanceof NaiveHash) machine.naive.lru?.use(hex(key!));
    machine.live.get(key!);
  }));

/** Once in a while the end of the commands comes with a freeze. */
const freeze = fc.constant(new Step('freeze()', (map_) => map_.freeze()));

const shapeOf = (kind: MapKind) =>
  fc.record({
    valueSize: fc.constantFrom(...kind.valueSizes), flags: fc.constantFrom(...kind.flags), mapExtra: fc.constantFrom(...(kind.mapExtra ?? [0])),
    maxEntries: fc.integer({ min: 1, max: MAX_ENTRIES }),
  });

function check(kind: MapKind, possibleCpus: number, steps: fc.Arbitrary<fc.Command<Machine, object>>[], third?: (spec: MapSpec) => Third): void {
  // fc.commands draws each kind of command alike; a freeze makes the rest of a run dull, so it is rare.
  const rareFreeze = fc.oneof({ weight: 9, arbitrary: steps[0] }, { weight: 1, arbitrary: freeze });
  fc.assert(
    fc.property(shapeOf(kind), fc.commands([...steps, rareFreeze], { maxCommands: 60 }), ({ valueSize, flags, mapExtra, maxEntries }, commands) => {
      const spec = map('m', kind.type, kind.keySize, valueSize, maxEntries, { flags, mapExtra });
      const live = new LiveMap(spec, possibleCpus);
      const valueBytes = live.map.isPerCpu ? Math.ceil(valueSize / 8) * 8 * possibleCpus : valueSize;
      const other = third?.(spec);
      try {
        const others = [new UserMap(live.map), ...(other === undefined ? [] : [other.commands])];
        fc.modelRun(() => ({ model: { naive: kind.naive(spec, valueBytes, possibleCpus), others, live, valueBytes, position: undefined }, real: {} }), commands);
      } finally {
        other?.close();
      }
    }),
    { numRuns: RUNS, seed: SEED },
  );
}

interface Third {
  readonly commands: MapCommands;
  close(): void;
}

describe('maps of user space are what naive maps are', () => {
  it.each(KINDS)('$name', (kind) => {
    const isLru = kind.type === 9 || kind.type === 10;
    check(kind, 3, [...stepsOf(kind), ...(isLru ? [programLookup(kind.keys)] : [])]);
  }, TIMEOUT_MS);
});

withKernel('maps of user space, against the kernel', (kernel) => {
  const cpu0 = new CpuBinding(kernel.syscalls, 0);

  it.each(KINDS)('$name', (kind) => {
    const sockets = kind.type === 17 ? [1, 2].map(() => kernel.xskSocket()) : [];
    const third = (spec: MapSpec): Third => {
      const theirs = new KernelUserMap(kernel, spec);
      if (kind.type === 17) {
        // What ours has as a number from 1 is a descriptor in the kernel, and 0 is none.
        const update = theirs.update.bind(theirs);
        theirs.update = (key, value, flags) => update(key, value && u32(sockets[value[0] - 1] ?? 0xffff), flags);
      }
      return { commands: theirs, close: () => theirs.close() };
    };
    try {
      unwrap(cpu0.run(() => check(kind, kernel.possibleCpus, stepsOf(kind), third)));
    } finally {
      for (const socket of sockets) closeSync(socket);
    }
  }, TIMEOUT_MS);
});
