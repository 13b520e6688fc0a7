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

export function capturePath(capture: string): string {
  return join(CAPTURES, capture);
}

/** All packets of one capture. */
export function readPackets(capture: string): FixturePacket[] {
  const reader = unwrap(openCapture(capturePath(capture)));
  try {
    const packets: FixturePacket[] = [];
    for (;;) {
      const status = reader.next();
      if (status === 'end') return packets;
      if (status === 'error') throw new Error(`readPackets: ${capture}: ${reader.problem?.message}`);
      const { data, offBytes, capturedLen, packetNumber } = reader;
      packets.push({ capture, number: packetNumber, data: data.slice(offBytes, offBytes + capturedLen) });
    }
  } finally {
    reader.close();
  }
}
