import { describe, expect } from 'vitest';
import { headroomOf, NETDEV_XDP_ACT_BASIC, newCounters, PROFILES, rxLayout } from '../../src/nic/index.js';
import type { DriverCounters, FaultKind, FaultPlan, NicSettings } from '../../src/nic/index.js';
import { fc, prop } from '../support/property.js';
import { captureOf } from '../support/simulate.js';
import { faultPlans, hasFault } from './everyProfile/faultPlans.js';
import { countersOf, hardwareOf } from './everyProfile/journal.js';
import type { JournalEntry } from './everyProfile/journal.js';
import { mixedProgram } from './everyProfile/mixedProgram.js';
import { runProfile } from './everyProfile/profileRun.js';
import type { ProfileRun } from './everyProfile/profileRun.js';
import { ProgramAlone } from './everyProfile/programAlone.js';
import { drawnFrames, settingsFor, trafficFor } from './everyProfile/traffic.js';
import type { TrafficFrame } from './everyProfile/traffic.js';
import { witness } from './everyProfile/witness.js';
import type { Witness, WitnessedEnd } from './everyProfile/witness.js';

/** Runs of every profile; XDP_SIM_NIC_RUNS=2000 is the long form. */
const RUNS = Number(process.env['XDP_SIM_NIC_RUNS'] ?? 2);
/** The short form is the same each time, the long one draws its seed. */
const SEED = process.env['XDP_SIM_NIC_RUNS'] === undefined ? { seed: 20261126 } : {};

const xskRing = fc.constantFrom(1, 4, 64);
const sockets = fc.option(fc.record({
  application: fc.constantFrom('rxdrop' as const, 'l2fwd' as const),
  rings: fc.record({ rx: xskRing, tx: xskRing, fill: xskRing, completion: xskRing }),
  chunkCount: fc.constantFrom(1, 8, 64),
}), { nil: undefined });

interface Faulty {
  readonly nic: NicSettings;
  readonly plan: FaultPlan;
  readonly run: ProfileRun;
  readonly seen: Witness;
  readonly hasSockets: boolean;
  /** No frame needs more than one buffer. */
  readonly isLinear: boolean;
}

describe.each(PROFILES.map((profile) => ({ name: profile.name, profile })))('$name', ({ profile }) => {
  const isNative = (profile.xdp.features & NETDEV_XDP_ACT_BASIC) !== 0;

  prop([settingsFor(profile), drawnFrames, sockets, faultPlans], { numRuns: RUNS, endOnFailure: true, ...SEED })(
    'random faults: nothing lost or doubled, and what was injected is what was counted',
    ({ settings, frags }, drawn, xsk, plan) => {
      const nic = { profile, ...settings, faults: plan };
      const frames = trafficFor(drawn, nic);
      const alone = new ProgramAlone(mixedProgram(frags), nic, xsk !== undefined);
      const play = (): Faulty => {
        const seen = witness(frames, alone);
        const run = runProfile({
          nic, object: isNative ? mixedProgram(frags) : undefined, xsk: isNative ? xsk : undefined, reader: captureOf(frames), watcherOf: seen.watcherOf,
        });
        const { packetBytes } = rxLayout(profile, headroomOf(nic));
        return { nic, plan, run, seen, hasSockets: isNative && xsk !== undefined, isLinear: frames.every(({ bytes }) => bytes.length <= packetBytes) };
      };
      const faulty = play();
      expectBalance(faulty, frames.length);
      expectWireAndDma(faulty);
      expectQueues(faulty);
      if (keepsFrames(plan)) {
        expectDrops(faulty);
        expectCounted(faulty);
        expectBits(faulty, frames, alone, isNative);
      }
      expect(JSON.stringify(told(play()))).toBe(JSON.stringify(told(faulty)));
    },
  );
});

/** Frames that the driver accepts are frames as they were received: none is glued to another, none has another length. */
const keepsFrames = (plan: FaultPlan): boolean => !hasFault(plan, 'descriptor', 'eop', 'length');

const injectedOf = ({ run }: Faulty, kind: FaultKind): number => run.simulation.nic.faults!.counts().injected[kind] ?? 0;

function count({ seen }: Faulty, ...outcomes: string[]): number {
  return seen.ends.filter(({ outcome }) => outcomes.includes(outcome)).length;
}

function driverTotal({ run }: Faulty): DriverCounters {
  const total = newCounters();
  for (const { counters } of run.queues) for (const [name, value] of Object.entries(counters)) total[name as keyof DriverCounters] += value;
  return total;
}

/** Everything of a run that can be told apart. */
function told({ run: { result, simulation, queues }, seen }: Faulty): unknown {
  const ends = seen.ends.map(({ bytes, ...end }) => ({ ...end, bytes: Buffer.from(bytes).toString('hex') }));
  return { ends, sent: seen.sent, queues, outcomes: result.outcomes, audit: result.audit, device: simulation.nic.device.counters, faults: simulation.nic.faults!.counts() };
}

/** Each packet ended once, and every page, chunk and mapping is where it belongs, whatever was injected. */
function expectBalance({ run: { result }, seen: { ends } }: Faulty, frames: number): void {
  expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(ends.map(({ packetId }) => packetId).sort((a, b) => a - b)).toEqual(Array.from({ length: frames }, (_, i) => i + 1));
}

/** What the device counts of injected faults. */
function expectWireAndDma(faulty: Faulty): void {
  const { plan, run: { simulation: { nic } }, nic: { queues }, isLinear, hasSockets } = faulty;
  const injected = (kind: FaultKind): number => injectedOf(faulty, kind);
  const { rxCrcErrors, rxLinkDown, rxMissed, rxDmaErrors, txDmaErrors } = nic.device.counters;
  const { phantomFrames, swallowedPackets, strayWrites } = nic.faults!.counts();
  expect(rxCrcErrors).toBe(injected('crc'));
  expect(rxLinkDown).toBe(count(faulty, 'rx_link_down'));
  expect(nic.faults!.linkDownCount).toBe(injected('link'));
  if (injected('link') === 0) expect(rxLinkDown).toBe(0);
  expect(Array.from({ length: queues }, (_, queue) => nic.device.interrupt(queue).lostCount).reduce((sum, lost) => sum + lost)).toBe(injected('interrupt'));
  if (injected('descriptor') > 0) return;

  expect([phantomFrames, swallowedPackets, strayWrites]).toEqual([0, 0, 0]);
  expect(nic.iommu.faultCount).toBe(0);
  expect(rxMissed).toBe(count(faulty, 'rx_missed'));
  expect(rxDmaErrors).toBe(count(faulty, 'rx_dma_error'));
  expectOfStrikes(rxDmaErrors, injected('rx_dma'), isLinear, 'RX DMA');
  // Frames of an application have no outcome.
  if (!hasSockets) expect(count(faulty, 'tx_dma_error')).toBe(txDmaErrors);
  else expect(count(faulty, 'tx_dma_error')).toBeLessThanOrEqual(txDmaErrors);
  expectOfStrikes(txDmaErrors, injected('tx_dma'), isLinear && !hasSockets, 'TX DMA');
  if (!hasFault(plan, 'tx_stall', 'link')) expect(count(faulty, 'tx_stalled')).toBe(0);
}

/** A frame of several buffers is lost once, however many of its transfers were refused. */
function expectOfStrikes(frames: number, strikes: number, isExact: boolean, what: string): void {
  if (isExact) expect(frames, what).toBe(strikes);
  else {
    expect(frames, what).toBeLessThanOrEqual(strikes);
    expect(frames > 0, what).toBe(strikes > 0);
  }
}

/** What driver and watchdog made of it. */
function expectQueues(faulty: Faulty): void {
  const { plan } = faulty;
  const { rxAllocFailed, txTimeouts } = driverTotal(faulty);
  expect(rxAllocFailed).toBeLessThanOrEqual(injectedOf(faulty, 'alloc'));
  if (plan.watchdogNs === undefined) expect(txTimeouts).toBe(0);
  // Only what the driver was not told of stays behind; a frame without end waits for the next one.
  const isWatched = plan.watchdogNs !== undefined || !hasFault(plan, 'interrupt', 'late');
  if (isWatched && !hasFault(plan, 'eop', 'descriptor')) expect(count(faulty, 'rx_stranded')).toBe(0);
}

/** Each frame that the driver dropped had a fault, and is counted by it. */
function expectDrops(faulty: Faulty): void {
  const { run: { simulation: { nic } } } = faulty;
  const { rxErrors, rxLengthErrors } = driverTotal(faulty);
  const { rxCrcErrors, rxDmaErrors } = nic.device.counters;
  const dropped = count(faulty, 'rx_error') - rxCrcErrors;
  expect(rxLengthErrors).toBe(0);
  expect(dropped).toBeLessThanOrEqual(injectedOf(faulty, 'empty') + injectedOf(faulty, 'error'));
  // Refused transfers are written back empty, too. Those that were never polled are not counted.
  expect(rxErrors).toBeGreaterThanOrEqual(dropped);
  expect(rxErrors).toBeLessThanOrEqual(dropped + rxDmaErrors);
  if (!hasFault(faulty.plan, 'interrupt', 'late')) {
    expect(rxErrors).toBe(dropped + rxDmaErrors);
    if (injectedOf(faulty, 'error') === 0) expect(dropped).toBe(injectedOf(faulty, 'empty'));
  }
}

/** Outcomes of packets that the driver didn't accept although the device had taken them. */
const NOT_ACCEPTED = ['rx_error', 'rx_stranded'];
/** And of those that it gave to the TX ring. */
const LOST_ON_TX = ['tx_dma_error', 'tx_stalled'];

/** The driver's counters are those of what it accepted. What was lost on the TX ring was a success when the program's verdict was carried out. */
function expectCounted({ nic: { profile }, run: { queues, simulation }, seen: { ends, sent } }: Faulty): void {
  const accepted = ends
    .filter(({ outcome }) => !NOT_ACCEPTED.includes(outcome))
    .map((end): JournalEntry => (LOST_ON_TX.includes(end.outcome) ? { ...end, outcome: end.retval === 3 ? 'tx' : 'redirect' } : end));
  queues.forEach(({ counters }, queue) => {
    const { rxPackets, rxBytes, xdpDrop, xdpPass, xdpTx, xdpTxErrors, xdpRedirect, xdpRedirectErrors, xdpAborted, xdpInvalid, xdpExceptions } = countersOf(
      profile, accepted.filter((end) => end.queue === queue), [], false,
    );
    expect(counters, `queue ${queue}`).toMatchObject({
      rxPackets, rxBytes, xdpDrop, xdpPass, xdpTx, xdpTxErrors, xdpRedirect, xdpRedirectErrors, xdpAborted, xdpInvalid, xdpExceptions,
    });
  });
  const { rxRunts, rxOverLength, txPackets, txBytes, rxMissed } = hardwareOf(ends, sent);
  expect(simulation.nic.device.counters).toMatchObject({ rxRunts, rxOverLength, rxMissed, txPackets, txBytes });
}

/** At most one bit of a packet differs from what the program leaves when it runs by itself, and in no more packets than were hit on the wire. */
function expectBits(faulty: Faulty, frames: readonly TrafficFrame[], alone: ProgramAlone, isNative: boolean): void {
  let changed = 0;
  for (const { packetId, outcome, queue, retval, bytes } of faulty.seen.ends) {
    if (outcome.startsWith('rx_') || LOST_ON_TX.includes(outcome)) continue;
    const { bytes: wire } = frames[packetId - 1];
    const left = isNative ? alone.run(wire, queue) : { retval: -1, bytes: alone.received(wire) };
    const what = `packet ${packetId}, ${outcome}`;
    expect(retval, what).toBe(left.retval);
    const bits = differingBits(bytes, left.bytes);
    expect(bits, what).toBeLessThanOrEqual(1);
    changed += bits;
  }
  expect(changed).toBeLessThanOrEqual(injectedOf(faulty, 'wire'));
}

function differingBits(a: WitnessedEnd['bytes'], b: Uint8Array): number {
  if (a.length !== b.length) return Infinity;
  let bits = 0;
  for (let i = 0; i < a.length; i++) for (let left = a[i] ^ b[i]; left !== 0; left &= left - 1) bits++;
  return bits;
}
