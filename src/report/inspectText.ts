import { formatProblem } from '../base/index.js';
import type { FunctionInspection, KfuncInspection, ProgramInspection } from './inspectProgram.js';
import type { GlobalInspection, InspectReport, MapInspection } from './inspectReport.js';
import type { Heading } from './runText.js';
import { counted, grouped, printable, textTable } from './textTable.js';
import { shortText } from './valueText.js';

/** Frames together that the kernel allows, bytes (MAX_BPF_STACK, include/linux/filter.h, 6.18). */
const MAX_STACK_BYTES = 512;

/** Rows of a table that the text shows; the JSON has more. */
const SHOWN_ROWS = 200;

/** The inspection as a person reads it. Sections that have nothing to tell are left out. */
export function inspectText(report: InspectReport, heading: Heading): string {
  const sections = [intro(report), ...report.programs.map(programSection), maps(report), globals(report), types(report), needs(report), warnings(report)];
  return sections
    .filter((lines) => lines.length > 0)
    .map(([title, ...lines]) => [heading(title), ...lines].join('\n'))
    .join('\n\n')
    .concat('\n');
}

function intro({ object, license, gpl_compatible: isGpl, btf, programs, maps, globals: variables }: InspectReport): string[] {
  const licence = license === '' ? 'no licence' : `licence ${printable(license)}`;
  return [
    `${printable(object)}: ${counted(programs.length, 'program')}${howManyRun(programs)}`,
    `  ${licence} (${isGpl ? '' : 'not '}GPL-compatible), ${btf ? 'with' : 'without'} BTF, ${counted(maps.length, 'map')}, ${counted(variables.length, 'global variable')}`,
  ];
}

function howManyRun(programs: readonly ProgramInspection[]): string {
  const running = programs.filter(({ runs }) => runs).length;
  if (programs.length === 0) return '';
  if (programs.length === 1) return running === 1 ? ', which runs here' : ', which can\'t run here';
  return `, ${running === programs.length ? 'all' : running === 0 ? 'none' : grouped(running)} of them run here`;
}

/** A table whose first rows are shown; what is cut off is counted. */
function table(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const more = rows.length - SHOWN_ROWS;
  const lines = textTable([...(heading.length === 0 ? [] : [heading]), ...rows.slice(0, SHOWN_ROWS)]);
  return more > 0 ? [...lines, `  and ${grouped(more)} more (--json has them)`] : lines;
}

function programSection(program: ProgramInspection): string[] {
  const { name, section, functions, instructions, isa_version: isa, stack_bytes: stack } = program;
  const facts: [string, string][] = [
    ['section', `SEC("${printable(section)}")${program.attach_type === null ? ', not XDP' : `, ${program.attach_type}`}${program.frags ? ', takes packets of several buffers' : ''}`],
    ['instructions', `${grouped(instructions)}, -mcpu=v${isa}`],
    ['stack', `${counted(stack, 'byte')}${stack > MAX_STACK_BYTES ? `, but the kernel allows ${MAX_STACK_BYTES}` : ''}`],
    ['helpers', list(program.helpers.map(({ name: helper, calls, supported }) => `${helper}${calls > 1 ? ` (${grouped(calls)} calls)` : ''}${supported ? '' : ' (NOT SUPPORTED)'}`))],
    ['kernel functions', program.kfuncs.length > 0 ? list(program.kfuncs.map(kfuncText)) : program.kfunc_calls === 0 ? '' : counted(program.kfunc_calls, 'call')],
    ['must not reach', list(program.poisoned.map(({ insn, message }) => `insn ${insn} (${message})`))],
    ['maps', list(program.maps)],
    ['globals', list(program.globals)],
  ];
  return [
    `Program ${printable(name)}: ${program.runs ? 'runs' : 'CAN\'T RUN'}`,
    ...(program.problem === null ? [] : [`  ${printable(formatProblem(program.problem))}`]),
    ...textTable(facts.filter(([, text]) => text !== '')),
    ...(functions.length > 1 ? ['  functions', ...functionTable(functions)] : []),
  ];
}

function kfuncText({ name, calls, supported, weak }: KfuncInspection): string {
  const notes = [calls > 1 ? `${grouped(calls)} calls` : '', weak ? 'weak' : ''].filter((note) => note !== '');
  return `${name}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}${supported ? '' : ' (NOT SUPPORTED)'}`;
}

function functionTable(functions: readonly FunctionInspection[]): string[] {
  const rows = functions.map(({ name, insn, instructions, stack_bytes: stack, calls }) => [printable(name), insn, instructions, stack, list(calls)]);
  return table(['', 'first', 'insns', 'stack', 'calls'], rows).map((line) => `  ${line}`);
}

function maps({ maps: all }: InspectReport): string[] {
  if (all.length === 0) return [];
  const rows = all.map((map) => [printable(map.name), `${map.type}${map.supported ? '' : ' (NOT SUPPORTED)'}`, map.max_entries, typeAndSize(map.key_type, map.key_size), typeAndSize(map.value_type, map.value_size), list(map.flags)]);
  return ['Maps', ...table(['', 'type', 'entries', 'key', 'value', 'flags'], rows), ...slots(all)];
}

function typeAndSize(type: string, size: number): string {
  return type === '' ? counted(size, 'byte') : `${printable(type)} (${grouped(size)})`;
}

/** Programs that the object itself puts into PROG_ARRAYs. */
function slots(all: readonly MapInspection[]): string[] {
  return table([], all.flatMap(({ name, programs }) => programs.map(({ index, program }) => [`${printable(name)}[${index}] = ${printable(program)}`])));
}

function globals({ globals: variables }: InspectReport): string[] {
  if (variables.length === 0) return [];
  const rows = variables.map((variable) => [printable(variable.section), printable(variable.type), printable(variable.name), '=', globalValue(variable)]);
  return ['Global variables', ...table([], rows)];
}

function globalValue({ value, value_omitted: isOmitted, size }: GlobalInspection): string {
  return isOmitted ? `(${counted(size, 'byte')}, too large to show)` : shortText(value);
}

function types({ types: all }: InspectReport): string[] {
  if (all.length === 0) return [];
  const shown = all.flatMap(({ name, size, c }) => (c === null ? [`${name} { ... };`] : c.split('\n').map((line, at, { length }) => (at === length - 1 ? `${line} /* ${counted(size, 'byte')} */` : line))));
  return ['Types of maps and global variables', ...shown.map((line) => `  ${printable(line.replaceAll('\t', '    '))}`)];
}

function needs({ needs: { helpers, map_types: mapTypes, externs, gpl_only_helpers: gplOnly }, gpl_compatible: isGpl }: InspectReport): string[] {
  const supported = (name: string, isSupported: boolean): string => `${name}${isSupported ? '' : ' (NOT SUPPORTED)'}`;
  const facts: [string, string][] = [
    ['helpers', list(helpers.map((helper) => supported(helper.name, helper.supported)))],
    ['map types', list(mapTypes.map((type) => supported(type.name, type.supported)))],
    ['of the kernel', list(externs.map(({ name, kind, section }) => `${kind} ${name} (${section})`))],
    ['licence', gplOnly.length === 0 ? '' : `GPL-compatible for ${list(gplOnly)}: it is${isGpl ? '' : ' NOT'}`],
  ];
  const rows = facts.filter(([, text]) => text !== '');
  return rows.length === 0 ? [] : ['Needs', ...textTable(rows)];
}

function warnings({ warnings: all }: InspectReport): string[] {
  return all.length === 0 ? [] : ['Warnings', ...all.map((warning) => `  ${printable(formatProblem(warning))}`)];
}

function list(names: readonly string[]): string {
  return names.map(printable).join(', ');
}
