import { EEXIST, EINVAL, ENOENT, ENOSPC } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import {
  BPF_EXIST, BPF_F_NO_PREALLOC, BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY, BPF_F_WRONLY_PROG, BPF_NOEXIST,
} from './map.js';
import type { BpfMap, MapEntry, MapPlace } from './map.js';
import { checkCommon, copyBytes, refuseMap, reserveValues, roundUp8, valueMapOps, writeMapBlock } from './mapSupport.js';

/** LPM_CREATE_FLAG_MASK (kernel/bpf/lpm_trie.c, 6.18). */
const LPM_FLAGS = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

/** Bytes of prefixlen in front of the data of a key (struct bpf_lpm_trie_key_u8). */
const PREFIXLEN_BYTES = 4;
const DATA_MAX_BYTES = 256;
/** LPM_VAL_SIZE_MAX: KMALLOC_MAX_SIZE less the largest data and struct lpm_trie_node, x86-64. */
const VALUE_MAX_BYTES = 2 ** 22 - DATA_MAX_BYTES - 24;

/** Values beyond max_entries, so that one which was just replaced or deleted isn't used again at once. */
const SPARE_VALUES = 16;

// Words of a node; its data begins at NODE_DATA.
const NODE_CHILD = 0;
const NODE_PREFIXLEN = 2;
const NODE_VALUE = 3;
const NODE_DATA = 4;

/** Checks of trie_alloc (kernel/bpf/lpm_trie.c, 6.18). */
function checkLpmSpec(spec: MapSpec): void {
  checkCommon(spec, EINVAL, LPM_FLAGS);
  if ((spec.flags & BPF_F_NO_PREALLOC) === 0) refuseMap(spec, EINVAL, 'BPF_F_NO_PREALLOC is missing', 'set map_flags to BPF_F_NO_PREALLOC');
  const dataBytes = spec.keySize - PREFIXLEN_BYTES;
  if (dataBytes < 1 || dataBytes > DATA_MAX_BYTES) {
    refuseMap(spec, EINVAL, `key_size is ${spec.keySize}`, `use a __u32 prefixlen and 1 to ${DATA_MAX_BYTES} bytes of data behind it as the key`);
  }
  if (spec.valueSize > VALUE_MAX_BYTES) refuseMap(spec, EINVAL, `value_size ${spec.valueSize} is over ${VALUE_MAX_BYTES}`, 'make the value smaller');
}

/**
 * BPF_MAP_TYPE_LPM_TRIE: a binary trie of prefixes; a lookup gives the longest one that the key begins with.
 *
 *     node   u32 child[2]    word index of a node, 0 when there is none
 *            u32 prefixlen   bits of the data that count
 *            u32 value       address of the value, 0 in a node that only parts two subtrees
 *            u8  data[]      as it was given, the bits behind the prefix included; padded to 4
 *
 * A trie of max_entries prefixes needs up to as many nodes again that only part. As in the kernel an update replaces the element: who
 * still holds the old value's address sees the old value. The kernel frees it after an RCU grace period, that is not before the
 * program has ended; here it is used again after SPARE_VALUES more of them, oldest first.
 */
export class LpmTrie implements BpfMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number;
  readonly #memory: HostMemory;
  readonly #dataBytes: number;
  readonly #maxPrefixlen: number;
  readonly #nodeWords: number;
  /** Word index of the root's link, of the first node, and of the ring of freed values. */
  readonly #root: number;
  readonly #nodes: number;
  readonly #freeValues: number;
  readonly #valuesAddress: number;
  readonly #valueCount: number;
  readonly #scratchKey: number;
  readonly #scratchValue: number;
  #count = 0;
  /** Nodes, and values, that have been used at least once. */
  #freshNode = 0;
  #freshValue = 0;
  /** First freed node, linked by child[0]; 0 when there is none. */
  #freeNode = 0;
  /** Values freed, and freed values used again, so far. */
  #valuesFreed = 0;
  #valuesReused = 0;

  constructor(spec: MapSpec, place: MapPlace) {
    checkLpmSpec(spec);
    const { memory } = place;
    this.spec = spec;
    this.id = place.id;
    this.#memory = memory;
    this.#dataBytes = spec.keySize - PREFIXLEN_BYTES;
    this.#maxPrefixlen = this.#dataBytes * 8;
    this.#nodeWords = NODE_DATA + Math.ceil(this.#dataBytes / 4);
    this.#valueCount = spec.maxEntries + SPARE_VALUES;
    this.#root = memory.reserve(`root of map ${spec.name}`, 4) >>> 2;
    this.#nodes = memory.reserve(`nodes of map ${spec.name}`, 2 * spec.maxEntries * this.#nodeWords * 4) >>> 2;
    this.#freeValues = memory.reserve(`free values of map ${spec.name}`, this.#valueCount * 4) >>> 2;
    this.#valuesAddress = reserveValues(spec, place, this.#valueCount);
    this.#scratchKey = memory.reserve(`user key of map ${spec.name}`, spec.keySize);
    this.#scratchValue = memory.reserve(`user value of map ${spec.name}`, spec.valueSize);
    this.blockAddress = writeMapBlock(spec, place, 0);
    this.programOps = valueMapOps(spec);
  }

  /** trie_lookup_elem. */
  lookup(keyAddress: number): number {
    const { u32 } = this.#memory;
    const prefixlen = this.#prefixlenOf(keyAddress);
    if (prefixlen > this.#maxPrefixlen) return 0;
    const data = keyAddress + PREFIXLEN_BYTES;
    let found = 0;
    for (let node = u32[this.#root]; node !== 0; node = u32[node + NODE_CHILD + this.#bit(data, u32[node + NODE_PREFIXLEN])]) {
      const matchlen = this.#commonBits(node, data, prefixlen);
      if (matchlen < u32[node + NODE_PREFIXLEN]) break;
      if (u32[node + NODE_VALUE] !== 0) found = u32[node + NODE_VALUE];
      if (matchlen === this.#maxPrefixlen) break;
    }
    return found;
  }

  /** trie_update_elem. */
  update(keyAddress: number, valueAddress: number, flags: number): number {
    const { u32 } = this.#memory;
    const prefixlen = this.#prefixlenOf(keyAddress);
    if (flags > BPF_EXIST || prefixlen > this.#maxPrefixlen) return -EINVAL;
    const data = keyAddress + PREFIXLEN_BYTES;
    const link = this.#linkFor(data, prefixlen);
    const node = u32[link];
    const matchlen = node === 0 ? 0 : this.#commonBits(node, data, prefixlen);

    if (node !== 0 && u32[node + NODE_PREFIXLEN] === matchlen) {
      // This very prefix, as an element or as a node that only parts.
      const old = u32[node + NODE_VALUE];
      const error = old === 0 ? this.#checkNew(flags) : flags === BPF_NOEXIST ? -EEXIST : 0;
      if (error !== 0) return error;
      if (old === 0) this.#count++;
      this.#fill(node, data, valueAddress);
      if (old !== 0) this.#pushFreeValue(old);
      return 0;
    }
    const error = this.#checkNew(flags);
    if (error !== 0) return error;
    this.#count++;
    const fresh = this.#takeNode(prefixlen);
    this.#fill(fresh, data, valueAddress);
    if (node === 0) {
      u32[link] = fresh;
    } else if (matchlen === prefixlen) {
      u32[fresh + NODE_CHILD + this.#bit((node + NODE_DATA) * 4, matchlen)] = node;
      u32[link] = fresh;
    } else {
      u32[link] = this.#parting(node, fresh, matchlen);
    }
    return 0;
  }

  /** trie_delete_elem. */
  delete(keyAddress: number): number {
    const { u32 } = this.#memory;
    const prefixlen = this.#prefixlenOf(keyAddress);
    if (prefixlen > this.#maxPrefixlen) return -EINVAL;
    const data = keyAddress + PREFIXLEN_BYTES;
    let above = 0;
    let link = this.#root;
    let node = u32[link];
    while (node !== 0) {
      const nodePrefixlen = u32[node + NODE_PREFIXLEN];
      if (this.#commonBits(node, data, prefixlen) !== nodePrefixlen) return -ENOENT;
      if (nodePrefixlen === prefixlen) break;
      above = link;
      link = node + NODE_CHILD + this.#bit(data, nodePrefixlen);
      node = u32[link];
    }
    if (node === 0 || u32[node + NODE_VALUE] === 0) return -ENOENT;

    this.#count--;
    this.#pushFreeValue(u32[node + NODE_VALUE]);
    u32[node + NODE_VALUE] = 0;
    const [left, right] = [u32[node + NODE_CHILD], u32[node + NODE_CHILD + 1]];
    if (left !== 0 && right !== 0) return 0;
    u32[link] = left === 0 ? right : left;
    this.#freeTheNode(node);
    // A leaf went: a parent that only parted it from its sibling goes too.
    if (u32[link] === 0 && above !== 0 && u32[u32[above] + NODE_VALUE] === 0) {
      const parent = u32[above];
      u32[above] = u32[parent + NODE_CHILD] === 0 ? u32[parent + NODE_CHILD + 1] : u32[parent + NODE_CHILD];
      this.#freeTheNode(parent);
    }
    return 0;
  }

  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    if (!this.#takeKey(key)) return undefined;
    const address = this.lookup(this.#scratchKey);
    return address === 0 ? undefined : this.#memory.u8.slice(address, address + this.spec.valueSize);
  }

  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (!this.#takeKey(key) || value.length !== this.spec.valueSize) return -EINVAL;
    this.#memory.u8.set(value, this.#scratchValue);
    return this.update(this.#scratchKey, this.#scratchValue, flags);
  }

  deleteBytes(key: Uint8Array): number {
    return this.#takeKey(key) ? this.delete(this.#scratchKey) : -EINVAL;
  }

  /** In the kernel's order (trie_get_next_key): the prefixes below a node, bit 0 first, then the node itself. */
  *entries(): IterableIterator<MapEntry> {
    const { u32 } = this.#memory;
    const path: { readonly node: number; nextChild: number }[] = [];
    const enter = (node: number): void => {
      if (node !== 0) path.push({ node, nextChild: 0 });
    };
    enter(u32[this.#root]);
    while (path.length > 0) {
      const top = path[path.length - 1];
      if (top.nextChild < 2) {
        enter(u32[top.node + NODE_CHILD + top.nextChild++]);
        continue;
      }
      path.pop();
      if (u32[top.node + NODE_VALUE] !== 0) yield this.#entryOf(top.node);
    }
  }

  /** trie_get_next_key. */
  nextKeyBytes(key: Uint8Array | undefined): Uint8Array | undefined {
    const { u32 } = this.#memory;
    const path = key === undefined ? undefined : this.#pathTo(key);
    if (path === undefined) return this.#firstKeyBelow(u32[this.#root]);
    let node = path.pop()!;
    for (let parent = path.pop(); parent !== undefined; parent = path.pop()) {
      const right = u32[parent + NODE_CHILD + 1];
      if (right !== 0 && right !== node) return this.#firstKeyBelow(right);
      if (u32[parent + NODE_VALUE] !== 0) return this.#keyOf(parent);
      node = parent;
    }
    return undefined;
  }

  /** Nodes from the root to the prefix of a key of user space, `undefined` when it isn't there. */
  #pathTo(key: Uint8Array): number[] | undefined {
    const { u32 } = this.#memory;
    if (!this.#takeKey(key)) return undefined;
    const prefixlen = this.#prefixlenOf(this.#scratchKey);
    const data = this.#scratchKey + PREFIXLEN_BYTES;
    if (prefixlen > this.#dataBytes * 8) return undefined;
    const path: number[] = [];
    for (let node = u32[this.#root]; node !== 0; ) {
      path.push(node);
      const nodePrefixlen = u32[node + NODE_PREFIXLEN];
      if (this.#commonBits(node, data, prefixlen) !== nodePrefixlen) return undefined;
      if (nodePrefixlen === prefixlen) return u32[node + NODE_VALUE] === 0 ? undefined : path;
      node = u32[node + NODE_CHILD + this.#bit(data, nodePrefixlen)];
    }
    return undefined;
  }

  /** First key in the order of `entries` among a node and what is below it. */
  #firstKeyBelow(node: number): Uint8Array | undefined {
    const { u32 } = this.#memory;
    if (node === 0) return undefined;
    let at = node;
    for (;;) {
      const [left, right] = [u32[at + NODE_CHILD], u32[at + NODE_CHILD + 1]];
      if (left === 0 && right === 0) return this.#keyOf(at);
      at = left === 0 ? right : left;
    }
  }

  #entryOf(node: number): MapEntry {
    const value = this.#memory.u32[node + NODE_VALUE];
    return { key: this.#keyOf(node), value: this.#memory.u8.slice(value, value + this.spec.valueSize) };
  }

  #keyOf(node: number): Uint8Array {
    const { u8, u32 } = this.#memory;
    // Prefixlen and data lie apart in a node, and side by side in a key.
    const key = new Uint8Array(this.spec.keySize);
    new DataView(key.buffer).setUint32(0, u32[node + NODE_PREFIXLEN], true);
    key.set(u8.subarray((node + NODE_DATA) * 4, (node + NODE_DATA) * 4 + this.#dataBytes), PREFIXLEN_BYTES);
    return key;
  }

  /** The link where this prefix is, or where it has to be put in. */
  #linkFor(data: number, prefixlen: number): number {
    const { u32 } = this.#memory;
    let link = this.#root;
    for (let node = u32[link]; node !== 0; node = u32[link]) {
      const nodePrefixlen = u32[node + NODE_PREFIXLEN];
      if (nodePrefixlen === prefixlen || this.#commonBits(node, data, prefixlen) !== nodePrefixlen) break;
      link = node + NODE_CHILD + this.#bit(data, nodePrefixlen);
    }
    return link;
  }

  /** trie_check_add_elem. */
  #checkNew(flags: number): number {
    if (flags === BPF_EXIST) return -ENOENT;
    return this.#count === this.spec.maxEntries ? -ENOSPC : 0;
  }

  /** A node that parts two others, which have `matchlen` bits in common. */
  #parting(one: number, other: number, matchlen: number): number {
    const { u32 } = this.#memory;
    const node = this.#takeNode(matchlen);
    copyBytes(this.#memory, (node + NODE_DATA) * 4, (one + NODE_DATA) * 4, this.#dataBytes);
    u32[node + NODE_CHILD + this.#bit((one + NODE_DATA) * 4, matchlen)] = one;
    u32[node + NODE_CHILD + this.#bit((other + NODE_DATA) * 4, matchlen)] = other;
    return node;
  }

  #takeNode(prefixlen: number): number {
    const { u32 } = this.#memory;
    let node = this.#freeNode;
    if (node === 0) node = this.#nodes + this.#freshNode++ * this.#nodeWords;
    else this.#freeNode = u32[node + NODE_CHILD];
    u32[node + NODE_CHILD] = 0;
    u32[node + NODE_CHILD + 1] = 0;
    u32[node + NODE_PREFIXLEN] = prefixlen;
    u32[node + NODE_VALUE] = 0;
    return node;
  }

  #freeTheNode(node: number): void {
    this.#memory.u32[node + NODE_CHILD] = this.#freeNode;
    this.#freeNode = node;
  }

  /** Gives a node its data and a new value. */
  #fill(node: number, data: number, valueAddress: number): void {
    const value = this.#takeValue();
    copyBytes(this.#memory, (node + NODE_DATA) * 4, data, this.#dataBytes);
    copyBytes(this.#memory, value, valueAddress, this.spec.valueSize);
    this.#memory.u32[node + NODE_VALUE] = value;
  }

  #takeValue(): number {
    if (this.#freshValue < this.#valueCount) return this.#valuesAddress + this.#freshValue++ * roundUp8(this.spec.valueSize);
    return this.#memory.u32[this.#freeValues + (this.#valuesReused++ % this.#valueCount)];
  }

  #pushFreeValue(value: number): void {
    this.#memory.u32[this.#freeValues + (this.#valuesFreed++ % this.#valueCount)] = value;
  }

  #prefixlenOf(keyAddress: number): number {
    return this.#memory.view.getUint32(keyAddress, true);
  }

  /** Bit of a prefix, 0 being the highest of the first byte (extract_bit). */
  #bit(data: number, index: number): number {
    return (this.#memory.u8[data + (index >>> 3)] >>> (7 - (index & 7))) & 1;
  }

  /** Bits that a node's prefix and another one have in common (longest_prefix_match). */
  #commonBits(node: number, data: number, prefixlen: number): number {
    const { u8, u32 } = this.#memory;
    const limit = Math.min(u32[node + NODE_PREFIXLEN], prefixlen);
    const own = (node + NODE_DATA) * 4;
    for (let bits = 0, at = 0; bits < limit; bits += 8, at++) {
      const differing = u8[own + at] ^ u8[data + at];
      if (differing !== 0) return Math.min(limit, bits + Math.clz32(differing) - 24);
    }
    return limit;
  }

  #takeKey(key: Uint8Array): boolean {
    if (key.length !== this.spec.keySize) return false;
    this.#memory.u8.set(key, this.#scratchKey);
    return true;
  }
}
