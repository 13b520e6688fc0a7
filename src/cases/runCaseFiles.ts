import { renameSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { fail, ok, systemReason } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { loadObjectFile, loadTargetKernel } from '../vm/index.js';
import type { ObjectSpec, TargetKernelFiles } from '../vm/index.js';
import type { CaseBackend } from './backend.js';
import { readCaseFile } from './caseFile.js';
import type { CaseFile, TestCase } from './caseFile.js';
import { formatCaseFile } from './formatCaseFile.js';
import { recordedResult, recordExpectations } from './record.js';
import { runCases } from './runCases.js';
import type { CaseResult } from './runCases.js';

/** A case file that has been read, with its object. */
export interface OpenCaseFile {
  readonly path: string;
  readonly file: CaseFile;
  readonly object: ObjectSpec;
}

/** Result of case files on one backend. `docs/cases.md` explains every field. */
export interface CaseReport {
  readonly schema: 1;
  readonly backend: string;
  readonly cases: readonly FiledResult[];
  readonly passed: number;
  readonly failed: number;
  /** Cases that expect nothing: they ran, but nothing was judged. */
  readonly skipped: number;
}

export interface FiledResult extends CaseResult {
  /** Path of the case file, as it was given. */
  readonly file: string;
}

/** Path of the object of a case file. */
export function objectPath(file: CaseFile, path: string): string {
  return isAbsolute(file.object) ? file.object : join(dirname(path), file.object);
}

/** Reads case files and their objects. Problem: of the first that can't be used. */
export function openCaseFiles(paths: readonly string[], kernel: TargetKernelFiles = {}): Result<OpenCaseFile[]> {
  const target = loadTargetKernel(kernel);
  if (!target.ok) return target;
  const opened: OpenCaseFile[] = [];
  for (const path of paths) {
    const file = readCaseFile(path);
    if (!file.ok) return file;
    const object = loadObjectFile(objectPath(file.value, path), { ...target.value, maxEntries: file.value.map_sizes ?? {} });
    if (!object.ok) return object;
    opened.push({ path, file: file.value, object: object.value });
  }
  return ok(opened);
}

/** Runs every case of every file. Problem: the backend can run none. */
export function runCaseFiles(files: readonly OpenCaseFile[], backend: CaseBackend): Result<CaseReport> {
  const results: FiledResult[] = [];
  for (const { path, file, object } of files) {
    const run = runCases(file, object, backend);
    if (!run.ok) return run;
    results.push(...run.value.map((result) => ({ file: path, ...result })));
  }
  return ok(reportOf(backend.name, results));
}

function reportOf(backend: string, cases: readonly FiledResult[]): CaseReport {
  const failed = cases.filter((result) => !result.ok).length;
  const skipped = cases.filter((result) => result.skipped === true).length;
  return { schema: 1, backend, cases, passed: cases.length - failed - skipped, failed, skipped };
}

/**
 * Writes into each file what the report observed, as its expectations.
 *
 * @returns the report as a run of the written files would give it, without running them. Problem: `case-file-unwritable`
 */
export function recordCaseFiles(files: readonly OpenCaseFile[], report: CaseReport): Result<CaseReport> {
  for (const { path, file } of files) {
    const results = report.cases.filter((result) => result.file === path);
    const problem = writeCaseFile(path, recordExpectations(file, results));
    if (problem !== undefined) return fail(problem);
  }
  return ok(reportOf(report.backend, report.cases.map((result) => ({ file: result.file, ...recordedResult(result) }))));
}

/** Writes a case file as a whole or not at all. Problem: `case-file-unwritable`. */
export function writeCaseFile(path: string, file: CaseFile): Problem | undefined {
  const draft = `${path}.new`;
  try {
    writeFileSync(draft, formatCaseFile(file));
    renameSync(draft, path);
    return undefined;
  } catch (error) {
    return { code: 'case-file-unwritable', where: path, message: `can't be written: ${systemReason(error)}`, hint: 'check the directory' };
  }
}

/** The cases of a report, in its order. */
export function casesOf(files: readonly OpenCaseFile[]): TestCase[] {
  return files.flatMap(({ file }) => file.cases);
}
