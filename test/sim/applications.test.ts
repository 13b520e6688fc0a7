import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../src/base/index.js';
import { findProfile } from '../../src/nic/index.js';
import { checkChecksums, repairChecksums } from '../../src/packet/index.js';
import { answerFrame } from '../../src/sim/applications/echo.js';
import { BOOT_NS, readXskApplication } from '../../src/sim/index.js';
import type { XskApplicationFactory } from '../../src/sim/index.js';
import type { FillRing } from '../../src/xsk/index.js';
import { burst, redirectToSocket, simulate, udpFrame, xdpProgram, xskMap } from '../support/simulate.js';
import type { Simulated, SimulateOptions, TimedFrame } from '../support/simulate.js';

const swapped = (frame: Uint8Array): Uint8Array => Uint8Array.from([...frame.subarray(6, 12), ...frame.subarray(0, 6), ...frame.subarray(12)]);

describe('rxdrop', () => {
  it('never runs out of buffers, however many packets come', () => {
    const frames = Array.from({ length: 2000 }, (_, i) => ({ bytes: udpFrame(64, i), tNs: i * 500 }));
    const run = simulate({ object: redirectToSocket(), frames, nic: { queues: 2 }, xsk: { application: 'rxdrop', chunkCount: 64 } });
    expect(run.outcomes).toEqual({ xsk: 2000 });
    expect(run.result.audit).toMatchObject({ ok: true, chunks: { fillRing: 128 } });
  });

  it('gives as many chunks as FILL takes and keeps the others', () => {
    const run = simulate({ object: redirectToSocket(), frames: burst(10), xsk: { application: 'rxdrop', chunkCount: 64, rings: { fill: 8 } } });
    expect(run.outcomes).toEqual({ xsk: 8, xsk_fill_empty: 2 });
    expect(run.result.audit).toMatchObject({ ok: true, chunks: { fillRing: 8, application: 56 } });
  });
});

describe('l2fwd', () => {
  it('sends every packet back with its MAC addresses swapped, and knows which packet it was', () => {
    const frames = Array.from({ length: 200 }, (_, i) => ({ bytes: udpFrame(60 + i, i), tNs: i * 1000 }));
    const run = simulate({ object: redirectToSocket(), frames, xsk: { application: 'l2fwd' } });
    expect(run.outcomes).toEqual({ xsk: 200 });
    expect(run.result.applicationFrames).toBe(200);
    for (const { packetId, bytes } of run.applicationFrames) expect(bytes).toEqual(swapped(frames[packetId - 1].bytes));
    expect(run.applicationFrames.map(({ packetId }) => packetId)).toEqual(frames.map((_, i) => i + 1));
    expect(run.simulation.sockets[0].txPackets).toBe(200);
    expect(run.result.audit).toMatchObject({ ok: true, chunks: { fillRing: 64 } });
  });

  it.each([[1, 64, 64], [64, 1, 64], [64, 64, 1], [1, 1, 1], [4, 2, 8]])('with rings of rx %i, tx %i, completion %i sends all that it got', (rx, tx, completion) => {
    const run = simulate({ object: redirectToSocket(), frames: burst(200), xsk: { application: 'l2fwd', rings: { rx, tx, completion } } });
    expect(run.result.applicationFrames).toBe(run.outcomes['xsk']);
    expect(run.result.audit).toMatchObject({ ok: true, chunks: { fillRing: expect.any(Number) } });
    expect(run.result.audit.chunks['txRing']).toBeUndefined();
  });

  it('a TX ring that XDP_TX has filled is only a delay', () => {
    // The last packet of the burst goes to the socket, the others back by XDP_TX: they take all 63 descriptors.
    const object = xdpProgram(
      `r6 = r1
      r1 = *(u32 *)(r6 + 0)
      r2 = *(u32 *)(r6 + 4)
      r3 = r1
      r3 += 60
      if r3 > r2 goto tx
      r0 = *(u8 *)(r1 + 35)
      if r0 != 9 goto tx
      r2 = *(u32 *)(r6 + 16)
      r1 = map xsks
      r3 = 1
      call 51
      exit
      tx: r0 = 3
      exit`,
      { maps: [xskMap] },
    );
    const frames = [...burst(63), { bytes: udpFrame(64, 9) }];
    const run = simulate({ object, frames, nic: { txRingSize: 64 }, xsk: { application: 'l2fwd' } });
    expect(run.outcomes).toEqual({ tx: 63, xsk: 1 });
    expect(run.result.applicationFrames).toBe(1);
    expect(run.result.audit).toMatchObject({ ok: true, chunks: { fillRing: 64 } });
  });
});

describe('l2fwd, with packets of several descriptors', () => {
  const frames = (lenBytes: number): TimedFrame[] => Array.from({ length: 20 }, (_, i) => ({ bytes: udpFrame(lenBytes - i, i), tNs: i * 1000 }));

  it.each([
    ['chunks of 2048', { chunkSizeBytes: 2048 }],
    ['chunks of 4096 with headroom', { headroomBytes: 1000 }],
    ['unaligned chunks', { chunkSizeBytes: 3000, isUnaligned: true }],
    ['unaligned chunks with headroom, in copy mode by name', { chunkSizeBytes: 2049, isUnaligned: true, headroomBytes: 1000, mode: 'copy' as const }],
    ['a TX ring with room for one packet', { rings: { tx: 16, completion: 16 } }],
  ])('%s', (_, settings) => {
    const run = simulate({ object: redirectToSocket({ frags: true }), frames: frames(8000), nic: { mtu: 9000 }, xsk: { application: 'l2fwd', hasSg: true, chunkCount: 256, ...settings } });
    expect(run.outcomes).toEqual({ xsk: 20 });
    expect(run.applicationFrames.map(({ bytes }) => bytes)).toEqual(frames(8000).map(({ bytes }) => swapped(bytes)));
    expect(run.result.audit.ok).toBe(true);
  });

  it('drops what takes more descriptors than can be sent, and keeps no chunk', () => {
    // Of 2048 bytes 448 are for the packet: 9000 bytes take 21 descriptors.
    const run = simulate({ object: redirectToSocket({ frags: true }), frames: [...frames(9000), ...frames(8000)], nic: { mtu: 9000 }, xsk: { application: 'l2fwd', hasSg: true, chunkSizeBytes: 2048, headroomBytes: 1344, chunkCount: 512, rings: { fill: 512, rx: 512 } } });
    expect(run.outcomes).toEqual({ xsk: 40 });
    expect(run.result.applicationFrames).toBe(20);
    expect(run.result.audit).toMatchObject({ ok: true, chunks: { fillRing: 512 } });
  });

  it('the need of a wake-up makes no difference in copy mode', () => {
    const run = simulate({ object: redirectToSocket(), frames: burst(50), xsk: { application: 'l2fwd', usesNeedWakeup: true } });
    expect(run.result.applicationFrames).toBe(50);
  });
});

describe('echo', () => {
  // A UDP checksum of 0 would be none.
  const v4 = udpFrame(100, 5).fill(1, 40, 42);
  const mend = (bytes: Uint8Array): Uint8Array => {
    const copy = bytes.slice();
    repairChecksums(copy, 0, copy.length);
    return copy;
  };
  const ping = (bytes: Uint8Array): Uint8Array => {
    const copy = bytes.slice();
    copy[23] = 1;
    copy.set([8, 0, 0, 0, 1, 2, 0, 7], 34);
    return mend(copy);
  };
  const v6 = (next: number, upper: readonly number[]): Uint8Array =>
    mend(Uint8Array.from([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x86, 0xdd, 0x60, 0, 0, 0, 0, upper.length, next, 3, ...Array.from({ length: 32 }, (_, i) => (i < 16 ? 0x20 + i : 0x40 + i)), ...upper]));
  const tagged = (bytes: Uint8Array, tags: readonly number[]): Uint8Array => Uint8Array.from([...bytes.subarray(0, 12), ...tags, ...bytes.subarray(12)]);
  const answerOf = (bytes: Uint8Array): Uint8Array | undefined => {
    const run = simulate({ object: redirectToSocket(), frames: [{ bytes }], nic: { offloads: { rxVlanStrip: false } }, xsk: { application: 'echo' } });
    expect(run.outcomes).toEqual({ xsk: 1 });
    expect(run.result.audit).toMatchObject({ ok: true, chunks: { fillRing: 64 } });
    return run.applicationFrames[0]?.bytes;
  };
  const expectValid = (bytes: Uint8Array | undefined): void => {
    const checks = checkChecksums(bytes!, 0, bytes!.length);
    expect(checks.length).toBeGreaterThan(0);
    for (const { state } of checks) expect(state).toBe('valid');
  };

  it('UDP over IPv4: addresses and ports swapped, a fresh TTL, all checksums right', () => {
    const request = mend(v4);
    const answer = answerOf(request)!;
    expectValid(answer);
    expect([...answer.subarray(0, 12)]).toEqual([2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1]);
    expect([...answer.subarray(26, 38)]).toEqual([10, 0, 0, 2, 10, 0, 0, 1, 0, 53, 0, 5]);
    expect(answer[22]).toBe(64);
    expect(answer.subarray(42)).toEqual(request.subarray(42));
  });

  it('UDP over IPv6', () => {
    const request = v6(17, [0, 7, 0, 8, 0, 12, 0, 0, 1, 2, 3, 4]);
    const answer = answerOf(request)!;
    expectValid(answer);
    expect([answer.subarray(22, 38), answer.subarray(38, 54)]).toEqual([request.subarray(38, 54), request.subarray(22, 38)]);
    expect([answer[21], ...answer.subarray(54, 58)]).toEqual([64, 0, 8, 0, 7]);
  });

  it('UDP in several descriptors, and UDP without a checksum', () => {
    for (const request of [mend(udpFrame(8000, 5).fill(1, 40, 42)), mend(udpFrame(8000, 5))]) {
      const run = simulate({ object: redirectToSocket({ frags: true }), frames: [{ bytes: request }], nic: { mtu: 9000 }, xsk: { application: 'echo', hasSg: true, chunkSizeBytes: 2048 } });
      const [{ bytes }] = run.applicationFrames;
      expect(checkChecksums(bytes, 0, 8000).map(({ state }) => state)).toEqual(['valid', request[40] === 0 ? 'absent' : 'valid']);
      expect(bytes.subarray(42)).toEqual(request.subarray(42));
    }
  });

  it('ping, of IPv4 and IPv6, within VLANs too', () => {
    for (const request of [ping(v4), v6(58, [128, 0, 0, 0, 1, 2, 3, 4, 5, 6])]) {
      for (const frame of [request, tagged(request, [0x81, 0, 0, 7]), tagged(request, [0x88, 0xa8, 0, 9, 0x81, 0, 0, 7])]) {
        const answer = answerOf(frame)!;
        expectValid(answer);
        const icmp = frame.length - request.length + (request.length === 100 ? 34 : 54);
        expect([answer[icmp], answer[icmp + 1]]).toEqual([request.length === 100 ? 0 : 129, 0]);
        expect(answer.subarray(icmp + 4)).toEqual(frame.subarray(icmp + 4));
      }
    }
  });

  const changed = (bytes: Uint8Array, at: number, ...values: number[]): Uint8Array => {
    const copy = bytes.slice();
    copy.set(values, at);
    return copy;
  };

  it.each([
    ['TCP', mend(changed(v4, 23, 6))],
    ['a fragment', mend(changed(v4, 20, 0x20, 0))],
    ['a broken IPv4 checksum', changed(mend(v4), 24, 1, 2)],
    ['an IPv4 header that is longer than the frame', changed(v4.subarray(0, 60), 14, 0x4f)],
    ['an echo reply', mend(changed(ping(v4), 34, 0))],
    ['what was sent to a group', changed(mend(v4), 0, 1)],
    ['ARP', changed(v4, 12, 8, 6)],
    ['UDP that ends within its header', mend(v4.subarray(0, 60)).subarray(0, 40)],
    ['an Ethernet header alone', v4.subarray(0, 14)],
  ])('drops %s', (_, bytes) => {
    expect(answerOf(bytes)).toBeUndefined();
  });

  it('never touches what lies behind the packet, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 120 }), fc.boolean(), fc.integer({ min: 0, max: 100 }), (noise, isNoise, cut) => {
        const bytes = isNoise ? noise : mend(v4).subarray(0, 100 - cut);
        const memory = new Uint8Array(bytes.length + 80).fill(0xaa);
        memory.set(bytes, 40);
        answerFrame(memory, 40, bytes.length);
        expect([...memory.subarray(0, 40), ...memory.subarray(40 + bytes.length)]).toEqual(Array.from({ length: 80 }, () => 0xaa));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('txonly', () => {
  const run = (application: string, settings: Omit<NonNullable<SimulateOptions['xsk']>, 'application'> = {}, nic: SimulateOptions['nic'] = {}): Simulated =>
    simulate({ object: redirectToSocket({ frags: true }), frames: [], nic, xsk: { application, ...settings } });
  const numbers = ({ applicationFrames }: Simulated): number[] => applicationFrames.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(42));

  it('sends numbered UDP packets, more than there are chunks', () => {
    const sent = run('txonly:count=500');
    expect(numbers(sent)).toEqual(Array.from({ length: 500 }, (_, i) => i));
    for (const { bytes, packetId } of sent.applicationFrames) {
      expect([bytes.length, packetId]).toEqual([64, 0]);
      expect(checkChecksums(bytes, 0, bytes.length).map(({ state }) => state)).toEqual(['valid', 'valid']);
    }
    expect(sent.result.audit).toMatchObject({ ok: true, chunks: { application: 64 } });
    expect(sent.simulation.sockets[0].txPackets).toBe(500);
  });

  it.each([[46, 1], [60, 3], [1514, 2], [4096, 1], [4097, 4], [9014, 5]])('of %i bytes', (size, count) => {
    const sent = run(`txonly:count=${count},size=${size}`, {}, { mtu: 9000 });
    expect(sent.applicationFrames.map(({ bytes }) => bytes.length)).toEqual(Array.from({ length: count }, () => size));
    for (const { bytes } of sent.applicationFrames) expect(checkChecksums(bytes, 0, bytes.length).every(({ state }) => state === 'valid')).toBe(true);
    expect(numbers(sent)).toEqual(Array.from({ length: count }, (_, i) => i));
  });

  it('at a rate in virtual time', () => {
    const sent = run('txonly:count=10,rate=3000000');
    const start = sent.applicationFrames[0].tNs;
    expect(sent.applicationFrames.map(({ tNs }) => tNs - start)).toEqual(Array.from({ length: 10 }, (_, i) => Math.ceil((i * 1e9) / 3e6)));
  });

  it('none at all', () => {
    expect(run('txonly:count=0').result.applicationFrames).toBe(0);
  });

  it.each([1, 2, 8])('from every queue, with rings of %i and few chunks', (size) => {
    const sent = run('txonly:count=40,size=5000', { chunkSizeBytes: 2048, chunkCount: 5, rings: { tx: Math.max(4, size), completion: Math.max(4, size) } }, { queues: 2 });
    expect(sent.result.applicationFrames).toBe(80);
    expect([...new Set(sent.applicationFrames.map(({ queue }) => queue))].sort()).toEqual([0, 1]);
    expect(sent.result.audit.ok).toBe(true);
  });

  it.each([['checksum', false], ['checksum', true], ['both', false]] as const)('metadata=%s, by the CPU: %s', (metadata, hasTxSwCsum) => {
    for (const size of [64, 5000]) {
      const sent = run(`txonly:count=20,size=${size},metadata=${metadata}`, { hasTxSwCsum, chunkSizeBytes: 2048 });
      expect(sent.result.applicationFrames).toBe(20);
      // The kernel sums when a packet has its first part only.
      const isWhole = !hasTxSwCsum || size < 2048;
      for (const { bytes } of sent.applicationFrames) expect(checkChecksums(bytes, 0, bytes.length).map(({ state }) => state)).toEqual(['valid', isWhole ? 'valid' : 'invalid']);
    }
  });

  it('metadata=timestamp leaves the time of sending before the packet', () => {
    const { simulation, result } = run('txonly:count=3,metadata=timestamp', { txMetadataBytes: 32, chunkCount: 4 });
    expect(result.audit.ok).toBe(true);
    const { umem } = simulation.sockets[0];
    const stamps = [0, 1, 2].map((chunk) => Number(simulation.memory.view.getBigUint64(umem!.address + chunk * 4096 + 8, true)) - BOOT_NS);
    for (const stamp of stamps) expect(stamp).toBeGreaterThanOrEqual(0);
  });

  it.each(['zerocopy', 'copy'] as const)('launch=MICROSECONDS: on a queue for launch times each packet leaves so long after it was due, in %s mode', (mode) => {
    const profile = findProfile('igc')!;
    const launch = (nic: SimulateOptions['nic']): number[] => {
      const nicSettings = { profile, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, ...nic };
      const sent = run('txonly:count=20,rate=10000,launch=750,metadata=timestamp', { mode }, nicSettings);
      expect(numbers(sent)).toEqual(Array.from({ length: 20 }, (_, i) => i));
      expect(sent.result.audit.ok).toBe(true);
      return sent.applicationFrames.map(({ tNs }) => tNs);
    };
    const due = launch({});
    expect(due.map((tNs) => tNs - due[0]!)).toEqual(Array.from({ length: 20 }, (_, i) => i * 100_000));
    expect(launch({ launchTimeQueues: [0] })).toEqual(due.map((tNs) => tNs + 750_000));
  });

  it('writes no launch time where the UMEM has no room for it', () => {
    expect(() => run('txonly:launch=1', { txMetadataBytes: 16 })).toThrow('txonly: its requests take 24 bytes of metadata before each packet, and the UMEM has 16');
  });

  it('refuses packets that could never be sent', () => {
    expect(() => run('txonly:size=5000', { chunkSizeBytes: 2048, rings: { tx: 2 } })).toThrow('txonly: a packet of 5000 bytes takes 3 chunks, and TX, COMPLETION or the UMEM has 2; send shorter packets');
    expect(() => run('txonly:size=5000', { chunkSizeBytes: 2048, rings: { completion: 1 } })).toThrow('has 1');
    expect(() => run('txonly:size=5000', { chunkSizeBytes: 2048, chunkCount: 2 })).toThrow('has 2');
  });

  it.each([0, 8])('writes no metadata where the UMEM has %i bytes for it, and says so', (txMetadataBytes) => {
    expect(() => run('txonly:metadata=timestamp', { txMetadataBytes })).toThrow(
      `txonly: its requests take 16 bytes of metadata before each packet, and the UMEM has ${txMetadataBytes}; use metadata of 24 bytes`,
    );
  });

  it('says why it can\'t be', () => {
    const problem = (text: string): string => {
      const read = readXskApplication(text, '--xsk', ['none']);
      return read.ok ? 'ok' : formatProblem(read.problem);
    };
    expect(problem('txonly:size=64,count=3,rate=0,metadata=both')).toBe('ok');
    expect(problem('txonli')).toBe("--xsk: there is no 'txonli'; did you mean txonly?");
    expect(problem('toString')).toBe("--xsk: there is no 'toString'; use one of: none, rxdrop, txonly, l2fwd, echo");
    expect(problem('txonly:size=45')).toBe("--xsk: size can't be '45'; use a whole number from 46 to 9216");
    expect(problem('txonly:size=6e1')).toContain("can't be '6e1'");
    expect(problem('txonly:size=60,size=61')).toContain('size is there twice');
    expect(problem('txonly:speed=1')).toBe("--xsk: txonly has no option 'speed'; use one of: count, size, rate, metadata, launch");
    expect(problem('txonly:metadata=all')).toBe("--xsk: metadata can't be 'all'; use one of: none, checksum, timestamp, both");
    expect(problem('rxdrop:count=1')).toBe("--xsk: rxdrop has no option 'count'; leave it out");
    expect(problem('rxdrop:')).toContain("rxdrop has no option ''");
  });
});

describe('an application that breaks the rules', () => {
  // The kernel doesn't notice, so everything goes on; the watch does.
  const findingsOf = (application: XskApplicationFactory): string[] => {
    const run = simulate({ object: redirectToSocket(), frames: burst(4), xsk: { application } });
    expect(run.outcomes).toEqual({ xsk: 4 });
    return run.simulation.sockets[0].umem!.watch!.findings.all.map(({ code }) => code);
  };
  const fillWith = (fill: FillRing, chunks: readonly number[]): void => {
    fill.reserve(chunks.length);
    chunks.forEach((chunk, i) => fill.setAddr(fill.index + i, chunk * 4096));
    fill.submit(chunks.length);
  };

  it('gives a chunk to FILL twice', () => {
    expect(findingsOf(({ fill }) => ({ start: () => fillWith(fill, [0, 1, 0, 1]), run: () => {} }))).toContain('double-submission');
  });

  it('does nothing wrong when it keeps the chunks that it got', () => {
    expect(findingsOf(({ fill, rx }) => ({ start: () => fillWith(fill, [0, 1, 2, 3]), run: () => rx.release(rx.peek(64)) }))).not.toContain('double-submission');
  });
});
