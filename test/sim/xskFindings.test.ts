import { describe, expect, it } from 'vitest';
import { findProfile, PROFILES } from '../../src/nic/index.js';
import type { NicSettings } from '../../src/nic/index.js';
import type { XskApplicationFactory } from '../../src/sim/index.js';
import { viewRings } from '../../src/umem/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { burst, redirectToSocket, simulate, udpFrame, xdpProgram, xskMap } from '../support/simulate.js';
import type { SimulateOptions } from '../support/simulate.js';

const CHUNK = 4096;

/** An application that gives `count` chunks to FILL and does nothing else by itself. */
const idle = (count: number): XskApplicationFactory => ({ fill }) => ({
  start() {
    fill.reserve(count);
    for (let i = 0; i < count; i++) fill.setAddr(fill.index + i, i * CHUNK);
    fill.submit(count);
  },
  run() {},
});

const run = (application: XskApplicationFactory, options: Partial<SimulateOptions> = {}) =>
  simulate({ object: redirectToSocket(), frames: burst(10), nic: { queues: 1 }, xsk: { application, rings: { rx: 64, tx: 64, fill: 64, completion: 64 }, chunkCount: 64 }, ...options });

const findings = (application: XskApplicationFactory, options: Partial<SimulateOptions> = {}) => run(application, options).result.xskFindings;

describe('applications of a run', () => {
  it.each(['rxdrop', 'l2fwd', 'echo'])('%s makes no mistake, and the run says nothing', (application) => {
    const result = simulate({ object: redirectToSocket(), frames: burst(200), xsk: { application, chunkCount: 64 } }).result;
    expect(result.xskFindings.filter(({ severity }) => severity === 'mistake')).toEqual([]);
    expect(result.audit.ok).toBe(true);
  });

  it('one that never reads RX', () => {
    const [notRead, ...others] = findings(idle(64));
    expect(others).toEqual([]);
    expect(notRead).toMatchObject({ code: 'rx-not-read', count: 10, message: '10 entries wait in the RX ring, of which the application never released an entry' });
    expect(notRead!.history).toMatch(/^chunk 0: FILL slot 0 at 0 ns, kernel at 0 ns, RX slot 0 with packet 1 at 0 ns$/);
  });

  it('one that keeps its chunks', () => {
    const keeper: XskApplicationFactory = (socket, host) => ({ ...idle(4)(socket, host), run() {
      const count = socket.rx.peek(64);
      if (count > 0) socket.rx.release(count);
    } });
    const found = findings(keeper);
    expect(found.map(({ code, count }) => `${code} ${count}`)).toEqual(['fill-starvation 6', 'lost-chunk 4']);
    expect(found[1]!.history).toMatch(/ with packet 1 at 0 ns, application at 0 ns$/);
  });

  it('one that never takes what COMPLETION gives back: that is told before FILL, which starves for it', () => {
    const hoarder: XskApplicationFactory = (socket, host) => ({ ...idle(64)(socket, host), run() {
      const { rx, tx } = socket;
      const count = tx.reserve(rx.peek(Math.min(32, tx.nbFree(32))));
      for (let i = 0; i < count; i++) tx.setDesc(tx.index + i, rx.addr(rx.index + i), rx.len(rx.index + i));
      rx.release(count);
      tx.submit(count);
      if (count > 0) socket.sendto();
    } });
    const found = findings(hoarder, { frames: [...burst(64), ...burst(20, 64, 1_000_000)] });
    expect(found.map(({ code, count }) => `${code} ${count}`)).toEqual(['completion-not-drained 64', 'fill-starvation 20']);
    expect(found[1]!.hint).toBe('take chunks from COMPLETION and give them back to FILL');
  });

  it('one that looks at a packet after it has given its chunk back, found by the library', () => {
    const careless: XskApplicationFactory = (socket, host) => ({ ...idle(64)(socket, host), run() {
      const count = socket.rx.peek(64);
      if (count === 0) return;
      const { addr, index } = { addr: socket.rx.dataAddr(socket.rx.index), index: socket.rx.index };
      socket.rx.release(count);
      socket.fill.reserve(count);
      for (let i = 0; i < count; i++) socket.fill.setAddr(socket.fill.index + i, socket.rx.addr(index + i));
      socket.fill.submit(count);
      socket.umem.getData(addr);
    } });
    const result = run(careless).result;
    expect(result.xskFindings).toMatchObject([{ code: 'use-after-hand-over', severity: 'mistake', message: 'the application used chunk 0 while the FILL ring had it' }]);
    expect(result.audit.ok).toBe(true);
  });

  it('one that fills a chunk twice: the run goes on as the kernel would, and the audit blames nobody', () => {
    const doubler: XskApplicationFactory = ({ fill }) => ({
      start() {
        fill.reserve(2);
        fill.setAddr(fill.index, CHUNK);
        fill.setAddr(fill.index + 1, CHUNK + 100);
        fill.submit(2);
      },
      run() {},
    });
    const result = run(doubler, { frames: burst(2) }).result;
    expect(result.xskFindings.map(({ code }) => code)).toEqual(['double-submission', 'rx-not-read']);
    expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
  });

  it('one that sends without a system call', () => {
    const silent: XskApplicationFactory = ({ tx, umem }) => ({
      start() {},
      run() {
        if (tx.nbFree(64) < 64) return;
        tx.reserve(3);
        for (let i = 0; i < 3; i++) {
          umem.u8.set(udpFrame(64), umem.getData(i * CHUNK));
          tx.setDesc(tx.index + i, i * CHUNK, 64);
        }
        tx.submit(3);
      },
    });
    expect(findings(silent, { object: xdpProgram('r0 = 2\nexit', { maps: [xskMap] }) })).toMatchObject([{ code: 'missing-wakeup', ring: 'TX', count: 3, firstNs: 0 }]);
  });

  it('packets of another queue, and a socket where nothing comes', () => {
    // Everything goes to the socket of queue 0.
    const object = xdpProgram('r2 = 0\nr1 = map xsks\nr3 = 2\ncall 51\nexit', { maps: [xskMap] });
    const frames = Array.from({ length: 40 }, (_, i) => ({ bytes: udpFrame(64, i), tNs: i * 1000 }));
    const { result, outcomes } = run(idle(64), { object, frames, nic: { queues: 2 } });
    const wrong = result.xskFindings.find(({ code }) => code === 'wrong-queue')!;
    expect(wrong).toMatchObject({ socket: 0, queue: 0, count: outcomes['xsk_wrong_queue'] });
    expect(wrong.message).toMatch(/^packets of other queues, the last one of queue 1, were redirected to socket 0, which is bound to queue 0/);
  });
});

describe('sockets that no packet can get to, of which the run said nothing', () => {
  const pass = xdpProgram('r0 = 2\nexit');
  const unreachable = (object: ObjectSpec, application: string, more: Partial<SimulateOptions> = {}): unknown =>
    simulate({ object, frames: burst(10), xsk: { application }, ...more }).result.xskFindings;

  it('a program without an XSKMAP, once for all sockets', () => {
    const frames = Array.from({ length: 40 }, (_, i) => ({ bytes: udpFrame(64, i) }));
    for (const application of ['rxdrop', 'l2fwd', 'echo']) {
      expect(unreachable(pass, application, { frames, nic: { queues: 4 } })).toMatchObject([{
        code: 'not-in-xskmap', severity: 'warning', socket: 0, count: 40, message: expect.stringMatching(/^program \w+ has no XSKMAP, so none of the 40 packets that came to /) as string,
        hint: expect.stringContaining('bpf_redirect_map') as string,
      }]);
    }
  });

  it('but whoever only sends needs none, and where nothing came nothing is missed', () => {
    expect(unreachable(pass, 'txonly:count=3')).toEqual([]);
    expect(unreachable(pass, 'l2fwd', { frames: [{ bytes: new Uint8Array(10) }] })).toEqual([]);
  });

  it('an XSKMAP with fewer slots than there are queues', () => {
    const small = xdpProgram('r2 = *(u32 *)(r1 + 16)\nr1 = map xsks\nr3 = 2\ncall 51\nexit', { maps: [{ ...xskMap, maxEntries: 1 }] });
    const frames = Array.from({ length: 40 }, (_, i) => ({ bytes: udpFrame(64, i) }));
    const { result, outcomes } = simulate({ object: small, frames, nic: { queues: 2 }, xsk: { application: 'rxdrop' } });
    expect(result.xskFindings).toMatchObject([{ code: 'not-in-xskmap', socket: 1, queue: 1, count: outcomes['stack'], message: expect.stringContaining('socket 1 is in no slot of xsks') as string }]);
  });

  it('one that was taken out of its slot', () => {
    expect(unreachable(redirectToSocket(), 'l2fwd', { prepare: (loaded) => {
      loaded.maps.get('xsks')!.deleteBytes(new Uint8Array(4));
      return undefined;
    } })).toMatchObject([{ code: 'not-in-xskmap', socket: 0, count: 10 }]);
  });
});

describe('zero copy without a program in the driver, where applications that send ended the simulator', () => {
  const profiles = PROFILES.filter(({ xdp }) => xdp.zeroCopy !== undefined);

  it.each(profiles)('$name: generic XDP copies into the chunks, nothing is sent, and the run says so', (profile) => {
    const settings = { profile, queues: 1, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, xdpMode: 'generic' as const };
    const { simulation, result, outcomes } = simulate({ object: redirectToSocket(), frames: burst(10), nic: settings, xsk: { application: 'l2fwd', mode: 'zerocopy' } });
    const [socket] = simulation.sockets;
    expect([socket!.isZeroCopy, outcomes['xsk'], socket!.rxPackets, socket!.txPackets]).toEqual([true, 10, 10, 0]);
    expect(result.xskFindings).toMatchObject([{ code: 'no-program-in-driver', severity: 'warning', socket: 0, ring: 'TX', count: 10 }]);
    expect(result.audit.ok).toBe(true);
  });

  it('copy mode sends there', () => {
    const { result, simulation } = simulate({ object: redirectToSocket(), frames: burst(10), nic: { profile: findProfile('ice')!, rxRingSize: 512, txRingSize: 512, xdpMode: 'generic' }, xsk: { application: 'l2fwd', mode: 'copy' } });
    expect([simulation.sockets[0]!.txPackets, result.xskFindings]).toEqual([10, []]);
  });
});

describe('requests in the metadata of packets', () => {
  const asked = (name: string, mode: 'copy' | 'zerocopy', options: string, nic: Partial<NicSettings> = {}) => {
    const profile = findProfile(name)!;
    const { rxRing, txRing } = profile;
    const { result } = simulate({
      object: redirectToSocket(), frames: burst(1), nic: { profile, queues: 1, rxRingSize: rxRing.default, txRingSize: txRing.default, ...nic },
      xsk: { application: `txonly:count=5,${options}`, mode, chunkCount: 1024, rings: { fill: 1024 } },
    });
    return result.xskFindings.flatMap(({ code, message }) => (code === 'request-passed-over' ? message : []));
  };

  it.each<[string, 'copy' | 'zerocopy', string, string]>([
    ['igc', 'zerocopy', 'metadata=checksum', 'queue 0 of if1 does nothing about 5 requests for a checksum in the metadata of packets'],
    ['ixgbe', 'zerocopy', 'metadata=both', 'queue 0 of if1 does nothing about 5 requests for a time stamp and 5 requests for a checksum in the metadata of packets'],
    ['mlx5', 'zerocopy', 'launch=100', 'queue 0 of if1 does nothing about 5 requests for a launch time in the metadata of packets'],
    ['igc', 'zerocopy', 'launch=100', 'queue 0 of if1 does nothing about 5 requests for a launch time in the metadata of packets'],
    ['igc', 'copy', 'launch=100', 'queue 0 of if1 does nothing about 5 requests for a launch time in the metadata of packets'],
  ])('that %s in %s mode does nothing about are told of: %s', (name, mode, options, message) => {
    expect(asked(name, mode, options)).toEqual([message]);
  });

  it('that are met, or that nobody made, are not', () => {
    expect(asked('igc', 'zerocopy', 'metadata=timestamp')).toEqual([]);
    expect(asked('igc', 'zerocopy', 'launch=100', { launchTimeQueues: [0] })).toEqual([]);
    expect(asked('mlx5', 'zerocopy', 'metadata=both')).toEqual([]);
    expect(asked('ixgbe', 'copy', 'metadata=both')).toEqual([]);
    expect(asked('ixgbe', 'zerocopy', 'metadata=none')).toEqual([]);
  });
});

describe('the rings of a run', () => {
  it('can be looked at at any time, which changes nothing', () => {
    const frames = Array.from({ length: 5 }, (_, i) => ({ bytes: udpFrame(64, i), tNs: i * 1_000_000 }));
    const seen: string[] = [];
    const looked = run(idle(64), { frames, before: (simulation) => {
      for (const tNs of [2_500_000, 500_000, 1e12]) simulation.lookAt(tNs, () => {
        const { rings, chunks } = viewRings(simulation.sockets[0]!);
        seen.push(`${simulation.nowNs < 1e6 ? 'early' : 'late'}: RX ${rings.find(({ kind }) => kind === 'RX')!.used}, ${chunks['rxRing']} of rxRing`);
      });
    } });
    expect(seen).toEqual(['early: RX 1, 1 of rxRing', 'late: RX 3, 3 of rxRing', 'late: RX 5, 5 of rxRing']);
    expect(looked.result.durationNs).toBe(run(idle(64), { frames }).result.durationNs);
  });
});
