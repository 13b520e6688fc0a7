import { toSpacedHex } from '../../base/index.js';

/** A value as people read it in a sentence. */
export function valueText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return toSpacedHex(value);
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? each.toString() : each)) ?? String(value);
}

/** Whether a value of a map is as a test says: numbers by value, also as strings and bigints; members of objects that the test leaves out don't count. */
export function sameValue(found: unknown, expected: unknown): boolean {
  if (typeof found === 'string' && typeof expected === 'string') return found === expected;
  if (isNumeric(found) && isNumeric(expected)) return BigInt(found) === BigInt(expected);
  if (Array.isArray(found) && (Array.isArray(expected) || expected instanceof Uint8Array)) return found.length === expected.length && found.every((each, i) => sameValue(each, expected[i]));
  if (isObject(found) && isObject(expected)) return Object.entries(expected).every(([name, each]) => sameValue(found[name], each));
  return found === expected;
}

function isNumeric(value: unknown): value is number | bigint | string | boolean {
  return typeof value === 'bigint' || typeof value === 'boolean' || (typeof value === 'number' && Number.isInteger(value)) || (typeof value === 'string' && /^-?\d+$/.test(value));
}

/** Whether it has members: no list, no bytes. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
