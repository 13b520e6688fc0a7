import { EINVAL, ENOTSUPP, EOPNOTSUPP } from '../../base/index.js';

/** What user space may do to maps of a type: what map_ops has (kernel/bpf and net/core, 6.18), and the switches of kernel/bpf/syscall.c. */
export interface UserRule {
  /** Order of BPF_MAP_GET_NEXT_KEY, or the errno that it always gives: `as listed` is that of `BpfMap.nextKeyBytes`, else of `entries`. */
  readonly order: 'by index' | 'by bucket' | 'as listed' | number;
  readonly lookup: 'gives the value' | 'asks for a value' | 'not allowed' | 'not supported';
  /** BPF_MAP_LOOKUP_BATCH: key by key, or bucket by bucket and then also BPF_MAP_LOOKUP_AND_DELETE_BATCH. */
  readonly lookupBatch: 'keys' | 'buckets' | undefined;
  readonly updateBatch: boolean;
  readonly deleteBatch: boolean;
  /** BPF_MAP_LOOKUP_AND_DELETE_ELEM. */
  readonly takesOut: 'the element' | 'the next value' | undefined;
}

const BARE: UserRule = {
  order: 'as listed', lookup: 'gives the value', lookupBatch: undefined, updateBatch: false, deleteBatch: false, takesOut: undefined,
};

const SLOTS: UserRule = { ...BARE, order: 'by index' };
const ARRAY: UserRule = { ...SLOTS, lookupBatch: 'keys', updateBatch: true };
const HASHTAB: UserRule = { ...BARE, order: 'by bucket', lookupBatch: 'buckets', updateBatch: true, deleteBatch: true, takesOut: 'the element' };
const LPM: UserRule = { ...BARE, lookupBatch: 'keys', updateBatch: true, deleteBatch: true };
const QUEUE: UserRule = { ...BARE, order: -EINVAL, takesOut: 'the next value' };

const RING: UserRule = { ...BARE, order: -ENOTSUPP, lookup: 'not supported' };

/** Rules by number of the map type. A type without a row has no batches, and its keys in the order that it gives itself. */
const RULES: ReadonlyMap<number, UserRule> = new Map([
  [1, HASHTAB],
  [2, ARRAY],
  [3, SLOTS], // PROG_ARRAY
  [4, { ...SLOTS, lookup: 'not supported' }], // PERF_EVENT_ARRAY
  [5, HASHTAB], // PERCPU_HASH
  [6, ARRAY], // PERCPU_ARRAY
  [9, HASHTAB], // LRU_HASH
  [10, HASHTAB], // LRU_PERCPU_HASH
  [11, LPM],
  [12, ARRAY], // ARRAY_OF_MAPS
  [13, { ...HASHTAB, takesOut: undefined }], // HASH_OF_MAPS
  [14, SLOTS], // DEVMAP
  [16, SLOTS], // CPUMAP
  [17, { ...SLOTS, lookup: 'not allowed' }], // XSKMAP
  [22, QUEUE],
  [23, QUEUE], // STACK
  [27, RING],
  [30, { ...BARE, order: -EOPNOTSUPP, lookup: 'asks for a value' }], // BLOOM_FILTER
  [31, RING], // USER_RINGBUF
]);

export function userRule(type: number): UserRule {
  return RULES.get(type) ?? BARE;
}
