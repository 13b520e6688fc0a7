import { E2BIG, EEXIST, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP, EOVERFLOW } from '../../base/index.js';
import type { LoadedProgram } from '../program.js';
import type { MapSpec, ProgramSpec } from '../spec.js';
import { BPF_EXIST, BPF_F_NUMA_NODE, BPF_NOEXIST, MAP_OP_REDIRECT } from './map.js';
import type { MapEntry, MapPlace } from './map.js';
import { keyIndex, refuseMap, writeMapBlock } from './mapSupport.js';
import { checkEntrySpec, entryProgramId, programInBytes, targetInBytes } from './programEntry.js';
import type { NamedProgram, ProgramEntryMap } from './programEntry.js';
import { ProgramOwner } from './programOwner.js';
import { SlotTable } from './slotTable.js';

/** CONFIG_NR_CPUS of a distribution kernel, x86-64; smaller kernels refuse smaller maps. */
const NR_CPUS = 8192;

/** Most packets that may wait for a CPU (__cpu_map_update_elem's sanity limit). */
const MAX_QUEUE_SIZE = 16384;

/**
 * BPF_MAP_TYPE_CPUMAP: CPUs that packets can be handed over to, each with the size of its queue and a program or without
 * (kernel/bpf/cpumap.c, 6.18). A slot holds struct bpf_cpumap_val, whatever the value size. A redirect target is a slot's address.
 */
export class CpuMap implements ProgramEntryMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  /** Not even look-ups. */
  readonly programOps: number = MAP_OP_REDIRECT;
  readonly redirectFlagMask: number = 0;
  readonly entryAttachType = 'cpumap';
  readonly #possibleCpus: number;
  readonly #slots: SlotTable;
  readonly #owner = new ProgramOwner(false);

  constructor(spec: MapSpec, place: MapPlace) {
    checkEntrySpec(spec, BPF_F_NUMA_NODE);
    if (spec.maxEntries > NR_CPUS) refuseMap(spec, E2BIG, `max_entries is ${spec.maxEntries}, over the ${NR_CPUS} CPUs of a kernel`, 'make it smaller');
    this.spec = spec;
    this.id = place.id;
    this.#possibleCpus = place.possibleCpus;
    this.#slots = new SlotTable(place.memory, spec.name, spec.maxEntries, 8);
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

  lookup(): number {
    return 0;
  }

  update(): number {
    return -EOPNOTSUPP;
  }

  delete(): number {
    return -EOPNOTSUPP;
  }

  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    return key.length === 4 ? this.#slots.bytes(keyIndex(key), this.spec.valueSize) : undefined;
  }

  /** A queue size of 0 empties the slot. A positive program file descriptor names nothing here: use `updateEntry`. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (value.length !== this.spec.valueSize) return -EINVAL;
    return this.#update(key, targetInBytes(value), programInBytes(value), flags);
  }

  updateEntry(key: Uint8Array, target: number, program: LoadedProgram | undefined, flags: number): number {
    return this.#update(key, target, program, flags);
  }

  /** cpu_map_delete_elem: an empty slot is no error. */
  deleteBytes(key: Uint8Array): number {
    if (key.length !== 4 || keyIndex(key) >= this.spec.maxEntries) return -EINVAL;
    this.#slots.set(keyIndex(key), 0);
    return 0;
  }

  entries(): IterableIterator<MapEntry> {
    return this.#slots.entries(this.spec.valueSize);
  }

  /** cpu_map_update_elem. Whatever is wrong with the program it calls ENOMEM, and it doesn't look at one beside a queue size of 0. */
  #update(key: Uint8Array, queueSize: number, program: NamedProgram, flags: number): number {
    if (key.length !== 4 || flags > BPF_EXIST) return -EINVAL;
    const cpu = keyIndex(key);
    if (cpu >= this.spec.maxEntries) return -E2BIG;
    if (flags === BPF_NOEXIST) return -EEXIST;
    if (queueSize > MAX_QUEUE_SIZE) return -EOVERFLOW;
    if (cpu >= this.#possibleCpus) return -ENODEV;
    if (queueSize === 0) {
      this.#slots.set(cpu, 0);
      return 0;
    }
    const programId = entryProgramId(this, program, (spec) => this.adopt(spec));
    if (programId < 0) return -ENOMEM;
    this.#slots.set(cpu, queueSize, programId);
    return 0;
  }
}
