import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/index.js';
import type { KernelRelease } from '../../src/base/index.js';
import { auditChunks, KERNEL_QUIRKS, viewRings, xskFindings } from '../../src/umem/index.js';
import type { Ring } from '../../src/umem/index.js';
import { ChunkWorld } from './chunkWorld.js';

/** Operations of each world: the long form is XDP_SIM_XSK_OPERATIONS=1000000. */
const OPERATIONS = Number(process.env['XDP_SIM_XSK_OPERATIONS'] ?? 8000);
/** Of one world: what is beyond repair by then is made anew. */
const ROUND = 2000;
const VIEW_EVERY = 499;
const WORLDS = (['6.1', '6.6', '6.18'] as KernelRelease[]).flatMap((kernel) =>
  ([[false, false, false], [true, false, false], [false, true, false], [false, false, true], [true, kernel === '6.18', true]] as const).map((options) => [kernel, ...options] as const));

/** A number that nobody expects: any, one near another index, or one at the ends of u32. */
function garbage(rng: Rng, near: number): number {
  switch (rng.below(4)) {
    case 0:
      return rng.nextU32();
    case 1:
      return (near + rng.below(200) - 100) >>> 0;
    case 2:
      return [0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff][rng.below(6)]!;
    default:
      return rng.below(70_000);
  }
}

/** Writes to any word of a ring: indices of either side, flags, entries. */
function scribble(ring: Ring, rng: Rng): void {
  switch (rng.below(6)) {
    case 0:
      ring.producer = garbage(rng, ring.producer);
      return;
    case 1:
      ring.consumer = garbage(rng, ring.consumer);
      return;
    case 2:
      ring.flags = garbage(rng, 0);
      return;
    case 3:
      ring.producer = ring.consumer + rng.below(ring.size + 1);
      return;
    default:
      ring.u32[ring.entryWord(rng.nextU32()) + rng.below(ring.entryBytes / 4)] = garbage(rng, 2048);
  }
}

describe(`an application that writes garbage: ${OPERATIONS} operations`, () => {
  it.each(WORLDS)('%s, unaligned %s, with all quirks %s, zero copy %s: nothing crashes, hangs, allocates or blames the kernel', (kernel, isUnaligned, hasQuirks, isZeroCopy) => {
    const rng = new Rng(20261128);
    for (let round = 0; round * ROUND < OPERATIONS; round++) play(kernel, isUnaligned, hasQuirks, isZeroCopy, rng);
  });
});

function play(kernel: KernelRelease, isUnaligned: boolean, hasQuirks: boolean, isZeroCopy: boolean, rng: Rng): void {
  const world = new ChunkWorld(
    { kernel, chunkSizeBytes: isUnaligned ? 3000 : 2048, chunkCount: 24, isUnaligned, ringSizes: [1, 2, 8, 64], firstIndex: 0xfffffff0, isZeroCopy, ...(hasQuirks ? { quirks: KERNEL_QUIRKS } : {}) },
    rng,
  );
  const { memory, rings, sockets, umem } = world;
  // Copies of packets of several descriptors are the only memory that is taken later, once for each socket.
  const roomBefore = memory.mark();
  for (let n = 0; n < ROUND; n++) {
    const socket = rng.below(3);
    world.events.nowNs += rng.below(100);
    switch (rng.below(8)) {
      case 0:
        world.receive(sockets[socket]!, 14 + rng.below(8000));
        break;
      case 1:
        world.send(socket);
        break;
      case 2:
        world.poll(socket);
        break;
      case 3:
        world.complete();
        break;
      default:
        scribble(rings[rng.below(rings.length)]!, rng);
    }
    if (n % VIEW_EVERY !== 0) continue;
    for (const each of sockets) expect(viewRings(each).rings.every(({ entries, size }) => entries.length <= size)).toBe(true);
    expect(xskFindings(sockets).length).toBeLessThan(100);
    auditChunks(umem);
  }
  expect(umem.chunks.violationCount).toBe(0);
  expect(memory.mark() - roomBefore).toBeLessThanOrEqual(3 * 19 * 4096);
  expect(xskFindings(sockets).map(({ code }) => code)).toContain('index-beyond-ring');
}
