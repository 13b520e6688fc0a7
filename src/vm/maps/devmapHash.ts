import { E2BIG, EEXIST, EINVAL, ENOENT, EOPNOTSUPP } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import { BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS, DEVMAP_FLAGS, isDevice } from './devmap.js';
import { BPF_EXIST, BPF_NOEXIST, MAP_OP_LOOKUP, MAP_OP_REDIRECT } from './map.js';
import type { MapEntry, MapPlace } from './map.js';
import { indexKey, keyIndex, refuseMap, writeMapBlock } from './mapSupport.js';
import { allowReading, checkEntrySpec, entryProgramId, updateEntryBytes } from './programEntry.js';
import type { NamedProgram, ProgramEntryMap } from './programEntry.js';
import { ProgramOwner } from './programOwner.js';
import { SlotTable } from './slotTable.js';

/** Buckets are a power of two, of which an unsigned int must hold the number. */
const MAX_ENTRIES = 2 ** 31;

/** No node. */
const NONE = -1;

/**
 * BPF_MAP_TYPE_DEVMAP_HASH: interfaces to redirect to by any number (kernel/bpf/devmap.c, 6.18).
 *
 * As in the kernel a bucket is the key's low bits and the entry that was written last stands first in it, so the map lists its entries
 * in the kernel's order. A node is an index of `#slots`, `#keys` and `#links`; the last hold 1 + the next node of the bucket, or 0.
 */
export class DevMapHash implements ProgramEntryMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number = MAP_OP_LOOKUP | MAP_OP_REDIRECT;
  readonly redirectFlagMask: number = BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS;
  readonly entryAttachType = 'devmap';
  readonly #memory: HostMemory;
  readonly #place: MapPlace;
  readonly #slots: SlotTable;
  /** Address / 4 of the first word each. */
  readonly #buckets: number;
  readonly #links: number;
  readonly #keys: number;
  readonly #bucketCount: number;
  /** Only programs in it decide of what kind others must be: those that use the map need not match (map_type_contains_progs). */
  readonly #owner = new ProgramOwner(false);
  #count = 0;
  /** Nodes from here on were never used; 1 + first freed node, or 0. */
  #freshNode = 0;
  #freeHead = 0;

  constructor(spec: MapSpec, place: MapPlace) {
    checkEntrySpec(spec, DEVMAP_FLAGS);
    if (spec.maxEntries > MAX_ENTRIES) refuseMap(spec, EINVAL, `max_entries is over ${MAX_ENTRIES}`, 'make it smaller');
    const { memory } = place;
    this.spec = spec;
    this.id = place.id;
    this.#memory = memory;
    this.#place = place;
    this.#bucketCount = 2 ** Math.ceil(Math.log2(spec.maxEntries));
    this.#buckets = memory.reserve(`buckets of map ${spec.name}`, this.#bucketCount * 4) >>> 2;
    this.#links = memory.reserve(`links of map ${spec.name}`, spec.maxEntries * 4) >>> 2;
    this.#keys = memory.reserve(`keys of map ${spec.name}`, spec.maxEntries * 4) >>> 2;
    this.#slots = new SlotTable(memory, spec.name, spec.maxEntries, 8);
    allowReading(spec, place, this.#slots);
    this.blockAddress = writeMapBlock(spec, place, this.#slots.address);
  }

  get slotCount(): number {
    return this.#freshNode;
  }

  slotTarget(slot: number): number {
    return this.#slots.find(slot);
  }

  redirectTarget(key: number): number {
    const node = this.#find(key);
    return node === NONE ? 0 : this.#slots.find(node);
  }

  lookup(keyAddress: number): number {
    return this.redirectTarget(this.#memory.view.getUint32(keyAddress, true));
  }

  /** The verifier lets no program write into it. */
  update(): number {
    return -EOPNOTSUPP;
  }

  delete(): number {
    return -EOPNOTSUPP;
  }

  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    const node = key.length === 4 ? this.#find(keyIndex(key)) : NONE;
    return node === NONE ? undefined : this.#slots.bytes(node, this.spec.valueSize);
  }

  /** A positive program file descriptor names nothing here: use `updateEntry`. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    return updateEntryBytes(this, key, value, flags);
  }

  /** __dev_map_hash_update_elem: BPF_EXIST asks for nothing. */
  updateEntry(key: Uint8Array, ifindex: number, program: NamedProgram, flags: number): number {
    if (key.length !== 4 || flags > BPF_EXIST || ifindex === 0) return -EINVAL;
    const index = keyIndex(key);
    if (flags === BPF_NOEXIST && this.#find(index) !== NONE) return -EEXIST;
    if (!isDevice(this.#place, ifindex)) return -EINVAL;
    const programId = entryProgramId(this, program, this.#owner);
    if (programId < 0) return programId;
    let node = this.#unlink(index);
    if (node === NONE) {
      if (this.#count === this.spec.maxEntries) return -E2BIG;
      node = this.#takeNode();
      this.#count++;
    }
    const { u32 } = this.#memory;
    const bucket = this.#bucketOf(index);
    u32[this.#keys + node] = index;
    u32[this.#links + node] = u32[bucket];
    u32[bucket] = node + 1;
    this.#slots.set(node, ifindex, programId);
    return 0;
  }

  deleteBytes(key: Uint8Array): number {
    if (key.length !== 4) return -EINVAL;
    const node = this.#unlink(keyIndex(key));
    if (node === NONE) return -ENOENT;
    this.#slots.set(node, 0);
    this.#memory.u32[this.#links + node] = this.#freeHead;
    this.#freeHead = node + 1;
    this.#count--;
    return 0;
  }

  *entries(): IterableIterator<MapEntry> {
    const { u32 } = this.#memory;
    for (let bucket = 0; bucket < this.#bucketCount; bucket++) {
      for (let link = u32[this.#buckets + bucket]; link !== 0; link = u32[this.#links + link - 1]) {
        yield { key: indexKey(u32[this.#keys + link - 1]), value: this.#slots.bytes(link - 1, this.spec.valueSize)! };
      }
    }
  }

  #bucketOf(key: number): number {
    return this.#buckets + ((key & (this.#bucketCount - 1)) >>> 0);
  }

  #find(key: number): number {
    const { u32 } = this.#memory;
    let link = u32[this.#bucketOf(key)];
    while (link !== 0 && u32[this.#keys + link - 1] !== key) link = u32[this.#links + link - 1];
    return link - 1;
  }

  /** Takes a key out of its bucket: its node, or NONE. */
  #unlink(key: number): number {
    const { u32 } = this.#memory;
    let from = this.#bucketOf(key);
    while (u32[from] !== 0 && u32[this.#keys + u32[from] - 1] !== key) from = this.#links + u32[from] - 1;
    const node = u32[from] - 1;
    if (node !== NONE) u32[from] = u32[this.#links + node];
    return node;
  }

  #takeNode(): number {
    if (this.#freeHead === 0) return this.#freshNode++;
    const node = this.#freeHead - 1;
    this.#freeHead = this.#memory.u32[this.#links + node];
    return node;
  }
}
