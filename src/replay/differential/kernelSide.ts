import { ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { dumpOneByOne, fillMaps, globalBytes, isPlainMap } from '../../cases/index.js';
import type { ObjectSpec } from '../../vm/index.js';
import type { KernelBpf } from '../kernelBpf.js';
import { KernelMaps } from '../kernelCaseMaps.js';
import { KernelDumper } from '../kernelDump.js';
import type { KernelMap } from '../kernelMap.js';
import { KernelObject } from '../kernelObject.js';
import { testRun } from '../testRun.js';
import type { Side, SideMap } from './side.js';
import type { StartState } from './startState.js';

/** The running kernel, as one side of a comparison. */
export class KernelMachine {
  readonly kernel: KernelBpf;
  readonly #dumper: KernelDumper;

  constructor(kernel: KernelBpf) {
    this.kernel = kernel;
    this.#dumper = new KernelDumper(kernel);
  }

  /** Loads a program. Problems: those of `loadIntoKernel`, `globalBytes` and `fillMaps`. */
  open(object: ObjectSpec, programName: string, state: StartState): Result<Side> {
    const variables = globalBytes(object, state.globals);
    if (!variables.ok) return variables;
    const loaded = new KernelObject(this.kernel, object, { variables: Object.fromEntries(variables.value) });
    const side = this.#prepare(loaded, programName, state);
    if (!side.ok) loaded.close();
    return side;
  }

  #prepare(loaded: KernelObject, programName: string, state: StartState): Result<Side> {
    const program = loaded.loadProgram(programName);
    if (!program.ok) return program;
    const problem = fillMaps(loaded.spec, state.maps, new KernelMaps(loaded));
    if (problem !== undefined) return { ok: false, problem };
    return ok({
      run: (input) => ({ ...testRun(program.value, input), fault: undefined }),
      maps: [...loaded.maps.values()].map((map) => this.#sideMap(map)),
      close: () => loaded.close(),
    });
  }

  /** Why the kernel refuses one of the object's maps, needed or not; `undefined` when it takes them all. */
  refusedMap(object: ObjectSpec): Problem | undefined {
    const loaded = new KernelObject(this.kernel, object);
    try {
      for (const { name } of object.maps) {
        const map = loaded.map(name);
        if (!map.ok && map.problem.code === 'kernel-map-create') return map.problem;
      }
      return undefined;
    } finally {
      loaded.close();
    }
  }

  #sideMap(map: KernelMap): SideMap {
    const hasBatches = isPlainMap(map.spec) || map.spec.dataSection !== undefined;
    return {
      spec: map.spec,
      updateBytes: (key: Uint8Array, value: Uint8Array, flags: number) => map.updateBytes(key, value, flags),
      entries: () => map.entries(),
      dump: () => (hasBatches ? this.#dumper.dump(map) : dumpOneByOne(map)),
    };
  }
}
