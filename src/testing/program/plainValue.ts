import { toHex } from '../../base/index.js';

/** A value as `parseValue` and map files read it: big numbers as decimal strings, bytes as hex. */
export function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plainValue(each)]));
  return value;
}

/** The text of a variable's value, as `--set` takes it. */
export function variableText(value: unknown): string {
  const plain = plainValue(value);
  return typeof plain === 'string' ? plain : JSON.stringify(plain);
}
