import { unwrap } from '../../../src/base/index.js';
import type { BufferUse, DriverCounters, NicSettings, RingUse, XdpDriverFactory } from '../../../src/nic/index.js';
import type { CaptureReader } from '../../../src/packet/index.js';
import { createHost, createSimulation, l2fwd, PacketOrigins, rxdrop, Simulation, World } from '../../../src/sim/index.js';
import type { PacketWatcher, RunResult, XskRingSizes } from '../../../src/sim/index.js';
import type { EngineName, ObjectSpec } from '../../../src/vm/index.js';
import { fillDevmap } from './mixedProgram.js';

export interface ProfileRunOptions {
  readonly nic: NicSettings;
  /** `undefined`: the driver runs without a program and passes everything. */
  readonly object: ObjectSpec | undefined;
  readonly reader: CaptureReader;
  readonly xsk?: { readonly application: 'rxdrop' | 'l2fwd'; readonly rings: XskRingSizes; readonly chunkCount: number } | undefined;
  readonly driver?: XdpDriverFactory | undefined;
  readonly engine?: EngineName | undefined;
  /** Sees packets end, as that of `Simulation.run`. */
  readonly watcherOf?: (simulation: Simulation) => PacketWatcher;
}

/** What a queue pair shows just before its NIC is shut down. */
export interface QueueState {
  readonly counters: DriverCounters;
  readonly ring: RingUse;
  readonly buffers: BufferUse;
}

export interface ProfileRun {
  readonly simulation: Simulation;
  readonly result: RunResult;
  readonly queues: readonly QueueState[];
}

/** Plays a capture through a NIC and notes how its queues stood at the end. */
export function runProfile(options: ProfileRunOptions): ProfileRun {
  const simulation = options.object === undefined ? passingSimulation(options.nic) : programSimulation(options, options.object);
  const { driver } = simulation.nic;
  const queues: QueueState[] = [];
  const close = driver.close.bind(driver);
  driver.close = () => {
    for (let queue = 0; queue < options.nic.queues; queue++) {
      const buffers = driver.bufferUse(queue);
      queues.push({ counters: { ...driver.counters(queue) }, ring: { ...driver.ringUse(queue) }, buffers: { ...buffers, stats: { ...buffers.stats } } });
    }
    close();
  };
  const result = unwrap(simulation.run(options.reader, options.watcherOf?.(simulation)));
  return { simulation, result, queues };
}

function programSimulation({ nic, xsk, driver, engine }: ProfileRunOptions, object: ObjectSpec): Simulation {
  return unwrap(
    createSimulation({
      object, nic, seed: 1, cpus: Math.min(nic.queues, 8), driver, engine,
      xsk: xsk && { mode: 'copy', ...xsk, application: { rxdrop, l2fwd }[xsk.application] },
      prepare: (loaded, sockets) => (loaded.maps.has('devices') ? fillDevmap(loaded, sockets) : undefined),
    }),
  );
}

/** A NIC without a program, as before anything is attached; what `createSimulation` builds has always one. */
function passingSimulation(nic: NicSettings): Simulation {
  const world = new World(new PacketOrigins(1));
  const host = unwrap(createHost({ name: 'host', seed: 1, cpus: nic.queues, objects: {}, nics: [{ name: 'eth0', settings: nic }] }, world));
  return new Simulation(world, host);
}
