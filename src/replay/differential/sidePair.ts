import { toHex } from '../../base/index.js';
import type { Problem } from '../../base/index.js';
import { compareObservations, observationOf } from '../../cases/index.js';
import type { Difference, MapDump } from '../../cases/index.js';
import type { ObjectSpec } from '../../vm/index.js';
import type { TestRunContext, TestRunInput } from '../../xdp/index.js';
import { mapCompared } from './byNature.js';
import type { KernelMachine } from './kernelSide.js';
import type { RunOutput, Side, SideMap } from './side.js';
import type { SimulatedMachine } from './simulatorSide.js';
import type { StartState } from './startState.js';

/** Where programs are loaded for a comparison. */
export interface Machines {
  readonly kernel: KernelMachine;
  readonly simulator: SimulatedMachine;
}

/** Why a pair can't be opened. */
export interface OpenProblem {
  readonly side: 'kernel' | 'simulator';
  readonly problem: Problem;
}

/** The same program in the same state on both sides. Of a difference `expected` is the kernel's, `observed` the simulator's. */
export class SidePair {
  readonly kernel: Side;
  readonly simulator: Side;
  /** Maps that both sides have, and that are compared. */
  readonly #maps: readonly (readonly [kernel: SideMap, simulator: SideMap])[];

  private constructor(kernel: Side, simulator: Side) {
    this.kernel = kernel;
    this.simulator = simulator;
    this.#maps = kernel.maps.flatMap((map) => {
      const other = simulator.maps.find((candidate) => candidate.spec.name === map.spec.name);
      return other === undefined || mapCompared(map.spec) === 'nothing' ? [] : [[map, other] as const];
    });
  }

  /** Loads a program on both sides. */
  static open({ kernel, simulator }: Machines, object: ObjectSpec, program: string, state: StartState): SidePair | OpenProblem {
    const theirs = kernel.open(object, program, state);
    if (!theirs.ok) return { side: 'kernel', problem: theirs.problem };
    const ours = simulator.open(object, program, state);
    if (ours.ok) return new SidePair(theirs.value, ours.value);
    theirs.value.close();
    return { side: 'simulator', problem: ours.problem };
  }

  /** Runs a packet on both sides and compares what they give. */
  run(input: TestRunInput): Difference[] {
    const theirs = this.kernel.run(input);
    const ours = this.simulator.run(input);
    return isEqualRun(theirs, ours) ? [] : compareRuns(theirs, ours);
  }

  /**
   * Compares the maps.
   *
   * @param maxEntries larger maps are left out: for looking often at what can be looked at fast
   */
  compareMaps(maxEntries = Infinity): Difference[] {
    return this.#maps.flatMap(([theirs, ours]) => (theirs.spec.maxEntries > maxEntries ? [] : compareDumps(theirs, ours)));
  }

  /** True when `compareMaps` with this bound leaves nothing out. */
  hasOnlyMapsUpTo(maxEntries: number): boolean {
    return this.#maps.every(([{ spec }]) => spec.maxEntries <= maxEntries);
  }

  close(): void {
    this.kernel.close();
    this.simulator.close();
  }
}

function isEqualRun(a: RunOutput, b: RunOutput): boolean {
  return (
    a.errno === b.errno &&
    a.retval === b.retval &&
    a.fault === b.fault &&
    a.dataOutSize === b.dataOutSize &&
    isEqualContext(a.ctxOut, b.ctxOut) &&
    Buffer.compare(a.dataOut, b.dataOut) === 0
  );
}

function isEqualContext(a: TestRunContext, b: TestRunContext): boolean {
  return (
    a.data === b.data &&
    a.dataEnd === b.dataEnd &&
    a.dataMeta === b.dataMeta &&
    a.ingressIfindex === b.ingressIfindex &&
    a.rxQueueIndex === b.rxQueueIndex &&
    a.egressIfindex === b.egressIfindex
  );
}

function compareRuns(theirs: RunOutput, ours: RunOutput): Difference[] {
  if (ours.fault !== undefined) return [{ part: 'fault', expected: 'none', observed: ours.fault }];
  const differences = compareObservations(observationOf(theirs, () => ({})), observationOf(ours, () => ({})));
  if (theirs.dataOutSize !== ours.dataOutSize && theirs.dataOut.length === ours.dataOut.length) {
    differences.push({ part: 'data_size_out', expected: String(theirs.dataOutSize), observed: String(ours.dataOutSize) });
  }
  return differences;
}

function compareDumps(kernel: SideMap, simulator: SideMap): Difference[] {
  const theirs = kernel.dump();
  const ours = simulator.dump();
  const onlyKeys = mapCompared(kernel.spec) === 'keys';
  const isEqual = Buffer.compare(theirs.keys, ours.keys) === 0 && (onlyKeys || Buffer.compare(theirs.values, ours.values) === 0);
  if (isEqual) return [];
  const left = entriesOf(kernel, theirs);
  const right = entriesOf(simulator, ours);
  const differences: Difference[] = [];
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const [expected, observed] = [left.get(key), right.get(key)];
    if (expected !== undefined && observed !== undefined && (onlyKeys || Buffer.compare(expected, observed) === 0)) continue;
    differences.push({ part: `maps.${kernel.spec.name}[${toHex(Buffer.from(key, 'latin1'))}]`, expected: show(expected), observed: show(observed) });
  }
  return differences;
}

function show(value: Uint8Array | undefined): string {
  return value === undefined ? 'no entry' : toHex(value);
}

/** Values by key; a key is written with one character a byte. */
function entriesOf({ spec }: SideMap, { count, keys, values }: MapDump): ReadonlyMap<string, Uint8Array> {
  const valueBytes = count === 0 ? 0 : values.length / count;
  const entries = new Map<string, Uint8Array>();
  const text = Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength);
  for (let i = 0; i < count; i++) {
    entries.set(text.toString('latin1', i * spec.keySize, (i + 1) * spec.keySize), values.subarray(i * valueBytes, (i + 1) * valueBytes));
  }
  return entries;
}
