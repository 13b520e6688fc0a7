import { EINVAL, ENOENT, EOPNOTSUPP } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import { jhash } from './jhash.js';
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

  #hash(valueAddress: number, index: number): number {
    return (jhash(this.#memory, valueAddress, this.spec.valueSize, index) & this.#bitMask) >>> 0;
  }
}
