import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { disassemble, dstAt, helperName, insnsBetween, lineAt, loadObjectFile, loadTargetKernel, slotCount, targetOf } from '../vm/index.js';
import type { MapReference, ObjectSpec, PlacedInsn, ProgramSpec, TargetKernelFiles } from '../vm/index.js';
import { VariableFinder } from './inspectProgram.js';
import type { Heading } from './runText.js';
import { counted, printable } from './textTable.js';

/** Disassembles a file. Problems: those of `loadTargetKernel`, `loadObjectFile` and `disasmText`. */
export function disasmFile(path: string, name: string | undefined, heading: Heading, kernel: TargetKernelFiles = {}): Result<string> {
  const target = loadTargetKernel(kernel);
  if (!target.ok) return target;
  const object = loadObjectFile(path, target.value);
  return object.ok ? disasmText(object.value, name, heading) : object;
}

/**
 * The instructions of an object's programs, with functions, source lines, and the names of maps, variables and helpers.
 *
 * @param name the program; `undefined` for all of them
 *
 * Problems: `unknown-program`.
 */
export function disasmText(object: ObjectSpec, name: string | undefined, heading: Heading): Result<string> {
  const programs = object.programs.filter((program) => name === undefined || program.name === name);
  if (programs.length === 0) {
    const names = object.programs.map((program) => program.name).join(', ');
    const message = name === undefined ? 'the object has no program' : `there is no program ${name}`;
    return fail({ code: 'unknown-program', where: object.name, message, hint: names === '' ? 'put a function into SEC("xdp")' : `choose with --prog one of: ${names}` });
  }
  const variables = new VariableFinder(object);
  return ok(programs.map((program) => programText(program, variables, heading)).join('\n'));
}

function programText(program: ProgramSpec, variables: VariableFinder, heading: Heading): string {
  const { name, section, insns } = program;
  const count = slotCount(insns);
  const references = new Map(program.references.map((reference) => [reference.insnIndex, reference]));
  const functions = new Map(program.functions.map((fn) => [fn.insnIndex, fn.name]));
  const kfuncs = new Map([...(program.kfuncs ?? []), ...(program.kfuncAddresses ?? [])].map((kfunc) => [kfunc.insnIndex, kfunc.name]));
  const width = Math.max(4, String(count).length);
  const lines = [heading(printable(`Program ${name}: SEC("${section}"), ${counted(count, 'instruction')}`))];
  let shown: string | undefined;
  for (const insn of insnsBetween(insns, 0, count)) {
    const label = functions.get(insn.index);
    if (label !== undefined) {
      lines.push('', `${printable(label)}:`);
      shown = undefined;
    }
    const source = sourceText(program, insn.index);
    // Line information has an entry for every column; a line is worth telling once.
    if (source !== undefined && source !== shown) lines.push(source);
    shown = source ?? shown;
    lines.push(`${String(insn.index).padStart(width)}: ${insnText(program, insn, references.get(insn.index), { functions, kfuncs, variables })}`);
  }
  return `${lines.join('\n')}\n`;
}

function sourceText(program: ProgramSpec, insnIndex: number): string | undefined {
  const line = lineAt(program, insnIndex);
  if (line === undefined || line.line === 0) return undefined;
  return `; ${printable(`${line.file}:${line.line}  ${line.text.replaceAll('\t', ' ').trim()}`.trimEnd())}`;
}

/** What instructions refer to by name. */
interface Names {
  /** By their first instruction. */
  readonly functions: ReadonlyMap<number, string>;
  /** Kernel functions by the instruction that calls them or takes their address. */
  readonly kfuncs: ReadonlyMap<number, string>;
  readonly variables: VariableFinder;
}

function insnText({ insns }: ProgramSpec, insn: PlacedInsn, reference: MapReference | undefined, { functions, kfuncs, variables }: Names): string {
  if (reference !== undefined) return `r${dstAt(insns, insn.index)} = ${printable(addressText(reference, variables))}`;
  const kfunc = kfuncs.get(insn.index);
  if (kfunc !== undefined && insn.row?.kind !== 'call') return `r${dstAt(insns, insn.index)} = kfunc[name:${printable(kfunc)}]`;
  const text = printable(disassemble(insns, insn.index, { helperName, kfuncName: (index) => kfuncs.get(index) }));
  const target = targetOf(insns, insn);
  if (target === undefined) return text;
  if (insn.row?.kind !== 'call') return `${text} <${target}>`;
  return `${text} <${printable(functions.get(target) ?? 'not in this program')}>`;
}

/** As bpftool writes it: `map[name:counters]`, `map_value[name:.bss]+8`; then the variable there. */
function addressText(reference: MapReference, variables: VariableFinder): string {
  const { map, kind, offBytes } = reference;
  if (kind === 'map') return `map[name:${map}]`;
  const variable = variables.at(reference);
  const inside = offBytes - (variable?.offBytes ?? 0);
  return `map_value[name:${map}]+${offBytes}${variable === undefined ? '' : ` <${variable.name}${inside === 0 ? '' : `+${inside}`}>`}`;
}
