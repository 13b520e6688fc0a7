import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import {
  CASE_CPU, changeableSections, dumpGlobals, dumpProgramEntries, fillMaps, globalBytes, isJudgedEntryMap, isPlainMap, observationOf, observedEntries, testRunInput,
} from '../cases/index.js';
import type { CaseBackend, CaseEntry, CaseObservation, CaseRunner, TestCase } from '../cases/index.js';
import type { MapSpec, ObjectSpec } from '../vm/index.js';
import { CpuBinding } from './cpuBinding.js';
import type { KernelBpf } from './kernelBpf.js';
import { KernelMaps } from './kernelCaseMaps.js';
import { KernelDumper } from './kernelDump.js';
import { KernelObject } from './kernelObject.js';
import { testRun } from './testRun.js';

/** Runs cases on the running kernel by BPF_PROG_TEST_RUN. */
export class KernelBackend implements CaseBackend {
  readonly name = 'kernel';
  readonly #kernel: KernelBpf;

  constructor(kernel: KernelBpf) {
    this.#kernel = kernel;
  }

  /** Problem: `kernel-cpu-not-allowed`. */
  open(object: ObjectSpec): Result<CaseRunner> {
    const cpu = new CpuBinding(this.#kernel.syscalls, CASE_CPU);
    const allowed = cpu.run(() => {});
    return allowed.ok ? ok(new KernelRunner(this.#kernel, object, cpu)) : allowed;
  }
}

class KernelRunner implements CaseRunner {
  readonly #kernel: KernelBpf;
  readonly #object: ObjectSpec;
  readonly #cpu: CpuBinding;
  readonly #dumper: KernelDumper;

  constructor(kernel: KernelBpf, object: ObjectSpec, cpu: CpuBinding) {
    this.#kernel = kernel;
    this.#object = object;
    this.#cpu = cpu;
    this.#dumper = new KernelDumper(kernel);
  }

  run(testCase: TestCase, programName: string): Result<CaseObservation> {
    if (testCase.network !== undefined) {
      const message = 'the case comes with a network, which the running kernel can\'t be given';
      return fail({ code: 'kernel-no-network', message, hint: 'run it by sim check' });
    }
    const variables = globalBytes(this.#object, testCase.globals ?? {});
    if (!variables.ok) return variables;
    const loaded = new KernelObject(this.#kernel, this.#object, { variables: Object.fromEntries(variables.value) });
    try {
      return this.#runLoaded(loaded, testCase, programName);
    } finally {
      loaded.close();
    }
  }

  /** Nothing outlives a case. */
  close(): void {}

  #runLoaded(loaded: KernelObject, testCase: TestCase, programName: string): Result<CaseObservation> {
    const program = loaded.loadProgram(programName);
    if (!program.ok) return program;
    const problem = fillMaps(this.#object, testCase.maps ?? {}, new KernelMaps(loaded));
    if (problem !== undefined) return fail(problem);
    // Sections that the program doesn't refer to have values all the same.
    for (const section of changeableSections(this.#object)) {
      const map = loaded.map(section.name);
      if (!map.ok) return map;
    }
    const result = this.#cpu.run(() => testRun(program.value, testRunInput(testCase)));
    if (!result.ok) return result;
    return ok(observationOf(result.value, () => ({ maps: this.#mapsOf(loaded), globals: dumpGlobals(this.#object, (section) => sectionBytes(loaded, section)) })));
  }

  /** A map that nothing needed was never made, and is as empty as a new one. */
  #mapsOf(loaded: KernelObject): Record<string, CaseEntry[]> {
    const judged = loaded.spec.maps.filter((spec) => isPlainMap(spec) || isJudgedEntryMap(spec));
    return Object.fromEntries(
      judged.map((spec) => {
        const map = loaded.maps.get(spec.name);
        if (map === undefined) return [spec.name, []];
        if (isPlainMap(spec)) return [spec.name, observedEntries(spec, this.#dumper.dump(map), CASE_CPU)];
        return [spec.name, dumpProgramEntries(map, (id) => loaded.programName(id))];
      }),
    );
  }
}

function sectionBytes(loaded: KernelObject, section: MapSpec): Uint8Array {
  return loaded.maps.get(section.name)!.lookupBytes(new Uint8Array(section.keySize))!;
}
