import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { csumDiff as libraryCsumDiff } from '../../src/packet/index.js';
import { loadIntoKernel, testRun } from '../../src/replay/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { fc } from '../support/property.js';
import { addImm, call, exit, insn, jumpGreater, load32, mov, movImm, object, program, store64 } from './support/kernelPrograms.js';

const CSUM_DIFF = 28;
const M32 = 0xffffffffn;

/** Ones' complement sum of little-endian 32-bit words, the last one padded with zeroes: csum_partial. Only all zeroes sum up to 0. */
function csumPartial(bytes: Uint8Array, seed: bigint): bigint {
  const padded = new DataView(new ArrayBuffer(Math.ceil(bytes.length / 4) * 4));
  bytes.forEach((byte, i) => padded.setUint8(i, byte));
  let sum = seed;
  for (let i = 0; i < padded.byteLength; i += 4) sum += BigInt(padded.getUint32(i, true));
  return sum === 0n ? 0n : sum % M32 || M32;
}

function csumAdd(a: bigint, b: bigint): bigint {
  return ((a + b) & M32) + ((a + b) >> 32n);
}

function fold16(sum: bigint): bigint {
  const once = (sum & 0xffffn) + (sum >> 16n);
  return (once & 0xffffn) + (once >> 16n);
}

/** What 6.18 computes: any lengths, and a result folded to 16 bits (bpf_csum_diff, net/core/filter.c). */
function csumDiff(from: Uint8Array, to: Uint8Array, seed: bigint): bigint {
  if (from.length > 0 && to.length > 0) return fold16(csumAdd(csumPartial(to, seed), ~csumPartial(from, 0n) & M32));
  if (to.length > 0) return fold16(csumPartial(to, seed));
  if (from.length > 0) return fold16(~csumPartial(from, ~seed & M32) & M32);
  return fold16(seed);
}

const FROM = 8;
const TO = 90;

withKernel('bpf_csum_diff', (kernel) => {
  /** `*(u64 *)data = bpf_csum_diff(data + fromOff, fromSize, data + toOff, toSize, seed)`. */
  const ask = (data: Uint8Array, fromOff: number, fromSize: number, toOff: number, toSize: number, seed: number): bigint => {
    const insns = [
      load32(6, 1, 0), load32(7, 1, 4), mov(2, 6), addImm(2, 180), jumpGreater(2, 7, 9),
      ...pointer(1, fromOff, fromSize), movImm(2, fromSize),
      ...pointer(3, toOff, toSize), movImm(4, toSize),
      insn(0xb4, 5, 0, 0, seed), call(CSUM_DIFF), store64(6, 0, 0),
      movImm(0, 2), exit,
    ];
    using loaded = unwrap(loadIntoKernel(kernel, object([program('csum', insns)]), 'csum'));
    return new DataView(testRun(loaded, { data }).dataOut.buffer).getBigUint64(0, true);
  };
  /** Two instructions: r<dst> = data + off, or NULL when nothing is to be read. */
  const pointer = (dst: number, off: number, size: number) => (size === 0 ? [movImm(dst, 0), movImm(dst, 0)] : [mov(dst, 6), addImm(dst, off)]);

  it('takes any two lengths and folds to 16 bits', () => {
    const size = fc.oneof(fc.constant(0), fc.nat(72));
    const contents = fc.oneof(
      fc.uint8Array({ minLength: 180, maxLength: 180 }),
      fc.array(fc.constantFrom(0, 0xff), { minLength: 180, maxLength: 180 }).map((list) => Uint8Array.from(list)),
      fc.constantFrom(0, 0xff).map((byte) => new Uint8Array(180).fill(byte)),
    );
    const seed = fc.oneof(fc.constantFrom(0, -1, 0xffff, 0xffff0000 | 0), fc.integer());
    fc.assert(
      fc.property(contents, fc.nat(7), size, fc.nat(7), size, seed, (data, fromShift, fromSize, toShift, toSize, seedValue) => {
        const from = data.subarray(FROM + fromShift, FROM + fromShift + fromSize);
        const to = data.subarray(TO + toShift, TO + toShift + toSize);
        const answer = ask(data, FROM + fromShift, fromSize, TO + toShift, toSize, seedValue);
        expect(answer).toBe(csumDiff(from, to, BigInt(seedValue >>> 0)));
        expect(BigInt(libraryCsumDiff(from, to, seedValue))).toBe(answer);
      }),
      { numRuns: 500 },
    );
  });
});
