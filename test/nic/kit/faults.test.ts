import { describe, expect, it } from 'vitest';
import { r8169Xdp } from '../../../src/nic/index.js';
import { FAULT_KINDS } from '../../../src/nic/device/faults/faultKinds.js';
import type { FaultPlan, FaultSetting } from '../../../src/nic/device/faults/faultPlan.js';
import { fc, prop } from '../../support/property.js';
import { EVERY_VERDICT, mixedFrames, runDriver } from './support.js';

const PACKETS = 800;

const settingOf = ({ kind, lasts }: (typeof FAULT_KINDS)[number], rate: number): FaultSetting => ({ kind, rate, ...(lasts ? { durationNs: 3000 } : {}) });

/** The driver is not to blame for a broken device: every packet ends, every page comes back, and the judge has nothing to say. */
function expectBalance(faults: FaultPlan, isDmaCoherent: boolean): void {
  const run = runDriver(r8169Xdp, mixedFrames(PACKETS, EVERY_VERDICT), { isDmaCoherent, faults });
  expect(run.judgement).toEqual([]);
  expect(run.result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(Object.values(run.outcomes).reduce((sum, count) => sum + count, 0)).toBe(PACKETS);
}

describe.each([['coherent', true], ['non-coherent', false]])('on a %s machine the example driver survives', (_, isDmaCoherent) => {
  it.each(FAULT_KINDS.map((spec) => [spec.text, spec] as const))('%s', (__, spec) => {
    for (const rate of [0.02, 0.3, 1]) expectBalance({ faults: [settingOf(spec, rate)], seed: 1 }, isDmaCoherent);
  });

  it('a flipped OWN, at which it stops', () => {
    const faults = FAULT_KINDS.filter(({ kind }) => kind === 'descriptor' || kind === 'interrupt');
    expectBalance({ seed: 13, faults: faults.map((spec) => settingOf(spec, 0.019117838004603985)) }, isDmaCoherent);
  });

  prop([fc.integer({ min: 1, max: 1e6 }), fc.subarray([...FAULT_KINDS], { minLength: 2 }), fc.double({ min: 0.01, max: 0.2, noNaN: true })], { numRuns: 6 })(
    'several faults at once',
    (seed, kinds, rate) => expectBalance({ seed, faults: kinds.map((spec) => settingOf(spec, rate)) }, isDmaCoherent),
  );
});
