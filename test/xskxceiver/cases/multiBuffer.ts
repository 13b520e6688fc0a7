import { expect } from 'vitest';
import { DEFAULT_BUFFERS } from '../endpoint.js';
import { INVALID_LENGTH, JUMBO, JUMBO_BATCH, JUMBO_PACKETS, LARGE_FRAME, lengthOf, MIN_PACKET, packets } from '../packet.js';
import type { Packet, Part } from '../packet.js';
import type { XskTest } from '../xskTest.js';
import { NEEDS_SEGMENTS } from './xskCase.js';
import type { XskCase } from './xskCase.js';

const INVALID_OPTION = 0xffff;
const FRAME = 4096;
/** The linear part of an skb, and 17 fragments. */
const SKB_DESCRIPTORS = 18;

export const MULTI_BUFFER_CASES: readonly XskCase[] = [
  { name: 'SEND_RECEIVE_9K_PACKETS', about: 'packets of 9000 bytes in several chunks, both ways', obstacles: NEEDS_SEGMENTS, run: (test) => sendJumbo(test, false) },
  { name: 'SEND_RECEIVE_UNALIGNED_9K_PACKETS', about: 'the same with unaligned chunks', obstacles: NEEDS_SEGMENTS, run: (test) => sendJumbo(test, true) },
  {
    name: 'ALIGNED_INV_DESC_MULTI_BUFF',
    about: 'one bad descriptor takes its whole packet with it, and only that',
    findings: ['invalid-descriptor'],
    obstacles: NEEDS_SEGMENTS,
    run: (test) => sendBadMembers(test, false),
  },
  {
    name: 'UNALIGNED_INV_DESC_MULTI_BUFF',
    about: 'the same with unaligned chunks, whose edges can be crossed',
    findings: ['invalid-descriptor'],
    obstacles: NEEDS_SEGMENTS,
    run: (test) => sendBadMembers(test, true),
  },
  {
    name: 'TOO_MANY_FRAGS',
    about: 'a packet of as many descriptors as there may be is sent, one of more is not',
    obstacles: NEEDS_SEGMENTS,
    findings: ['too-many-descriptors'],
    run: sendManyParts,
  },
];

function sendJumbo(test: XskTest, isUnaligned: boolean): void {
  const config = { hasSg: true, isUnaligned };
  const { receiver } = test.sendAndReceive(packets(JUMBO_PACKETS, JUMBO), { bed: { mtu: JUMBO }, tx: config, rx: config, sender: { batch: JUMBO_BATCH } });
  expect(receiver.descriptors).toBeGreaterThanOrEqual(3 * JUMBO_PACKETS);
  if (!test.isZeroCopy) expect(receiver.descriptors).toBe(JUMBO_PACKETS * Math.ceil(JUMBO / receiver.endpoint.frameBytes));
}

/** What a vector of packets must come to. */
interface Outcome {
  readonly delivered: number;
  /** tx_invalid_descs. */
  readonly invalid: number;
}

/**
 * Packets with a bad member, between good ones. The bad member is always the last one that is written: of some it says that the packet goes on, and what
 * follows is another packet for Linux 6.6 and for drivers in zero-copy mode, and the rest of the bad one for copy mode of 6.18.
 */
function badMembers(umemBytes: number, isUnaligned: boolean, drains: boolean): { readonly stream: readonly Packet[]; readonly outcome: Outcome } {
  const stream: Packet[] = [];
  const add = (isValid: boolean, parts: readonly Part[], isOpen = false): void => void stream.push({ number: stream.length, parts, isValid, isOpen });
  const good: Part = { len: LARGE_FRAME };
  add(true, [{ len: MIN_PACKET }]);
  add(false, [{ len: 0 }]);
  add(true, [{ len: MIN_PACKET }]);
  add(false, [good, { len: 0 }]);
  // Behind the UMEM, and the packet goes on.
  add(false, [good, { addr: umemBytes, len: LARGE_FRAME }], true);
  add(!drains, [good, good]);
  add(false, [good, { len: INVALID_LENGTH }]);
  // The bit of XDP_PKT_CONTD is one of the bad option's.
  add(false, [good, { len: LARGE_FRAME, options: INVALID_OPTION }]);
  add(!drains, [{ len: FRAME }, { len: FRAME }]);
  // Half in the next chunk.
  add(isUnaligned, [good, { addr: 900 * FRAME - MIN_PACKET / 2, len: MIN_PACKET }]);
  add(true, [{ len: MIN_PACKET }]);
  const outcome = drains
    ? { delivered: isUnaligned ? 4 : 3, invalid: isUnaligned ? 13 : 15 }
    : { delivered: isUnaligned ? 6 : 5, invalid: isUnaligned ? 9 : 11 };
  return { stream, outcome };
}

function sendBadMembers(test: XskTest, isUnaligned: boolean): void {
  const config = { hasSg: true, isUnaligned };
  const { stream, outcome } = badMembers(DEFAULT_BUFFERS * FRAME, isUnaligned, test.drainsInvalid);
  const { sender, receiver } = test.sendAndReceive(stream, { bed: { mtu: JUMBO }, tx: config, rx: config });
  expect({ delivered: receiver.received, invalid: sender.socket.statistics.tx_invalid_descs }).toEqual(outcome);
}

/**
 * One packet of one descriptor, one of the most that there may be, as many descriptors again of a packet that still goes on, and two packets of one. The
 * first of them follows a descriptor that says so: it is the end of the bad packet for copy mode of 6.18.
 */
function sendManyParts(test: XskTest): void {
  const most = test.isZeroCopy ? test.kind.zeroCopySegments : SKB_DESCRIPTORS;
  const parts = Array.from({ length: most }, () => ({ len: MIN_PACKET }));
  const one = [{ len: MIN_PACKET }];
  const stream: Packet[] = [
    { number: 0, parts: one, isValid: true },
    { number: 1, parts, isValid: true },
    { number: 2, parts, isValid: false, isOpen: true },
    { number: 3, parts: one, isValid: !test.drainsInvalid },
    { number: 4, parts: one, isValid: true },
  ];
  const { sender, receiver } = test.sendAndReceive(stream, { bed: { mtu: JUMBO }, tx: { hasSg: true }, rx: { hasSg: true } });
  expect(receiver.received).toBe(test.drainsInvalid ? 3 : 4);
  // xskq_cons_read_desc_batch finds each descriptor valid, and passes over them when they are too many.
  const invalid = test.isZeroCopy ? 0 : test.drainsInvalid ? most + 1 : most;
  expect(sender.socket.statistics.tx_invalid_descs).toBe(invalid);
  expect(lengthOf(stream[1])).toBeLessThanOrEqual(JUMBO);
}
