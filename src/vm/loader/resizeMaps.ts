import { ProblemError } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';

const MAX_U32 = 2 ** 32 - 1;
/** RINGBUF and USER_RINGBUF: their max_entries is a number of bytes. */
const RING_TYPES: readonly number[] = [27, 31];

/**
 * Gives maps the number of entries that somebody asks for, as `bpf_map__set_max_entries` does (tools/lib/bpf/libbpf.c). Many objects leave
 * `max_entries` 0 because only their user space knows the number, e.g. one entry a CPU or queue.
 *
 * A ring's size is rounded up, as libbpf does it. Whether the map type takes that number is decided when the map is created.
 *
 * Throws a `ProblemError` of code `unknown-map` or `map-bad-size`.
 */
export function resizeMaps(maps: readonly MapSpec[], maxEntries: Readonly<Record<string, number>>, objectName: string): readonly MapSpec[] {
  const sizes = new Map(Object.entries(maxEntries));
  for (const [name, size] of sizes) {
    const map = maps.find((candidate) => candidate.name === name);
    if (map === undefined) {
      const names = maps.filter(({ dataSection }) => dataSection === undefined).map((candidate) => candidate.name);
      const hint = names.length === 0 ? 'the object has no maps' : `choose one of: ${names.join(', ')}`;
      throw new ProblemError({ code: 'unknown-map', message: `there is no map ${name}`, where: objectName, hint });
    }
    const where = `${objectName}, map ${name}`;
    if (map.dataSection !== undefined) {
      const message = 'global data is a map of one entry, and no other number is possible';
      throw new ProblemError({ code: 'map-bad-size', message, where, hint: 'size the maps that the program defines' });
    }
    if (!Number.isInteger(size) || size < 1 || size > MAX_U32) {
      throw new ProblemError({ code: 'map-bad-size', message: `max_entries ${size} is no size of a map`, where, hint: `give a whole number from 1 to ${MAX_U32}` });
    }
  }
  return maps.map((map) => {
    const size = sizes.get(map.name) ?? map.maxEntries;
    return { ...map, maxEntries: RING_TYPES.includes(map.type) ? ringBytes(size) : size };
  });
}

/** The size that a ring gets instead of one that the kernel would refuse: the next power of two of whole pages (adjust_ringbuf_sz). 0 stays 0. */
function ringBytes(asked: number): number {
  if (asked === 0) return 0;
  let bytes = PAGE_BYTES;
  while (bytes < asked) bytes *= 2;
  return bytes > MAX_U32 ? asked : bytes;
}
