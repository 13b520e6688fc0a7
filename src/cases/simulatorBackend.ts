import { errnoName, fail, fromHex, ok, Rng, toHex } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { HostMemory } from '../memory/index.js';
import { ProgArray, Vm } from '../vm/index.js';
import type { LoadedObject, LoadedProgram, ObjectSpec, VmEnvironment } from '../vm/index.js';
import { TestRunner } from '../xdp/index.js';
import type { TestRunInput, TestRunResult } from '../xdp/index.js';
import type { CaseBackend, CaseRunner } from './backend.js';
import type { CaseEntry, CaseObservation, TestCase } from './caseFile.js';
import { dumpEntries, isPlainMap, putEntry } from './mapEntries.js';

/** CPU that runs every case: the kernel backend binds itself to the same. */
export const CASE_CPU = 0;

/** What the simulated host gives to programs. Same values, same observations. */
export interface SimulatedHost {
  /** Time since boot, ns: what all clocks show during a case. */
  readonly tNs: number;
  /** Seed of bpf_get_prandom_u32; every case starts with it anew. */
  readonly seed: number;
}

/** Runs cases in the simulator. */
export class SimulatorBackend implements CaseBackend {
  readonly name = 'simulator';
  readonly #host: SimulatedHost;

  constructor(host: SimulatedHost) {
    this.#host = host;
  }

  open(object: ObjectSpec): Result<CaseRunner> {
    return ok(new SimulatorRunner(object, this.#host));
  }
}

class SimulatorRunner implements CaseRunner {
  readonly #object: ObjectSpec;
  readonly #host: SimulatedHost;
  readonly #memory = new HostMemory();
  readonly #mark: number;

  constructor(object: ObjectSpec, host: SimulatedHost) {
    this.#object = object;
    this.#host = host;
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
    const { tNs, seed } = this.#host;
    const environment: VmEnvironment = { tNs, cpu: CASE_CPU, possibleCpus: 1, rng: new Rng(seed), onPrintk: () => {} };
    const vm = new Vm({ memory: this.#memory, environment });
    const loading = vm.load(this.#object);
    if (!loading.ok) return loading;
    const loaded = loading.value;
    const program = loaded.program(programName);
    if (program === undefined) return fail(loaded.problems.get(programName) ?? unknownProgram(this.#object, programName));
    const problem = prepare(loaded, testCase);
    if (problem !== undefined) return fail(problem);
    const result = new TestRunner(this.#memory, vm).run(program, testRunInput(testCase));
    if (result.fault !== undefined) {
      return fail({ code: 'program-fault', message: result.fault.message, hint: 'mend the program; the kernel refuses to load it' });
    }
    return ok(observationOf(result, mapsOf(loaded)));
  }
}

function unknownProgram(object: ObjectSpec, name: string): Problem {
  return { code: 'unknown-program', where: object.name, message: `no XDP program ${name}`, hint: 'sim run tells which there are' };
}

/** What a case gives to BPF_PROG_TEST_RUN. */
export function testRunInput(testCase: TestCase): TestRunInput {
  const { ctx_in: context = {} } = testCase;
  return {
    data: fromHex(testCase.data_in) ?? new Uint8Array(0),
    metaBytes: context.data ?? 0,
    dataMeta: context.data_meta ?? 0,
    ...(context.data_end === undefined ? {} : { dataEnd: context.data_end }),
    ingressIfindex: context.ingress_ifindex ?? 0,
    rxQueueIndex: context.rx_queue_index ?? 0,
    egressIfindex: context.egress_ifindex ?? 0,
    repeat: testCase.repeat ?? 1,
  };
}

/** What BPF_PROG_TEST_RUN gave back, in the words of a case file. */
export function observationOf(result: TestRunResult, maps: Readonly<Record<string, readonly CaseEntry[]>>): CaseObservation {
  if (result.errno !== 0) return { errno: errnoName(result.errno) };
  const { ctxOut } = result;
  return {
    retval: result.retval,
    data_out: toHex(result.dataOut),
    ctx_out: {
      data: ctxOut.data,
      data_end: ctxOut.dataEnd,
      data_meta: ctxOut.dataMeta,
      ingress_ifindex: ctxOut.ingressIfindex,
      rx_queue_index: ctxOut.rxQueueIndex,
      egress_ifindex: ctxOut.egressIfindex,
    },
    maps,
  };
}

function mapsOf(loaded: LoadedObject): Record<string, CaseEntry[]> {
  const maps: Record<string, CaseEntry[]> = {};
  for (const [name, map] of loaded.maps) if (isPlainMap(map.spec)) maps[name] = dumpEntries(map, CASE_CPU);
  return maps;
}

/** Global variables and map contents of a case. */
function prepare(loaded: LoadedObject, testCase: TestCase): Problem | undefined {
  for (const [name, value] of Object.entries(testCase.globals ?? {})) {
    const set = loaded.setVariable(name, typeof value === 'string' ? value : JSON.stringify(value));
    if (!set.ok) return set.problem;
  }
  for (const [name, entries] of Object.entries(testCase.maps ?? {})) {
    const map = loaded.maps.get(name);
    if (map === undefined) return { code: 'unknown-map', message: `no map ${name}`, hint: `the object has ${[...loaded.maps.keys()].join(', ')}` };
    for (const entry of entries) {
      const error = map instanceof ProgArray ? putProgram(map, entry, loaded.program(entry.value)) : putEntry(map, entry, 1);
      if (error !== 0) return mapRefusal(name, entry, error);
    }
  }
  return undefined;
}

function putProgram(map: ProgArray, { key }: CaseEntry, program: LoadedProgram | undefined): number | undefined {
  const bytes = fromHex(key);
  if (program === undefined || bytes?.length !== 4) return undefined;
  return map.setProgram(new DataView(bytes.buffer).getUint32(0, true), program);
}

/** Why an entry of a case can't be put into its map. */
export function mapRefusal(name: string, entry: CaseEntry, error: number | undefined): Problem {
  const message =
    error === undefined
      ? `map ${name} can't take key ${entry.key} with value ${entry.value}: their sizes are not the map's, or there is no such program`
      : `map ${name} refused key ${entry.key} (${errnoName(error)})`;
  return { code: 'case-map-entry', message, hint: 'compare with key_size, value_size and max_entries of the map' };
}

