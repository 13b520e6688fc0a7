import { expect } from 'vitest';
import { BATCH, DEFAULT_BUFFERS } from '../endpoint.js';
import { DEFAULT_PACKETS, JUMBO, JUMBO_BATCH, JUMBO_PACKETS, LARGE_FRAME, MIN_PACKET, packets } from '../packet.js';
import type { Packet } from '../packet.js';
import type { XskTest } from '../xskTest.js';
import { NEEDS_SEGMENTS } from './xskCase.js';
import type { XskCase } from './xskCase.js';

/** struct packet_number of xsk_steer.c. */
const METADATA = 32;

/** Longer than one buffer, and the last one has room for 2047 bytes more. */
export const GROWN_BYTES = 4096 + 512;

const NEEDS_METADATA = { noMetadata: 'the driver has no metadata: bpf_xdp_adjust_meta gives ENOTSUPP' } as const;

const isEven = ({ number }: Packet): boolean => number % 2 === 0;

export const PROGRAM_CASES: readonly XskCase[] = [
  {
    name: 'XDP_PROG_CLEANUP',
    about: 'a second pair of sockets takes the place of the first in the slot of the XSKMAP',
    run: (test) => {
      const bed = test.bed();
      const to = test.endpoint(bed, 'receiver', { sockets: 2 });
      const from = test.endpoint(bed, 'sender', { sockets: 2 });
      const stream = packets(DEFAULT_PACKETS / 2);
      test.run(bed, [test.flow(from, to, stream)]);
      to.putSocket(0, to.sockets[1]);
      from.putSocket(0, from.sockets[1]);
      test.run(bed, [test.flow(from, to, stream, { fromSocket: from.sockets[1], toSocket: to.sockets[1] })]);
    },
  },
  {
    name: 'XDP_DROP_HALF',
    about: 'the program drops each second packet, and the others arrive in their order',
    run: (test) => {
      const stream = packets(DEFAULT_PACKETS);
      test.sendAndReceive(stream, { bed: { program: 'drop_odd' }, expected: stream.filter(isEven) });
    },
  },
  {
    name: 'XDP_SHARED_UMEM',
    about: 'two sockets share a UMEM and its FILL, and the program chooses by the destination address',
    run: (test) => {
      const bed = test.bed({ program: 'by_destination' });
      const to = test.endpoint(bed, 'receiver', { sockets: 2 });
      const from = test.endpoint(bed, 'sender', { sockets: 2 });
      const stream = packets(DEFAULT_PACKETS).map((each) => ({ ...each, destination: each.number % 2 }));
      test.run(bed, [0, 1].map((i) => test.flow(from, to, stream.filter(({ destination }) => destination === i), { fromSocket: from.sockets[i], toSocket: to.sockets[i] })));
    },
  },
  {
    name: 'XDP_METADATA_COPY',
    about: 'what the program writes before the packet is found before it',
    obstacles: NEEDS_METADATA,
    run: (test) => void test.sendAndReceive(packets(DEFAULT_PACKETS), { bed: { program: 'number_in_metadata' }, receiver: { metadataBytes: METADATA } }),
  },
  {
    name: 'XDP_METADATA_COPY_MULTI_BUFF',
    about: 'of packets in several chunks it is found before the first one',
    obstacles: { ...NEEDS_SEGMENTS, ...NEEDS_METADATA },
    run: (test) => {
      const { receiver } = test.sendAndReceive(packets(JUMBO_PACKETS, JUMBO), {
        bed: { mtu: JUMBO, program: 'number_in_metadata' }, tx: { hasSg: true }, rx: { hasSg: true }, sender: { batch: JUMBO_BATCH }, receiver: { metadataBytes: METADATA },
      });
      expect(receiver.descriptors).toBeGreaterThanOrEqual(3 * JUMBO_PACKETS);
    },
  },
  { name: 'XDP_ADJUST_TAIL_SHRINK', about: 'the program cuts 4 bytes off', run: (test) => changeTail(test, -4, 2 * MIN_PACKET) },
  {
    name: 'XDP_ADJUST_TAIL_SHRINK_MULTI_BUFF',
    about: 'the program cuts a whole buffer off',
    obstacles: NEEDS_SEGMENTS,
    run: (test) => changeTail(test, -4096, 2 * LARGE_FRAME, JUMBO),
  },
  {
    name: 'XDP_ADJUST_TAIL_GROW',
    about: 'the program adds 4 bytes',
    // Of 128 bytes, as the selftest sends them, nothing is left behind the packet in most buffers of a veth: they are rounded up to 64.
    run: (test) => changeTail(test, 4, 100),
  },
  {
    name: 'XDP_ADJUST_TAIL_GROW_MULTI_BUFF',
    about: 'the program adds 2047 bytes in the last buffer',
    obstacles: { ...NEEDS_SEGMENTS, fixedFragments: 'nobody knows how long a fragment may become: bpf_xdp_adjust_tail gives EOPNOTSUPP' },
    // The selftest's packets of 6144 bytes would leave too little of the last page where the first buffer takes 3072.
    run: (test) => changeTail(test, 2047, GROWN_BYTES, JUMBO),
  },
];

function changeTail(test: XskTest, by: number, lenBytes: number, mtu = 1500): void {
  const hasSg = mtu > 1500;
  const bed = test.bed({ mtu, program: 'change_tail' });
  bed.ends[1].setTailChange(by);
  const to = test.endpoint(bed, 'receiver', { hasSg });
  const from = test.endpoint(bed, 'sender', { hasSg, buffers: DEFAULT_BUFFERS });
  test.run(bed, [test.flow(from, to, packets(BATCH, lenBytes), { sender: { batch: JUMBO_BATCH }, receiver: { tailChange: by } })]);
}
