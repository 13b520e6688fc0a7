import { mapTypeName } from './maps/mapTypes.js';
import type { MapSpec, ObjectSpec } from './spec.js';

/** Machine state, access table, programs and what alignment costs. */
const MACHINE_BYTES = 8 << 20;

/**
 * Upper bound of the host memory that a machine with this object takes, bytes: its maps with all entries, and the machine itself.
 * Whoever makes a HostMemory adds what else goes into it.
 */
export function objectMemoryBytes(object: ObjectSpec, possibleCpus: number): number {
  return object.maps.reduce((sum, map) => sum + mapMemoryBytes(map, possibleCpus), MACHINE_BYTES);
}

/** Each entry: key, value (for each CPU where the type says so), links and buckets of a hash, alignment; each CPU has one spare value. */
function mapMemoryBytes({ type, keySize, valueSize, maxEntries }: MapSpec, possibleCpus: number): number {
  const values = mapTypeName(type).includes('PERCPU') ? possibleCpus : 1;
  return (maxEntries + possibleCpus) * (keySize + 32 + (valueSize + 8) * values) + 4096;
}
