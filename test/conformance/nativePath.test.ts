import { afterAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { findProfile, maxFrameBytes, rxBufferBytes } from '../../src/nic/index.js';
import { MemorySink, openCaptureBytes, PcapWriter } from '../../src/packet/index.js';
import { createSimulation, rxdrop } from '../../src/sim/index.js';
import type { Simulation } from '../../src/sim/index.js';
import { BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH } from '../../src/vm/index.js';
import { Outcome, OUTCOMES, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../src/xdp/index.js';
import { fixtureCaptures, fixtureObjects, readPackets } from '../support/fixtures.js';
import type { FixturePacket } from '../support/fixtures.js';
import { compareMaps } from './compare.js';
import type { Difference } from './compare.js';
import { Differences } from './differences.js';
import { openSimulatorSide, prepareLoaded } from './sides.js';
import type { Side } from './sides.js';
import { subjectsOf } from './variants.js';
import type { Subject } from './variants.js';

// The data path of the NIC gives every packet the same as a test run does: with kernel.test.ts, NIC path = test run = kernel.
// One queue, so that programs with state see the packets in the same order. All captures are played one after another, each with
// the timing that it has.

const CPUS = 2;
const IFINDEX = 1;
const profile = findProfile('plain')!;
/** The largest MTU that a program without multi-buffer support can be attached at. */
const SINGLE_BUFFER_MTU = rxBufferBytes(profile) - maxFrameBytes(0);

/** A packet at its end in the simulation. */
interface End {
  readonly outcome: Outcome;
  readonly retval: number;
  readonly packet: Uint8Array;
  readonly metadata: Uint8Array;
}

/** A busy machine may take its time. */
const TIMEOUT_MS = 60_000;

/** Silence between two captures. */
const GAP_NS = 1e6;

const packets = fixtureCaptures().flatMap(readPackets);
const capture = oneCapture(packets);
// Programs that belong on a device; what those in entries of maps do is for test/nic/driver/redirectMaps.test.ts. mtu_check asks for the MTU of its
// device, and a test run's is the loopback.
const subjects = subjectsOf(fixtureObjects()).filter(
  ({ object, program, variant }) =>
    program !== 'mtu_check' &&
    object.spec.programs.find(({ name }) => name === program)!.attachType === 'xdp' && !(variant.targets ?? []).some((entry) => entry.program !== undefined),
);
const memory = new HostMemory(64);

describe('every program on every packet, on the data path as in a test run', () => {
  let compared = 0;

  it.each(subjects.map((subject) => ({ name: subject.name, subject })))('$name', { timeout: TIMEOUT_MS }, ({ subject }) => {
    expect(compareDataPath(subject, subject).toString()).toBe('');
    compared += packets.length;
  });

  afterAll(() => {
    console.info(`conformance of the data path: ${subjects.length} programs and variants, ${packets.length} packets, ${compared} cases compared`);
  });
});

describe('the comparison with the data path', () => {
  const find = (name: string): Subject => subjects.find((subject) => subject.name === name)!;

  it('reports other verdicts, outcomes, bytes, metadata and maps', () => {
    const other = find('return_77/return_77.o, return_77, as it is');
    expect(compareDataPath(find('reflector/reflector.o, reflector, as it is'), other).fields()).toEqual(['outcome', 'packet', 'retval']);
    expect(compareDataPath(find('meta_writer/meta_writer.o, meta_writer, as it is'), other).fields()).toEqual(['metadata', 'outcome', 'retval']);
    const [asItIs, dropAll] = ['switch_drop/switch_drop.o, switch_drop, as it is', 'switch_drop/switch_drop.o, switch_drop, drop_all'].map(find);
    expect(compareDataPath(asItIs, dropAll).fields()).toEqual(['map .bss[00000000]', 'outcome', 'retval']);
  });
});

/** Runs `subject` on the data path and `reference` in a test run. */
function compareDataPath(subject: Subject, reference: Subject): Differences {
  const differences = new Differences(['test run', 'data path']);
  const { frags } = subject.object.spec.programs.find(({ name }) => name === subject.program)!;
  const mtu = frags ? profile.mtu.max : SINGLE_BUFFER_MTU;
  const simulation = openSimulation(subject, mtu);
  const ends = play(simulation, capture, packets.length);
  const side = openSimulatorSide(memory, reference, CPUS);
  try {
    packets.forEach(({ capture: file, number, data }, index) => {
      const end = ends[index];
      const found = data.length > maxFrameBytes(mtu) ? compareLost(data, end) : compareEnd(reference, side, data, end);
      differences.add(`${subject.name}, ${file} packet ${number}`, found);
    });
    for (const map of side.maps) {
      differences.add(`${subject.name}, after all packets`, compareMaps(subject.object, map, simulation.loaded.maps.get(map.spec.name)!));
    }
  } finally {
    side.close();
  }
  return differences;
}

/** All packets in one capture. */
function oneCapture(packets: readonly FixturePacket[]): Uint8Array {
  const sink = new MemorySink();
  const writer = new PcapWriter(sink);
  let startNs = 0;
  let tNs = 0;
  for (const packet of packets) {
    if (packet.number === 1) startNs = tNs + GAP_NS;
    tNs = startNs + packet.tNs;
    writer.writePacket(packet.data, 0, packet.data.length, Math.floor(tNs / 1e9), tNs % 1e9);
  }
  unwrap(writer.close());
  return sink.bytes();
}

function openSimulation({ object, program, variant }: Subject, mtu: number): Simulation {
  const rings = { rx: 1024, tx: 1024, fill: 1024, completion: 1024 };
  return unwrap(
    createSimulation({
      object: object.spec,
      program,
      nic: { profile, queues: 1, rxRingSize: 512, txRingSize: 512, mtu, interruptDelayNs: 0, ifindex: IFINDEX },
      seed: 1,
      cpus: CPUS,
      // A test run has no readers either, so rings fill up and no perf event is open.
      readsEvents: false,
      xsk: variant.sockets === true ? { application: rxdrop, rings, chunkCount: 1024 } : undefined,
      prepare(loaded) {
        prepareLoaded(loaded, variant, CPUS);
        return undefined;
      },
    }),
  );
}

/** Ends in the order of the packets; every packet has exactly one. */
function play(simulation: Simulation, capture: Uint8Array, count: number): readonly End[] {
  const reader = unwrap(openCaptureBytes(capture, 'all captures'));
  const ends: End[] = [];
  try {
    const { u8 } = simulation.memory;
    const result = unwrap(
      simulation.run(reader, {
        onPacketEnd({ packetId, outcome, retval, address, lenBytes, metaBytes }) {
          const index = packetId - 1;
          if (ends[index] !== undefined) throw new Error(`play: packet ${packetId} ended twice`);
          ends[index] = { outcome, retval, packet: u8.slice(address, address + lenBytes), metadata: u8.slice(address - metaBytes, address) };
        },
      }),
    );
    expect(result.audit.ok).toBe(true);
  } finally {
    reader.close();
  }
  expect(Object.keys(ends)).toHaveLength(count);
  return ends;
}

function compareLost(data: Uint8Array, end: End): Difference[] {
  return [...compareOutcome(Outcome.macOverLength, end), ...compareBytes('packet', data, end.packet)];
}

function compareEnd(subject: Subject, reference: Side, data: Uint8Array, end: End): Difference[] {
  const expected = reference.run({ data, ingressIfindex: IFINDEX });
  const { retval, dataOut, ctxOut, fault } = expected;
  const differences: Difference[] = [];
  if (retval !== end.retval) differences.push({ field: 'retval', left: retval, right: end.retval });
  if (fault !== undefined) differences.push({ field: 'fault', left: fault, right: undefined });
  const redirects = redirectOutcomes(subject);
  const redirected = redirects.find((outcome) => outcome === end.outcome) ?? redirects[0];
  differences.push(...compareOutcome(outcomeOf(retval, redirected), end), ...compareBytes('packet', dataOut.subarray(ctxOut.data), end.packet));
  // Metadata doesn't leave the machine.
  if (end.outcome !== Outcome.tx && end.outcome !== Outcome.redirect) {
    differences.push(...compareBytes('metadata', dataOut.subarray(0, ctxOut.data), end.metadata));
  }
  return differences;
}

/** Where packets may end that are redirected. A broadcast may reach nobody, as here the only device is the one that they come from. */
function redirectOutcomes({ object, variant }: Subject): readonly Outcome[] {
  // Sockets take what fits into a chunk.
  if (variant.sockets === true) return [Outcome.xsk, Outcome.xskTooLong];
  const has = (type: number): boolean => object.spec.maps.some((map) => map.type === type);
  if (has(BPF_MAP_TYPE_CPUMAP)) return [Outcome.cpumap];
  return has(BPF_MAP_TYPE_DEVMAP) || has(BPF_MAP_TYPE_DEVMAP_HASH) ? [Outcome.redirect, Outcome.redirectNoReceiver] : [Outcome.redirect];
}

function outcomeOf(retval: number, redirected: Outcome): Outcome {
  switch (retval) {
    case XDP_ABORTED:
      return Outcome.xdpAborted;
    case XDP_DROP:
      return Outcome.xdpDrop;
    case XDP_PASS:
      return Outcome.stack;
    case XDP_TX:
      return Outcome.tx;
    case XDP_REDIRECT:
      return redirected;
    default:
      return Outcome.invalidVerdict;
  }
}

function compareOutcome(expected: Outcome, end: End): Difference[] {
  return expected === end.outcome ? [] : [{ field: 'outcome', left: OUTCOMES[expected].name, right: OUTCOMES[end.outcome].name }];
}

function compareBytes(field: string, left: Uint8Array, right: Uint8Array): Difference[] {
  return Buffer.compare(left, right) === 0 ? [] : [{ field, left, right }];
}
