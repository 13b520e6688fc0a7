import { errnoName, fail } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { CASE_CPU, dumpEntries, dumpGlobals, isPlainMap, observedEntries } from '../../cases/index.js';
import type { CaseObservation } from '../../cases/index.js';
import { isMapOfMaps, isPlainArray, isProgramEntryMap, ProgArray } from '../../vm/index.js';
import type { BpfMap, LoadedObject, MapOfMaps, ProgramEntryMap } from '../../vm/index.js';
import type { KernelBpf } from '../kernelBpf.js';
import { KernelDumper } from '../kernelDump.js';
import { loadIntoKernel } from '../kernelObject.js';
import type { KernelObject, KernelProgram } from '../kernelObject.js';

/**
 * Loads a program of a simulated object into the kernel, with the variables, map entries and tail calls that the simulated one has
 * at this moment. Whatever was set there need not be set again here.
 *
 * @param ifindex device for a program that can only be loaded for one
 *
 * Problems: those of `loadIntoKernel`, and `kernel-map-fill`.
 */
export function loadTwin(kernel: KernelBpf, simulated: LoadedObject, programName: string, ifindex: number): Result<KernelProgram> {
  const loading = loadIntoKernel(kernel, simulated.spec, programName, { variables: changedVariables(simulated), ifindex });
  if (!loading.ok) return loading;
  const problem = copyMaps(simulated, loading.value.object);
  if (problem === undefined) return loading;
  loading.value.close();
  return fail(problem);
}

/** Maps and changeable variables, in the words of a case file. Both sides ran on the CPU of cases. */
export function twinState(simulated: LoadedObject, kernel: KernelObject): { readonly simulator: CaseObservation; readonly kernel: CaseObservation } {
  const { spec } = simulated;
  const dumper = new KernelDumper(kernel.kernel);
  const shared = [...kernel.maps].filter(([name, map]) => isPlainMap(map.spec) && simulated.maps.has(name));
  // A section that the program doesn't refer to was not loaded, and nothing can have changed it.
  const valueOf = (name: string): Uint8Array => sectionBytes(simulated, name);
  const kernelValueOf = (name: string): Uint8Array => {
    const map = kernel.maps.get(name);
    return map === undefined ? valueOf(name) : map.lookupBytes(new Uint8Array(map.spec.keySize))!;
  };
  return {
    simulator: {
      maps: Object.fromEntries(shared.map(([name]) => [name, dumpEntries(simulated.maps.get(name)!, CASE_CPU)])),
      globals: dumpGlobals(spec, (section) => valueOf(section.name)),
    },
    kernel: {
      maps: Object.fromEntries(shared.map(([name, map]) => [name, observedEntries(map.spec, dumper.dump(map), CASE_CPU)])),
      globals: dumpGlobals(spec, (section) => kernelValueOf(section.name)),
    },
  };
}

function sectionBytes(simulated: LoadedObject, name: string): Uint8Array {
  const map = simulated.maps.get(name)!;
  return map.lookupBytes(new Uint8Array(map.spec.keySize))!;
}

/** Bytes of the variables that no longer have the value of the object file. */
function changedVariables(simulated: LoadedObject): Record<string, Uint8Array> {
  const changed: Record<string, Uint8Array> = {};
  for (const { name, map, offBytes, sizeBytes } of simulated.spec.variables) {
    const live = simulated.maps.get(map);
    if (live?.spec.initialValue === undefined) continue;
    const bytes = sectionBytes(simulated, map).slice(offBytes, offBytes + sizeBytes);
    const first = live.spec.initialValue.subarray(offBytes, offBytes + sizeBytes);
    if (Buffer.compare(bytes, first) !== 0) changed[name] = bytes;
  }
  return changed;
}

function copyMaps(simulated: LoadedObject, kernel: KernelObject): Problem | undefined {
  // Maps of maps bring their inner maps with them, which are to be copied then.
  const inOrder = [...simulated.maps].sort(([, a], [, b]) => Number(isMapOfMaps(b)) - Number(isMapOfMaps(a)));
  for (const [name, map] of inOrder) {
    const problem = copyMap(simulated, name, map, kernel);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function copyMap(simulated: LoadedObject, name: string, map: BpfMap, kernel: KernelObject): Problem | undefined {
  if (map instanceof ProgArray) return copyPrograms(simulated, map, kernel);
  if (isMapOfMaps(map)) return copyInnerMaps(map, kernel);
  if (isProgramEntryMap(map) && map.entryAttachType === 'devmap') return refuseDevices(map, kernel);
  if (isProgramEntryMap(map)) return copyCpus(simulated, map, kernel);
  return isPlainMap(map.spec) ? copyEntries(name, map, kernel) : undefined;
}

/** What a map of maps holds, as names; the maps themselves are copied like all others. */
function copyInnerMaps(map: MapOfMaps, kernel: KernelObject): Problem | undefined {
  if (!kernel.maps.has(map.spec.name)) return undefined;
  for (const { key } of map.entries()) {
    const put = kernel.putMap(map.spec.name, key, map.innerMap(key)!.spec.name);
    if (!put.ok) return put.problem;
  }
  return undefined;
}

/** The simulated interfaces are not those of this machine, so a DEVMAP with anything in it can't be filled alike. */
function refuseDevices(map: ProgramEntryMap, kernel: KernelObject): Problem | undefined {
  const { name } = map.spec;
  if (!kernel.maps.has(name) || map.entries().next().done === true) return undefined;
  return {
    code: 'kernel-map-fill',
    where: kernel.spec.name,
    message: `map ${name} names simulated interfaces, which this machine doesn't have`,
    hint: 'leave it empty, or compare by test runs: sim replay',
  };
}

function copyCpus(simulated: LoadedObject, map: ProgramEntryMap, kernel: KernelObject): Problem | undefined {
  const { name } = map.spec;
  if (!kernel.maps.has(name)) return undefined;
  for (const { key, value } of map.entries()) {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const id = value.length === 8 ? view.getUint32(4, true) : 0;
    const written = kernel.writeEntry(name, key, view.getUint32(0, true), simulated.programs.find((program) => program.id === id)?.spec.name);
    if (!written.ok) return written.problem;
    if (written.value !== 0) return { code: 'kernel-map-fill', where: kernel.spec.name, message: `the kernel refused an entry of map ${name}: ${errnoName(written.value)}` };
  }
  return undefined;
}

/** Maps that the program doesn't use are not made in the kernel. */
function copyEntries(name: string, map: BpfMap, kernel: KernelObject): Problem | undefined {
  const target = kernel.maps.get(name);
  if (target === undefined) return undefined;
  // In the kernel, too, an array begins with zeros.
  for (const { key, value } of isPlainArray(map) ? map.nonZeroEntries() : map.entries()) {
    const error = target.updateBytes(key, map.isPerCpu ? forEveryCpu(value, target.userValueBytes) : value, 0);
    if (error !== 0) return { code: 'kernel-map-fill', where: kernel.spec.name, message: `the kernel refused an entry of map ${name}: ${errnoName(error)}` };
  }
  return undefined;
}

/** The simulated host has one CPU. */
function forEveryCpu(value: Uint8Array, lengthBytes: number): Uint8Array {
  const all = new Uint8Array(lengthBytes);
  for (let at = 0; at < lengthBytes; at += value.length) all.set(value, at);
  return all;
}

function copyPrograms(simulated: LoadedObject, map: ProgArray, kernel: KernelObject): Problem | undefined {
  if (!kernel.maps.has(map.spec.name)) return undefined;
  const initial = new Map(map.spec.initialPrograms.map(({ index, program }) => [index, program]));
  for (const { key, value } of map.entries()) {
    const [index, id] = [u32(key), u32(value)];
    const name = simulated.programs.find((program) => program.id === id)?.spec.name;
    if (name === undefined) throw new Error(`loadTwin: map ${map.spec.name} holds a program ${id} that isn't there`);
    if (initial.get(index) === name) continue;
    const put = kernel.putProgram(map.spec.name, index, name);
    if (!put.ok) return put.problem;
  }
  return undefined;
}

function u32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}
