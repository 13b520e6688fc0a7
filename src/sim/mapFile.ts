import { didYouMean, E2BIG, ENODEV, EOVERFLOW, errnoName, fail, fromHex, ok, toHex } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { fitsTemplate, formatValue, isMapOfMaps, isProgramEntryMap, mapTypeName, parseValue, ProgArray, XskMap } from '../vm/index.js';
import type { BpfMap, JsonValue, LoadedObject, MapOfMaps, ProgramEntryMap, ValueTarget } from '../vm/index.js';
import { readJsonFile } from './jsonFile.js';
import type { JsonFileKind } from './jsonFile.js';

/** As long as twice what a map of a million entries needs. */
const FILE_KIND: JsonFileKind = { code: 'map-file', noun: 'a map file', maxBytes: 128 << 20, shorten: 'write fewer entries', jsonCode: 'map-file-shape' };

/** Bytes of a key or value, and characters of it in JSON, that a hint spells out. */
const MAX_EXAMPLE_BYTES = 256;
const MAX_EXAMPLE_CHARS = 300;

/** What filling a map must know besides the object. */
export interface MapHost {
  readonly possibleCpus: number;
  /** AF_XDP sockets that an XSKMAP can hold: numbers 0 to this, exclusive. */
  readonly socketCount: number;
  /** Interfaces of the host by name, whose names can stand for their numbers in a DEVMAP. */
  readonly interfaces?: ReadonlyMap<string, number> | undefined;
}

/**
 * Fills a map from a JSON file: `[{"key": KEY, "value": VALUE}, ...]`, as the `entries` of a map in the report of `sim run`.
 *
 * KEY and VALUE are hex strings of the exact size (`"0a000001"`), or JSON values by the map's BTF types (numbers, `"10.0.0.1"` for
 * `__be32`, objects for structs). On a per-CPU map VALUE goes to every CPU, and `"values"` in its stead has one value for each CPU.
 * On a PROG_ARRAY the value is a program's name, on an ARRAY_OF_MAPS or HASH_OF_MAPS a map's name, on an XSKMAP `"socket 3"`. On a DEVMAP or
 * DEVMAP_HASH it is `{"ifindex": 1, "program": NAME}`, on a CPUMAP `{"qsize": 192, "program": NAME}`, both also without the program. Other
 * members are ignored.
 *
 * Problems: `unknown-map`, `map-file-unreadable`, `map-file-shape`, `map-file-program`, `map-file-map`, `map-file-socket`, `map-update`, `nested-too-deep`, and those of
 * `parseValue`.
 */
export function fillMapFromFile(loaded: LoadedObject, mapName: string, path: string, host: MapHost): Problem | undefined {
  return fill(loaded, mapName, host, (hint) => {
    const json = readJsonFile(path, { ...FILE_KIND, jsonHint: hint });
    return json.ok ? checkEntries(json.value, path, hint) : json;
  }, (index) => `${path}, entry ${index}`);
}

/**
 * Fills a map from the entries of a map file, as JSON. Problems: as `fillMapFromFile`, but for those of files.
 *
 * @param where names the list in problems
 */
export function fillMap(loaded: LoadedObject, mapName: string, entries: unknown, where: string, host: MapHost): Problem | undefined {
  return fill(loaded, mapName, host, (hint) => checkEntries(entries, where, hint), (index) => `${where}[${index}]`);
}

/**
 * Puts one entry, of which the key and the value or values are given, into a map. Problems: as `fillMap`, in the words of a caller that has no file.
 *
 * @param where names the map in problems
 */
export function setMapEntry(loaded: LoadedObject, mapName: string, entry: object, where: string, host: MapHost): Problem | undefined {
  const map = loaded.maps.get(mapName);
  const example = map && exampleEntry(loaded, map);
  const hint = example && `write key and value like ${JSON.stringify(example.key)} and ${JSON.stringify(example.value)}`;
  return fill(loaded, mapName, host, (fileHint) => checkEntries([entry], where, hint ?? fileHint), () => where, hint);
}

function fill(
  loaded: LoadedObject, mapName: string, host: MapHost, read: (hint: string) => Result<readonly JsonEntry[]>, place: (index: number) => string, ownHint?: string,
): Problem | undefined {
  const map = loaded.maps.get(mapName);
  if (map === undefined) {
    const names = [...loaded.maps.keys()];
    return { code: 'unknown-map', where: loaded.spec.name, message: `no map ${mapName}`, hint: names.length === 0 ? 'the object has no maps' : `${didYouMean(mapName, names)}it has: ${names.join(', ')}` };
  }
  const { key, value } = exampleEntry(loaded, map);
  const hint = ownHint ?? `write [{"key": ${JSON.stringify(key)}, "value": ${JSON.stringify(value)}}], as docs/report.md describes`;
  const entries = read(hint);
  if (!entries.ok) return entries.problem;
  for (const [index, entry] of entries.value.entries()) {
    const problem = putEntry(loaded, map, entry, host);
    if (problem !== undefined) return { hint, ...problem, where: place(index) };
  }
  return undefined;
}

/** What a type looks like, with every part 0: the value of a real entry to write it like. */
function exampleOf(loaded: LoadedObject, typeId: number, sizeBytes: number): JsonValue {
  if (sizeBytes > MAX_EXAMPLE_BYTES) return `${sizeBytes} bytes in hex`;
  const value = formatValue(loaded.spec.btf, typeId, new Uint8Array(sizeBytes));
  return JSON.stringify(value).length > MAX_EXAMPLE_CHARS ? `${sizeBytes} bytes in hex` : value;
}

/** An entry for this map, by its BTF types. */
export function exampleEntry(loaded: LoadedObject, map: BpfMap): { readonly key: JsonValue; readonly value: JsonValue } {
  const { spec } = map;
  const key = exampleOf(loaded, spec.keyTypeId, spec.keySize);
  const value = map instanceof XskMap ? 'socket 0'
    : map instanceof ProgArray ? loaded.spec.programs[0].name
    : isProgramEntryMap(map) ? { [targetName(map)]: 1, ...(spec.valueSize === 8 ? { program: programsFor(loaded, map)[0] ?? 'NAME' } : {}) }
    : isMapOfMaps(map) ? (namesThatFit(loaded, map)[0] ?? 'NAME')
    : exampleOf(loaded, spec.valueTypeId, spec.valueSize);
  return { key, value };
}

interface JsonEntry {
  readonly key: unknown;
  readonly value?: unknown;
  readonly values?: unknown;
}

function checkEntries(json: unknown, where: string, hint: string): Result<readonly JsonEntry[]> {
  const shape: Problem = { code: 'map-file-shape', where, message: 'is no list of entries', hint };
  if (!Array.isArray(json)) return fail(shape);
  const bad = json.findIndex((entry) => typeof entry !== 'object' || entry === null || !Object.hasOwn(entry, 'key') || !(Object.hasOwn(entry, 'value') || Object.hasOwn(entry, 'values')));
  if (bad >= 0) return fail({ ...shape, where: `${where}, entry ${bad}`, message: 'has no key and value' });
  return ok(json as JsonEntry[]);
}

function putEntry(loaded: LoadedObject, map: BpfMap, written: JsonEntry, { possibleCpus, socketCount, interfaces }: MapHost): Problem | undefined {
  const { spec } = map;
  const isNamed = interfaces !== undefined && isProgramEntryMap(map) && map.entryAttachType === 'devmap';
  const entry = isNamed ? { ...written, value: withIfindex(written.value, interfaces) } : written;
  const { btf } = loaded.spec;
  const key = toBytes(entry.key, { btf, typeId: spec.keyTypeId, sizeBytes: spec.keySize, label: `key of map ${spec.name}` });
  if (!key.ok) return key.problem;
  if (map instanceof ProgArray) return putProgram(loaded, map, key.value, entry.value);
  if (isProgramEntryMap(map) && typeof entry.value !== 'string') return putProgramEntry(loaded, map, key.value, entry.value, possibleCpus);
  if (isMapOfMaps(map)) return putMap(loaded, map, key.value, entry.value);
  if (map instanceof XskMap) return putSocket(loaded, map, key.value, entry.value, socketCount);
  const target = { btf, typeId: spec.valueTypeId, sizeBytes: spec.valueSize, label: `value of map ${spec.name}` };
  if (!map.isPerCpu && !Object.hasOwn(entry, 'value')) {
    return { code: 'map-file-shape', message: `map ${spec.name} is no per-CPU map, but the entry has "values"`, hint: 'write "value"' };
  }
  const value = map.isPerCpu ? perCpuBytes(entry, target, possibleCpus) : toBytes(entry.value, target);
  if (!value.ok) return value.problem;
  const error = map.updateBytes(key.value, value.value, 0);
  return error === 0 ? undefined : refused(loaded, map, key.value, error);
}

/** The value with the number of an interface in place of its name. */
function withIfindex(value: unknown, interfaces: ReadonlyMap<string, number>): unknown {
  if (typeof value === 'string') return interfaces.get(value) ?? value;
  if (typeof value !== 'object' || value === null || !('ifindex' in value) || typeof value.ifindex !== 'string') return value;
  return { ...value, ifindex: interfaces.get(value.ifindex) ?? value.ifindex };
}

function putProgram(loaded: LoadedObject, map: ProgArray, key: Uint8Array, name: unknown): Problem | undefined {
  const program = typeof name === 'string' ? loaded.program(name) : undefined;
  if (program === undefined) {
    const problem = typeof name === 'string' ? loaded.problems.get(name) : undefined;
    return (
      problem ?? {
        code: 'map-file-program',
        message: `value ${JSON.stringify(name)} is no program`,
        hint: `use one of: ${loaded.spec.programs.map((each) => each.name).join(', ')}`,
      }
    );
  }
  const error = map.setProgram(new DataView(key.buffer, key.byteOffset).getUint32(0, true), program);
  return error === 0 ? undefined : refused(loaded, map, key, error);
}

/** What the number in an entry is. */
function targetName({ entryAttachType }: ProgramEntryMap): 'ifindex' | 'qsize' {
  return entryAttachType === 'cpumap' ? 'qsize' : 'ifindex';
}

/** Programs of the object that could stand in an entry of this map. */
function programsFor({ spec }: LoadedObject, { entryAttachType }: ProgramEntryMap): string[] {
  return spec.programs.filter(({ attachType }) => attachType === entryAttachType).map(({ name }) => name);
}

function putProgramEntry(loaded: LoadedObject, map: ProgramEntryMap, key: Uint8Array, value: unknown, possibleCpus: number): Problem | undefined {
  const { spec, entryAttachType } = map;
  const target = targetName(map);
  const parts: Record<string, unknown> = typeof value === 'object' && value !== null ? { ...value } : { [target]: value };
  const { [target]: number, program: name, ...others } = parts;
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number >= 2 ** 32 || Object.keys(others).length > 0) {
    return { code: 'map-file-shape', message: `value ${JSON.stringify(value)} of map ${spec.name} is no ${target} with or without a program` };
  }
  const program = typeof name === 'string' ? loaded.program(name) : undefined;
  if (name !== undefined && (program === undefined || spec.valueSize !== 8)) {
    const problem = typeof name === 'string' && spec.valueSize === 8 ? loaded.problems.get(name) : undefined;
    const names = programsFor(loaded, map);
    const hint = spec.valueSize !== 8 ? 'its values of 4 bytes have no room for one: leave it out, or give the map a struct with a program as its value'
      : names.length === 0 ? `the object has none in SEC("xdp/${entryAttachType}")` : `use one of: ${names.join(', ')}`;
    return problem ?? { code: 'map-file-program', message: `${JSON.stringify(name)} is no program for an entry of map ${spec.name}`, hint };
  }
  const error = map.updateEntry(key, number, program, 0);
  if (error === 0) return undefined;
  const problem = refused(loaded, map, key, error);
  if (error === -ENODEV) return { ...problem, hint: `its keys are CPUs, and there are ${possibleCpus}, from 0 on` };
  if (error === -EOVERFLOW) return { ...problem, hint: 'the longest queue is 16384 packets' };
  if (program === undefined || error === -E2BIG) return problem;
  return { ...problem, hint: `the program must be in SEC("xdp/${entryAttachType}"), or SEC("xdp.frags/${entryAttachType}") where those that use the map are in SEC("xdp.frags")` };
}

/** Maps of the object that this map of maps takes. */
function namesThatFit(loaded: LoadedObject, { template }: MapOfMaps): string[] {
  return [...loaded.maps.values()].filter(({ spec }) => fitsTemplate(template, spec)).map(({ spec }) => spec.name);
}

function putMap(loaded: LoadedObject, map: MapOfMaps, key: Uint8Array, name: unknown): Problem | undefined {
  const names = namesThatFit(loaded, map);
  if (typeof name !== 'string' || !names.includes(name)) {
    const hint = names.length === 0 ? `the object has no map like the inner maps of ${map.spec.name}` : `use one of: ${names.join(', ')}`;
    return { code: 'map-file-map', message: `value ${JSON.stringify(name)} is no map that can be in it`, hint };
  }
  const error = map.setMap(key, loaded.maps.get(name)!);
  return error === 0 ? undefined : refused(loaded, map, key, error);
}

function putSocket(loaded: LoadedObject, map: XskMap, key: Uint8Array, value: unknown, socketCount: number): Problem | undefined {
  const number = typeof value === 'string' ? /^socket (\d{1,5})$/.exec(value)?.[1] : undefined;
  if (number === undefined || Number(number) >= socketCount) {
    const range = socketCount === 0 ? 'there are none: begin with an application (--xsk; in a test xsk), or give a socket that you opened' : `use "socket 0" to "socket ${socketCount - 1}"`;
    return { code: 'map-file-socket', message: `value ${JSON.stringify(value)} is no socket`, hint: range };
  }
  const error = map.updateBytes(key, new Uint8Array(Uint32Array.of(Number(number) + 1).buffer), 0);
  return error === 0 ? undefined : refused(loaded, map, key, error);
}

function refused({ spec: { btf } }: LoadedObject, { spec }: BpfMap, key: Uint8Array, error: number): Problem {
  const message = `map ${spec.name} refused the entry (${errnoName(error)})`;
  if (Math.abs(error) !== E2BIG) return { code: 'map-update', message, hint: 'check the flags of the map' };
  const hint = mapTypeName(spec.type).endsWith('HASH') ? 'write fewer entries, or raise max_entries' : `use keys from 0 to ${spec.maxEntries - 1}, or raise max_entries`;
  return { code: 'map-update', message: `${message}: key ${JSON.stringify(formatValue(btf, spec.keyTypeId, key))}, the map has ${spec.maxEntries}`, hint };
}

/** Hex of the exact size is taken as bytes, anything else goes by type. What could be both, as `"8080"` for a port, is refused. */
function toBytes(value: unknown, target: ValueTarget): Result<Uint8Array> {
  const bytes = typeof value === 'string' && value.length === target.sizeBytes * 2 ? fromHex(value) : undefined;
  if (bytes === undefined) return parseValue(target, value);
  const asNumber = /^\d+$/.test(value as string) && isInteger(target) ? parseValue(target, value) : undefined;
  if (asNumber === undefined || !asNumber.ok || toHex(asNumber.value) === toHex(bytes)) return ok(bytes);
  return fail({
    code: 'map-file-ambiguous',
    message: `${target.label}: "${value as string}" can be a number or bytes in hex`,
    hint: `write ${Number(value)} without quotes for the number, ${JSON.stringify(formatValue(target.btf, target.typeId, bytes))} for the bytes`,
  });
}

function isInteger({ btf, typeId }: ValueTarget): boolean {
  return btf !== undefined && typeId !== 0 && btf.type(btf.resolve(typeId)).kind === 'int';
}

/** What user space passes for a per-CPU map: one value for each CPU, each rounded up to 8 bytes. */
function perCpuBytes(entry: JsonEntry, target: ValueTarget, possibleCpus: number): Result<Uint8Array> {
  const { values } = entry;
  if (values !== undefined && !(Array.isArray(values) && values.length === possibleCpus)) {
    const found = Array.isArray(values) ? `${values.length} values` : 'values that are no list';
    return fail({ code: 'map-file-shape', message: `${target.label} has ${found}`, hint: `give ${possibleCpus} values, one for each CPU (--cpus), or one "value" for all` });
  }
  const stride = Math.ceil(target.sizeBytes / 8) * 8;
  const bytes = new Uint8Array(stride * possibleCpus);
  const list: readonly unknown[] = values ?? [entry.value];
  for (const [index, each] of list.entries()) {
    const value = toBytes(each, target);
    if (!value.ok) return value;
    if (values !== undefined) bytes.set(value.value, index * stride);
    else for (let cpu = 0; cpu < possibleCpus; cpu++) bytes.set(value.value, cpu * stride);
  }
  return ok(bytes);
}
