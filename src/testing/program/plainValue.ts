import { ProblemError } from '../../base/index.js';
import { formatValue } from '../../vm/index.js';
import type { Btf } from '../../vm/index.js';

/** Structs in structs: more than any type has, and where a value that contains itself ends. */
const MOST_LEVELS = 64;

/**
 * A value as `parseValue` and map files read it: big numbers as decimal strings, bytes as the list that an array of them is.
 *
 * @throws ProblemError `no-value` for objects that are no data, and for what contains itself
 */
export function plainValue(value: unknown, level = 0): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return [...value];
  if (typeof value !== 'object' || value === null) return value;
  if (level === MOST_LEVELS) throw noValue(`it has more than ${MOST_LEVELS} levels, or contains itself`);
  if (Array.isArray(value)) return value.map((each) => plainValue(each, level + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) throw noValue(`a ${value.constructor.name} is no data`);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plainValue(each, level + 1)]));
}

/** What a whole value is to be, for `wholeValue`. */
export interface WholeValueTarget {
  readonly btf: Btf | undefined;
  readonly typeId: number;
  readonly sizeBytes: number;
  /** Its name in messages, e.g. `key of map ports`. */
  readonly label: string;
}

/**
 * `plainValue` of a key, a value or a variable, which may be given as its bytes: they become what they mean by its type.
 *
 * @throws ProblemError `value-wrong-shape` for too few bytes or too many; and as `plainValue`
 */
export function wholeValue({ btf, typeId, sizeBytes, label }: WholeValueTarget, value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return plainValue(value);
  if (value.length !== sizeBytes) throw new ProblemError({ code: 'value-wrong-shape', message: `${label} has ${sizeBytes} bytes, not ${value.length}`, hint: 'give all of them' });
  return formatValue(btf, typeId, value);
}

function noValue(message: string): ProblemError {
  return new ProblemError({ code: 'no-value', where: 'value', message, hint: 'give numbers, bigints, texts, bytes, and plain objects and lists of them' });
}

/** The text of a variable's value, as `--set` takes it. */
export function variableText(value: unknown): string {
  const plain = plainValue(value);
  return typeof plain === 'string' ? plain : JSON.stringify(plain);
}
