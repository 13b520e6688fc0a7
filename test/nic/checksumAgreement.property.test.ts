import { describe, expect } from 'vitest';
import {
  addToSum, checkChecksums, csumDiff, fold, foldIntoChecksum, internetChecksum, pseudoHeaderSumV4, pseudoHeaderSumV6, repairChecksums, updateChecksumRange,
} from '../../src/packet/index.js';
import { DESC_CSUM, DESC_CSUM_IPV4, DESC_CSUM_PROTOCOL } from '../../src/nic/device/batch.js';
import { insertChecksums } from '../../src/nic/device/txChecksum.js';
import { fc, prop } from '../support/property.js';
import { buildFrame, frameSpecs, memoryWith } from './device/offloadFrames.js';
import type { BuiltFrame, FrameSpec } from './device/offloadFrames.js';

const RUNS = Number(process.env['XDP_SIM_CHECKSUM_RUNS'] ?? 300);
const ADDRESS = 128;
const IPV4_CHECKSUM = 10;

/** A rewrite of some bytes of a frame that no length and no checksum field lies in. */
interface Rewrite {
  readonly spec: FrameSpec;
  readonly frame: BuiltFrame;
  readonly offBytes: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** Where bytes may be rewritten: addresses, ports, and what is behind the transport header. */
function places({ spec, frame }: { spec: FrameSpec; frame: BuiltFrame }): [from: number, to: number][] {
  const addresses: [number, number] = spec.isIpv6 ? [frame.l3Start + 8, frame.l3Start + 40] : [frame.l3Start + 12, frame.l3Start + 20];
  const payload = frame.l4Start + (spec.protocol === 6 ? 20 : 8);
  return [addresses, [frame.l4Start, frame.l4Start + 4], ...(payload < frame.packetEnd ? [[payload, frame.packetEnd] as [number, number]] : [])];
}

const rewrites: fc.Arbitrary<Rewrite> = frameSpecs.chain((spec) => {
  const frame = buildFrame(spec);
  return fc.constantFrom(...places({ spec, frame })).chain(([from, to]) =>
    fc.tuple(fc.integer({ min: from, max: to - 1 }), fc.uint8Array({ minLength: 1, maxLength: 40 })).map(([offBytes, drawn]) => {
      const after = drawn.subarray(0, to - offBytes);
      return { spec, frame, offBytes, before: frame.bytes.slice(offBytes, offBytes + after.length), after };
    }));
});

function rewritten({ frame, offBytes, after }: Rewrite): Uint8Array {
  const bytes = frame.bytes.slice();
  bytes.set(after, offBytes);
  return bytes;
}

const u16 = (bytes: Uint8Array, at: number): number => (bytes[at] << 8) | bytes[at + 1];
const swap = (word: number): number => ((word & 0xff) << 8) | (word >>> 8);
/** UDP sends 0xffff where it computes 0. */
const asSent = ({ spec }: Rewrite, checksum: number): number => (spec.protocol === 17 && checksum === 0 ? 0xffff : checksum);

/** The transport checksum, summed up from the beginning. */
function fullChecksum({ spec, frame: { l3Start, l4Start, csumOffset, packetEnd } }: Rewrite, bytes: Uint8Array): number {
  const blank = bytes.slice();
  blank.fill(0, l4Start + csumOffset, l4Start + csumOffset + 2);
  return ~fold(addToSum(pseudoSum(spec, l3Start, packetEnd - l4Start, bytes), blank, l4Start, packetEnd - l4Start)) & 0xffff;
}

function pseudoSum({ isIpv6, protocol }: FrameSpec, l3Start: number, upperBytes: number, bytes: Uint8Array): number {
  return isIpv6 ? pseudoHeaderSumV6(bytes, l3Start, protocol, upperBytes) : pseudoHeaderSumV4(bytes, l3Start, protocol, upperBytes);
}

/** A range that begins in the middle of a word, widened to whole words as bpf_csum_diff needs it: both copies, of the same bytes around. */
function asWords(bytes: Uint8Array, offBytes: number, lengthBytes: number, base: number): Uint8Array {
  return bytes.slice(offBytes - ((offBytes - base) & 1), offBytes + lengthBytes);
}

describe('four ways to a checksum', () => {
  prop([rewrites], { numRuns: RUNS })('incremental = full = what bpf_csum_diff says = what the NIC inserts', (rewrite) => {
    const { spec, frame, offBytes, before, after } = rewrite;
    const { l3Start, l4Start, csumOffset, packetEnd } = frame;
    const field = l4Start + csumOffset;
    const bytes = rewritten(rewrite);
    const old = u16(frame.bytes, field);
    const full = asSent(rewrite, fullChecksum(rewrite, bytes));

    // Headers begin at even places of what they are summed with, so the place in the frame tells the half.
    const isOdd = ((offBytes - l3Start) & 1) === 1;
    expect(asSent(rewrite, updateChecksumRange(old, before, after, isOdd)), 'RFC 1624').toBe(full);

    const from = asWords(frame.bytes, offBytes, after.length, l3Start);
    const to = asWords(bytes, offBytes, after.length, l3Start);
    expect(asSent(rewrite, swap(foldIntoChecksum(swap(old), csumDiff(from, to)))), 'bpf_csum_diff').toBe(full);

    // CHECKSUM_PARTIAL: the driver leaves the pseudo header's sum in the field; the device sums to the frame's end, so there is no padding here.
    const partial = memoryWith(bytes.subarray(0, packetEnd), ADDRESS);
    const pseudo = fold(pseudoSum(spec, l3Start, packetEnd - l4Start, bytes));
    partial.u8.set([pseudo >>> 8, pseudo & 0xff], ADDRESS + field);
    expect(insertChecksums(partial, ADDRESS, packetEnd, DESC_CSUM, 0, l3Start, l4Start, csumOffset)).toBe(true);
    expect(u16(partial.u8, ADDRESS + field) || 0xffff, 'csum_start, csum_offset').toBe(full || 0xffff);

    const protocol = memoryWith(bytes, ADDRESS);
    expect(insertChecksums(protocol, ADDRESS, bytes.length, DESC_CSUM | DESC_CSUM_PROTOCOL, 0, l3Start, l4Start, 0)).toBe(true);
    expect(u16(protocol.u8, ADDRESS + field), 'by protocol').toBe(full);
  });

  prop([rewrites], { numRuns: RUNS })('the same of the IPv4 header', (rewrite) => {
    const { spec, frame, offBytes, before, after } = rewrite;
    const { l3Start, l4Start } = frame;
    fc.pre(!spec.isIpv6 && offBytes < l4Start);
    const bytes = rewritten(rewrite);
    const old = u16(frame.bytes, l3Start + IPV4_CHECKSUM);
    const blank = bytes.slice();
    blank.fill(0, l3Start + IPV4_CHECKSUM, l3Start + IPV4_CHECKSUM + 2);
    const full = internetChecksum(blank, l3Start, l4Start - l3Start);
    expect(updateChecksumRange(old, before, after, ((offBytes - l3Start) & 1) === 1)).toBe(full);
    const from = asWords(frame.bytes, offBytes, after.length, l3Start);
    const to = asWords(bytes, offBytes, after.length, l3Start);
    expect(swap(foldIntoChecksum(swap(old), csumDiff(from, to)))).toBe(full);
    const memory = memoryWith(bytes, ADDRESS);
    expect(insertChecksums(memory, ADDRESS, bytes.length, DESC_CSUM_IPV4, 0, l3Start, 0, 0)).toBe(true);
    expect(u16(memory.u8, ADDRESS + l3Start + IPV4_CHECKSUM)).toBe(full);
  });

  prop([rewrites], { numRuns: RUNS })('checks name the field and the value that full computation gives, and repair writes it', (rewrite) => {
    const { spec, frame: { l4Start, csumOffset } } = rewrite;
    const bytes = rewritten(rewrite);
    const full = asSent(rewrite, fullChecksum(rewrite, bytes));
    const upper = checkChecksums(bytes, 0, bytes.length).at(-1)!;
    expect(upper).toMatchObject({ field: spec.protocol === 6 ? 'tcp.checksum' : 'udp.checksum', offBytes: l4Start + csumOffset, expected: full });
    expect(upper.state === 'valid').toBe(upper.found === full);
    const wrong = checkChecksums(bytes, 0, bytes.length).filter(({ state }) => state === 'invalid').length;
    expect(repairChecksums(bytes, 0, bytes.length)).toBe(wrong);
    expect(checkChecksums(bytes, 0, bytes.length).every(({ state }) => state === 'valid')).toBe(true);
    expect(u16(bytes, l4Start + csumOffset)).toBe(full);
  });
});
