import { ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { compareObservations } from '../../cases/index.js';
import { nicStatistics } from '../../nic/index.js';
import type { Simulation } from '../../sim/index.js';
import { ETH_HLEN } from '../../vm/index.js';
import type { KernelObject } from '../kernelObject.js';
import { twinState } from './kernelTwin.js';
import type { KernelWire } from './kernelWire.js';
import type { LockstepResult } from './lockstep.js';
import type { DifferenceList, NetCounter, NetPair } from './netReport.js';
import type { XdpMode } from './xdpLink.js';

/** Holds maps and variables of both sides against each other. */
export function compareState(simulation: Simulation, kernel: KernelObject, exclude: readonly string[], differences: DifferenceList): void {
  const state = twinState(simulation.loaded, kernel);
  for (const { part, expected, observed } of compareObservations(state.simulator, state.kernel, exclude)) {
    differences.add({ part, simulator: expected, kernel: observed });
  }
}

export function compareRuns(simulation: Simulation, wire: KernelWire, differences: DifferenceList): NetPair<number> {
  const simulator = simulation.nic.driver.verdicts.reduce((sum, count) => sum + count, 0);
  const kernel = wire.programRuns;
  if (simulator !== kernel) differences.add({ part: 'program runs', simulator: String(simulator), kernel: String(kernel) });
  return { simulator, kernel };
}

/** Holds the counters of both sides against each other. Problem: `net-counters`. */
export function compareCounters(simulation: Simulation, result: LockstepResult, wire: KernelWire, mode: XdpMode): Result<NetCounter[]> {
  const kernel = wire.counters();
  if (!kernel.ok) return kernel;
  const counters: NetCounter[] = [];
  for (const [name, count] of simulatedCounters(simulation, result, mode)) {
    const counted = kernel.value.get(name) ?? null;
    counters.push({ name, simulator: count, kernel: counted });
    if (counted !== null && counted !== count) result.differences.add({ part: `counters.${name}`, simulator: String(count), kernel: String(counted) });
  }
  return ok(counters);
}

/**
 * What a veth counts, measured on 6.18. With a native program it counts packets where NAPI takes them, as skbs without their Ethernet
 * header; else where the peer hands them over, whole. Generic XDP is the stack's business, and the driver's own counters don't know it.
 */
function simulatedCounters(simulation: Simulation, { run, simulator }: LockstepResult, mode: XdpMode): Map<string, number> {
  const isNative = mode === 'native';
  const driver = [...nicStatistics(simulation.nic)];
  return new Map([
    ...driver.map(([name, count]): [string, number] => [name, isNative ? count : 0]),
    ['link.rx_packets', run.packetsReceived],
    ['link.rx_bytes', run.bytesReceived - (isNative ? run.packetsReceived * ETH_HLEN : 0)],
    ['link.tx_packets', simulator.ends.wire],
    ['link.tx_bytes', simulator.wireBytes],
  ]);
}
