import { EINVAL, EOPNOTSUPP } from '../../base/index.js';
import type { Limit } from './profile.js';

/** A value that the driver has no operation to change: EOPNOTSUPP for everything else. */
export function fixed(value: number, reason: string): Limit {
  return { min: value, max: value, default: value, errno: EOPNOTSUPP, reason };
}

/** 1 to `max` queue pairs. The model has 64 at most. */
export function queuePairs(max: number, byDefault: number): Limit {
  return { min: 1, max, default: byDefault, errno: EINVAL, reason: `${max === 64 ? 'the model has' : 'the device has'} ${max} queue pairs` };
}

/** Ring sizes from `min` to `max` descriptors. */
export function ring(byDefault: number, min: number, max: number, more: Pick<Limit, 'multipleOf' | 'isPowerOfTwo' | 'roundsUp'> = {}): Limit {
  const kind = more.isPowerOfTwo === true ? ', in powers of two' : more.multipleOf === undefined ? '' : `, in multiples of ${more.multipleOf}`;
  return { min, max, default: byDefault, ...more, errno: EINVAL, reason: `the driver takes rings of ${min} to ${max} descriptors${kind}` };
}

/** MTUs up to `max`; the core refuses the rest before the driver hears of it (dev_validate_mtu). */
export function mtuUpTo(max: number): Limit {
  return { min: 68, max, default: 1500, errno: EINVAL, reason: `the core checks the device's min_mtu of 68 and max_mtu of ${max}` };
}

/** Headroom that the driver's source fixes. */
export function headroomOfDriver(bytes: number): Limit {
  return fixed(bytes, `the driver always leaves ${bytes} bytes`);
}
