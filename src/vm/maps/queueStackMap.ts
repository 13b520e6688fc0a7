import { E2BIG, EINVAL, ENOENT } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import {
  BPF_EXIST, BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY, BPF_F_WRONLY_PROG, BPF_NOEXIST, MAP_OP_PEEK, MAP_OP_POP, MAP_OP_PUSH,
} from './map.js';
import type { MapEntry, MapPlace, QueueLikeMap } from './map.js';
import { checkKeyless, copyBytes, roundUp8, writeMapBlock } from './mapSupport.js';

/** QUEUE_STACK_CREATE_FLAG_MASK (kernel/bpf/queue_stack_maps.c, 6.18). */
const QUEUE_STACK_FLAGS = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

/**
 * BPF_MAP_TYPE_QUEUE and BPF_MAP_TYPE_STACK: values without keys, in a ring of max_entries. A queue gives the oldest one first, a stack the
 * newest. Programs get copies, never an address.
 */
export class QueueStackMap implements QueueLikeMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number;
  readonly peekReads: boolean = false;
  readonly #memory: HostMemory;
  readonly #isStack: boolean;
  readonly #strideBytes: number;
  readonly #ringAddress: number;
  readonly #scratchValue: number;
  /** Place of the oldest value, and how many there are. */
  #oldest = 0;
  #count = 0;

  constructor(spec: MapSpec, place: MapPlace, isStack: boolean) {
    checkKeyless(spec, QUEUE_STACK_FLAGS);
    const { memory } = place;
    this.spec = spec;
    this.id = place.id;
    this.#memory = memory;
    this.#isStack = isStack;
    this.#strideBytes = roundUp8(spec.valueSize);
    this.#ringAddress = memory.reserve(`map ${spec.name}`, spec.maxEntries * this.#strideBytes);
    this.#scratchValue = memory.reserve(`user value of map ${spec.name}`, spec.valueSize);
    this.blockAddress = writeMapBlock(spec, place, 0);
    // Taking a value out writes, as the verifier sees it (check_map_func_compatibility, record_func_map).
    this.programOps = (spec.flags & BPF_F_RDONLY_PROG) === 0 ? MAP_OP_PUSH | MAP_OP_POP | MAP_OP_PEEK : MAP_OP_PEEK;
  }

  /** queue_stack_map_push_elem: with BPF_EXIST a full map loses its oldest value. */
  push(valueAddress: number, flags: number): number {
    if ((flags & BPF_NOEXIST) !== 0 || flags > BPF_EXIST) return -EINVAL;
    if (this.#count === this.spec.maxEntries) {
      if (flags !== BPF_EXIST) return -E2BIG;
      this.#dropOldest();
    }
    copyBytes(this.#memory, this.#addressOf(this.#count), valueAddress, this.spec.valueSize);
    this.#count++;
    return 0;
  }

  pop(valueAddress: number): number {
    const error = this.peek(valueAddress);
    if (error !== 0) return error;
    if (this.#isStack) this.#count--;
    else this.#dropOldest();
    return 0;
  }

  /** An empty map gives zeros. */
  peek(valueAddress: number): number {
    if (this.#count === 0) {
      this.#memory.u8.fill(0, valueAddress, valueAddress + this.spec.valueSize);
      return -ENOENT;
    }
    copyBytes(this.#memory, valueAddress, this.#addressOf(this.#isStack ? this.#count - 1 : 0), this.spec.valueSize);
    return 0;
  }

  /** Programs can't look up, update or delete; the verifier refuses them before it comes to this. */
  lookup(): number {
    return 0;
  }

  update(): number {
    return -EINVAL;
  }

  delete(): number {
    return -EINVAL;
  }

  /** The value that comes next, as BPF_MAP_LOOKUP_ELEM gives it. */
  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    if (key.length !== 0 || this.peek(this.#scratchValue) !== 0) return undefined;
    return this.#memory.u8.slice(this.#scratchValue, this.#scratchValue + this.spec.valueSize);
  }

  /** As BPF_MAP_LOOKUP_AND_DELETE_ELEM; `undefined` when the map is empty. */
  popBytes(): Uint8Array | undefined {
    if (this.pop(this.#scratchValue) !== 0) return undefined;
    return this.#memory.u8.slice(this.#scratchValue, this.#scratchValue + this.spec.valueSize);
  }

  /** Pushes, as BPF_MAP_UPDATE_ELEM does. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (key.length !== 0 || value.length !== this.spec.valueSize) return -EINVAL;
    this.#memory.u8.set(value, this.#scratchValue);
    return this.push(this.#scratchValue, flags);
  }

  deleteBytes(): number {
    return -EINVAL;
  }

  /** In the order in which they would be popped. The kernel doesn't tell user space (EINVAL); this is for reports. */
  *entries(): IterableIterator<MapEntry> {
    for (let i = 0; i < this.#count; i++) {
      const address = this.#addressOf(this.#isStack ? this.#count - 1 - i : i);
      yield { key: new Uint8Array(0), value: this.#memory.u8.slice(address, address + this.spec.valueSize) };
    }
  }

  /** Address of a value by its age: 0 is the oldest. */
  #addressOf(age: number): number {
    return this.#ringAddress + ((this.#oldest + age) % this.spec.maxEntries) * this.#strideBytes;
  }

  #dropOldest(): void {
    this.#oldest = (this.#oldest + 1) % this.spec.maxEntries;
    this.#count--;
  }
}
