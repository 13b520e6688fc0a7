import { EINVAL, EOPNOTSUPP } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec, ProgramSpec } from '../spec.js';
import { BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_WRONLY, MAP_OP_LOOKUP, MAP_OP_REDIRECT } from './map.js';
import type { MapEntry, MapPlace } from './map.js';
import { writeMapBlock } from './mapSupport.js';
import { allowReading, checkEntrySpec, entryProgramId, indexToUpdate, updateEntryBytes } from './programEntry.js';
import type { NamedProgram, ProgramEntryMap } from './programEntry.js';
import { ProgramOwner } from './programOwner.js';
import { SlotTable } from './slotTable.js';

/** DEV_CREATE_FLAG_MASK (kernel/bpf/devmap.c, 6.18). */
export const DEVMAP_FLAGS = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY;

// Flags of bpf_redirect_map (include/uapi/linux/bpf.h).
/** To every device in the map instead of the one with this key. */
export const BPF_F_BROADCAST = 1 << 3;
/** Only with BPF_F_BROADCAST: not to the device that the packet came in on. */
export const BPF_F_EXCLUDE_INGRESS = 1 << 4;

/** __dev_map_alloc_node: the interface exists (`MapPlace.isDevice`); without that knowledge each positive int may. */
export function isDevice({ isDevice: known }: MapPlace, ifindex: number): boolean {
  return ifindex > 0 && ifindex < 2 ** 31 && (known === undefined || known(ifindex));
}

/**
 * BPF_MAP_TYPE_DEVMAP: an array of interfaces to redirect to, each with a program or without (kernel/bpf/devmap.c, 6.18).
 *
 * A slot holds struct bpf_devmap_val, whatever the value size; programs may read it. A redirect target is a slot's address.
 */
export class DevMap implements ProgramEntryMap {
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
  readonly #owner = new ProgramOwner(false);

  constructor(spec: MapSpec, place: MapPlace) {
    checkEntrySpec(spec, DEVMAP_FLAGS);
    this.spec = spec;
    this.id = place.id;
    this.#memory = place.memory;
    this.#place = place;
    this.#slots = new SlotTable(place.memory, spec.name, spec.maxEntries, 8);
    allowReading(spec, place, this.#slots);
    this.blockAddress = writeMapBlock(spec, place, this.#slots.address);
  }

  adopt(program: ProgramSpec): boolean {
    return this.#owner.adopt(program);
  }

  get slotCount(): number {
    return this.spec.maxEntries;
  }

  slotTarget(slot: number): number {
    return this.#slots.find(slot);
  }

  redirectTarget(key: number): number {
    return this.#slots.find(key);
  }

  lookup(keyAddress: number): number {
    return this.#slots.find(this.#memory.view.getUint32(keyAddress, true));
  }

  /** The verifier lets no program write into it. */
  update(): number {
    return -EOPNOTSUPP;
  }

  delete(): number {
    return -EOPNOTSUPP;
  }

  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    return this.#slots.lookupBytes(key, this.spec.valueSize);
  }

  /** An ifindex of 0 empties the slot. A positive program file descriptor names nothing here: use `updateEntry`. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    return updateEntryBytes(this, key, value, flags);
  }

  /** __dev_map_update_elem. */
  updateEntry(key: Uint8Array, ifindex: number, program: NamedProgram, flags: number): number {
    const index = indexToUpdate(this.spec, key, flags);
    if (index < 0) return index;
    if (ifindex === 0) {
      if (program !== undefined) return -EINVAL;
      this.#slots.set(index, 0);
      return 0;
    }
    if (!isDevice(this.#place, ifindex)) return -EINVAL;
    const programId = entryProgramId(this, program, this.#owner);
    if (programId < 0) return programId;
    this.#slots.set(index, ifindex, programId);
    return 0;
  }

  /** dev_map_delete_elem: an empty slot is no error. */
  deleteBytes(key: Uint8Array): number {
    return this.#slots.deleteBytes(key);
  }

  entries(): IterableIterator<MapEntry> {
    return this.#slots.entries(this.spec.valueSize);
  }
}
