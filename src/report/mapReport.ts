import { formatValue, isMapOfMaps, isPlainArray, isProgramEntryMap, mapTypeName, ProgArray, socketOfSlot, XskMap } from '../vm/index.js';
import type { BpfMap, Btf, JsonValue, LoadedObject } from '../vm/index.js';
import { sumOfValues } from './sumOfValues.js';

/** Entries of one map that a report holds; more are counted. */
const KEPT_ENTRIES = 4096;

/** Numbers and texts that all maps of a report may have together, each its share, and all variables: a JSON of some ten megabytes. */
const KEPT_PARTS = 1 << 20;

/** One map in the report. */
export interface MapReport {
  readonly type: string;
  /** C type of key and value, empty when the object doesn't tell. */
  readonly key_type: string;
  readonly value_type: string;
  readonly key_size: number;
  readonly value_size: number;
  readonly max_entries: number;
  readonly entries: readonly MapReportEntry[];
  /** Entries of an array that are all zero, and so not listed. */
  readonly entries_zero: number;
  /** Entries beyond what a report holds. */
  readonly entries_omitted: number;
}

export interface MapReportEntry {
  readonly key: JsonValue;
  /** XSKMAP: `socket 3`; PROG_ARRAY: a program's name; ARRAY_OF_MAPS, HASH_OF_MAPS: a map's name; DEVMAP, CPUMAP: `{ ifindex, program }`, `{ qsize, program }`. Per-CPU maps have `values` instead, one for each CPU. */
  readonly value?: JsonValue;
  readonly values?: readonly JsonValue[];
  /** Per-CPU maps: `values` added up, as far as they can be. */
  readonly sum?: JsonValue;
}

/** Decodes every map of the object through its BTF. Data sections (`.rodata`, `.data`, `.bss`) are left to `variableReports`. */
export function mapReports(loaded: LoadedObject): Record<string, MapReport> {
  const maps = [...loaded.maps].filter(([, map]) => map.spec.dataSection === undefined);
  return Object.fromEntries(maps.map(([name, map]) => [name, mapReport(map, loaded, new PartBudget(KEPT_PARTS / maps.length))]));
}

/** Every global variable of the object with its present value, and how many there was no room for. */
export function variableReports(loaded: LoadedObject): { readonly values: Record<string, JsonValue>; readonly omitted: number } {
  const room = new PartBudget(KEPT_PARTS);
  const { variables } = loaded.spec;
  const values: [string, JsonValue][] = [];
  for (const { name } of variables) {
    if (room.isSpent) break;
    const value = loaded.readVariable(name);
    if (!value.ok || !room.take(partCount(value.value))) continue;
    values.push([name, value.value]);
  }
  return { values: Object.fromEntries(values), omitted: variables.length - values.length };
}

function mapReport(map: BpfMap, loaded: LoadedObject, room: PartBudget): MapReport {
  const { spec } = map;
  const { btf } = loaded.spec;
  const type = mapTypeName(spec.type);
  const isArray = isPlainArray(map);
  const entries: MapReportEntry[] = [];
  let omitted = 0;
  // Elements of an array that are zero were most likely never touched.
  for (const { key, value } of isArray ? map.nonZeroEntries() : map.entries()) {
    const entry = entries.length < KEPT_ENTRIES ? mapReportEntry(map, key, value, loaded, room) : undefined;
    if (entry === undefined) omitted++;
    else entries.push(entry);
  }
  return {
    type,
    key_type: typeName(btf, spec.keyTypeId),
    value_type: typeName(btf, spec.valueTypeId),
    key_size: spec.keySize,
    value_size: spec.valueSize,
    max_entries: spec.maxEntries,
    entries,
    entries_zero: isArray ? spec.maxEntries - entries.length - omitted : 0,
    entries_omitted: omitted,
  };
}

/** One entry, `undefined` when there is no room for it. */
function mapReportEntry(map: BpfMap, keyBytes: Uint8Array, valueBytes: Uint8Array, loaded: LoadedObject, room: PartBudget): MapReportEntry | undefined {
  if (room.isSpent) return undefined;
  const { spec } = map;
  const { btf } = loaded.spec;
  const key = formatValue(btf, spec.keyTypeId, keyBytes);
  if (!map.isPerCpu) {
    const value = referenceName(map, keyBytes, valueBytes, loaded) ?? programEntry(map, valueBytes, loaded) ?? formatValue(btf, spec.valueTypeId, valueBytes);
    return room.take(partCount(key) + partCount(value)) ? { key, value } : undefined;
  }
  const [firstBytes, ...otherBytes] = perCpuValues(valueBytes, spec.valueSize);
  const first = formatValue(btf, spec.valueTypeId, firstBytes);
  if (!room.take(partCount(key) + partCount(first) * (otherBytes.length + 2))) return undefined;
  const values = [first, ...otherBytes.map((each) => formatValue(btf, spec.valueTypeId, each))];
  const sum = sumOfValues(btf, spec.valueTypeId, spec.valueSize, values);
  return sum === undefined ? { key, values } : { key, values, sum };
}

/** What a slot of a map of references stands for: `socket 3`, or a program's or a map's name; `undefined` for maps of plain values. */
function referenceName(map: BpfMap, key: Uint8Array, value: Uint8Array, loaded: LoadedObject): string | undefined {
  const number = (): number => new DataView(value.buffer, value.byteOffset).getUint32(0, true);
  if (map instanceof XskMap) return `socket ${socketOfSlot(value)}`;
  if (map instanceof ProgArray) return loaded.programs.find((program) => program.id === number())?.spec.name ?? `program ${number()}`;
  if (isMapOfMaps(map)) return map.innerMap(key)?.spec.name ?? `map ${number()}`;
  return undefined;
}

/** Entry of a DEVMAP or CPUMAP, as a map file has it; `undefined` for other maps. */
function programEntry(map: BpfMap, value: Uint8Array, loaded: LoadedObject): JsonValue | undefined {
  if (!isProgramEntryMap(map)) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const target = { [map.entryAttachType === 'cpumap' ? 'qsize' : 'ifindex']: view.getUint32(0, true) };
  const id = value.length === 8 ? view.getUint32(4, true) : 0;
  return id === 0 ? target : { ...target, program: loaded.programs.find((program) => program.id === id)?.spec.name ?? `program ${id}` };
}

function typeName(btf: Btf | undefined, typeId: number): string {
  return btf === undefined || typeId === 0 ? '' : btf.typeName(typeId);
}

/** Splits what a per-CPU lookup gives: one value a CPU, each rounded up to 8 bytes. */
function perCpuValues(bytes: Uint8Array, valueSize: number): Uint8Array[] {
  const stride = Math.ceil(valueSize / 8) * 8;
  const values: Uint8Array[] = [];
  for (let off = 0; off < bytes.length; off += stride) values.push(bytes.subarray(off, off + valueSize));
  return values;
}

/** Bounds a report whatever an object claims: a value of 8 bytes can have a million members of size 0. */
export class PartBudget {
  #left: number;

  constructor(parts: number) {
    this.#left = parts;
  }

  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** Takes room for so many parts; the first that don't fit spend all that is left. */
  take(parts: number): boolean {
    this.#left = parts > this.#left ? 0 : this.#left - parts;
    return this.#left > 0;
  }
}

/** Numbers and texts in a value; long text counts by its length. */
export function partCount(value: JsonValue): number {
  if (typeof value === 'string') return 1 + (value.length >>> 3);
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, each) => sum + partCount(each), 1);
}
