import { E2BIG, EBADF, EINVAL, ENOENT } from '../../base/index.js';
import type { MapSpec } from '../spec.js';
import { BPF_ANY, BPF_F_NUMA_NODE, BPF_F_PRESERVE_ELEMS, BPF_F_RDONLY, BPF_F_WRONLY, MAP_OP_PERF_EVENT } from './map.js';
import type { BpfMap, MapEntry, MapPlace } from './map.js';
import { checkCommon, checkIndexKey, keyIndex, refuseMap, writeMapBlock } from './mapSupport.js';
import { SlotTable } from './slotTable.js';

/** An array without access restrictions for programs (fd_array_map_alloc_check, array_map_alloc_check; kernel/bpf/arraymap.c, 6.18). */
const PERF_EVENT_ARRAY_FLAGS = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_PRESERVE_ELEMS;

/**
 * BPF_MAP_TYPE_PERF_EVENT_ARRAY: slots for perf events, each the event of one CPU (PERF_COUNT_SW_BPF_OUTPUT). From the start every CPU has
 * its event in its slot, as `perf_buffer__new` of libbpf sets them up. A slot holds 1 + the CPU of its event, or 0 when it is empty.
 *
 * User space passes a file descriptor to the kernel; here it passes the number in the slot (u32, little endian), or calls `open`.
 */
export class PerfEventArray implements BpfMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number = MAP_OP_PERF_EVENT;
  readonly #slots: SlotTable;
  readonly #possibleCpus: number;

  /** A max_entries of 0 stands for the number of CPUs (bpf_object__create_map, tools/lib/bpf/libbpf.c). */
  constructor(asked: MapSpec, place: MapPlace) {
    const spec = asked.maxEntries === 0 ? { ...asked, maxEntries: place.possibleCpus } : asked;
    checkCommon(spec, EINVAL, PERF_EVENT_ARRAY_FLAGS);
    checkIndexKey(spec, EINVAL);
    if (spec.valueSize !== 4) refuseMap(spec, EINVAL, `value_size is ${spec.valueSize}, not 4`, 'use a __u32 as the value');
    this.spec = spec;
    this.id = place.id;
    this.#possibleCpus = place.possibleCpus;
    this.#slots = new SlotTable(place.memory, spec.name, spec.maxEntries, 4);
    this.blockAddress = writeMapBlock(spec, place, this.#slots.address);
    for (let cpu = 0; cpu < Math.min(spec.maxEntries, place.possibleCpus); cpu++) this.open(cpu, cpu);
  }

  /** CPU of the event in this slot, -1 when the slot is empty or out of range. */
  cpuAt(index: number): number {
    return this.#slots.get(index) - 1;
  }

  /** Puts the event of a CPU into a slot. 0 or a negated errno. */
  open(index: number, cpu: number): number {
    if (index >= this.spec.maxEntries) return -E2BIG;
    if (cpu < 0 || cpu >= this.#possibleCpus) return -EBADF;
    this.#slots.set(index, cpu + 1);
    return 0;
  }

  /** Empties a slot, as a reader that closes its event does. 0 or a negated errno: -ENOENT when it was empty. */
  close(index: number): number {
    if (index >= this.spec.maxEntries) return -E2BIG;
    if (this.#slots.get(index) === 0) return -ENOENT;
    this.#slots.set(index, 0);
    return 0;
  }

  /** Programs can't look at the slots; the verifier refuses them before it comes to this. */
  lookup(): number {
    return 0;
  }

  update(): number {
    return -EINVAL;
  }

  delete(): number {
    return -EINVAL;
  }

  /** The kernel doesn't tell what a slot holds (ENOTSUPP). */
  lookupBytes(): Uint8Array | undefined {
    return undefined;
  }

  /** bpf_fd_array_map_update_elem. */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (key.length !== 4 || value.length !== 4 || flags !== BPF_ANY) return -EINVAL;
    return this.open(keyIndex(key), keyIndex(value) - 1);
  }

  deleteBytes(key: Uint8Array): number {
    return key.length === 4 ? this.close(keyIndex(key)) : -EINVAL;
  }

  /** Nothing: a slot stands for a reader, and what programs send has gone to it. */
  *entries(): IterableIterator<MapEntry> {}
}
