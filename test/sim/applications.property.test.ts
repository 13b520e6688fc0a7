import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KERNEL_RELEASES } from '../../src/base/index.js';
import type { KernelRelease } from '../../src/base/index.js';
import { findProfile } from '../../src/nic/index.js';
import { MAX_SKB_DESCRIPTORS } from '../../src/umem/index.js';
import { redirectToSocket, simulate, udpFrame } from '../support/simulate.js';
import type { SimulateOptions } from '../support/simulate.js';

// The applications with random rings, chunks, NICs and traffic: nothing is lost, nothing hangs, no rule is broken.

const size = (low: number, high: number): fc.Arbitrary<number> => fc.integer({ min: low, max: high }).map((shift) => 2 ** shift);

const settings = fc
  .record({
    mode: fc.constantFrom('auto' as const, 'copy' as const),
    isUnaligned: fc.boolean(),
    chunk: fc.integer({ min: 2048, max: 4096 }),
    headroom: fc.integer({ min: 0, max: 1344 }),
    usesNeedWakeup: fc.boolean(),
    hasSg: fc.boolean(),
    chunkCount: fc.integer({ min: 1, max: 700 }),
    rings: fc.record({ rx: size(0, 9), tx: size(0, 9), fill: size(0, 10), completion: size(0, 9) }),
  })
  .map(({ chunk, headroom, ...rest }) => ({ ...rest, headroomBytes: headroom, chunkSizeBytes: rest.isUnaligned ? chunk : chunk < 3000 ? 2048 : 4096 }));

const nics = fc.constantFrom('plain', 'igb', 'ixgbe', 'i40e', 'ice', 'mlx5', 'virtio_net', 'veth');
const kernels = fc.constantFrom<KernelRelease>(...KERNEL_RELEASES);

it.each(['rxdrop', 'l2fwd', 'echo'])('%s', (application) => {
  fc.assert(
    fc.property(nics, kernels, settings, fc.array(fc.tuple(fc.integer({ min: 60, max: 1514 }), fc.integer({ min: 0, max: 30_000 })), { maxLength: 120 }), (nic, kernel, xsk, traffic) => {
      const profile = findProfile(nic)!;
      const hasSg = xsk.hasSg && kernel !== '6.1';
      let tNs = 0;
      const run = simulate({
        object: redirectToSocket(),
        kernel,
        frames: traffic.map(([lenBytes, gapNs], i) => ({ bytes: udpFrame(lenBytes, i), tNs: (tNs += gapNs) })),
        nic: { profile, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default },
        xsk: { application, ...xsk, hasSg },
      });
      expect(run.result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
      const [socket] = run.simulation.sockets;
      expect(socket.umem!.watch!.findings.all.filter(({ severity }) => severity === 'mistake')).toEqual([]);
      expect([socket.rx!.ring.used, socket.tx!.ring.used, socket.pool!.completion.ring.used]).toEqual([0, 0, 0]);
      const received = run.outcomes['xsk'] ?? 0;
      expect(Object.values(run.outcomes).reduce((sum, count) => sum + count, 0)).toBe(traffic.length);
      if (application === 'rxdrop') expect(run.result.applicationFrames).toBe(0);
      // A packet of more parts than TX or COMPLETION takes is dropped.
      else if (application === 'l2fwd' && xsk.rings.tx >= MAX_SKB_DESCRIPTORS && xsk.rings.completion >= MAX_SKB_DESCRIPTORS) expect(run.result.applicationFrames).toBe(received);
    }),
    { numRuns: 40 },
  );
});

it.each(['rxdrop', 'l2fwd', 'echo'])('%s, packets of several descriptors', (application) => {
  const jumbo = fc.array(fc.tuple(fc.integer({ min: 60, max: 9000 }), fc.integer({ min: 0, max: 30_000 })), { maxLength: 40 });
  fc.assert(
    fc.property(fc.constantFrom('plain', 'i40e', 'ice', 'mlx5', 'veth'), fc.constantFrom<KernelRelease>('6.6', '6.18'), settings, fc.integer({ min: 0, max: 300 }), jumbo, (nic, kernel, xsk, headroomBytes, traffic) => {
      const profile = findProfile(nic)!;
      let tNs = 0;
      const run = simulate({
        object: redirectToSocket({ frags: true }),
        kernel,
        frames: traffic.map(([lenBytes, gapNs], i) => ({ bytes: udpFrame(lenBytes, i), tNs: (tNs += gapNs) })),
        nic: { profile, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, mtu: 9000 },
        xsk: { application, ...xsk, headroomBytes, hasSg: true },
      });
      expect(run.result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
      const [socket] = run.simulation.sockets;
      expect(socket.umem!.watch!.findings.all.filter(({ severity }) => severity === 'mistake')).toEqual([]);
      expect([socket.rx!.ring.used, socket.tx!.ring.used, socket.pool!.completion.ring.used]).toEqual([0, 0, 0]);
      if (application === 'l2fwd' && xsk.rings.tx >= MAX_SKB_DESCRIPTORS && xsk.rings.completion >= MAX_SKB_DESCRIPTORS) expect(run.result.applicationFrames).toBe(run.outcomes['xsk'] ?? 0);
    }),
    { numRuns: 30 },
  );
});

it('txonly', () => {
  fc.assert(
    fc.property(nics, kernels, settings, fc.integer({ min: 0, max: 200 }), fc.integer({ min: 46, max: 1514 }), fc.constantFrom(0, 0, 1000, 1_000_000), (nic, kernel, xsk, count, lenBytes, rate) => {
      const profile = findProfile(nic)!;
      const options: SimulateOptions = {
        object: redirectToSocket(),
        kernel,
        frames: [],
        nic: { profile, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default },
        xsk: { application: `txonly:count=${count},size=${lenBytes},rate=${rate}`, ...xsk, hasSg: false },
      };
      const run = simulate(options);
      expect(run.applicationFrames.map(({ bytes }) => new DataView(bytes.buffer).getUint32(42))).toEqual(Array.from({ length: count }, (_, i) => i));
      expect(run.result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
      expect(Object.keys(run.result.audit.chunks)).toEqual(['application']);
    }),
    { numRuns: 40 },
  );
});
