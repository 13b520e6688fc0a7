import { E2BIG, ENODEV, ENOMEM, EOPNOTSUPP, EOVERFLOW } from '../../base/index.js';
import type { MapSpec, ProgramSpec } from '../spec.js';
import { BPF_F_NUMA_NODE, MAP_OP_REDIRECT } from './map.js';
import type { MapEntry, MapPlace } from './map.js';
import { refuseMap, writeMapBlock } from './mapSupport.js';
import { checkEntrySpec, entryProgramId, indexToUpdate, updateEntryBytes } from './programEntry.js';
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
  readonly #entryNumbers: Uint32Array;
  readonly #owner = new ProgramOwner(false);

  constructor(spec: MapSpec, place: MapPlace) {
    checkEntrySpec(spec, BPF_F_NUMA_NODE);
    if (spec.maxEntries > NR_CPUS) refuseMap(spec, E2BIG, `max_entries is ${spec.maxEntries}, over the ${NR_CPUS} CPUs of a kernel`, 'make it smaller');
    this.spec = spec;
    this.id = place.id;
    this.#possibleCpus = place.possibleCpus;
    this.#slots = new SlotTable(place.memory, spec.name, spec.maxEntries, 8);
    this.#entryNumbers = new Uint32Array(spec.maxEntries);
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

  /**
   * Tells an entry from the one that was in the slot before it: each update makes a new one, with a queue and a thread of its own, even of the same value
   * (__cpu_map_entry_alloc).
   */
  entryNumber(slot: number): number {
    return this.#entryNumbers[slot];
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
    return this.#slots.lookupBytes(key, this.spec.valueSize);
  }

  /** A queue size of 0 empties the slot. A positive program file descriptor names nothing here: use `updateEntry`. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    return updateEntryBytes(this, key, value, flags);
  }

  /** cpu_map_update_elem. Whatever is wrong with the program it calls ENOMEM, and it doesn't look at one beside a queue size of 0. */
  updateEntry(key: Uint8Array, queueSize: number, program: NamedProgram, flags: number): number {
    const cpu = indexToUpdate(this.spec, key, flags);
    if (cpu < 0) return cpu;
    if (queueSize > MAX_QUEUE_SIZE) return -EOVERFLOW;
    if (cpu >= this.#possibleCpus) return -ENODEV;
    if (queueSize === 0) {
      this.#slots.set(cpu, 0);
      return 0;
    }
    const programId = entryProgramId(this, program, this.#owner);
    if (programId < 0) return -ENOMEM;
    this.#slots.set(cpu, queueSize, programId);
    this.#entryNumbers[cpu]++;
    return 0;
  }

  /** cpu_map_delete_elem: an empty slot is no error. */
  deleteBytes(key: Uint8Array): number {
    return this.#slots.deleteBytes(key);
  }

  entries(): IterableIterator<MapEntry> {
    return this.#slots.entries(this.spec.valueSize);
  }
}
