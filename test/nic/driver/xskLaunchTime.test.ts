import { describe, expect, it } from 'vitest';
import { checkSettings, findProfile, PROFILES } from '../../../src/nic/index.js';
import type { NicSettings } from '../../../src/nic/index.js';
import { XDP_COPY, XDP_TX_METADATA, XDP_TXMD_FLAGS_LAUNCH_TIME, XDP_TXMD_FLAGS_TIMESTAMP, XDP_ZEROCOPY } from '../../../src/umem/index.js';
import { fc, prop } from '../../support/property.js';
import { nicSettings, udpFrame } from '../../support/simulate.js';
import { ZeroCopyBench } from './zeroCopyBench.js';

const igc = findProfile('igc')!;
const META = 24;
const CHUNK = 2048;
const S = 1e9;
const MS = 1e6;
const EMPTY_FRAME = new Uint8Array(60);
const frame = (i: number): Uint8Array => udpFrame(64, i);

/** An igc with launch times on its only queue, and a socket on it. */
function bench({ bindFlags = XDP_ZEROCOPY, settings = {} }: { bindFlags?: number; settings?: Partial<NicSettings> } = {}): ZeroCopyBench {
  return new ZeroCopyBench({ profile: igc, txMetadataBytes: META, bindFlags, usesNeedWakeup: false, settings: { launchTimeQueues: [0], ...settings } });
}

/** Queues the frame with this number, which asks for a launch time, or for nothing. */
function queue(on: ZeroCopyBench, i: number, launchNs?: number | bigint): void {
  const at = i * CHUNK + META;
  const view = new DataView(on.memory.u8.buffer, on.umem.address + at - META, META);
  view.setBigUint64(0, launchNs === undefined ? 0n : BigInt(XDP_TXMD_FLAGS_LAUNCH_TIME | XDP_TXMD_FLAGS_TIMESTAMP), true);
  view.setBigUint64(16, BigInt(launchNs ?? 0), true);
  on.send(at, frame(i), launchNs === undefined ? 0 : XDP_TX_METADATA);
}

/** The time stamp of completion of the frame with this number. */
const timestampOf = (on: ZeroCopyBench, i: number): number => Number(new DataView(on.memory.u8.buffer).getBigUint64(on.umem.address + i * CHUNK + 8, true));

/** Frames without the empty ones, by their number, with the time at which each left. */
function left(on: ZeroCopyBench): [number, number][] {
  return on.wire.flatMap((bytes, at) => (isEmpty(bytes) ? [] : [[(bytes[34]! << 8) | bytes[35]!, on.wireNs[at]!] as [number, number]]));
}

const isEmpty = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

describe('igc, zero copy', () => {
  it('a frame leaves at its launch time, and its time stamp says so', () => {
    const on = bench();
    queue(on, 0, 250 * MS);
    on.sendto();
    expect(on.wire).toEqual([]);
    on.passTime(250 * MS - on.scheduler.nowNs - 1);
    expect([on.wire, on.reclaim()]).toEqual([[], []]);
    on.passTime(1);
    expect(left(on)).toEqual([[0, 250 * MS]]);
    on.passTime(MS);
    expect([on.reclaim(), timestampOf(on, 0)]).toEqual([[META], 250 * MS]);
    expect(on.close()).toEqual([]);
  });

  it('a frame whose time is past leaves at once', () => {
    const on = bench();
    on.passTime(S + 500 * MS);
    queue(on, 0, S + 400 * MS);
    queue(on, 1, 1);
    on.sendto();
    expect(left(on).map(([i]) => i)).toEqual([0, 1]);
    expect(on.close()).toEqual([]);
  });

  it('a frame that waits holds back all behind it: the queue is a FIFO', () => {
    const on = bench();
    queue(on, 0, 300 * MS);
    queue(on, 1, 100 * MS);
    queue(on, 2);
    queue(on, 3, 300 * MS);
    queue(on, 4, 400 * MS);
    on.sendto();
    on.passTime(S);
    expect(left(on)).toEqual([[0, 300 * MS], [1, 300 * MS], [2, 300 * MS], [3, 300 * MS], [4, 400 * MS]]);
    expect(on.close()).toEqual([]);
  });

  it('a time in the next cycle: an empty frame goes first, as FIRST waits for nothing in a cycle in which nothing was sent', () => {
    const on = bench();
    queue(on, 0, S + 200 * MS);
    queue(on, 1, S + 300 * MS);
    on.sendto();
    expect(on.wire).toEqual([EMPTY_FRAME]);
    expect(on.applicationFrames).toEqual([]);
    on.passTime(2 * S);
    expect(left(on)).toEqual([[0, S + 200 * MS], [1, S + 300 * MS]]);
    expect(on.wire.length).toBe(3);
    expect(on.counters.txPackets).toBe(3);
    expect(on.close()).toEqual([]);
  });

  it('a frame with a time that was queued in this cycle before makes the empty one needless', () => {
    const on = bench();
    queue(on, 0, 900 * MS);
    queue(on, 1, S + 10 * MS);
    on.sendto();
    on.passTime(2 * S);
    expect(on.wire).toEqual([frame(0), frame(1)]);
    expect(on.wireNs).toEqual([900 * MS, S + 10 * MS]);
    expect(on.close()).toEqual([]);
  });

  it('behind the horizon, the end of the next cycle, a frame leaves too early', () => {
    const on = bench();
    queue(on, 0, 2 * S + 100 * MS);
    on.sendto();
    on.passTime(4 * S);
    expect(left(on)).toEqual([[0, S + 100 * MS]]);
    expect(on.close()).toEqual([]);
  });

  it('the driver keeps the offset in 32 bits: from 2^31 ns on it is negative, and the frame opens the next cycle', () => {
    const on = bench();
    queue(on, 0, 2 ** 31);
    on.sendto();
    on.passTime(4 * S);
    expect(left(on)).toEqual([[0, S]]);
    expect(on.close()).toEqual([]);
  });

  it.each([2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])('a time of %s ns holds nothing up for longer than two cycles', (launchNs) => {
    const on = bench();
    queue(on, 0, launchNs);
    on.sendto();
    on.passTime(2 * S);
    expect(left(on).length).toBe(1);
    expect(on.close()).toEqual([]);
  });

  it('queues that are not set up for it pass the request over', () => {
    const on = bench({ settings: { launchTimeQueues: [] } });
    queue(on, 0, 500 * MS);
    on.sendto();
    expect(left(on)).toEqual([[0, on.scheduler.nowNs]]);
    expect(on.close()).toEqual([]);
  });

  it('by the clock of the device, wherever it stands and however fast it runs', () => {
    const on = bench();
    const { clock } = on.nic.device;
    clock.setTime(on.scheduler.nowNs, 100 * MS);
    expect(clock.adjustFrequency(on.scheduler.nowNs, 50 * 65536).ok).toBe(true);
    queue(on, 0, 600 * MS);
    on.sendto();
    on.passTime(S);
    const [[, leftNs]] = left(on) as [[number, number]];
    expect([clock.timeAt(leftNs) >= 600 * MS, clock.timeAt(leftNs - 1) < 600 * MS]).toEqual([true, true]);
    on.passTime(MS);
    expect(timestampOf(on, 0)).toBe(clock.timeAt(leftNs));
    expect(on.close()).toEqual([]);
  });

  it('shut down while a frame waits, it never leaves, and its chunk and the empty frame come back', () => {
    const on = bench();
    queue(on, 0, 500 * MS);
    queue(on, 1, S + 500 * MS);
    on.sendto();
    expect(on.close()).toEqual([]);
    on.passTime(3 * S);
    expect(on.wire).toEqual([]);
  });

  it('a ring that is full of waiting frames takes the others as it drains', () => {
    const on = bench({ settings: { txRingSize: 64 } });
    for (let i = 0; i < 60; i++) queue(on, i, (i + 1) * 10 * MS);
    on.sendto();
    on.passTime(2 * S);
    for (let i = 0; i < 20; i++) {
      on.reclaim();
      on.sendto();
      on.passTime(100 * MS);
    }
    expect(left(on).map(([i]) => i)).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(on.close()).toEqual([]);
  });

  it('without memory for an empty frame the request is passed over', () => {
    const on = bench();
    on.allocator.shouldFail = () => true;
    queue(on, 0, S + 500 * MS);
    on.sendto();
    expect(left(on)).toEqual([[0, on.scheduler.nowNs]]);
    expect(on.close()).toEqual([]);
  });
});

describe('igc, copy mode', () => {
  it('the time is in the skb, and the driver takes it from there', () => {
    const on = bench({ bindFlags: XDP_COPY });
    queue(on, 0, 250 * MS);
    queue(on, 1, S + 100 * MS);
    expect(on.sendto()).toBe(0);
    expect(on.wire).toEqual([]);
    on.passTime(2 * S);
    expect(on.wire).toEqual([frame(0), frame(1)]);
    expect(on.wireNs).toEqual([250 * MS, S + 100 * MS]);
    on.passTime(MS);
    expect(on.reclaim()).toEqual([META, CHUNK + META]);
    expect(on.close()).toEqual([]);
  });

  it('a frame that asks for no time has the time 0, which is past', () => {
    const on = bench({ bindFlags: XDP_COPY });
    on.passTime(1500 * MS);
    queue(on, 0);
    expect(on.sendto()).toBe(0);
    expect(left(on)).toEqual([[0, on.scheduler.nowNs]]);
    expect(on.close()).toEqual([]);
  });

  it('the difference to the start of the cycle has 32 bits: from 3 s on the time 0 may be one to come', () => {
    const on = bench({ bindFlags: XDP_COPY });
    on.passTime(3 * S);
    queue(on, 0);
    expect(on.sendto()).toBe(0);
    on.passTime(S);
    expect(left(on)).toEqual([[0, 3 * S + ((2 ** 32 - 3 * S) % S)]]);
    expect(on.close()).toEqual([]);
  });

  it('shut down while frames wait, their pages come back', () => {
    const on = bench({ bindFlags: XDP_COPY });
    queue(on, 0, S + 500 * MS);
    expect(on.sendto()).toBe(0);
    expect(on.wire).toEqual([EMPTY_FRAME]);
    expect(on.close()).toEqual([]);
    on.passTime(3 * S);
    expect(on.wire).toEqual([EMPTY_FRAME]);
  });
});

it.each(PROFILES.map(({ name }) => name))('%s: launch times can be set up where the driver has them, on queues that there are', (name) => {
  const profile = findProfile(name)!;
  const settings = nicSettings({ profile, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default });
  const problem = checkSettings({ ...settings, launchTimeQueues: [0] });
  if (profile.xdp.zeroCopy?.txMetadata?.launchTime === true) {
    expect(problem).toBeUndefined();
    expect(checkSettings({ ...settings, launchTimeQueues: [1] })).toMatchObject({ code: 'nic-launch-time', message: expect.stringContaining('EINVAL') as string });
  } else expect(problem).toMatchObject({ code: 'nic-launch-time', message: expect.stringContaining('EOPNOTSUPP') as string });
});

const request = fc.oneof(fc.constant(undefined), fc.integer({ min: 0, max: 3000 }).map((ms) => ms * MS), fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.constantFrom(S, 2 * S, S - 1));
const step = fc.record({ launches: fc.array(request, { minLength: 1, maxLength: 6 }), passMs: fc.integer({ min: 0, max: 700 }) });

prop([fc.array(step, { minLength: 1, maxLength: 12 }), fc.boolean()], { numRuns: 60 })(
  'whatever the times: frames keep their order, none within the horizon leaves before its time, nothing is lost',
  (steps, isCopy) => {
    const on = bench({ bindFlags: isCopy ? XDP_COPY : XDP_ZEROCOPY });
    const asked: { launchNs: number; queuedNs: number }[] = [];
    for (const { launches, passMs } of steps) {
      for (const launchNs of launches) {
        queue(on, asked.length, launchNs);
        asked.push({ launchNs: launchNs ?? 0, queuedNs: on.scheduler.nowNs });
      }
      on.sendto();
      on.passTime(passMs * MS);
      on.reclaim();
    }
    // Each frame waits less than two cycles behind the one before it.
    on.passTime(2 * S * (asked.length + 1));
    on.sendto();
    on.passTime(2 * S * (asked.length + 1));
    const seen = left(on);
    expect(seen.map(([i]) => i)).toEqual(asked.map((_, i) => i));
    seen.forEach(([i, leftNs]) => {
      const { launchNs, queuedNs } = asked[i]!;
      const horizonNs = (Math.floor(queuedNs / S) + 2) * S;
      if (launchNs < horizonNs) expect(leftNs).toBeGreaterThanOrEqual(launchNs);
      expect(leftNs).toBeGreaterThanOrEqual(queuedNs);
      if (i > 0) expect(leftNs).toBeGreaterThanOrEqual(seen[i - 1]![1]);
    });
    expect(on.applicationFrames.length).toBe(asked.length);
    expect(on.close()).toEqual([]);
  },
);
