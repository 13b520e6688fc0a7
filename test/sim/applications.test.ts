import { describe, expect, it } from 'vitest';
import { Owner } from '../../src/memory/index.js';
import type { XskApplicationFactory } from '../../src/sim/index.js';
import { burst, redirectToSocket, simulate, udpFrame, xdpProgram, xskMap } from '../support/simulate.js';

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

describe('an application that breaks the rules', () => {
  const failed = (application: XskApplicationFactory): string[] => {
    const run = simulate({ object: redirectToSocket(), frames: burst(4), xsk: { application } });
    expect(run.outcomes).toEqual({ xsk: 4 });
    expect(run.result.audit.ok).toBe(false);
    return run.result.audit.checks.filter(({ ok }) => !ok).map(({ name }) => name);
  };

  it('gives a chunk to FILL twice', () => {
    expect(
      failed((socket) => ({
        start() {
          for (const off of [0, 4096, 0, 4096]) {
            socket.fill.produce(off);
            socket.umem.chunks.move(socket.umem.address + off, Owner.application, Owner.fillRing);
          }
        },
        run: () => {},
      })),
    ).toContain('ownership');
  });

  it('takes a packet from the RX ring and forgets its chunk', () => {
    expect(
      failed((socket) => ({
        start() {
          for (let off = 0; off < socket.umem.sizeBytes; off += 4096) {
            socket.fill.produce(off);
            socket.umem.chunks.move(socket.umem.address + off, Owner.application, Owner.fillRing);
          }
        },
        run: () => socket.rx.release(),
      })),
    ).toEqual(['chunks of socket 0']);
  });
});
