import { describe, expect, it } from 'vitest';
import { Owner } from '../../../src/memory/index.js';
import { XDP_PKT_CONTD, XDP_RING_NEED_WAKEUP } from '../../../src/umem/index.js';
import { redirectToSocket, returning, udpFrame, xdpProgram, xskMap } from '../../support/simulate.js';
import { SG_PROFILES, ZERO_COPY_PROFILES, ZeroCopyBench } from './zeroCopyBench.js';

const CHUNK = 2048;
const RX_WAKEUP = (bench: ZeroCopyBench): boolean => (bench.fillRing.flags & XDP_RING_NEED_WAKEUP) !== 0;

/** igc writes a time stamp before the packet, behind the headroom. */
const prefixOf = ({ name }: (typeof ZERO_COPY_PROFILES)[number]): number => (name === 'igc' ? 16 : 0);

describe.each(ZERO_COPY_PROFILES)('$name', (profile) => {
  /** Where a packet ends whose redirect failed: octeontx2 passes it on. */
  const failed = (outcome: string): string => (profile.quirks.failedVerdictsPass === true ? 'stack' : outcome);

  it.each([0, 64, 100])('a packet lies at chunk + 256 + %i, as the device wrote it, and stays in the chunk that FILL gave', (headroomBytes) => {
    const bench = new ZeroCopyBench({ profile, headroomBytes, filled: 128 });
    const frames = [udpFrame(60, 1), udpFrame(333, 2), udpFrame(1514, 3)];
    bench.arrive(...frames);
    const received = bench.consumeAll();
    expect(received.map(({ offBytes, chunk }) => offBytes - chunk)).toEqual(frames.map(() => 256 + headroomBytes + prefixOf(profile)));
    expect(new Set(received.map(({ chunk }) => chunk)).size).toBe(3);
    for (const [i, { offBytes, len, options }] of received.entries()) {
      expect([len, options]).toEqual([frames[i]!.length, 0]);
      expect(bench.bytes(offBytes, len)).toEqual(frames[i]);
    }
    expect(bench.outcomes()).toEqual(['xsk', 'xsk', 'xsk']);
    expect([bench.socket.rxPackets, bench.socket.rxBytes, bench.counters.xdpRedirect]).toEqual([3, 60 + 333 + 1514, 3]);
    expect(bench.close()).toEqual([]);
  });

  it('what the program did to the packet is seen in address and length, and metadata before it', () => {
    const moves = `
      r6 = r1
      r2 = ${profile.xdp.hasMetadata ? -8 : 0}
      call 54
      r1 = r6
      r2 = *(u32 *)(r6 + 8)
      r3 = *(u32 *)(r6 + 0)
      r4 = r2
      r4 += 8
      if r4 > r3 goto out
      r5 = 0x1122334455667788 ll
      *(u64 *)(r2 + 0) = r5
      out:
      r1 = r6
      r2 = 14
      call 44
      r1 = r6
      r2 = -4
      call 65
      r2 = *(u32 *)(r6 + 16)
      r1 = map xsks
      r3 = 2
      call 51
      exit`;
    const bench = new ZeroCopyBench({ profile, object: xdpProgram(moves, { maps: [xskMap] }), filled: 128 });
    const frame = udpFrame(200);
    bench.arrive(frame);
    const { offBytes, chunk, len } = bench.consume()!;
    expect([offBytes - chunk, len]).toEqual([256 + prefixOf(profile) + 14, 200 - 18]);
    expect(bench.bytes(offBytes, len)).toEqual(frame.slice(14, 196));
    // adjust_head moves metadata along.
    if (profile.xdp.hasMetadata) expect([...bench.bytes(offBytes - 8, 8)]).toEqual([0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
    expect(bench.close()).toEqual([]);
  });

  it.each([[0, 'xdp_aborted'], [1, 'xdp_drop'], [2, 'stack'], [3, 'tx'], [9, 'xdp_invalid_verdict']] as const)('verdict %i: %s, and the chunk goes back to the pool', (verdict, outcome) => {
    const bench = new ZeroCopyBench({ profile, object: returning(verdict), filled: 128 });
    const posted = bench.nic.driver.ringUse(0).rxPosted;
    const frames = [udpFrame(60, 1), udpFrame(1514, 2)];
    bench.arrive(...frames);
    const expected = profile.quirks.failedVerdictsPass === true && (verdict === 0 || verdict === 9) ? 'stack' : outcome;
    expect(bench.outcomes()).toEqual([expected, expected]);
    expect(bench.ends.map(({ bytes }) => bytes)).toEqual(frames);
    expect(bench.wire).toEqual(verdict === 3 ? frames : []);
    expect(bench.nic.driver.ringUse(0).rxPosted + bench.pool.freeCount).toBe(posted);
    expect(bench.consume()).toBeUndefined();
    expect(bench.umem.chunks.census()).toMatchObject({ device: posted - bench.pool.freeCount });
    expect(bench.close()).toEqual([]);
  });

  it('a full RX ring drops, counts, and the chunk is used again before FILL', () => {
    const bench = new ZeroCopyBench({ profile, rings: { rx: 4 }, filled: 128, usesNeedWakeup: false });
    bench.arrive(...Array.from({ length: 6 }, (_, i) => udpFrame(60 + i)));
    expect(bench.outcomes()).toEqual(['xsk', 'xsk', 'xsk', 'xsk', failed('xsk_rx_full'), failed('xsk_rx_full')]);
    expect([bench.socket.statistics.rx_ring_full, bench.socket.statistics.rx_dropped]).toEqual([2, 0]);
    expect(bench.consumeAll().map(({ len }) => len)).toEqual([60, 61, 62, 63]);
    expect(bench.close()).toEqual([]);
  });

  it('a full RX ring and XDP_USE_NEED_WAKEUP: some drivers stop until they are woken, and lose one packet only', () => {
    const bench = new ZeroCopyBench({ profile, rings: { rx: 4 }, filled: 128 });
    bench.arrive(...Array.from({ length: 7 }, (_, i) => udpFrame(60 + i)));
    const stops = profile.xdp.zeroCopy!.stopsAtFullRxRing;
    expect([bench.ends.length, bench.socket.statistics.rx_ring_full, RX_WAKEUP(bench)]).toEqual(stops ? [5, 1, true] : [7, 3, false]);
    expect(bench.consumeAll().length).toBe(4);
    expect(bench.recvfrom()).toBe(0);
    expect(bench.consumeAll().map(({ len }) => len)).toEqual(stops ? [65, 66] : []);
    expect([bench.ends.length, RX_WAKEUP(bench)]).toEqual([7, false]);
    expect(bench.close()).toEqual([]);
  });

  it('an empty FILL ring: the device has nowhere to write, the flag says so, and a wake-up mends it', () => {
    const bench = new ZeroCopyBench({ profile, filled: 4 });
    expect([RX_WAKEUP(bench), bench.nic.driver.ringUse(0).rxPosted]).toEqual([true, 4]);
    bench.arrive(...Array.from({ length: 6 }, (_, i) => udpFrame(60 + i)));
    expect(bench.outcomes().sort()).toEqual(['rx_missed', 'rx_missed', 'xsk', 'xsk', 'xsk', 'xsk']);
    expect(bench.socket.statistics.rx_fill_ring_empty_descs).toBeGreaterThan(0);
    expect(bench.socket.statistics.rx_dropped).toBe(0);
    const empty = bench.socket.statistics.rx_fill_ring_empty_descs;
    for (const { chunk } of bench.consumeAll()) bench.fill(chunk);
    bench.arrive(udpFrame(70));
    expect(bench.outcomes().at(-1)).toBe('rx_missed');
    expect(bench.recvfrom()).toBe(0);
    bench.arrive(udpFrame(71));
    expect(bench.outcomes().at(-1)).toBe('xsk');
    expect(bench.socket.statistics.rx_fill_ring_empty_descs).toBeGreaterThanOrEqual(empty);
    expect(bench.close()).toEqual([]);
  });

  it('without XDP_USE_NEED_WAKEUP the driver goes on polling until FILL has something', () => {
    const bench = new ZeroCopyBench({ profile, usesNeedWakeup: false });
    expect(RX_WAKEUP(bench)).toBe(false);
    bench.arrive(udpFrame(60));
    expect(bench.outcomes()).toEqual(['rx_missed']);
    bench.passTime(50_000_000);
    for (let i = 0; i < 128; i++) bench.fill(i * CHUNK);
    bench.passTime(2_000_000);
    bench.arrive(udpFrame(61));
    expect([bench.outcomes().at(-1), RX_WAKEUP(bench)]).toEqual(['xsk', false]);
    expect(bench.close()).toEqual([]);
  });

  it('bad entries of FILL are skipped, and no statistic tells', () => {
    const bench = new ZeroCopyBench({ profile });
    for (const address of [128 * CHUNK, 3 * CHUNK + 17, 2 ** 31, 5 * CHUNK]) bench.fill(address);
    bench.recvfrom();
    expect(bench.nic.driver.ringUse(0).rxPosted).toBe(2);
    bench.arrive(udpFrame(60), udpFrame(61));
    expect(bench.consumeAll().map(({ chunk }) => chunk)).toEqual([3 * CHUNK, 5 * CHUNK]);
    expect(bench.socket.statistics.rx_invalid_descs).toBe(0);
    expect(bench.close()).toEqual([]);
  });

  it('unaligned chunks: the address is what FILL said, the offset stands in its high bits', () => {
    const bench = new ZeroCopyBench({ profile, isUnaligned: true, chunkSizeBytes: 3000, headroomBytes: 10 });
    const starts = [0, 3100, 7001, 11_111];
    for (const start of starts) bench.fill(start);
    bench.recvfrom();
    const frames = starts.map((_, i) => udpFrame(1000 + i, i));
    bench.arrive(...frames);
    const received = bench.consumeAll();
    expect(received.map(({ chunk }) => chunk)).toEqual(starts);
    for (const [i, { offBytes, chunk, len }] of received.entries()) {
      expect(offBytes - chunk).toBe(266 + prefixOf(profile));
      expect(bench.bytes(offBytes, len)).toEqual(frames[i]);
    }
    expect(bench.close()).toEqual([]);
  });

  it('a cache that is not coherent: application and device see each other', () => {
    const bench = new ZeroCopyBench({ profile, settings: { isDmaCoherent: false }, filled: 128 });
    const frames = Array.from({ length: 5 }, (_, i) => udpFrame(60 + 200 * i, i));
    bench.arrive(...frames);
    const received = bench.consumeAll();
    expect(received.map(({ offBytes, len }) => bench.bytes(offBytes, len))).toEqual(frames);
    for (const { offBytes, len } of received) bench.queue(offBytes, len);
    bench.memory.u8[bench.umem.address + received[0]!.offBytes] = 0x77;
    expect(bench.sendto()).toBe(0);
    expect(bench.wire.map((bytes) => bytes[0])).toEqual([0x77, ...frames.slice(1).map((bytes) => bytes[0])]);
    expect(bench.close()).toEqual([]);
  });

  it('a closed socket: packets are dropped, and after a while the queue has buffers of its own again', () => {
    const bench = new ZeroCopyBench({ profile, filled: 128 });
    bench.arrive(udpFrame(60));
    const { driver } = bench.nic;
    const { rxChunks, rxPosted } = driver.ringUse(0);
    expect(rxChunks).toBe(rxPosted);
    bench.afXdp.close(bench.fd);
    bench.arrive(udpFrame(61));
    expect(bench.outcomes()).toEqual(['xsk', failed('xsk_not_bound')]);
    bench.passTime(100_000_000);
    expect([driver.ringUse(0).rxChunks, bench.umem.chunks.census().device ?? 0]).toEqual([0, 0]);
    bench.arrive(udpFrame(62));
    expect(bench.outcomes().at(-1)).toBe(failed('xsk_not_bound'));
    // A new one takes the queue over.
    const fd = bench.openSocket();
    bench.registerUmem(fd);
    expect(bench.bind(fd, 4)).toBe(0);
    expect(driver.ringUse(0).rxChunks).toBe(0);
    expect(bench.close()).toEqual([]);
  });
});

describe.each(SG_PROFILES)('$name, packets of several buffers', (profile) => {
  const jumbo = { profile, hasSg: true, settings: { mtu: 9000 }, chunkSizeBytes: 2048 } as const;
  // 2048 - 256 - 320 is 1472; a multiple of 128.
  const PART = 1408;

  it('one descriptor for each buffer, all but the last with XDP_PKT_CONTD', () => {
    const bench = new ZeroCopyBench({ ...jumbo, filled: 128 });
    expect(bench.bound).toBe(0);
    for (const bytes of [PART, PART + 1, 3 * PART, 9014]) {
      const frame = udpFrame(bytes, bytes);
      bench.arrive(frame);
      const parts = bench.consumeAll();
      const count = Math.ceil(bytes / PART);
      expect(parts.map(({ len, options }) => [len, options])).toEqual(Array.from({ length: count }, (_, i) => [Math.min(PART, bytes - i * PART), i === count - 1 ? 0 : XDP_PKT_CONTD]));
      expect(parts.every(({ offBytes, chunk }) => offBytes - chunk === 256)).toBe(true);
      expect(Buffer.concat(parts.map(({ offBytes, len }) => bench.bytes(offBytes, len)))).toEqual(Buffer.from(frame));
    }
    expect(bench.outcomes()).toEqual(['xsk', 'xsk', 'xsk', 'xsk']);
    expect(bench.close()).toEqual([]);
  });

  it.each([[1, 'xdp_drop'], [2, 'stack']] as const)('verdict %i frees all chunks', (verdict, outcome) => {
    const bench = new ZeroCopyBench({ ...jumbo, object: returning(verdict, { frags: true }), filled: 128 });
    const frame = udpFrame(5000);
    const posted = bench.nic.driver.ringUse(0).rxPosted;
    bench.arrive(frame);
    expect([bench.outcomes(), bench.ends[0]!.bytes]).toEqual([[outcome], frame]);
    expect(bench.nic.driver.ringUse(0).rxPosted + bench.pool.freeCount).toBe(posted);
    expect(bench.close()).toEqual([]);
  });

  it.each([-100, -1000, -1100, -3000, -4500])('bpf_xdp_adjust_tail by %i: emptied chunks go back to the pool', (delta) => {
    const object = xdpProgram(`r6 = r1\nr2 = ${delta}\ncall 65\nr2 = *(u32 *)(r6 + 16)\nr1 = map xsks\nr3 = 2\ncall 51\nexit`, { frags: true, maps: [xskMap] });
    const bench = new ZeroCopyBench({ ...jumbo, object, filled: 128 });
    const frame = udpFrame(5000);
    bench.arrive(frame);
    const parts = bench.consumeAll();
    const left = 5000 + delta;
    expect(parts.reduce((sum, { len }) => sum + len, 0)).toBe(left);
    expect(parts.length).toBe(Math.ceil(left / PART));
    expect(Buffer.concat(parts.map(({ offBytes, len }) => bench.bytes(offBytes, len)))).toEqual(Buffer.from(frame.slice(0, left)));
    expect(bench.close()).toEqual([]);
  });

  it('an RX ring that is full halfway: what had a place stays, without an end, and the next packet seems to go on with it', () => {
    const bench = new ZeroCopyBench({ ...jumbo, rings: { rx: 4 }, filled: 128, usesNeedWakeup: false });
    bench.arrive(udpFrame(60), udpFrame(61), udpFrame(5000));
    expect(bench.outcomes()).toEqual(['xsk', 'xsk', 'xsk_rx_full']);
    expect(bench.socket.statistics.rx_ring_full).toBe(1);
    expect(bench.consumeAll().map(({ len, options }) => [len, options])).toEqual([[60, 0], [61, 0], [PART, XDP_PKT_CONTD], [PART, XDP_PKT_CONTD]]);
    bench.arrive(udpFrame(62));
    expect(bench.consumeAll().map(({ len, options }) => [len, options])).toEqual([[62, 0]]);
    expect(bench.umem.chunks.owner.filter((owner) => owner === Owner.program || owner === Owner.driver).length).toBe(0);
    expect(bench.close()).toEqual([]);
  });

  it('without XDP_USE_SG the MTU keeps long frames away', () => {
    const bench = new ZeroCopyBench({ profile, filled: 128, object: redirectToSocket() });
    bench.arrive(udpFrame(1518), udpFrame(3000));
    expect(bench.outcomes()).toEqual(['rx_over_length', 'xsk'].sort());
    expect(bench.close()).toEqual([]);
  });
});
