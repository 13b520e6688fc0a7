import { E2BIG, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, ENOTSUPP, EOPNOTSUPP, EPERM, EBADF, EFAULT } from '../../../../src/base/index.js';
import type { MapEntry } from '../../../../src/vm/maps/map.js';
import type { BatchResult, CountResult, KeyResult, UserMap, ValueResult } from '../../../../src/vm/maps/userMap.js';
import type { MapSpec } from '../../../../src/vm/spec.js';
import { NaiveLru } from './naiveLru.js';
import { hex, u32 } from './liveMap.js';

/** The commands of a map that a test drives: ours, the kernel's and a naive one have them alike. */
export type MapCommands = Pick<
  UserMap,
  'lookup' | 'update' | 'delete' | 'nextKey' | 'lookupAndDelete' | 'lookupBatch' | 'lookupAndDeleteBatch' | 'updateBatch' | 'deleteBatch' | 'freeze'
>;

const [NOEXIST, EXIST, LOCK] = [1, 2, 4];

/** An entry of a naive map; its key as hex text, so that `===` compares it. */
interface Entry {
  readonly key: string;
  value: Uint8Array;
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const nothing = (errno: number, count?: number): BatchResult => ({ errno, count, entries: [], position: undefined });

/**
 * What the maps of Linux 6.18 do, said as simply as can be: lists that are searched from the start, nothing shared with `src`. Maps of types that
 * have no command leave it as it is here.
 */
export abstract class NaiveMap implements MapCommands {
  readonly spec: MapSpec;
  protected frozen = false;

  constructor(spec: MapSpec) {
    this.spec = spec;
  }

  /** Every entry in the order of BPF_MAP_GET_NEXT_KEY. */
  protected abstract ordered(): readonly Entry[];
  protected abstract put(key: string, value: Uint8Array, flags: number): number;
  protected abstract take(key: string): number;

  protected find(key: string): Entry | undefined {
    return this.ordered().find((entry) => entry.key === key);
  }

  lookup(key: Uint8Array | undefined, flags = 0): ValueResult {
    if (flags !== 0) return { errno: -EINVAL };
    const entry = this.find(hex(key!));
    return entry === undefined ? { errno: -ENOENT } : { errno: 0, value: entry.value };
  }

  update(key: Uint8Array | undefined, value: Uint8Array | undefined, flags = 0): number {
    if (this.frozen) return -EPERM;
    if ((flags & LOCK) !== 0) return -EINVAL;
    return this.put(key === undefined ? '' : hex(key), value!, flags);
  }

  delete(key: Uint8Array | undefined): number {
    return this.frozen ? -EPERM : this.take(key === undefined ? '' : hex(key));
  }

  nextKey(key: Uint8Array | undefined): KeyResult {
    const keys = this.ordered().map((entry) => entry.key);
    const next = keys[key === undefined ? 0 : keys.indexOf(hex(key)) + 1];
    return next === undefined ? { errno: -ENOENT } : { errno: 0, key: bytesOf(next) };
  }

  lookupAndDelete(_key: Uint8Array | undefined, flags = 0): ValueResult {
    if ((flags & ~LOCK) !== 0) return { errno: -EINVAL };
    return { errno: this.frozen ? -EPERM : flags === 0 ? -ENOTSUPP : -EINVAL };
  }

  lookupBatch(_position: Uint8Array | undefined, _count: number, _elemFlags = 0): BatchResult {
    return nothing(-ENOTSUPP);
  }

  lookupAndDeleteBatch(_position: Uint8Array | undefined, _count: number, _elemFlags = 0): BatchResult {
    return nothing(this.frozen ? -EPERM : -ENOTSUPP);
  }

  updateBatch(_entries: readonly MapEntry[], _elemFlags = 0): CountResult {
    return { errno: this.frozen ? -EPERM : -ENOTSUPP, count: undefined };
  }

  deleteBatch(_keys: readonly Uint8Array[], _elemFlags = 0): CountResult {
    return { errno: this.frozen ? -EPERM : -ENOTSUPP, count: undefined };
  }

  freeze(): number {
    if (this.frozen) return -EPERM;
    this.frozen = true;
    return 0;
  }

  protected oneByOne<T>(items: readonly T[], elemFlags: number, work: (item: T) => number): CountResult {
    if (this.frozen) return { errno: -EPERM, count: undefined };
    if (elemFlags !== 0) return { errno: -EINVAL, count: undefined };
    const results = items.map(() => 0);
    for (let i = 0; i < items.length; i++) {
      results[i] = work(items[i]);
      if (results[i] !== 0) return { errno: results[i], count: i };
    }
    return { errno: 0, count: items.length };
  }

  /** Batches of arrays and tries: from the key behind `position`, or from the first one. */
  protected keysFrom(position: Uint8Array | undefined, count: number, elemFlags: number): BatchResult {
    if (elemFlags !== 0) return nothing(-EINVAL);
    if (count === 0) return nothing(0, 0);
    const all = this.ordered();
    const start = position === undefined ? 0 : all.findIndex(({ key }) => key === hex(position)) + 1;
    const found = all.slice(start, start + count);
    return {
      errno: found.length < count ? -ENOENT : 0,
      count: found.length,
      entries: found.map(({ key, value }) => ({ key: bytesOf(key), value })),
      position: found.length === 0 ? undefined : bytesOf(found[found.length - 1].key),
    };
  }
}

/** ARRAY and PERCPU_ARRAY. */
export class NaiveArray extends NaiveMap {
  readonly #values: Entry[];

  constructor(spec: MapSpec, valueBytes: number) {
    super(spec);
    this.#values = Array.from({ length: spec.maxEntries }, (_, index) => ({ key: hex(u32(index)), value: new Uint8Array(valueBytes) }));
  }

  protected ordered(): readonly Entry[] {
    return this.#values;
  }

  protected put(key: string, value: Uint8Array, flags: number): number {
    if (flags > EXIST) return -EINVAL;
    const entry = this.find(key);
    if (entry === undefined) return -E2BIG;
    if (flags === NOEXIST) return -EEXIST;
    entry.value = value;
    return 0;
  }

  protected take(): number {
    return -EINVAL;
  }

  override lookupBatch(position: Uint8Array | undefined, count: number, elemFlags = 0): BatchResult {
    return this.keysFrom(position, count, elemFlags);
  }

  override updateBatch(entries: readonly MapEntry[], elemFlags = 0): CountResult {
    return this.oneByOne(entries, elemFlags, ({ key, value }) => this.put(hex(key), value, 0));
  }
}

/** HASH and PERCPU_HASH; with an LRU, LRU_HASH and LRU_PERCPU_HASH. */
export class NaiveHash extends NaiveMap {
  readonly isPercpu: boolean;
  readonly lru: NaiveLru | undefined;
  readonly #bucketCount: number;
  /** Newest first: within a bucket that is the order. */
  #entries: Entry[] = [];

  constructor(spec: MapSpec, possibleCpus: number) {
    super(spec);
    this.isPercpu = spec.type === 5 || spec.type === 10;
    const isLru = spec.type === 9 || spec.type === 10;
    const isCommon = (spec.flags & 2) === 0;
    const nodes = isLru && !isCommon ? Math.ceil(spec.maxEntries / possibleCpus) * possibleCpus : spec.maxEntries;
    let buckets = 1;
    while (buckets < nodes) buckets *= 2;
    this.#bucketCount = buckets;
    if (isLru) this.lru = new NaiveLru(isCommon ? nodes : nodes / possibleCpus, possibleCpus, isCommon, (key) => this.#remove(key));
  }

  protected ordered(): readonly Entry[] {
    return Array.from({ length: this.#bucketCount }, (_, bucket) => this.#inBucket(bucket)).flat();
  }

  protected override find(key: string): Entry | undefined {
    return this.#entries.find((entry) => entry.key === key);
  }

  protected put(key: string, value: Uint8Array, flags: number): number {
    if (flags > EXIST) return -EINVAL;
    // An LRU map gets room before it looks.
    const wantsNode = this.lru !== undefined && !(this.isPercpu && flags === EXIST);
    const node = wantsNode ? this.lru!.pop(key) : undefined;
    if (wantsNode && node === undefined) return -ENOMEM;
    const old = this.find(key);
    let errno = 0;
    if (old !== undefined && flags === NOEXIST) errno = -EEXIST;
    else if (old === undefined && flags === EXIST) errno = -ENOENT;
    else if (old === undefined && this.lru === undefined && this.#entries.length === this.spec.maxEntries) errno = -E2BIG;

    if (errno === 0 && old !== undefined && this.isPercpu) {
      old.value = value;
      this.lru?.use(key, node);
    } else if (errno === 0) {
      this.#remove(key);
      this.#entries.unshift({ key, value });
      if (node !== undefined) {
        if (old !== undefined) {
          node.isUsed = true;
          this.lru!.giveBackOld(key, node);
        }
        return 0;
      }
    }
    if (node !== undefined) this.lru!.giveBack(node);
    return errno;
  }

  protected take(key: string): number {
    if (!this.#remove(key)) return -ENOENT;
    this.lru?.forget(key);
    return 0;
  }

  override lookupAndDelete(key: Uint8Array | undefined, flags = 0): ValueResult {
    const result = super.lookupAndDelete(key, flags);
    if (result.errno !== -ENOTSUPP) return result;
    const found = this.lookup(key);
    if (found.errno === 0) this.take(hex(key!));
    return found;
  }

  override lookupBatch(position: Uint8Array | undefined, count: number, elemFlags = 0): BatchResult {
    if (elemFlags !== 0) return nothing(-EINVAL);
    if (count === 0) return nothing(0, 0);
    const start = position === undefined ? 0 : Buffer.from(position).readUInt32LE();
    if (start >= this.#bucketCount) return nothing(-ENOENT, 0);
    const found: Entry[] = [];
    let bucket = start;
    while (bucket < this.#bucketCount && found.length + this.#inBucket(bucket).length <= count) found.push(...this.#inBucket(bucket++));
    const isEnd = bucket === this.#bucketCount;
    return {
      errno: isEnd ? -ENOENT : found.length === 0 ? -ENOSPC : 0,
      count: found.length,
      entries: found.map(({ key, value }) => ({ key: bytesOf(key), value })),
      position: u32(bucket),
    };
  }

  override lookupAndDeleteBatch(position: Uint8Array | undefined, count: number, elemFlags = 0): BatchResult {
    if (this.frozen) return nothing(-EPERM);
    const result = this.lookupBatch(position, count, elemFlags);
    for (const { key } of result.entries) this.take(hex(key));
    return result;
  }

  override updateBatch(entries: readonly MapEntry[], elemFlags = 0): CountResult {
    return this.oneByOne(entries, elemFlags, ({ key, value }) => this.put(hex(key), value, 0));
  }

  override deleteBatch(keys: readonly Uint8Array[], elemFlags = 0): CountResult {
    return this.oneByOne(keys, elemFlags, (key) => this.take(hex(key)));
  }

  #inBucket(bucket: number): Entry[] {
    return this.#entries.filter(({ key }) => lookup3(bytesOf(key)) % this.#bucketCount === bucket);
  }

  #remove(key: string): boolean {
    const before = this.#entries.length;
    this.#entries = this.#entries.filter((entry) => entry.key !== key);
    return this.#entries.length < before;
  }
}

/** LPM_TRIE: a list of prefixes as text of 0 and 1. */
export class NaiveLpm extends NaiveMap {
  readonly #prefixes = new Map<string, Entry>();

  protected ordered(): readonly Entry[] {
    // What a prefix contains comes before it; else the first bit that differs decides.
    const isBefore = (a: string, b: string): number => (a.startsWith(b) ? -1 : b.startsWith(a) ? 1 : a < b ? -1 : 1);
    return [...this.#prefixes].sort(([a], [b]) => (a === b ? 0 : isBefore(a, b))).map(([, entry]) => entry);
  }

  override lookup(key: Uint8Array | undefined, flags = 0): ValueResult {
    if (flags !== 0) return { errno: -EINVAL };
    const bits = prefixOf(key!);
    if (bits === undefined) return { errno: -ENOENT };
    const matches = [...this.#prefixes.keys()].filter((prefix) => bits.startsWith(prefix));
    if (matches.length === 0) return { errno: -ENOENT };
    const longest = matches.reduce((a, b) => (b.length > a.length ? b : a));
    return { errno: 0, value: this.#prefixes.get(longest)!.value };
  }

  override nextKey(key: Uint8Array | undefined): KeyResult {
    const bits = key === undefined ? undefined : prefixOf(key);
    const known = bits === undefined ? undefined : this.#prefixes.get(bits);
    return super.nextKey(known === undefined ? undefined : bytesOf(known.key));
  }

  protected put(key: string, value: Uint8Array, flags: number): number {
    if (flags > EXIST) return -EINVAL;
    const bits = prefixOf(bytesOf(key));
    if (bits === undefined) return -EINVAL;
    const old = this.#prefixes.get(bits);
    if (old !== undefined && flags === NOEXIST) return -EEXIST;
    if (old === undefined && flags === EXIST) return -ENOENT;
    if (old === undefined && this.#prefixes.size === this.spec.maxEntries) return -ENOSPC;
    this.#prefixes.set(bits, { key, value });
    return 0;
  }

  protected take(key: string): number {
    const bits = prefixOf(bytesOf(key));
    if (bits === undefined) return -EINVAL;
    return this.#prefixes.delete(bits) ? 0 : -ENOENT;
  }

  /** The keys are those of `nextKey`, the values those that a lookup of such a key gives. */
  override lookupBatch(position: Uint8Array | undefined, count: number, elemFlags = 0): BatchResult {
    const bits = position === undefined ? undefined : prefixOf(position);
    const known = bits === undefined ? undefined : this.#prefixes.get(bits);
    return this.keysFrom(known === undefined ? undefined : bytesOf(known.key), count, elemFlags);
  }

  override updateBatch(entries: readonly MapEntry[], elemFlags = 0): CountResult {
    return this.oneByOne(entries, elemFlags, ({ key, value }) => this.put(hex(key), value, 0));
  }

  override deleteBatch(keys: readonly Uint8Array[], elemFlags = 0): CountResult {
    return this.oneByOne(keys, elemFlags, (key) => this.take(hex(key)));
  }
}

/** QUEUE and STACK. */
export class NaiveQueue extends NaiveMap {
  /** In the order in which they came. */
  readonly #values: Uint8Array[] = [];

  protected ordered(): readonly Entry[] {
    return [];
  }

  protected put(_key: string, value: Uint8Array, flags: number): number {
    if (flags !== 0 && flags !== EXIST) return -EINVAL;
    const isFull = this.#values.length === this.spec.maxEntries;
    if (isFull && flags === 0) return -E2BIG;
    if (isFull) this.#values.shift();
    this.#values.push(value);
    return 0;
  }

  protected take(): number {
    return -EINVAL;
  }

  override lookup(_key: Uint8Array | undefined, flags = 0): ValueResult {
    if (flags !== 0) return { errno: -EINVAL };
    const value = this.spec.type === 22 ? this.#values[0] : this.#values.at(-1);
    return value === undefined ? { errno: -ENOENT } : { errno: 0, value };
  }

  override lookupAndDelete(key: Uint8Array | undefined, flags = 0): ValueResult {
    const result = super.lookupAndDelete(key, flags);
    if (result.errno !== -ENOTSUPP) return result;
    const found = this.lookup(key);
    if (this.spec.type === 22) this.#values.shift();
    else this.#values.pop();
    return found;
  }

  override nextKey(): KeyResult {
    return { errno: -EINVAL };
  }
}

/** XSKMAP and PROG_ARRAY: slots; a value of 0 stands for a descriptor that is none. */
export class NaiveSlots extends NaiveMap {
  readonly #slots: (Uint8Array | undefined)[] = [];

  protected ordered(): readonly Entry[] {
    return Array.from({ length: this.spec.maxEntries }, (_, index) => ({ key: hex(u32(index)), value: new Uint8Array(4) }));
  }

  override lookup(_key: Uint8Array | undefined, flags = 0): ValueResult {
    if (flags !== 0) return { errno: -EINVAL };
    return { errno: this.spec.type === 17 ? -EOPNOTSUPP : -ENOENT };
  }

  protected put(key: string, value: Uint8Array, flags: number): number {
    const index = bytesOf(key)[0];
    if (flags > (this.spec.type === 17 ? EXIST : 0)) return -EINVAL;
    if (index >= this.spec.maxEntries) return -E2BIG;
    if (value[0] === 0) return -EBADF;
    const old = this.#slots[index];
    if (old !== undefined && hex(old) === hex(value)) return 0;
    if (old !== undefined && flags === NOEXIST) return -EEXIST;
    if (old === undefined && flags === EXIST) return -ENOENT;
    this.#slots[index] = value;
    return 0;
  }

  protected take(key: string): number {
    const index = bytesOf(key)[0];
    if (index >= this.spec.maxEntries) return this.spec.type === 17 ? -EINVAL : -E2BIG;
    if (this.spec.type === 17) this.#slots[index] = undefined;
    return this.spec.type === 17 ? 0 : -ENOENT;
  }
}

/** BLOOM_FILTER: bits are as good as the hash, so the hash is all that there is to model. */
export class NaiveBloom extends NaiveMap {
  readonly #bits = new Set<number>();
  readonly #hashes: number;
  readonly #bitCount: number;

  constructor(spec: MapSpec) {
    super(spec);
    this.#hashes = spec.mapExtra || 5;
    let bits = 64;
    while (bits < Math.floor((spec.maxEntries * this.#hashes) / 5) * 7) bits *= 2;
    this.#bitCount = bits;
  }

  protected ordered(): readonly Entry[] {
    return [];
  }

  #bitsOf(value: Uint8Array): number[] {
    return Array.from({ length: this.#hashes }, (_, seed) => lookup3(value, seed) % this.#bitCount);
  }

  protected put(_key: string, value: Uint8Array, flags: number): number {
    if (flags !== 0) return -EINVAL;
    for (const bit of this.#bitsOf(value)) this.#bits.add(bit);
    return 0;
  }

  protected take(): number {
    return -EOPNOTSUPP;
  }

  override lookup(_key: Uint8Array | undefined, flags = 0, value?: Uint8Array): ValueResult {
    if (flags !== 0) return { errno: -EINVAL };
    if (value === undefined) return { errno: -EFAULT };
    return { errno: this.#bitsOf(value).every((bit) => this.#bits.has(bit)) ? 0 : -ENOENT };
  }

  override nextKey(): KeyResult {
    return { errno: -EOPNOTSUPP };
  }
}

/** Bits of a prefix as text, `undefined` when it has too many. */
function prefixOf(key: Uint8Array): string | undefined {
  const length = Buffer.from(key).readUInt32LE();
  const bits = [...key.subarray(4)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return length > bits.length ? undefined : bits.slice(0, length);
}

/** Jenkins' lookup3 in numbers without a width, cut to 32 bits after each step. */
function lookup3(bytes: Uint8Array, seed = 0): number {
  const cut = (n: bigint): bigint => BigInt.asUintN(32, n);
  const rotl = (n: bigint, by: bigint): bigint => cut(n << by) | (n >> (32n - by));
  const word = (at: number): bigint => [0, 1, 2, 3].reduce((sum, i) => sum | (BigInt(bytes[at + i] ?? 0) << BigInt(8 * i)), 0n);
  let [a, b, c] = Array<bigint>(3).fill(cut(0xdeadbeefn + BigInt(bytes.length + seed)));
  let at = 0;
  for (; bytes.length - at > 12; at += 12) {
    [a, b, c] = [cut(a + word(at)), cut(b + word(at + 4)), cut(c + word(at + 8))];
    for (const by of [4n, 6n, 8n, 16n, 19n, 4n]) {
      // a -= c; a ^= rol(c, by); c += b, and the three change places.
      const mixed = cut(a - c) ^ rotl(c, by);
      [a, b, c] = [b, cut(c + b), mixed];
    }
  }
  if (at < bytes.length) {
    [a, b, c] = [cut(a + word(at)), cut(b + word(at + 4)), cut(c + word(at + 8))];
    c = cut((c ^ b) - rotl(b, 14n));
    a = cut((a ^ c) - rotl(c, 11n));
    b = cut((b ^ a) - rotl(a, 25n));
    c = cut((c ^ b) - rotl(b, 16n));
    a = cut((a ^ c) - rotl(c, 4n));
    b = cut((b ^ a) - rotl(a, 14n));
    c = cut((c ^ b) - rotl(b, 24n));
  }
  return Number(c);
}
