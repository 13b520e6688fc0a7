import { describe, expect, it } from 'vitest';
import { XDP_SHARED_UMEM } from '../../../src/umem/index.js';
import { udpFrame } from '../../support/simulate.js';
import { ZERO_COPY_PROFILES, ZeroCopyBench } from './zeroCopyBench.js';

const CHUNK = 2048;

describe.each(ZERO_COPY_PROFILES)('$name: one UMEM on two queues', (profile) => {
  it('it is mapped once, until the last of its pools is gone, and each queue has its own rings', () => {
    const bench = new ZeroCopyBench({ profile, settings: { queues: 2 }, filled: 40 });
    const mapped = bench.nic.iommu.mappedCount;
    const fd = bench.openSocket();
    bench.makePoolRings(fd);
    expect(bench.bind(fd, XDP_SHARED_UMEM, 1, bench.fd)).toBe(0);
    const other = bench.afXdp.socketOf(fd)!;
    expect([other.isZeroCopy, other.pool === bench.pool, other.umem === bench.umem]).toEqual([true, false, true]);
    bench.attach(1, other);
    // The queue's own pages are on nobody's ring any more; the UMEM needs no more I/O pages than before.
    expect(bench.nic.iommu.mappedCount).toBeLessThanOrEqual(mapped);
    const { ring } = other.pool!.fill;
    for (let i = 60; i < 100; i++) {
      ring.u32.set([i * CHUNK, 0], ring.entryWord(ring.producer));
      ring.producer += 1;
    }
    bench.recvfrom(fd);

    bench.arrive(...Array.from({ length: 30 }, (_, i) => udpFrame(60 + i, i * 977)));
    const [first, second] = [bench.consumeAll(), bench.consumeAll(other)];
    expect([first.length + second.length, bench.ends.every(({ outcome }) => outcome === 'xsk')]).toEqual([30, true]);
    expect(first.every(({ chunk }) => chunk < 40 * CHUNK) && second.every(({ chunk }) => chunk >= 60 * CHUNK)).toBe(true);
    for (const { offBytes, len } of second) bench.queue(offBytes, len, { socket: other });
    bench.sendto(fd);
    expect(bench.wire.length).toBe(second.length);

    bench.afXdp.close(bench.fd);
    bench.passTime(1_000_000_000);
    expect([bench.nic.driver.ringUse(0).rxChunks, bench.nic.driver.ringUse(1).rxChunks! > 0]).toEqual([0, true]);
    bench.send(100 * CHUNK, udpFrame(99), 0, other);
    bench.sendto(fd);
    expect(bench.wire.at(-1)).toEqual(udpFrame(99));
    bench.afXdp.close(fd);
    bench.passTime(1_000_000_000);
    expect(bench.close()).toEqual([]);
  });
});
