import { isMapOfMapsType } from '../maps/mapOfMaps.js';
import type { MapSpec } from '../spec.js';

const BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4;
/** An index; a file descriptor. */
const U32_BYTES = 4;

/**
 * Fills in sizes that are the same for every map of a type, where a definition leaves them out: libbpf gives such maps to the kernel as they are, and
 * the kernel refuses them (EINVAL); cilium/ebpf, whose objects have them, knows the sizes itself (MapSpec.createMap, map.go).
 */
export function withImpliedSizes(maps: readonly MapSpec[]): readonly MapSpec[] {
  return maps.map((map) => {
    if (isMapOfMapsType(map.type)) return { ...map, valueSize: map.valueSize || U32_BYTES };
    if (map.type === BPF_MAP_TYPE_PERF_EVENT_ARRAY) return { ...map, keySize: map.keySize || U32_BYTES, valueSize: map.valueSize || U32_BYTES };
    return map;
  });
}
