import { readFileSync } from 'node:fs';
import { errnoName, fail, fromHex, ok } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { mapTypeName, parseValue, ProgArray } from '../vm/index.js';
import type { BpfMap, LoadedObject, ValueTarget } from '../vm/index.js';

/**
 * Fills a map from a JSON file: `[{"key": KEY, "value": VALUE}, ...]`.
 *
 * KEY and VALUE are hex strings of the exact size (`"0a000001"`), or JSON values by the map's BTF types (numbers, `"10.0.0.1"` for
 * `__be32`, objects for structs). On a per-CPU map the value goes to every CPU. On a PROG_ARRAY the value is a program's name.
 */
export function fillMapFromFile(loaded: LoadedObject, mapName: string, path: string, possibleCpus: number): Problem | undefined {
  const map = loaded.maps.get(mapName);
  if (map === undefined) {
    const names = [...loaded.maps.keys()].join(', ');
    return { code: 'unknown-map', where: loaded.spec.name, message: `no map ${mapName}`, hint: names === '' ? 'the object has no maps' : `it has: ${names}` };
  }
  const entries = readEntries(path);
  if (!entries.ok) return entries.problem;
  for (const [index, entry] of entries.value.entries()) {
    const problem = putEntry(loaded, map, entry, possibleCpus);
    if (problem !== undefined) return { ...problem, where: `${path}, entry ${index}` };
  }
  return undefined;
}

interface JsonEntry {
  readonly key: unknown;
  readonly value: unknown;
}

function readEntries(path: string): Result<readonly JsonEntry[]> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return fail({ code: 'map-file-unreadable', where: path, message: `can't be read: ${(error as Error).message}`, hint: 'check the path' });
  }
  const shape: Problem = {
    code: 'map-file-shape',
    where: path,
    message: 'is no list of entries',
    hint: 'write [{"key": "0a000001", "value": "0100000000000000"}]',
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail({ ...shape, message: `is no JSON: ${(error as Error).message}` });
  }
  if (!Array.isArray(json)) return fail(shape);
  const bad = json.findIndex((entry) => typeof entry !== 'object' || entry === null || !('key' in entry) || !('value' in entry));
  if (bad >= 0) return fail({ ...shape, where: `${path}, entry ${bad}`, message: 'has no key and value' });
  return ok(json as JsonEntry[]);
}

function putEntry(loaded: LoadedObject, map: BpfMap, entry: JsonEntry, possibleCpus: number): Problem | undefined {
  const { spec } = map;
  const { btf } = loaded.spec;
  const key = toBytes(entry.key, { btf, typeId: spec.keyTypeId, sizeBytes: spec.keySize, label: `key of map ${spec.name}` });
  if (!key.ok) return key.problem;
  if (map instanceof ProgArray) return putProgram(loaded, map, key.value, entry.value);
  const value = toBytes(entry.value, { btf, typeId: spec.valueTypeId, sizeBytes: spec.valueSize, label: `value of map ${spec.name}` });
  if (!value.ok) return value.problem;
  const isPerCpu = mapTypeName(spec.type).includes('PERCPU');
  const error = map.updateBytes(key.value, isPerCpu ? repeatForCpus(value.value, possibleCpus) : value.value, 0);
  return error === 0 ? undefined : refused(spec.name, error);
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
  return error === 0 ? undefined : refused(map.spec.name, error);
}

function refused(name: string, error: number): Problem {
  return { code: 'map-update', message: `map ${name} refused the entry (${errnoName(error)})`, hint: 'check its max_entries and flags' };
}

/** Hex of the exact size is taken as bytes, anything else goes by type. */
function toBytes(value: unknown, target: ValueTarget): Result<Uint8Array> {
  const bytes = typeof value === 'string' && value.length === target.sizeBytes * 2 ? fromHex(value) : undefined;
  return bytes === undefined ? parseValue(target, value) : ok(bytes);
}

/** What user space passes for a per-CPU map: the value for each CPU, rounded up to 8 bytes. */
function repeatForCpus(value: Uint8Array, possibleCpus: number): Uint8Array {
  const stride = Math.ceil(value.length / 8) * 8;
  const bytes = new Uint8Array(stride * possibleCpus);
  for (let cpu = 0; cpu < possibleCpus; cpu++) bytes.set(value, cpu * stride);
  return bytes;
}
