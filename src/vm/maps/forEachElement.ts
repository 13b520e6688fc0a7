import type { HostMemory } from '../../memory/index.js';
import type { AccessRow } from '../accessTable.js';
import { NO_NODE } from './hashTable.js';
import type { HashTable, HashtabMap } from './hashTable.js';
import type { BpfMap } from './map.js';

const HASHES: readonly string[] = ['HASH', 'PERCPU_HASH', 'LRU_HASH', 'LRU_PERCPU_HASH'];
const ARRAYS: readonly string[] = ['ARRAY', 'PERCPU_ARRAY'];

/** Sees an element; false ends the walk. */
export type ElementVisitor = (keyAddress: number, valueAddress: number) => boolean;

/** A walk over the elements of a map that a program asks for (`map_for_each_callback` of its bpf_map_ops). */
export interface ElementWalk {
  /** Where its keys lie: a program may read them during the walk. */
  readonly keys: AccessRow;
  /** Number of elements that were visited, the last one included. */
  run(visit: ElementVisitor, cpu: number): number;
}

/**
 * The walk over a map; `undefined` for a type that can't be walked.
 *
 * @param typeName `mapTypeName` of its type
 * @param keyAddress 4 bytes for the key of an array's element
 */
export function elementWalk(map: BpfMap, typeName: string, memory: HostMemory, keyAddress: number): ElementWalk | undefined {
  if (ARRAYS.includes(typeName)) {
    return { keys: keyRow(keyAddress, 4, 4, 1), run: (visit, cpu) => walkArray(map, memory, keyAddress, visit, cpu) };
  }
  if (!HASHES.includes(typeName)) return undefined;
  const hash = map as HashtabMap;
  const { table } = hash;
  const keys = keyRow(table.keyAddress(0), table.keyStrideBytes, map.spec.keySize, table.capacity);
  return { keys, run: (visit, cpu) => walkHash(hash, visit, cpu) };
}

function keyRow(start: number, strideBytes: number, valueBytes: number, count: number): AccessRow {
  return { start, end: start + strideBytes * count, strideBytes, valueBytes, writable: false };
}

/** bpf_for_each_array_elem (kernel/bpf/arraymap.c, 6.18): every element exists. The visitor gets the key in a place of its own. */
function walkArray(map: BpfMap, memory: HostMemory, keyAddress: number, visit: ElementVisitor, cpu: number): number {
  for (let index = 0; index < map.spec.maxEntries; index++) {
    memory.view.setUint32(keyAddress, index, true);
    const value = map.lookup(keyAddress, cpu);
    if (!visit(keyAddress, value)) return index + 1;
  }
  return map.spec.maxEntries;
}

/** bpf_for_each_hash_elem (kernel/bpf/hashtab.c, 6.18): bucket by bucket. LRU maps don't count it as use. */
function walkHash(map: HashtabMap, visit: ElementVisitor, cpu: number): number {
  const { table } = map;
  let visited = 0;
  for (let bucket = 0; bucket < table.bucketCount; bucket++) {
    if (table.firstIn(bucket) === NO_NODE) continue;
    const nodes = chainOf(table, bucket);
    let at = 0;
    while (at < nodes.length) {
      const node = nodes[at];
      // The next element is chosen before this one is visited: it comes even if this visit deletes it, what is behind it doesn't.
      do at++;
      while (at < nodes.length && !table.isIn(bucket, nodes[at]));
      visited++;
      if (!visit(table.keyAddress(node), map.valueAddress(node, cpu))) return visited;
    }
  }
  return visited;
}

/** The nodes of a bucket as they are now: elements that come during the walk stand before them. */
function chainOf(table: HashTable, bucket: number): number[] {
  const nodes: number[] = [];
  for (let node = table.firstIn(bucket); node !== NO_NODE; node = table.nextInBucket(node)) nodes.push(node);
  return nodes;
}
