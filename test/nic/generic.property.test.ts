import { describe, expect } from 'vitest';
import { nicStatistics, PROFILES } from '../../src/nic/index.js';
import type { NicSettings } from '../../src/nic/index.js';
import { WIRE_SLOT_BYTES } from '../../src/sim/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { fc, prop } from '../support/property.js';
import { captureOf } from '../support/simulate.js';
import { GenericAlone } from './everyProfile/genericAlone.js';
import { hardwareOf, statisticOf } from './everyProfile/journal.js';
import type { CountedCounters, JournalEntry, SentByApplication } from './everyProfile/journal.js';
import { mixedProgram } from './everyProfile/mixedProgram.js';
import { runProfile } from './everyProfile/profileRun.js';
import type { ProfileRun } from './everyProfile/profileRun.js';
import { drawnFrames, settingsFor, trafficFor } from './everyProfile/traffic.js';
import type { TrafficFrame } from './everyProfile/traffic.js';

/** Runs of every profile; XDP_SIM_NIC_RUNS=2000 is the long form. */
const RUNS = Number(process.env['XDP_SIM_NIC_RUNS'] ?? 3);
/** The short form is the same each time, the long one draws its seed. */
const SEED = process.env['XDP_SIM_NIC_RUNS'] === undefined ? { seed: 20261126 } : {};

/** A packet's end, with its bytes. */
interface SeenEnd extends JournalEntry {
  readonly bytes: Uint8Array;
  readonly meta: Uint8Array;
}

const xskRing = fc.constantFrom(1, 4, 64, 256);
const sockets = fc.option(fc.record({
  application: fc.constantFrom('rxdrop' as const, 'l2fwd' as const),
  rings: fc.record({ rx: xskRing, tx: xskRing, fill: xskRing, completion: xskRing }),
  chunkCount: fc.constantFrom(1, 8, 64),
}), { nil: undefined });

describe.each(PROFILES)('$name in generic mode', (profile) => {
  prop([settingsFor(profile), fc.boolean(), fc.boolean(), drawnFrames, sockets], { numRuns: RUNS, ...SEED })(
    'random traffic, settings and verdicts: nothing lost, nothing doubled, every counter true', ({ settings }, keepsHeadroom, frags, drawn, xsk) => {
      const { headroomBytes, ...others } = settings;
      const nic: NicSettings = { profile, ...others, ...(keepsHeadroom ? { headroomBytes } : {}), xdpMode: 'generic' };
      const frames = trafficFor(drawn, nic);
      const alone = new GenericAlone(mixedProgram(frags), nic, xsk !== undefined);
      const ends: SeenEnd[] = [];
      const sent: SentByApplication[] = [];
      const run = runProfile({
        nic, object: mixedProgram(frags), xsk, reader: captureOf(frames),
        watcherOf: ({ memory: { u8 } }) => ({
          onPacketEnd({ packetId, outcome, retval, queue, address, lenBytes, metaBytes }) {
            const { bytes: wire } = frames[packetId - 1];
            ends.push({
              packetId, outcome: OUTCOMES[outcome].name, retval, queue, lenBytes, wireBytes: wire.length, receivedBytes: alone.received(wire).length,
              isMulticast: (wire[0] & 1) !== 0, isBroadcast: wire.length >= 6 && wire.subarray(0, 6).every((byte) => byte === 0xff),
              bytes: u8.slice(address, address + lenBytes), meta: u8.slice(address - metaBytes, address),
            });
          },
          onApplicationFrame: ({ queue, lenBytes }) => sent.push({ queue, lenBytes }),
        }),
      });
      expectSound(run, nic, alone, frames, ends, sent);
      expectSameAsAlone(nic, alone, frames, ends, xsk !== undefined);
    },
  );
});

/** Audit, journal and counters agree with each other. The driver knows of no program: what it received went to the stack. */
function expectSound({ result, simulation, queues }: ProfileRun, nic: NicSettings, alone: GenericAlone, frames: readonly TrafficFrame[], ends: readonly SeenEnd[], sent: readonly SentByApplication[]): void {
  expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(ends.map(({ packetId }) => packetId).sort((a, b) => a - b)).toEqual(frames.map((_, i) => i + 1));
  const hardware = hardwareOf(ends, sent);
  expect(simulation.nic.device.counters).toMatchObject(hardware);

  const NO_XDP = {
    rxErrors: 0, rxLengthErrors: 0, xdpDrop: 0, xdpPass: 0, xdpTx: 0, xdpTxErrors: 0, xdpRedirect: 0, xdpRedirectErrors: 0, xdpAborted: 0, xdpInvalid: 0, xdpExceptions: 0,
    txXdpXmit: 0, txTimeouts: 0, txXdpXmitErrors: 0,
  };
  const expected: CountedCounters[] = queues.map((_, queue) => {
    const seen = ends.filter((end) => end.queue === queue && !BEFORE_DRIVER.includes(end.outcome));
    // What the device puts into a frame the driver doesn't count.
    const out = ends.filter((end) => end.queue === queue && (end.outcome === 'tx' || end.outcome === 'redirect'));
    const outBytes = out.reduce((sum, { lenBytes, packetId }) => {
      const { bytes: wire } = frames[packetId - 1];
      return sum + lenBytes - (alone.tagOf(wire) !== undefined && nic.profile.offloads.txVlanInsert ? 4 : 0);
    }, 0);
    const own = sent.filter((frame) => frame.queue === queue);
    return {
      ...NO_XDP,
      rxPackets: seen.length, rxBytes: seen.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
      txPackets: out.length + own.length, txBytes: outBytes + own.reduce((sum, { lenBytes }) => sum + lenBytes, 0),
    };
  });
  // Where the driver records no queue, the stack sends by the CPU's, which may be another than that of arrival.
  const isByQueue = nic.profile.skb.recordsRxQueue || nic.queues === 1;
  queues.forEach(({ counters, ring, buffers }, queue) => {
    if (isByQueue) expect(counters, `queue ${queue}`).toMatchObject(expected[queue]);
    else expect(counters, `queue ${queue}`).toMatchObject(NO_XDP);
    expect(counters).toMatchObject({ rxAllocFailed: 0, stackPackets: counters.rxPackets, stackBytes: counters.rxBytes });
    expect(buffers.inflight).toBe(buffers.idle + ring.rxPosted);
  });
  const txFull = queues.map(() => 0);
  const profileCountsAll = nic.profile.countsNativeOnly !== true;
  for (const [name, value] of nicStatistics(simulation.nic)) {
    // Such a driver counts in ethtool -S only what it runs itself.
    const counted = isByQueue && profileCountsAll ? statisticOf(name, nic, expected, txFull, hardware) : undefined;
    if (counted !== undefined) expect(value, `ethtool -S: ${name}`).toBe(counted);
  }
  expect(ends.find(({ packetId }) => packetId === frames.length)?.outcome).toBe('stack');
}

const BEFORE_DRIVER = ['rx_runt', 'rx_over_length', 'rx_address_filter', 'rx_missed', 'rx_dma_error', 'rx_steered_away', 'rx_link_down'];

/** Every packet has the bytes and the metadata that the program leaves when it runs by itself, and an end that fits its verdict. */
function expectSameAsAlone({ queues }: NicSettings, alone: GenericAlone, frames: readonly TrafficFrame[], ends: readonly SeenEnd[], hasSockets: boolean): void {
  for (const { packetId, outcome, retval, queue, bytes, meta } of ends) {
    const { bytes: wire } = frames[packetId - 1];
    const what = `packet ${packetId}, ${outcome}`;
    if (outcome.startsWith('rx_')) {
      expect(retval, what).toBe(-1);
      if (bytes.length <= WIRE_SLOT_BYTES) expectOneOf(bytes, [wire], what);
      continue;
    }
    const left = alone.run(wire, queue);
    expect(left.map((each) => each.retval), what).toContain(retval);
    expect(endsOf(retval, hasSockets, queues), what).toContain(outcome);
    const isSent = outcome === 'tx' || outcome === 'redirect';
    expectOneOf(bytes, left.map((each) => (isSent ? alone.sent(wire, each.bytes) : each.bytes)), what);
    if (!isSent) expectOneOf(meta, left.map((each) => each.meta), `${what}, metadata`);
  }
}

/** Where a packet may end after this. */
function endsOf(retval: number, hasSockets: boolean, queues: number): readonly string[] {
  switch (retval) {
    case -1: return ['program_fault'];
    case 0: return ['xdp_aborted'];
    case 1: return ['xdp_drop'];
    case 2: return ['stack'];
    case 3: return ['tx', 'tx_ring_full', 'tx_too_long'];
    case 4: return [
      'redirect', 'tx_ring_full', 'redirect_no_target', 'redirect_no_helper', 'redirect_too_long',
      ...(hasSockets ? ['xsk', 'xsk_too_long', 'xsk_fill_empty', 'xsk_rx_full', ...(queues > 1 ? ['xsk_wrong_queue'] : [])] : []),
    ];
    default: return ['xdp_invalid_verdict'];
  }
}

function expectOneOf(actual: Uint8Array, expected: readonly Uint8Array[], what: string): void {
  if (expected.some((each) => Buffer.compare(actual, each) === 0)) return;
  expect(Buffer.from(actual).toString('hex'), what).toBe(Buffer.from(expected[0]).toString('hex'));
}
