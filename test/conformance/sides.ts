import { errnoName, Rng, unwrap } from '../../src/base/index.js';
import type { HostMemory } from '../../src/memory/index.js';
import { KernelObject, testRun } from '../../src/replay/index.js';
import type { KernelBpf } from '../../src/replay/index.js';
import { ArrayMap, BPF_MAP_TYPE_XSKMAP, isProgramEntryMap, ProgArray, Vm, XskMap } from '../../src/vm/index.js';
import type { LoadedObject, VmOptions } from '../../src/vm/index.js';
import { TestRunner } from '../../src/xdp/index.js';
import type { TestRunInput } from '../../src/xdp/index.js';
import type { Observed, ReadableMap } from './compare.js';
import type { Subject, Variant } from './variants.js';

/** One program that packets can be sent through, in the kernel or in the simulator; its maps keep their state from packet to packet. */
export interface Side {
  run(input: TestRunInput): Observed;
  /** Every map of the object. */
  readonly maps: readonly ReadableMap[];
  close(): void;
}

/** The program in the running kernel. */
export function openKernelSide(kernel: KernelBpf, { object, program: name, variant }: Subject): Side {
  const loaded = new KernelObject(kernel, object.spec, { variables: variant.variables ?? {} });
  // Maps first, also those that this program doesn't use: loading the program fills the PROG_ARRAYs among them.
  const maps = object.spec.maps.map((map) => unwrap(loaded.map(map.name)));
  const program = unwrap(loaded.loadProgram(name));
  for (const slot of variant.programs ?? []) unwrap(loaded.putProgram(slot.map, slot.index, slot.program));
  for (const { map: mapName, key, value } of variant.entries ?? []) {
    const map = unwrap(loaded.map(mapName));
    const cpus = map.userValueBytes / map.spec.valueSize;
    expectDone(map.updateBytes(key, forEachCpu(value, cpus), 0), `kernel map ${mapName}`);
  }
  for (const { map: mapName, key, target, program: entryProgram } of variant.targets ?? []) {
    expectDone(unwrap(loaded.writeEntry(mapName, u32(key), target, entryProgram)), `kernel map ${mapName}`);
  }
  if (variant.sockets === true) {
    for (const { spec } of maps.filter((map) => map.spec.type === BPF_MAP_TYPE_XSKMAP)) unwrap(loaded.putXskSocket(spec.name, 0));
  }
  return {
    run: (input) => ({ ...testRun(program, input), fault: undefined }),
    maps,
    close: () => loaded.close(),
  };
}

/**
 * The program in the simulator. It takes its room from `memory` and gives it back on `close`, so that one memory does for many.
 *
 * @param possibleCpus as on the side that it is compared with
 * @param engine what runs it
 */
export function openSimulatorSide(memory: HostMemory, { object, program: name, variant }: Subject, possibleCpus: number, engine: Pick<VmOptions, 'engine' | 'checksEverything' | 'interpretedRuns'> = {}): Side {
  const mark = memory.mark();
  const vm = new Vm({ memory, environment: { tNs: 0, cpu: 0, possibleCpus, rng: new Rng(1), onPrintk: () => {} }, ...engine });
  const loaded = unwrap(vm.load(object.spec));
  prepareLoaded(loaded, variant, possibleCpus);
  if (variant.sockets === true) {
    for (const map of loaded.maps.values()) {
      if (map instanceof XskMap) expectDone(map.updateBytes(new Uint8Array(4), Uint8Array.of(1, 0, 0, 0), 0), `map ${map.spec.name}`);
    }
  }
  const runner = new TestRunner(memory, vm);
  const program = loaded.program(name);
  if (program === undefined) throw new Error(`openSimulatorSide: ${name}: ${loaded.problems.get(name)?.message}`);
  return {
    run(input) {
      const result = runner.run(program, input);
      return { ...result, fault: result.fault?.message };
    },
    maps: [...loaded.maps.values()],
    close: () => memory.release(mark),
  };
}

/** Everything of a variant but its sockets, which belong to whoever has them. */
export function prepareLoaded(loaded: LoadedObject, variant: Variant, possibleCpus: number): void {
  for (const [name, bytes] of Object.entries(variant.variables ?? {})) setVariable(loaded, name, bytes);
  for (const { map: mapName, index, program } of variant.programs ?? []) {
    const map = loaded.maps.get(mapName);
    if (!(map instanceof ProgArray)) throw new Error(`prepareLoaded: map ${mapName} is no PROG_ARRAY`);
    expectDone(map.setProgram(index, unwrap(loaded.loadProgram(program))), `map ${mapName}`);
  }
  for (const { map: mapName, key, target, program } of variant.targets ?? []) {
    const map = loaded.maps.get(mapName);
    if (map === undefined || !isProgramEntryMap(map)) throw new Error(`prepareLoaded: map ${mapName} has no such entries`);
    const entryProgram = program === undefined ? undefined : unwrap(loaded.loadProgram(program));
    expectDone(map.updateEntry(u32(key), target, entryProgram, 0), `map ${mapName}`);
  }
  for (const { map: mapName, key, value } of variant.entries ?? []) {
    const map = loaded.maps.get(mapName);
    if (map === undefined) throw new Error(`prepareLoaded: there is no map ${mapName}`);
    expectDone(map.updateBytes(key, forEachCpu(value, map.isPerCpu ? possibleCpus : 1), 0), `map ${mapName}`);
  }
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function setVariable(loaded: LoadedObject, name: string, bytes: Uint8Array): void {
  const variable = loaded.spec.variables.find((candidate) => candidate.name === name);
  const section = variable === undefined ? undefined : loaded.maps.get(variable.map);
  if (variable === undefined || !(section instanceof ArrayMap)) throw new Error(`setVariable: there is no variable ${name}`);
  const key = new Uint8Array(section.spec.keySize);
  const value = section.lookupBytes(key)!;
  value.set(bytes, variable.offBytes);
  expectDone(section.updateBytes(key, value, 0), `variable ${name}`);
}

/** Values of the fixtures' per-CPU maps are multiples of 8 bytes, so none needs filling up. */
function forEachCpu(value: Uint8Array, cpus: number): Uint8Array {
  const values = new Uint8Array(value.length * cpus);
  for (let cpu = 0; cpu < cpus; cpu++) values.set(value, cpu * value.length);
  return values;
}

function expectDone(result: number, what: string): void {
  if (result !== 0) throw new Error(`${what}: ${errnoName(result)}`);
}
