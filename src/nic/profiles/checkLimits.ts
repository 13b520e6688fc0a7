import { errnoName } from '../../base/index.js';
import type { Problem } from '../../base/index.js';
import type { Limit } from './profile.js';

/** Why the driver refuses a setting; `undefined` when it takes it. */
export function checkLimit(limit: Limit, value: number, code: string, what: string, profileName: string): Problem | undefined {
  const { min, max, multipleOf = 1, isPowerOfTwo = false, errno, reason } = limit;
  const fits = Number.isInteger(value) && value >= min && value <= max && value % multipleOf === 0 && (!isPowerOfTwo || (value & (value - 1)) === 0);
  if (fits) return undefined;
  return { code, where: `NIC ${profileName}`, message: `${value} ${what} are refused (${errnoName(errno)}): ${reason}`, hint: `use ${min} to ${max}` };
}
