import { ArrayMap } from './arrayMap.js';
import { HashMap } from './hashMap.js';
import { LruHashMap } from './lruHashMap.js';
import type { BpfMap } from './map.js';
import { roundUp8 } from './mapSupport.js';

/** An element of a map: the key of an array's is its index, that of a hash lies at `keyAddress`. */
export interface Element {
  readonly index: number;
  readonly keyAddress: number;
}

/** The element whose value begins at this address, if the map has it now; only for the map types whose values can hold timers. */
export function elementOfValue(map: BpfMap, valueAddress: number): Element | undefined {
  if (map instanceof ArrayMap) {
    const index = (valueAddress - map.valuesAddress) / roundUp8(map.spec.valueSize);
    return Number.isInteger(index) && index >= 0 && index < map.spec.maxEntries ? { index, keyAddress: 0 } : undefined;
  }
  if (!(map instanceof HashMap || map instanceof LruHashMap)) return undefined;
  const { table } = map;
  const node = map.nodeOfValue(valueAddress);
  // The key of a node that is free, or has another key now, leads elsewhere.
  return node >= 0 && node < table.capacity && table.find(table.keyAddress(node)) === node ? { index: node, keyAddress: table.keyAddress(node) } : undefined;
}
