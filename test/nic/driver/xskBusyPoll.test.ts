import { describe, expect, it } from 'vitest';
import { SO_BUSY_POLL, SO_BUSY_POLL_BUDGET, SO_PREFER_BUSY_POLL, SOL_SOCKET } from '../../../src/umem/index.js';
import { udpFrame } from '../../support/simulate.js';
import { u32Bytes, ZERO_COPY_PROFILES, ZeroCopyBench } from './zeroCopyBench.js';

describe.each(ZERO_COPY_PROFILES)('$name', (profile) => {
  const busyBench = (): ZeroCopyBench => {
    const bench = new ZeroCopyBench({ profile, filled: 128, settings: { interruptDelayNs: 1_000_000, napi: { deferHardIrqs: 10, groFlushTimeoutNs: 1_000_000 } } });
    for (const [name, value] of [[SO_BUSY_POLL, 20], [SO_PREFER_BUSY_POLL, 1], [SO_BUSY_POLL_BUDGET, 16]] as const) expect(bench.afXdp.setsockopt(bench.fd, SOL_SOCKET, name, u32Bytes(value))).toBe(0);
    return bench;
  };

  it('a call receives and sends by itself, before any interrupt, and wakes nobody', () => {
    const bench = busyBench();
    bench.arrive(...Array.from({ length: 8 }, (_, i) => udpFrame(60 + i)));
    expect(bench.ends).toEqual([]);
    expect(bench.afXdp.recvfrom(bench.fd, 0x40)).toBe(0);
    const received = bench.consumeAll();
    expect(received.map(({ len }) => len)).toEqual([60, 61, 62, 63, 64, 65, 66, 67]);
    for (const { offBytes, len } of received) bench.queue(offBytes, len);
    expect(bench.sendto()).toBe(0);
    expect(bench.wire.length).toBe(8);
    // Their completion is found by the next call.
    expect(bench.sendto()).toBe(0);
    expect(bench.reclaim()).toEqual(received.map(({ offBytes }) => offBytes));
    expect(bench.close()).toEqual([]);
  });
});
