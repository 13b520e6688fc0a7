import { E2BIG, EINVAL, ProblemError, errnoName } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import {
  MAP_BLOCK_BYTES, MAP_DATA, MAP_ID, MAP_KEY_SIZE, MAP_MAX_ENTRIES, MAP_TYPE, MAP_VALUE_SIZE,
} from '../layout.js';
import type { MapSpec } from '../spec.js';
import {
  BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY, BPF_F_WRONLY_PROG, MAP_OP_DELETE, MAP_OP_LOOKUP, MAP_OP_UPDATE,
} from './map.js';
import type { MapPlace } from './map.js';
import { spinLockOf } from './valueFields.js';

/** Smallest unit of the per-CPU allocator: bound of a per-CPU value (PCPU_MIN_UNIT_SIZE, include/linux/percpu.h). */
const PCPU_MIN_UNIT_SIZE = 32768;

/** Most bytes that kmalloc gives, x86-64. */
const KMALLOC_MAX_SIZE = 2 ** 22;

/** Rounds up to a multiple of 8, as map values are laid out. */
export function roundUp8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** Stops the creation of a map for a reason that bpf(2) would give as this errno. */
export function refuseMap(spec: MapSpec, errno: number, why: string, hint?: string): never {
  throw new ProblemError({
    code: 'map-invalid',
    message: `the kernel refuses to create map ${spec.name} (${errnoName(errno)}): ${why}`,
    ...(hint === undefined ? {} : { hint }),
  });
}

const CONTRADICTIONS: readonly (readonly [number, string])[] = [
  [BPF_F_RDONLY | BPF_F_WRONLY, 'user space'],
  [BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG, 'programs'],
];

/** Checks that all map types share: a size of 0, unknown flags, both access restrictions at once. */
export function checkCommon(spec: MapSpec, errno: number, allowedFlags: number): void {
  if (spec.maxEntries === 0) {
    refuseMap(spec, errno, 'max_entries is 0', 'user space was meant to set the size before it loads the object: sim run --map-size NAME=N does, or give max_entries in the source');
  }
  if (spec.valueSize === 0) refuseMap(spec, errno, 'value_size is 0', 'give the map a value type');
  checkFlags(spec, errno, allowedFlags);
}

/** Checks for unknown flags, and for both access restrictions at once. */
export function checkFlags(spec: MapSpec, errno: number, allowedFlags: number): void {
  if ((spec.flags & ~allowedFlags) !== 0) {
    refuseMap(spec, errno, `map_flags 0x${(spec.flags & ~allowedFlags).toString(16)} are not for this map type`, 'leave these flags out');
  }
  for (const [both, whom] of CONTRADICTIONS) {
    if ((spec.flags & both) === both) refuseMap(spec, errno, `it is read-only and write-only for ${whom} at once`, 'leave out one of the two flags');
  }
}

/** Bound of a per-CPU value. */
export function checkPercpuValue(spec: MapSpec, errno: number): void {
  if (roundUp8(spec.valueSize) > PCPU_MIN_UNIT_SIZE) {
    refuseMap(spec, errno, `value_size ${spec.valueSize} is over the ${PCPU_MIN_UNIT_SIZE} bytes of a per-CPU value`, 'make the value smaller');
  }
}

/** Key of an array-like map: an index. */
export function checkIndexKey(spec: MapSpec, errno: number): void {
  if (spec.keySize !== 4) refuseMap(spec, errno, `key_size is ${spec.keySize}, not 4`, 'use a __u32 as the key');
}

/** Checks of the map types without keys: queue_stack_map_alloc_check, bloom_map_alloc_check (kernel/bpf, 6.18). */
export function checkKeyless(spec: MapSpec, allowedFlags: number): void {
  checkCommon(spec, EINVAL, allowedFlags);
  if (spec.keySize !== 0) refuseMap(spec, EINVAL, `key_size is ${spec.keySize}, not 0`, 'leave out the key');
  if (spec.valueSize > KMALLOC_MAX_SIZE) refuseMap(spec, E2BIG, `value_size ${spec.valueSize} is over ${KMALLOC_MAX_SIZE}`, 'make the value smaller');
}

/** Reserves and fills the block that map pointers point to. */
export function writeMapBlock(spec: MapSpec, place: MapPlace, dataAddress: number): number {
  const block = place.memory.reserve(`struct bpf_map of ${spec.name}`, MAP_BLOCK_BYTES);
  const { view } = place.memory;
  view.setUint32(block + MAP_ID, place.id, true);
  view.setUint32(block + MAP_TYPE, spec.type, true);
  view.setUint32(block + MAP_KEY_SIZE, spec.keySize, true);
  view.setUint32(block + MAP_VALUE_SIZE, spec.valueSize, true);
  view.setUint32(block + MAP_MAX_ENTRIES, spec.maxEntries, true);
  view.setUint32(block + MAP_DATA, dataAddress, true);
  return block;
}

/** Reserves values at a fixed stride and lets programs touch them, as far as the map's flags allow. */
export function reserveValues(spec: MapSpec, place: MapPlace, count: number): number {
  const strideBytes = roundUp8(spec.valueSize);
  const sizeBytes = count * strideBytes;
  const start = place.memory.reserve(`map ${spec.name}`, sizeBytes);
  place.accessTable.add({
    start,
    end: start + sizeBytes,
    strideBytes,
    valueBytes: spec.valueSize,
    writable: (spec.flags & BPF_F_RDONLY_PROG) === 0,
    spinLockOffBytes: spinLockOf(spec),
  });
  return start;
}

/** Helpers that a program may use on a map of plain values with these flags (bpf_map_flags_to_cap, include/linux/bpf.h). */
export function valueMapOps(spec: MapSpec): number {
  if ((spec.flags & BPF_F_RDONLY_PROG) !== 0) return MAP_OP_LOOKUP;
  if ((spec.flags & BPF_F_WRONLY_PROG) !== 0) return MAP_OP_UPDATE | MAP_OP_DELETE;
  return MAP_OP_LOOKUP | MAP_OP_UPDATE | MAP_OP_DELETE;
}

/** Index in a key of 4 bytes. */
export function keyIndex(key: Uint8Array): number {
  return (key[0] | (key[1] << 8) | (key[2] << 16) | (key[3] << 24)) >>> 0;
}

/** A key of 4 bytes. */
export function indexKey(index: number): Uint8Array {
  return Uint8Array.of(index, index >>> 8, index >>> 16, index >>> 24);
}

/** Copies a value but for what the kernel keeps in it (copy_map_value, include/linux/bpf.h, 6.18). */
export function copyValue(memory: HostMemory, spec: MapSpec, to: number, from: number): void {
  if (spec.valueFields === undefined) {
    copyBytes(memory, to, from, spec.valueSize);
    return;
  }
  let at = 0;
  for (const { offBytes, sizeBytes } of spec.valueFields) {
    copyBytes(memory, to + at, from + at, offBytes - at);
    at = offBytes + sizeBytes;
  }
  copyBytes(memory, to + at, from + at, spec.valueSize - at);
}

/** Ends what the kernel keeps in a value that is freed or replaced (bpf_obj_free_fields): all but locks. */
export function freeFields(memory: HostMemory, spec: MapSpec, address: number): void {
  for (const { kind, offBytes, sizeBytes } of spec.valueFields ?? []) {
    if (!kind.endsWith('spin_lock')) memory.u8.fill(0, address + offBytes, address + offBytes + sizeBytes);
  }
}

/** A copy of a value for user space, with zeros where the kernel keeps something in it (check_and_init_map_value). */
export function readValue(memory: HostMemory, spec: MapSpec, address: number): Uint8Array {
  const value = memory.u8.slice(address, address + spec.valueSize);
  for (const { offBytes, sizeBytes } of spec.valueFields ?? []) value.fill(0, offBytes, offBytes + sizeBytes);
  return value;
}

/** Writes a value of user space but for what the kernel keeps in it. */
export function writeValue(memory: HostMemory, spec: MapSpec, address: number, value: Uint8Array): void {
  let at = 0;
  for (const { offBytes, sizeBytes } of spec.valueFields ?? []) {
    memory.u8.set(value.subarray(at, offBytes), address + at);
    at = offBytes + sizeBytes;
  }
  memory.u8.set(value.subarray(at), address + at);
}

/** Above this many bytes the built-in copy is faster than a loop. */
const LOOP_COPY_BYTES = 64;

/** Copies `sizeBytes` between two places that are the same or don't overlap. */
export function copyBytes(memory: HostMemory, to: number, from: number, sizeBytes: number): void {
  const { u8, view } = memory;
  if (sizeBytes > LOOP_COPY_BYTES) {
    u8.copyWithin(to, from, from + sizeBytes);
    return;
  }
  let at = 0;
  for (; at + 4 <= sizeBytes; at += 4) view.setUint32(to + at, view.getUint32(from + at, true), true);
  for (; at < sizeBytes; at++) u8[to + at] = u8[from + at];
}
