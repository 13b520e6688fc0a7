import { describe, expect, it } from 'vitest';
import type { KernelRelease } from '../../src/base/index.js';
import { KERNEL_QUIRKS } from '../../src/umem/index.js';
import { SocketBench } from './support.js';

const EAGAIN = -11;
const EBUSY = -16;

/** A bench with 64 chunks and these packets queued, one a chunk; a length of 0 makes an invalid descriptor. */
function queued(lengths: readonly number[], completion = 64, kernel?: KernelRelease): SocketBench {
  const bench = new SocketBench({ chunkCount: 64, rings: { completion }, ...(kernel === undefined ? {} : { kernel }) });
  lengths.forEach((len, i) => bench.queue(i * 2048, len));
  return bench;
}

const many = (count: number): number[] => Array.from({ length: count }, () => 60);

/** Result of a send call, and what can be seen afterwards. */
function outcome(bench: SocketBench): Record<string, number> {
  const result = bench.send();
  const { socket } = bench;
  return {
    result,
    consumed: bench.tx.consumer,
    sent: bench.sent.length,
    invalid: socket.statistics.tx_invalid_descs,
    empty: socket.statistics.tx_ring_empty_descs,
  };
}

function reclaimAll(bench: SocketBench): number[] {
  const addresses: number[] = [];
  for (let address = bench.reclaim(); address >= 0; address = bench.reclaim()) addresses.push(address);
  return addresses;
}

describe('a send call in copy mode', () => {
  it('an empty ring is 0 and counted', () => {
    expect(outcome(queued([]))).toEqual({ result: 0, consumed: 0, sent: 0, invalid: 0, empty: 1 });
  });

  it('sends the bytes that the descriptors name', () => {
    const bench = new SocketBench();
    bench.memory.u8.set([1, 2, 3, 4], bench.umemAddress + 2048 + 100);
    bench.queue(2048 + 100, 4);
    expect(bench.send()).toBe(0);
    expect(bench.sent).toEqual([Uint8Array.of(1, 2, 3, 4)]);
    expect(bench.socket.txPackets).toBe(1);
  });

  it('32 descriptors are one call', () => {
    expect(outcome(queued(many(32)))).toEqual({ result: 0, consumed: 32, sent: 32, invalid: 0, empty: 1 });
  });

  it('40 descriptors are EAGAIN after 32, then 0', () => {
    const bench = queued(many(40));
    expect(outcome(bench)).toEqual({ result: EAGAIN, consumed: 32, sent: 32, invalid: 0, empty: 0 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 40, sent: 40, invalid: 0, empty: 1 });
  });

  it('an invalid 33rd descriptor ends the call with 0, not with EAGAIN', () => {
    const bench = queued([...many(32), 0, 60]);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 33, sent: 32, invalid: 1, empty: 0 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 34, sent: 33, invalid: 1, empty: 1 });
  });

  it('each invalid descriptor is consumed, completed in order and ends a call with 0', () => {
    const bench = queued([60, 0, 60, 0, 0, 60]);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 2, sent: 1, invalid: 1, empty: 0 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 4, sent: 2, invalid: 2, empty: 0 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 5, sent: 2, invalid: 3, empty: 0 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 6, sent: 3, invalid: 3, empty: 1 });
    expect(reclaimAll(bench)).toEqual([2048, 3 * 2048, 4 * 2048]);
    for (let i = 0; i < 3; i++) bench.completeOldest();
    expect(reclaimAll(bench)).toEqual([0, 2 * 2048, 5 * 2048]);
    expect(bench.umem.chunks.census()).toEqual({ application: 64 });
    expect(bench.umem.chunks.violationCount).toBe(0);
  });

  it.each([
    ['no bytes', 0, 0, 0],
    ['across the end of its chunk', 2000, 49, 0],
    ['a whole chunk and one byte', 0, 2049, 0],
    ['behind the UMEM', 64 * 2048, 60, 0],
    ['far behind the UMEM', 0xfffff000, 60, 0],
    ['a length of 2^32 - 1', 0, 0xffffffff, 0],
    ['an unknown option', 0, 60, 4],
    ['another unknown option', 0, 60, 0x10000],
  ])('%s is invalid', (_, addr, len, options) => {
    const bench = new SocketBench({ chunkCount: 64 });
    bench.queue(addr, len, options);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 1, sent: 0, invalid: 1, empty: 0 });
    expect(bench.reclaim()).toBe(addr);
    expect(bench.umem.chunks.violationCount).toBe(0);
  });

  it.each([[0, 2048], [2047, 1], [1000, 1048], [63 * 2048, 2048]])('%i with %i bytes is valid', (addr, len) => {
    const bench = new SocketBench({ chunkCount: 64 });
    bench.queue(addr, len);
    expect(outcome(bench)).toMatchObject({ result: 0, sent: 1, invalid: 0 });
  });

  it('all 64 bits of an invalid address come back', () => {
    const bench = new SocketBench();
    for (const [slot, address] of [0x12_3456_7890n, 0xffff_ffff_ffff_fffen].entries()) {
      bench.memory.view.setBigUint64(bench.tx.entryAddress(slot), address, true);
      bench.memory.view.setUint32(bench.tx.entryAddress(slot) + 8, 60, true);
    }
    bench.tx.producer = 2;
    expect([bench.send(), bench.send()]).toEqual([0, 0]);
    const entries = [0, 1].map((slot) => bench.memory.view.getBigUint64(bench.completion.entryAddress(slot), true));
    expect(entries).toEqual([0x12_3456_7890n, 0xffff_ffff_ffff_fffen]);
    expect(bench.umem.chunks.violationCount).toBe(0);
  });

  it('a full COMPLETION ring is EAGAIN and consumes nothing, whatever comes next', () => {
    const bench = queued([60, 60, 60, 60, 0, 60], 4);
    expect(outcome(bench)).toEqual({ result: EAGAIN, consumed: 4, sent: 4, invalid: 0, empty: 0 });
    // All four places are spoken for before any packet has left, and stay so until the application reads.
    expect(outcome(bench)).toEqual({ result: EAGAIN, consumed: 4, sent: 4, invalid: 0, empty: 0 });
    for (let i = 0; i < 4; i++) bench.completeOldest();
    expect(outcome(bench)).toEqual({ result: EAGAIN, consumed: 4, sent: 4, invalid: 0, empty: 0 });
    expect(bench.reclaim()).toBe(0);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 5, sent: 4, invalid: 1, empty: 0 });
    expect(outcome(bench)).toEqual({ result: EAGAIN, consumed: 5, sent: 4, invalid: 1, empty: 0 });
    bench.reclaim();
    expect(outcome(bench)).toEqual({ result: 0, consumed: 6, sent: 5, invalid: 1, empty: 1 });
  });

  it('a driver without room is EAGAIN, and the descriptor waits', () => {
    const bench = queued([60, 60]);
    bench.answers.push(0, EAGAIN);
    expect(outcome(bench)).toEqual({ result: EAGAIN, consumed: 1, sent: 1, invalid: 0, empty: 0 });
    expect(bench.umem.chunks.census()).toEqual({ application: 62, txRing: 1, kernel: 1 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 2, sent: 2, invalid: 0, empty: 1 });
  });

  it('a packet that the driver drops is EBUSY, consumed and completed, and ends the call', () => {
    const bench = queued([60, 60]);
    bench.answers.push(EBUSY);
    expect(outcome(bench)).toEqual({ result: EBUSY, consumed: 1, sent: 0, invalid: 0, empty: 0 });
    expect(reclaimAll(bench)).toEqual([0]);
    expect(bench.kernelChunkCount).toBe(0);
    expect(outcome(bench)).toEqual({ result: 0, consumed: 2, sent: 1, invalid: 0, empty: 1 });
  });

  it('completes the address as it was given, offset in the chunk included', () => {
    const bench = new SocketBench();
    bench.queue(2048 + 77, 60);
    bench.send();
    bench.completeOldest();
    expect(reclaimAll(bench)).toEqual([2048 + 77]);
  });

  it('trusts the producer index of the application, stale slots included', () => {
    const bench = new SocketBench({ rings: { tx: 8 }, quirks: KERNEL_QUIRKS });
    bench.queue(0, 60);
    bench.tx.producer = 20;
    // Slot 0 is valid three times (index 0, 8, 16); the other slots hold descriptors without bytes, and each of them ends a call.
    for (let calls = 0; calls < 17; calls++) expect(bench.send()).toBe(0);
    expect(bench.send()).toBe(0);
    expect(outcome(bench)).toMatchObject({ result: 0, consumed: 20, sent: 3, invalid: 17 });
  });
});

describe('a send call of older kernels', () => {
  it('6.1 passes over invalid descriptors in the same call, and their addresses are lost', () => {
    const bench = queued([60, 4000, 60, 4000, 4000, 60], 64, '6.1');
    expect(outcome(bench)).toEqual({ result: 0, consumed: 6, sent: 3, invalid: 3, empty: 1 });
    expect(reclaimAll(bench)).toEqual([]);
    for (let i = 0; i < 3; i++) bench.completeOldest();
    expect(reclaimAll(bench)).toEqual([0, 2 * 2048, 5 * 2048]);
    expect(bench.umem.chunks.violationCount).toBe(0);
  });

  it('6.1 counts only valid ones against the budget', () => {
    const bench = queued([...many(20), 4000, 4000, 4000, ...many(12), 60], 64, '6.1');
    expect(outcome(bench)).toEqual({ result: EAGAIN, consumed: 35, sent: 32, invalid: 3, empty: 0 });
  });

  it('6.6 stops behind an invalid one, whose address is lost', () => {
    const bench = queued([60, 4000, 60], 64, '6.6');
    expect(outcome(bench)).toEqual({ result: 0, consumed: 2, sent: 1, invalid: 1, empty: 0 });
    expect(outcome(bench)).toEqual({ result: 0, consumed: 3, sent: 2, invalid: 1, empty: 1 });
    expect(reclaimAll(bench)).toEqual([]);
  });

  it.each([['6.1', 0], ['6.6', 0], ['6.18', EAGAIN]] as const)('a full COMPLETION ring in %s gives %i', (kernel, result) => {
    const bench = queued(many(3), 2, kernel);
    expect(outcome(bench)).toMatchObject({ result, consumed: 2, sent: 2 });
  });

  it('an invalid descriptor needs no room on the COMPLETION ring where it is not completed', () => {
    const consumed = (['6.1', '6.6', '6.18'] as const).map((kernel) => outcome(queued([60, 60, 4000, 60], 2, kernel))['consumed']);
    expect(consumed).toEqual([3, 3, 2]);
  });
});
