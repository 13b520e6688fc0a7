import { expect } from 'vitest';
import { EAGAIN } from '../../../src/base/index.js';
import { DEFAULT_BUFFERS } from '../endpoint.js';
import { DEFAULT_PACKETS, INVALID_LENGTH, MIN_PACKET, packet, packets, replaceOdd } from '../packet.js';
import type { XskCase } from './xskCase.js';

/** The most that leaves room for a packet: a UMEM is refused unless 320 + 128 bytes are left of a chunk besides XDP's 256. */
const LARGEST_HEADROOM = 4096 - 256 - 320 - 128;
const TOO_MANY = DEFAULT_BUFFERS / 2;
/** Descriptors that one send call handles in copy mode. */
const BUDGET = 32;

export const STATISTICS_CASES: readonly XskCase[] = [
  {
    name: 'STAT_RX_DROPPED',
    about: 'the headroom leaves no room for each second packet, which rx_dropped counts',
    obstacles: { zeroCopy: 'in zero-copy mode the device is told how long a buffer is, and drops or cuts what is longer' },
    run: (test) => {
      const isLong = 8 * MIN_PACKET;
      const stream = replaceOdd(packets(DEFAULT_PACKETS), ({ number }) => packet(number, isLong, 4096));
      const { receiver } = test.sendAndReceive(stream, { rx: { headroom: LARGEST_HEADROOM }, expected: stream.filter(({ number }) => number % 2 === 0) });
      expect(receiver.endpoint.frameBytes).toBeLessThan(isLong);
      expect(receiver.socket.statistics).toMatchObject({ rx_dropped: DEFAULT_PACKETS / 2, rx_ring_full: 0, rx_fill_ring_empty_descs: 0 });
    },
  },
  {
    name: 'STAT_TX_INVALID',
    about: 'each second descriptor is longer than a chunk, which tx_invalid_descs counts',
    findings: ['invalid-descriptor'],
    run: (test) => {
      const stream = replaceOdd(packets(DEFAULT_PACKETS), ({ number }) => ({ number, parts: [{ len: INVALID_LENGTH }], isValid: false }));
      const { sender } = test.sendAndReceive(stream);
      expect(sender.socket.statistics.tx_invalid_descs).toBe(DEFAULT_PACKETS / 2);
    },
  },
  {
    name: 'STAT_RX_FULL',
    about: 'nobody takes packets out of RX, and rx_ring_full counts what finds no room',
    findings: ['rx-not-read', 'rx-ring-full'],
    run: (test) => {
      const stream = packets(DEFAULT_BUFFERS + TOO_MANY);
      const { receiver } = test.sendAndReceive(stream, {
        rx: { buffers: 2 * DEFAULT_BUFFERS, rxSize: DEFAULT_BUFFERS },
        receiver: { refills: false, releases: false },
        expected: stream.slice(0, DEFAULT_BUFFERS),
      });
      const { rx_ring_full } = receiver.socket.statistics;
      if (test.isZeroCopy) expect(rx_ring_full).toBeGreaterThan(0);
      else expect(rx_ring_full).toBe(TOO_MANY);
    },
  },
  {
    name: 'STAT_FILL_EMPTY',
    about: 'nobody gives chunks to FILL, and rx_fill_ring_empty_descs counts what finds none',
    findings: ['fill-starvation', 'lost-chunk'],
    run: (test) => {
      const stream = packets(DEFAULT_BUFFERS + TOO_MANY);
      const { receiver } = test.sendAndReceive(stream, { receiver: { refills: false }, expected: stream.slice(0, DEFAULT_BUFFERS) });
      const { rx_fill_ring_empty_descs, rx_dropped } = receiver.socket.statistics;
      if (test.isZeroCopy) expect(rx_fill_ring_empty_descs).toBeGreaterThan(0);
      else expect([rx_fill_ring_empty_descs, rx_dropped]).toEqual([TOO_MANY, TOO_MANY]);
    },
  },
  {
    name: 'TX_QUEUE_CONSUMER',
    about: 'one call sends 32 descriptors, and says so in the consumer index of TX',
    obstacles: { zeroCopy: 'in zero-copy mode it is the driver that reads TX, up to the budget of its poll' },
    run: (test) => {
      const { sockets: [socket], umem } = test.endpoint(test.bed(), 'sender');
      const { tx } = socket;
      expect(tx.reserve(BUDGET + 1)).toBe(BUDGET + 1);
      for (let i = 0; i <= BUDGET; i++) tx.setDesc(tx.index + i, i * umem.config.frameSize, MIN_PACKET);
      tx.submit(BUDGET + 1);
      expect(tx.consumer).toBe(0);
      expect(socket.sendto()).toBe(-EAGAIN);
      expect(tx.consumer).toBe(BUDGET);
      expect(socket.sendto()).toBe(0);
      expect(tx.consumer).toBe(BUDGET + 1);
    },
  },
];
