import { EINVAL, ProblemError, catchProblem, unwrap } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { BPF_MAP_TYPE_PROG_ARRAY } from '../layout.js';
import type { MapSpec } from '../spec.js';
import { ArrayMap } from './arrayMap.js';
import { BloomFilter } from './bloomFilter.js';
import { CpuMap } from './cpumap.js';
import { DevMap } from './devmap.js';
import { DevMapHash } from './devmapHash.js';
import { HashMap } from './hashMap.js';
import { LpmTrie } from './lpmTrie.js';
import { LruHashMap } from './lruHashMap.js';
import type { BpfMap, MapPlace } from './map.js';
import { ArrayOfMaps, BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS, HashOfMaps, isMapOfMapsType } from './mapOfMaps.js';
import { refuseMap } from './mapSupport.js';
import { PercpuArrayMap } from './percpuArrayMap.js';
import { PercpuHashMap } from './percpuHashMap.js';
import { PerfEventArray } from './perfEventArray.js';
import { ProgArray } from './progArray.js';
import { QueueStackMap } from './queueStackMap.js';
import { RingBuf } from './ringBuf.js';
import { UserRingBuf } from './userRingBuf.js';
import { XskMap } from './xskMap.js';

const BPF_MAP_TYPE_BLOOM_FILTER = 30;

/** One type of the UAPI (enum bpf_map_type, include/uapi/linux/bpf.h, 6.18). */
export interface MapType {
  readonly type: number;
  /** Name without BPF_MAP_TYPE_. */
  readonly name: string;
  /** Makes a live map; `undefined` when the type is not supported. */
  readonly create: ((spec: MapSpec, place: MapPlace) => BpfMap) | undefined;
}


export const BPF_MAP_TYPE_DEVMAP = 14;
export const BPF_MAP_TYPE_CPUMAP = 16;
export const BPF_MAP_TYPE_XSKMAP = 17;
export const BPF_MAP_TYPE_DEVMAP_HASH = 25;

/** All map types, by number. A new one is its file and its line here. */
export const MAP_TYPES: readonly MapType[] = [
  { type: 0, name: 'UNSPEC', create: undefined },
  { type: 1, name: 'HASH', create: (spec, place) => new HashMap(spec, place) },
  { type: 2, name: 'ARRAY', create: (spec, place) => new ArrayMap(spec, place) },
  { type: BPF_MAP_TYPE_PROG_ARRAY, name: 'PROG_ARRAY', create: (spec, place) => new ProgArray(spec, place) },
  { type: 4, name: 'PERF_EVENT_ARRAY', create: (spec, place) => new PerfEventArray(spec, place) },
  { type: 5, name: 'PERCPU_HASH', create: (spec, place) => new PercpuHashMap(spec, place) },
  { type: 6, name: 'PERCPU_ARRAY', create: (spec, place) => new PercpuArrayMap(spec, place) },
  { type: 7, name: 'STACK_TRACE', create: undefined },
  { type: 8, name: 'CGROUP_ARRAY', create: undefined },
  { type: 9, name: 'LRU_HASH', create: (spec, place) => new LruHashMap(spec, place, false) },
  { type: 10, name: 'LRU_PERCPU_HASH', create: (spec, place) => new LruHashMap(spec, place, true) },
  { type: 11, name: 'LPM_TRIE', create: (spec, place) => new LpmTrie(spec, place) },
  { type: BPF_MAP_TYPE_ARRAY_OF_MAPS, name: 'ARRAY_OF_MAPS', create: (spec, place) => new ArrayOfMaps(spec, place) },
  { type: BPF_MAP_TYPE_HASH_OF_MAPS, name: 'HASH_OF_MAPS', create: (spec, place) => new HashOfMaps(spec, place) },
  { type: BPF_MAP_TYPE_DEVMAP, name: 'DEVMAP', create: (spec, place) => new DevMap(spec, place) },
  { type: 15, name: 'SOCKMAP', create: undefined },
  { type: BPF_MAP_TYPE_CPUMAP, name: 'CPUMAP', create: (spec, place) => new CpuMap(spec, place) },
  { type: BPF_MAP_TYPE_XSKMAP, name: 'XSKMAP', create: (spec, place) => new XskMap(spec, place) },
  { type: 18, name: 'SOCKHASH', create: undefined },
  { type: 19, name: 'CGROUP_STORAGE', create: undefined },
  { type: 20, name: 'REUSEPORT_SOCKARRAY', create: undefined },
  { type: 21, name: 'PERCPU_CGROUP_STORAGE', create: undefined },
  { type: 22, name: 'QUEUE', create: (spec, place) => new QueueStackMap(spec, place, false) },
  { type: 23, name: 'STACK', create: (spec, place) => new QueueStackMap(spec, place, true) },
  { type: 24, name: 'SK_STORAGE', create: undefined },
  { type: BPF_MAP_TYPE_DEVMAP_HASH, name: 'DEVMAP_HASH', create: (spec, place) => new DevMapHash(spec, place) },
  { type: 26, name: 'STRUCT_OPS', create: undefined },
  { type: 27, name: 'RINGBUF', create: (spec, place) => new RingBuf(spec, place) },
  { type: 28, name: 'INODE_STORAGE', create: undefined },
  { type: 29, name: 'TASK_STORAGE', create: undefined },
  { type: 30, name: 'BLOOM_FILTER', create: (spec, place) => new BloomFilter(spec, place) },
  { type: 31, name: 'USER_RINGBUF', create: (spec, place) => new UserRingBuf(spec, place) },
  { type: 32, name: 'CGRP_STORAGE', create: undefined },
  { type: 33, name: 'ARENA', create: undefined },
];

/** Name of a map type as the kernel writes it, e.g. `XSKMAP`; an unknown number reads `type 99`. */
export function mapTypeName(type: number): string {
  return MAP_TYPES[type]?.name ?? `type ${type}`;
}

export function isMapTypeSupported(type: number): boolean {
  return MAP_TYPES[type]?.create !== undefined;
}

/**
 * Makes a live map.
 *
 * Problems: `unsupported-map-type`, `map-invalid` (bpf(2) would refuse the definition), `host-memory-exhausted`, `too-many-maps`.
 */
export function createMap(spec: MapSpec, place: MapPlace): Result<BpfMap> {
  return catchProblem(() => {
    const create = MAP_TYPES[spec.type]?.create;
    if (create === undefined) {
      const supported = MAP_TYPES.filter((row) => row.create !== undefined).map((row) => row.name).join(', ');
      throw new ProblemError({
        code: 'unsupported-map-type',
        message: `map ${spec.name} has type ${mapTypeName(spec.type)}, which is not supported`,
        hint: `use one of ${supported}`,
      });
    }
    if (spec.mapExtra !== undefined && spec.mapExtra !== 0 && spec.type !== BPF_MAP_TYPE_BLOOM_FILTER) {
      refuseMap(spec, EINVAL, `map_extra is ${spec.mapExtra}`, 'only a BLOOM_FILTER takes one: leave it out');
    }
    if (isMapOfMapsType(spec.type) && spec.innerMap !== undefined && !isMapOfMapsType(spec.innerMap.type)) tryMap(spec.innerMap, place);
    return create(spec, place);
  });
}

/** Throws the problem of a map that can't be made here, and leaves no trace. */
function tryMap(spec: MapSpec, place: MapPlace): void {
  const { memory, accessTable } = place;
  const mark = memory.mark();
  const rows = accessTable.count;
  try {
    unwrap(createMap(spec, place));
  } finally {
    memory.release(mark);
    accessTable.truncate(rows);
  }
}
