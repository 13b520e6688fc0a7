import { describe, expect, it } from 'vitest';
import { findProfile } from '../../src/nic/index.js';
import { checkChecksums, repairChecksums } from '../../src/packet/index.js';
import { redirectToSocket, simulate, udpFrame } from '../support/simulate.js';
import type { Simulated, SimulateOptions, TimedFrame } from '../support/simulate.js';

const swapped = (frame: Uint8Array): Uint8Array => Uint8Array.from([...frame.subarray(6, 12), ...frame.subarray(0, 6), ...frame.subarray(12)]);
const valid = (frame: Uint8Array): Uint8Array => {
  repairChecksums(frame, 0, frame.length);
  return frame;
};
const frames = (count: number, lenBytes: number): TimedFrame[] => Array.from({ length: count }, (_, i) => ({ bytes: udpFrame(lenBytes + (i % 7), i), tNs: i * 10_000 }));

function run(nic: string, application: string, traffic: readonly TimedFrame[], settings: Omit<NonNullable<SimulateOptions['xsk']>, 'application'>, mtu = 1500): Simulated {
  const profile = findProfile(nic)!;
  return simulate({
    object: redirectToSocket({ frags: mtu > 1500 }),
    frames: traffic,
    nic: { profile, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, mtu },
    xsk: { application, mode: 'zerocopy', chunkCount: 4096, rings: { rx: 2048, tx: 2048, fill: 4096, completion: 2048 }, ...settings },
  });
}

const NICS = ['igb', 'igc', 'ixgbe', 'i40e', 'ice', 'mlx5', 'virtio_net'];
const WAYS: readonly [string, Omit<NonNullable<SimulateOptions['xsk']>, 'application'>][] = [
  ['chunks of 4096', {}],
  ['unaligned chunks and headroom', { chunkSizeBytes: 3000, isUnaligned: true, headroomBytes: 100 }],
  ['wake-ups where they are needed', { usesNeedWakeup: true }],
  ['unaligned chunks, wake-ups where they are needed', { chunkSizeBytes: 2500, isUnaligned: true, usesNeedWakeup: true }],
];

describe.each(NICS)('%s', (nic) => {
  it.each(WAYS)('l2fwd sends back all that came, with %s', (_, settings) => {
    const traffic = frames(200, 60);
    const { outcomes, applicationFrames, result, simulation } = run(nic, 'l2fwd', traffic, settings);
    expect(outcomes).toEqual({ xsk: 200 });
    expect(applicationFrames.map(({ bytes }) => bytes)).toEqual(traffic.map(({ bytes }) => swapped(bytes)));
    expect(applicationFrames.map(({ packetId }) => packetId)).toEqual(traffic.map((__, i) => i + 1));
    expect(result.audit).toMatchObject({ ok: true });
    expect(simulation.sockets[0]).toMatchObject({ isZeroCopy: true, rxPackets: 200, txPackets: 200 });
    expect(simulation.sockets[0].umem!.watch!.findings.all).toEqual([]);
  });

  it.each(WAYS)('txonly sends more packets than there are chunks, with %s', (_, settings) => {
    const { applicationFrames, result, simulation } = run(nic, 'txonly:count=600', [], { ...settings, chunkCount: 64, rings: { rx: 64, tx: 64, fill: 64, completion: 64 } });
    expect(applicationFrames.map(({ bytes }) => new DataView(bytes.buffer).getUint32(42))).toEqual(Array.from({ length: 600 }, (__, i) => i));
    expect([result.audit.ok, Object.keys(result.audit.chunks)]).toEqual([true, ['application']]);
    expect(simulation.sockets[0].txPackets).toBe(600);
  });

  it('echo answers', () => {
    const { applicationFrames, outcomes } = run(nic, 'echo', frames(50, 60).map((frame) => ({ ...frame, bytes: valid(frame.bytes) })), {});
    expect(outcomes).toEqual({ xsk: 50 });
    expect(applicationFrames.length).toBe(50);
    for (const { bytes } of applicationFrames) expect(checkChecksums(bytes, 0, bytes.length)[0]).toMatchObject({ field: 'ipv4.checksum', state: 'valid' });
  });

  it('rxdrop never runs out of chunks', () => {
    const { outcomes, result } = run(nic, 'rxdrop', frames(6000, 60), {});
    expect(outcomes).toEqual({ xsk: 6000 });
    expect(result.audit.ok).toBe(true);
  });
});

describe.each(['i40e', 'ice'])('%s, packets of several descriptors', (nic) => {
  it.each([['4096', {}], ['3000, unaligned', { chunkSizeBytes: 3000, isUnaligned: true }]] as const)('l2fwd with chunks of %s', (_, settings) => {
    const traffic = frames(40, 5000);
    const { outcomes, applicationFrames, result } = run(nic, 'l2fwd', traffic, { hasSg: true, ...settings }, 6000);
    expect(outcomes).toEqual({ xsk: 40 });
    expect(applicationFrames.map(({ bytes }) => bytes)).toEqual(traffic.map(({ bytes }) => swapped(bytes)));
    expect(result.audit.ok).toBe(true);
  });
});
