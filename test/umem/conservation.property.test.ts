import { describe, expect } from 'vitest';
import { fc, prop } from '../support/property.js';
import { SocketBench } from './support.js';

const EAGAIN = -11;
const EBUSY = -16;
const CHUNK = 2048;

/** One thing that application, kernel, driver or device do. */
type Step =
  | { readonly kind: 'fill' | 'consume' | 'complete' | 'reclaim' }
  | { readonly kind: 'receive'; readonly len: number; readonly meta: number }
  | { readonly kind: 'queue'; readonly offset: number; readonly len: number; readonly options: number }
  | { readonly kind: 'send'; readonly answers: readonly number[] };

const plain = fc.constantFrom('fill', 'consume', 'complete', 'reclaim').map((kind) => ({ kind }) as Step);
const receive = fc.record({
  kind: fc.constant('receive' as const),
  len: fc.oneof(fc.integer({ min: 14, max: 1792 }), fc.constantFrom(1792, 1793)),
  meta: fc.constantFrom(0, 4, 216),
});
/** Mostly valid; without bytes, too long for its chunk, or with an unknown option now and then. */
const queue = fc.record({
  kind: fc.constant('queue' as const),
  offset: fc.integer({ min: 0, max: 1000 }),
  len: fc.oneof({ arbitrary: fc.integer({ min: 14, max: 1048 }), weight: 6 }, { arbitrary: fc.constantFrom(0, 2049), weight: 1 }),
  options: fc.oneof({ arbitrary: fc.constant(0), weight: 9 }, { arbitrary: fc.constantFrom(4, 8), weight: 1 }),
});
const send = fc.record({ kind: fc.constant('send' as const), answers: fc.array(fc.constantFrom(0, 0, 0, EAGAIN, EBUSY), { maxLength: 4 }) });
const steps = fc.array(fc.oneof(plain, plain, receive, queue, send), { maxLength: 150 });
const ringSize = fc.constantFrom(1, 2, 4, 64);

/** Chunks that the application has, as it knows itself. */
class Application {
  readonly free: number[];

  constructor(chunkCount: number) {
    this.free = Array.from({ length: chunkCount }, (_, i) => i * CHUNK);
  }
}

const chunkStart = (offBytes: number): number => offBytes - (offBytes % CHUNK);

/** Carries out a step as a correct application would. */
function carryOut(bench: SocketBench, application: Application, step: Step): void {
  const { free } = application;
  switch (step.kind) {
    case 'fill':
      if (free.length > 0 && bench.fill(free[0])) free.shift();
      return;
    case 'consume': {
      const desc = bench.consume();
      if (desc !== undefined) free.push(chunkStart(desc.addr));
      return;
    }
    case 'queue':
      if (free.length > 0 && bench.queue(free[0] + step.offset, step.len, step.options)) free.shift();
      return;
    case 'complete':
      bench.completeOldest();
      return;
    case 'reclaim': {
      const offBytes = bench.reclaim();
      if (offBytes >= 0) free.push(chunkStart(offBytes));
      return;
    }
    case 'receive':
      expect([0, -12, -28, -105]).toContain(bench.receive(step.len, step.meta));
      return;
    case 'send':
      bench.answers.push(...step.answers);
      expect([0, EAGAIN, EBUSY]).toContain(bench.send());
      bench.answers.length = 0;
  }
}

/** Every chunk is where its owner says, and nowhere else. */
function expectConserved(bench: SocketBench, application: Application): void {
  const census = bench.umem.chunks.census();
  const places = {
    application: application.free.length,
    // The application hears later of what the kernel took than the kernel itself.
    fillRing: bench.fillRing.producer - bench.pool.fill.cachedCons >>> 0,
    rxRing: bench.rx.used,
    txRing: bench.tx.used,
    completionRing: bench.completion.used,
    kernel: bench.kernelChunkCount,
  };
  for (const [owner, count] of Object.entries(places)) expect([owner, census[owner] ?? 0]).toEqual([owner, count]);
  expect(Object.values(census).reduce((sum, count) => sum + count, 0)).toBe(bench.umem.chunks.count);
  expect(bench.umem.chunks.violations).toEqual([]);
}

describe('chunks of a UMEM', () => {
  prop([
    steps,
    fc.integer({ min: 1, max: 6 }),
    fc.record({ rx: ringSize, tx: ringSize, fill: ringSize, completion: ringSize }),
    fc.constantFrom(0, 0xffffffff, 0xfffffffd, 12345),
  ])('are conserved by any sequence of steps, with any rings', (sequence, chunkCount, rings, firstIndex) => {
    const bench = new SocketBench({ chunkCount, rings });
    bench.startRingsAt(firstIndex);
    const application = new Application(chunkCount);
    let received = 0;
    for (const step of sequence) {
      carryOut(bench, application, step);
      expectConserved(bench, application);
      if (step.kind === 'receive') received++;
    }
    const { statistics } = bench.socket;
    expect(bench.socket.rxPackets + statistics.rx_dropped + statistics.rx_ring_full).toBe(received);
    expect(statistics.rx_invalid_descs).toBe(0);

    // At rest everything comes back to the application; only what was not delivered stays with the kernel.
    const drain: Step[] = [{ kind: 'send', answers: [] }, { kind: 'complete' }, { kind: 'reclaim' }, { kind: 'consume' }];
    for (let round = 0; round < 40; round++) for (const step of drain) carryOut(bench, application, step);
    const left = (bench.fillRing.producer - bench.pool.fill.cachedCons) >>> 0;
    expect(application.free.length + left + bench.kernelChunkCount).toBe(chunkCount);
    expect(bench.kernelChunkCount).toBeLessThanOrEqual(1);
  });
});
