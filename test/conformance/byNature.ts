import { BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS, BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_XSKMAP } from '../../src/vm/index.js';
import { BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH } from '../../src/vm/index.js';
import type { FixtureObject } from '../support/fixtures.js';

/** A member of a map value that can't be equal on two machines. */
export interface FieldByNature {
  readonly object: string;
  readonly map: string;
  /** Its name in the value's struct. */
  readonly field: string;
  readonly reason: string;
}

/** The only bytes in maps that are not compared. */
export const FIELDS_BY_NATURE: readonly FieldByNature[] = [
  { object: 'printk/printk.o', map: 'last', field: 'ktime_ns', reason: 'bpf_ktime_get_ns: each machine has its own clock' },
  { object: 'printk/printk.o', map: 'last', field: 'random', reason: 'bpf_get_prandom_u32: the kernel has no seed to set' },
  { object: 'printk/printk.o', map: 'last', field: 'cpu', reason: 'bpf_get_smp_processor_id: the scheduler of the host chooses' },
];

/** Where the value of this map has fields that aren't compared, as its BTF says. */
export function uncomparedPlaces({ file, spec }: FixtureObject, mapName: string): { readonly offBytes: number; readonly sizeBytes: number }[] {
  return FIELDS_BY_NATURE.filter(({ object, map }) => object === file && map === mapName).map(({ field }) => {
    const map = spec.maps.find(({ name }) => name === mapName);
    const struct = spec.btf?.type(spec.btf.resolve(map?.valueTypeId ?? 0));
    const member = struct?.kind === 'struct' ? struct.members.find(({ name }) => name === field) : undefined;
    const sizeBytes = member === undefined ? undefined : spec.btf?.sizeOf(member.typeId);
    if (member === undefined || sizeBytes === undefined) throw new Error(`uncomparedPlaces: ${file}: map ${mapName} has no field ${field}`);
    return { offBytes: member.bitOffset / 8, sizeBytes };
  });
}

/** How the values of a map type are compared where byte by byte makes no sense. */
export interface MapTypeByNature {
  readonly types: readonly number[];
  readonly compared: 'sum over CPUs' | 'which slots are filled' | 'without ids of programs' | 'not at all';
  readonly reason: string;
}

const BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4;
const BPF_MAP_TYPE_RINGBUF = 27;
const BPF_MAP_TYPE_USER_RINGBUF = 31;
const BPF_MAP_TYPE_PERCPU_HASH = 5;
const BPF_MAP_TYPE_PERCPU_ARRAY = 6;
const BPF_MAP_TYPE_LRU_PERCPU_HASH = 10;
const BPF_MAP_TYPE_QUEUE = 22;
const BPF_MAP_TYPE_STACK = 23;
const BPF_MAP_TYPE_BLOOM_FILTER = 30;

export const MAP_TYPES_BY_NATURE: readonly MapTypeByNature[] = [
  {
    types: [BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LRU_PERCPU_HASH],
    compared: 'sum over CPUs',
    reason: 'which CPU ran a packet is chosen by the scheduler of the host',
  },
  { types: [BPF_MAP_TYPE_PROG_ARRAY], compared: 'which slots are filled', reason: 'ids of programs are numbers of one boot' },
  {
    types: [BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS],
    compared: 'which slots are filled',
    reason: 'ids of maps are numbers of one boot; the inner maps themselves are compared',
  },
  {
    types: [BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH, BPF_MAP_TYPE_CPUMAP],
    compared: 'without ids of programs',
    reason: 'an id is a number of one boot; whether there is a program is compared',
  },
  {
    types: [BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK, BPF_MAP_TYPE_BLOOM_FILTER],
    compared: 'not at all',
    reason: 'user space can read it only by taking values out, or not at all; what programs get from it is compared',
  },
  {
    types: [BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_USER_RINGBUF, BPF_MAP_TYPE_PERF_EVENT_ARRAY],
    compared: 'not at all',
    reason: 'they have no entries; what goes through them is compared in events.test.ts and userRingBuf.test.ts',
  },
  { types: [BPF_MAP_TYPE_XSKMAP], compared: 'not at all', reason: 'the kernel lets nobody read it (EOPNOTSUPP); no program can change it either' },
];

/** What a test run of the kernel says that has no counterpart. */
export const NOT_COMPARED: readonly { readonly what: string; readonly reason: string }[] = [
  { what: 'duration', reason: 'wall-clock time' },
  { what: 'lines of bpf_trace_printk', reason: 'BPF_PROG_TEST_RUN does not hand them out; the whole machine shares one trace buffer' },
  { what: 'interfaces other than loopback and its queue 0', reason: 'which devices and queues exist is a fact of the host' },
];

/** All of it as lines for a person. */
export function declaredExceptions(): string[] {
  return [
    ...FIELDS_BY_NATURE.map(({ object, map, field, reason }) => `${object}: field ${field} of map ${map}: ${reason}`),
    ...MAP_TYPES_BY_NATURE.map(({ types, compared, reason }) => `maps of type ${types.join(', ')}: compared ${compared}: ${reason}`),
    ...NOT_COMPARED.map(({ what, reason }) => `${what}: ${reason}`),
  ];
}
