import { fromHex, toHex } from '../base/index.js';
import type { MapSpec } from '../vm/index.js';
import { mapTypeName } from '../vm/index.js';
import type { CaseEntry } from './caseFile.js';

/** The user side that the simulator's and the kernel's maps share. */
export interface UserMap {
  readonly spec: MapSpec;
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number;
  entries(): IterableIterator<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}

/** True for maps whose contents a case can set and judge as bytes: not data sections, and not maps of references. */
export function isPlainMap(spec: MapSpec): boolean {
  return spec.dataSection === undefined && ['ARRAY', 'HASH', 'PERCPU_ARRAY', 'PERCPU_HASH'].includes(mapTypeName(spec.type));
}

export function isPerCpu(spec: MapSpec): boolean {
  return mapTypeName(spec.type).startsWith('PERCPU');
}

/**
 * All entries in hex, sorted by key; of a per-CPU map the value of one CPU.
 *
 * Arrays give only entries that are not zero: they always have all of them.
 */
export function dumpEntries(map: UserMap, cpu: number): CaseEntry[] {
  const { spec } = map;
  const stride = Math.ceil(spec.valueSize / 8) * 8;
  const entries: CaseEntry[] = [];
  for (const { key, value } of map.entries()) {
    const own = isPerCpu(spec) ? value.subarray(cpu * stride, cpu * stride + spec.valueSize) : value;
    if (mapTypeName(spec.type).endsWith('ARRAY') && own.every((byte) => byte === 0)) continue;
    entries.push({ key: toHex(key), value: toHex(own) });
  }
  return entries.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/**
 * Puts an entry into a map; on a per-CPU map its value goes to every CPU.
 *
 * @returns 0 or a negated errno; `undefined` when key or value don't have the map's size
 */
export function putEntry(map: UserMap, entry: CaseEntry, possibleCpus: number): number | undefined {
  const { spec } = map;
  const key = fromHex(entry.key);
  const value = fromHex(entry.value);
  if (key?.length !== spec.keySize || value?.length !== spec.valueSize) return undefined;
  if (!isPerCpu(spec)) return map.updateBytes(key, value, 0);
  const stride = Math.ceil(spec.valueSize / 8) * 8;
  const all = new Uint8Array(stride * possibleCpus);
  for (let cpu = 0; cpu < possibleCpus; cpu++) all.set(value, cpu * stride);
  return map.updateBytes(key, all, 0);
}
