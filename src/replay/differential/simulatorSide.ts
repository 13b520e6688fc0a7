import { ok, Rng } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { CASE_CPU, dumpFilled, dumpOneByOne, fillMaps, globalBytes, isArray, isLargeArray, isPlainMap, SimulatedMaps } from '../../cases/index.js';
import type { MapDump } from '../../cases/index.js';
import { HostMemory } from '../../memory/index.js';
import { Vm } from '../../vm/index.js';
import type { ArrayMap, BpfMap, LoadedObject, ObjectSpec } from '../../vm/index.js';
import { TestRunner } from '../../xdp/index.js';
import type { Side, SideMap } from './side.js';
import type { StartState } from './startState.js';

/** Memory for one object at a time; what isn't used costs nothing. */
const MEMORY_MIB = 1024;

/** The simulator, as one side of a comparison. One program at a time. */
export class SimulatedMachine {
  readonly #memory = new HostMemory(MEMORY_MIB);
  readonly #mark: number;
  readonly #possibleCpus: number;

  /** @param possibleCpus as on the machine that it is compared with */
  constructor(possibleCpus: number) {
    this.#possibleCpus = possibleCpus;
    this.#mark = this.#memory.mark();
  }

  /** Loads a program. Problems: those of `Vm.load`, `globalBytes` and `fillMaps`. */
  open(object: ObjectSpec, programName: string, state: StartState): Result<Side> {
    const side = this.#prepare(object, programName, state);
    if (!side.ok) this.#memory.release(this.#mark);
    return side;
  }

  #prepare(object: ObjectSpec, programName: string, state: StartState): Result<Side> {
    const variables = globalBytes(object, state.globals);
    if (!variables.ok) return variables;
    const memory = this.#memory;
    const environment = { tNs: 0, cpu: CASE_CPU, possibleCpus: this.#possibleCpus, rng: new Rng(1), onPrintk: () => {} };
    const vm = new Vm({ memory, environment });
    const loading = loadAll(vm, object, programName);
    if (!loading.ok) return loading;
    const loaded = loading.value;
    for (const [name, bytes] of variables.value) setVariable(loaded, memory, name, bytes);
    const problem = fillMaps(object, state.maps, new SimulatedMaps(loaded, this.#possibleCpus));
    if (problem !== undefined) return { ok: false, problem };
    const program = loaded.program(programName)!;
    const runner = new TestRunner(memory, vm);
    const keyAddress = memory.reserve('key for dumps', 4);
    return ok({
      run: (input) => {
        const { fault, ...output } = runner.run(program, input);
        return { ...output, fault: fault?.message };
      },
      maps: [...loaded.maps.values()].map((map) => this.#sideMap(map, keyAddress)),
      close: () => memory.release(this.#mark),
    });
  }

  #sideMap(map: BpfMap, keyAddress: number): SideMap {
    return {
      spec: map.spec,
      updateBytes: (key: Uint8Array, value: Uint8Array, flags: number) => map.updateBytes(key, value, flags),
      entries: () => map.entries(),
      dump: () => {
        if (isLargeArray(map.spec)) return dumpFilled(map);
        return isArray(map.spec) && isPlainMap(map.spec) ? this.#dumpArray(map, keyAddress) : dumpOneByOne(map);
      },
    };
  }

  /** Copies the elements from where they lie: there may be tens of thousands of them. */
  #dumpArray(map: BpfMap, keyAddress: number): MapDump {
    const { u8, view } = this.#memory;
    const { maxEntries, valueSize } = map.spec;
    const cpus = map.isPerCpu ? this.#possibleCpus : 1;
    const strideBytes = map.isPerCpu ? Math.ceil(valueSize / 8) * 8 : valueSize;
    const values = new Uint8Array(maxEntries * cpus * strideBytes);
    let at = 0;
    for (let index = 0; index < maxEntries; index++) {
      view.setUint32(keyAddress, index, true);
      for (let cpu = 0; cpu < cpus; cpu++, at += strideBytes) {
        const address = map.lookup(keyAddress, cpu);
        for (let i = 0; i < valueSize; i++) values[at + i] = u8[address + i];
      }
    }
    return { count: maxEntries, keys: indices(maxEntries), values };
  }
}

/** All programs, as libbpf does: they stand in the PROG_ARRAYs that the object fills. Problem: that of the program which is wanted. */
function loadAll(vm: Vm, object: ObjectSpec, programName: string): Result<LoadedObject> {
  const all = vm.load(object);
  return all.ok && all.value.program(programName) !== undefined ? all : vm.load(object, { programs: [programName] });
}

/** Keys of an array. */
function indices(count: number): Uint8Array {
  return new Uint8Array(Uint32Array.from({ length: count }, (_, i) => i).buffer);
}

/** Before the first run a read-only variable is as open as the others. */
function setVariable(loaded: LoadedObject, memory: HostMemory, name: string, bytes: Uint8Array): void {
  const variable = loaded.spec.variables.find((candidate) => candidate.name === name)!;
  const section = loaded.maps.get(variable.map) as ArrayMap;
  memory.u8.set(bytes, section.valuesAddress + variable.offBytes);
}
