import { describe, expect } from 'vitest';
import { headroomOf, maxFrameBytes, NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_NDO_XMIT_SG, newCounters, nicStatistics, PROFILES, r8169Xdp, rxLayout } from '../../src/nic/index.js';
import type { BufferUse, DriverCounters, NicProfile, NicSettings, XdpDriverFactory } from '../../src/nic/index.js';
import { WIRE_SLOT_BYTES } from '../../src/sim/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { fc, prop } from '../support/property.js';
import { captureOf } from '../support/simulate.js';
import { countersOf, hardwareOf, statisticOf } from './everyProfile/journal.js';
import type { CountedCounters, JournalEntry, SentByApplication } from './everyProfile/journal.js';
import { mixedProgram } from './everyProfile/mixedProgram.js';
import { runProfile } from './everyProfile/profileRun.js';
import type { ProfileRun } from './everyProfile/profileRun.js';
import { ProgramAlone } from './everyProfile/programAlone.js';
import type { ProgramResult } from './everyProfile/programAlone.js';
import { drawnFrames, settingsFor, trafficFor } from './everyProfile/traffic.js';
import type { TrafficFrame } from './everyProfile/traffic.js';

/** Runs of every profile; XDP_SIM_NIC_RUNS=2000 is the long form. */
const RUNS = Number(process.env['XDP_SIM_NIC_RUNS'] ?? 3);
/** The short form is the same each time, the long one draws its seed. */
const SEED = process.env['XDP_SIM_NIC_RUNS'] === undefined ? { seed: 20261126 } : {};

/** A profile, with a driver of its own in place of the model's. */
interface Subject {
  readonly name: string;
  readonly profile: NicProfile;
  readonly driver: XdpDriverFactory | undefined;
}

const r8169 = PROFILES.find(({ name }) => name === 'r8169-xdp')!;
const SUBJECTS: readonly Subject[] = [
  ...PROFILES.map((profile) => ({ name: profile.name, profile, driver: undefined })),
  // The example driver takes XDP_PACKET_HEADROOM, whatever the settings say.
  { name: 'r8169-xdp with the example driver', profile: { ...r8169, headroom: { ...r8169.headroom, min: 256, max: 256 } }, driver: r8169Xdp },
];

/** A packet's end, with its bytes. */
interface SeenEnd extends JournalEntry {
  readonly bytes: Uint8Array;
  readonly meta: Uint8Array;
}

interface SeenFrame extends SentByApplication {
  readonly packetId: number;
  readonly bytes: Uint8Array;
}

const xskRing = fc.constantFrom(1, 4, 64, 256);
const sockets = fc.option(fc.record({
  application: fc.constantFrom('rxdrop' as const, 'l2fwd' as const),
  rings: fc.record({ rx: xskRing, tx: xskRing, fill: xskRing, completion: xskRing }),
  chunkCount: fc.constantFrom(1, 8, 64),
}), { nil: undefined });

describe.each(SUBJECTS)('$name', ({ profile, driver }) => {
  const isNative = (profile.xdp.features & NETDEV_XDP_ACT_BASIC) !== 0;

  prop([settingsFor(profile), drawnFrames, sockets], { numRuns: RUNS, ...SEED })('random traffic, settings and verdicts: nothing lost, nothing doubled, every counter true', ({ settings, frags }, drawn, xsk) => {
    const nic = { profile, ...settings };
    const object = isNative ? mixedProgram(frags) : undefined;
    const frames = trafficFor(drawn, nic);
    const ends: SeenEnd[] = [];
    const sent: SeenFrame[] = [];
    const alone = new ProgramAlone(mixedProgram(frags), nic, xsk !== undefined);
    const run = runProfile({
      nic, object, driver, xsk: isNative ? xsk : undefined, reader: captureOf(frames),
      watcherOf: ({ memory: { u8 } }) => ({
        onPacketEnd({ packetId, outcome, retval, queue, address, lenBytes, metaBytes }) {
          const { bytes: wire } = frames[packetId - 1];
          ends.push({
            packetId, outcome: OUTCOMES[outcome].name, retval, queue, lenBytes, wireBytes: wire.length, receivedBytes: alone.received(wire).length,
            isMulticast: (wire[0] & 1) !== 0, isBroadcast: wire.length >= 6 && wire.subarray(0, 6).every((byte) => byte === 0xff),
            bytes: u8.slice(address, address + lenBytes), meta: u8.slice(address - metaBytes, address),
          });
        },
        onApplicationFrame({ packetId, queue, address, lenBytes }) {
          sent.push({ packetId, queue, lenBytes, bytes: u8.slice(address, address + lenBytes) });
        },
      }),
    });
    // A program without multi-buffer support never sees a packet of several buffers.
    if (isNative && !frags) expect(maxFrameBytes(nic.mtu)).toBeLessThanOrEqual(rxLayout(profile, headroomOf(nic)).packetBytes);
    expectSound(run, nic, frames, ends, sent, driver !== undefined);
    expectSameAsAlone(nic, isNative, alone, frames, ends);
  });
});

/** Audit, journal and counters agree with each other. */
function expectSound({ result, simulation, queues }: ProfileRun, nic: NicSettings, frames: readonly TrafficFrame[], ends: readonly SeenEnd[], sent: readonly SeenFrame[], isOwnDriver: boolean): void {
  const { profile } = nic;
  expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(ends.map(({ packetId }) => packetId).sort((a, b) => a - b)).toEqual(frames.map((_, i) => i + 1));

  const hardware = hardwareOf(ends, sent);
  const { rxChecksumErrors, ...counted } = simulation.nic.device.counters;
  expect(counted).toMatchObject(hardware);

  const expected: CountedCounters[] = [];
  const total = newCounters();
  queues.forEach(({ counters, ring, buffers }, queue) => {
    const own = ends.filter((end) => end.queue === queue);
    const { rxCsumGood, rxCsumErrors, polls, xdpTxFull, rxAllocFailed, ...rest } = counters;
    expected.push(countersOf(profile, own, sent.filter((frame) => frame.queue === queue), isOwnDriver));
    expect(rest, `queue ${queue}`).toMatchObject(expected[queue]);
    expect(rxAllocFailed).toBe(0);
    const full = own.filter(({ outcome, retval }) => (outcome === 'tx_ring_full' || outcome === 'tx_too_long') && retval === 3).length;
    // A failed XDP_TX that passes doesn't say why it failed.
    if (profile.quirks.failedVerdictsPass === true) expect(xdpTxFull).toBeLessThanOrEqual(rest.xdpTxErrors);
    // The judge of a driver of one's own knows of no other reason why it sent nothing.
    else if (nic.profile.xdp.hasTxContract === true && isOwnDriver) expect(xdpTxFull).toBeLessThanOrEqual(full);
    else expect(xdpTxFull).toBe(full);
    expectChecksums(nic, frames, own, rxCsumGood, rxCsumErrors);
    expect(polls).toBeGreaterThanOrEqual(own.length === 0 ? 0 : Math.ceil(rest.rxPackets / 64));
    expect(ring).toMatchObject({ rxSize: nic.rxRingSize, txSize: nic.txRingSize, txFrames: rest.txPackets, rxAllocFailed: 0 });
    expectBuffers(profile, buffers, ring.rxPosted);
    for (const [name, value] of Object.entries(counters)) total[name as keyof DriverCounters] += value;
  });
  expect(total.rxCsumErrors).toBeLessThanOrEqual(rxChecksumErrors);

  const shown = nicStatistics(simulation.nic);
  const txFull = queues.map(({ counters }) => counters.xdpTxFull);
  for (const [name, value] of shown) {
    const counted = statisticOf(name, nic, expected, txFull, hardware);
    if (counted !== undefined) expect(value, `ethtool -S: ${name}`).toBe(counted);
  }
  // After a pause everything is at rest, and rings are posted: the last packet gets in.
  expect(ends.find(({ packetId }) => packetId === frames.length)?.outcome).toBe('stack');
}

/** What the driver reports of checksums is possible for what arrived. */
function expectChecksums({ profile, offloads }: NicSettings, frames: readonly TrafficFrame[], own: readonly SeenEnd[], good: number, bad: number): void {
  if ((offloads?.rxChecksum ?? profile.offloads.rxChecksum) === false) {
    expect([good, bad]).toEqual([0, 0]);
    return;
  }
  const seen = own.filter(({ outcome }) => outcome !== 'rx_missed').map(({ packetId }) => frames[packetId - 1].checksums);
  expect(good).toBeLessThanOrEqual(seen.filter((checksums) => checksums !== 'wrong').length);
  expect(bad).toBeLessThanOrEqual(seen.filter((checksums) => checksums !== 'right').length);
}

/** page_pool: what was handed out is back or with the device; pages taken are given back or in flight. */
function expectBuffers({ bufferModel }: NicProfile, { inflight, idle, holdCount, releaseCount, stats }: BufferUse, posted: number): void {
  expect(inflight).toBe(idle + posted);
  if (bufferModel === 'split_page') {
    expect(Object.values(stats).every((value) => value === 0)).toBe(true);
    return;
  }
  expect(stats.alloc_slow_high_order).toBe(0);
  expect(stats.alloc_waive).toBe(0);
  expect(stats.alloc_empty).toBeGreaterThanOrEqual(stats.alloc_slow);
  const allocs = stats.alloc_fast + stats.alloc_slow + stats.alloc_refill;
  const returns = stats.recycle_cached + stats.recycle_ring + stats.recycle_ring_full + stats.recycle_released_refcnt;
  if (bufferModel === 'page_pool') {
    expect(allocs - returns).toBe(posted);
    expect(holdCount - releaseCount).toBe(inflight);
  } else expect(allocs - returns).toBeGreaterThanOrEqual(Math.floor(posted / 2));
  expect(releaseCount).toBe(stats.recycle_ring_full + stats.recycle_released_refcnt);
  // No poll frees pages of another context: the cache takes what the poll drops, the ring what the stack is done with.
  expect(stats.recycle_released_refcnt).toBe(0);
}

/** Every packet has the bytes and the metadata that the program leaves when it runs by itself, and an end that fits its verdict. */
function expectSameAsAlone({ profile }: NicSettings, isNative: boolean, alone: ProgramAlone, frames: readonly TrafficFrame[], ends: readonly SeenEnd[]): void {
  for (const { packetId, outcome, retval, queue, bytes, meta } of ends) {
    const { bytes: wire } = frames[packetId - 1];
    const what = `packet ${packetId}, ${outcome}`;
    if (outcome.startsWith('rx_')) {
      expect(retval, what).toBe(-1);
      if (bytes.length <= WIRE_SLOT_BYTES) expectBytes(bytes, wire, what);
      continue;
    }
    if (!isNative) {
      expect([outcome, retval]).toEqual(['stack', -1]);
      expectBytes(bytes, alone.received(wire), what);
      continue;
    }
    const left = alone.run(wire, queue);
    expect(retval, what).toBe(left.retval);
    expect(endsOf(left, profile), what).toContain(outcome);
    expectBytes(bytes, left.bytes, what);
    if (outcome !== 'tx' && outcome !== 'redirect') expectBytes(meta, left.meta, `${what}, metadata`);
  }
}

/** Where a packet may end after this. */
function endsOf({ retval, fitsFrame }: ProgramResult, { quirks, xdp, peerChecksLength }: NicProfile): readonly string[] {
  const passes = quirks.failedVerdictsPass === true;
  switch (retval) {
    case -1:
      return ['program_fault'];
    case 0:
      return [passes ? 'stack' : 'xdp_aborted'];
    case 1:
      return ['xdp_drop'];
    case 2:
      return ['stack'];
    case 3:
      return [...(fitsFrame ? ['tx'] : passes ? [] : ['tx_no_headroom']), passes ? 'stack' : 'tx_ring_full', ...(peerChecksLength === true ? ['tx_too_long'] : []), ...(xdp.hasTxContract === true ? ['tx_checksum_refused'] : [])];
    case 4:
      if (quirks.redirectIsInvalid === true) break;
      return [
        ...(fitsFrame ? ['redirect'] : passes ? [] : ['tx_no_headroom']), 'xsk', 'tx_ring_full',
        ...(passes ? ['stack'] : ['xsk_too_long', 'xsk_fill_empty', 'xsk_rx_full', 'redirect_no_target', 'redirect_no_helper', 'redirect_too_long']),
        // The device that it goes to is the one that it came from.
        ...((xdp.features & NETDEV_XDP_ACT_NDO_XMIT_SG) === 0 && !passes ? ['redirect_not_supported'] : []),
      ];
    default:
  }
  return [passes ? 'stack' : 'xdp_invalid_verdict'];
}

function expectBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) !== 0) expect(Buffer.from(actual).toString('hex'), what).toBe(Buffer.from(expected).toString('hex'));
}
