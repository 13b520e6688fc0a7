import { NAPI_DISABLE, NAPI_IN_BUSY_POLL, NAPI_MISSED, NAPI_PREFER_BUSY_POLL, NAPI_SCHED } from './napi.js';
import type { Napi } from './napi.js';

/** BUSY_POLL_BUDGET: packets of a busy poll unless SO_BUSY_POLL_BUDGET says otherwise. */
export const BUSY_POLL_BUDGET = 8;

/**
 * One round of napi_busy_loop (net/core/dev.c, 6.18), what recvfrom, sendto and poll do for a socket with SO_BUSY_POLL: polls from the
 * application's context. Where the softirq owns the NAPI, it only leaves word that the application prefers to poll.
 * @param prefer SO_PREFER_BUSY_POLL: the interrupt stays off for gro_flush_timeout, if napi_defer_hard_irqs is set, too
 * @returns packets processed; 0 when someone else polls
 */
export function busyPoll(napi: Napi, budget: number = BUSY_POLL_BUDGET, prefer = false): number {
  if (napi.has(NAPI_DISABLE | NAPI_SCHED | NAPI_IN_BUSY_POLL)) {
    if (prefer) napi.state |= NAPI_PREFER_BUSY_POLL;
    return 0;
  }
  napi.state |= NAPI_SCHED | NAPI_IN_BUSY_POLL;
  const work = napi.pollDriver(budget);
  return work + stop(napi, budget, prefer);
}

/** busy_poll_stop: a last poll that may complete, which is what turns the interrupt on again. */
function stop(napi: Napi, budget: number, prefer: boolean): number {
  napi.state &= ~(NAPI_MISSED | NAPI_IN_BUSY_POLL);
  const isDeferred = prefer && napi.reloadDefer();
  if (isDeferred) napi.startTimer(napi.settings.groFlushTimeoutNs);
  const work = napi.pollDriver(budget);
  if (work < budget || !napi.has(NAPI_SCHED)) return work;
  if (isDeferred) napi.state &= ~NAPI_SCHED;
  else napi.enqueueOwned();
  return work;
}
