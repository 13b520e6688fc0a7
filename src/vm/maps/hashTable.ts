import type { HostMemory } from '../../memory/index.js';
import { jhash } from './jhash.js';
import type { BpfMap, MapEntry } from './map.js';
import { copyBytes } from './mapSupport.js';

/** No node. */
export const NO_NODE = -1;

/** Bit of a link that marks its node as free; the rest links the free list. */
const FREE_BIT = 0x80000000;

/** Seed of the hash: that of the kernel with BPF_F_ZERO_SEED, so that the order of everything is the same in every run, and there. */
const HASH_SEED = 0;

/** A map of kernel/bpf/hashtab.c. User space sees its order: bucket by bucket. */
export interface HashtabMap extends BpfMap {
  readonly table: HashTable;
  /** Node of a key of user space, NO_NODE when there is none. */
  nodeOf(key: Uint8Array): number;
  entryAt(node: number): MapEntry;
  /** Address of the value of a node that is in use; on a per-CPU map this CPU's. */
  valueAddress(node: number, cpu: number): number;
}

/**
 * Keys of a hash map: buckets with chains of nodes, all in host memory and reserved in advance. What a node stands for is its
 * user's affair.
 *
 *     buckets[]  u32: 1 + first node of the chain, 0 when empty
 *     links[]    u32: 1 + next node of the chain, 0 at its end; FREE_BIT | 1 + next free node in a free one
 *     keys[]     key bytes, padded to 4
 *
 * A new key comes first in its bucket. Hash, number of buckets and so the order are those of the kernel for a map with BPF_F_ZERO_SEED
 * (htab_map_hash, kernel/bpf/hashtab.c, 6.18).
 *
 * A freed node is the first to be used again, as in the kernel (kernel/bpf/percpu_freelist.c). Nothing here allocates.
 */
export class HashTable {
  readonly capacity: number;
  readonly #memory: HostMemory;
  readonly #keySize: number;
  readonly #keyStride: number;
  readonly #bucketMask: number;
  readonly #buckets: number;
  readonly #links: number;
  readonly #keys: number;
  /** Nodes up to here have been used at least once. */
  #freshNode = 0;
  /** 1 + first free node, 0 when there is none. */
  #freeHead = 0;
  #count = 0;

  constructor(memory: HostMemory, name: string, keySize: number, capacity: number) {
    const bucketCount = 2 ** Math.ceil(Math.log2(capacity));
    this.capacity = capacity;
    this.#memory = memory;
    this.#keySize = keySize;
    this.#keyStride = Math.ceil(keySize / 4) * 4;
    this.#bucketMask = bucketCount - 1;
    this.#buckets = memory.reserve(`buckets of map ${name}`, bucketCount * 4) >>> 2;
    this.#links = memory.reserve(`links of map ${name}`, capacity * 4) >>> 2;
    this.#keys = memory.reserve(`keys of map ${name}`, capacity * this.#keyStride);
  }

  /** Nodes in use. */
  get count(): number {
    return this.#count;
  }

  get bucketCount(): number {
    return this.#bucketMask + 1;
  }

  /** Bytes from one key to the next. */
  get keyStrideBytes(): number {
    return this.#keyStride;
  }

  /** Address of a node's key. */
  keyAddress(node: number): number {
    return this.#keys + node * this.#keyStride;
  }

  /** The node with this key, or NO_NODE. */
  find(keyAddress: number): number {
    const { u32 } = this.#memory;
    let link = u32[this.#buckets + this.#bucketOf(keyAddress)];
    while (link !== 0) {
      if (this.#isKeyOf(link - 1, keyAddress)) return link - 1;
      link = u32[this.#links + link - 1];
    }
    return NO_NODE;
  }

  /** Adds a key that isn't there yet: its node, or NO_NODE when the table is full. */
  insert(keyAddress: number): number {
    const { u32 } = this.#memory;
    let node: number;
    if (this.#freeHead !== 0) {
      node = this.#freeHead - 1;
      this.#freeHead = (u32[this.#links + node] & ~FREE_BIT) >>> 0;
    } else if (this.#freshNode < this.capacity) {
      node = this.#freshNode++;
    } else {
      return NO_NODE;
    }
    this.insertAt(node, keyAddress);
    return node;
  }

  /** Adds a key that isn't there yet at a node that the caller has: for who hands out all nodes himself, and never calls `insert` or `remove`. */
  insertAt(node: number, keyAddress: number): void {
    const { u32 } = this.#memory;
    const bucket = this.#buckets + this.#bucketOf(keyAddress);
    u32[this.#links + node] = u32[bucket];
    u32[bucket] = node + 1;
    copyBytes(this.#memory, this.keyAddress(node), keyAddress, this.#keySize);
    this.#count++;
  }

  /** Makes a node the first of its bucket: what the kernel gets by putting a new element in before it takes the old one out. */
  moveToFront(node: number): void {
    const { u32 } = this.#memory;
    const bucket = this.#buckets + this.#bucketOf(this.keyAddress(node));
    if (u32[bucket] === node + 1) return;
    let before = this.#links + u32[bucket] - 1;
    while (u32[before] !== node + 1) before = this.#links + u32[before] - 1;
    u32[before] = u32[this.#links + node];
    u32[this.#links + node] = u32[bucket];
    u32[bucket] = node + 1;
  }

  /** Takes a key out and frees its node: the node, or NO_NODE. */
  remove(keyAddress: number): number {
    const node = this.unlink(keyAddress);
    if (node === NO_NODE) return NO_NODE;
    this.#memory.u32[this.#links + node] = (this.#freeHead | FREE_BIT) >>> 0;
    this.#freeHead = node + 1;
    return node;
  }

  /** Takes a key out: the node that it had, which is now the caller's, or NO_NODE. */
  unlink(keyAddress: number): number {
    const { u32 } = this.#memory;
    let from = this.#buckets + this.#bucketOf(keyAddress);
    let link = u32[from];
    while (link !== 0) {
      const node = link - 1;
      const next = u32[this.#links + node];
      if (this.#isKeyOf(node, keyAddress)) {
        u32[from] = next;
        this.#count--;
        return node;
      }
      from = this.#links + node;
      link = next;
    }
    return NO_NODE;
  }

  /** First node of a bucket, NO_NODE when it is empty. */
  firstIn(bucket: number): number {
    return this.#memory.u32[this.#buckets + bucket] - 1;
  }

  /** Next node of the same bucket, or NO_NODE. */
  nextInBucket(node: number): number {
    return this.#memory.u32[this.#links + node] - 1;
  }

  /** The node is in use and in this bucket. */
  isIn(bucket: number, node: number): boolean {
    let at = this.firstIn(bucket);
    while (at !== NO_NODE && at !== node) at = this.nextInBucket(at);
    return at === node;
  }

  /** The node behind this one, bucket by bucket, or NO_NODE; the first one when it is given NO_NODE (htab_map_get_next_key). */
  nextNode(node: number): number {
    let bucket = 0;
    if (node !== NO_NODE) {
      const next = this.nextInBucket(node);
      if (next !== NO_NODE) return next;
      bucket = this.#bucketOf(this.keyAddress(node)) + 1;
    }
    for (; bucket <= this.#bucketMask; bucket++) {
      if (this.firstIn(bucket) !== NO_NODE) return this.firstIn(bucket);
    }
    return NO_NODE;
  }

  /** Nodes in use, in the order of their first use. */
  *nodes(): IterableIterator<number> {
    for (let node = 0; node < this.#freshNode; node++) {
      if ((this.#memory.u32[this.#links + node] & FREE_BIT) === 0) yield node;
    }
  }

  #isKeyOf(node: number, keyAddress: number): boolean {
    const { u8, view } = this.#memory;
    const own = this.#keys + node * this.#keyStride;
    const size = this.#keySize;
    let at = 0;
    for (; at + 4 <= size; at += 4) {
      if (view.getUint32(own + at, true) !== view.getUint32(keyAddress + at, true)) return false;
    }
    for (; at < size; at++) {
      if (u8[own + at] !== u8[keyAddress + at]) return false;
    }
    return true;
  }

  #bucketOf(keyAddress: number): number {
    return (jhash(this.#memory, keyAddress, this.#keySize, HASH_SEED) & this.#bucketMask) >>> 0;
  }
}
