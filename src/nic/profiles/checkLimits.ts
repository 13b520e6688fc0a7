import { errnoName } from '../../base/index.js';
import type { Problem } from '../../base/index.js';
import type { Limit } from './profile.js';

/**
 * Why the driver refuses a setting; `undefined` when it takes it.
 *
 * @param what the setting in words: "RX ring size"
 */
export function checkLimit(limit: Limit, value: number, code: string, what: string, profileName: string): Problem | undefined {
  const rule = brokenRule(limit, effectiveSetting(limit, value));
  if (rule === undefined) return undefined;
  return { code, where: `NIC ${profileName}`, message: `${what} ${value} is refused (${errnoName(limit.errno)}): ${rule}, as ${limit.reason}`, hint: hintFor(limit) };
}

/** What the driver makes of a setting: of some drivers the next multiple or power of two. What it refuses stays as it is. */
export function effectiveSetting(limit: Limit, value: number): number {
  const { min, max, multipleOf = 1, isPowerOfTwo = false, roundsUp = false } = limit;
  if (!roundsUp || !Number.isInteger(value) || value < min || value > max) return value;
  return isPowerOfTwo ? 2 ** Math.ceil(Math.log2(value)) : Math.ceil(value / multipleOf) * multipleOf;
}

function brokenRule({ min, max, multipleOf = 1, isPowerOfTwo = false }: Limit, value: number): string | undefined {
  if (!Number.isInteger(value)) return 'whole numbers only';
  if (min === max && value !== min) return `fixed at ${min}`;
  if (value < min) return `at least ${min}`;
  if (value > max) return `at most ${max}`;
  if (isPowerOfTwo && !Number.isInteger(Math.log2(value))) return 'powers of two only';
  if (value % multipleOf !== 0) return `multiples of ${multipleOf} only`;
  return undefined;
}

function hintFor({ min, max, multipleOf = 1, isPowerOfTwo = false, roundsUp = false }: Limit): string {
  if (min === max) return `leave it out: it is fixed at ${min}`;
  if (isPowerOfTwo && !roundsUp) return `use a power of two from ${min} to ${max}`;
  if (multipleOf > 1 && !roundsUp) return `use a multiple of ${multipleOf} from ${min} to ${max}`;
  return `use ${min} to ${max}`;
}
