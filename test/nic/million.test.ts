import { describe, expect, it } from 'vitest';
import { NETDEV_XDP_ACT_BASIC, PROFILES, r8169Xdp } from '../../src/nic/index.js';
import type { CaptureReader, CaptureStatus } from '../../src/packet/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { udpFrame } from '../support/simulate.js';
import { AMOUNT_BYTE, CHANGE_BYTE, mixedProgram, VERDICT_BYTE } from './everyProfile/mixedProgram.js';
import { runProfile } from './everyProfile/profileRun.js';

/** Packets for each profile; XDP_SIM_NIC_MILLION=1000000 is the long form, which prints what it found. */
const PACKETS = Number(process.env['XDP_SIM_NIC_MILLION'] ?? 10_000);
const IS_LONG = PACKETS >= 1_000_000;
/** Bursts of 64 at once: as fast as the budget of a poll, with time for interrupts between them. */
const BURST = 64;
const BURST_GAP_NS = 20_000;
const MAX_BYTES = 1500;

/** Endless mixed verdicts without a file: every frame of a cycle has the next verdict, change and length. */
class MixedCapture implements CaptureReader {
  readonly format = 'pcap';
  readonly data = new Uint8Array(MAX_BYTES);
  readonly offBytes = 0;
  capturedLen = 0;
  originalLen = 0;
  readonly fcsLen = 0;
  tSec = 1;
  tNsec = 0;
  readonly hasTimestamp = true;
  packetNumber = 0;
  readonly fileOffsetBytes = 0;
  readonly linkType = 1;
  readonly interfaceId = 0;
  readonly problem = undefined;
  readonly #packets: number;
  readonly #frames = Array.from({ length: 64 }, (_, flow) => udpFrame(60 + flow * 22, flow));

  constructor(packets: number) {
    this.#packets = packets;
  }

  next(): CaptureStatus {
    if (this.packetNumber === this.#packets) return 'end';
    const number = this.packetNumber++;
    const frame = this.#frames[number % this.#frames.length];
    const { data } = this;
    data.set(frame);
    data[VERDICT_BYTE] = number;
    data[CHANGE_BYTE] = number >> 4;
    data[AMOUNT_BYTE] = number >> 7;
    this.capturedLen = frame.length;
    this.originalLen = frame.length;
    const tNs = Math.floor(number / BURST) * BURST_GAP_NS;
    this.tSec = 1 + Math.floor(tNs / 1e9);
    this.tNsec = tNs % 1e9;
    return 'packet';
  }

  close(): void {}
}

const SUBJECTS = [
  ...PROFILES.map((profile) => ({ name: profile.name, profile, driver: undefined })),
  { name: 'r8169-xdp with the example driver', profile: PROFILES.find(({ name }) => name === 'r8169-xdp')!, driver: r8169Xdp },
];

describe(`${PACKETS} packets of mixed verdicts`, () => {
  it.each(SUBJECTS)('$name is clean', ({ name, profile, driver }) => {
    const isNative = (profile.xdp.features & NETDEV_XDP_ACT_BASIC) !== 0;
    const start = performance.now();
    const { result, queues } = runProfile({
      nic: {
        profile, queues: Math.min(2, profile.queues.max), rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default,
        mtu: Math.min(1500, profile.xdp.mtuMaxLinear || 1500), ifindex: 1,
      },
      object: isNative ? mixedProgram(false) : undefined, driver, reader: new MixedCapture(PACKETS),
      xsk: isNative ? { application: 'l2fwd', rings: { rx: 256, tx: 256, fill: 256, completion: 256 }, chunkCount: 256 } : undefined,
    });
    const sec = (performance.now() - start) / 1000;
    expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
    const counts = Object.fromEntries(OUTCOMES.filter(({ code }) => result.outcomes[code] > 0).map((outcome) => [outcome.name, result.outcomes[outcome.code]]));
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(PACKETS);
    expect(queues.reduce((sum, { counters }) => sum + counters.rxPackets, 0) + (counts['rx_missed'] ?? 0)).toBe(PACKETS);
    if (!isNative) expect(counts).toEqual({ stack: PACKETS });
    else expect(Object.keys(counts)).toEqual(expect.arrayContaining(['stack', 'tx', 'xdp_drop', 'program_fault']));
    if (IS_LONG) process.stdout.write(`${name}: ${PACKETS} packets in ${sec.toFixed(1)} s, audit ok, ${JSON.stringify(counts)}\n`);
  }, 600_000);
});
