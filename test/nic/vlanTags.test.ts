import { describe, expect, it } from 'vitest';
import { PROFILES } from '../../src/nic/index.js';
import { returning, simulate, udpFrame } from '../support/simulate.js';

/** A frame with an 802.1Q tag. */
function tagged(tci: number): Uint8Array {
  const frame = udpFrame(100);
  return Uint8Array.from([...frame.subarray(0, 12), 0x81, 0x00, tci >> 8, tci & 0xff, ...frame.subarray(12)]);
}

// Found by random traffic on bnxt, whose plain descriptors have no field for a tag: the device took it out, and nobody had it any more.
describe.each(PROFILES)('$name', (profile) => {
  const { rxRing, txRing, queues } = profile;

  it.each([0, 1, 0x2064, 0xffff])('gives a VLAN tag of %i that its device took out back to the frame that generic XDP sends', (tci) => {
    const bytes = tagged(tci);
    const run = simulate({
      object: returning(3), frames: [{ bytes }],
      nic: { profile, xdpMode: 'generic', rxRingSize: rxRing.default, txRingSize: txRing.default, queues: queues.min, ...(profile.offloads.rxVlanStrip ? { offloads: { rxVlanStrip: true } } : {}) },
    });
    expect(run.outcomes).toEqual({ tx: 1 });
    expect(run.ends.map((end) => Buffer.from(end.bytes).toString('hex'))).toEqual([Buffer.from(bytes).toString('hex')]);
  });
});
