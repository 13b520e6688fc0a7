import { ProblemError } from '../../base/index.js';
import { isMapOfMapsType } from '../maps/mapOfMaps.js';
import type { MapSpec } from '../spec.js';
import type { InnerMaps } from './legacyMaps.js';

/** What the inner maps of a map of maps are like: a map of the object, by name, or a map that user space makes. */
export type InnerMapChoice = string | Pick<MapSpec, 'type' | 'keySize' | 'valueSize' | 'maxEntries' | 'flags'>;

/**
 * Gives maps of maps the inner maps that legacy definitions refer to, and those that somebody asks for, as `bpf_map__set_inner_map_fd` does
 * (tools/lib/bpf/libbpf.c).
 *
 * @param maps with the sizes that they will have
 * @param legacy by name of the map of maps
 * @param chosen by name of the map of maps; goes before what the object says
 * @throws ProblemError `unknown-map`, `map-has-no-inner`
 */
export function setInnerMaps(
  maps: readonly MapSpec[],
  legacy: ReadonlyMap<string, InnerMaps>,
  chosen: Readonly<Record<string, InnerMapChoice>>,
  objectName: string,
): readonly MapSpec[] {
  const byName = new Map(maps.map((map) => [map.name, map]));
  const choices = new Map(Object.entries(chosen));
  const find = (name: string): MapSpec => {
    const map = byName.get(name);
    if (map !== undefined) return map;
    const names = maps.filter(({ dataSection }) => dataSection === undefined).map((candidate) => candidate.name);
    const hint = names.length === 0 ? 'the object has no maps' : `choose one of: ${names.join(', ')}`;
    throw new ProblemError({ code: 'unknown-map', message: `there is no map ${name}`, where: objectName, hint });
  };
  for (const name of choices.keys()) {
    if (isMapOfMapsType(find(name).type)) continue;
    const message = `map ${name} is no map of maps, so it has no inner maps`;
    throw new ProblemError({ code: 'map-has-no-inner', message, where: objectName, hint: 'name an ARRAY_OF_MAPS or HASH_OF_MAPS' });
  }
  return maps.map((map) => {
    const choice = choices.get(map.name);
    const own = legacy.get(map.name);
    const withMaps = own === undefined || own.initialMaps.length === 0 ? map : { ...map, initialMaps: own.initialMaps };
    if (choice === undefined) return own === undefined ? withMaps : { ...withMaps, innerMap: find(own.template) };
    return { ...withMaps, innerMap: typeof choice === 'string' ? find(choice) : userMap(`${map.name}.inner`, choice) };
  });
}

function userMap(name: string, { type, keySize, valueSize, maxEntries, flags }: Exclude<InnerMapChoice, string>): MapSpec {
  const unknown = { keyTypeId: 0, valueTypeId: 0, dataSection: undefined, initialValue: undefined, initialPrograms: [] };
  return { name, type, keySize, valueSize, maxEntries, flags, ...unknown };
}
