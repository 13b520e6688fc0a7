import { expect } from 'vitest';
import { fc, prop } from '../../support/property.js';
import { redirectToSocket, simulate, udpFrame } from '../../support/simulate.js';
import { faultPlans } from '../everyProfile/faultPlans.js';
import { ZERO_COPY_PROFILES } from './zeroCopyBench.js';

const runs = fc.record({
  profile: fc.constantFrom(...ZERO_COPY_PROFILES),
  application: fc.constantFrom('rxdrop', 'l2fwd', 'echo'),
  plan: faultPlans,
  isDmaCoherent: fc.boolean(),
  queues: fc.constantFrom(1, 2),
  usesNeedWakeup: fc.boolean(),
  hasSg: fc.boolean(),
  fill: fc.constantFrom(16, 512),
  frames: fc.array(fc.record({ bytes: fc.integer({ min: 42, max: 1514 }), flow: fc.nat(50), gapNs: fc.constantFrom(0, 100, 20_000, 1_000_000) }), { minLength: 1, maxLength: 120 }),
});

prop([runs], { numRuns: 25 })('a device that loses, damages, stalls and lies: every packet ends once, and nothing is lost or left behind', ({ profile, application, plan, isDmaCoherent, queues, usesNeedWakeup, hasSg, fill, frames }) => {
  const isSg = hasSg && profile.xdp.zeroCopy!.maxSegments > 1;
  let tNs = 0;
  const traffic = frames.map(({ bytes, flow, gapNs }) => ({ bytes: udpFrame(bytes, flow), tNs: (tNs += gapNs) }));
  const { result, ends, simulation } = simulate({
    object: redirectToSocket({ frags: isSg }), frames: traffic,
    nic: { profile, queues: Math.min(queues, profile.queues.max), rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, isDmaCoherent, faults: plan, mtu: Math.min(1500, profile.xdp.mtuMaxLinear) },
    xsk: { application, mode: 'zerocopy', usesNeedWakeup, hasSg: isSg, chunkCount: 1024, chunkSizeBytes: 2048, rings: { rx: 512, tx: 512, fill, completion: 512 } },
  });
  expect(simulation.sockets.every(({ isZeroCopy }) => isZeroCopy)).toBe(true);
  expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(ends.map(({ packetId }) => packetId).sort((a, b) => a - b)).toEqual(traffic.map((_, i) => i + 1));
});
