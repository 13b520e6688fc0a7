import { describe, expect, it } from 'vitest';
import { PROFILES } from '../../../src/nic/index.js';
import { checkChecksums } from '../../../src/packet/index.js';
import { fc, prop } from '../../support/property.js';
import { buildFrame, frameSpecs } from '../device/offloadFrames.js';
import { fixture, simulate, udpFrame, xdpProgram } from '../../support/simulate.js';
import type { Simulated } from '../../support/simulate.js';

const RUNS = Number(process.env['XDP_SIM_CHECKSUM_RUNS'] ?? 8);
const NATIVE = PROFILES.filter(({ xdp, name }) => xdp.features % 2 === 1 && name !== 'plain').map((profile) => ({ name: profile.name, profile }));

/** XDP_TX with a contract of these values in the last bytes of `metaBytes` of metadata. */
function asking({ flags = 1, csumStart, csumOffset, metaBytes = 8 }: { flags?: number; csumStart: number; csumOffset: number; metaBytes?: number }): ReturnType<typeof xdpProgram> {
  return xdpProgram(`
    r6 = r1
    r2 = -${metaBytes}
    call 54
    if r0 != 0 goto out
    r2 = *(u32 *)(r6 + 8)
    r3 = *(u32 *)(r6 + 0)
    r4 = r2
    r4 += ${metaBytes}
    if r4 > r3 goto out
    r5 = ${flags}
    *(u32 *)(r2 + ${metaBytes - 8}) = r5
    r5 = ${csumStart}
    *(u16 *)(r2 + ${metaBytes - 4}) = r5
    r5 = ${csumOffset}
    *(u16 *)(r2 + ${metaBytes - 2}) = r5
    r0 = 3
    exit
    out:
    r0 = 0
    exit`);
}

function counters(run: Simulated): { offloaded: number; software: number; refused: number } {
  const { xdpTxCsumOffloaded: offloaded, xdpTxCsumSoftware: software, xdpTxCsumRefused: refused } = run.simulation.nic.driver.counters(0);
  return { offloaded, software, refused };
}

describe.each(NATIVE)('the private contract on $name', ({ profile }) => {
  const nic = { profile, queues: 1, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, hasTxContract: true };

  prop([fc.array(frameSpecs, { minLength: 1, maxLength: 8 })], { numRuns: RUNS })('gives what tx_contract asks for a right checksum, offloaded or not', (specs) => {
    const frames = specs.map((spec) => buildFrame({ ...spec, padding: new Uint8Array(0) }).bytes);
    const run = simulate({ object: fixture('tx_contract'), frames: frames.map((bytes) => ({ bytes })), nic });
    const sent = run.ends.filter(({ outcome }) => outcome === 'tx');
    for (const { bytes } of sent) expect(checkChecksums(bytes, 0, bytes.length).map(({ state }) => state)).toEqual(['valid', 'valid']);
    const { offloaded, software, refused } = counters(run);
    expect([offloaded + software, refused]).toEqual([sent.length, 0]);
    if (profile.offloads.txChecksum) expect(offloaded).toBe(sent.filter(({ bytes }) => bytes.length >= 60).length);
    else expect(offloaded).toBe(0);
    expect(run.result.audit.ok).toBe(true);
  });

  it('sends the pseudo header\'s sum without it', () => {
    const { bytes } = buildFrame({
      isIpv6: false, protocol: 17, tags: [], options: new Uint8Array(0), addresses: Uint8Array.from({ length: 32 }, (_, i) => i), ports: new Uint8Array(4), payload: new Uint8Array(50), padding: new Uint8Array(0),
    });
    const run = simulate({ object: fixture('tx_contract'), frames: [{ bytes }], nic: { ...nic, hasTxContract: false } });
    expect(checkChecksums(run.ends[0].bytes, 0, bytes.length).map(({ state }) => state)).toEqual(['valid', 'invalid']);
    expect(counters(run)).toEqual({ offloaded: 0, software: 0, refused: 0 });
  });
});

describe('a request', () => {
  const nic = { hasTxContract: true };
  const frame = udpFrame(100);
  const ask = (object: ReturnType<typeof xdpProgram>): Simulated => simulate({ object, frames: [{ bytes: frame }], nic });

  it('counts csum_offset from csum_start', () => {
    expect(counters(ask(asking({ csumStart: 34, csumOffset: 6 })))).toEqual({ offloaded: 1, software: 0, refused: 0 });
    expect(counters(ask(asking({ csumStart: 34, csumOffset: 40 })))).toEqual({ offloaded: 0, software: 1, refused: 0 });
  });

  it('stands in the last 8 bytes of longer metadata', () => {
    expect(counters(ask(asking({ csumStart: 34, csumOffset: 6, metaBytes: 32 })))).toEqual({ offloaded: 1, software: 0, refused: 0 });
  });

  it.each([[98, 1], [100, 0], [0xffff, 0xffff]])('that points behind the frame (%i + %i) is refused, and the packet is dropped', (csumStart, csumOffset) => {
    const run = ask(asking({ csumStart, csumOffset }));
    expect(run.outcomes).toEqual({ tx_checksum_refused: 1 });
    expect(counters(run)).toEqual({ offloaded: 0, software: 0, refused: 1 });
    expect(run.result.audit.ok).toBe(true);
  });

  it('of 0 asks for nothing, and neither do metadata of 4 bytes, or none', () => {
    const nothing = { offloaded: 0, software: 0, refused: 0 };
    const silent = ask(asking({ flags: 0, csumStart: 0xffff, csumOffset: 0 }));
    expect([silent.outcomes, counters(silent)]).toEqual([{ tx: 1 }, nothing]);
    const short = ask(xdpProgram('r6 = r1\nr2 = -4\ncall 54\nr0 = 3\nexit'));
    expect([short.outcomes, counters(short)]).toEqual([{ tx: 1 }, nothing]);
    const none = ask(xdpProgram('r0 = 3\nexit'));
    expect([none.outcomes, counters(none)]).toEqual([{ tx: 1 }, nothing]);
  });
});
