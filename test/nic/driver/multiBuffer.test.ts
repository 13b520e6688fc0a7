import { describe, expect, it } from 'vitest';
import { fixture, nicSettings, returning, simulate, udpFrame, xdpProgram } from '../../support/simulate.js';
import type { TimedFrame } from '../../support/simulate.js';
import { RingWatch } from '../support.js';

const jumbo = { mtu: 9000 };
/** One buffer, two, three; the first with exactly one buffer, the last with the longest frame that the MAC lets in. */
const LENGTHS = [64, 3520, 3521, 7040, 7041, 9014, 9022];
const frames: readonly TimedFrame[] = LENGTHS.map((len, i) => ({ bytes: udpFrame(len), tNs: i * 1000 }));

describe('packets of several buffers', () => {
  it.each([
    ['PASS', 2, 'stack'], ['DROP', 1, 'xdp_drop'], ['ABORTED', 0, 'xdp_aborted'], ['TX', 3, 'tx'], ['an unknown verdict', 9, 'xdp_invalid_verdict'],
  ])('%s: whole, and every buffer comes back', (_, retval, outcome) => {
    const run = simulate({ object: returning(retval, { frags: true }), frames, nic: jumbo });
    expect(run.outcomes).toEqual({ [outcome]: LENGTHS.length });
    for (const { packetId, bytes } of run.ends) expect(Buffer.compare(bytes, frames[packetId - 1].bytes)).toBe(0);
    expect(run.simulation.nic.driver.counters(0)).toMatchObject({ rxPackets: LENGTHS.length, rxBytes: LENGTHS.reduce((sum, len) => sum + len, 0) });
    expect(run.result.audit).toMatchObject({ ok: true });
  });

  it('a sent packet counts once, however many descriptors it took', () => {
    const watch = new RingWatch(nicSettings().profile);
    const run = simulate({ object: returning(3, { frags: true }), frames, nic: { ...jumbo, profile: watch.profile } });
    const { driver, device } = run.simulation.nic;
    expect(device.counters.txPackets).toBe(LENGTHS.length);
    expect(driver.counters(0).txPackets).toBe(LENGTHS.length);
    expect(driver.ringUse(0).txFrames).toBe(LENGTHS.length);
    expect(watch.txSlotsDone).toBe(1 + 1 + 2 + 2 + 3 + 3 + 3);
  });

  it('redirect to the own device: whole, up to MTU + 18', () => {
    const object = xdpProgram('r1 = 1\nr2 = 0\ncall 23\nexit', { frags: true });
    const run = simulate({ object, frames, nic: jumbo });
    expect(run.outcomes).toEqual({ redirect: LENGTHS.length - 1, redirect_too_long: 1 });
    for (const { packetId, bytes } of run.ends) expect(Buffer.compare(bytes, frames[packetId - 1].bytes)).toBe(0);
    expect(run.result.audit.ok).toBe(true);
  });

  it('frags_pass counts them by length', () => {
    const run = simulate({ object: fixture('frags_pass'), frames, nic: jumbo });
    expect(run.outcomes).toEqual({ stack: LENGTHS.length });
    expect(run.simulation.loaded.maps.get('packets_by_length')).toBeDefined();
    const counts = [...run.simulation.loaded.maps.get('packets_by_length')!.entries()].map(({ value }) => value[0]);
    // Up to 64, 128 ... 8192, longer.
    expect(counts).toEqual([1, 0, 0, 0, 0, 0, 2, 2, 2]);
    expect(run.result.audit.ok).toBe(true);
  });

  it('a program without frags is refused at this MTU, and told which one it can have', () => {
    expect(() => simulate({ object: returning(2), frames, nic: jumbo })).toThrow(/MTU 9000 is too large.*ERANGE.*--mtu 3498/);
    expect(simulate({ object: returning(2), frames: [{ bytes: udpFrame(3520) }], nic: { mtu: 3498 } }).outcomes).toEqual({ stack: 1 });
  });

  it('a ring of 63 buffers holds 21 frames of three', () => {
    const run = simulate({ object: returning(1, { frags: true }), frames: Array.from({ length: 30 }, () => ({ bytes: udpFrame(9014) })), nic: { ...jumbo, rxRingSize: 64 } });
    expect(run.outcomes).toEqual({ xdp_drop: 21, rx_missed: 9 });
    expect(run.result.audit.ok).toBe(true);
  });

  it('a frame that does not fit in the rest of the TX ring is dropped whole', () => {
    const run = simulate({ object: returning(3, { frags: true }), frames: Array.from({ length: 22 }, (_, i) => ({ bytes: udpFrame(i < 20 ? 9014 : 4000) })), nic: { ...jumbo, txRingSize: 64 } });
    // 20 * 3 + 2 descriptors, and 1 of 63 left: not enough for the last frame. The budget of 64 descriptors sees all of them in one poll.
    expect(run.outcomes).toEqual({ tx: 21, tx_ring_full: 1 });
    expect(run.result.audit.ok).toBe(true);
  });

  it('a poll never splits a frame: budget 64 is no multiple of 3', () => {
    const many = Array.from({ length: 120 }, (_, i) => ({ bytes: udpFrame(9014, i) }));
    const run = simulate({ object: returning(2, { frags: true }), frames: many, nic: jumbo });
    expect(run.outcomes).toEqual({ stack: 120 });
    for (const { packetId, bytes } of run.ends) expect(Buffer.compare(bytes, many[packetId - 1].bytes)).toBe(0);
    expect(run.result.audit.ok).toBe(true);
  });
});

/** Moves the tail by `delta` and returns `verdict`, or 77 when the helper refused. */
const adjustTail = (delta: number, verdict: string) =>
  xdpProgram(`r6 = r1\nr2 = ${delta}\ncall 65\nif r0 == 0 goto fine\nr0 = 77\nexit\nfine: ${verdict}\nexit`, { frags: true });

describe('bpf_xdp_adjust_tail cuts fragments off whole', () => {
  const VERDICTS: readonly (readonly [string, string, string])[] = [
    ['PASS', 'r0 = 2', 'stack'],
    ['DROP', 'r0 = 1', 'xdp_drop'],
    ['TX', 'r0 = 3', 'tx'],
    ['ABORTED', 'r0 = 0', 'xdp_aborted'],
    ['redirect', 'r1 = 1\nr2 = 0\ncall 23', 'redirect'],
    ['redirect to nowhere', 'r1 = 9\nr2 = 0\ncall 23', 'redirect_no_target'],
    ['a fault', 'r0 = *(u8 *)(r10 + 8)', 'program_fault'],
  ];
  // 9014 bytes are 3520 + 3520 + 1974.
  const CUTS = [[0, 9014], [-1, 9013], [-1973, 7041], [-1974, 7040], [-1975, 7039], [-5494, 3520], [-5495, 3519], [-9000, 14]] as const;
  const cases = VERDICTS.flatMap((verdict) => CUTS.map((cut) => [...verdict, ...cut] as const));

  it.each(cases)('%s (%s): %s after %i, %i bytes', (_, text, outcome, delta, length) => {
    const object = adjustTail(delta, text);
    const run = simulate({ object, frames: [{ bytes: udpFrame(9014) }, { bytes: udpFrame(9014), tNs: 10 }], nic: jumbo });
    expect(run.outcomes).toEqual({ [outcome]: 2 });
    for (const { bytes } of run.ends) expect(Buffer.compare(bytes, udpFrame(9014).subarray(0, length))).toBe(0);
    expect(run.result.audit).toMatchObject({ ok: true });
    const { stats } = run.simulation.nic.driver.bufferUse(0);
    expect(stats.recycle_cached + stats.recycle_ring).toBe(6);
  });

  it('growing fills the last buffer with zeros', () => {
    const run = simulate({ object: adjustTail(1866, 'r0 = 3'), frames: [{ bytes: udpFrame(9014) }], nic: jumbo });
    expect(run.outcomes).toEqual({ tx: 1 });
    expect(Buffer.compare(run.ends[0].bytes, Uint8Array.from([...udpFrame(9014), ...new Uint8Array(1866)]))).toBe(0);
    const tooFar = simulate({ object: adjustTail(1867, 'r0 = 3'), frames: [{ bytes: udpFrame(9014) }], nic: jumbo });
    expect(tooFar.outcomes).toEqual({ xdp_invalid_verdict: 1 });
    expect([run.result.audit.ok, tooFar.result.audit.ok]).toEqual([true, true]);
  });
});
