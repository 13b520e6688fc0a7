import type { KernelRelease, Problem, Result } from '../base/index.js';
import { ok, Rng } from '../base/index.js';
import { HostMemory } from '../memory/index.js';
import { BOOT_NS } from '../sim/index.js';
import { formatValue, isGplCompatible, isMapTypeSupported, loadObjectFile, loadTargetKernel, mapTypeName, objectMemoryBytes, Vm } from '../vm/index.js';
import type { Btf, JsonValue, MapSpec, ObjectSpec, ProgramSpec, TargetKernelFiles, VariableSpec } from '../vm/index.js';
import { inspectProgram, VariableFinder } from './inspectProgram.js';
import type { HelperInspection, ProgramInspection } from './inspectProgram.js';
import { inspectTypes } from './inspectTypes.js';
import type { TypeInspection } from './inspectTypes.js';
import { RUN_DEFAULTS } from './runCapture.js';

/** A variable of more bytes is named, but its value is left out. */
const KEPT_VALUE_BYTES = 1 << 16;
/** Characters that the values of all variables may have together. */
const KEPT_VALUE_CHARS = 1 << 23;

/** Flags of maps (include/uapi/linux/bpf.h, 6.18), by their bit. */
const MAP_FLAGS = [
  'BPF_F_NO_PREALLOC', 'BPF_F_NO_COMMON_LRU', 'BPF_F_NUMA_NODE', 'BPF_F_RDONLY', 'BPF_F_WRONLY', 'BPF_F_STACK_BUILD_ID', 'BPF_F_ZERO_SEED',
  'BPF_F_RDONLY_PROG', 'BPF_F_WRONLY_PROG', 'BPF_F_CLONE', 'BPF_F_MMAPABLE', 'BPF_F_PRESERVE_ELEMS', 'BPF_F_INNER_MAP', 'BPF_F_LINK',
  'BPF_F_PATH_FD', 'BPF_F_VTYPE_BTF_OBJ_FD', 'BPF_F_TOKEN_FD', 'BPF_F_SEGV_ON_FAULT', 'BPF_F_NO_USER_CONV',
] as const;

/** Problems of `Vm.load` that concern the maps, and so every program. */
const MAP_PROBLEMS = ['map-invalid', 'too-many-maps', 'host-memory-exhausted'];

/** Sections of BTF for what the kernel is to provide. */
const EXTERN_SECTIONS = ['.ksyms', '.kconfig'];

/** What `sim inspect` tells. Field names are those of the JSON, which docs/inspect.md describes. */
export interface InspectReport {
  readonly schema: 1;
  /** As it was given. */
  readonly object: string;
  readonly license: string;
  readonly gpl_compatible: boolean;
  readonly btf: boolean;
  readonly programs: readonly ProgramInspection[];
  readonly maps: readonly MapInspection[];
  readonly globals: readonly GlobalInspection[];
  readonly types: readonly TypeInspection[];
  readonly needs: Needs;
  /** What should be known about the object, but keeps nothing from running. */
  readonly warnings: readonly Problem[];
}

export type InnerMapInspection = Pick<MapInspection, 'name' | 'type' | 'key_size' | 'value_size' | 'max_entries' | 'flags'>;

export interface MapInspection {
  readonly name: string;
  readonly type: string;
  readonly key_size: number;
  readonly value_size: number;
  readonly max_entries: number;
  /** Names of the UAPI; bits without a name as a number. */
  readonly flags: readonly string[];
  /** C type of key and value, empty when the object doesn't tell. */
  readonly key_type: string;
  readonly value_type: string;
  /** Section that the map holds, e.g. `.rodata`; null for ordinary maps. */
  readonly data_section: string | null;
  readonly supported: boolean;
  /** Programs that take its address. */
  readonly used_by: readonly string[];
  /** Programs that a PROG_ARRAY holds from the start. */
  readonly programs: readonly { readonly index: number; readonly program: string }[];
  /** Maps that a map of maps holds from the start, and what its inner maps are like; `null` when it is none, or nothing says so. */
  readonly maps: readonly { readonly index: number; readonly map: string }[];
  readonly inner_map: InnerMapInspection | null;
}

export interface GlobalInspection {
  readonly name: string;
  readonly section: string;
  readonly offset: number;
  readonly size: number;
  /** C type, empty when the object doesn't tell. */
  readonly type: string;
  /** Value from the start. */
  readonly value: JsonValue;
  /** True when the value is too large to be listed, and `value` null. */
  readonly value_omitted: boolean;
}

/** What the programs ask of whoever runs them. */
export interface Needs {
  readonly helpers: readonly (Pick<HelperInspection, 'id' | 'name' | 'supported' | 'gpl_only'> & { readonly used_by: readonly string[] })[];
  readonly map_types: readonly { readonly name: string; readonly supported: boolean; readonly maps: readonly string[] }[];
  /** Kernel functions, kernel symbols and configuration that the object declares. */
  readonly externs: readonly { readonly name: string; readonly kind: 'function' | 'variable'; readonly section: string }[];
  /** Helpers for which the licence must be compatible with the GPL. */
  readonly gpl_only_helpers: readonly string[];
}

/** Reads an object and tells what is in it. Problems: those of `loadTargetKernel` and `loadObjectFile`. */
export function inspectFile(path: string, kernel: TargetKernelFiles = {}): Result<InspectReport> {
  const target = loadTargetKernel(kernel);
  if (!target.ok) return target;
  const object = loadObjectFile(path, target.value);
  return object.ok ? ok(inspectObject(object.value, target.value.kernel)) : object;
}

/** Tells what is in an object. @param kernel where its programs are to run; left out: the newest */
export function inspectObject(object: ObjectSpec, kernel?: KernelRelease): InspectReport {
  const { name, license, btf } = object;
  const problems = programProblems(object, kernel);
  const variables = new VariableFinder(object);
  const programs = object.programs.map((program) => inspectProgram(object, variables, program, problems.get(program)));
  const users = usersOf(programs, (program) => program.maps);
  const typeIds = [...object.maps.flatMap(({ keyTypeId, valueTypeId }) => [keyTypeId, valueTypeId]), ...object.variables.map(({ typeId }) => typeId)];
  return {
    schema: 1,
    object: name,
    license,
    gpl_compatible: isGplCompatible(license),
    btf: btf !== undefined,
    programs,
    maps: object.maps.map((map) => inspectMap(map, btf, users.get(map.name) ?? [])),
    globals: inspectGlobals(object),
    types: btf === undefined ? [] : inspectTypes(btf, typeIds.filter((id) => id !== 0)),
    needs: needsOf(object, programs),
    warnings: object.warnings ?? [],
  };
}

/** Why programs can't run, found by loading them as `sim run` does. */
function programProblems(object: ObjectSpec, kernel: KernelRelease | undefined): Map<ProgramSpec, Problem> {
  const { queues: possibleCpus, seed } = RUN_DEFAULTS;
  const memory = HostMemory.withRoomFor(objectMemoryBytes(object, possibleCpus));
  const vm = new Vm({ memory, environment: { tNs: BOOT_NS, cpu: 0, possibleCpus, kernel, rng: new Rng(seed), onPrintk: () => {} } });
  const together = vm.load(object);
  let loaded = together.ok ? together.value : undefined;
  const problems = new Map<ProgramSpec, Problem>();
  for (const program of object.programs) {
    const problem = problemOf(program);
    if (problem !== undefined) problems.set(program, problem);
  }
  return problems;

  function problemOf({ type, name }: ProgramSpec): Problem | undefined {
    if (!together.ok && MAP_PROBLEMS.includes(together.problem.code)) return together.problem;
    if (together.ok && type === 'xdp') return together.value.problems.get(name);
    // No XDP program runs, or this one is for another hook: each has a reason of its own.
    if (loaded !== undefined) {
      const late = loaded.loadProgram(name);
      return late.ok ? undefined : late.problem;
    }
    const alone = vm.load(object, { programs: [name] });
    if (!alone.ok) return alone.problem;
    loaded = alone.value;
    return undefined;
  }
}

/** Names of the programs that use each thing. */
function usersOf<T>(programs: readonly ProgramInspection[], used: (program: ProgramInspection) => readonly T[]): Map<T, string[]> {
  const users = new Map<T, string[]>();
  for (const program of programs) {
    for (const thing of used(program)) {
      const others = users.get(thing);
      if (others === undefined) users.set(thing, [program.name]);
      else others.push(program.name);
    }
  }
  return users;
}

function inspectMap(map: MapSpec, btf: Btf | undefined, users: readonly string[]): MapInspection {
  return {
    name: map.name,
    type: mapTypeName(map.type),
    key_size: map.keySize,
    value_size: map.valueSize,
    max_entries: map.maxEntries,
    flags: flagNames(map.flags),
    key_type: typeName(btf, map.keyTypeId),
    value_type: map.dataSection === undefined ? typeName(btf, map.valueTypeId) : '',
    data_section: map.dataSection ?? null,
    supported: isMapTypeSupported(map.type) && isMapTypeSupported(map.innerMap?.type ?? map.type),
    used_by: users,
    programs: map.initialPrograms,
    maps: map.initialMaps ?? [],
    inner_map: map.innerMap === undefined ? null : inspectInnerMap(map.innerMap),
  };
}

function inspectInnerMap({ name, type, keySize, valueSize, maxEntries, flags }: MapSpec): InnerMapInspection {
  return { name, type: mapTypeName(type), key_size: keySize, value_size: valueSize, max_entries: maxEntries, flags: flagNames(flags) };
}

function flagNames(flags: number): string[] {
  const names: string[] = MAP_FLAGS.filter((_, bit) => ((flags >>> bit) & 1) === 1);
  const rest = flags >>> MAP_FLAGS.length << MAP_FLAGS.length >>> 0;
  return rest === 0 ? names : [...names, `0x${rest.toString(16)}`];
}

/** The C type; of a variable, its type. */
function typeName(btf: Btf | undefined, typeId: number): string {
  if (btf === undefined || typeId === 0) return '';
  const type = btf.type(typeId);
  return btf.typeName(type.kind === 'var' ? type.typeId : typeId);
}

function inspectGlobals({ variables, maps, btf }: ObjectSpec): GlobalInspection[] {
  const sections = new Map(maps.map(({ name, initialValue }) => [name, initialValue]));
  let left = KEPT_VALUE_CHARS;
  return variables.map((variable) => {
    const bytes = sections.get(variable.map);
    const value = left > 0 && bytes !== undefined && variable.sizeBytes <= KEPT_VALUE_BYTES ? valueOf(variable, bytes, btf) : undefined;
    if (value !== undefined) left -= JSON.stringify(value).length;
    const { name, map: section, offBytes: offset, sizeBytes: size } = variable;
    return { name, section, offset, size, type: typeName(btf, variable.typeId), value: value ?? null, value_omitted: value === undefined };
  });
}

/** A type that is larger than its variable, which nothing forbids, is no help. */
function valueOf({ offBytes, sizeBytes, typeId }: VariableSpec, section: Uint8Array, btf: Btf | undefined): JsonValue {
  const fits = (btf?.sizeOf(typeId) ?? 0) <= sizeBytes;
  return formatValue(btf, fits ? typeId : 0, section.subarray(offBytes, offBytes + sizeBytes));
}

function needsOf({ btf, maps }: ObjectSpec, programs: readonly ProgramInspection[]): Needs {
  const helpers = new Map<number, HelperInspection>();
  for (const helper of programs.flatMap((program) => program.helpers)) helpers.set(helper.id, helper);
  const users = usersOf(programs, (program) => program.helpers.map(({ id }) => id));
  const sorted = [...helpers.values()].sort((a, b) => a.id - b.id);
  return {
    helpers: sorted.map(({ id, name, supported, gpl_only }) => ({ id, name, supported, gpl_only, used_by: users.get(id) ?? [] })),
    map_types: [...new Set(maps.map(({ type }) => type))].sort((a, b) => a - b).map((type) => ({
      name: mapTypeName(type),
      supported: isMapTypeSupported(type),
      maps: maps.filter((map) => map.type === type).map(({ name }) => name),
    })),
    externs: btf === undefined ? [] : externsOf(btf),
    gpl_only_helpers: sorted.filter((helper) => helper.gpl_only).map(({ name }) => name),
  };
}

function externsOf(btf: Btf): Needs['externs'] {
  return EXTERN_SECTIONS.flatMap((section) => {
    const datasec = btf.type(btf.find('datasec', section) ?? 0);
    if (datasec.kind !== 'datasec') return [];
    return datasec.variables.map(({ typeId }) => {
      const { name, kind } = btf.type(typeId);
      return { name, kind: kind === 'func' ? ('function' as const) : ('variable' as const), section };
    });
  });
}
