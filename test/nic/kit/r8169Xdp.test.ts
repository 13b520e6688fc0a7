import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { NETDEV_XDP_ACT_RX_SG, r8169Xdp } from '../../../src/nic/index.js';
import { createSimulation, rxdrop } from '../../../src/sim/index.js';
import type { ProgramEntryMap } from '../../../src/vm/index.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { fc, prop } from '../../support/property.js';
import { burst, redirectToSocket, returning, xdpProgram } from '../../support/simulate.js';
import { countsOf, endlessCapture, EVERY_VERDICT, frameFor, kitDriverOf, MIXED_VERDICTS, mixedFrames, r8169Settings, runDriver } from './support.js';
import type { KitRun } from './support.js';

/** XDP_SIM_DRIVER_PACKETS=1000000 is the long form. */
const PACKETS = Number(process.env.XDP_SIM_DRIVER_PACKETS ?? 20_000);

function expectClean({ judgement, result }: Pick<KitRun, 'judgement' | 'result'>): void {
  expect(judgement).toEqual([]);
  expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
}

/** The UDP checksum of a frame, computed by adding up, without any of the simulator's code. */
function udpChecksum(frame: Uint8Array): number {
  const lenBytes = frame.length - 34;
  const word = (at: number): number => (frame[at] << 8) | (at + 1 < frame.length ? frame[at + 1] : 0);
  let sum = 17 + lenBytes;
  for (let at = 26; at < 34; at += 2) sum += word(at);
  for (let at = 34; at < frame.length; at += 2) if (at !== 40) sum += word(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff || 0xffff;
}

describe.each([['coherent', true], ['non-coherent', false]])('the example driver on a %s machine', (_, isDmaCoherent) => {
  it(`handles ${PACKETS} packets of mixed verdicts without a mistake`, () => {
    const template = mixedFrames(EVERY_VERDICT.length * 120, EVERY_VERDICT);
    const simulation = unwrap(createSimulation({ object: MIXED_VERDICTS, nic: r8169Settings({ isDmaCoherent }), seed: 1, cpus: 1, driver: r8169Xdp }));
    const result = unwrap(simulation.run(endlessCapture(template, PACKETS)));
    const driver = kitDriverOf(simulation);
    expectClean({ judgement: driver.judgement(), result });
    const of = (...verdicts: number[]): number => Array.from({ length: PACKETS }, (__, i) => EVERY_VERDICT[i % EVERY_VERDICT.length]).filter((verdict) => verdicts.includes(verdict)).length;
    expect(countsOf(result)).toEqual({
      stack: of(2), tx: of(3, 5, 6, 7, 8), redirect: of(4), xdp_drop: of(1), xdp_aborted: of(0), xdp_invalid_verdict: of(9, 200), tx_ring_full: of(10),
    });
    expect(driver.counters(0)).toMatchObject({
      rxPackets: PACKETS, xdpPass: of(2), xdpDrop: of(1), xdpTx: of(3, 5, 6, 7, 8), xdpRedirect: of(4), xdpAborted: of(0), xdpInvalid: of(9, 200), xdpTxErrors: of(10),
      txXdpXmit: of(4), txPackets: of(3, 4, 5, 6, 7, 8),
    });
    expect(driver.statistics()).toMatchObject({ rx_packets: PACKETS, tx_packets: of(3, 4, 5, 6, 7, 8), rx_errors: 0, csum_refused: of(10), tx_ring_full: 0 });
    expect(simulation.nic.device.counters).toMatchObject({ txPackets: of(3, 4, 5, 6, 7, 8), txMalformed: 0, rxMissed: 0 });
  }, 600_000);

  it('sends what the program left: changed, grown, shortened, with the checksum that was asked for', () => {
    const frames = [...[52, 53, 59].map((lenBytes) => ({ bytes: frameFor(5, lenBytes) })), ...mixedFrames(397, [3, 4, 5, 6, 7, 8])];
    const run = runDriver(r8169Xdp, frames, { isDmaCoherent });
    expectClean(run);
    expect(run.ends.length).toBe(400);
    let short = 0;
    for (const { packetId, bytes, outcome } of run.ends) {
      const sent = frames[packetId - 1].bytes;
      const verdict = sent[50];
      expect(outcome).toBe(verdict === 4 ? 'redirect' : 'tx');
      if (verdict === 6) expect(bytes.subarray(32)).toEqual(sent);
      else if (verdict === 7) expect(bytes).toEqual(sent.subarray(0, -10));
      else if (verdict === 8) expect([...bytes.subarray(0, 7)]).toEqual([0x42, ...sent.subarray(1, 6), 0x44]);
      else if (verdict === 5) {
        if (bytes.length < 60) short++;
        expect((bytes[40] << 8) | bytes[41]).toBe(udpChecksum(bytes));
      } else expect(bytes).toEqual(sent);
    }
    expect(short).toBeGreaterThanOrEqual(3);
    expect(run.driver.statistics().csum_sw).toBe(short);
    expect(run.driver.statistics().csum_hw).toBeGreaterThan(50);
  });

  it('drops what finds the TX ring full, and says so', () => {
    // In each burst, so in each poll, 3 by XDP_TX and then 16 by XDP_REDIRECT.
    const verdicts = [3, 3, 3, ...Array<number>(16).fill(4), 1];
    const run = runDriver(r8169Xdp, mixedFrames(400, verdicts, 20), { isDmaCoherent, txRingSize: 8 });
    expectClean(run);
    expect(run.outcomes).toEqual({ tx: 60, redirect: 100, tx_ring_full: 220, xdp_drop: 20 });
    expect(run.driver.counters(0)).toMatchObject({ txXdpXmit: 100, txXdpXmitErrors: 220, xdpRedirect: 320 });
    expect(run.driver.ringUse(0)).toMatchObject({ txSize: 8, txHighWater: 8 });
  });

  prop([fc.integer({ min: 2, max: 80 }), fc.integer({ min: 1, max: 40 }), fc.array(fc.constantFrom(...EVERY_VERDICT), { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 64 })], { numRuns: 12, examples: [[33, 1, [4, 0], 33]] })(
    'goes round rings of any size',
    (rxRingSize, txRingSize, verdicts, size) => {
      const run = runDriver(r8169Xdp, mixedFrames(300, verdicts, size), { isDmaCoherent, rxRingSize, txRingSize });
      expectClean(run);
      expect(Object.values(run.outcomes).reduce((sum, count) => sum + count, 0)).toBe(300);
    },
  );
});

describe('the example driver', () => {
  it('gives everything to the stack without a program that says otherwise', () => {
    const run = runDriver(r8169Xdp, burst(200), {}, returning(2));
    expectClean(run);
    expect(run.outcomes).toEqual({ stack: 200 });
  });

  it('drops a packet whose program was stopped', () => {
    const run = runDriver(r8169Xdp, burst(3), {}, xdpProgram('r0 = *(u8 *)(r1 + 4000)\nexit'));
    expectClean(run);
    expect(run.outcomes).toEqual({ program_fault: 3 });
    expect(run.result.faultCount).toBe(3);
  });

  it('takes part in redirects through a DEVMAP and a CPUMAP, and into an AF_XDP socket', () => {
    const put = (name: string, target: number): NonNullable<Parameters<typeof runDriver>[4]> => ({
      prepare: (loaded) => {
        (loaded.maps.get(name) as ProgramEntryMap).updateEntry(new Uint8Array(4), target, undefined, 0);
        return undefined;
      },
    });
    const through = (name: string): string => `r1 = map ${name}\nr2 = 0\nr3 = 0\ncall 51\nexit`;
    const devices = map('devices', 14, 4, 8, 8);
    const cpus = map('cpus', 16, 4, 8, 8);
    const toDevice = runDriver(r8169Xdp, burst(100), {}, xdpProgram(through('devices'), { maps: [devices] }), put('devices', 1));
    expectClean(toDevice);
    expect(toDevice.outcomes).toEqual({ redirect: 100 });
    expect(toDevice.driver.counters(0).txXdpXmit).toBe(100);
    const toCpu = runDriver(r8169Xdp, burst(100), {}, xdpProgram(through('cpus'), { maps: [cpus] }), put('cpus', 192));
    expectClean(toCpu);
    expect(toCpu.outcomes).toEqual({ cpumap: 100 });
    const rings = { rx: 64, tx: 64, fill: 64, completion: 64 };
    const toSocket = runDriver(r8169Xdp, burst(100), {}, redirectToSocket(), { xsk: { application: rxdrop, rings, chunkCount: 64 } });
    expectClean(toSocket);
    expect(toSocket.outcomes.xsk).toBeGreaterThan(60);
  });

  it('frees the page of a redirect to nowhere', () => {
    const run = runDriver(r8169Xdp, burst(20), {}, xdpProgram('r1 = 77\nr2 = 0\ncall 23\nexit'));
    expectClean(run);
    expect(run.outcomes).toEqual({ redirect_no_target: 20 });
    expect(run.driver.counters(0)).toMatchObject({ xdpRedirect: 0, xdpRedirectErrors: 20, xdpExceptions: 20 });
  });

  it('drops a frame longer than its buffers', () => {
    const frames = [{ bytes: frameFor(2, 4000) }, { bytes: frameFor(2, 100) }];
    const { profile } = r8169Settings();
    const scattering = { ...profile, xdp: { ...profile.xdp, features: profile.xdp.features | NETDEV_XDP_ACT_RX_SG }, offloads: { ...profile.offloads, rxScatter: true } };
    const run = runDriver(r8169Xdp, frames, { mtu: 9000, profile: scattering }, returning(2, { frags: true }));
    expectClean(run);
    expect(run.outcomes).toEqual({ stack: 1, rx_error: 1 });
    expect(run.driver.statistics().rx_length_errors).toBe(2);
  });
});
