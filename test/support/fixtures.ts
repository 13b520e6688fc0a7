import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { unwrap } from '../../src/base/index.js';
import { openCapture } from '../../src/packet/index.js';
import { loadObjectFile } from '../../src/vm/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';

const PROGRAMS = 'fixtures/programs';
const CAPTURES = 'fixtures/pcaps';

/** An object file of fixtures/programs. */
export interface FixtureObject {
  /** Path below fixtures/programs, e.g. `dnat/dnat.o`. */
  readonly file: string;
  readonly spec: ObjectSpec;
}

/** A packet of fixtures/pcaps. */
export interface FixturePacket {
  /** File name of its capture. */
  readonly capture: string;
  /** Counts from 1. */
  readonly number: number;
  /** Time since the first packet of the capture, ns. */
  readonly tNs: number;
  readonly data: Uint8Array;
}

/** Every object, sorted by path. */
export function fixtureObjects(): FixtureObject[] {
  const files = (readdirSync(PROGRAMS, { recursive: true }) as string[]).filter((file) => file.endsWith('.o')).sort();
  return files.map((file) => ({ file, spec: unwrap(loadObjectFile(join(PROGRAMS, file))) }));
}

/** File names of all captures, sorted. */
export function fixtureCaptures(): string[] {
  return readdirSync(CAPTURES).filter((file) => /\.pcap(ng)?$/.test(file)).sort();
}

/** All packets of one capture. */
export function readPackets(capture: string): FixturePacket[] {
  const reader = unwrap(openCapture(join(CAPTURES, capture)));
  try {
    const packets: FixturePacket[] = [];
    let [firstSec, firstNsec] = [0, 0];
    for (;;) {
      const status = reader.next();
      if (status === 'end') return packets;
      if (status === 'error') throw new Error(`readPackets: ${capture}: ${reader.problem?.message}`);
      const { data, offBytes, capturedLen, packetNumber, tSec, tNsec } = reader;
      if (packets.length === 0) [firstSec, firstNsec] = [tSec, tNsec];
      const tNs = (tSec - firstSec) * 1e9 + tNsec - firstNsec;
      packets.push({ capture, number: packetNumber, tNs, data: data.slice(offBytes, offBytes + capturedLen) });
    }
  } finally {
    reader.close();
  }
}
