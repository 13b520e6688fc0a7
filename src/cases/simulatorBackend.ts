import { fail, ok, Rng } from '../base/index.js';
import type { KernelRelease, Result } from '../base/index.js';
import { HostMemory } from '../memory/index.js';
import { BOOT_NS } from '../sim/index.js';
import { LOOPBACK, mapTypeName, objectMemoryBytes, parseNetwork, Vm, withInterface } from '../vm/index.js';
import type { LoadedObject, MapSpec, ObjectSpec, VmEnvironment } from '../vm/index.js';
import { TestRunner } from '../xdp/index.js';
import { xdpPrograms } from './backend.js';
import type { CaseBackend, CaseRunner } from './backend.js';
import type { CaseEntry, CaseObservation, TestCase } from './caseFile.js';
import { dumpGlobals, globalBytes } from './globals.js';
import { dumpEntries, dumpProgramEntries, fillMaps, isPlainMap } from './mapEntries.js';
import { CASE_CPU, observationOf, testRunInput } from './observe.js';
import { hasProgramEntries, isJudgedEntryMap, parseEntryValue } from './programEntries.js';
import { programNameIn, SimulatedMaps } from './simulatedMaps.js';

/** What the simulated host gives to programs. Same values, same observations. */
export interface SimulatedHost {
  /** Time since boot, ns: what all clocks show during a case. */
  readonly tNs: number;
  /** Seed of bpf_get_prandom_u32; every case starts with it anew. */
  readonly seed: number;
  /** Whose rules hold; left out: the newest kernel's. */
  readonly kernel?: KernelRelease | undefined;
}

const DEFAULT_HOST: SimulatedHost = { tNs: BOOT_NS, seed: 1 };

/** Runs cases in the simulator. */
export class SimulatorBackend implements CaseBackend {
  readonly name = 'simulator';
  readonly #host: SimulatedHost;

  /** @param host what is to be otherwise than usual */
  constructor(host: Partial<SimulatedHost> = {}) {
    this.#host = { ...DEFAULT_HOST, ...host };
  }

  open(object: ObjectSpec): Result<CaseRunner> {
    return ok(new SimulatorRunner(object, this.#host));
  }
}

/** Test frame and its output. */
const RUNNER_BYTES = 4 << 20;

class SimulatorRunner implements CaseRunner {
  readonly #object: ObjectSpec;
  readonly #host: SimulatedHost;
  readonly #memory: HostMemory;
  readonly #mark: number;

  constructor(object: ObjectSpec, host: SimulatedHost) {
    this.#object = object;
    this.#host = host;
    this.#memory = HostMemory.withRoomFor(objectMemoryBytes(object, 1) + RUNNER_BYTES);
    this.#mark = this.#memory.mark();
  }

  run(testCase: TestCase, programName: string): Result<CaseObservation> {
    try {
      return this.#runOnFreshMachine(testCase, programName);
    } finally {
      this.#memory.release(this.#mark);
    }
  }

  close(): void {
    this.#memory.release(this.#mark);
  }

  #runOnFreshMachine(testCase: TestCase, programName: string): Result<CaseObservation> {
    const variables = globalBytes(this.#object, testCase.globals ?? {});
    if (!variables.ok) return variables;
    const { tNs, seed, kernel } = this.#host;
    const network = testCase.network === undefined ? ok(undefined) : parseNetwork(testCase.network, 'network');
    if (!network.ok) return network;
    const environment: VmEnvironment = {
      tNs, cpu: CASE_CPU, possibleCpus: 1, kernel, rng: new Rng(seed), onPrintk: () => {}, network: network.value && withInterface(network.value, LOOPBACK),
    };
    const vm = new Vm({ memory: this.#memory, environment });
    const loading = vm.load(this.#object, { programs: [programName, ...programsInMaps(this.#object, testCase)] });
    if (!loading.ok) return loading;
    const loaded = loading.value;
    for (const [name, bytes] of variables.value) setVariable(loaded, name, bytes);
    const problem = fillMaps(this.#object, testCase.maps ?? {}, new SimulatedMaps(loaded, environment.possibleCpus));
    if (problem !== undefined) return fail(problem);
    const result = new TestRunner(this.#memory, vm).run(loaded.program(programName)!, testRunInput(testCase));
    if (result.fault !== undefined) {
      return fail({ code: 'program-fault', message: result.fault.message, hint: 'mend the program; the kernel refuses to load it' });
    }
    return ok(observationOf(result, () => ({ maps: this.#mapsOf(loaded), globals: dumpGlobals(this.#object, (section) => sectionBytes(loaded, section)) })));
  }

  #mapsOf(loaded: LoadedObject): Record<string, CaseEntry[]> {
    const judged = [...loaded.maps.values()].filter(({ spec }) => isPlainMap(spec) || isJudgedEntryMap(spec));
    return Object.fromEntries(
      judged.map((map) => [map.spec.name, isPlainMap(map.spec) ? dumpEntries(map, CASE_CPU) : dumpProgramEntries(map, programNameIn(loaded))]),
    );
  }
}

/** Programs that the case puts into maps: loaded in advance, as loading a program fills the object's PROG_ARRAYs anew. */
function programsInMaps(object: ObjectSpec, { maps = {} }: TestCase): string[] {
  const names = Object.entries(maps).flatMap(([name, entries]) => {
    const spec = object.maps.find((candidate) => candidate.name === name);
    if (spec === undefined) return [];
    if (hasProgramEntries(spec)) return entries.map(({ value }) => parseEntryValue(spec, value)?.program);
    return mapTypeName(spec.type) === 'PROG_ARRAY' ? entries.map(({ value }) => value) : [];
  });
  const known = xdpPrograms(object);
  return names.filter((name) => name !== undefined && known.includes(name)) as string[];
}

function sectionBytes(loaded: LoadedObject, section: MapSpec): Uint8Array {
  return loaded.maps.get(section.name)!.lookupBytes(new Uint8Array(section.keySize))!;
}

/** Before the first run a read-only variable is as open as the others. */
function setVariable(loaded: LoadedObject, name: string, bytes: Uint8Array): void {
  const variable = loaded.spec.variables.find((candidate) => candidate.name === name)!;
  const section = loaded.maps.get(variable.map)!;
  const value = sectionBytes(loaded, section.spec);
  value.set(bytes, variable.offBytes);
  section.updateBytes(new Uint8Array(section.spec.keySize), value, 0);
}
