import { describe, expect, it } from 'vitest';
import { Owner } from '../../src/memory/index.js';
import { SocketBench } from './support.js';

const ENOMEM = -12;
const ENOSPC = -28;
const ENOBUFS = -105;

const counts = ({ socket }: SocketBench): Record<string, number> => ({
  dropped: socket.statistics.rx_dropped,
  full: socket.statistics.rx_ring_full,
  fillEmpty: socket.statistics.rx_fill_ring_empty_descs,
});

describe('XdpSock, receiving in copy mode', () => {
  it.each([[0, 256], [1, 257], [64, 320], [100, 356]])('with headroom %i puts the packet %i bytes into the chunk', (headroomBytes, offset) => {
    const bench = new SocketBench({ headroomBytes });
    bench.fill(2048);
    expect(bench.receive(60, 0, 7)).toBe(0);
    expect(bench.consume()).toEqual({ addr: 2048 + offset, len: 60, options: 0 });
    expect([...bench.bytes(2048 + offset, 3)]).toEqual([7, 8, 9]);
  });

  it('copies metadata directly before the packet and tells nobody its length', () => {
    const bench = new SocketBench();
    bench.fill(0);
    bench.receive(60, 8);
    expect(bench.consume()).toEqual({ addr: 256, len: 60, options: 0 });
    expect([...bench.bytes(247, 10)]).toEqual([0, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0]);
  });

  it('without metadata leaves the bytes before the packet alone', () => {
    const bench = new SocketBench();
    bench.fill(0);
    bench.memory.u8.fill(0x77, bench.umemAddress, bench.umemAddress + 256);
    bench.receive(60);
    expect(bench.bytes(0, 256).every((byte) => byte === 0x77)).toBe(true);
  });

  it('takes a FILL address as the start of its chunk and skips bad ones without a word', () => {
    const bench = new SocketBench();
    bench.fill(8 * 2048);
    bench.fill(0xfffff000);
    bench.fill(4096 + 123);
    expect(bench.receive(60)).toBe(0);
    expect(bench.consume()?.addr).toBe(4096 + 256);
    expect(counts(bench)).toEqual({ dropped: 0, full: 0, fillEmpty: 0 });
    expect(bench.socket.statistics.rx_invalid_descs).toBe(0);
    expect(bench.umem.chunks.violationCount).toBe(0);
  });

  it('the longest packet fits, one byte more is ENOSPC', () => {
    const bench = new SocketBench({ headroomBytes: 1000 });
    bench.fill(0);
    expect(bench.receive(793)).toBe(ENOSPC);
    expect(counts(bench)).toEqual({ dropped: 1, full: 0, fillEmpty: 0 });
    expect(bench.receive(792)).toBe(0);
  });

  it('metadata does not count against the length', () => {
    const bench = new SocketBench();
    bench.fill(0);
    expect(bench.receive(2048 - 256, 216)).toBe(0);
  });

  it('asks for length, FILL and RX ring in that order', () => {
    const bench = new SocketBench({ rings: { rx: 1 } });
    expect(bench.receive(4000)).toBe(ENOSPC);
    expect(counts(bench)).toEqual({ dropped: 1, full: 0, fillEmpty: 0 });
    expect(bench.receive(60)).toBe(ENOMEM);
    expect(counts(bench)).toEqual({ dropped: 2, full: 0, fillEmpty: 1 });
    bench.fill(0);
    expect(bench.receive(60)).toBe(0);
    // RX is full now: but without a FILL entry that is not found out.
    expect(bench.receive(60)).toBe(ENOMEM);
    bench.fill(2048);
    expect(bench.receive(4000)).toBe(ENOSPC);
    expect(bench.receive(60)).toBe(ENOBUFS);
    expect(counts(bench)).toEqual({ dropped: 4, full: 1, fillEmpty: 2 });
  });

  it('a chunk that was not delivered is used next, before FILL', () => {
    const bench = new SocketBench({ rings: { rx: 1 } });
    [0, 2048, 4096].forEach((off) => bench.fill(off));
    expect([bench.receive(60), bench.receive(60), bench.receive(60)]).toEqual([0, ENOBUFS, ENOBUFS]);
    expect(bench.fillRing.used).toBe(2);
    expect(bench.pool.fill.cachedCons).toBe(2);
    expect(bench.kernelChunkCount).toBe(1);
    expect(bench.umem.chunks.census()).toEqual({ application: 5, fillRing: 1, kernel: 1, rxRing: 1 });
    bench.consume();
    expect(bench.receive(60)).toBe(0);
    expect(bench.consume()?.addr).toBe(2048 + 256);
    expect(bench.kernelChunkCount).toBe(0);
  });

  it('remembers the packet in the ledger and counts packets and bytes', () => {
    const bench = new SocketBench();
    bench.fill(2048);
    bench.receive(60, 0, 0, 42);
    expect(bench.umem.chunks.packetId[1]).toBe(42);
    expect([bench.socket.rxPackets, bench.socket.rxBytes]).toEqual([1, 60]);
  });

  it('a chunk that is in FILL twice is taken twice, and a mistake of the application', () => {
    const bench = new SocketBench();
    bench.fill(0);
    bench.fillRing.u32.set([0, 0], bench.fillRing.entryWord(1));
    bench.fillRing.producer = 2;
    expect([bench.receive(60), bench.receive(60)]).toEqual([0, 0]);
    expect(bench.umem.chunks.violationCount).toBe(0);
    expect(bench.umem.watch!.findings.all).toMatchObject([{ code: 'double-submission', severity: 'mistake', ring: 'FILL', count: 1 }]);
  });

  it('rings that wrap past 2^32 make no difference', () => {
    const bench = new SocketBench({ rings: { rx: 2, fill: 2 } });
    bench.startRingsAt(0xffffffff);
    for (let round = 0; round < 5; round++) {
      bench.fill(0);
      bench.fill(2048);
      expect([bench.receive(60), bench.receive(61)]).toEqual([0, 0]);
      expect([bench.consume()?.len, bench.consume()?.len, bench.consume()]).toEqual([60, 61, undefined]);
    }
    expect(bench.umem.chunks.census()).toEqual({ application: 8 });
    expect(bench.umem.chunks.violationCount).toBe(0);
  });

  it('only the TX ring says that it needs a wake-up', () => {
    const { tx, rx, fillRing, completion, umem } = new SocketBench();
    expect([tx, rx, fillRing, completion].map(({ flags }) => flags)).toEqual([1, 0, 0, 0]);
    expect(umem.chunks.owner.every((owner) => owner === Owner.application)).toBe(true);
  });
});
