import { describe, expect, it } from 'vitest';
import { fixture, returning, udpFrame } from '../support/simulate.js';
import { NicBench } from './support.js';

const HALF = 2 ** 31;

/** Everything that the NIC uses lies above 2 GiB, where a signed 32-bit integer is negative. */
const high = (object = returning(2)): NicBench => new NicBench({ object, reservedBytes: HALF, settings: { queues: 4, rxRingSize: 64, txRingSize: 128 } });

describe('a NIC whose memory lies above 2 GiB', () => {
  it('still hashes frames to their queues', () => {
    const bench = high();
    expect(bench.allocator.ledger.baseAddress).toBeGreaterThan(HALF);
    bench.arrive(Array.from({ length: 32 }, (_, flow) => udpFrame(64, flow)));
    expect(new Set(bench.ends.map(({ queue }) => queue)).size).toBe(4);
  });

  it.each([
    ['stack', returning(2)], ['xdp_drop', returning(1)], ['tx', returning(3)], ['redirect', fixture('redirect_self')],
  ])('ends packets in %s with their bytes', (outcome, object) => {
    const named = { ...object, programs: object.programs.map((program) => ({ ...program, name: 'main' })) };
    const bench = high(named);
    const frames = Array.from({ length: 64 }, (_, flow) => udpFrame(64 + flow, flow));
    for (let round = 0; round < 5; round++) bench.arrive(frames);
    expect(bench.ends.length).toBe(320);
    for (const end of bench.ends) {
      expect(end.outcome).toBe(outcome);
      expect(end.bytes).toEqual(frames[(end.packetId - 1) % 64]);
    }
    expect(bench.allocator.ledger.violations).toEqual([]);
    expect(bench.nic.iommu.faults).toEqual([]);
  });

  it('tells where a dropped runt lies', () => {
    const bench = high();
    bench.arrive([udpFrame(64).subarray(0, 13)]);
    expect(bench.ends).toMatchObject([{ outcome: 'rx_runt', bytes: udpFrame(64).subarray(0, 13) }]);
  });
});
