import { mapTypeName } from './maps/mapTypes.js';
import type { MapSpec, ObjectSpec } from './spec.js';

/** Machine state, access table, programs and what alignment costs. */
const MACHINE_BYTES = 8 << 20;
/** What a map takes whatever its size: its block, keys and values on their way from user space, alignment. */
const MAP_BYTES = 8192;
/** Freed values that wait until they are used again. */
const SPARE_ENTRIES = 16;

/**
 * Upper bound of the host memory that a machine with this object takes, bytes: its maps with all entries, and the machine itself.
 * Whoever makes a HostMemory adds what else goes into it.
 */
export function objectMemoryBytes(object: ObjectSpec, possibleCpus: number): number {
  return object.maps.reduce((sum, map) => sum + mapMemoryBytes(map, possibleCpus), MACHINE_BYTES);
}

/** Inner maps that somebody may make at run time for a map of maps, and one that is made to see whether it can be. */
const INNER_MAPS = 65;

/** Of each entry the value, one a CPU where the type says so; where entries have keys these, links and buckets, and the nodes of an LPM_TRIE. */
function mapMemoryBytes({ type, keySize, valueSize, maxEntries, innerMap }: MapSpec, possibleCpus: number): number {
  const name = mapTypeName(type);
  if (name.endsWith('RINGBUF')) return 2 * maxEntries + MAP_BYTES;
  const valueBytes = Math.ceil(valueSize / 8) * 8 * (name.includes('PERCPU') ? possibleCpus : 1);
  const innerBytes = innerMap === undefined ? 0 : INNER_MAPS * mapMemoryBytes(innerMap, possibleCpus);
  const entriesBytes = name.endsWith('ARRAY') ? maxEntries * valueBytes : (maxEntries + possibleCpus + SPARE_ENTRIES) * (2 * (keySize + 24) + valueBytes);
  return entriesBytes + innerBytes + MAP_BYTES;
}
