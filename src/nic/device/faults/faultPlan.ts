import type { Problem } from '../../../base/index.js';
import { FAULT_KINDS, findFaultKind } from './faultKinds.js';
import type { FaultKind } from './faultKinds.js';

/** A stretch of virtual time, ns since the NIC was set up; `toNs` is outside, and may be Infinity. */
export interface FaultWindow {
  readonly fromNs: number;
  readonly toNs: number;
}

/** One kind of fault, and when it strikes. */
export interface FaultSetting {
  readonly kind: FaultKind;
  /** Probability at each opportunity, 0 to 1; left out: 1. */
  readonly rate?: number | undefined;
  /** Strikes only within these; left out: at any time. Without a rate, faults that last do so from the start to the end of each window. */
  readonly windows?: readonly FaultWindow[] | undefined;
  /** Faults that last (link, tx_stall): for how long, ns; left out: until the end or until a reset. */
  readonly durationNs?: number | undefined;
  /** Late write-back: how long after the interrupt, ns; left out: 10 microseconds. */
  readonly delayNs?: number | undefined;
  /** Late write-back: true, the device raises its interrupt again with it; left out: false. */
  readonly raisesAgain?: boolean | undefined;
}

/** Faults to inject, plain data: equal plans, seeds and traffic give equal runs. */
export interface FaultPlan {
  /** At most one setting of each kind. */
  readonly faults: readonly FaultSetting[];
  /** Of the dice; each kind has its own stream, so that one more kind doesn't move the others. Left out: the simulation's, or 1. */
  readonly seed?: number | undefined;
  /**
   * Period of the driver's watchdog, ns (2 s in igb, ixgbe, e1000e): it polls every queue, resets a TX ring on which nothing has moved for
   * 5 s, and flushes those whose link is down. Left out: there is none.
   */
  readonly watchdogNs?: number | undefined;
}

/** Beyond it, 104 days, ns are no longer exact. */
const TIME_MAX_NS = Number.MAX_SAFE_INTEGER;

/** `delayNs` when it is left out. */
export const LATE_DEFAULT_NS = 10_000;

/** Checks a plan: `fault-plan`, `fault-seed`, `fault-kind`, `fault-twice`, `fault-rate`, `fault-time`, `fault-option`. */
export function checkFaultPlan({ faults, seed, watchdogNs }: FaultPlan): Problem | undefined {
  if (!Array.isArray(faults)) return { code: 'fault-plan', where: 'faults', message: 'a plan has a list of faults, which may be empty', hint: "write { faults: [{ kind: 'crc', rate: 0.01 }], seed: 1 }" };
  if (seed !== undefined && !Number.isInteger(seed)) return { code: 'fault-seed', where: 'faults', message: `${String(seed)} is no seed`, hint: 'use an integer' };
  if (watchdogNs !== undefined && !(Number.isFinite(watchdogNs) && watchdogNs >= 1 && watchdogNs <= TIME_MAX_NS)) {
    return { code: 'fault-time', where: 'watchdog', message: `a watchdog with a period of ${watchdogNs} ns can't be`, hint: 'use a time from 1 ns to 104 days, such as 2s' };
  }
  for (const [at, setting] of faults.entries()) {
    const problem = checkSetting(setting);
    if (problem !== undefined) return problem;
    if (faults.findIndex(({ kind }) => kind === setting.kind) === at) continue;
    return { code: 'fault-twice', where: `fault ${setting.kind}`, message: 'the fault is there twice', hint: 'give it once, with several windows if need be' };
  }
  return undefined;
}

function checkSetting({ kind, rate = 1, windows = [], durationNs, delayNs, raisesAgain }: FaultSetting): Problem | undefined {
  const spec = findFaultKind(kind);
  if (spec === undefined) {
    return { code: 'fault-kind', where: `fault ${kind}`, message: 'there is no such fault', hint: `use one of: ${FAULT_KINDS.map((each) => each.kind).join(', ')}` };
  }
  const where = `fault ${kind}`;
  if (!(Number.isFinite(rate) && rate >= 0 && rate <= 1)) return { code: 'fault-rate', where, message: `${rate} is no probability`, hint: 'use a rate from 0 to 1' };
  for (const { fromNs, toNs } of windows) {
    if (fromNs >= 0 && fromNs <= TIME_MAX_NS && toNs > fromNs) continue;
    return { code: 'fault-time', where, message: `from ${fromNs} ns to ${toNs} ns is no stretch of time`, hint: 'begin at 0 or later, and end after that' };
  }
  if (durationNs !== undefined && !spec.lasts) return { code: 'fault-option', where, message: 'the fault strikes and is over: it has no duration', hint: 'leave the duration out' };
  if ((delayNs !== undefined || raisesAgain !== undefined) && !spec.delays) {
    return { code: 'fault-option', where, message: 'nothing comes late by this fault', hint: 'leave delay and second interrupt out' };
  }
  for (const timeNs of [durationNs ?? 1, delayNs ?? 1]) {
    if (!(timeNs >= 1 && (timeNs <= TIME_MAX_NS || timeNs === Infinity))) return { code: 'fault-time', where, message: `${timeNs} ns is no time to wait`, hint: 'use a time from 1 ns to 104 days' };
  }
  if (delayNs === Infinity) return { code: 'fault-time', where, message: 'what is never written back does not come late', hint: 'use a finite delay' };
  return undefined;
}
