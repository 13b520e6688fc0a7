import { ProblemError, unwrap } from '../../base/index.js';
import { formatValue, parseValue } from '../../vm/index.js';
import type { JsonValue } from '../../vm/index.js';
import { wholeValue } from '../program/plainValue.js';
import type { ProgramMap } from '../program/programMaps.js';
import { isObject, sameValue } from './values.js';

/**
 * Whether a value of a map is as a test says: a value as `ProgramMap.set` takes it, of which members of structs may be left out. Of a per-CPU map one value
 * for each CPU.
 *
 * @param matcher its name, for what it says
 * @param found `undefined` when there is none: what is expected is looked at all the same
 * @throws ProblemError for what no value of this map can be: a member that its type doesn't have, a number that doesn't fit, one value for several CPUs
 */
export function isMapValue(matcher: string, map: ProgramMap, found: unknown, expected: unknown): boolean {
  if (!isPerCpu(map)) return isOneValue(matcher, map, found, expected);
  const count = Array.isArray(found) ? found.length : undefined;
  if (!Array.isArray(expected) || expected.length !== (count ?? expected.length)) {
    const cpus = count === undefined ? 'each CPU' : `each of ${count} CPUs`;
    throw new ProblemError({ code: 'value-wrong-shape', where: matcher, message: `map ${map.name} has one value for ${cpus}`, hint: 'give a list of them, or look at their sum with toHaveSum' });
  }
  // Each of them is looked at, so that a wrong name is told of even behind a value that differs.
  const agreements = expected.map((each: unknown, cpu) => isOneValue(matcher, map, Array.isArray(found) ? found[cpu] : undefined, each));
  return found !== undefined && agreements.every((agrees) => agrees);
}

/** The same for the sum over all CPUs, which may be more than the type of one value holds. */
export function isMapSum(matcher: string, map: ProgramMap, found: unknown, expected: unknown): boolean {
  try {
    return isOneValue(matcher, map, found, expected);
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === 'value-out-of-range') return sameValue(found, expected);
    throw error;
  }
}

function isPerCpu({ type }: ProgramMap): boolean {
  return type.includes('PERCPU');
}

function isOneValue(matcher: string, map: ProgramMap, found: unknown, expected: unknown): boolean {
  return agree(found, asFound(matcher, map, expected), expected);
}

/** The value in the form in which the map gives it: enums by name, addresses as text, zeros for what is left out. */
function asFound(matcher: string, { btf, spec: { valueTypeId: typeId, valueSize: sizeBytes }, name }: ProgramMap, expected: unknown): JsonValue {
  const target = { btf, typeId, sizeBytes, label: `${matcher}: value of map ${name}` };
  return formatValue(btf, typeId, unwrap(parseValue(target, wholeValue(target, expected))));
}

/** @param asked what the test wrote: which members count */
function agree(found: unknown, expected: unknown, asked: unknown): boolean {
  if (isObject(asked) && isObject(found) && isObject(expected)) return Object.keys(asked).every((name) => agree(found[name], expected[name], asked[name]));
  if (Array.isArray(asked) && Array.isArray(found) && Array.isArray(expected)) {
    return found.length === expected.length && found.every((each, i) => (i < asked.length ? agree(each, expected[i], asked[i]) : sameValue(each, expected[i])));
  }
  return sameValue(found, expected);
}
