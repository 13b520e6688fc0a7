import { isSince } from '../base/index.js';
import type { KernelRelease, Problem } from '../base/index.js';
import { checkStack } from './checkStack.js';
import { HELPERS, helperName } from './helpers/helperTable.js';
import { checkInstructions } from './isa/checkInstructions.js';
import { immAt, srcAt } from './isa/decode.js';
import { BPF_PSEUDO_HELPER, BPF_PSEUDO_KFUNC_CALL } from './isa/opcodes.js';
import { findKfunc } from './kfuncs/kfuncTable.js';
import { isGplCompatible } from './license.js';
import { originOf, partAt } from './programPart.js';
import { lineAt } from './loader/sourceLine.js';
import { ArrayMap } from './maps/arrayMap.js';
import type { BpfMap } from './maps/map.js';
import { ProgArray } from './maps/progArray.js';
import { insnIndices, isCall, isLddw } from './program.js';
import type { KfuncReference, MapReference, ObjectSpec, ProgramSpec } from './spec.js';

/** Maps of an object: the live ones, and why the others are not. */
export interface ObjectMaps {
  readonly live: ReadonlyMap<string, BpfMap>;
  readonly problems: ReadonlyMap<string, Problem>;
}

/**
 * Whether a program can run here: its type, its structure, its helpers, its maps. What it does with them is checked when it runs.
 *
 * @param kernel whose helpers, kernel functions and instructions there are
 * @returns the first problem, with program, instruction and source line; `undefined` when there is none
 */
export function checkProgram(object: ObjectSpec, program: ProgramSpec, maps: ObjectMaps, kernel: KernelRelease): Problem | undefined {
  const where = `${object.name}, program ${program.name}`;
  if (program.type !== 'xdp') {
    if (program.replaces !== undefined) {
      const message = `section ${program.section} holds an extension (BPF_PROG_TYPE_EXT): it takes the place of a function of a program that is loaded already, and can't run alone`;
      return { code: 'program-not-xdp', message, where, hint: 'give its target too (sim run target.o extension.o), or put it into SEC("xdp") to run it by itself' };
    }
    const message = `section ${program.section} holds no XDP program`;
    return { code: 'program-not-xdp', message, where, hint: 'put the program into SEC("xdp")' };
  }
  if (program.problem !== undefined) return program.problem;
  const problem = checkInstructions(program.insns, { where, kernel }) ?? checkCalls(object, program, kernel) ?? checkMaps(object, program, maps);
  if (problem !== undefined) return problem;
  const stack = checkStack(program);
  return stack === undefined ? undefined : { ...stack, where };
}

/** `prog.o, program main, insn 7 (prog.c:12)`. */
function placeOf(object: ObjectSpec, program: ProgramSpec, insnIndex: number): string {
  const line = lineAt(program, insnIndex);
  const source = line === undefined ? '' : ` (${line.file}:${line.line})`;
  const origin = originOf(object, program, insnIndex);
  return `${origin.where}, insn ${origin.insnIndex}${source}`;
}

function checkCalls(object: ObjectSpec, program: ProgramSpec, kernel: KernelRelease): Problem | undefined {
  const { insns } = program;
  for (const index of insnIndices(insns)) {
    if (!isCall(insns, index)) continue;
    const kind = srcAt(insns, index);
    const license = partAt(program, index)?.license ?? object.license;
    if (kind === BPF_PSEUDO_HELPER) {
      if (program.poisons?.some(({ insnIndex }) => insnIndex === index) === true) continue;
      const problem = checkHelper(license, immAt(insns, index), kernel);
      if (problem !== undefined) return { ...problem, where: placeOf(object, program, index) };
    } else if (kind === BPF_PSEUDO_KFUNC_CALL) {
      const problem = checkKfunc(license, program.kfuncs?.find(({ insnIndex }) => insnIndex === index), immAt(insns, index), kernel);
      if (problem !== undefined) return { ...problem, where: placeOf(object, program, index) };
    }
  }
  for (const reference of program.kfuncAddresses ?? []) {
    const problem = checkKfunc(partAt(program, reference.insnIndex)?.license ?? object.license, reference, 0, kernel);
    if (problem !== undefined) return { ...problem, where: placeOf(object, program, reference.insnIndex) };
  }
  return undefined;
}

function checkHelper(license: string, id: number, kernel: KernelRelease): Problem | undefined {
  const helper = HELPERS[id];
  if (helper === undefined) return { code: 'unknown-helper', message: `there is no helper ${id}`, hint: 'compile for Linux 6.18 or older' };
  if (!helper.xdp) {
    const hint = helper.instead === undefined ? 'leave the call out' : `use ${helper.instead}`;
    return { code: 'helper-not-for-xdp', message: `${helper.name} is not for XDP programs: the kernel refuses to load this`, hint };
  }
  if (!isSince(kernel, helper.since)) {
    const message = `Linux ${kernel} has no ${helper.name} for XDP programs yet: they may call it since ${helper.since}`;
    return { code: 'helper-too-new', message, hint: `leave the call out, or choose a kernel from ${helper.since} on` };
  }
  if (helper.gplOnly && !isGplCompatible(license)) {
    const found = license === '' ? 'the object has no licence' : `the licence is '${license}'`;
    const hint = 'add char _license[] SEC("license") = "GPL" or "Dual MIT/GPL"';
    return { code: 'helper-gpl-only', message: `${helper.name} is for GPL-compatible programs only, but ${found}`, hint };
  }
  if (helper.support === undefined) {
    return { code: 'unsupported-helper', message: `${helperName(id)} is not supported`, hint: 'leave the call out, or choose a program without it' };
  }
  return undefined;
}

/** A weak kfunc that isn't there only matters to a run that calls it. */
function checkKfunc(license: string, reference: KfuncReference | undefined, imm: number, kernel: KernelRelease): Problem | undefined {
  if (reference === undefined) {
    const message = `the kernel function with number ${imm} is called: only names say which one that is`;
    return { code: 'unsupported-kfunc', message, hint: 'declare the function extern __ksym and compile again' };
  }
  const { name, isWeak } = reference;
  const kfunc = findKfunc(name);
  if (kfunc === undefined) {
    if (isWeak) return undefined;
    const message = `there is no kernel function ${name} in Linux 6.18, or none for XDP programs`;
    return { code: 'unknown-kfunc', message, hint: 'leave the call out, or declare it extern __ksym __weak and ask bpf_ksym_exists first' };
  }
  if (!kfunc.xdp) {
    return { code: 'kfunc-not-for-xdp', message: `kernel function ${name} is not for XDP programs: the kernel refuses to load this`, hint: 'leave the call out' };
  }
  if (!isSince(kernel, kfunc.since)) {
    if (isWeak) return undefined;
    const message = `Linux ${kernel} has no kernel function ${name} yet: XDP programs may call it since ${kfunc.since}`;
    return { code: 'kfunc-too-new', message, hint: `declare it extern __ksym __weak and ask bpf_ksym_exists first, or choose a kernel from ${kfunc.since} on` };
  }
  if (kfunc.support === undefined) {
    if (isWeak) return undefined;
    const message = `kernel function ${name} exists in Linux 6.18, but is not supported here`;
    return { code: 'unsupported-kfunc', message, hint: 'leave the call out, or choose a program without it' };
  }
  if (!isGplCompatible(license)) {
    const message = `kernel functions are for GPL-compatible programs only, and ${name} is called`;
    return { code: 'kfunc-gpl-only', message, hint: 'add char _license[] SEC("license") = "GPL" or "Dual MIT/GPL"' };
  }
  return undefined;
}

function checkMaps(object: ObjectSpec, program: ProgramSpec, maps: ObjectMaps): Problem | undefined {
  for (const reference of program.references) {
    if (!isLddw(program.insns, reference.insnIndex)) {
      const message = `instruction ${reference.insnIndex} is to load the address of map ${reference.map}, but it is no lddw`;
      return { code: 'map-reference', message, where: `${object.name}, program ${program.name}`, hint: 'compile the object again' };
    }
    const problem = checkReference(program, reference, maps);
    if (problem !== undefined) return { ...problem, where: placeOf(object, program, reference.insnIndex) };
  }
  return undefined;
}

function checkReference(program: ProgramSpec, reference: MapReference, maps: ObjectMaps): Problem | undefined {
  const map = maps.live.get(reference.map);
  if (map === undefined) {
    return maps.problems.get(reference.map) ?? { code: 'unknown-map', message: `the object defines no map ${reference.map}`, hint: 'compile it again' };
  }
  if (reference.kind === 'value') {
    // array_map_direct_value_addr (kernel/bpf/arraymap.c, 6.18).
    if (!(map instanceof ArrayMap) || map.spec.maxEntries !== 1) {
      return { code: 'map-no-direct-value', message: `map ${reference.map} is no array of one element, its value has no fixed address` };
    }
    if (reference.offBytes >= map.spec.valueSize) {
      return { code: 'map-value-offset', message: `byte ${reference.offBytes} is not in the value of map ${reference.map}, which has ${map.spec.valueSize}` };
    }
  }
  return checkOwner(map, program);
}

function checkOwner(map: BpfMap, program: ProgramSpec): Problem | undefined {
  if (map.adopt === undefined || map.adopt(program)) return undefined;
  const kind = map instanceof ProgArray ? 'attach type or support for fragments' : 'support for fragments';
  const message = `map ${map.spec.name} belongs to programs of another kind (${kind}), so this one can't use it`;
  const hint = map instanceof ProgArray
    ? 'put all programs that share a PROG_ARRAY into the same kind of section, e.g. SEC("xdp")'
    : 'let the sections of programs that use the map and of programs in its entries all begin with xdp.frags, or none of them';
  return { code: 'program-array-mismatch', message, hint };
}
