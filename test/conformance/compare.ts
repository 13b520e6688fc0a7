import type { MapEntry, MapSpec } from '../../src/vm/index.js';
import type { TestRunContext } from '../../src/xdp/index.js';
import type { FixtureObject } from '../support/fixtures.js';
import { MAP_TYPES_BY_NATURE, uncomparedPlaces } from './byNature.js';

/** What a run of one packet shows to the outside. */
export interface Observed {
  readonly errno: number;
  readonly retval: number;
  readonly dataOut: Uint8Array;
  readonly dataOutSize: number;
  readonly ctxOut: TestRunContext;
  /** Why the program was stopped, `undefined` for a program that came to its end. */
  readonly fault: string | undefined;
}

/** A map whose entries can be read, of any side. */
export interface ReadableMap {
  readonly spec: MapSpec;
  entries(): Iterable<MapEntry>;
}

/** One field in which two sides differ; `undefined` stands for something that is not there. */
export interface Difference {
  readonly field: string;
  readonly left: number | string | Uint8Array | undefined;
  readonly right: number | string | Uint8Array | undefined;
}

const CONTEXT_FIELDS = ['data', 'dataEnd', 'dataMeta', 'ingressIfindex', 'rxQueueIndex', 'egressIfindex'] as const;

export function compareRuns(left: Observed, right: Observed): Difference[] {
  const differences: Difference[] = [];
  for (const field of ['errno', 'retval', 'dataOutSize', 'fault'] as const) {
    if (left[field] !== right[field]) differences.push({ field, left: left[field], right: right[field] });
  }
  if (Buffer.compare(left.dataOut, right.dataOut) !== 0) differences.push({ field: 'dataOut', left: left.dataOut, right: right.dataOut });
  for (const name of CONTEXT_FIELDS) {
    if (left.ctxOut[name] !== right.ctxOut[name]) differences.push({ field: `ctxOut.${name}`, left: left.ctxOut[name], right: right.ctxOut[name] });
  }
  return differences;
}

/** Compares the contents of a map, whatever the order of its entries, as the table of differences by nature allows. */
export function compareMaps(object: FixtureObject, left: ReadableMap, right: ReadableMap): Difference[] {
  const leftEntries = comparable(object, left);
  const rightEntries = comparable(object, right);
  const differingKeys: string[] = [];
  for (const [key, value] of leftEntries) {
    const other = rightEntries.get(key);
    if (other === undefined || Buffer.compare(value, other) !== 0) differingKeys.push(key);
  }
  for (const key of rightEntries.keys()) if (!leftEntries.has(key)) differingKeys.push(key);
  return differingKeys.sort().map((key) => ({ field: `map ${left.spec.name}[${key}]`, left: leftEntries.get(key), right: rightEntries.get(key) }));
}

/** Values by key in hex, without what differs by nature. */
function comparable(object: FixtureObject, map: ReadableMap): ReadonlyMap<string, Uint8Array> {
  const { spec } = map;
  const rule = MAP_TYPES_BY_NATURE.find(({ types }) => types.includes(spec.type));
  const result = new Map<string, Uint8Array>();
  if (rule?.compared === 'not at all') return result;
  const uncompared = uncomparedPlaces(object, spec.name);
  for (const { key, value } of map.entries()) {
    let shown = value;
    if (rule?.compared === 'which slots are filled') shown = new Uint8Array(0);
    else if (rule?.compared === 'without ids of programs') shown = withoutProgramId(value);
    else if (rule?.compared === 'sum over CPUs') shown = sumOverCpus(value, Math.ceil(spec.valueSize / 8));
    for (const { offBytes, sizeBytes } of uncompared) shown.fill(0, offBytes, offBytes + sizeBytes);
    result.set(Buffer.from(key).toString('hex'), shown);
  }
  return result;
}

/** Ifindex or queue size and, in a value of 8 bytes, 1 for a program. */
function withoutProgramId(value: Uint8Array): Uint8Array {
  return Uint8Array.of(...value.subarray(0, 4), Number(value.subarray(4).some((byte) => byte !== 0)));
}

/** Adds up the values of all CPUs, 64-bit word by word: every per-CPU value of the fixtures is made of u64. */
function sumOverCpus(values: Uint8Array, words: number): Uint8Array {
  const perCpu = new BigUint64Array(values.buffer, values.byteOffset, values.length / 8);
  const sum = perCpu.slice(0, words);
  for (let index = words; index < perCpu.length; index++) sum[index % words] += perCpu[index];
  return new Uint8Array(sum.buffer);
}
