import { toHex } from '../base/index.js';
import { initialKey, isMapOfMaps, mapTypeName, ProgArray } from '../vm/index.js';
import type { BpfMap, LoadedObject, MapOfMaps } from '../vm/index.js';
import type { CaseEntry, TestCase } from './caseFile.js';
import { formatVariable } from './globals.js';
import { dumpEntries, dumpProgramEntries, isPlainMap } from './mapEntries.js';
import { CASE_CPU } from './observe.js';
import { hasProgramEntries } from './programEntries.js';
import { programNameIn } from './simulatedMaps.js';

/** What makes a freshly loaded object what this one is now, in the words of a case. Of per-CPU maps the values of CPU 0 count. */
export function startStateOf(loaded: LoadedObject): Pick<TestCase, 'maps' | 'globals'> {
  const maps = [...loaded.maps.values()].map((map) => [map.spec.name, entriesOf(loaded, map)] as const).filter(([, entries]) => entries.length > 0);
  const globals = changedGlobals(loaded);
  return {
    ...(maps.length === 0 ? {} : { maps: Object.fromEntries(maps) }),
    ...(globals.length === 0 ? {} : { globals: Object.fromEntries(globals) }),
  };
}

function entriesOf(loaded: LoadedObject, map: BpfMap): CaseEntry[] {
  if (isPlainMap(map.spec)) return dumpEntries(map, CASE_CPU);
  if (map instanceof ProgArray) return programsIn(loaded, map);
  if (hasProgramEntries(map.spec)) return dumpProgramEntries(map, programNameIn(loaded));
  if (isMapOfMaps(map)) return mapsIn(loaded, map);
  // The slot of an XSKMAP holds the number of a socket, which is what a case gives.
  return mapTypeName(map.spec.type) === 'XSKMAP' ? dumpEntries(map, CASE_CPU) : [];
}

/** Slots that the object doesn't fill in this way itself. */
function programsIn(loaded: LoadedObject, map: ProgArray): CaseEntry[] {
  const own = new Map(map.spec.initialPrograms.map(({ index, program }) => [index, program]));
  return [...map.entries()].flatMap(({ key, value }) => {
    const program = loaded.programs.find(({ id }) => id === u32(value))?.spec.name;
    return program === undefined || own.get(u32(key)) === program ? [] : [{ key: toHex(key), value: program }];
  });
}

/** Entries that the object doesn't make itself; a map that isn't the object's can't be named. */
function mapsIn(loaded: LoadedObject, outer: MapOfMaps): CaseEntry[] {
  const { keySize, initialMaps = [] } = outer.spec;
  const own = new Map(initialMaps.map(({ index, map }) => [toHex(initialKey(keySize, index)), map]));
  return [...outer.entries()].flatMap(({ key }) => {
    const name = outer.innerMap(key)?.spec.name;
    const isNamed = name !== undefined && loaded.maps.get(name) === outer.innerMap(key);
    return isNamed && own.get(toHex(key)) !== name ? [{ key: toHex(key), value: name }] : [];
  });
}

function changedGlobals(loaded: LoadedObject): [string, unknown][] {
  return loaded.spec.variables.flatMap((variable): [string, unknown][] => {
    const { name, map, offBytes, sizeBytes } = variable;
    const section = loaded.maps.get(map);
    const bytes = section?.lookupBytes(new Uint8Array(4))?.subarray(offBytes, offBytes + sizeBytes);
    const first = section?.spec.initialValue?.subarray(offBytes, offBytes + sizeBytes);
    if (bytes === undefined || first === undefined || Buffer.compare(bytes, first) === 0) return [];
    return [[name, formatVariable(loaded.spec, variable, bytes)]];
  });
}

function u32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}
