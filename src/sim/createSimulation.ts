import { catchProblem, fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { createHost } from './createHost.js';
import { PacketOrigins } from './packetOrigins.js';
import { Simulation } from './simulation.js';
import type { SimulationOptions } from './simulation.js';
import { World } from './world.js';

/** Builds a simulation. Problems come from the object, the program, the NIC's settings and the memory that all of it needs. */
export function createSimulation(options: SimulationOptions): Result<Simulation> {
  const { object, program, nic, xsk, driver, prepare, ...rest } = options;
  if (!Array.isArray(object?.programs)) return fail({ code: 'no-object', where: 'object', message: 'it is no compiled object that was loaded', hint: "give unwrap(loadObjectFile('prog.o'))" });
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
