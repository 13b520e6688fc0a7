import { EFAULT, EINVAL, ENOENT, ENOSPC, ENOTSUPP, EOPNOTSUPP, EPERM } from '../../base/index.js';
import type { BloomFilter } from './bloomFilter.js';
import type { HashtabMap } from './hashTable.js';
import { NO_NODE } from './hashTable.js';
import { BPF_ANY, BPF_F_LOCK, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY } from './map.js';
import type { BpfMap, MapEntry } from './map.js';
import { indexKey, keyIndex } from './mapSupport.js';
import type { QueueStackMap } from './queueStackMap.js';
import { userRule } from './userRules.js';
import type { UserRule } from './userRules.js';
import { spinLockOf } from './valueFields.js';

/** What a command that reads gives. */
export interface ValueResult {
  /** 0 or a negated errno. */
  readonly errno: number;
  readonly value?: Uint8Array;
}

export interface KeyResult {
  /** 0 or a negated errno: -ENOENT behind the last key. */
  readonly errno: number;
  readonly key?: Uint8Array;
}

export interface CountResult {
  /** 0 or a negated errno. */
  readonly errno: number;
  /** Entries that were worked on; `undefined` when the kernel leaves `count` as it was. */
  readonly count: number | undefined;
}

export interface BatchResult extends CountResult {
  readonly entries: readonly MapEntry[];
  /** `out_batch`: where the next call goes on. Opaque: a key, or the number of a bucket; `undefined` when the kernel writes none. */
  readonly position: Uint8Array | undefined;
}

const NO_KEY = new Uint8Array(0);

/**
 * A map as user space has it by a file descriptor: the commands of bpf(2) on map elements, with the results of Linux 6.18
 * (kernel/bpf/syscall.c, and map_ops of each type). Nothing here throws: results are 0 or a negated errno.
 *
 * Bytes stand where bpf(2) takes addresses, so a key or value of a wrong size, which the kernel can't see, is -EINVAL, and NULL is `undefined`.
 * Values of a per-CPU map are one for each possible CPU, each rounded up to 8 bytes. Access flags of the map count as they do for the
 * descriptor that BPF_MAP_CREATE gives: BPF_F_RDONLY and BPF_F_WRONLY restrict it. User space is on CPU 0.
 */
export class UserMap {
  readonly map: BpfMap;
  readonly #rule: UserRule;
  #isFrozen: boolean;

  constructor(map: BpfMap) {
    this.map = map;
    this.#rule = userRule(map.spec.type);
    // libbpf freezes constants once it has written them (bpf_object__populate_internal_map).
    this.#isFrozen = map.spec.dataSection !== undefined && (map.spec.flags & BPF_F_RDONLY_PROG) !== 0;
  }

  /**
   * BPF_MAP_LOOKUP_ELEM.
   *
   * @param key `undefined` for maps without keys
   * @param flags 0 or BPF_F_LOCK
   * @param value what a BLOOM_FILTER is asked for
   */
  lookup(key: Uint8Array | undefined, flags = 0, value?: Uint8Array): ValueResult {
    if (!isSubset(flags, BPF_F_LOCK)) return { errno: -EINVAL };
    if (!this.#mayRead) return { errno: -EPERM };
    const error = this.#checkLock(flags) || this.#checkKey(key);
    if (error !== 0) return { errno: error };
    if (this.#rule.lookup === 'asks for a value') {
      return { errno: value === undefined ? -EFAULT : (this.map as BloomFilter).peekBytes(value) };
    }
    return this.#read(key ?? NO_KEY);
  }

  /** BPF_MAP_UPDATE_ELEM: 0 or a negated errno. */
  update(key: Uint8Array | undefined, value: Uint8Array | undefined, flags = BPF_ANY): number {
    if (!this.#mayWrite) return -EPERM;
    const error = this.#checkLock(flags) || this.#checkKey(key);
    if (error !== 0) return error;
    // Of a value without bytes the kernel reads none.
    if (value === undefined && this.map.spec.valueSize > 0) return -EFAULT;
    return this.map.updateBytes(key ?? NO_KEY, value ?? new Uint8Array(0), flags);
  }

  /** BPF_MAP_DELETE_ELEM: 0 or a negated errno. */
  delete(key: Uint8Array | undefined): number {
    if (!this.#mayWrite) return -EPERM;
    return this.#checkKey(key) || this.map.deleteBytes(key ?? NO_KEY);
  }

  /** BPF_MAP_GET_NEXT_KEY: the first key for `undefined`, and for a key that isn't there. */
  nextKey(key: Uint8Array | undefined): KeyResult {
    if (!this.#mayRead) return { errno: -EPERM };
    const error = key === undefined ? 0 : this.#checkKey(key);
    return error === 0 ? this.#nextKey(key) : { errno: error };
  }

  /** BPF_MAP_LOOKUP_AND_DELETE_ELEM: takes an element out, or the next one of a QUEUE or STACK. */
  lookupAndDelete(key: Uint8Array | undefined, flags = 0): ValueResult {
    if (!isSubset(flags, BPF_F_LOCK)) return { errno: -EINVAL };
    if (!this.#mayRead || !this.#mayWrite) return { errno: -EPERM };
    const error = this.#checkLock(flags) || this.#checkKey(key);
    if (error !== 0) return { errno: error };
    const { takesOut } = this.#rule;
    if (takesOut === undefined) return { errno: -ENOTSUPP };
    if (takesOut === 'the next value') {
      const value = (this.map as QueueStackMap).popBytes();
      return value === undefined ? { errno: -ENOENT } : { errno: 0, value };
    }
    const result = this.#read(key ?? NO_KEY);
    if (result.errno === 0) this.map.deleteBytes(key ?? NO_KEY);
    return result;
  }

  /**
   * BPF_MAP_LOOKUP_BATCH: up to `count` entries from `position` on. -ENOENT comes with the last of them, -ENOSPC when the next bucket
   * of a hash doesn't fit.
   *
   * @param position `in_batch`: what the last call gave; `undefined` for the beginning
   */
  lookupBatch(position: Uint8Array | undefined, count: number, elemFlags = 0): BatchResult {
    const { lookupBatch } = this.#rule;
    if (!this.#mayRead) return nothing(-EPERM);
    if (lookupBatch === undefined) return nothing(-ENOTSUPP);
    const error = this.#checkBatch(elemFlags);
    if (error !== 0) return nothing(error);
    return lookupBatch === 'buckets' ? this.#bucketBatch(position, count, false) : this.#keyBatch(position, count);
  }

  /** BPF_MAP_LOOKUP_AND_DELETE_BATCH: as `lookupBatch`, and what it gives is taken out. */
  lookupAndDeleteBatch(position: Uint8Array | undefined, count: number, elemFlags = 0): BatchResult {
    if (!this.#mayRead || !this.#mayWrite) return nothing(-EPERM);
    if (this.#rule.lookupBatch !== 'buckets') return nothing(-ENOTSUPP);
    const error = this.#checkBatch(elemFlags);
    return error === 0 ? this.#bucketBatch(position, count, true) : nothing(error);
  }

  /** BPF_MAP_UPDATE_BATCH: updates one after the other and stops at the first that fails. `elemFlags` can't be BPF_NOEXIST or BPF_EXIST. */
  updateBatch(entries: readonly MapEntry[], elemFlags = 0): CountResult {
    if (!this.#mayWrite) return { errno: -EPERM, count: undefined };
    if (!this.#rule.updateBatch) return { errno: -ENOTSUPP, count: undefined };
    return this.#eachOf(entries, elemFlags, ({ key, value }) => this.map.updateBytes(key, value, elemFlags));
  }

  /** BPF_MAP_DELETE_BATCH: deletes one after the other and stops at the first that fails. */
  deleteBatch(keys: readonly Uint8Array[], elemFlags = 0): CountResult {
    if (!this.#mayWrite) return { errno: -EPERM, count: undefined };
    if (!this.#rule.deleteBatch) return { errno: -ENOTSUPP, count: undefined };
    return this.#eachOf(keys, elemFlags, (key) => this.map.deleteBytes(key));
  }

  /** BPF_MAP_FREEZE: from now on user space can't change the map; programs can. 0 or a negated errno, -EPERM the second time. */
  freeze(): number {
    if (this.map.spec.valueFields !== undefined) return -ENOTSUPP;
    if (!this.#mayWrite) return -EPERM;
    this.#isFrozen = true;
    return 0;
  }

  get #mayRead(): boolean {
    return (this.map.spec.flags & BPF_F_WRONLY) === 0;
  }

  get #mayWrite(): boolean {
    return !this.#isFrozen && (this.map.spec.flags & BPF_F_RDONLY) === 0;
  }

  /** Only a value with a bpf_spin_lock, which BTF has to tell, can be read or written under it. */
  #checkLock(flags: number): number {
    return (flags & BPF_F_LOCK) !== 0 && spinLockOf(this.map.spec) === undefined ? -EINVAL : 0;
  }

  #checkKey(key: Uint8Array | undefined): number {
    const isNull = key === undefined || key.length === 0;
    if (this.map.spec.keySize === 0) return isNull ? 0 : -EINVAL;
    if (isNull) return -EFAULT;
    return key.length === this.map.spec.keySize ? 0 : -EINVAL;
  }

  #checkBatch(elemFlags: number): number {
    return isSubset(elemFlags, BPF_F_LOCK) ? this.#checkLock(elemFlags) : -EINVAL;
  }

  #read(key: Uint8Array): ValueResult {
    if (this.#rule.lookup === 'not allowed') return { errno: -EOPNOTSUPP };
    if (this.#rule.lookup === 'not supported') return { errno: -ENOTSUPP };
    const value = this.map.lookupBytes(key);
    return value === undefined ? { errno: -ENOENT } : { errno: 0, value };
  }

  #nextKey(key: Uint8Array | undefined): KeyResult {
    const { order } = this.#rule;
    if (typeof order === 'number') return { errno: order };
    const next = order === 'by index' ? this.#nextIndex(key) : this.#nextOf(key);
    return next === undefined ? { errno: -ENOENT } : { errno: 0, key: next };
  }

  /** array_map_get_next_key (kernel/bpf/arraymap.c, 6.18), and its like. */
  #nextIndex(key: Uint8Array | undefined): Uint8Array | undefined {
    const index = key === undefined ? this.map.spec.maxEntries : keyIndex(key);
    if (index >= this.map.spec.maxEntries) return indexKey(0);
    return index === this.map.spec.maxEntries - 1 ? undefined : indexKey(index + 1);
  }

  #nextOf(key: Uint8Array | undefined): Uint8Array | undefined {
    if (this.map.nextKeyBytes !== undefined) return this.map.nextKeyBytes(key);
    if (this.#rule.order !== 'by bucket') return this.#nextEntry(key);
    const hash = this.map as HashtabMap;
    const node = hash.table.nextNode(key === undefined ? NO_NODE : hash.nodeOf(key));
    return node === NO_NODE ? undefined : hash.entryAt(node).key;
  }

  /** For types that have no better way: searches all entries. */
  #nextEntry(key: Uint8Array | undefined): Uint8Array | undefined {
    let first: Uint8Array | undefined;
    let isFound = false;
    for (const entry of this.map.entries()) {
      if (isFound || key === undefined) return entry.key;
      first ??= entry.key;
      isFound = entry.key.every((byte, index) => byte === key[index]);
    }
    return isFound ? undefined : first;
  }

  /** generic_map_lookup_batch (kernel/bpf/syscall.c, 6.18): keys one after the other; a position is the last one. */
  #keyBatch(position: Uint8Array | undefined, count: number): BatchResult {
    if (count === 0) return nothing(0, 0);
    if (position !== undefined && position.length !== this.map.spec.keySize) return nothing(-EINVAL);
    const entries: MapEntry[] = [];
    let last = position;
    let errno = 0;
    while (errno === 0 && entries.length < count) {
      const next = this.#nextKey(last);
      errno = next.errno;
      if (next.key === undefined) break;
      const read = this.#read(next.key);
      if (read.value !== undefined) entries.push({ key: next.key, value: read.value });
      last = next.key;
    }
    return { errno, count: entries.length, entries, position: entries.length > 0 ? last : undefined };
  }

  /** __htab_map_lookup_and_delete_batch (kernel/bpf/hashtab.c, 6.18): whole buckets; a position is the number of the next one (u32). */
  #bucketBatch(position: Uint8Array | undefined, count: number, isDelete: boolean): BatchResult {
    if (count === 0) return nothing(0, 0);
    if (position !== undefined && position.length < 4) return nothing(-EINVAL);
    const hash = this.map as HashtabMap;
    const { table } = hash;
    let bucket = position === undefined ? 0 : keyIndex(position);
    if (bucket >= table.bucketCount) return nothing(-ENOENT, 0);
    const entries: MapEntry[] = [];
    let errno = 0;
    for (; errno === 0; bucket++) {
      const inBucket: MapEntry[] = [];
      for (let node = table.firstIn(bucket); node !== NO_NODE; node = table.nextInBucket(node)) inBucket.push(hash.entryAt(node));
      if (inBucket.length > count - entries.length) {
        if (entries.length === 0) errno = -ENOSPC;
        break;
      }
      entries.push(...inBucket);
      if (isDelete) for (const { key } of inBucket) hash.deleteBytes(key);
      if (bucket + 1 === table.bucketCount) errno = -ENOENT;
    }
    return { errno, count: entries.length, entries, position: indexKey(bucket) };
  }

  #eachOf<T>(items: readonly T[], elemFlags: number, work: (item: T) => number): CountResult {
    const error = this.#checkBatch(elemFlags);
    if (error !== 0) return { errno: error, count: undefined };
    for (const [index, item] of items.entries()) {
      const errno = work(item);
      if (errno !== 0) return { errno, count: index };
    }
    return { errno: 0, count: items.length };
  }
}

function nothing(errno: number, count?: number): BatchResult {
  return { errno, count, entries: [], position: undefined };
}

function isSubset(flags: number, allowed: number): boolean {
  return flags === (flags & allowed);
}
