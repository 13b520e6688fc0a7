import { ProblemError, errnoName } from '../../base/index.js';
import type { BpfMap } from './map.js';
import { isMapOfMaps } from './mapOfMaps.js';

/** Key of a map with keys of this size for an index in a definition, little endian; what doesn't fit is cut off. */
export function initialKey(keySize: number, index: number): Uint8Array {
  const key = new Uint8Array(keySize);
  for (let at = 0; at < Math.min(keySize, 4); at++) key[at] = index >>> (8 * at);
  return key;
}

/**
 * Puts the maps of an object into its maps of maps, as its definitions say. A map that isn't live leaves its slot empty.
 *
 * @throws ProblemError `inner-map-mismatch`
 */
export function fillMapsOfMaps(maps: ReadonlyMap<string, BpfMap>, objectName: string): void {
  for (const outer of maps.values()) {
    if (!isMapOfMaps(outer)) continue;
    for (const { index, map: name } of outer.spec.initialMaps ?? []) {
      const inner = maps.get(name);
      if (inner === undefined) continue;
      const error = outer.setMap(initialKey(outer.spec.keySize, index), inner);
      if (error === 0) continue;
      throw new ProblemError({
        code: 'inner-map-mismatch',
        message: `map ${name} can't be put into slot ${index} of map ${outer.spec.name} (${errnoName(error)})`,
        where: objectName,
        hint: 'inner maps must have the type, key size, value size and flags of the inner definition, arrays its max_entries too; and check max_entries of the outer map',
      });
    }
  }
}
