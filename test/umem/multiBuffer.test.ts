import { describe, expect, it } from 'vitest';
import { XDP_PKT_CONTD } from '../../src/umem/index.js';
import { SocketBench } from './support.js';
import type { BenchOptions } from './support.js';

const EAGAIN = -11;
const ENOMEM = -12;
const ENOBUFS = -105;
const CHUNK = 2048;

/** A bench with 64 chunks; each number is a packet's descriptor in a chunk of its own, with CONTD when it is negative; 0 is invalid, -0.5 invalid with CONTD. */
function queued(lengths: readonly number[], options: BenchOptions = {}): SocketBench {
  const bench = new SocketBench({ chunkCount: 64, ...options });
  lengths.forEach((len, i) => bench.queue(i * CHUNK, Math.floor(Math.abs(len)), len < 0 ? XDP_PKT_CONTD : 0));
  return bench;
}

function outcome(bench: SocketBench): Record<string, unknown> {
  const result = bench.send();
  return { result, consumed: bench.tx.consumer, sent: bench.sent.map(({ length }) => length), invalid: bench.socket.statistics.tx_invalid_descs };
}

function reclaimAll(bench: SocketBench): number[] {
  const chunks: number[] = [];
  for (let address = bench.reclaim(); address >= 0; address = bench.reclaim()) chunks.push(address / CHUNK);
  return chunks;
}

const continued = (count: number): number[] => Array.from({ length: count }, () => -100);

describe('sending packets of several descriptors', () => {
  it('is one packet for the driver, whose addresses come back together', () => {
    const bench = queued([-100, -200, 50, 60]);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 4, sent: [350, 60], invalid: 0 });
    expect(reclaimAll(bench)).toEqual([]);
    bench.completeOldest();
    expect(reclaimAll(bench)).toEqual([0, 1, 2]);
    bench.completeOldest();
    expect(reclaimAll(bench)).toEqual([3]);
  });

  it('keeps a packet without its end over calls, as it was when it was taken', () => {
    const bench = queued([-100]);
    bench.memory.u8.fill(7, bench.umemAddress, bench.umemAddress + 100);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 1, sent: [], invalid: 0 });
    bench.memory.u8.fill(9, bench.umemAddress, bench.umemAddress + 100);
    bench.queue(CHUNK, 20);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 2, sent: [120], invalid: 0 });
    expect(bench.sent[0]![0]).toBe(7);
  });

  it('waits when there is no memory to keep a packet without its end', () => {
    const bench = queued([-100, 20]);
    const mark = bench.memory.mark();
    while (bench.memory.hasRoom(4096)) bench.memory.reserve('somebody else', 4096);
    expect(outcome(bench)).toEqual({ result: EAGAIN, consumed: 0, sent: [], invalid: 0 });
    bench.memory.release(mark);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 2, sent: [120], invalid: 0 });
  });

  it('takes 18 descriptors', () => {
    expect(outcome(queued([...continued(17), 100]))).toEqual({ result: 0, consumed: 18, sent: [1800], invalid: 0 });
  });

  it('drops a packet of 19 and goes on with the next one', () => {
    const bench = queued([...continued(18), 100, 60]);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 20, sent: [60], invalid: 19 });
    expect(reclaimAll(bench)).toEqual(Array.from({ length: 19 }, (_, i) => i));
  });

  it('an invalid descriptor takes those before it along, and what follows up to the end of the packet', () => {
    const bench = queued([-100, -100, -0.5, -100, 100, 60]);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 3, sent: [], invalid: 3 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 6, sent: [60], invalid: 5 });
    expect(reclaimAll(bench)).toEqual([0, 1, 2, 3, 4]);
    expect(bench.umem.chunks.violationCount).toBe(0);
  });

  it('an invalid descriptor that ends its packet ends the draining, too', () => {
    const bench = queued([-100, 0, 60]);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 2, sent: [], invalid: 2 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 3, sent: [60], invalid: 2 });
  });

  it('the drain begins with the first descriptor of a packet, too, and lasts over calls', () => {
    const bench = queued([-0.5]);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 1, sent: [], invalid: 1 });
    bench.queue(CHUNK, 60);
    bench.queue(2 * CHUNK, 61);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 3, sent: [61], invalid: 2 });
  });

  it('6.6 begins a packet right behind the bad one, and addresses are lost', () => {
    const bench = queued([-100, -0.5, 60], { kernel: '6.6' });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 2, sent: [], invalid: 2 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 3, sent: [60], invalid: 2 });
    bench.completeOldest();
    expect(reclaimAll(bench)).toEqual([2]);
  });

  it('6.1 knows no such packets', () => {
    expect(outcome(queued([-100, 60], { kernel: '6.1' }))).toEqual({ result: 0, consumed: 2, sent: [60], invalid: 1 });
  });

  it('a driver without room leaves all descriptors of the packet on the ring', () => {
    const bench = queued([-100, 100, 60]);
    bench.answers.push(EAGAIN);
    expect(outcome(bench)).toEqual({ result: EAGAIN, consumed: 0, sent: [], invalid: 0 });
    expect(bench.umem.chunks.census()).toEqual({ application: 61, txRing: 3 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 3, sent: [200, 60], invalid: 0 });
    expect(bench.umem.chunks.violationCount).toBe(0);
  });
});

describe('receiving packets of several descriptors', () => {
  const F = CHUNK - 256 - 1000;
  const bench = (fill: number, rx = 8, hasSg = true): SocketBench => {
    const made = new SocketBench({ headroomBytes: 1000, rings: { rx }, hasSg });
    for (let chunk = 0; chunk < fill; chunk++) made.fill(chunk * CHUNK);
    return made;
  };
  const all = (made: SocketBench): (readonly number[])[] => {
    const got: (readonly number[])[] = [];
    for (let desc = made.consume(); desc !== undefined; desc = made.consume()) got.push([desc.addr, desc.len, desc.options]);
    return got;
  };

  it('one byte more than a chunk takes is a second descriptor', () => {
    const made = bench(4);
    expect([made.receive(F), made.receive(F + 1)]).toEqual([0, 0]);
    expect(all(made)).toEqual([[1256, F, 0], [CHUNK + 1256, F, XDP_PKT_CONTD], [2 * CHUNK + 1256, 1, 0]]);
  });

  it('every chunk begins at the same offset, and metadata stands before the first only', () => {
    const made = bench(8);
    expect(made.receive(3 * F - 1, 8)).toBe(0);
    expect(all(made).map(([addr, len]) => [addr! % CHUNK, len])).toEqual([[1256, F], [1256, F], [1256, F - 1]]);
    expect([...made.bytes(1248, 9)]).toEqual([0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0]);
    expect(made.bytes(CHUNK + 1248, 8).every((byte) => byte === 0)).toBe(true);
    expect([made.bytes(CHUNK + 1256, 1)[0], made.bytes(2 * CHUNK + 1256, 1)[0]]).toEqual([F & 0xff, (2 * F) & 0xff]);
  });

  it('a packet with fragments that fits is one descriptor', () => {
    const made = bench(2);
    expect(made.receive(F, 0, 0, 1, true)).toBe(0);
    expect(all(made).length).toBe(1);
  });

  it('fewer chunks than it takes: rx_dropped, and FILL stays as it is', () => {
    const made = bench(2);
    expect(made.receive(3 * F)).toBe(ENOMEM);
    expect(made.socket.statistics).toMatchObject({ rx_dropped: 1, rx_fill_ring_empty_descs: 0, rx_ring_full: 0 });
    expect(made.receive(2 * F)).toBe(0);
  });

  it('fewer slots than it takes: rx_ring_full once, and no chunk is taken', () => {
    const made = bench(4, 2);
    expect(made.receive(3 * F)).toBe(ENOBUFS);
    expect(made.socket.statistics).toMatchObject({ rx_dropped: 0, rx_ring_full: 1 });
    expect(made.kernelChunkCount).toBe(0);
    expect(made.receive(2 * F)).toBe(0);
  });

  it('packets carry their number into every chunk', () => {
    const made = bench(3);
    made.receive(3 * F, 0, 0, 77);
    expect([...made.umem.chunks.packetId.subarray(0, 4)]).toEqual([77, 77, 77, 0]);
  });
});
