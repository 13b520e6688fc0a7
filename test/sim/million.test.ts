import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { openCapture, PcapWriter } from '../../src/packet/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { fixture, returning, simulationOf, udpFrame } from '../support/simulate.js';

const PACKETS = 1_000_000;
/** 64-byte frames at 10 Gbit/s come every 67.2 ns. */
const GAP_NS = 67;
const MIB = 2 ** 20;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Live memory outside of host memory: objects and buffers. */
function liveBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe('1,000,000 packets', () => {
  const directory = mkdtempSync(join(tmpdir(), 'xdp-sim-'));
  const path = join(directory, 'million.pcap');

  beforeAll(() => {
    const writer = unwrap(PcapWriter.create(path));
    const frames = Array.from({ length: 64 }, (_, flow) => udpFrame(64, flow));
    for (let i = 0; i < PACKETS; i++) {
      const tNs = i * GAP_NS;
      writer.writePacket(frames[i % 64], 0, 64, Math.floor(tNs / 1e9), tNs % 1e9);
    }
    unwrap(writer.close());
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  it.each<[string, ObjectSpec, string]>([
    ['dropped', returning(1), 'xdp_drop'],
    ['reflected', fixture('reflector'), 'tx'],
  ])('are %s in constant memory', (_, object, outcome) => {
    const simulation = simulationOf({ object, nic: { queues: 4, interruptDelayNs: 10_000 } });
    const reader = unwrap(openCapture(path));
    const samples: number[] = [];
    const result = unwrap(
      simulation.run(reader, {}, (packets) => {
        if (packets >= 100_000 * (samples.length + 1)) samples.push(liveBytes());
      }),
    );
    reader.close();
    expect(samples.length).toBe(10);
    expect(Math.max(...samples) - samples[0]).toBeLessThan(MIB);

    expect(result).toMatchObject({ packetsReceived: PACKETS, bytesReceived: PACKETS * 64, durationNs: expect.any(Number), audit: { ok: true } });
    expect(OUTCOMES.filter(({ code }) => result.outcomes[code] > 0).map(({ name, code }) => [name, result.outcomes[code]])).toEqual([[outcome, PACKETS]]);
    const held = [0, 1, 2, 3].map((queue) => simulation.nic.driver.bufferUse(queue).holdCount);
    expect(Math.max(...held)).toBeLessThan(1024);
  }, 300_000);
});
