import { ProblemError, catchProblem, didYouMean, errnoName, fail, ok } from '../base/index.js';
import type { KernelRelease, Problem, Result } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { formatValue } from './btf/btfFormat.js';
import type { JsonValue } from './btf/btfFormat.js';
import { parseText } from './btf/btfParse.js';
import type { ObjectMaps } from './checkProgram.js';
import { ArrayMap } from './maps/arrayMap.js';
import type { BpfMap } from './maps/map.js';
import { indexKey } from './maps/mapSupport.js';
import { ProgArray } from './maps/progArray.js';
import { UserMap } from './maps/userMap.js';
import type { LoadedProgram } from './program.js';
import { chooseAndCheckPrograms } from './programSet.js';
import type { MapSpec, ObjectSpec, ProgramSpec, VariableSpec } from './spec.js';

/** Puts a program that has been checked into a machine. */
export type ProgramPlacer = (spec: ProgramSpec, maps: ReadonlyMap<string, BpfMap>) => LoadedProgram;

/** An object in a virtual machine: its live maps, its programs, its global variables. */
export class LoadedObject {
  readonly spec: ObjectSpec;
  readonly #memory: HostMemory;
  readonly #maps: ObjectMaps;
  readonly #place: ProgramPlacer;
  readonly #createMap: (spec: MapSpec) => Result<BpfMap>;
  readonly #kernel: KernelRelease;
  readonly #programs: LoadedProgram[] = [];
  readonly #problems = new Map<string, Problem>();
  readonly #userMaps = new Map<string, UserMap>();

  /** Made by `Vm.load`, without programs at first. */
  constructor(spec: ObjectSpec, memory: HostMemory, maps: ObjectMaps, place: ProgramPlacer, createMap: (spec: MapSpec) => Result<BpfMap>, kernel: KernelRelease) {
    this.spec = spec;
    this.#memory = memory;
    this.#maps = maps;
    this.#place = place;
    this.#createMap = createMap;
    this.#kernel = kernel;
  }

  /** Makes a map that the object doesn't define, to go into one of its maps of maps (`MapOfMaps.setMap`). Problems: as `Vm.createMap`. */
  createMap(spec: MapSpec): Result<BpfMap> {
    return this.#createMap(spec);
  }

  /** Live maps by name; maps of unsupported types that no program here needs are left out. */
  get maps(): ReadonlyMap<string, BpfMap> {
    return this.#maps.live;
  }

  /** A map as user space has it: the commands of bpf(2) with their errnos. `undefined` when `maps` has none of this name. */
  userMap(name: string): UserMap | undefined {
    const map = this.maps.get(name);
    if (map === undefined) return undefined;
    const known = this.#userMaps.get(name) ?? new UserMap(map);
    this.#userMaps.set(name, known);
    return known;
  }

  /** Programs that can run. */
  get programs(): readonly LoadedProgram[] {
    return this.#programs;
  }

  /** Why the other XDP programs that were tried can't run, by name. */
  get problems(): ReadonlyMap<string, Problem> {
    return this.#problems;
  }

  /** A program that is loaded. */
  program(name: string): LoadedProgram | undefined {
    return this.#programs.find((program) => program.spec.name === name);
  }

  /** A program of the object, loaded now if it wasn't yet. Problems: as for a program that `Vm.load` was asked for. */
  loadProgram(name: string): Result<LoadedProgram> {
    return catchProblem(() => this.program(name) ?? (this.loadPrograms([name]), this.program(name)!));
  }

  /**
   * Checks and places programs, and puts them into the PROG_ARRAYs that the object fills.
   *
   * @param names the programs, and with them all that they tail-call; `undefined` for all XDP programs that can run
   * @throws ProblemError as `chooseAndCheckPrograms`, `program-array-mismatch`, `host-memory-exhausted`
   */
  loadPrograms(names: readonly string[] | undefined): void {
    const { usable, problems } = chooseAndCheckPrograms(this.spec, names, this.#maps, this.#kernel);
    for (const [name, problem] of problems) this.#problems.set(name, problem);
    const placed = usable.filter((spec) => this.program(spec.name) === undefined).map((spec) => this.#place(spec, this.maps));
    this.#programs.push(...placed);
    for (const map of this.maps.values()) {
      if (map instanceof ProgArray) this.#fill(map, placed);
    }
  }

  /** Programs that are not loaded leave their slot empty; a slot that somebody has filled since stays as it is. */
  #fill(map: ProgArray, placed: readonly LoadedProgram[]): void {
    for (const { index, program: name } of map.spec.initialPrograms) {
      const program = placed.find(({ spec }) => spec.name === name);
      if (program === undefined || map.lookupBytes(indexKey(index)) !== undefined) continue;
      const error = map.setProgram(index, program);
      if (error === 0) continue;
      throw new ProblemError({
        code: 'program-array-mismatch',
        message: `program ${name} can't be put into slot ${index} of map ${map.spec.name} (${errnoName(error)})`,
        where: this.spec.name,
        hint: 'put all programs that share a PROG_ARRAY into the same kind of section, e.g. SEC("xdp"), and check its max_entries',
      });
    }
  }

  /**
   * Sets a global variable, `.rodata` included, before or between runs.
   *
   * @param text a number, or what else its BTF type takes (btfParse.ts)
   *
   * Problems: `unknown-variable`, and those of `parseText`.
   */
  setVariable(name: string, text: string): Result<void> {
    const found = this.#find(name);
    if (!found.ok) return found;
    const { variable, address } = found.value;
    const target = { btf: this.spec.btf, typeId: variable.typeId, sizeBytes: variable.sizeBytes, label: `variable ${name}` };
    const parsed = parseText(target, text);
    if (!parsed.ok) return parsed;
    this.#memory.u8.set(parsed.value.subarray(0, variable.sizeBytes), address);
    return ok(undefined);
  }

  /** Value of a global variable as JSON, by its BTF type (btfFormat.ts). Problem: `unknown-variable`. */
  readVariable(name: string): Result<JsonValue> {
    const found = this.#find(name);
    if (!found.ok) return found;
    const { variable, address } = found.value;
    return ok(formatValue(this.spec.btf, variable.typeId, this.#memory.u8.slice(address, address + variable.sizeBytes)));
  }

  #find(name: string): Result<{ variable: VariableSpec; address: number }> {
    const variable = this.spec.variables.find((candidate) => candidate.name === name);
    const map = variable === undefined ? undefined : this.maps.get(variable.map);
    if (variable === undefined || !(map instanceof ArrayMap)) {
      const names = this.spec.variables.map((candidate) => candidate.name);
      return fail({
        code: 'unknown-variable',
        message: `there is no global variable ${name}`,
        where: this.spec.name,
        hint: names.length === 0 ? 'this object has none' : `${didYouMean(name, names)}use one of ${names.join(', ')}`,
      });
    }
    return ok({ variable, address: map.valuesAddress + variable.offBytes });
  }
}
