import { expect } from 'vitest';
import { POLLIN, POLLOUT } from '../../../src/umem/index.js';
import { DEFAULT_BUFFERS, DEFAULT_RING } from '../endpoint.js';
import { DEFAULT_PACKETS, MIN_PACKET, packets } from '../packet.js';
import type { XskTest } from '../xskTest.js';
import type { XskCase } from './xskCase.js';

/** How long the selftest waits for an event that must not come, ms. */
const POLL_TIMEOUT_MS = 1000;
const TEARDOWNS = 10;
const UMEM_HEADROOM = 128;
const FRAME = 4096;

/** Where chunk `i` of unaligned ones begins: each second one so far before a page that its first bytes lie in two. They don't overlap. */
const unalignedChunk = (i: number): number => 2 * i * FRAME - (i % 2) * (MIN_PACKET / 2);

export const SEND_RECEIVE_CASES: readonly XskCase[] = [
  {
    name: 'SEND_RECEIVE',
    about: '4096 packets arrive in their order, whole, where they belong in their chunks',
    run: (test) => {
      const { sender, receiver } = test.sendAndReceive(packets(DEFAULT_PACKETS));
      expect(receiver.socket.statistics).toMatchObject({ rx_dropped: 0, rx_ring_full: 0, rx_invalid_descs: 0 });
      expect(sender.socket.statistics).toMatchObject({ tx_invalid_descs: 0 });
    },
  },
  {
    name: 'SEND_RECEIVE_2K_FRAME',
    about: 'the same with chunks of 2048 bytes',
    run: (test) => void test.sendAndReceive(packets(DEFAULT_PACKETS), { tx: { frameSize: 2048 }, rx: { frameSize: 2048 } }),
  },
  {
    name: 'SEND_RECEIVE_SINGLE_PKT',
    about: 'one packet arrives though nothing comes behind it',
    run: (test) => void test.sendAndReceive(packets(1)),
  },
  {
    name: 'POLL_RX',
    about: 'the receiver looks when poll says POLLIN',
    run: (test) => {
      const { receiver } = test.sendAndReceive(packets(DEFAULT_PACKETS), { receiver: { usesPoll: true } });
      expect(receiver.pollsIdle).toBeGreaterThan(0);
    },
  },
  {
    name: 'POLL_TX',
    about: 'the sender sends when poll says POLLOUT',
    run: (test) => void test.sendAndReceive(packets(DEFAULT_PACKETS), { sender: { usesPoll: true } }),
  },
  {
    name: 'POLL_RXQ_FULL',
    about: 'without packets poll waits in vain for POLLIN',
    run: (test) => {
      const bed = test.bed();
      const [socket] = test.endpoint(bed, 'receiver').sockets;
      expect(socket.poll(POLLIN)).toBe(0);
      bed.pass(POLL_TIMEOUT_MS);
      expect(socket.poll(POLLIN)).toBe(0);
    },
  },
  {
    name: 'POLL_TXQ_FULL',
    about: 'a sender that leaves COMPLETION as it is waits in vain for POLLOUT',
    // It goes round its buffers all the same.
    findings: ['completion-not-drained', 'double-submission', 'use-after-hand-over'],
    run: (test) => {
      const bed = test.bed();
      const endpoint = test.endpoint(bed, 'sender', { frameSize: 2048 });
      const sender = test.sender(endpoint, packets(2 * DEFAULT_PACKETS, 2048), { usesPoll: true, completes: false, expectsDrops: true });
      for (let idle = 0; idle < bed.patience; ) {
        idle = sender.step() ? 0 : idle + 1;
        bed.settle(idle > 0);
      }
      bed.pass(POLL_TIMEOUT_MS);
      expect(sender.socket.poll(POLLOUT)).toBe(0);
      expect(sender.mistakes).toEqual([]);
      expect(sender.pollsWithoutRoom).toBeGreaterThan(0);
      expect(endpoint.sockets[0].completion.nbAvail(DEFAULT_RING)).toBe(DEFAULT_RING);
    },
  },
  {
    name: 'SEND_RECEIVE_UNALIGNED',
    about: 'chunks begin anywhere: half of the packets, and of the chunks for them, lie in two pages',
    run: (test) => {
      const config = { isUnaligned: true, buffers: 2 * DEFAULT_BUFFERS };
      const fill = Array.from({ length: DEFAULT_BUFFERS }, (_, i) => unalignedChunk(i));
      const stream = packets(DEFAULT_PACKETS).map((each) => ({ ...each, parts: [{ len: MIN_PACKET, addr: unalignedChunk(each.number % DEFAULT_BUFFERS) }] }));
      test.sendAndReceive(stream, { tx: { ...config, txBuffers: DEFAULT_BUFFERS }, rx: { ...config, fill } });
    },
  },
  {
    name: 'UMEM_HEADROOM',
    about: '128 bytes of headroom move the packets by as much',
    run: (test) => void test.sendAndReceive(packets(DEFAULT_PACKETS), { rx: { headroom: UMEM_HEADROOM } }),
  },
  {
    name: 'TEARDOWN',
    about: 'ten times sockets are opened on the same queues, used and closed',
    run: (test) => {
      const bed = test.bed();
      for (let i = 0; i < TEARDOWNS; i++) {
        const to = test.endpoint(bed, 'receiver');
        const from = test.endpoint(bed, 'sender');
        test.run(bed, [test.flow(from, to, packets(DEFAULT_PACKETS / TEARDOWNS))]);
        test.closeEndpoint(from);
        test.closeEndpoint(to);
      }
    },
  },
  { name: 'BIDIRECTIONAL', about: 'packets one way, then the other way, then both ways, on the same sockets', run: bidirectional },
];

function bidirectional(test: XskTest): void {
  const bed = test.bed();
  // The first buffers are for packets to be sent, the others for FILL.
  const config = {
    rxSize: DEFAULT_RING, txSize: DEFAULT_RING, buffers: 2 * DEFAULT_BUFFERS, txBuffers: DEFAULT_BUFFERS,
    fill: Array.from({ length: DEFAULT_BUFFERS }, (_, i) => (DEFAULT_BUFFERS + i) * FRAME),
  };
  const left = test.endpoint(bed, 'sender', config);
  const right = test.endpoint(bed, 'receiver', config);
  const stream = packets(DEFAULT_PACKETS / 2);
  test.run(bed, [test.flow(left, right, stream)]);
  test.run(bed, [test.flow(right, left, stream)]);
  test.run(bed, [test.flow(left, right, stream), test.flow(right, left, stream)]);
}
