import type { CaseFile, CaseObservation } from './caseFile.js';
import type { CaseResult } from './runCases.js';

/** The same file with every expectation taken from what was observed (`--record`). Cases that could not run keep theirs. */
export function recordExpectations(file: CaseFile, results: readonly CaseResult[]): CaseFile {
  return {
    ...file,
    cases: file.cases.map((testCase, index) => {
      const { observed } = results[index];
      return observed === undefined ? testCase : { ...testCase, expect: withoutExcluded(observed, testCase.exclude ?? []) };
    }),
  };
}

/** A result as it is once its expectation has been recorded. */
export function recordedResult(result: CaseResult): CaseResult {
  const { skipped: _skipped, problem: _problem, ...rest } = result;
  return result.observed === undefined ? result : { ...rest, ok: true, differences: [] };
}

/** What differs by nature is not recorded. */
function withoutExcluded(observed: CaseObservation, exclude: readonly string[]): CaseObservation {
  const { maps, globals, ...rest } = observed;
  const without = <T>(part: string, values: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(values).filter(([name]) => !exclude.includes(`${part}.${name}`)));
  return {
    ...Object.fromEntries(Object.entries(rest).filter(([part]) => !exclude.includes(part))),
    ...(isEmpty(maps) ? {} : { maps: without('maps', maps) }),
    ...(isEmpty(globals) ? {} : { globals: without('globals', globals) }),
  };
}

/** The object has none: nothing to expect. */
function isEmpty(values: object | undefined): values is undefined {
  return values === undefined || Object.keys(values).length === 0;
}
