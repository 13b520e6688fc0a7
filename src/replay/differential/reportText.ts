import type { Difference } from '../../cases/index.js';
import { isEqual } from './differential.js';
import type { DifferentialReport, FoundDifference, ProgramResult } from './differential.js';

/** Differing parts of one case that are printed. */
const MAX_PARTS = 8;
const MAX_VALUE_CHARS = 160;

/** The report for a person. */
export function reportText(report: DifferentialReport, elapsedMs: number): string {
  const { programs, notCompared, exclusions } = report;
  const lines = [
    `differential run: seed ${report.seed}, ${report.objects}, ${report.packets} packets of ${report.captures}`,
    '',
    ...table(programs.map(programRow)),
    ...programs.flatMap(({ object, program, differences }) => differences.flatMap((each) => differenceLines(`${object} ${program}`, each))),
    '',
    ...section('not compared', notCompared.map(({ object, program = '(whole object)', status, reason }) => `${object} ${program}: ${status}: ${reason}`)),
    ...section('by nature', exclusions.map(({ object, subject, part, reason }) => `${object === '*' ? '' : `${object} ${subject}: `}${part}: ${reason}`)),
    summary(report, elapsedMs),
  ];
  return `${lines.join('\n')}\n`;
}

/** `54 programs, 200000 cases, seed 1, 12.3 s (16260 cases/s): no difference`. */
function summary(report: DifferentialReport, elapsedMs: number): string {
  const { programs, cases, seed } = report;
  const different = programs.reduce((total, program) => total + program.different, 0);
  const refused = report.notCompared.filter(({ status }) => status === 'wrongly refused by the simulator').length;
  const verdict = isEqual(report) ? 'no difference' : `${different} cases differ, ${refused} programs wrongly refused`;
  return `${programs.length} programs, ${cases} cases, seed ${seed}, ${(elapsedMs / 1000).toFixed(1)} s (${rate(cases, elapsedMs)} cases/s): ${verdict}`;
}

/** Cases per second. */
export function rate(cases: number, elapsedMs: number): string {
  return ((cases / Math.max(elapsedMs, 1)) * 1000).toFixed(0);
}

function programRow({ object, program, cases, different }: ProgramResult): string[] {
  return [object, program, `${cases}`, different === 0 ? 'equal' : `${different} different`];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const all = [['object', 'program', 'cases', ''], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd());
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`), ''];
}

function differenceLines(name: string, { case: where, parts, reproducer }: FoundDifference): string[] {
  const shown = parts.slice(0, MAX_PARTS).map(partLine);
  const more = parts.length > MAX_PARTS ? [`  and ${parts.length - MAX_PARTS} more parts`] : [];
  const note = reproducer.shows ? '' : ' (which does not show it alone: run the same seed again)';
  return ['', `DIFFERENT: ${name}: ${where}`, ...shown, ...more, `  reproducer: ${reproducer.path}${note}`];
}

function partLine({ part, expected, observed }: Difference): string {
  return `  ${part}: kernel ${shorten(expected)}, simulator ${shorten(observed)}`;
}

function shorten(value: string): string {
  return value.length > MAX_VALUE_CHARS ? `${value.slice(0, MAX_VALUE_CHARS)}...` : value;
}
