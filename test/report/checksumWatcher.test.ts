import { describe, expect, it } from 'vitest';
import { repairChecksums } from '../../src/packet/index.js';
import { ChecksumWatcher } from '../../src/report/checksumWatcher.js';
import type { ChecksumReport } from '../../src/report/checksumWatcher.js';
import { checksumSection } from '../../src/report/checksumText.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { captureOf, redirectToSocket, returning, simulationOf, udpFrame, xdpProgram } from '../support/simulate.js';
import { unwrap } from '../../src/base/index.js';

/** Writes 1 into byte `at` of the packet and returns `retval`. */
const spoil = (at: number, retval = 2): ObjectSpec =>
  xdpProgram(`r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += ${at + 1}\nif r4 > r3 goto out\nr5 = 1\n*(u8 *)(r2 + ${at}) = r5\nout:\nr0 = ${retval}\nexit`);

const TTL = 22;
const DST_PORT = 36;

function right(lenBytes: number): Uint8Array {
  const frame = udpFrame(lenBytes);
  frame[41] = 1; // some checksum, so that there is one to be repaired
  repairChecksums(frame, 0, frame.length);
  return frame;
}

function verify(object: ObjectSpec, frames: readonly Uint8Array[], application?: 'l2fwd' | 'rxdrop'): ChecksumReport {
  const simulation = simulationOf({ object, ...(application === undefined ? {} : { xsk: { application } }) });
  const watcher = new ChecksumWatcher(simulation.memory.u8);
  unwrap(simulation.run(captureOf(frames.map((bytes) => ({ bytes }))), watcher));
  return watcher.report();
}

describe('ChecksumWatcher', () => {
  it('finds nothing wrong where nothing was changed', () => {
    expect(verify(returning(2), [right(60), right(100)])).toEqual({ packets: 2, valid: 4, absent: 0, unverifiable: 0, wrong_on_arrival: 0, wrong_count: 0, wrong: [] });
  });

  it('names field, place, value and what it should be', () => {
    const frame = right(60);
    const fixed = frame.slice();
    fixed[TTL] = 1;
    repairChecksums(fixed, 0, fixed.length);
    const word = (bytes: Uint8Array): string => `0x${((bytes[24] << 8) | bytes[25]).toString(16).padStart(4, '0')}`;
    expect(verify(spoil(TTL), [frame])).toMatchObject({
      valid: 1, wrong_count: 1, wrong: [{ packet: 1, outcome: 'stack', field: 'ipv4.checksum', at: 24, found: word(frame), expected: word(fixed) }],
    });
  });

  it.each([[2, 'stack'], [3, 'tx']])('looks at what XDP action %i lets go on', (retval, outcome) => {
    expect(verify(spoil(DST_PORT, retval), [right(60)]).wrong).toMatchObject([{ outcome, field: 'udp.checksum' }]);
  });

  it('does not look at what is dropped', () => {
    expect(verify(spoil(TTL, 1), [right(60)])).toMatchObject({ packets: 0, wrong_count: 0 });
  });

  it('tells packets apart that were wrong when they came: a capture of the sender before its NIC', () => {
    const frame = right(60);
    frame[40] ^= 1;
    expect(verify(spoil(TTL), [frame, right(60)])).toMatchObject({ packets: 2, wrong_on_arrival: 2, wrong_count: 1, wrong: [{ packet: 2 }] });
  });

  it('follows packets through AF_XDP applications', () => {
    const wrong = right(60);
    wrong[TTL] ^= 1;
    const report = verify(redirectToSocket(), [right(60), wrong], 'l2fwd');
    expect(report).toMatchObject({ packets: 4, valid: 6, wrong_on_arrival: 2, wrong_count: 0 });
  });

  it('keeps a hundred and counts the rest', () => {
    const report = verify(spoil(TTL), Array.from({ length: 130 }, () => right(60)));
    expect(report.wrong_count).toBe(130);
    expect(report.wrong.length).toBe(100);
    const text = checksumSection(report);
    expect(text[0]).toBe('Checksums of 130 packets that went on');
    expect(text.at(-1)).toBe('  and 120 more (--json shows the first 100)');
  });
});
