import { describe, expect, it } from 'vitest';
import { E2BIG, EEXIST, EINVAL, ENOENT, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { AccessTable } from '../../../src/vm/accessTable.js';
import { VM_STATE_BYTES } from '../../../src/vm/layout.js';
import { createMap } from '../../../src/vm/maps/mapTypes.js';
import type { BpfMap, MapEntry } from '../../../src/vm/maps/map.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { fc } from '../../support/property.js';

const [HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY] = [1, 2, 5, 6];
const CPUS = 3;

/** A live map, and a place in host memory for the keys and values of its program side. */
class Fixture {
  readonly memory = new HostMemory(1);
  readonly map: BpfMap;
  readonly keyAddress: number;
  readonly valueAddress: number;

  constructor(type: number, keySize: number, valueSize: number, maxEntries: number) {
    const state = this.memory.reserve('state', VM_STATE_BYTES);
    const accessTable = new AccessTable(this.memory, state);
    this.map = unwrap(createMap(map('m', type, keySize, valueSize, maxEntries), { memory: this.memory, accessTable, possibleCpus: CPUS, id: 1 }));
    // An odd address: programs pass keys from anywhere in a packet.
    this.keyAddress = this.memory.reserve('key', keySize + 1) + 1;
    this.valueAddress = this.memory.reserve('value', valueSize + 1) + 1;
  }

  put(key: Uint8Array, value: Uint8Array, flags: number, cpu: number): number {
    this.memory.u8.set(key, this.keyAddress);
    this.memory.u8.set(value, this.valueAddress);
    return this.map.update(this.keyAddress, this.valueAddress, flags, cpu);
  }

  get(key: Uint8Array, cpu: number): Uint8Array | undefined {
    this.memory.u8.set(key, this.keyAddress);
    const address = this.map.lookup(this.keyAddress, cpu);
    return address === 0 ? undefined : this.memory.u8.slice(address, address + this.map.spec.valueSize);
  }

  remove(key: Uint8Array): number {
    this.memory.u8.set(key, this.keyAddress);
    return this.map.delete(this.keyAddress);
  }
}

/** The same map as plain JavaScript: for each key one value per CPU. */
class Model {
  readonly values = new Map<string, Uint8Array[]>();
  readonly #type: number;
  readonly #valueSize: number;
  readonly #maxEntries: number;

  constructor(type: number, valueSize: number, maxEntries: number) {
    this.#type = type;
    this.#valueSize = valueSize;
    this.#maxEntries = maxEntries;
    if (!this.isArray) return;
    for (let index = 0; index < maxEntries; index++) this.values.set(hex(u32(index)), this.#fresh());
  }

  get isArray(): boolean {
    return this.#type === ARRAY || this.#type === PERCPU_ARRAY;
  }

  get isPerCpu(): boolean {
    return this.#type === PERCPU_HASH || this.#type === PERCPU_ARRAY;
  }

  put(key: Uint8Array, value: Uint8Array, flags: number, cpu: number): number {
    if (flags > 2) return -EINVAL;
    const old = this.values.get(hex(key));
    if (this.isArray && old === undefined) return -E2BIG;
    if (old !== undefined && flags === 1) return -EEXIST;
    if (old === undefined && flags === 2) return -ENOENT;
    if (old === undefined && this.values.size === this.#maxEntries) return -E2BIG;
    const values = old ?? this.#fresh();
    values[this.isPerCpu ? cpu : 0] = value;
    this.values.set(hex(key), values);
    return 0;
  }

  get(key: Uint8Array, cpu: number): Uint8Array | undefined {
    return this.values.get(hex(key))?.[this.isPerCpu ? cpu : 0];
  }

  remove(key: Uint8Array): number {
    if (this.isArray) return -EINVAL;
    return this.values.delete(hex(key)) ? 0 : -ENOENT;
  }

  #fresh(): Uint8Array[] {
    return Array.from({ length: this.isPerCpu ? CPUS : 1 }, () => new Uint8Array(this.#valueSize));
  }
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** What bpf(2) gives and takes: the values of all CPUs, each rounded up to 8 bytes, or the one value. */
function userValue(values: readonly Uint8Array[], isPerCpu: boolean): Uint8Array {
  if (!isPerCpu) return values[0];
  return Uint8Array.from(values.flatMap((value) => [...value, ...new Uint8Array((8 - (value.length % 8)) % 8)]));
}

interface Command {
  readonly side: 'program' | 'user';
  readonly op: 'put' | 'get' | 'remove';
  readonly key: number;
  readonly fill: number;
  readonly flags: number;
  readonly cpu: number;
}

const command: fc.Arbitrary<Command> = fc.record({
  side: fc.constantFrom('program', 'user'),
  op: fc.constantFrom('put', 'put', 'get', 'remove'),
  key: fc.integer({ min: 0, max: 9 }),
  fill: fc.integer({ min: 1, max: 255 }),
  flags: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 3 })),
  cpu: fc.integer({ min: 0, max: CPUS - 1 }),
});

/** A key of any size that begins with a small number. */
function keyOf(number: number, keySize: number): Uint8Array {
  const key = new Uint8Array(keySize);
  key.set(u32(number).subarray(0, keySize));
  return key;
}

function step(fixture: Fixture, model: Model, { side, op, key: number, fill, flags, cpu }: Command): void {
  const { spec } = fixture.map;
  const key = keyOf(number, spec.keySize);
  const value = new Uint8Array(spec.valueSize).fill(fill);
  if (op === 'get') {
    if (side === 'program') expect(fixture.get(key, cpu)).toEqual(model.get(key, cpu));
    else expect(fixture.map.lookupBytes(key)).toEqual(model.values.has(hex(key)) ? userValue(model.values.get(hex(key))!, model.isPerCpu) : undefined);
  } else if (op === 'remove') {
    expect(side === 'program' ? fixture.remove(key) : fixture.map.deleteBytes(key)).toBe(model.remove(key));
  } else if (side === 'program') {
    expect(fixture.put(key, value, flags, cpu)).toBe(model.put(key, value, flags, cpu));
  } else {
    // User space sets the values of all CPUs at once.
    const values = Array.from({ length: model.isPerCpu ? CPUS : 1 }, (_, i) => new Uint8Array(spec.valueSize).fill(fill + i));
    const result = model.put(key, values[0], flags, 0);
    if (result === 0) model.values.set(hex(key), values);
    expect(fixture.map.updateBytes(key, userValue(values, model.isPerCpu), flags)).toBe(result);
  }
}

function sorted(entries: Iterable<MapEntry>): string[] {
  return [...entries].map(({ key, value }) => `${hex(key)}=${hex(value)}`).sort();
}

describe('a map is what a plain Map says', () => {
  it.each([
    ['HASH', HASH],
    ['ARRAY', ARRAY],
    ['PERCPU_HASH', PERCPU_HASH],
    ['PERCPU_ARRAY', PERCPU_ARRAY],
  ])('%s', (_, type) => {
    const isArray = type === ARRAY || type === PERCPU_ARRAY;
    fc.assert(
      fc.property(
        isArray ? fc.constant(4) : fc.integer({ min: 1, max: 13 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 6 }),
        fc.array(command, { maxLength: 60 }),
        (keySize, valueSize, maxEntries, commands) => {
          const fixture = new Fixture(type, keySize, valueSize, maxEntries);
          const model = new Model(type, valueSize, maxEntries);
          for (const each of commands) step(fixture, model, each);
          const expected = [...model.values].map(([key, values]) => `${key}=${hex(userValue(values, model.isPerCpu))}`).sort();
          expect(sorted(fixture.map.entries())).toEqual(expected);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('hash maps', () => {
  it('list entries in the order they came in, also after updates', () => {
    const { map: hash } = new Fixture(HASH, 4, 4, 8);
    for (const number of [7, 3, 5]) hash.updateBytes(u32(number), u32(number), 0);
    hash.updateBytes(u32(3), u32(33), 0);
    expect([...hash.entries()].map(({ key, value }) => [key[0], value[0]])).toEqual([[7, 7], [3, 33], [5, 5]]);
  });

  it('keep 20,000 random keys apart', () => {
    const fixture = new Fixture(HASH, 5, 1, 20_000);
    const keyAt = (i: number): Uint8Array => Uint8Array.of(i, i >>> 8, 0, 0xff, i % 3);
    const numbers = Array.from({ length: 20_000 }, (_, i) => i);
    expect(numbers.filter((i) => fixture.put(keyAt(i), Uint8Array.of(i), 1, 0) !== 0)).toEqual([]);
    expect(fixture.put(keyAt(20_000), Uint8Array.of(1), 0, 0)).toBe(-E2BIG);
    expect(numbers.filter((i) => i % 2 === 0 && fixture.remove(keyAt(i)) !== 0)).toEqual([]);
    expect(numbers.filter((i) => fixture.get(keyAt(i), 0)?.[0] !== (i % 2 === 0 ? undefined : i & 0xff))).toEqual([]);
  });

  it('take keys and values of wrong sizes for an error', () => {
    for (const type of [HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY]) {
      const { map: live } = new Fixture(type, 4, 4, 2);
      const value = new Uint8Array(live.isPerCpu ? 8 * CPUS : 4);
      expect(live.updateBytes(new Uint8Array(3), value, 0)).toBe(-EINVAL);
      expect(live.updateBytes(new Uint8Array(4), value.subarray(1), 0)).toBe(-EINVAL);
      expect(live.lookupBytes(new Uint8Array(5))).toBeUndefined();
      expect(live.deleteBytes(new Uint8Array(5))).toBe(-EINVAL);
    }
  });
});
