import { expect, it } from 'vitest';
import { findProfile } from '../../../src/nic/index.js';
import type { FaultPlan } from '../../../src/nic/index.js';
import type { XdpMode } from '../../../src/xdp/index.js';
import { fc, prop } from '../../support/property.js';
import { redirectToSocket, returning, simulate, udpFrame } from '../../support/simulate.js';
import type { Simulated } from '../../support/simulate.js';
import { faultPlans } from '../everyProfile/faultPlans.js';

const igc = findProfile('igc')!;
const XDP_TX = 3;

interface Run {
  readonly isCopy: boolean;
  /** Packets that arrive are sent back by XDP_TX, on the queue that launches; else they go to the socket. */
  readonly sendsBack: boolean;
  readonly count: number;
  readonly ratePps: number;
  readonly launchUs: number;
  readonly arrivals: number;
  readonly plan?: FaultPlan;
  readonly xdpMode?: XdpMode;
}

function run({ isCopy, sendsBack, count, ratePps, launchUs, arrivals, plan, xdpMode }: Run): Simulated {
  return simulate({
    object: sendsBack ? returning(XDP_TX) : redirectToSocket(),
    frames: Array.from({ length: arrivals }, (_, i) => ({ bytes: udpFrame(64 + i, i), tNs: i * 3_000_000 })),
    nic: { profile: igc, rxRingSize: igc.rxRing.default, txRingSize: igc.txRing.default, launchTimeQueues: [0], faults: plan, xdpMode },
    xsk: { application: `txonly:count=${count},rate=${ratePps},launch=${launchUs},metadata=timestamp`, mode: isCopy ? 'copy' : 'zerocopy', chunkCount: 256 },
  });
}

const numbers = ({ applicationFrames }: Simulated): number[] => applicationFrames.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(42));

const runs = fc.record({
  isCopy: fc.boolean(), sendsBack: fc.boolean(), count: fc.integer({ min: 1, max: 60 }), ratePps: fc.constantFrom(0, 20, 1000, 1_000_000), launchUs: fc.integer({ min: 0, max: 2_000_000 }), arrivals: fc.integer({ min: 0, max: 40 }),
});

prop([runs, faultPlans], { numRuns: 40 })('a device that fails while frames wait: their order is kept, every packet ends once, nothing is lost or left behind, and it is the same again', (drawn, plan) => {
  const first = run({ ...drawn, plan });
  expect(first.result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(first.ends.map(({ packetId }) => packetId).sort((a, b) => a - b)).toEqual(Array.from({ length: drawn.arrivals }, (_, i) => i + 1));
  const sent = numbers(first);
  expect(sent).toEqual([...sent].sort((a, b) => a - b));
  const second = run({ ...drawn, plan });
  expect([second.applicationFrames, second.ends, second.result.durationNs]).toEqual([first.applicationFrames, first.ends, first.result.durationNs]);
});

prop([runs], { numRuns: 30 })('a watchdog takes no queue that waits for one that hangs', (drawn) => {
  const { result, applicationFrames, simulation } = run({ ...drawn, plan: { faults: [], watchdogNs: 1e8 } });
  expect(applicationFrames.length).toBe(drawn.count);
  expect(simulation.nic.driver.counters(0).txTimeouts).toBe(0);
  expect(result.audit.ok).toBe(true);
});

it.each(['native', 'generic'] as const)('packets of XDP_TX wait behind a frame that waits, and leave at once when nothing does: %s', (xdpMode) => {
  const { ends, applicationFrames, result } = run({ isCopy: true, sendsBack: true, count: 1, ratePps: 0, launchUs: 10_000, arrivals: 8, xdpMode });
  expect(ends.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 8 }, () => 'tx'));
  const afterNs = ends.map(({ tNs }) => tNs - applicationFrames[0]!.tNs);
  expect(afterNs.slice(0, 4)).toEqual([0, 0, 0, 0]);
  for (const [i, ns] of afterNs.slice(4).entries()) expect(Math.abs(ns - (2 + 3 * i) * 1e6)).toBeLessThan(1e6);
  expect(result.audit.ok).toBe(true);
});
