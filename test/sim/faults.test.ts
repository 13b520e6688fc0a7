import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, findProfile } from '../../src/nic/index.js';
import type { DriverCounters, FaultCounts, FaultKind, FaultSetting, NicSettings } from '../../src/nic/index.js';
import { BOOT_NS } from '../../src/sim/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { fc, prop } from '../support/property.js';
import { returning, simulate, udpFrame, xdpProgram, xskMap } from '../support/simulate.js';
import type { Simulated, SimulateOptions, TimedFrame } from '../support/simulate.js';

const PROFILES = ['plain', 'igb', 'mlx5', 'virtio_net', 'r8169-xdp'];
const XDP_PASS = returning(2);
const XDP_TX = returning(3);

interface FaultyRun extends Omit<Partial<SimulateOptions>, 'nic'> {
  readonly nic?: Partial<NicSettings>;
  readonly watchdogNs?: number;
}

/** 400 frames, one a microsecond, over a NIC with its own ring sizes and these faults. */
function run(profileName: string, faults: readonly FaultSetting[], { watchdogNs, nic, ...more }: FaultyRun = {}): Simulated {
  const profile = findProfile(profileName);
  if (profile === undefined) throw new Error(`there is no profile ${profileName}`);
  const { rxRing, txRing, mtu } = profile;
  return simulate({
    object: XDP_TX,
    frames: stream(400),
    ...more,
    nic: { profile, rxRingSize: rxRing.default, txRingSize: txRing.default, mtu: mtu.default, ...nic, faults: { faults, watchdogNs } },
  });
}

function stream(count: number, { gapNs = 1000, startNs = 0, lenBytes = 100 } = {}): TimedFrame[] {
  return Array.from({ length: count }, (_, i) => ({ bytes: udpFrame(lenBytes, i % 7), tNs: startNs + i * gapNs }));
}

const counts = ({ simulation }: Simulated): FaultCounts => simulation.nic.faults!.counts();
const injected = (result: Simulated, kind: FaultKind): number => counts(result).injected[kind]!;

/** A counter of the driver, all queues together. */
function driverSum({ simulation: { nic } }: Simulated, name: keyof DriverCounters): number {
  let sum = 0;
  for (let queue = 0; queue < nic.settings.queues; queue++) sum += nic.driver.counters(queue)[name];
  return sum;
}

function expectBalance({ result, ends }: Simulated): void {
  expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(ends.length).toBe(result.packetsReceived);
  expect(new Set(ends.map(({ packetId }) => packetId)).size).toBe(ends.length);
}

describe.each(PROFILES)('%s', (profile) => {
  it.each(FAULT_KINDS.flatMap(({ kind }) => [0.05, 1].map((rate) => [kind, rate] as const)))('balances after %s at a rate of %s', (kind, rate) => {
    const result = run(profile, [{ kind, rate }]);
    expectBalance(result);
    expect(injected(result, kind)).toBeGreaterThan(0);
  });

  it('counts damaged frames, which the MAC drops', () => {
    const result = run(profile, [{ kind: 'crc', rate: 0.1 }]);
    const lost = injected(result, 'crc');
    expect(result.outcomes).toEqual({ tx: 400 - lost, rx_error: lost });
    expect(result.simulation.nic.device.counters.rxCrcErrors).toBe(lost);
  });

  it('counts refused transfers, which are no mistakes of the driver', () => {
    const result = run(profile, [{ kind: 'rx_dma', rate: 0.1 }, { kind: 'tx_dma', rate: 0.1 }]);
    const rx = injected(result, 'rx_dma');
    const tx = injected(result, 'tx_dma');
    expect(result.outcomes).toEqual({ tx: 400 - rx - tx, rx_dma_error: rx, tx_dma_error: tx });
    expect(result.simulation.nic.device.counters).toMatchObject({ rxDmaErrors: rx, txDmaErrors: tx, rxPackets: 400 - rx, txPackets: 400 - rx - tx });
    expect(driverSum(result, 'rxErrors')).toBe(rx);
    expect(result.simulation.nic.iommu.faultCount).toBe(0);
    expectBalance(result);
  });

  it('tells frames that the IOMMU refused from stalled ones, also when the completion interrupt was lost', () => {
    let refused = 0;
    for (let seed = 1; seed <= 16; seed++) {
      const result = run(profile, [{ kind: 'interrupt', rate: 0.5 }, { kind: 'tx_dma', rate: 0.5 }], { seed, frames: stream(40, { gapNs: 0 }) });
      expectBalance(result);
      const tx = injected(result, 'tx_dma');
      refused += tx;
      expect(result.outcomes.tx_dma_error ?? 0, `seed ${seed}`).toBe(tx);
      expect(result.outcomes.tx_stalled, `seed ${seed}`).toBeUndefined();
    }
    expect(refused).toBeGreaterThan(100);
  });

  it('counts lengths of 0 as errors', () => {
    const result = run(profile, [{ kind: 'empty', rate: 0.1 }]);
    const lost = injected(result, 'empty');
    expect(result.outcomes).toEqual({ tx: 400 - lost, rx_error: lost });
    expect(driverSum(result, 'rxErrors')).toBe(lost);
  });

  it('drops lengths beyond the buffer', () => {
    const result = run(profile, [{ kind: 'length', rate: 0.1 }]);
    // A CQE of mlx5 has one length, which is shared out among the buffers that it names: none of them gets more than it holds.
    const lost = profile === 'mlx5' ? 0 : injected(result, 'length');
    expect(result.outcomes).toEqual(lost === 0 ? { tx: 400 } : { tx: 400 - lost, rx_error: lost });
    expect(driverSum(result, 'rxLengthErrors')).toBe(lost);
  });

  it('drops what the device marks as damaged, where descriptors can', () => {
    const result = run(profile, [{ kind: 'error', rate: 0.1 }]);
    const lost = ['plain', 'virtio_net'].includes(profile) ? 0 : injected(result, 'error');
    expect(result.outcomes).toEqual(lost === 0 ? { tx: 400 } : { tx: 400 - lost, rx_error: lost });
    expect(driverSum(result, 'rxErrors')).toBe(lost);
  });

  it('loses what comes while the link is down, in a window exactly', () => {
    const result = run(profile, [{ kind: 'link', windows: [{ fromNs: 100_000, toNs: 150_000 }, { fromNs: 300_000, toNs: 310_000 }] }]);
    expect(result.outcomes).toEqual({ tx: 340, rx_link_down: 60 });
    expect(result.simulation.nic.device.counters.rxLinkDown).toBe(60);
    expect(result.simulation.nic.faults!.linkDownCount).toBe(2);
  });

  it('keeps frames on the TX ring until the link is back', () => {
    const result = run(profile, [{ kind: 'link', windows: [{ fromNs: 20_000, toNs: 90_000 }] }], {
      frames: stream(20), nic: { interruptDelayNs: 30_000 },
    });
    expect(result.outcomes).toEqual({ tx: 20 });
    expect(Math.min(...result.ends.map(({ tNs }) => tNs))).toBe(BOOT_NS + 90_000);
    expectBalance(result);
  });

  it('finds packets of a lost interrupt with the next one, or strands them', () => {
    const result = run(profile, [{ kind: 'interrupt', windows: [{ fromNs: 200_000, toNs: Infinity }] }]);
    const { raisedCount, lostCount } = result.simulation.nic.device.interrupt(0);
    expect(lostCount).toBe(injected(result, 'interrupt'));
    expect(raisedCount).toBeGreaterThan(0);
    expect(result.outcomes.rx_stranded).toBeGreaterThan(190);
    expect(result.outcomes.tx! + result.outcomes.rx_stranded!).toBe(400);
    expectBalance(result);
  });

  it('has its watchdog look after lost interrupts', () => {
    const result = run(profile, [{ kind: 'interrupt', rate: 1 }], { watchdogNs: 50_000 });
    expect(result.outcomes).toEqual({ tx: 400 });
    expect(injected(result, 'interrupt')).toBeGreaterThan(0);
    expectBalance(result);
  });

  it('resets a TX ring that hangs, and sends again', () => {
    const frames = [...stream(40), ...stream(40, { startNs: 30e9 })];
    const result = run(profile, [{ kind: 'tx_stall', windows: [{ fromNs: 0, toNs: Infinity }] }], { frames, watchdogNs: 2e9 });
    expect(result.outcomes).toEqual({ tx: 40, tx_stalled: 40 });
    expect(driverSum(result, 'txTimeouts')).toBe(1);
    const reset = result.ends.find(({ outcome }) => outcome === 'tx_stalled')!;
    // The first tick sees the frames, and each two seconds another: the fourth is the first that is five seconds later.
    expect(reset.tNs).toBe(BOOT_NS + 8e9);
    expectBalance(result);
  });

  it('fills the TX ring while the engine stands, and goes on where it stopped', () => {
    const profileTx = findProfile(profile)!.txRing.default;
    const result = run(profile, [{ kind: 'tx_stall', windows: [{ fromNs: 0, toNs: 1e6 }] }], { frames: stream(2000, { gapNs: 400 }), nic: { rxRingSize: findProfile(profile)!.rxRing.default } });
    const { txFull, txSize } = result.simulation.nic.driver.ringUse(0);
    expect(txSize).toBe(profileTx);
    expect(result.outcomes.tx_ring_full ?? 0).toBe(txFull);
    expect(result.outcomes.tx! + txFull).toBe(2000);
    if (profileTx <= 1024) expect(txFull).toBeGreaterThan(0);
    expectBalance(result);
  });

  it('sends between stalls that never cease', () => {
    const result = run(profile, [{ kind: 'tx_stall', rate: 1, durationNs: 50_000 }], { frames: stream(100) });
    expectBalance(result);
    expect(result.outcomes).toEqual({ tx: 100 });
    expect(injected(result, 'tx_stall')).toBeGreaterThan(1);
  });

  it('flushes the TX ring of a lost link by its watchdog', () => {
    const result = run(profile, [{ kind: 'link', windows: [{ fromNs: 20_000, toNs: 20e9 }] }], { frames: stream(20), nic: { interruptDelayNs: 30_000 }, watchdogNs: 2e9 });
    expect(result.outcomes).toEqual({ tx_stalled: 20 });
    expectBalance(result);
  });

  it('sees late write-backs when the device tells again, or with the next interrupt', () => {
    const again = run(profile, [{ kind: 'late', delayNs: 7000, raisesAgain: true }]);
    expect(again.outcomes).toEqual({ tx: 400 });
    expect(again.ends[0]!.tNs).toBe(BOOT_NS + 7000);
    const silent = run(profile, [{ kind: 'late', delayNs: 7000 }]);
    expect(silent.outcomes.rx_stranded).toBe(7);
    expect(silent.outcomes.tx).toBe(393);
    const watched = run(profile, [{ kind: 'late', delayNs: 7000 }], { watchdogNs: 1e6 });
    expect(watched.outcomes).toEqual({ tx: 400 });
    for (const each of [again, silent, watched]) expectBalance(each);
  });

  it('runs out of buffers without memory, and recovers', () => {
    const starved = run(profile, [{ kind: 'alloc', rate: 1 }]);
    expect(starved.outcomes).toEqual({ rx_missed: 400 });
    expect(starved.simulation.nic.device.counters.rxMissed).toBe(400);
    expect(driverSum(starved, 'rxAllocFailed')).toBeGreaterThan(0);
    const fed = run(profile, [{ kind: 'alloc', windows: [{ fromNs: 0, toNs: 100_000 }] }], { watchdogNs: 50_000 });
    expect(fed.outcomes).toEqual({ tx: 300, rx_missed: 100 });
    for (const each of [starved, fed]) expectBalance(each);
  });

  it('gives the same run for the same seed, and another for another', () => {
    const faults: FaultSetting[] = FAULT_KINDS.map(({ kind }) => ({ kind, rate: 0.03, ...(kind === 'link' || kind === 'tx_stall' ? { durationNs: 9000 } : {}) }));
    const told = (seed: number): unknown => {
      const result = run(profile, faults, { seed, watchdogNs: 1e6 });
      expectBalance(result);
      return { ...counts(result), ends: result.ends };
    };
    expect(told(5)).toEqual(told(5));
    expect(told(5)).not.toEqual(told(6));
  });

  it('strikes the same frames whatever other faults there are', () => {
    const crc: FaultSetting = { kind: 'crc', rate: 0.1 };
    const damaged = (result: Simulated): number[] => result.ends.filter(({ outcome }) => outcome === 'rx_error').map(({ packetId }) => packetId);
    const alone = damaged(run(profile, [crc]));
    expect(alone.length).toBeGreaterThan(20);
    expect(damaged(run(profile, [{ kind: 'interrupt', rate: 0.5 }, { kind: 'wire', rate: 0.5 }, { kind: 'tx_dma', rate: 0.5 }, crc]))).toEqual(alone);
  });
});

describe('bit errors on the wire', () => {
  /** UDP over IPv4 with both checksums right. */
  function checkedFrame(flow: number): Uint8Array {
    const frame = udpFrame(100, flow);
    const view = new DataView(frame.buffer);
    const sum = (from: number, to: number, start: number): number => {
      let total = start;
      for (let at = from; at < to; at += 2) total += view.getUint16(at);
      while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
      return ~total & 0xffff;
    };
    view.setUint16(24, sum(14, 34, 0));
    view.setUint16(40, sum(26, 100, 17 + 66));
    return frame;
  }
  const frames = Array.from({ length: 400 }, (_, i) => ({ bytes: checkedFrame(i % 7), tNs: i * 1000 }));

  it('are found by the checksum offload, and delivered all the same', () => {
    const clean = run('igb', [], { object: XDP_PASS, frames });
    expect(clean.simulation.nic.device.counters.rxChecksumErrors).toBe(0);
    expect(driverSum(clean, 'rxCsumGood')).toBe(400);
    const result = run('igb', [{ kind: 'wire', rate: 0.2 }], { object: XDP_PASS, frames });
    const flipped = injected(result, 'wire');
    const { rxChecksumErrors } = result.simulation.nic.device.counters;
    expect(result.outcomes).toEqual({ stack: 400 });
    expect(driverSum(result, 'rxCsumErrors')).toBe(rxChecksumErrors);
    // Some bits make another protocol or a fragment of it, which has no checksum that could be wrong.
    expect(rxChecksumErrors).toBeGreaterThan(flipped * 0.8);
    expect(rxChecksumErrors).toBeLessThanOrEqual(flipped);
    const changed = result.ends.filter(({ packetId, bytes }) => !Buffer.from(bytes).equals(frames[packetId - 1]!.bytes));
    expect(changed.length).toBe(flipped);
    expectBalance(result);
  });
});

describe('flipped descriptors', () => {
  it.each(PROFILES)('of %s never take a packet or a page, whatever bit it is', (profile) => {
    for (let seed = 1; seed <= 6; seed++) {
      const result = run(profile, [{ kind: 'descriptor', rate: 0.3 }], { seed, frames: stream(150) });
      expectBalance(result);
    }
  }, 120_000);
});

/** Byte 35 of the packet chooses a verdict: 0 to 4, or the socket of the queue. */
const everyVerdict = (frags: boolean): ObjectSpec =>
  xdpProgram(
    `r6 = r1
    r1 = *(u32 *)(r6 + 0)
    r2 = *(u32 *)(r6 + 4)
    r3 = r1
    r3 += 42
    r0 = 1
    if r3 > r2 goto out
    r0 = *(u8 *)(r1 + 35)
    r0 &= 7
    if r0 < 5 goto out
    r2 = *(u32 *)(r6 + 16)
    r1 = map xsks
    r3 = 2
    call 51
    out: exit`,
    { frags, maps: [xskMap] },
  );

const window = fc.tuple(fc.integer({ min: 0, max: 300_000 }), fc.integer({ min: 1, max: 300_000 })).map(([fromNs, lastsNs]) => ({ fromNs, toNs: fromNs + lastsNs }));
const setting = (kind: FaultKind): fc.Arbitrary<FaultSetting> =>
  fc.record({
    kind: fc.constant(kind),
    rate: fc.constantFrom(undefined, 0.02, 0.2, 0.7),
    windows: fc.option(fc.array(window, { minLength: 1, maxLength: 3 }), { nil: undefined }),
    durationNs: ['link', 'tx_stall'].includes(kind) ? fc.constantFrom(undefined, 1000, 50_000) : fc.constant(undefined),
    delayNs: kind === 'late' ? fc.constantFrom(undefined, 1, 30_000) : fc.constant(undefined),
    raisesAgain: kind === 'late' ? fc.constantFrom(undefined, true, false) : fc.constant(undefined),
  });
const faultyScenario = fc.record({
  faults: fc.subarray(FAULT_KINDS.map(({ kind }) => kind), { minLength: 1 }).chain((kinds) => fc.tuple(...kinds.map(setting))),
  profile: fc.constantFrom(...PROFILES),
  frames: fc.array(fc.record({ lenBytes: fc.oneof(fc.integer({ min: 10, max: 1514 }), fc.integer({ min: 1514, max: 9014 })), flow: fc.nat(255), gapNs: fc.constantFrom(0, 0, 100, 5000), copies: fc.constantFrom(1, 1, 3, 70) }), { maxLength: 30 }),
  hasSockets: fc.boolean(),
  queues: fc.integer({ min: 1, max: 3 }),
  isDmaCoherent: fc.boolean(),
  interruptDelayNs: fc.constantFrom(undefined, 0, 20_000),
  watchdogNs: fc.constantFrom(undefined, 100_000, 2e9),
  seed: fc.nat(1000),
});

describe('random plans over random traffic', () => {
  prop([faultyScenario], { numRuns: 20 })(
    'never break the audit',
    ({ faults, profile: name, frames, hasSockets, queues, isDmaCoherent, interruptDelayNs, watchdogNs, seed }) => {
      const profile = findProfile(name)!;
      const isJumbo = name === 'plain';
      let tNs = 0;
      const timed = frames.flatMap(({ lenBytes, flow, gapNs, copies }) => {
        tNs += gapNs;
        const bytes = lenBytes < 42 ? new Uint8Array(lenBytes).fill(flow) : udpFrame(isJumbo ? lenBytes : Math.min(lenBytes, 1514), flow);
        return Array.from({ length: copies }, () => ({ bytes, tNs }));
      });
      const result = run(name, faults, {
        object: everyVerdict(isJumbo), frames: timed, seed,
        ...(watchdogNs === undefined ? {} : { watchdogNs }),
        ...(hasSockets ? { xsk: { application: 'l2fwd' as const } } : {}),
        nic: { queues: Math.min(queues, profile.queues.max), mtu: isJumbo ? 9000 : 1500, isDmaCoherent, interruptDelayNs },
      });
      expectBalance(result);
    },
    120_000,
  );
});

describe('a run ends', () => {
  it('when no page can be had for ever, and the watchdog looks after the empty ring', () => {
    // Each look failed, and asked for the next one.
    const { result } = run('plain', [{ kind: 'alloc' }], { watchdogNs: 2e9 });
    expect(result.audit.ok).toBe(true);
    expect(result.durationNs).toBeLessThan(60e9);
  });

  it('when a frame has no end, and NAPI polls by its timer as long as there is work', () => {
    // The descriptor was seen, counted as work, and polled again every 200 microseconds.
    const { result } = run('plain', [{ kind: 'eop' }], { frames: stream(1), nic: { napi: { deferHardIrqs: 100, groFlushTimeoutNs: 200_000 } } });
    expect(result.audit.ok).toBe(true);
    expect(result.durationNs).toBeLessThan(1e9);
  });
});
