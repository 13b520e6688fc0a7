import { FAULT_KINDS } from '../../../src/nic/index.js';
import type { FaultKind, FaultKindSpec, FaultPlan, FaultSetting, FaultWindow } from '../../../src/nic/index.js';
import { fc } from '../../support/property.js';

/** Traffic of the property begins at 0 and is over, but for its last frame, within a few milliseconds. */
const window: fc.Arbitrary<FaultWindow> = fc
  .tuple(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5_000_000 })), fc.oneof(fc.integer({ min: 1, max: 3_000_000 }), fc.constant(Infinity)))
  .map(([fromNs, lastsNs]) => ({ fromNs, toNs: fromNs + lastsNs }));

const optional = (isThere: boolean, values: fc.Arbitrary<number | undefined>): typeof values => (isThere ? values : fc.constant(undefined));

const settingOf = ({ kind, lasts, delays }: FaultKindSpec): fc.Arbitrary<FaultSetting> =>
  fc.record({
    kind: fc.constant(kind),
    rate: fc.oneof(fc.constantFrom(undefined, 0, 1), fc.double({ min: 0.01, max: 0.7, noNaN: true })),
    windows: fc.option(fc.array(window, { minLength: 1, maxLength: 3 }), { nil: undefined }),
    durationNs: optional(lasts, fc.constantFrom(undefined, 1000, 50_000)),
    delayNs: optional(delays, fc.constantFrom(undefined, 1, 30_000)),
    raisesAgain: delays ? fc.constantFrom(undefined, true, false) : fc.constant(undefined),
  });

/** One to four kinds of faults. */
export const faultPlans: fc.Arbitrary<FaultPlan> = fc.record({
  faults: fc.subarray([...FAULT_KINDS], { minLength: 1, maxLength: 4 }).chain((kinds) => fc.tuple(...kinds.map(settingOf))),
  seed: fc.nat(1_000_000),
  watchdogNs: fc.constantFrom(undefined, undefined, 1e7, 2e9),
});

/** Whether any of the kinds is in the plan. */
export function hasFault({ faults }: FaultPlan, ...kinds: FaultKind[]): boolean {
  return faults.some(({ kind }) => kinds.includes(kind));
}
