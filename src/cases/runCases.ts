import { formatProblem } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import type { ObjectSpec } from '../vm/index.js';
import { programOf } from './backend.js';
import type { CaseBackend, CaseRunner } from './backend.js';
import type { CaseFile, CaseObservation, TestCase } from './caseFile.js';
import { compareObservations } from './compare.js';
import type { Difference } from './compare.js';
import { expectationOf } from './expectation.js';

/** Result of one case. `docs/cases.md` explains every field. */
export interface CaseResult {
  readonly name: string;
  readonly program: string;
  readonly ok: boolean;
  /** The case expects nothing: it ran, but nothing was judged. */
  readonly skipped?: true;
  /** Absent when the case could not run. */
  readonly observed?: CaseObservation;
  readonly differences: readonly Difference[];
  /** Why the case could not run or be judged. */
  readonly problem?: string;
  /** All that the kernel's verifier said about a program that it refused. */
  readonly log?: string;
  /** Parts that were not judged, as the case wants it. */
  readonly excluded?: readonly string[];
}

/** Runs all cases of a file. Problem: the backend can run none. A case that can't run is a failed case. */
export function runCases(file: CaseFile, object: ObjectSpec, backend: CaseBackend): Result<CaseResult[]> {
  const opened = backend.open(object);
  if (!opened.ok) return opened;
  const runner = opened.value;
  try {
    return { ok: true, value: file.cases.map((testCase) => runCase(testCase, object, runner)) };
  } finally {
    runner.close();
  }
}

function runCase(testCase: TestCase, object: ObjectSpec, runner: CaseRunner): CaseResult {
  const { name, expect = {}, exclude } = testCase;
  const excluded = exclude === undefined ? {} : { excluded: exclude };
  const program = programOf(object, testCase);
  const common = { name, program: program.ok ? program.value : (testCase.program ?? ''), ...excluded };
  const expected = expectationOf(object, expect);
  const observed = program.ok ? runner.run(testCase, program.value) : program;
  if (!observed.ok) return { ...common, ok: false, differences: [], problem: formatProblem(observed.problem), ...logOf(observed.problem) };
  if (!expected.ok) return { ...common, ok: false, observed: observed.value, differences: [], problem: formatProblem(expected.problem) };
  if (Object.keys(expect).length === 0) return { ...common, ok: true, skipped: true, observed: observed.value, differences: [] };
  const differences = compareObservations(expected.value, observed.value, exclude);
  return { ...common, ok: differences.length === 0, observed: observed.value, differences };
}

function logOf(problem: Problem): { readonly log?: string } {
  return 'log' in problem && typeof problem.log === 'string' ? { log: problem.log } : {};
}
