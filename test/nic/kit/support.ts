import { unwrap } from '../../../src/base/index.js';
import { findProfile, KitDriver } from '../../../src/nic/index.js';
import type { DriverMistake, NicProfile, NicSettings, XdpDriverFactory } from '../../../src/nic/index.js';
import type { CaptureReader } from '../../../src/packet/index.js';
import { createSimulation } from '../../../src/sim/index.js';
import type { RunResult, Simulation, SimulationOptions } from '../../../src/sim/index.js';
import type { ObjectSpec } from '../../../src/vm/index.js';
import { OUTCOMES } from '../../../src/xdp/index.js';
import { captureOf, udpFrame, xdpProgram } from '../../support/simulate.js';
import type { SeenPacket, TimedFrame } from '../../support/simulate.js';

/** The r8169 with native XDP; rings of any size where a test wants to see their ends. */
export function r8169Settings(more: Partial<NicSettings> = {}): NicSettings {
  const real = findProfile('r8169-xdp');
  if (real === undefined) throw new Error('there is no profile r8169-xdp');
  const anySize = { ...real.rxRing, min: 1, max: 4096 };
  const profile: NicProfile = { ...real, rxRing: anySize, txRing: anySize };
  return { profile, queues: 1, rxRingSize: 256, txRingSize: 256, mtu: 1500, interruptDelayNs: 0, ifindex: 1, ...more };
}

/**
 * Verdict by the byte at offset 50 of the packet: 0 to 4 are verdicts as they are, XDP_REDIRECT goes out of interface 1 by bpf_redirect, 5 is
 * XDP_TX with a contract that asks for the UDP checksum, 6 XDP_TX with 32 more bytes at the front, 7 XDP_TX without the last 10 bytes, 8
 * XDP_TX with the MAC addresses' first bytes changed, 10 XDP_TX with a contract that nobody can fulfil, others are returned as they are.
 */
export const MIXED_VERDICTS: ObjectSpec = xdpProgram(
  [
    'r6 = r1', 'r2 = *(u32 *)(r1 + 0)', 'r3 = *(u32 *)(r1 + 4)', 'r4 = r2', 'r4 += 52', 'r0 = 2', 'if r4 > r3 goto out', 'r7 = *(u8 *)(r2 + 50)',
    'if r7 == 4 goto redirect', 'r8 = 34', 'if r7 == 5 goto contract', 'if r7 == 6 goto grow', 'if r7 == 7 goto shrink', 'if r7 == 8 goto change',
    'r8 = 9000', 'if r7 == 10 goto contract', 'r0 = r7', 'exit',
    'redirect:', 'r1 = 1', 'r2 = 0', 'call 23', 'exit',
    'contract:', 'r1 = r6', 'r2 = -8', 'call 54', 'r2 = *(u32 *)(r6 + 0)', 'r3 = *(u32 *)(r6 + 8)', 'r4 = r3', 'r4 += 8', 'r0 = 0', 'if r4 > r2 goto out',
    '*(u32 *)(r3 + 0) = 1', '*(u16 *)(r3 + 4) = r8', '*(u16 *)(r3 + 6) = 6', 'r0 = 3', 'exit',
    'grow:', 'r1 = r6', 'r2 = -32', 'call 44', 'r0 = 3', 'exit',
    'shrink:', 'r1 = r6', 'r2 = -10', 'call 65', 'r0 = 3', 'exit',
    'change:', '*(u8 *)(r2 + 0) = 0x42', '*(u8 *)(r2 + 6) = 0x44', 'r0 = 3', 'out:', 'exit',
  ].join('\n'),
);

/** Every verdict of MIXED_VERDICTS, and two that are none. */
export const EVERY_VERDICT = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 200];

/** Shortest and longest frame of `frameFor` in `mixedFrames`. */
const SHORTEST = 52;
const LENGTHS = 1440;

/** A UDP frame for MIXED_VERDICTS, 52 bytes or more, with the pseudo header's sum in its checksum field. */
export function frameFor(verdict: number, lenBytes: number, flow = 0): Uint8Array {
  const frame = udpFrame(lenBytes, flow);
  frame[50] = verdict;
  let sum = 17 + lenBytes - 34;
  for (let at = 26; at < 34; at += 2) sum += (frame[at] << 8) | frame[at + 1];
  sum = (sum & 0xffff) + (sum >>> 16);
  frame[40] = sum >>> 8;
  frame[41] = sum & 255;
  return frame;
}

/** Frames whose verdicts come in turn, in bursts of `burst` every microsecond. */
export function mixedFrames(count: number, verdicts: readonly number[], burst = 50): TimedFrame[] {
  return Array.from({ length: count }, (_, i) => ({ bytes: frameFor(verdicts[i % verdicts.length], SHORTEST + ((i * 37) % LENGTHS), i), tNs: Math.floor(i / burst) * 1000 }));
}

/** A capture of so many frames without holding them: `frames` over and over, in bursts of 50 every microsecond. */
export function endlessCapture(frames: readonly TimedFrame[], count: number): CaptureReader {
  const data = new Uint8Array(2048);
  const reader = {
    format: 'pcap' as const, data, offBytes: 0, capturedLen: 0, originalLen: 0, fcsLen: 0, tSec: 0, tNsec: 0, hasTimestamp: true, packetNumber: 0, fileOffsetBytes: 0,
    linkType: 1, interfaceId: 0, problem: undefined,
    next(): 'packet' | 'end' {
      if (reader.packetNumber === count) return 'end';
      const { bytes } = frames[reader.packetNumber % frames.length];
      data.set(bytes);
      reader.capturedLen = reader.originalLen = bytes.length;
      const tNs = Math.floor(reader.packetNumber / 50) * 1000;
      reader.tSec = Math.floor(tNs / 1e9);
      reader.tNsec = tNs % 1e9;
      reader.packetNumber++;
      return 'packet';
    },
    close() {},
  };
  return reader;
}

/** What a run of a driver gave. */
export interface KitRun {
  readonly simulation: Simulation;
  readonly result: RunResult;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly ends: readonly SeenPacket[];
  readonly driver: KitDriver;
  /** Everything that was noticed about the driver. */
  readonly judgement: readonly DriverMistake[];
}

/** Lets a driver run over some frames. */
export function runDriver(
  driver: XdpDriverFactory, frames: readonly TimedFrame[], nic: Partial<NicSettings> = {}, object: ObjectSpec = MIXED_VERDICTS, more: Partial<SimulationOptions> = {},
): KitRun {
  const simulation = unwrap(createSimulation({ object, nic: r8169Settings(nic), seed: 1, cpus: 1, driver, ...more }));
  const ends: SeenPacket[] = [];
  const result = unwrap(
    simulation.run(captureOf(frames), {
      onPacketEnd: ({ packetId, outcome, retval, queue, tNs, address, lenBytes, metaBytes }) =>
        ends.push({
          packetId, outcome: OUTCOMES[outcome].name, retval, queue, tNs,
          bytes: simulation.memory.u8.slice(address, address + lenBytes), meta: simulation.memory.u8.slice(address - metaBytes, address),
        }),
    }),
  );
  const kit = kitDriverOf(simulation);
  return { simulation, result, ends, outcomes: countsOf(result), driver: kit, judgement: kit.judgement() };
}

export function kitDriverOf({ nic }: Simulation): KitDriver {
  if (!(nic.driver instanceof KitDriver)) throw new Error('the simulation does not run a driver of the kit');
  return nic.driver;
}

/** Packets by outcome, without those that are 0. */
export function countsOf({ outcomes }: RunResult): Record<string, number> {
  return Object.fromEntries(OUTCOMES.map(({ name, code }) => [name, outcomes[code]] as const).filter(([, count]) => count > 0));
}
