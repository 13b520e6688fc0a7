import { HELPERS } from '../helpers/helperTable.js';
import { ArrayMap } from '../maps/arrayMap.js';
import { BPF_F_RDONLY_PROG } from '../maps/map.js';
import type { BpfMap } from '../maps/map.js';
import { roundUp8 } from '../maps/mapSupport.js';
import { mapTypeName } from '../maps/mapTypes.js';
import type { ProgramSpec } from '../spec.js';
import type { KnownAddress, KnownMap, ProgramKnowledge } from './knowledge.js';

/** Helpers that leave the packet where it is and write to nothing that a program points to. */
const QUIET_HELPERS: ReadonlySet<string> = new Set([
  'bpf_map_lookup_elem', 'bpf_map_update_elem', 'bpf_map_delete_elem', 'bpf_map_push_elem', 'bpf_tail_call', 'bpf_redirect', 'bpf_redirect_map', 'bpf_csum_diff',
  'bpf_ktime_get_ns', 'bpf_ktime_get_boot_ns', 'bpf_ktime_get_coarse_ns', 'bpf_ktime_get_tai_ns', 'bpf_jiffies64', 'bpf_get_prandom_u32', 'bpf_get_smp_processor_id',
  'bpf_get_numa_node_id', 'bpf_trace_printk', 'bpf_perf_event_output', 'bpf_ringbuf_output', 'bpf_xdp_get_buff_len', 'bpf_xdp_store_bytes',
]);

/** Map types whose look-up gives the address of a value in plain memory. */
const PLAIN_TYPES: ReadonlySet<string> = new Set(['ARRAY', 'HASH', 'LRU_HASH', 'LPM_TRIE', 'PERCPU_ARRAY', 'PERCPU_HASH', 'LRU_PERCPU_HASH']);

/** What a loaded program's references say. */
export function programKnowledge(spec: ProgramSpec, maps: ReadonlyMap<string, BpfMap>): ProgramKnowledge {
  const known = new Map<BpfMap, KnownMap>();
  const addresses = new Map<number, KnownAddress>();
  for (const { insnIndex, map: name, kind, offBytes } of spec.references) {
    const map = maps.get(name)!;
    let knownMap = known.get(map);
    if (knownMap === undefined) {
      knownMap = knownMapOf(map);
      known.set(map, knownMap);
    }
    addresses.set(insnIndex, { map: knownMap, kind, offBytes });
  }
  const quiet = HELPERS.flatMap((helper) => (helper !== undefined && QUIET_HELPERS.has(helper.name) ? [helper.id] : []));
  return {
    callbacks: [...new Set((spec.functionReferences ?? []).map(({ targetInsnIndex }) => targetInsnIndex))],
    addresses,
    quietHelpers: new Set(quiet),
  };
}

function knownMapOf(map: BpfMap): KnownMap {
  const { spec } = map;
  const isPlain = PLAIN_TYPES.has(mapTypeName(spec.type));
  return {
    valueBytes: isPlain ? spec.valueSize : 0,
    isWritable: (spec.flags & BPF_F_RDONLY_PROG) === 0,
    array: map instanceof ArrayMap ? { maxEntries: spec.maxEntries, strideBytes: roundUp8(spec.valueSize), valuesAddress: map.valuesAddress } : undefined,
  };
}
