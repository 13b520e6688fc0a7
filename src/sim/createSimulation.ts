import { catchProblem, checkNamed, checkOptionNames, fail, ok } from '../base/index.js';
import type { OptionNames, Result } from '../base/index.js';
import { createHost } from './createHost.js';
import { PacketOrigins } from './packetOrigins.js';
import { Simulation } from './simulation.js';
import type { SimulationOptions } from './simulation.js';
import { World } from './world.js';

const OPTIONS: OptionNames<SimulationOptions> = {
  object: true, program: true, nic: true, seed: true, cpus: true, kernel: true, network: true, xsk: true, prepare: true, readsEvents: true, hashesXskPackets: true, instructionBudget: true, engine: true,
  xskQuirks: true, xskMemlockBytes: true, driver: true,
};

/**
 * Builds a simulation. Problems come from the object, the program, the NIC's settings and the memory that all of it needs.
 *
 * @throws Error for an option that there is not, and for settings that are no object
 */
export function createSimulation(options: SimulationOptions): Result<Simulation> {
  checkOptionNames('createSimulation', options, OPTIONS);
  const { object, program, nic, xsk, driver, prepare, ...rest } = options;
  if (!Array.isArray(object?.programs)) return fail({ code: 'no-object', where: 'object', message: 'it is no compiled object that was loaded', hint: "give unwrap(loadObjectFile('prog.o'))" });
  checkNamed('createSimulation, nic', nic, "the NIC's settings: { profile: findProfile('ice'), queues: 1, rxRingSize: 512, txRingSize: 512, mtu: 1500, ifindex: 1 }");
  // Without links every packet comes from the capture.
  const world = new World(new PacketOrigins(1));
  const created = catchProblem(() =>
    createHost({
      ...rest,
      name: 'host',
      objects: { [object.name]: object },
      nics: [{ name: `if${nic.ifindex}`, settings: nic, xdp: { object: object.name, program }, xsk, driver }],
      prepare: prepare && ((objects, sockets) => prepare(objects.get(object.name)!, sockets)),
    }, world));
  if (!created.ok) return created;
  return created.value.ok ? ok(new Simulation(world, created.value.value)) : created.value;
}
