import { didYouMean, ENOENT, errnoName, ProblemError, shownValue, unwrap } from '../../base/index.js';
import { exampleEntry, setMapEntry } from '../../sim/index.js';
import { XdpSock } from '../../umem/index.js';
import { formatValue, mapTypeName, parseValue, UserMap } from '../../vm/index.js';
import type { BpfMap, Btf, JsonValue, LoadedObject, MapSpec } from '../../vm/index.js';
import { XskSocket } from '../../xsk/index.js';
import { plainValue, wholeValue } from './plainValue.js';
import type { WholeValueTarget } from './plainValue.js';

/** An element of a map. */
export interface MapElement<Key = JsonValue, Value = JsonValue> {
  readonly key: Key;
  /** Of a per-CPU map a list, one value for each CPU. */
  readonly value: Value;
}

/** What elements of maps may stand for, on the machine of the program. */
export interface MapSurroundings {
  /** Possible CPUs. */
  readonly cpus: number;
  /** AF_XDP sockets that there are. */
  socketCount(): number;
  /** Number of the AF_XDP socket behind a descriptor. */
  socketOf(fd: number): number | undefined;
}

/**
 * The maps of a program.
 *
 * @example
 * program.maps.names; // ['packets_by_source']
 */
export class ProgramMaps {
  readonly #loaded: LoadedObject;
  readonly #surroundings: MapSurroundings;
  readonly #maps = new Map<string, ProgramMap>();

  /** Made by `loadProgram` and `createTestNic`. */
  constructor(loaded: LoadedObject, surroundings: MapSurroundings) {
    this.#loaded = loaded;
    this.#surroundings = surroundings;
  }

  /** Names of all maps that the program can use. */
  get names(): readonly string[] {
    return [...this.#loaded.maps.keys()];
  }

  /**
   * A map by its name in the source.
   *
   * @throws Error that lists the names, if there is none of this name
   * @example
   * program.maps.get<string, { packets: number }>('packets_by_source').get('192.0.2.1')?.packets; // 3
   */
  get<Key = JsonValue, Value = JsonValue>(name: string): ProgramMap<Key, Value> {
    const known = this.#maps.get(name);
    if (known !== undefined) return known as ProgramMap<Key, Value>;
    const map = this.#loaded.maps.get(name);
    if (map === undefined) {
      throw new ProblemError({ code: 'unknown-map', where: this.#loaded.spec.name, message: `there is no map ${shownValue(name)}`, hint: this.names.length === 0 ? 'the object has none' : `${didYouMean(shownValue(name), this.names)}it has: ${this.names.join(', ')}` });
    }
    const made = new ProgramMap<Key, Value>(this.#loaded, map, this.#surroundings);
    this.#maps.set(name, made as unknown as ProgramMap);
    return made;
  }
}

/**
 * A map as a test reads and writes it: keys and values by their BTF types. Numbers are numbers, beyond 2^53 decimal strings; structs are objects, arrays
 * arrays, a `__be32` is `"192.0.2.1"`. Without types they are hex, or numbers of 1, 2, 4 or 8 bytes. Bytes (Uint8Array) go in everywhere.
 *
 * @example
 * const map = program.maps.get<string, { packets: number; bytes: number }>('packets_by_source');
 * map.set('192.0.2.9', { packets: 1, bytes: 60 });
 * [...map].map(({ key }) => key).sort(); // ['192.0.2.1', '192.0.2.9']
 * map.size; // 2
 */
export class ProgramMap<Key = JsonValue, Value = JsonValue> {
  readonly name: string;
  /** As the kernel calls it, e.g. `PERCPU_HASH`. */
  readonly type: string;
  /** The commands of bpf(2) on bytes, for what this class leaves out. */
  readonly raw: UserMap;
  readonly #loaded: LoadedObject;
  readonly #map: BpfMap;
  readonly #surroundings: MapSurroundings;

  /** Made by `ProgramMaps.get`. */
  constructor(loaded: LoadedObject, map: BpfMap, surroundings: MapSurroundings) {
    this.name = map.spec.name;
    this.type = mapTypeName(map.spec.type);
    this.raw = loaded.userMap(map.spec.name) ?? new UserMap(map);
    this.#loaded = loaded;
    this.#map = map;
    this.#surroundings = surroundings;
  }

  /**
   * The value under a key (bpf_map_lookup_elem); `undefined` when there is none.
   *
   * @throws Error when the key doesn't fit its type, or user space can't look into such a map, as with XSKMAP
   * @example
   * program.maps.get('packets_by_source').get('192.0.2.1'); // { packets: 3, bytes: 180 }
   */
  get(key: Key | Uint8Array): Value | undefined {
    const value = this.#lookup(key);
    return value && this.#value(value);
  }

  /**
   * Whether there is an element under a key.
   *
   * @throws Error when the key doesn't fit its type
   * @example
   * program.maps.get('packets_by_source').has('192.0.2.1'); // true
   */
  has(key: Key | Uint8Array): boolean {
    return this.#lookup(key) !== undefined;
  }

  /**
   * Sets the value under a key (bpf_map_update_elem). On a per-CPU map one value goes to every CPU, a list gives each its own. The value of a PROG_ARRAY is a
   * program's name, of a DEVMAP `{ ifindex }`, of a CPUMAP `{ qsize }`, both also with a `program`, of an XSKMAP an `XskSocket`, one of `TestNic.sockets`, or
   * `"socket 0"`.
   *
   * @throws Error when key or value don't fit, or the map refuses them (full, frozen, no such index)
   * @example
   * program.maps.get<string, unknown>('packets_by_source').set('192.0.2.1', { packets: 0, bytes: 2n ** 60n });
   */
  set(key: Key | Uint8Array, value: Value | Uint8Array | XskSocket | XdpSock): this {
    const socketId = value instanceof XskSocket ? this.#surroundings.socketOf(value.fd) : value instanceof XdpSock ? value.id : undefined;
    const isSocket = value instanceof XskSocket || value instanceof XdpSock;
    if (!isSocket && (key instanceof Uint8Array || value instanceof Uint8Array)) {
      const error = this.raw.update(this.#keyBytes(key), value instanceof Uint8Array ? value : this.#valueBytes(value));
      if (error !== 0) throw this.#refused(error);
      return this;
    }
    const { cpus } = this.#surroundings;
    const given = isSocket ? `socket ${socketId}` : value;
    const entry = { key: plainValue(key), ...(this.#isListOfCpus(given) ? { values: given.map((each) => wholeValue(this.#valueTarget, each)) } : { value: plainValue(given) }) };
    const problem = setMapEntry(this.#loaded, this.name, entry, `map ${this.name}`, { possibleCpus: cpus, socketCount: this.#surroundings.socketCount() });
    if (problem !== undefined) throw new ProblemError(problem);
    return this;
  }

  /** Whether it is one value for each CPU, and not one value that is an array itself. */
  #isListOfCpus(value: unknown): value is unknown[] {
    if (!this.#map.isPerCpu || !Array.isArray(value)) return false;
    const { valueTypeId } = this.#map.spec;
    const isArray = this.btf !== undefined && valueTypeId !== 0 && this.btf.type(this.btf.resolve(valueTypeId)).kind === 'array';
    return !isArray || value.every((each) => Array.isArray(each) || each instanceof Uint8Array);
  }

  /**
   * Takes an element out (bpf_map_delete_elem).
   *
   * @returns false when there was none, or the map is one whose elements stay, as an array's do
   * @throws Error when the key doesn't fit its type
   * @example
   * program.maps.get('packets_by_source').delete('192.0.2.1'); // true
   */
  delete(key: Key | Uint8Array): boolean {
    return this.raw.delete(this.#keyBytes(key)) === 0;
  }

  /**
   * All elements. Of arrays those that are not zero.
   *
   * @example
   * for (const { key, value } of program.maps.get('packets_by_source').entries()) console.log(key, value);
   */
  *entries(): IterableIterator<MapElement<Key, Value>> {
    const { keyTypeId } = this.#map.spec;
    const all = 'nonZeroEntries' in this.#map ? (this.#map as BpfMap & { nonZeroEntries(): Iterable<{ key: Uint8Array; value: Uint8Array }> }).nonZeroEntries() : this.#map.entries();
    for (const { key, value } of all) yield { key: formatValue(this.#loaded.spec.btf, keyTypeId, key) as Key, value: this.#value(value) };
  }

  [Symbol.iterator](): IterableIterator<MapElement<Key, Value>> {
    return this.entries();
  }

  /** Number of elements; of arrays those that are not zero. */
  get size(): number {
    let count = 0;
    for (const _ of this.entries()) count++;
    return count;
  }

  /**
   * The sum over all CPUs: of numbers, of each member of a struct, of each element of an array. On a map with one value for all CPUs the value itself.
   *
   * @returns `undefined` when there is no such element
   * @throws Error as `get`
   * @example
   * program.maps.get('packets_by_source').sum('192.0.2.1'); // { packets: 3, bytes: 180 }
   */
  sum(key: Key | Uint8Array): JsonValue | undefined {
    const value = this.get(key) as JsonValue | undefined;
    if (value === undefined || !this.#map.isPerCpu || !Array.isArray(value)) return value;
    return value.reduce((total, each) => addValues(total, each));
  }

  /** The map's definition: sizes, flags, BTF types of key and value. */
  get spec(): MapSpec {
    return this.#map.spec;
  }

  /** Types of the object, `undefined` when it was compiled without -g. */
  get btf(): Btf | undefined {
    return this.#loaded.spec.btf;
  }

  #lookup(key: Key | Uint8Array): Uint8Array | undefined {
    const { errno, value } = this.raw.lookup(this.#keyBytes(key));
    if (errno === 0 || errno === -ENOENT) return value;
    throw new ProblemError({ code: 'map-lookup', where: `map ${this.name}`, message: `user space can't look into a ${this.type} by key (${errnoName(errno)})`, hint: 'use entries(), or the commands of `raw`' });
  }

  #keyBytes(key: Key | Uint8Array): Uint8Array {
    const { keyTypeId: typeId, keySize: sizeBytes } = this.#map.spec;
    if (key instanceof Uint8Array) {
      if (key.length !== sizeBytes) throw new ProblemError({ code: 'map-key-size', where: `map ${this.name}`, message: `a key of ${key.length} bytes`, hint: `give ${sizeBytes}` });
      return key;
    }
    const parsed = parseValue({ btf: this.#loaded.spec.btf, typeId, sizeBytes, label: `key of map ${this.name}` }, plainValue(key));
    if (!parsed.ok) throw new ProblemError({ hint: `write it like ${JSON.stringify(exampleEntry(this.#loaded, this.#map).key)}`, ...parsed.problem });
    return parsed.value;
  }

  get #valueTarget(): WholeValueTarget {
    const { valueTypeId: typeId, valueSize: sizeBytes } = this.#map.spec;
    return { btf: this.#loaded.spec.btf, typeId, sizeBytes, label: `value of map ${this.name}` };
  }

  #valueBytes(value: unknown): Uint8Array {
    return unwrap(parseValue(this.#valueTarget, plainValue(value)));
  }

  #value(bytes: Uint8Array): Value {
    const { valueTypeId, valueSize } = this.#map.spec;
    const { btf } = this.#loaded.spec;
    if (!this.#map.isPerCpu) return formatValue(btf, valueTypeId, bytes) as Value;
    const stride = Math.ceil(valueSize / 8) * 8;
    return Array.from({ length: this.#surroundings.cpus }, (_, cpu) => formatValue(btf, valueTypeId, bytes.slice(cpu * stride, cpu * stride + valueSize))) as Value;
  }

  #refused(error: number): ProblemError {
    return new ProblemError({ code: 'map-update', where: `map ${this.name}`, message: `the map refused the element (${errnoName(error)})`, hint: `it is a ${this.type} of ${this.#map.spec.maxEntries} elements, keys of ${this.#map.spec.keySize} bytes and values of ${this.#map.spec.valueSize}` });
  }
}

function addValues(a: JsonValue, b: JsonValue): JsonValue {
  if (Array.isArray(a) && Array.isArray(b)) return a.map((each, i) => addValues(each, b[i] ?? 0));
  if (typeof a === 'object' && a !== null && typeof b === 'object' && b !== null && !Array.isArray(a) && !Array.isArray(b)) {
    return Object.fromEntries(Object.entries(a).map(([name, each]) => [name, addValues(each, b[name] ?? 0)]));
  }
  // Strings are numbers only beyond 2^53; shorter ones are text or hex.
  const isNumber = (value: JsonValue): value is number | string => typeof value === 'number' || (typeof value === 'string' && /^-?[1-9]\d{15,19}$/.test(value));
  if (!isNumber(a) || !isNumber(b)) return a;
  const sum = BigInt(a) + BigInt(b);
  return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum.toString();
}
