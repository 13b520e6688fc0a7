import { E2BIG, EEXIST, EINVAL } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { LoadedProgram } from '../program.js';
import { isDeviceBound } from '../rxHints.js';
import type { MapSpec } from '../spec.js';
import { BPF_EXIST, BPF_NOEXIST } from './map.js';
import type { BpfMap, MapPlace, RedirectMap } from './map.js';
import { checkFlags, checkIndexKey, keyIndex, refuseMap } from './mapSupport.js';
import type { ProgramOwner } from './programOwner.js';
import type { SlotTable } from './slotTable.js';

// Values of DEVMAP, DEVMAP_HASH and CPUMAP (struct bpf_devmap_val, struct bpf_cpumap_val, include/uapi/linux/bpf.h, 6.18):
//
//     0 ifindex or queue size u32   4 program u32: user space writes a file descriptor and reads an id; only in values of 8 bytes

/** Attach type of the programs in its entries, `ProgramSpec.attachType`. */
export type EntryAttachType = 'devmap' | 'cpumap';

/** A redirect map whose values can name a program, which then runs on the packet at its target. */
export interface ProgramEntryMap extends RedirectMap {
  readonly entryAttachType: EntryAttachType;
  /** Slots to walk for a broadcast, and the redirect target in each, 0 when it is empty. */
  readonly slotCount: number;
  slotTarget(slot: number): number;
  /**
   * What BPF_MAP_UPDATE_ELEM does with a value of a target and a program's file descriptor.
   *
   * @param target ifindex or queue size
   * @param program `undefined`: none. In a map with values of 4 bytes there is no room for one: -EINVAL
   * @returns 0 or a negated errno
   */
  updateEntry(key: Uint8Array, target: number, program: NamedProgram, flags: number): number;
}

export function isProgramEntryMap(map: BpfMap): map is ProgramEntryMap {
  return 'entryAttachType' in map;
}

/** A value in which user space names a program that is not one: here nothing has a file descriptor. */
export const NO_SUCH_PROGRAM = Symbol('no such program');

/** What a value names. */
export type NamedProgram = LoadedProgram | typeof NO_SUCH_PROGRAM | undefined;

/** `updateEntry` with a value of bytes, which names a program by a positive descriptor, and none without, as in the kernel. */
export function updateEntryBytes(map: ProgramEntryMap, key: Uint8Array, value: Uint8Array, flags: number): number {
  if (value.length !== map.spec.valueSize) return -EINVAL;
  const view = new DataView(value.buffer, value.byteOffset);
  const program = value.length === 8 && view.getInt32(4, true) > 0 ? NO_SUCH_PROGRAM : undefined;
  return map.updateEntry(key, view.getUint32(0, true), program, flags);
}

/** Index of the slot that an update of DEVMAP or CPUMAP is for, or the errno that both maps give before they look at the value. */
export function indexToUpdate({ maxEntries }: MapSpec, key: Uint8Array, flags: number): number {
  if (key.length !== 4 || flags > BPF_EXIST) return -EINVAL;
  const index = keyIndex(key);
  if (index >= maxEntries) return -E2BIG;
  return flags === BPF_NOEXIST ? -EEXIST : index;
}

/**
 * Id of the program for an entry, 0 for none.
 *
 * @param owner of the map: says whether it takes programs of this kind
 * @returns -EINVAL when it is no program, or none that may stand in this map
 */
export function entryProgramId(map: ProgramEntryMap, program: NamedProgram, owner: ProgramOwner): number {
  if (program === undefined) return 0;
  if (program === NO_SUCH_PROGRAM || map.spec.valueSize !== 8) return -EINVAL;
  return program.spec.attachType === map.entryAttachType && !isDeviceBound(program.spec) && owner.adopt(program.spec) ? program.id : -EINVAL;
}

/** Checks that dev_map_alloc_check and cpu_map_alloc share (kernel/bpf/devmap.c, cpumap.c, 6.18). */
export function checkEntrySpec(spec: MapSpec, allowedFlags: number): void {
  if (spec.maxEntries === 0) refuseMap(spec, EINVAL, 'max_entries is 0', 'user space was meant to set the size before it loads the object: sim run --map-size NAME=N does, or give max_entries in the source');
  checkIndexKey(spec, EINVAL);
  if (spec.valueSize !== 4 && spec.valueSize !== 8) {
    refuseMap(spec, EINVAL, `value_size is ${spec.valueSize}, neither 4 nor 8`, 'use a __u32, struct bpf_devmap_val or struct bpf_cpumap_val as the value');
  }
  checkFlags(spec, EINVAL, allowedFlags);
}

/** Lets programs read the values, as map_lookup_elem gives them: always read-only (dev_map_init_map sets BPF_F_RDONLY_PROG). */
export function allowReading({ valueSize }: MapSpec, { accessTable }: MapPlace, slots: SlotTable): void {
  const { address: start, count, strideBytes } = slots;
  accessTable.add({ start, end: start + count * strideBytes, strideBytes, valueBytes: valueSize, writable: false });
}

/** Target of a filled entry (`RedirectMap.redirectTarget`): ifindex or queue size. */
export function entryTarget({ u32 }: HostMemory, entryAddress: number): number {
  return u32[entryAddress >>> 2];
}

/** Id of the program of a filled entry, 0 for none. */
export function programOfEntry({ u32 }: HostMemory, entryAddress: number): number {
  return u32[(entryAddress >>> 2) + 1];
}
