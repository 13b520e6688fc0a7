import { ProblemError, toHex } from '../../base/index.js';

/** Structs in structs: more than any type has, and where a value that contains itself ends. */
const MOST_LEVELS = 64;

/**
 * A value as `parseValue` and map files read it: big numbers as decimal strings, bytes as hex.
 *
 * @throws ProblemError `no-value` for objects that are no data, and for what contains itself
 */
export function plainValue(value: unknown, level = 0): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value !== 'object' || value === null) return value;
  if (level === MOST_LEVELS) throw noValue(`it has more than ${MOST_LEVELS} levels, or contains itself`);
  if (Array.isArray(value)) return value.map((each) => plainValue(each, level + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) throw noValue(`a ${value.constructor.name} is no data`);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plainValue(each, level + 1)]));
}

function noValue(message: string): ProblemError {
  return new ProblemError({ code: 'no-value', where: 'value', message, hint: 'give numbers, bigints, texts, bytes, and plain objects and lists of them' });
}

/** The text of a variable's value, as `--set` takes it. */
export function variableText(value: unknown): string {
  const plain = plainValue(value);
  return typeof plain === 'string' ? plain : JSON.stringify(plain);
}
