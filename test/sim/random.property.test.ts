import { describe, expect } from 'vitest';
import type { DriverCounters } from '../../src/nic/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { fc, prop } from '../support/property.js';
import { fixture, simulate, udpFrame, xdpProgram, xskMap } from '../support/simulate.js';
import type { Simulated, TimedFrame } from '../support/simulate.js';

/** Every verdict, by byte 35 of the packet: 0 to 5; 6 redirects to the own device, 7 to the socket of the queue, 8 faults; the rest is dropped. */
const everyVerdict = (frags: boolean): ObjectSpec =>
  xdpProgram(
    `r6 = r1
    r1 = *(u32 *)(r6 + 0)
    r2 = *(u32 *)(r6 + 4)
    r3 = r1
    r3 += 42
    r0 = 1
    if r3 > r2 goto out
    r7 = *(u8 *)(r1 + 35)
    r1 = r6
    r2 = -2000
    call 65
    r7 &= 15
    r0 = r7
    if r7 < 6 goto out
    if r7 == 6 goto own
    if r7 == 7 goto socket
    r0 = 1
    if r7 != 8 goto out
    r0 = *(u8 *)(r10 + 8)
    own: r1 = 1
    r2 = 0
    call 23
    goto out
    socket: r2 = *(u32 *)(r6 + 16)
    r1 = map xsks
    r3 = 2
    call 51
    out: exit`,
    { frags, maps: [xskMap] },
  );

const PROGRAMS: readonly (readonly [string, ObjectSpec, boolean])[] = [
  ...['switch_drop', 'reflector', 'redirect_self', 'xsk_redirect', 'aborter', 'return_77', 'vlan_push', 'adjust_tail', 'meta_writer'].map(
    (name) => [name, fixture(name), false] as const,
  ),
  ['frags_pass', fixture('frags_pass'), true],
  ['every verdict', everyVerdict(false), false],
  ['every verdict, multi-buffer', everyVerdict(true), true],
  ['every verdict, multi-buffer', everyVerdict(true), true],
];

const length = fc.oneof(fc.integer({ min: 42, max: 200 }), fc.integer({ min: 14, max: 1530 }), fc.integer({ min: 14, max: 9030 }), fc.constantFrom(3520, 3521, 7040, 7041, 9014, 9022));
const frame = fc.record({
  bytes: fc.tuple(length, fc.nat(255)).map(([len, flow]) => (len >= 42 ? udpFrame(len, flow) : new Uint8Array(len).fill(flow))),
  // Bursts at the same moment, times that go back, and pauses in which everything comes to rest.
  gapNs: fc.oneof({ arbitrary: fc.constant(0), weight: 8 }, { arbitrary: fc.constantFrom(1, 700, -500, 20_000, 100_000), weight: 3 }),
  copies: fc.oneof({ arbitrary: fc.constant(1), weight: 6 }, { arbitrary: fc.integer({ min: 2, max: 90 }), weight: 1 }),
});

function timed(rows: readonly { readonly bytes: Uint8Array; readonly gapNs: number; readonly copies: number }[]): TimedFrame[] {
  let tNs = 0;
  return rows.flatMap(({ bytes, gapNs, copies }) => {
    tNs = Math.max(0, tNs + gapNs);
    return Array.from({ length: copies }, () => ({ bytes, tNs }));
  });
}

const ring = fc.constantFrom(64, 128, 256, 512);
const xskRing = fc.constantFrom(1, 4, 64, 256);
const scenario = fc.record({
  program: fc.constantFrom(...PROGRAMS),
  frames: fc.array(frame, { maxLength: 40 }).map(timed),
  queues: fc.integer({ min: 1, max: 8 }),
  rxRingSize: ring,
  txRingSize: ring,
  rxUsecs: fc.integer({ min: 0, max: 50 }),
  application: fc.constantFrom(undefined, 'rxdrop' as const, 'l2fwd' as const),
  rings: fc.record({ rx: xskRing, tx: xskRing, fill: xskRing, completion: xskRing }),
  chunkCount: fc.constantFrom(1, 8, 64),
});

function totals({ simulation }: Simulated): DriverCounters {
  const { driver, settings } = { driver: simulation.nic.driver, settings: simulation.nic.settings };
  const sum = { ...driver.counters(0) };
  for (let queue = 1; queue < settings.queues; queue++) {
    for (const [name, value] of Object.entries(driver.counters(queue))) sum[name as keyof DriverCounters] += value;
  }
  return sum;
}

/** What every run must keep, whatever ran through it. */
function expectSound(run: Simulated, frames: readonly TimedFrame[]): void {
  const { result, simulation, outcomes } = run;
  expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(run.ends.map(({ packetId }) => packetId).sort((a, b) => a - b)).toEqual(frames.map((_, i) => i + 1));
  const of = (...names: string[]): number => {
    for (const name of names) expect(OUTCOMES.map((outcome) => outcome.name)).toContain(name);
    return names.reduce((sum, name) => sum + (outcomes[name] ?? 0), 0);
  };

  const counters = totals(run);
  const { device } = simulation.nic;
  const lostBefore = of('rx_runt', 'rx_over_length', 'rx_address_filter', 'rx_missed', 'rx_dma_error');
  // A redirected frame that finds the TX ring full was redirected: the loss is the transmitting device's.
  const xmitFull = run.ends.filter(({ outcome, retval }) => outcome === 'tx_ring_full' && retval === 4).length;
  expect({
    rxPackets: counters.rxPackets,
    drop: counters.xdpDrop,
    pass: counters.xdpPass,
    tx: counters.xdpTx,
    redirect: counters.xdpRedirect,
    aborted: counters.xdpExceptions,
    errors: counters.xdpTxErrors + counters.xdpRedirectErrors,
    xmitErrors: counters.txXdpXmitErrors,
    xmit: counters.txXdpXmit,
    verdicts: simulation.nic.driver.verdicts.reduce((sum, count) => sum + count, 0),
    missed: device.counters.rxMissed,
    overLength: device.counters.rxOverLength,
    sent: device.counters.txPackets,
    faults: result.faultCount,
  }).toEqual({
    rxPackets: frames.length - lostBefore,
    drop: of('xdp_drop'),
    pass: of('stack'),
    tx: of('tx'),
    redirect: of('xsk', 'redirect') + xmitFull,
    aborted: of('xdp_aborted', 'xdp_invalid_verdict', 'program_fault'),
    errors: of('tx_ring_full', 'tx_no_headroom', 'xsk_too_long', 'xsk_fill_empty', 'xsk_rx_full', 'xsk_wrong_queue', 'redirect_no_target', 'redirect_no_helper', 'redirect_too_long') - xmitFull,
    xmitErrors: xmitFull,
    xmit: of('redirect'),
    verdicts: frames.length - lostBefore - of('program_fault'),
    missed: of('rx_missed'),
    overLength: of('rx_over_length'),
    sent: of('tx', 'redirect') + result.applicationFrames,
    faults: of('program_fault'),
  });
  expect(of('rx_address_filter', 'rx_dma_error', 'tx_no_headroom', 'xsk_wrong_queue')).toBe(0);

  const sockets = { rx: 0, full: 0, dropped: 0, tx: 0 };
  for (const { rxPackets, txPackets, statistics } of simulation.sockets) {
    sockets.rx += rxPackets;
    sockets.tx += txPackets;
    sockets.full += statistics.rx_ring_full;
    sockets.dropped += statistics.rx_dropped;
    expect(statistics.tx_invalid_descs).toBe(0);
  }
  expect(sockets).toEqual({ rx: of('xsk'), full: of('xsk_rx_full'), dropped: of('xsk_too_long', 'xsk_fill_empty'), tx: result.applicationFrames });
}

describe('any traffic through any NIC', () => {
  prop([scenario], { numRuns: 40 })('ends every packet once and conserves every buffer', (each) => {
    const [, object, frags] = each.program;
    const run = simulate({
      object,
      frames: each.frames,
      nic: { queues: each.queues, rxRingSize: each.rxRingSize, txRingSize: each.txRingSize, interruptDelayNs: each.rxUsecs * 1000, mtu: frags ? 9000 : 1500 },
      ...(each.application === undefined ? {} : { xsk: { application: each.application, rings: each.rings, chunkCount: each.chunkCount } }),
    });
    expectSound(run, each.frames);
    // l2fwd sends back all that it got.
    if (each.application === 'l2fwd') expect(run.result.applicationFrames).toBe(run.outcomes['xsk'] ?? 0);
    else expect(run.result.applicationFrames).toBe(0);
  }, 180_000);
});
