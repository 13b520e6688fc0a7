import { describe, expect, it } from 'vitest';
import { IOMMU_READ } from '../../../src/nic/index.js';
import { burst, fixture, nicSettings, returning, simulate, udpFrame, xdpProgram } from '../../support/simulate.js';
import type { Simulated } from '../../support/simulate.js';
import { RingWatch } from '../support.js';

/** Counters of queue 0 that are not 0; polls, doorbells and rounds of completion aside. */
export function moved({ simulation }: Simulated): Record<string, number> {
  const { polls: _polls, rxKicks: _rx, txKicks: _tx, xdpTxCompletions: _own, txXdpXmitCompletions: _xmit, ...counters } = simulation.nic.driver.counters(0);
  return Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== 0));
}

const frames = burst(10);

describe('every verdict', () => {
  it.each([
    ['XDP_ABORTED', 0, 'xdp_aborted', { xdpExceptions: 10, xdpAborted: 10 }],
    ['XDP_DROP', 1, 'xdp_drop', { xdpDrop: 10 }],
    ['XDP_PASS', 2, 'stack', { xdpPass: 10, stackPackets: 10, stackBytes: 640 }],
    ['XDP_TX', 3, 'tx', { xdpTx: 10, txPackets: 10, txBytes: 640, txXdpPackets: 10, txXdpBytes: 640 }],
    ['XDP_REDIRECT without a helper', 4, 'redirect_no_helper', { xdpRedirectErrors: 10 }],
    ['5, which is none', 5, 'xdp_invalid_verdict', { xdpExceptions: 10, xdpInvalid: 10 }],
    ['-1, which is none', -1, 'xdp_invalid_verdict', { xdpExceptions: 10, xdpInvalid: 10 }],
  ])('%s', (_, retval, outcome, counters) => {
    const run = simulate({ object: returning(retval), frames });
    expect(run.outcomes).toEqual({ [outcome]: 10 });
    expect(moved(run)).toEqual({ rxPackets: 10, rxBytes: 640, ...counters });
    expect([...run.simulation.nic.driver.verdicts]).toEqual([0, 1, 2, 3, 4, 5].map((at) => (at === (retval >>> 0 > 4 ? 5 : retval) ? 10 : 0)));
    expect(run.ends.map(({ packetId, retval: seen, queue }) => [packetId, seen, queue])).toEqual(frames.map((_frame, i) => [i + 1, retval >>> 0, 0]));
    for (const { bytes, meta } of run.ends) expect([bytes, meta.length]).toEqual([udpFrame(64), 0]);
    expect(run.result.audit.ok).toBe(true);
  });

  it('a program that faults ends the packet, is counted as aborted and in no verdict', () => {
    const run = simulate({ object: xdpProgram('r0 = *(u8 *)(r10 + 8)\nexit'), frames });
    expect(run.outcomes).toEqual({ program_fault: 10 });
    expect(moved(run)).toEqual({ rxPackets: 10, rxBytes: 640, xdpExceptions: 10 });
    expect(run.simulation.nic.driver.verdicts.every((count) => count === 0)).toBe(true);
    expect(run.result.faultCount).toBe(10);
    expect(run.result.faults[0]).toMatchObject({ packetId: 1, fault: { name: 'bad-access' } });
    expect(run.result.audit.ok).toBe(true);
  });

  it('a program that runs out of its budget faults', () => {
    const run = simulate({ object: xdpProgram('again: goto again\nexit'), frames: burst(2), instructionBudget: 1000 });
    expect(run.outcomes).toEqual({ program_fault: 2 });
    expect(run.result.audit.ok).toBe(true);
  });

  it('keeps the first 16 faults and counts all', () => {
    const run = simulate({ object: xdpProgram('r0 = *(u8 *)(r10 + 8)\nexit'), frames: burst(40) });
    expect([run.result.faultCount, run.result.faults.length]).toEqual([40, 16]);
  });
});

describe('what the program changed', () => {
  it('adjust_head: shorter and longer packets arrive as they are', () => {
    const cut = simulate({ object: xdpProgram('r2 = 14\ncall 44\nr0 = 2\nexit'), frames: burst(1) });
    expect(cut.ends[0].bytes).toEqual(udpFrame(64).subarray(14));
    const grown = simulate({ object: xdpProgram('r2 = -216\ncall 44\nr0 = 3\nexit'), frames: burst(1) });
    expect(grown.ends[0].bytes.length).toBe(64 + 216);
    expect(grown.ends[0].bytes.subarray(216)).toEqual(udpFrame(64));
    expect([cut.result.audit.ok, grown.result.audit.ok]).toEqual([true, true]);
  });

  it('adjust_tail: up to the tailroom, with zeros', () => {
    const run = simulate({ object: xdpProgram('r2 = 3456\ncall 65\nif r0 == 0 goto sent\nr0 = 0\nexit\nsent: r0 = 3\nexit'), frames: burst(1) });
    expect(run.outcomes).toEqual({ tx: 1 });
    expect(run.ends[0].bytes).toEqual(Uint8Array.from([...udpFrame(64), ...new Uint8Array(3456)]));
  });

  it('metadata is seen by whoever gets the packet, but never sent', () => {
    const text = (verdict: number): string => `r6 = r1
      r2 = -4
      call 54
      r1 = *(u32 *)(r6 + 8)
      r2 = *(u32 *)(r6 + 0)
      r3 = r1
      r3 += 4
      if r3 > r2 goto out
      *(u32 *)(r1 + 0) = 0x04030201
      out: r0 = ${verdict}
      exit`;
    const passed = simulate({ object: xdpProgram(text(2)), frames: burst(1) });
    expect([...passed.ends[0].meta]).toEqual([1, 2, 3, 4]);
    expect(passed.ends[0].bytes).toEqual(udpFrame(64));
    const sent = simulate({ object: xdpProgram(text(3)), frames: burst(1) });
    expect([...sent.ends[0].meta]).toEqual([]);
    expect(sent.ends[0].bytes).toEqual(udpFrame(64));
  });

  it('each packet starts afresh: no length, metadata or redirect is left of the one before', () => {
    // The first packet redirects and cuts; the second only returns 4.
    const object = xdpProgram(`r6 = r1
      r1 = *(u32 *)(r6 + 0)
      r2 = *(u32 *)(r6 + 4)
      r3 = r1
      r3 += 60
      if r3 > r2 goto plain
      r0 = *(u8 *)(r1 + 35)
      if r0 != 1 goto plain
      r1 = 1
      r2 = 0
      call 23
      r1 = r6
      r2 = -20
      call 65
      plain: r0 = 4
      exit`);
    const run = simulate({ object, frames: [{ bytes: udpFrame(64, 1) }, { bytes: udpFrame(64, 2) }] });
    expect(run.outcomes).toEqual({ redirect: 1, redirect_no_helper: 1 });
    expect(run.ends.map(({ packetId, bytes }) => [packetId, bytes.length]).sort()).toEqual([[1, 44], [2, 64]]);
  });
});

describe('NAPI', () => {
  it('a poll takes at most 64 descriptors; while there is more, the interrupt stays masked', () => {
    const run = simulate({ object: returning(1), frames: burst(300), nic: { interruptDelayNs: 50_000 } });
    expect(run.outcomes).toEqual({ xdp_drop: 300 });
    // 64 four times and 44. A full poll is followed by another one, which may find nothing.
    expect(run.simulation.nic.driver.counters(0).polls).toBeGreaterThanOrEqual(5);
    expect(run.result.durationNs).toBe(0);
  });

  it('few frames wait for the delay', () => {
    const run = simulate({ object: returning(1), frames: burst(10), nic: { interruptDelayNs: 50_000 } });
    expect(run.ends.every(({ tNs }) => tNs === 1e9 + 50_000)).toBe(true);
    expect(run.simulation.nic.driver.counters(0).polls).toBe(1);
  });

  it('a ring that is smaller than the burst misses the rest', () => {
    const run = simulate({ object: returning(1), frames: burst(64), nic: { rxRingSize: 64 } });
    expect(run.outcomes).toEqual({ xdp_drop: 63, rx_missed: 1 });
    expect(run.ends.find(({ outcome }) => outcome === 'rx_missed')).toMatchObject({ packetId: 64, retval: -1, queue: 0, bytes: udpFrame(64) });
    expect(run.result.audit.ok).toBe(true);
  });

  it('queue and CPU of a packet reach the program', () => {
    // r0 = rx_queue_index + 8 * (smp_processor_id + 1), which is no verdict and so comes back as retval.
    const object = xdpProgram('r6 = *(u32 *)(r1 + 16)\ncall 8\nr0 += 1\nr0 <<= 3\nr0 += r6\nexit');
    const run = simulate({ object, frames: Array.from({ length: 40 }, (_, flow) => ({ bytes: udpFrame(64, flow) })), nic: { queues: 4 } });
    expect(new Set(run.ends.map(({ queue }) => queue))).toEqual(new Set([0, 1, 2, 3]));
    for (const { queue, retval } of run.ends) expect(retval).toBe((queue + 1) * 8 + queue);
  });
});

describe('buffers that the IOMMU refuses', () => {
  it('lose their packet, come back and fail the audit', () => {
    const watch = new RingWatch(nicSettings().profile);
    const run = simulate({
      object: returning(2),
      frames: burst(5),
      nic: { profile: watch.profile },
      before: ({ nic: { iommu } }) => watch.remap(iommu, 2, IOMMU_READ),
    });
    expect(run.outcomes).toEqual({ stack: 4, rx_dma_error: 1 });
    expect(moved(run)).toMatchObject({ rxPackets: 4, rxErrors: 1 });
    expect(run.result.audit.checks.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(['DMA mappings']);
  });
});

describe('pool and stack', () => {
  it('pages of passed packets come back through the ring, dropped ones through the cache', () => {
    const passed = simulate({ object: returning(2), frames: burst(10) });
    expect(passed.simulation.nic.driver.bufferUse(0).stats).toMatchObject({ recycle_ring: 10, recycle_cached: 0 });
    const dropped = simulate({ object: returning(1), frames: burst(10) });
    expect(dropped.simulation.nic.driver.bufferUse(0).stats).toMatchObject({ recycle_ring: 0, recycle_cached: 10 });
    const sent = simulate({ object: returning(3), frames: burst(10) });
    expect(sent.simulation.nic.driver.bufferUse(0).stats).toMatchObject({ recycle_ring: 0, recycle_cached: 10 });
    const redirected = simulate({ object: fixture('redirect_self'), frames: burst(10) });
    expect(redirected.simulation.nic.driver.bufferUse(0).stats).toMatchObject({ recycle_ring: 0, recycle_cached: 10 });
  });

  it('a long run needs no more pages than its rings hold', () => {
    const run = simulate({ object: returning(3), frames: Array.from({ length: 3000 }, (_, i) => ({ bytes: udpFrame(64, i), tNs: i * 100 })), nic: { rxRingSize: 64, txRingSize: 64 } });
    expect(run.outcomes).toEqual({ tx: 3000 });
    expect(run.simulation.nic.driver.bufferUse(0).holdCount).toBeLessThanOrEqual(128);
    expect(run.result.audit.ok).toBe(true);
  });
});
