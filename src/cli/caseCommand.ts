import { writeFileSync } from 'node:fs';
import { systemReason } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { casesOf, recordCaseFiles, runCaseFiles } from '../cases/index.js';
import type { CaseBackend, CaseReport, OpenCaseFile } from '../cases/index.js';
import { caseJunit, caseText, counted } from '../report/index.js';
import type { OptionTable } from './command.js';
import { EXIT_FAILED, EXIT_OK } from './exitCodes.js';
import { headingStyle, reportProblem, tell } from './output.js';
import type { Terminal } from './output.js';
import { TARGET_KERNEL_OPTIONS } from './targetKernelOptions.js';

/** Options that `sim check` and `sim replay` share. */
export const CASE_OPTIONS = {
  ...TARGET_KERNEL_OPTIONS,
  record: { type: 'boolean', default: false, describe: 'write what was observed into the case files, as their expectations' },
  junit: { type: 'string', describe: 'file for the report as JUnit XML' },
  json: { type: 'boolean', default: false, describe: 'print the report as JSON' },
} as const satisfies OptionTable;

export const CASE_POSITIONALS = [['file', 'case file (docs/cases.md), one or more']] as const;

export const CASE_EPILOGUE = 'Exit status: 0 all as expected; 1 a case failed; 2 wrong usage, or a file that can\'t be used.';

/** What yargs makes of CASE_OPTIONS and CASE_POSITIONALS. */
export interface CaseArguments {
  readonly file: readonly string[];
  readonly record: boolean;
  readonly junit?: string;
  readonly json: boolean;
  readonly btf?: string;
  readonly kconfig?: string;
  /** Only `sim check` has it. */
  readonly kernel?: string;
}

/** Runs case files on a backend and reports: the same for every backend. Gives the exit code. */
export function runCaseCommand(terminal: Terminal, args: CaseArguments, files: readonly OpenCaseFile[], backend: CaseBackend): number {
  const startMs = terminal.nowMs();
  const report = reportOn(args, files, backend);
  if (!report.ok) return reportProblem(terminal, report.problem);
  const elapsedMs = terminal.nowMs() - startMs;
  const unwritable = args.junit === undefined ? undefined : writeJunit(args.junit, report.value);
  if (unwritable !== undefined) return reportProblem(terminal, unwritable);
  terminal.out.write(args.json ? `${JSON.stringify(report.value, undefined, 2)}\n` : caseText(report.value, casesOf(files), headingStyle(terminal)));
  if (args.record) tell(terminal, `recorded what the ${backend.name} does in ${counted(files.length, 'case file')}`);
  tell(terminal, `${counted(report.value.cases.length, 'case')} in ${(elapsedMs / 1000).toFixed(2)} s`);
  return report.value.failed === 0 ? EXIT_OK : EXIT_FAILED;
}

function reportOn(args: CaseArguments, files: readonly OpenCaseFile[], backend: CaseBackend): Result<CaseReport> {
  const report = runCaseFiles(files, backend);
  if (!report.ok || !args.record) return report;
  return recordCaseFiles(files, report.value);
}

function writeJunit(path: string, report: CaseReport): Problem | undefined {
  try {
    writeFileSync(path, caseJunit(report));
    return undefined;
  } catch (error) {
    return { code: 'junit-unwritable', where: path, message: `can't be written: ${systemReason(error)}`, hint: 'check the directory' };
  }
}
