import { EPERM, errnoName, fromHex, toHex } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { BPF_F_RDONLY, BPF_F_WRONLY, fitsTemplate, mapTypeName } from '../vm/index.js';
import type { MapSpec, ObjectSpec } from '../vm/index.js';
import { xdpPrograms } from './backend.js';
import type { CaseEntry } from './caseFile.js';
import { formatEntryValue, hasProgramEntries, parseEntryValue } from './programEntries.js';
import type { EntryValue } from './programEntries.js';

/** The user side that the simulator's and the kernel's maps share. */
export interface UserMap {
  readonly spec: MapSpec;
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number;
  entries(): IterableIterator<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  /** Of an array, where it is cheaper than `entries`: what is not zero. */
  nonZeroEntries?(): IterableIterator<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}

/** The entries of a map, key beside key and value beside value. */
export interface MapDump {
  readonly count: number;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

/** What a case can do with the maps of a loaded object, on either backend. Numbers are 0 or a negated errno. */
export interface CaseMaps {
  /** CPUs that per-CPU maps have values for. */
  readonly possibleCpus: number;
  /** A map of the object by its name. */
  map(name: string): Result<UserMap>;
  /** Loads the program if it isn't yet. */
  putProgram(mapName: string, index: number, programName: string): Result<number>;
  /** Puts a map of the object into a map of maps. */
  putMap(mapName: string, key: Uint8Array, innerName: string): Result<number>;
  /** Puts a socket into an XSKMAP; equal numbers (1 or more) are the same socket. */
  putSocket(mapName: string, index: number, socket: number): Result<number>;
  /** Writes an entry of a DEVMAP, DEVMAP_HASH or CPUMAP, with a program of the object or without. */
  putEntry(mapName: string, key: Uint8Array, entry: EntryValue): Result<number>;
}

const LARGE_ARRAY_ENTRIES = 65536;
const PLAIN_TYPES = ['ARRAY', 'HASH', 'PERCPU_ARRAY', 'PERCPU_HASH', 'LRU_HASH', 'LRU_PERCPU_HASH', 'LPM_TRIE'];

/** True for maps whose contents a case can judge as bytes: not data sections, not maps of references, not maps that user space can't read. */
export function isPlainMap(spec: MapSpec): boolean {
  return isPlainType(spec) && (spec.flags & BPF_F_WRONLY) === 0;
}

function isPlainType(spec: MapSpec): boolean {
  return spec.dataSection === undefined && PLAIN_TYPES.includes(mapTypeName(spec.type));
}

function isPerCpu(spec: MapSpec): boolean {
  return mapTypeName(spec.type).includes('PERCPU');
}

/** True for maps that always have all their entries, ARRAY and PERCPU_ARRAY: of these only entries that are not zero are observed. */
export function isArray(spec: MapSpec): boolean {
  return mapTypeName(spec.type).endsWith('ARRAY');
}

/** An array so large that it is dumped without its zero elements. */
export function isLargeArray(spec: MapSpec): boolean {
  return isArray(spec) && spec.maxEntries > LARGE_ARRAY_ENTRIES;
}

/** The same dump without the elements that are zero, on all CPUs. */
export function withoutZeros({ count, keys, values }: MapDump): MapDump {
  if (isZero(values, 0, values.length)) return { count: 0, keys: new Uint8Array(0), values: new Uint8Array(0) };
  const [keyBytes, valueBytes] = [keys.length / count, values.length / count];
  const filled = Array.from({ length: count }, (_, i) => i).filter((i) => !isZero(values, i * valueBytes, (i + 1) * valueBytes));
  return {
    count: filled.length,
    keys: Buffer.concat(filled.map((i) => keys.subarray(i * keyBytes, (i + 1) * keyBytes))),
    values: Buffer.concat(filled.map((i) => values.subarray(i * valueBytes, (i + 1) * valueBytes))),
  };
}

/**
 * What is observed of a map: entries in hex, sorted by key; of a per-CPU map the value of one CPU, of an array what is not zero.
 *
 * @param dump all entries, in any order; on a per-CPU map with a value for each CPU, rounded up to 8 bytes
 */
export function observedEntries(spec: MapSpec, dump: MapDump, cpu: number): CaseEntry[] {
  const { keySize, valueSize } = spec;
  const valueBytes = dump.count === 0 ? 0 : dump.values.length / dump.count;
  const offBytes = isPerCpu(spec) ? cpu * strideOf(spec) : 0;
  const skipsZeros = isArray(spec);
  const entries: CaseEntry[] = [];
  for (let i = 0; i < dump.count; i++) {
    const at = i * valueBytes + offBytes;
    if (skipsZeros && isZero(dump.values, at, at + valueSize)) continue;
    entries.push({ key: toHex(dump.keys.subarray(i * keySize, (i + 1) * keySize)), value: toHex(dump.values.subarray(at, at + valueSize)) });
  }
  return sortByKey(entries);
}

/** What is observed of a map that gives its entries one at a time. */
export function dumpEntries(map: UserMap, cpu: number): CaseEntry[] {
  return observedEntries(map.spec, dumpFilled(map), cpu);
}

/** What is observed of a DEVMAP, DEVMAP_HASH or CPUMAP: its filled entries. */
export function dumpProgramEntries(map: UserMap, programName: (id: number) => string | undefined): CaseEntry[] {
  return sortByKey([...map.entries()].map(({ key, value }) => ({ key: toHex(key), value: formatEntryValue(value, programName) })));
}

/** In the order of an observation. */
function sortByKey(entries: CaseEntry[]): CaseEntry[] {
  return entries.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** A dump of a map that gives its entries one at a time. */
export function dumpOneByOne(map: UserMap): MapDump {
  return dumpOf(map.entries());
}

/** The same without elements of an array that are zero, if the map can tell. */
export function dumpFilled(map: UserMap): MapDump {
  return dumpOf(map.nonZeroEntries?.() ?? map.entries());
}

function dumpOf(entries: IterableIterator<{ readonly key: Uint8Array; readonly value: Uint8Array }>): MapDump {
  const keys: Uint8Array[] = [];
  const values: Uint8Array[] = [];
  for (const { key, value } of entries) {
    keys.push(key);
    values.push(value);
  }
  return { count: keys.length, keys: Buffer.concat(keys), values: Buffer.concat(values) };
}

/** Puts the entries of a case into its maps: in the same way, and with the same words when something is wrong, on both backends. */
export function fillMaps(object: ObjectSpec, contents: Readonly<Record<string, readonly CaseEntry[]>>, maps: CaseMaps): Problem | undefined {
  for (const [name, entries] of Object.entries(contents)) {
    const spec = object.maps.find((candidate) => candidate.name === name);
    if (spec === undefined) return unknownMap(object, name);
    for (const entry of entries) {
      const error = putEntry(object, spec, entry, maps);
      if (!error.ok) return error.problem;
      if (error.value !== 0) return refusedEntry(object, spec, entry, error.value);
    }
  }
  return undefined;
}

export function unknownMap(object: ObjectSpec, name: string): Problem {
  const names = object.maps.filter((map) => map.dataSection === undefined).map((map) => map.name).join(', ');
  return { code: 'unknown-map', where: object.name, message: `there is no map ${name}`, hint: names === '' ? 'the object has none' : `use one of ${names}` };
}

function putEntry(object: ObjectSpec, spec: MapSpec, entry: CaseEntry, maps: CaseMaps): Result<number> {
  const key = fromHex(entry.key);
  if (key?.length !== spec.keySize) return badEntry(spec, `key ${entry.key} is not of ${spec.keySize} bytes`);
  switch (mapTypeName(spec.type)) {
    case 'PROG_ARRAY': {
      const names = xdpPrograms(object);
      if (!names.includes(entry.value)) return badEntry(spec, `value ${entry.value} is no XDP program`, `use one of ${names.join(', ')}`);
      return maps.putProgram(spec.name, u32(key), entry.value);
    }
    case 'ARRAY_OF_MAPS':
    case 'HASH_OF_MAPS': {
      const names = innerMapNames(object, spec);
      if (!names.includes(entry.value)) return badEntry(spec, `value ${entry.value} is no map that can be in it`, innerMapHint(names));
      return (spec.flags & BPF_F_RDONLY) !== 0 ? { ok: true, value: -EPERM } : maps.putMap(spec.name, key, entry.value);
    }
    case 'XSKMAP': {
      const socket = fromHex(entry.value);
      if (socket?.length !== 4 || u32(socket) === 0) return badEntry(spec, `value ${entry.value} is no number of a socket`, 'write 01000000 for the first socket');
      return maps.putSocket(spec.name, u32(key), u32(socket));
    }
    default: return hasProgramEntries(spec) ? putEntryValue(object, spec, key, entry, maps) : putBytes(spec, key, entry, maps);
  }
}

/** Maps of the object that may go into this map of maps. */
export function innerMapNames(object: ObjectSpec, { innerMap }: MapSpec): string[] {
  return innerMap === undefined ? [] : object.maps.filter((map) => fitsTemplate(innerMap, map)).map(({ name }) => name);
}

function innerMapHint(names: readonly string[]): string {
  return names.length === 0 ? 'the object has none that is like its inner definition' : `use one of ${names.join(', ')}`;
}

function putEntryValue(object: ObjectSpec, spec: MapSpec, key: Uint8Array, entry: CaseEntry, maps: CaseMaps): Result<number> {
  const value = parseEntryValue(spec, entry.value);
  if (value === undefined) {
    const hint = `write ${'01000000'.padEnd(spec.valueSize * 2, '0')}${spec.valueSize === 8 ? ', or 01000000 and the name of a program' : ''}`;
    return badEntry(spec, `value ${entry.value} is no entry of ${spec.valueSize} bytes without the number of a program`, hint);
  }
  const names = xdpPrograms(object);
  if (value.program !== undefined && !names.includes(value.program)) return badEntry(spec, `${value.program} is no XDP program`, `use one of ${names.join(', ')}`);
  return (spec.flags & BPF_F_RDONLY) !== 0 ? { ok: true, value: -EPERM } : maps.putEntry(spec.name, key, value);
}

/** On a per-CPU map the value goes to every CPU. */
function putBytes(spec: MapSpec, key: Uint8Array, entry: CaseEntry, maps: CaseMaps): Result<number> {
  if (spec.dataSection !== undefined) return badEntry(spec, 'it holds global variables', 'set them in "globals"');
  if (!isPlainType(spec)) return badEntry(spec, `a case can't fill maps of type ${mapTypeName(spec.type)}`, 'leave it out');
  const value = fromHex(entry.value);
  if (value?.length !== spec.valueSize) return badEntry(spec, `value ${entry.value} is not of ${spec.valueSize} bytes`);
  // The simulator's maps are open to whoever owns them; user space is held to the flags of the map.
  if ((spec.flags & BPF_F_RDONLY) !== 0) return { ok: true, value: -EPERM };
  const map = maps.map(spec.name);
  if (!map.ok) return map;
  if (!isPerCpu(spec)) return { ok: true, value: map.value.updateBytes(key, value, 0) };
  const all = new Uint8Array(strideOf(spec) * maps.possibleCpus);
  for (let cpu = 0; cpu < maps.possibleCpus; cpu++) all.set(value, cpu * strideOf(spec));
  return { ok: true, value: map.value.updateBytes(key, all, 0) };
}

/** Bytes from the value of one CPU to that of the next, in user space. */
function strideOf(spec: MapSpec): number {
  return Math.ceil(spec.valueSize / 8) * 8;
}

function u32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

function badEntry(spec: MapSpec, why: string, hint = 'compare with key_size and value_size of the map'): Result<number> {
  return { ok: false, problem: { code: 'case-map-entry', where: `map ${spec.name}`, message: why, hint } };
}

function refusedEntry(object: ObjectSpec, spec: MapSpec, entry: CaseEntry, error: number): Problem {
  return {
    code: 'case-map-refused',
    where: object.name,
    message: `map ${spec.name} refuses key ${entry.key} with value ${entry.value} (${errnoName(error)})`,
    hint: 'compare with max_entries and flags of the map, and the kind of program that the map holds',
  };
}
