import { describe, expect, it } from 'vitest';
import { EOPNOTSUPP } from '../../../src/base/index.js';
import { findProfile } from '../../../src/nic/index.js';
import { udpFrame } from '../../support/simulate.js';
import { ZeroCopyBench } from './zeroCopyBench.js';

const CHUNK = 2048;

describe.each(['ixgbe', 'i40e'])('%s, older kernels', (name) => {
  const profile = findProfile(name)!;

  it('6.1 passes over invalid descriptors, 6.6 ends its round with one', () => {
    const wires = (['6.1', '6.6'] as const).map((kernel) => {
      const bench = new ZeroCopyBench({ profile, kernel });
      bench.send(0, udpFrame(60));
      bench.queue(CHUNK, 60, { options: 8 });
      bench.queue(2 * CHUNK + 2000, 60);
      bench.send(3 * CHUNK, udpFrame(61));
      bench.sendto();
      expect(bench.reclaim().length).toBe(bench.wire.length);
      const frames = bench.wire.length;
      for (let i = 0; i < 3; i++) bench.sendto();
      expect([bench.wire.length, bench.socket.statistics.tx_invalid_descs]).toEqual([2, 2]);
      expect(bench.close()).toEqual([]);
      return frames;
    });
    expect(wires).toEqual([2, 1]);
  });

  it('before 6.10 the socket that was bound last sends as long as it has something', () => {
    const bench = new ZeroCopyBench({ profile, kernel: '6.6', settings: { txRingSize: 256 } });
    const other = bench.share();
    for (let i = 0; i < 50; i++) {
      bench.send(i * CHUNK, udpFrame(100));
      bench.send((60 + i) * CHUNK, udpFrame(200), 0, other);
    }
    for (let i = 0; i < 4; i++) bench.sendto();
    expect(bench.wire.map(({ length }) => length)).toEqual([...Array<number>(50).fill(200), ...Array<number>(50).fill(100)]);
    expect(bench.close()).toEqual([]);
  });

  it('before 6.18 bind does not look at the MTU', () => {
    expect(new ZeroCopyBench({ profile, kernel: '6.6', headroomBytes: 448 }).bound).toBe(0);
  });
});

it.each(['igb', 'virtio_net', 'octeontx2'])('%s has no zero copy in 6.6', (name) => {
  expect(new ZeroCopyBench({ profile: findProfile(name)!, kernel: '6.6' }).bound).toBe(-EOPNOTSUPP);
});
