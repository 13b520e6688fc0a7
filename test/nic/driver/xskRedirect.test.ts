import { describe, expect, it } from 'vitest';
import type { LoadedObject, ProgramEntryMap } from '../../../src/vm/index.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { udpFrame, xdpProgram } from '../../support/simulate.js';
import { SG_PROFILES, ZERO_COPY_PROFILES, ZeroCopyBench } from './zeroCopyBench.js';

// Packets in chunks that go elsewhere than to a socket.

const toDevice = (ifindex: number): string => `r1 = ${ifindex}\nr2 = 0\ncall 23\nexit`;
const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

describe.each(ZERO_COPY_PROFILES)('$name', (profile) => {
  const failed = (outcome: string): string => (profile.quirks.failedVerdictsPass === true ? 'stack' : outcome);

  it('to another device: a copy in a page of its own leaves, and the chunk is free at once', () => {
    const bench = new ZeroCopyBench({ profile, object: xdpProgram(toDevice(2)), hasPeer: true, filled: 128 });
    const posted = bench.nic.driver.ringUse(0).rxPosted;
    const frames = Array.from({ length: 20 }, (_, i) => udpFrame(60 + 50 * i, i));
    bench.arrive(...frames);
    expect(bench.peerWire).toEqual(frames);
    expect(bench.outcomes()).toEqual(frames.map(() => 'redirect'));
    expect(bench.nic.driver.ringUse(0).rxPosted + bench.pool.freeCount).toBe(posted);
    expect(bench.close()).toEqual([]);
  });

  it('to a device that does not exist: the packet is dropped, and nothing is lost', () => {
    const bench = new ZeroCopyBench({ profile, object: xdpProgram(toDevice(77)), filled: 128 });
    bench.arrive(udpFrame(60), udpFrame(1500));
    expect(bench.outcomes()).toEqual([failed('redirect_no_target'), failed('redirect_no_target')]);
    expect(bench.close()).toEqual([]);
  });

  it('to all devices of a DEVMAP', () => {
    const object = xdpProgram('r1 = map devices\nr2 = 0\nr3 = 8\ncall 51\nexit', { maps: [map('devices', 14, 4, 4, 4)] });
    const prepare = (loaded: LoadedObject): void => {
      for (const ifindex of [1, 2]) (loaded.maps.get('devices') as ProgramEntryMap).updateEntry(u32(ifindex), ifindex, undefined, 0);
    };
    const bench = new ZeroCopyBench({ profile, object, hasPeer: true, filled: 128, prepare });
    const frames = [udpFrame(60, 1), udpFrame(1400, 2)];
    bench.arrive(...frames);
    expect([bench.wire, bench.peerWire]).toEqual([frames, frames]);
    expect(bench.outcomes()).toEqual(['redirect', 'redirect']);
    expect(bench.close()).toEqual([]);
  });

  it('to a CPU', () => {
    const object = xdpProgram('r1 = map cpus\nr2 = 0\nr3 = 0\ncall 51\nexit', { maps: [map('cpus', 16, 4, 8, 1)] });
    const prepare = (loaded: LoadedObject): void => {
      (loaded.maps.get('cpus') as ProgramEntryMap).updateEntry(u32(0), 64, undefined, 0);
    };
    const bench = new ZeroCopyBench({ profile, object, filled: 128, prepare });
    const frames = [udpFrame(60, 1), udpFrame(1400, 2)];
    bench.arrive(...frames);
    expect([bench.outcomes(), bench.ends.map(({ bytes }) => bytes)]).toEqual([['cpumap', 'cpumap'], frames]);
    expect(bench.close()).toEqual([]);
  });

  it('without pages nothing can be copied: such packets are dropped, those for sockets are not', () => {
    const bench = new ZeroCopyBench({ profile, object: xdpProgram(toDevice(2)), hasPeer: true, filled: 128 });
    bench.allocator.shouldFail = () => true;
    bench.arrive(udpFrame(60));
    expect([bench.outcomes(), bench.peerWire]).toEqual([[profile.quirks.failedVerdictsPass === true ? 'skb_no_memory' : 'redirect_copy_failed'], []]);
    bench.allocator.shouldFail = undefined;
    bench.arrive(udpFrame(61));
    expect(bench.outcomes().at(-1)).toBe('redirect');
    expect(bench.close()).toEqual([]);
  });
});

describe.each(SG_PROFILES)('$name', (profile) => {
  it('a packet of several buffers loses all but the first on its way to another device', () => {
    const bench = new ZeroCopyBench({ profile, object: xdpProgram(toDevice(2), { frags: true }), hasPeer: true, hasSg: true, settings: { mtu: 9000 }, filled: 128 });
    const frame = udpFrame(4000);
    bench.arrive(frame);
    expect(bench.peerWire).toEqual([frame.slice(0, 1408)]);
    expect(bench.close()).toEqual([]);
  });

  it('XDP_TX of a packet of several buffers: ice sends its chunks, i40e a copy of the first', () => {
    const bench = new ZeroCopyBench({ profile, object: xdpProgram('r0 = 3\nexit', { frags: true }), hasSg: true, settings: { mtu: 9000 }, filled: 128 });
    const frame = udpFrame(4000);
    bench.arrive(frame, udpFrame(60));
    expect(bench.wire).toEqual([profile.name === 'ice' ? frame : frame.slice(0, 1408), udpFrame(60)]);
    expect(bench.outcomes()).toEqual(['tx', 'tx']);
    expect(bench.close()).toEqual([]);
  });
});
