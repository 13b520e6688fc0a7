import { formatValue, mapTypeName, ProgArray, XskMap } from '../vm/index.js';
import type { BpfMap, Btf, JsonValue, LoadedObject } from '../vm/index.js';

/** Entries of one map that a report holds; more are counted. */
const KEPT_ENTRIES = 4096;

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
  /** Entries that are not shown: beyond the 4096th, or all zero in an array. */
  readonly entries_omitted: number;
}

export interface MapReportEntry {
  readonly key: JsonValue;
  /** XSKMAP: `socket 3`; PROG_ARRAY: a program's name. Per-CPU maps have `values` instead, one for each CPU. */
  readonly value?: JsonValue;
  readonly values?: readonly JsonValue[];
}

/** Decodes every map of the object through its BTF. Data sections (`.rodata`, `.data`, `.bss`) are left to `variableReports`. */
export function mapReports(loaded: LoadedObject): Record<string, MapReport> {
  const reports: Record<string, MapReport> = {};
  for (const [name, map] of loaded.maps) if (map.spec.dataSection === undefined) reports[name] = mapReport(map, loaded);
  return reports;
}

/** Every global variable of the object with its present value. */
export function variableReports(loaded: LoadedObject): Record<string, JsonValue> {
  const reports: Record<string, JsonValue> = {};
  for (const variable of loaded.spec.variables) {
    const value = loaded.readVariable(variable.name);
    if (value.ok) reports[variable.name] = value.value;
  }
  return reports;
}

function mapReport(map: BpfMap, loaded: LoadedObject): MapReport {
  const { spec } = map;
  const { btf } = loaded.spec;
  const type = mapTypeName(spec.type);
  const isPerCpu = type.includes('PERCPU');
  const isArray = type.endsWith('ARRAY');
  const entries: MapReportEntry[] = [];
  let omitted = 0;
  for (const { key, value } of map.entries()) {
    if (entries.length >= KEPT_ENTRIES || (isArray && value.every((byte) => byte === 0))) {
      omitted++;
      continue;
    }
    const shownKey = formatValue(btf, spec.keyTypeId, key);
    if (isPerCpu) entries.push({ key: shownKey, values: perCpuValues(value, spec.valueSize).map((each) => formatValue(btf, spec.valueTypeId, each)) });
    else entries.push({ key: shownKey, value: referenceName(map, value, loaded) ?? formatValue(btf, spec.valueTypeId, value) });
  }
  return {
    type,
    key_type: typeName(btf, spec.keyTypeId),
    value_type: typeName(btf, spec.valueTypeId),
    key_size: spec.keySize,
    value_size: spec.valueSize,
    max_entries: spec.maxEntries,
    entries,
    entries_omitted: omitted,
  };
}

/** What a slot of a map of references stands for: `socket 3`, or a program's name; `undefined` for maps of plain values. */
function referenceName(map: BpfMap, value: Uint8Array, loaded: LoadedObject): string | undefined {
  const number = (): number => new DataView(value.buffer, value.byteOffset).getUint32(0, true);
  if (map instanceof XskMap) return `socket ${number() - 1}`;
  if (map instanceof ProgArray) return loaded.programs.find((program) => program.id === number())?.spec.name ?? `program ${number()}`;
  return undefined;
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
