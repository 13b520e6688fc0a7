import { BPF_F_BROADCAST, BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH, BPF_MAP_TYPE_XSKMAP, entryTarget, isProgramEntryMap, REDIRECT_IFINDEX, REDIRECT_MAP } from '../../vm/index.js';
import type { LoadedObject, Vm } from '../../vm/index.js';

const REDIRECT_MAP_TYPES: readonly number[] = [BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH, BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_XSKMAP];

/** Where a redirect goes: to an interface, or through a map. */
export type RedirectTarget =
  | { readonly kind: 'interface'; readonly ifindex: number }
  | {
      readonly kind: 'map';
      readonly map: string;
      /** Index or key; 0 for a broadcast, which has none. */
      readonly key: number;
      /** Of a DEVMAP the interface in the entry, of an XSKMAP the number of the socket, of a CPUMAP the CPU. */
      readonly target: number;
      /** BPF_F_BROADCAST. */
      readonly isBroadcast: boolean;
    };

/** Names of the maps that redirects can go through. */
export function redirectMapsOf(loaded: LoadedObject): readonly string[] {
  return [...loaded.maps].filter(([, { spec: { type } }]) => REDIRECT_MAP_TYPES.includes(type)).map(([name]) => name);
}

/** What the redirect helpers of the last run asked for. */
export function redirectOf(vm: Vm, loaded: LoadedObject): RedirectTarget | undefined {
  const { kind, targetIndex, target, mapId, mapType, flags } = vm.redirect;
  // A look-up in a map that misses leaves a redirect to interface 0, which does not exist.
  if (kind === REDIRECT_IFINDEX) return targetIndex === 0 ? undefined : { kind: 'interface', ifindex: targetIndex };
  if (kind !== REDIRECT_MAP) return undefined;
  const map = vm.map(mapId);
  const name = [...loaded.maps].find(([, each]) => each === map)?.[0] ?? map?.spec.name ?? '';
  const isBroadcast = (flags & BPF_F_BROADCAST) !== 0;
  if (isBroadcast) return { kind: 'map', map: name, key: 0, target: 0, isBroadcast };
  const where = mapType === BPF_MAP_TYPE_XSKMAP ? target - 1 : map !== undefined && isProgramEntryMap(map) && map.entryAttachType === 'devmap' ? entryTarget(vm.memory, target) : targetIndex;
  return { kind: 'map', map: name, key: targetIndex, target: where, isBroadcast };
}

/**
 * Where a redirect goes, in words.
 *
 * @example
 * redirectText({ kind: 'map', map: 'tx_ports', key: 2, target: 5, isBroadcast: false }); // 'map tx_ports, key 2 (target 5)'
 */
export function redirectText(redirect: RedirectTarget | undefined): string {
  if (redirect === undefined) return 'nowhere: no redirect helper found a target';
  if (redirect.kind === 'interface') return `interface ${redirect.ifindex}`;
  return redirect.isBroadcast ? `everybody in map ${redirect.map}` : `map ${redirect.map}, key ${redirect.key} (target ${redirect.target})`;
}
