import { expect } from 'vitest';
import { DEFAULT_BUFFERS } from '../endpoint.js';
import { INVALID_LENGTH, MIN_PACKET } from '../packet.js';
import type { Packet, Part } from '../packet.js';
import type { XskTest } from '../xskTest.js';
import type { XskCase } from './xskCase.js';

const PAGE = 4096;
const HALF = MIN_PACKET / 2;
/** Two of the descriptors lie in the last chunk. */
const FINDINGS = ['double-submission', 'invalid-descriptor'] as const;
/** How often the vector is sent, with other packets each time. */
const ROUNDS = 16;

/** Descriptors at the edges of a UMEM and of its chunks, and whether they can be sent. Valid ones don't overlap. */
function edges(umemBytes: number, { frameSize, isUnaligned }: Chunks): readonly { readonly part: Part; readonly isValid: boolean }[] {
  const at = (addr: number, isValid: boolean, len = MIN_PACKET) => ({ part: { addr, len }, isValid });
  return [
    at(0, true),
    at(3 * PAGE, true),
    // Before the UMEM, longer than a chunk, up to the end of the UMEM, behind it, half behind it.
    at(-2, false),
    at(4 * PAGE, false, INVALID_LENGTH),
    at(umemBytes - MIN_PACKET, true),
    at(umemBytes, false),
    at(umemBytes - HALF, false),
    // Half in the next page, half in the next 2048 bytes.
    at(5 * PAGE - HALF, isUnaligned),
    at(6 * PAGE + 2048 - HALF, isUnaligned || frameSize > 2048),
    at(8 * PAGE, true),
  ];
}

interface Chunks {
  readonly frameSize: number;
  readonly isUnaligned: boolean;
}

/** Sends the edges, and expects exactly the valid ones. */
function sendEdges(test: XskTest, chunks: Chunks): void {
  const vector = edges(DEFAULT_BUFFERS * chunks.frameSize, chunks);
  const stream: Packet[] = [];
  for (let round = 0; round < ROUNDS; round++) for (const { part, isValid } of vector) stream.push({ number: stream.length, parts: [part], isValid });
  // The next vector is written to the same places.
  const { sender } = test.sendAndReceive(stream, { tx: chunks, rx: chunks, sender: { batch: vector.length, waits: true } });
  expect(sender.socket.statistics.tx_invalid_descs).toBe(stream.filter(({ isValid }) => !isValid).length);
}

export const DESCRIPTOR_CASES: readonly XskCase[] = [
  {
    name: 'ALIGNED_INV_DESC',
    about: 'of descriptors at the edges of UMEM and chunks exactly the valid ones are sent',
    findings: FINDINGS,
    run: (test) => sendEdges(test, { frameSize: 4096, isUnaligned: false }),
  },
  {
    name: 'ALIGNED_INV_DESC_2K_FRAME_SIZE',
    about: 'the same with chunks of 2048 bytes, whose edges are others',
    findings: FINDINGS,
    run: (test) => sendEdges(test, { frameSize: 2048, isUnaligned: false }),
  },
  {
    name: 'UNALIGNED_INV_DESC',
    about: 'the same with unaligned chunks, which have no edges',
    findings: FINDINGS,
    run: (test) => sendEdges(test, { frameSize: 4096, isUnaligned: true }),
  },
  {
    name: 'UNALIGNED_INV_DESC_4001_FRAME_SIZE',
    about: 'the same with chunks of 4001 bytes: the UMEM does not end where a page does',
    findings: FINDINGS,
    run: (test) => sendEdges(test, { frameSize: 4001, isUnaligned: true }),
  },
];
