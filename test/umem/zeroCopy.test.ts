import { describe, expect, it } from 'vitest';
import { Owner } from '../../src/memory/index.js';
import { receiveZeroCopy, XDP_PKT_CONTD, ZeroCopyTx } from '../../src/umem/index.js';
import { SocketBench } from './support.js';

// What drivers in zero-copy mode call, without a driver.

const CHUNK = 2048;

describe('XskBuffPool.allocBatch', () => {
  const take = (bench: SocketBench, most: number): number[] => {
    const into = new Uint32Array(16);
    return [...into.subarray(0, bench.pool.allocBatch(into, most))];
  };

  it('gives unused chunks first, the last one that was freed before all others, then FILL', () => {
    const bench = new SocketBench();
    for (const chunk of [0, 1, 2, 3]) bench.fill(chunk * CHUNK);
    expect(take(bench, 2)).toEqual([0, CHUNK]);
    bench.pool.free(0);
    bench.pool.free(CHUNK);
    expect(take(bench, 3)).toEqual([CHUNK, 0, 2 * CHUNK]);
    expect([...bench.umem.chunks.owner.subarray(0, 5)]).toEqual([Owner.kernel, Owner.kernel, Owner.kernel, Owner.fillRing, Owner.application]);
  });

  it('FILL counts as empty when a batch finds nothing in it, once; the application sees what was taken with the next flush', () => {
    const bench = new SocketBench();
    for (const chunk of [0, 1]) bench.fill(chunk * CHUNK);
    expect(take(bench, 8).length).toBe(2);
    expect([bench.pool.fill.queueEmptyDescs, bench.fillRing.consumer]).toEqual([0, 0]);
    expect(take(bench, 8)).toEqual([]);
    expect([bench.pool.fill.queueEmptyDescs, bench.fillRing.consumer]).toEqual([1, 0]);
    bench.socket.flush();
    expect(bench.fillRing.consumer).toBe(2);
  });

  it('bad entries are skipped, and make a batch of nothing when there is nothing else', () => {
    const bench = new SocketBench();
    bench.fill(8 * CHUNK);
    bench.fill(2 ** 31);
    expect(take(bench, 2)).toEqual([]);
    expect([bench.pool.fill.queueEmptyDescs, bench.pool.fill.invalidDescs]).toEqual([1, 2]);
  });
});

describe('ZeroCopyTx', () => {
  const sender = (bench: SocketBench, maxSegments = 8): ZeroCopyTx => new ZeroCopyTx(bench.memory, bench.pool, 16, maxSegments);
  /** The driver gives what it took to its device, which sends it. */
  const complete = (bench: SocketBench, tx: ZeroCopyTx): void => {
    const { count, chunk } = tx.descriptors;
    for (let i = 0; i < count; i++) bench.umem.move(chunk[i]!, Owner.kernel, Owner.device);
    tx.completed(count);
  };

  it.each(['takeEach', 'takeBatch'] as const)('%s: indices wrap at 2^32', (how) => {
    const bench = new SocketBench({ rings: { tx: 4, completion: 4 } });
    bench.startRingsAt(2 ** 32 - 2);
    const tx = sender(bench);
    for (let round = 0; round < 3; round++) {
      for (const chunk of [0, 1, 2]) bench.queue(chunk * CHUNK + round, 100 + chunk);
      expect(tx[how](8)).toBe(3);
      expect([...tx.descriptors.offBytes.subarray(0, 3)]).toEqual([round, CHUNK + round, 2 * CHUNK + round]);
      expect([...tx.descriptors.lenBytes.subarray(0, 3)]).toEqual([100, 101, 102]);
      expect([bench.tx.isEmpty, bench.reclaim()]).toEqual([true, -1]);
      complete(bench, tx);
      expect([bench.reclaim(), bench.reclaim(), bench.reclaim(), bench.reclaim()]).toEqual([round, CHUNK + round, 2 * CHUNK + round, -1]);
    }
    expect(bench.umem.chunks.violationCount).toBe(0);
  });

  it.each(['takeEach', 'takeBatch'] as const)('%s: takes no more than it is asked for, and than COMPLETION has room for', (how) => {
    const bench = new SocketBench({ rings: { completion: 4 } });
    const tx = sender(bench);
    for (const chunk of [0, 1, 2, 3, 4, 5]) bench.queue(chunk * CHUNK, 60);
    expect([tx[how](1), tx[how](8), tx[how](8)]).toEqual([1, 3, 0]);
    expect(bench.umem.chunks.owner.filter((owner) => owner === Owner.kernel).length).toBe(4);
  });

  it('an empty TX ring counts for who takes one by one, not for batches', () => {
    const bench = new SocketBench();
    const tx = sender(bench);
    tx.takeBatch(8);
    expect(bench.socket.statistics.tx_ring_empty_descs).toBe(0);
    tx.takeEach(8);
    expect(bench.socket.statistics.tx_ring_empty_descs).toBe(1);
  });

  it('a batch ends before a packet that is not complete yet', () => {
    const bench = new SocketBench();
    const tx = sender(bench);
    bench.queue(0, 60);
    bench.queue(CHUNK, 60, XDP_PKT_CONTD);
    expect([tx.takeBatch(8), bench.tx.used]).toEqual([1, 1]);
    bench.queue(2 * CHUNK, 60);
    expect([tx.takeBatch(8), bench.tx.used]).toEqual([2, 0]);
  });
});

it('receiveZeroCopy: parts that find no place on the RX ring stay with the caller', () => {
  const bench = new SocketBench({ rings: { rx: 2 } });
  for (const chunk of [0, 1, 2]) bench.fill(chunk * CHUNK);
  bench.pool.allocBatch(new Uint32Array(3), 3);
  const packet = { partCount: 3, chunk: Float64Array.of(0, CHUNK, 2 * CHUNK), offBytes: Uint32Array.of(256, 270, 256), lenBytes: Uint32Array.of(100, 90, 80) };
  expect(receiveZeroCopy(bench.socket, bench.pool, packet, 7)).toBe(2);
  expect([bench.socket.statistics.rx_ring_full, bench.socket.rxPackets, bench.consume()]).toEqual([1, 0, undefined]);
  bench.socket.flush();
  expect([bench.consume(), bench.consume()]).toEqual([{ addr: 256, len: 100, options: XDP_PKT_CONTD }, { addr: CHUNK + 270, len: 90, options: XDP_PKT_CONTD }]);
  expect(bench.umem.chunks.owner[2]).toBe(Owner.kernel);
  expect(bench.umem.chunks.packetId[0]).toBe(7);
});
