import { expect, it } from 'vitest';
import { LAUNCH_CYCLE_NS, launchMoment } from '../../../src/nic/device/launchCycle.js';
import { fc, prop } from '../../support/property.js';

const S = 1e9;

it.each([
  ['in the present cycle', 5.2 * S, -Infinity, 0.25e9, false, 5.25 * S],
  ['past, which means at once', 5.2 * S, -Infinity, 1, false, 5 * S + 1],
  ['FIRST, after a frame in this cycle: in the next', 5.2 * S, 5.1 * S, 0.25e9, true, 6.25 * S],
  ['FIRST, but nothing was sent in this cycle', 5.2 * S, 5 * S - 1, 0.25e9, true, 5.25 * S],
  ['FIRST, and nothing was ever sent', 0.2 * S, -Infinity, 0.25e9, true, 0.25 * S],
  ['at the boundary of a cycle', 6 * S, 6 * S, 0, true, 7 * S],
])('%s', (_what, nowNs, lastSentNs, launchNs, opensCycle, momentNs) => {
  expect(launchMoment(nowNs, lastSentNs, launchNs, opensCycle)).toBe(momentNs);
});

prop([fc.nat(1e12), fc.nat(1e12), fc.nat(LAUNCH_CYCLE_NS - 1), fc.boolean()])(
  'never later than the end of the next cycle, and at the offset that was asked for', (nowNs, agoNs, launchNs, opensCycle) => {
    const momentNs = launchMoment(nowNs, nowNs - agoNs, launchNs, opensCycle);
    expect(momentNs % LAUNCH_CYCLE_NS).toBe(launchNs);
    const cycles = Math.floor(momentNs / LAUNCH_CYCLE_NS) - Math.floor(nowNs / LAUNCH_CYCLE_NS);
    expect([0, opensCycle ? 1 : 0]).toContain(cycles);
  },
);
