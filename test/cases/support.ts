import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { unwrap } from '../../src/base/index.js';
import { openCaseFiles, parseCaseFile, runCases, SimulatorBackend } from '../../src/cases/index.js';
import type { CaseBackend, CaseFile, CaseReport, CaseResult, FiledResult, OpenCaseFile, TestCase } from '../../src/cases/index.js';
import { loadObjectFile } from '../../src/vm/index.js';

const FOLDER = 'fixtures/cases';

/** Every case file of the fixtures. */
export function fixtureCaseFiles(): OpenCaseFile[] {
  const paths = readdirSync(FOLDER).filter((name) => name.endsWith('.json')).sort().map((name) => join(FOLDER, name));
  return unwrap(openCaseFiles(paths));
}

export function fixtureCases(name: string): OpenCaseFile {
  return unwrap(openCaseFiles([join(FOLDER, `${name}.json`)]))[0];
}

/** A broadcast ARP request, the shortest packet of the fixtures. */
export const ARP = 'ffffffffffff02000000000108060001080006040001020000000001c0000201000000000000c0000202';

export const caseFile = (...cases: readonly TestCase[]): CaseFile => ({ schema: 1, object: 'prog.o', cases });

export const parse = (file: unknown) => parseCaseFile(JSON.stringify(file), 'cases.json');

/** Runs cases on a fixture program, named by its folder. */
export function runOn(name: string, cases: readonly Omit<TestCase, 'name'>[], backend: CaseBackend = new SimulatorBackend()): CaseResult[] {
  const object = unwrap(loadObjectFile(`fixtures/programs/${name}/${name}.o`));
  const named = cases.map((testCase, index) => ({ name: `case ${index}`, ...testCase }));
  return unwrap(runCases(caseFile(...named), object, backend));
}

/** A report with these results. */
export function report(cases: readonly (Partial<FiledResult> & { readonly name: string })[]): CaseReport {
  const all = cases.map((result) => ({ file: 'cases.json', program: 'main', ok: true, differences: [], ...result }));
  const failed = all.filter(({ ok }) => !ok).length;
  const skipped = all.filter((result) => 'skipped' in result).length;
  return { schema: 1, backend: 'simulator', cases: all, passed: all.length - failed - skipped, failed, skipped };
}
