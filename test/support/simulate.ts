import { unwrap } from '../../src/base/index.js';
import { findProfile } from '../../src/nic/index.js';
import type { NicSettings } from '../../src/nic/index.js';
import { MemorySink, openCaptureBytes, PcapWriter } from '../../src/packet/index.js';
import type { CaptureReader } from '../../src/packet/index.js';
import { createSimulation, readXskApplication } from '../../src/sim/index.js';
import type { RunResult, Simulation, SimulationOptions, WatchedPacket, XskRingSizes, XskSettings } from '../../src/sim/index.js';
import { loadObjectFile } from '../../src/vm/index.js';
import type { MapSpec, ObjectSpec } from '../../src/vm/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { xdpProgram } from './xdpProgram.js';
import type { ProgramOptions } from './xdpProgram.js';

export { returning, xdpProgram } from './xdpProgram.js';

/** A frame and when it arrives, ns after the start of the capture. */
export interface TimedFrame {
  readonly bytes: Uint8Array;
  readonly tNs?: number;
}

/** UDP over IPv4 of exactly `lenBytes` (42 or more); `flow` chooses the source port and so the queue. Payload bytes count up. */
export function udpFrame(lenBytes: number, flow = 0): Uint8Array {
  const frame = Uint8Array.from({ length: lenBytes }, (_, i) => (i * 7 + flow) & 0xff);
  const ipBytes = lenBytes - 14;
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0, 0x45, 0, ipBytes >> 8, ipBytes & 255, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
  frame.set([(flow >> 8) & 255, flow & 255, 0, 53, (ipBytes - 20) >> 8, (ipBytes - 20) & 255, 0, 0], 34);
  return frame;
}

/** `count` equal frames at the same moment. */
export function burst(count: number, lenBytes = 64, tNs = 0): TimedFrame[] {
  return Array.from({ length: count }, () => ({ bytes: udpFrame(lenBytes), tNs }));
}

/** The frames as a capture, in their order, whatever their times. */
export function captureOf(frames: readonly TimedFrame[]): CaptureReader {
  const sink = new MemorySink();
  const writer = new PcapWriter(sink);
  for (const { bytes, tNs = 0 } of frames) writer.writePacket(bytes, 0, bytes.length, 1000 + Math.floor(tNs / 1e9), tNs % 1e9);
  unwrap(writer.close());
  return unwrap(openCaptureBytes(sink.bytes(), 'test.pcap'));
}

/** Object of fixtures/programs. */
export const fixture = (name: string): ObjectSpec => unwrap(loadObjectFile(`fixtures/programs/${name}/${name}.o`));

export const xskMap: MapSpec = {
  name: 'xsks', type: 17, keySize: 4, valueSize: 4, maxEntries: 64, flags: 0, keyTypeId: 0, valueTypeId: 0,
  dataSection: undefined, initialValue: undefined, initialPrograms: [],
};

/** Redirects everything to the socket of its queue, or passes it. */
export const redirectToSocket = (options: ProgramOptions = {}): ObjectSpec =>
  xdpProgram('r2 = *(u32 *)(r1 + 16)\nr1 = map xsks\nr3 = 2\ncall 51\nexit', { ...options, maps: [xskMap] });

export interface SimulateOptions {
  readonly object: ObjectSpec;
  /** Name of the program; may be left out when there is only one. */
  readonly program?: string;
  readonly frames: readonly TimedFrame[];
  readonly nic?: Partial<NicSettings>;
  /** An application, by its name and options or itself; rings of 64 and 64 chunks unless told. */
  readonly xsk?: Omit<Partial<XskSettings>, 'rings'> & {
    readonly application: string | NonNullable<SimulationOptions['xsk']>['application'];
    readonly rings?: Partial<XskRingSizes>;
  };
  readonly seed?: number;
  readonly kernel?: SimulationOptions['kernel'];
  readonly prepare?: SimulationOptions['prepare'];
  readonly instructionBudget?: number;
  /** Tampers with the simulation before the run. */
  readonly before?: (simulation: Simulation) => void;
}

/** A packet as a watcher saw it, with a copy of its bytes. */
export interface SeenPacket {
  readonly packetId: number;
  readonly outcome: string;
  readonly retval: number;
  readonly queue: number;
  readonly tNs: number;
  readonly bytes: Uint8Array;
  readonly meta: Uint8Array;
}

export interface Simulated {
  readonly simulation: Simulation;
  readonly result: RunResult;
  readonly ends: readonly SeenPacket[];
  readonly applicationFrames: readonly SeenPacket[];
  /** Packets by outcome, without those that are 0. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Settings of the `plain` NIC with one queue. */
export function nicSettings(more: Partial<NicSettings> = {}): NicSettings {
  const profile = findProfile('plain');
  if (profile === undefined) throw new Error('there is no profile plain');
  return { profile, queues: 1, rxRingSize: 512, txRingSize: 512, mtu: 1500, interruptDelayNs: 0, ifindex: 1, ...more };
}

function xskSpec({ application, rings, ...settings }: NonNullable<SimulateOptions['xsk']>): NonNullable<SimulationOptions['xsk']> {
  const all = { chunkCount: 64, ...settings, rings: { rx: 64, tx: 64, fill: 64, completion: 64, ...rings } };
  if (typeof application !== 'string') return { ...all, application };
  const { factory, txMetadataBytes } = unwrap(readXskApplication(application, 'test'));
  return { txMetadataBytes, ...all, application: factory };
}

/** Builds a simulation; see `SimulateOptions` for the defaults. */
export function simulationOf({ object, program, nic, xsk, seed = 1, kernel, prepare, instructionBudget }: Omit<SimulateOptions, 'frames'>): Simulation {
  const settings = nicSettings(nic);
  return unwrap(
    createSimulation({
      object,
      program,
      nic: settings,
      seed,
      cpus: settings.queues,
      xsk: xsk && xskSpec(xsk),
      kernel,
      prepare,
      instructionBudget,
    }),
  );
}

/** Plays the frames through a NIC and collects everything that can be seen. */
export function simulate(options: SimulateOptions): Simulated {
  const simulation = simulationOf(options);
  options.before?.(simulation);
  const ends: SeenPacket[] = [];
  const applicationFrames: SeenPacket[] = [];
  const see = ({ packetId, outcome, retval, queue, tNs, address, lenBytes, metaBytes }: WatchedPacket): SeenPacket => ({
    packetId,
    outcome: OUTCOMES[outcome].name,
    retval,
    queue,
    tNs,
    bytes: simulation.memory.u8.slice(address, address + lenBytes),
    meta: simulation.memory.u8.slice(address - metaBytes, address),
  });
  const result = unwrap(
    simulation.run(captureOf(options.frames), {
      onPacketEnd: (packet) => ends.push(see(packet)),
      onApplicationFrame: (packet) => applicationFrames.push(see(packet)),
    }),
  );
  const counted = OUTCOMES.map(({ name, code }) => [name, result.outcomes[code]] as const).filter(([, count]) => count > 0);
  return { simulation, result, ends, applicationFrames, outcomes: Object.fromEntries(counted) };
}
