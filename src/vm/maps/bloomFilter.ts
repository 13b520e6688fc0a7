import { EINVAL, ENOENT, EOPNOTSUPP } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import {
  BPF_ANY, BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY, BPF_F_WRONLY_PROG, BPF_F_ZERO_SEED, MAP_OP_PEEK, MAP_OP_PUSH,
} from './map.js';
import type { MapEntry, MapPlace, QueueLikeMap } from './map.js';
import { checkKeyless, refuseMap, writeMapBlock } from './mapSupport.js';

/** BLOOM_CREATE_FLAG_MASK (kernel/bpf/bloom_filter.c, 6.18). */
const BLOOM_FLAGS = BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

/** Hash functions of a filter whose map_extra is 0, and the most that map_extra can ask for. */
const DEFAULT_HASH_FUNCTIONS = 5;
const MAX_HASH_FUNCTIONS = 15;
const MIN_BITS = 64;
const JHASH_INITVAL = 0xdeadbeef;

/** Bits of a filter (bloom_map_alloc, kernel/bpf/bloom_filter.c, 6.18): a power of two of at least 7/5 for each hash function and entry. */
function bitCount(maxEntries: number, hashFunctions: number): number {
  const hashes = maxEntries * hashFunctions;
  const bits = Math.floor(hashes / 5) * 7;
  if (hashes >= 2 ** 32 || bits > 2 ** 31) return 2 ** 32;
  return Math.max(MIN_BITS, 2 ** Math.ceil(Math.log2(bits)));
}

/**
 * BPF_MAP_TYPE_BLOOM_FILTER: remembers values, and says of a value that it was surely never pushed or that it probably was.
 *
 * Its hash has no seed, as in the kernel with BPF_F_ZERO_SEED: then both have the same false positives. Without that flag the kernel takes a
 * random seed, and its false positives are others at each start.
 */
export class BloomFilter implements QueueLikeMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number;
  readonly peekReads: boolean = true;
  readonly #memory: HostMemory;
  readonly #bitMask: number;
  readonly #hashFunctions: number;
  /** Word index of the bits. */
  readonly #bits: number;
  readonly #scratchValue: number;

  constructor(spec: MapSpec, place: MapPlace) {
    checkKeyless(spec, BLOOM_FLAGS);
    const { memory } = place;
    const { mapExtra = 0 } = spec;
    if (mapExtra > MAX_HASH_FUNCTIONS) refuseMap(spec, EINVAL, `map_extra is ${mapExtra}`, `ask for at most ${MAX_HASH_FUNCTIONS} hash functions`);
    this.#hashFunctions = mapExtra === 0 ? DEFAULT_HASH_FUNCTIONS : mapExtra;
    const bits = bitCount(spec.maxEntries, this.#hashFunctions);
    this.spec = spec;
    this.id = place.id;
    this.#memory = memory;
    this.#bitMask = bits - 1;
    this.#bits = memory.reserve(`bits of map ${spec.name}`, bits / 8) >>> 2;
    this.#scratchValue = memory.reserve(`user value of map ${spec.name}`, spec.valueSize);
    this.blockAddress = writeMapBlock(spec, place, 0);
    this.programOps = (spec.flags & BPF_F_RDONLY_PROG) === 0 ? MAP_OP_PUSH | MAP_OP_PEEK : MAP_OP_PEEK;
  }

  /** bloom_map_push_elem. */
  push(valueAddress: number, flags: number): number {
    if (flags !== BPF_ANY) return -EINVAL;
    for (let index = 0; index < this.#hashFunctions; index++) {
      const bit = this.#hash(valueAddress, index);
      this.#memory.u32[this.#bits + (bit >>> 5)] |= 1 << (bit & 31);
    }
    return 0;
  }

  /** 0 when the value was probably pushed, -ENOENT when it surely wasn't (bloom_map_peek_elem). */
  peek(valueAddress: number): number {
    for (let index = 0; index < this.#hashFunctions; index++) {
      const bit = this.#hash(valueAddress, index);
      if (((this.#memory.u32[this.#bits + (bit >>> 5)] >>> (bit & 31)) & 1) === 0) return -ENOENT;
    }
    return 0;
  }

  /** Nothing can be taken out. */
  pop(): number {
    return -EOPNOTSUPP;
  }

  lookup(): number {
    return 0;
  }

  update(): number {
    return -EINVAL;
  }

  delete(): number {
    return -EOPNOTSUPP;
  }

  /** A filter has no values to show; ask `peekBytes`. */
  lookupBytes(): Uint8Array | undefined {
    return undefined;
  }

  /** As BPF_MAP_LOOKUP_ELEM, which takes the value here. */
  peekBytes(value: Uint8Array): number {
    if (value.length !== this.spec.valueSize) return -EINVAL;
    this.#memory.u8.set(value, this.#scratchValue);
    return this.peek(this.#scratchValue);
  }

  /** Pushes, as BPF_MAP_UPDATE_ELEM does. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (key.length !== 0 || value.length !== this.spec.valueSize) return -EINVAL;
    this.#memory.u8.set(value, this.#scratchValue);
    return this.push(this.#scratchValue, flags);
  }

  deleteBytes(): number {
    return -EOPNOTSUPP;
  }

  *entries(): IterableIterator<MapEntry> {}

  /** Jenkins' lookup3 of the value (Bob Jenkins, public domain), with the number of the hash function as its start. */
  #hash(valueAddress: number, index: number): number {
    const { u8, view } = this.#memory;
    let left = this.spec.valueSize;
    let at = valueAddress;
    let a = (JHASH_INITVAL + left + index) | 0;
    let b = a;
    let c = a;
    for (; left > 12; left -= 12, at += 12) {
      a = (a + view.getInt32(at, true)) | 0;
      b = (b + view.getInt32(at + 4, true)) | 0;
      c = (c + view.getInt32(at + 8, true)) | 0;
      a = (a - c) ^ rotate(c, 4); c = (c + b) | 0;
      b = (b - a) ^ rotate(a, 6); a = (a + c) | 0;
      c = (c - b) ^ rotate(b, 8); b = (b + a) | 0;
      a = (a - c) ^ rotate(c, 16); c = (c + b) | 0;
      b = (b - a) ^ rotate(a, 19); a = (a + c) | 0;
      c = (c - b) ^ rotate(b, 4); b = (b + a) | 0;
    }
    for (let byte = 0; byte < left; byte++) {
      const part = u8[at + byte] << ((byte & 3) * 8);
      if (byte < 4) a = (a + part) | 0;
      else if (byte < 8) b = (b + part) | 0;
      else c = (c + part) | 0;
    }
    c = ((c ^ b) - rotate(b, 14)) | 0;
    a = ((a ^ c) - rotate(c, 11)) | 0;
    b = ((b ^ a) - rotate(a, 25)) | 0;
    c = ((c ^ b) - rotate(b, 16)) | 0;
    a = ((a ^ c) - rotate(c, 4)) | 0;
    b = ((b ^ a) - rotate(a, 14)) | 0;
    c = ((c ^ b) - rotate(b, 24)) | 0;
    return (c & this.#bitMask) >>> 0;
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
