import { EINVAL } from '../../base/index.js';
import type { ZeroCopySupport } from './profile.js';

/** The common way of Intel's drivers (ixgbe_xsk.c and those that followed it, 6.18); what is `other` differs. */
export function zeroCopy(other: Partial<ZeroCopySupport> = {}): ZeroCopySupport {
  return {
    maxSegments: 1, refillThreshold: 16, txBudget: Infinity, takesBatches: false, clearsTxNeedWakeup: false, stopsAtFullRxRing: false, wakeupErrno: EINVAL, ...other,
  };
}
