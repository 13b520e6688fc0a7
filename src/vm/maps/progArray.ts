import { E2BIG, EBADF, EINVAL, ENOENT, EOPNOTSUPP } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import { PROG_ID } from '../layout.js';
import type { LoadedProgram } from '../program.js';
import { isDeviceBound } from '../rxHints.js';
import type { MapSpec, ProgramSpec } from '../spec.js';
import { BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_WRONLY } from './map.js';
import type { BpfMap, MapEntry, MapPlace } from './map.js';
import { checkCommon, checkIndexKey, indexKey, keyIndex, refuseMap, writeMapBlock } from './mapSupport.js';
import { ProgramOwner } from './programOwner.js';
import { SlotTable } from './slotTable.js';

/** An array without access restrictions for programs (fd_array_map_alloc_check, kernel/bpf/arraymap.c, 6.18). */
const PROG_ARRAY_FLAGS = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY;

/**
 * BPF_MAP_TYPE_PROG_ARRAY: targets of tail calls. A slot holds the address of a program block, or 0; the interpreter reads it.
 *
 * User space passes a file descriptor to the kernel; here it calls `setProgram`. Reading gives the program's id, as in the kernel.
 */
export class ProgArray implements BpfMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  /** Only bpf_tail_call takes it, which the interpreter does itself. */
  readonly programOps: number = 0;
  readonly #memory: HostMemory;
  readonly #slots: SlotTable;
  readonly #owner = new ProgramOwner(true);

  constructor(spec: MapSpec, place: MapPlace) {
    checkCommon(spec, EINVAL, PROG_ARRAY_FLAGS);
    checkIndexKey(spec, EINVAL);
    if (spec.valueSize !== 4) refuseMap(spec, EINVAL, `value_size is ${spec.valueSize}, not 4`, 'use a __u32 as the value');
    this.spec = spec;
    this.id = place.id;
    this.#memory = place.memory;
    this.#slots = new SlotTable(place.memory, spec.name, spec.maxEntries, 4);
    this.blockAddress = writeMapBlock(spec, place, this.#slots.address);
  }

  /** @returns false when this program is of another type, attach type or support for fragments than those in the map and those that use it */
  adopt(program: ProgramSpec): boolean {
    return this.#owner.adopt(program);
  }

  /**
   * Puts a program into a slot, or clears the slot (bpf_fd_array_map_update_elem, fd_array_map_delete_elem).
   *
   * @returns 0, -E2BIG for an index out of range, -EINVAL for a program of another kind or bound to a device, -ENOENT when there was nothing to clear
   */
  setProgram(index: number, program: LoadedProgram | undefined): number {
    if (index >= this.spec.maxEntries) return -E2BIG;
    if (program === undefined) {
      if (this.#slots.get(index) === 0) return -ENOENT;
      this.#slots.set(index, 0);
      return 0;
    }
    if (isDeviceBound(program.spec) || !this.adopt(program.spec)) return -EINVAL;
    this.#slots.set(index, program.address);
    return 0;
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

  /** Id of the program in this slot (u32, little endian). */
  lookupBytes(key: Uint8Array): Uint8Array | undefined {
    const programId = key.length === 4 ? this.#programIdAt(keyIndex(key)) : 0;
    return programId === 0 ? undefined : indexKey(programId);
  }

  /** Bytes can't name a program, as there are no file descriptors here: use `setProgram`. */
  updateBytes(): number {
    return -EBADF;
  }

  deleteBytes(key: Uint8Array): number {
    return key.length === 4 ? this.setProgram(keyIndex(key), undefined) : -EINVAL;
  }

  /** The slots that are filled. */
  *entries(): IterableIterator<MapEntry> {
    for (let index = 0; index < this.spec.maxEntries; index++) {
      const programId = this.#programIdAt(index);
      if (programId !== 0) yield { key: indexKey(index), value: indexKey(programId) };
    }
  }

  #programIdAt(index: number): number {
    const address = this.#slots.get(index);
    return address === 0 ? 0 : this.#memory.view.getUint32(address + PROG_ID, true);
  }
}
