import { describe, expect, it } from 'vitest';
import { viewRings } from '../../src/umem/index.js';
import type { RingView } from '../../src/umem/index.js';
import { SocketBench } from './support.js';

const ringOf = (bench: SocketBench, kind: RingView['kind'], most?: number): RingView => viewRings(bench.socket, most).rings.find((ring) => ring.kind === kind)!;

describe('a view of a socket\'s rings', () => {
  it('shows indices, entries and owners, in the order of a chunk\'s way', () => {
    const bench = new SocketBench();
    bench.startRingsAt(0xffffffff);
    for (let i = 0; i < 3; i++) bench.fill(i * 2048);
    bench.receive(60, 0, 0, 7);
    const view = viewRings(bench.socket);
    expect(view).toMatchObject({ socket: 0, ifindex: 1, queue: 0, state: 'bound', mode: 'copy', chunks: { application: 5, fillRing: 2, rxRing: 1 }, kernelFree: 0, kernelInFlight: 0 });
    expect(view.rings.map(({ kind }) => kind)).toEqual(['FILL', 'RX', 'TX', 'COMPLETION']);
    expect(ringOf(bench, 'RX')).toEqual({
      kind: 'RX', size: 8, producer: 0, consumer: 0xffffffff, cachedProducer: 0, cachedConsumer: 0xffffffff, used: 1, flags: [], omitted: 0,
      entries: [{ index: 0xffffffff, slot: 7, address: '256', lenBytes: 60, options: [], chunk: 0, owner: 'rxRing', packet: 7, note: '' }],
    });
    expect(ringOf(bench, 'FILL').entries.map(({ index, slot, chunk, owner, packet }) => [index, slot, chunk, owner, packet])).toEqual([
      [0, 0, 1, 'fillRing', 0], [1, 1, 2, 'fillRing', 0],
    ]);
    expect(ringOf(bench, 'TX').flags).toEqual(['NEED_WAKEUP']);
  });

  it('tells apart what the kernel has taken or not published yet', () => {
    const bench = new SocketBench();
    bench.fill(0);
    bench.fill(2048);
    // Without the flush at the end of the poll.
    const { pool } = bench;
    bench.socket.deliver(pool, pool.alloc(), 256, 60, 0, 3);
    expect(ringOf(bench, 'RX')).toMatchObject({ used: 0, producer: 0, cachedProducer: 1, entries: [{ note: 'not published yet', packet: 3, owner: 'rxRing' }] });
    expect(ringOf(bench, 'FILL').entries.map(({ note, owner }) => `${note}/${owner}`)).toEqual(['taken by the kernel/rxRing', '/fillRing']);
  });

  it('has options and bad addresses in words', () => {
    const bench = new SocketBench();
    bench.queue(2048, 60, 1 | 2 | 0x100);
    bench.queue(5, 60, 0, 0x12340001);
    expect(ringOf(bench, 'TX').entries).toMatchObject([
      { address: '2048', options: ['CONTD', 'TX_METADATA', '0x100'], chunk: 1, owner: 'txRing' },
      { address: '0x1234000100000005', options: [], chunk: -1, owner: '', packet: 0 },
    ]);
    const unaligned = new SocketBench({ isUnaligned: true });
    unaligned.queue(2048, 60, 0, 77 << 16);
    expect(ringOf(unaligned, 'TX').entries[0]).toMatchObject({ address: '2048+77', chunk: 1 });
  });

  it('leaves out entries beyond a number, and shows no more than there are slots', () => {
    const bench = new SocketBench();
    for (let i = 0; i < 5; i++) bench.fill(i * 2048);
    expect(ringOf(bench, 'FILL', 2)).toMatchObject({ omitted: 3, entries: [{ chunk: 0 }, { chunk: 1 }] });
    bench.fillRing.producer = 1000;
    expect(ringOf(bench, 'FILL')).toMatchObject({ used: 1000, omitted: 0 });
    expect(ringOf(bench, 'FILL').entries).toHaveLength(8);
  });

  it('of a socket that is not bound has what there is', () => {
    const bench = new SocketBench();
    const fd = bench.afXdp.socket(3, 0);
    expect(viewRings(bench.afXdp.socketOf(fd)!)).toEqual({ socket: 1, ifindex: 0, queue: 0, state: 'ready', mode: 'copy', rings: [], chunks: {}, kernelFree: 0, kernelInFlight: 0 });
  });
});
