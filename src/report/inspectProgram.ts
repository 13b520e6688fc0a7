import type { Problem } from '../base/index.js';
import { HELPERS, findKfunc, frameBytes, helperName, immAt, insnsBetween, isGplCompatible, slotCount, stackBytes, targetOf } from '../vm/index.js';
import type { FunctionSpec, MapReference, ObjectSpec, ProgramSpec, VariableSpec } from '../vm/index.js';

/** Attach types of the UAPI (enum bpf_attach_type, include/uapi/linux/bpf.h). */
const ATTACH_TYPES = { xdp: 'BPF_XDP', devmap: 'BPF_XDP_DEVMAP', cpumap: 'BPF_XDP_CPUMAP' } as const;

/** One program of the inspection. */
export interface ProgramInspection {
  readonly name: string;
  readonly section: string;
  /** `xdp` or `other`. */
  readonly type: ProgramSpec['type'];
  /** Name of the UAPI; null for programs that are not XDP. */
  readonly attach_type: string | null;
  /** `SEC("xdp.frags")`. */
  readonly frags: boolean;
  /** Its own and those of all functions that it reaches; a lddw counts as two, as in the kernel. */
  readonly instructions: number;
  /** Lowest `-mcpu` that has all its instructions, 1 to 4. */
  readonly isa_version: number;
  /** Deepest path of calls, bytes, as far as the instructions show it. */
  readonly stack_bytes: number;
  /** The main function first. */
  readonly functions: readonly FunctionInspection[];
  readonly helpers: readonly HelperInspection[];
  /** Calls of kernel functions (kfuncs). */
  readonly kfunc_calls: number;
  /** Kernel functions that it calls or asks for, by name. */
  readonly kfuncs: readonly KfuncInspection[];
  /** Instructions that must not be reached, because what they are about doesn't exist in the kernel that the object is loaded for. */
  readonly poisoned: readonly { readonly insn: number; readonly message: string }[];
  /** Maps whose address it takes. */
  readonly maps: readonly string[];
  /** Global variables whose address it takes. */
  readonly globals: readonly string[];
  /** True when `sim run` and `sim check` can run it. */
  readonly runs: boolean;
  /** Why it can't. */
  readonly problem: Problem | null;
}

export interface FunctionInspection {
  readonly name: string;
  /** Number of its first instruction. */
  readonly insn: number;
  readonly instructions: number;
  /** Its own frame, in slots of 8 bytes. */
  readonly stack_bytes: number;
  /** Names of the functions that it calls. */
  readonly calls: readonly string[];
}

export interface HelperInspection {
  readonly id: number;
  readonly name: string;
  /** Calls in the text of the program. */
  readonly calls: number;
  /** True when it can be called here by an XDP program of this licence. */
  readonly supported: boolean;
  readonly gpl_only: boolean;
}

export interface KfuncInspection {
  readonly name: string;
  /** Calls in the text of the program; 0 when it only asks whether the function exists. */
  readonly calls: number;
  /** True when it can be called here by an XDP program of this licence. */
  readonly supported: boolean;
  /** Declared `__weak`: the program runs without it, as long as it doesn't call it. */
  readonly weak: boolean;
}

/** What the instructions of a program tell. `problem`: why it can't run. */
export function inspectProgram(object: ObjectSpec, variables: VariableFinder, program: ProgramSpec, problem: Problem | undefined): ProgramInspection {
  const { name, section, type, frags, insns, references } = program;
  const functions = program.functions.map((fn, at) => walkFunction(program, fn, program.functions[at + 1]?.insnIndex ?? slotCount(insns)));
  const indexOf = new Map(program.functions.map(({ insnIndex }, at) => [insnIndex, at]));
  const callees = functions.map(({ calls }) => [...calls].flatMap((insnIndex) => indexOf.get(insnIndex) ?? []));
  return {
    name,
    section,
    type,
    attach_type: type === 'xdp' ? ATTACH_TYPES[program.attachType] : null,
    frags,
    instructions: slotCount(insns),
    isa_version: functions.reduce((most, { isaVersion }) => Math.max(most, isaVersion), 1),
    stack_bytes: stackBytes(functions.map((fn) => fn.stackBytes), callees),
    functions: functions.map((fn, at) => ({
      name: fn.spec.name,
      insn: fn.spec.insnIndex,
      instructions: fn.instructions,
      stack_bytes: fn.stackBytes,
      calls: callees[at]!.map((callee) => program.functions[callee]!.name),
    })),
    helpers: helpersOf(object, functions),
    kfunc_calls: functions.reduce((sum, { kfuncCalls, calls }) => sum + kfuncCalls + [...calls].filter((target) => !indexOf.has(target)).length, 0),
    kfuncs: kfuncsOf(object, program),
    poisoned: (program.poisons ?? []).map(({ insnIndex: insn, message }) => ({ insn, message })),
    maps: unique(references.map(({ map }) => map)),
    globals: unique(references.flatMap((reference) => variables.at(reference)?.name ?? [])),
    runs: problem === undefined,
    problem: problem ?? null,
  };
}

/** The global variables of an object by their place, for programs that point into them. */
export class VariableFinder {
  /** By map, in the order of their offsets. */
  readonly #variables = new Map<string, VariableSpec[]>();

  constructor({ variables }: ObjectSpec) {
    for (const variable of variables) {
      const others = this.#variables.get(variable.map);
      if (others === undefined) this.#variables.set(variable.map, [variable]);
      else others.push(variable);
    }
    for (const list of this.#variables.values()) list.sort((a, b) => a.offBytes - b.offBytes);
  }

  /** The variable that a reference points into; `undefined` for maps, and for data without a name. */
  at({ map, kind, offBytes }: MapReference): VariableSpec | undefined {
    const list = kind === 'value' ? (this.#variables.get(map) ?? []) : [];
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (list[middle]!.offBytes <= offBytes) low = middle + 1;
      else high = middle;
    }
    const found = list[low - 1];
    return found !== undefined && offBytes < found.offBytes + found.sizeBytes ? found : undefined;
  }
}

interface WalkedFunction {
  readonly spec: FunctionSpec;
  readonly instructions: number;
  readonly stackBytes: number;
  readonly isaVersion: number;
  /** Calls by helper id. */
  readonly helpers: ReadonlyMap<number, number>;
  /** First instructions of what it calls. A kernel function that no relocation has resolved leads to no function's start. */
  readonly calls: ReadonlySet<number>;
  readonly kfuncCalls: number;
}

function walkFunction({ insns, poisons = [] }: ProgramSpec, spec: FunctionSpec, end: number): WalkedFunction {
  const helpers = new Map<number, number>();
  const calls = new Set<number>();
  let isaVersion = 1;
  let kfuncCalls = 0;
  const poisoned = new Set(poisons.map(({ insnIndex }) => insnIndex));
  for (const insn of insnsBetween(insns, spec.insnIndex, end)) {
    const { index, row } = insn;
    isaVersion = Math.max(isaVersion, row?.cpu ?? 1);
    if (row?.kind !== 'call' || poisoned.has(index)) continue;
    const id = immAt(insns, index);
    if (row.operation === 'helper') helpers.set(id, (helpers.get(id) ?? 0) + 1);
    else if (row.operation === 'kfunc') kfuncCalls++;
    else if (row.operation === 'subprogram') calls.add(targetOf(insns, insn)!);
  }
  return { spec, instructions: end - spec.insnIndex, stackBytes: frameBytes(insns, spec.insnIndex, end), isaVersion, helpers, calls, kfuncCalls };
}

/** Kernel functions in the order in which they come up. */
function kfuncsOf({ license }: ObjectSpec, { kfuncs = [], kfuncAddresses = [] }: ProgramSpec): KfuncInspection[] {
  const names = unique([...kfuncs, ...kfuncAddresses].map(({ name }) => name));
  return names.map((name) => ({
    name,
    calls: kfuncs.filter((call) => call.name === name).length,
    supported: isGplCompatible(license) && findKfunc(name)?.support !== undefined,
    weak: [...kfuncs, ...kfuncAddresses].every((reference) => reference.name !== name || reference.isWeak),
  }));
}

/** Helpers of all functions, by id. */
function helpersOf(object: ObjectSpec, functions: readonly WalkedFunction[]): HelperInspection[] {
  const calls = new Map<number, number>();
  for (const fn of functions) {
    for (const [id, count] of fn.helpers) calls.set(id, (calls.get(id) ?? 0) + count);
  }
  return [...calls].sort(([a], [b]) => a - b).map(([id, count]) => {
    const helper = HELPERS[id];
    const isAllowed = helper !== undefined && helper.xdp && (!helper.gplOnly || isGplCompatible(object.license));
    return { id, name: helperName(id), calls: count, supported: isAllowed && helper.support !== undefined, gpl_only: helper?.gplOnly ?? false };
  });
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
