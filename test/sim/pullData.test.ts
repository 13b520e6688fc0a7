import { describe, expect } from 'vitest';
import { fc, prop } from '../support/property.js';
import { simulate, udpFrame } from '../support/simulate.js';
import { kfuncObject } from '../vm/kfuncs/kfuncProgram.js';

const VERDICTS = { drop: 1, pass: 2, tx: 3 };

/** Pulls `len` bytes, cuts or grows the end, pulls again, and then gives this verdict. */
const program = (len: number, cut: number, again: number, verdict: number): string => `
  r6 = r1
  w2 = ${len}
  call xdp_pull_data
  r1 = r6
  w2 = ${cut}
  call #65
  r1 = r6
  w2 = ${again}
  call xdp_pull_data
  r0 = ${verdict}
  exit`;

describe('bpf_xdp_pull_data on the data path', () => {
  const len = fc.integer({ min: 0, max: 4000 });
  prop([fc.constantFrom(...Object.values(VERDICTS)), fc.integer({ min: 60, max: 9000 }), len, fc.integer({ min: -9000, max: 200 }), len], { numRuns: 60 })(
    'no buffer is lost or given back twice',
    (verdict, frameBytes, first, cut, second) => {
      const frames = Array.from({ length: 20 }, (_, i) => ({ bytes: udpFrame(frameBytes, i), tNs: i * 1000 }));
      const { result, ends } = simulate({ object: kfuncObject(program(first, cut, second, verdict)), nic: { mtu: 9000, rxRingSize: 64, txRingSize: 64 }, frames });
      expect(result.audit).toMatchObject({ ok: true });
      expect(result.faults).toEqual([]);
      expect(ends).toHaveLength(20);
      // Whatever lies where, the bytes that are left are those that arrived.
      for (const { bytes, packetId } of ends) {
        const sent = frames[packetId - 1]!.bytes;
        const kept = Math.min(bytes.length, sent.length);
        expect(Buffer.compare(bytes.subarray(0, kept), sent.subarray(0, kept))).toBe(0);
      }
    },
  );
});
