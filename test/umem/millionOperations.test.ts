import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/index.js';
import type { KernelRelease } from '../../src/base/index.js';
import { Owner } from '../../src/memory/index.js';
import { auditChunks, xskFindings } from '../../src/umem/index.js';
import type { Ring } from '../../src/umem/index.js';
import { ChunkWorld } from './chunkWorld.js';

/** Operations of each world: the long form is XDP_SIM_XSK_OPERATIONS=1000000. */
const OPERATIONS = Number(process.env['XDP_SIM_XSK_OPERATIONS'] ?? 50_000);
const AUDIT_EVERY = 997;
const RECOVER_EVERY = 61;
const RING_SIZES = [1, 2, 4, 8, 32, 64];
const KERNELS: readonly KernelRelease[] = ['6.1', '6.6', '6.18'];

/** An application that keeps the rules, and knows by itself which chunks it has. */
class Application {
  readonly #world: ChunkWorld;
  readonly #chunkSizeBytes: number;
  readonly mine: number[];
  readonly #isMine: Uint8Array;

  constructor(world: ChunkWorld, chunkCount: number, chunkSizeBytes: number) {
    this.#world = world;
    this.#chunkSizeBytes = chunkSizeBytes;
    this.mine = Array.from({ length: chunkCount }, (_, chunk) => chunk);
    this.#isMine = new Uint8Array(chunkCount).fill(1);
  }

  /** A chunk that it has, no longer its own. */
  #give(): number {
    const at = this.#world.rng.below(this.mine.length);
    const chunk = this.mine[at]!;
    this.mine[at] = this.mine.at(-1)!;
    this.mine.pop();
    this.#isMine[chunk] = 0;
    return chunk;
  }

  /** The chunk of an address comes back. It must not be here already. */
  take(low: number): void {
    const chunk = Math.floor(low / this.#chunkSizeBytes);
    if (this.#isMine[chunk] !== 0) throw new Error(`chunk ${chunk} came back though the application has it`);
    this.#isMine[chunk] = 1;
    this.mine.push(chunk);
  }

  /** Addresses of chunks that the watch says it has, and it does not know of. */
  unnoticed(): number[] {
    const { umem, afXdp } = this.#world;
    const addresses: number[] = [];
    afXdp.observe();
    this.#isMine.forEach((isMine, chunk) => {
      const address = chunk * this.#chunkSizeBytes;
      const hasIt = umem.chunks.owner[umem.chunks.indexOf(umem.address + address)] === Owner.application;
      if (isMine === 1 && !hasIt) throw new Error(`the application has chunk ${chunk}, and the watch does not know`);
      if (isMine === 0 && hasIt) addresses.push(address);
    });
    return addresses;
  }

  fill(ring: Ring): void {
    const { rng } = this.#world;
    let producer = ring.producer;
    for (let count = rng.below(8); count > 0 && this.mine.length > 0 && ((producer - ring.consumer) >>> 0) < ring.size; count--) {
      ring.u32.set([this.#give() * this.#chunkSizeBytes + this.#offset(100), 0], ring.entryWord(producer));
      producer = (producer + 1) >>> 0;
    }
    ring.producer = producer;
  }

  /** Offset into a chunk, which FILL of aligned chunks ignores, and TX takes. */
  #offset(most: number): number {
    return this.#world.umem.isUnaligned ? 0 : this.#world.rng.below(most);
  }

  /**
   * Packets of one and of several descriptors, now and then one that is refused. A packet of more descriptors than COMPLETION has slots would wait for
   * ever.
   */
  queue(ring: Ring, completion: Ring): void {
    const { rng, umem } = this.#world;
    const high = umem.isUnaligned ? rng.below(300) << 16 : 0;
    let producer = ring.producer;
    for (let count = rng.below(8); count > 0 && this.mine.length > 0 && ((producer - ring.consumer) >>> 0) < ring.size; count--) {
      const chance = rng.below(40);
      const len = chance === 0 ? 0 : chance === 1 ? 5000 : 14 + rng.below(1000);
      const options = chance === 2 ? 8 : completion.size > 20 && rng.below(4) === 0 ? 1 : 0;
      ring.u32.set([this.#give() * this.#chunkSizeBytes + this.#offset(1000), high, len, options], ring.entryWord(producer));
      producer = (producer + 1) >>> 0;
    }
    ring.producer = producer;
  }

  /** Takes chunks from RX or COMPLETION; now and then it gives them on before it releases their entries. */
  drain(ring: Ring, isRx: boolean): void {
    const { rng, umem, pools } = this.#world;
    const count = Math.min(ring.used, rng.below(10));
    for (let n = 0; n < count; n++) {
      const word = ring.entryWord((ring.consumer + n) >>> 0);
      this.take(ring.u32[word]! - (isRx && !umem.isUnaligned ? 256 : 0));
    }
    if (rng.below(4) === 0) {
      this.fill(pools[rng.below(2)]!.fill.ring);
      if (rng.below(2) === 0) this.#world.afXdp.observe();
    }
    ring.consumer = (ring.consumer + count) >>> 0;
  }
}

function operate(world: ChunkWorld, application: Application): void {
  const { rng, sockets, pools } = world;
  const socket = rng.below(3);
  world.events.nowNs += rng.below(100);
  switch (rng.below(8)) {
    case 0:
      return application.fill(pools[rng.below(2)]!.fill.ring);
    case 1:
    case 2:
      return world.receive(sockets[socket]!, 14 + rng.below(rng.below(8) === 0 ? 8000 : 1500));
    case 3:
      return application.drain(sockets[socket]!.rx!.ring, true);
    case 4:
      return application.queue(sockets[socket]!.tx!.ring, sockets[socket]!.pool!.completion.ring);
    case 5:
      if (rng.below(8) === 0) world.poll(socket);
      else world.send(socket);
      return undefined;
    case 6:
      return world.complete();
    default:
      return application.drain(pools[rng.below(2)]!.completion.ring, false);
  }
}

/** Who has what, by the watch and by the application itself, which hears nothing of refused descriptors before 6.18, and in zero-copy mode. */
function expectConserved(world: ChunkWorld, application: Application, isTold: boolean): void {
  const { umem } = world;
  expect(auditChunks(umem, world.driverChunks)).toMatchObject({ ok: true });
  expect(umem.chunks.violationCount).toBe(0);
  recover(application, isTold);
}

/** Chunks of descriptors that were refused without a word. */
function recover(application: Application, isTold: boolean): void {
  const returned = application.unnoticed();
  if (isTold) expect(returned).toEqual([]);
  for (const chunk of returned) application.take(chunk);
}

describe(`${OPERATIONS} random operations on a UMEM of two queues and three sockets`, () => {
  for (const kernel of KERNELS) {
    for (const [isUnaligned, isZeroCopy] of [[false, false], [true, false], [false, true], [true, true]] as const) {
      it(`conserve its chunks: ${kernel}, ${isUnaligned ? 'unaligned' : 'aligned'}, ${isZeroCopy ? 'zero copy' : 'copy'}, rings that begin just below 2^32`, () => {
        const rng = new Rng(20261127 + KERNELS.indexOf(kernel) * 4 + Number(isUnaligned) * 2 + Number(isZeroCopy));
        const chunkCount = 24;
        const chunkSizeBytes = isUnaligned ? 3000 : 2048;
        const world = new ChunkWorld({ kernel, chunkSizeBytes, chunkCount, isUnaligned, ringSizes: RING_SIZES, firstIndex: 2 ** 32 - 1 - rng.below(200), isZeroCopy }, rng);
        const application = new Application(world, chunkCount, chunkSizeBytes);
        const isTold = kernel === '6.18' && !isZeroCopy;
        let received = 0;
        for (let n = 0; n < OPERATIONS; n++) {
          operate(world, application);
          if (n % RECOVER_EVERY === 0) recover(application, isTold);
          if (n % AUDIT_EVERY === 0) expectConserved(world, application, isTold);
        }
        expectConserved(world, application, isTold);
        for (const { rxPackets, txPackets } of world.sockets) received += rxPackets + txPackets;
        expect(received).toBeGreaterThan(OPERATIONS / 10);
        expect(world.umem.watch!.isTainted.includes(1)).toBe(false);
        const mistakes = xskFindings(world.sockets).filter(({ severity }) => severity === 'mistake').map(({ code }) => code);
        expect(new Set(mistakes)).toEqual(new Set(mistakes.filter((code) => code === 'invalid-descriptor' || code === 'too-many-descriptors')));
      });
    }
  }
});
