import type { Problem, Result } from '../base/index.js';
import type { ObjectSpec } from '../vm/index.js';
import type { CaseObservation, TestCase } from './caseFile.js';

/** Where cases run: the simulator, or the running kernel. Both give the same kind of observation for the same case. */
export interface CaseBackend {
  readonly name: string;
  /** Gets an object ready. Problems: this backend can run no case at all. */
  open(object: ObjectSpec): Result<CaseRunner>;
}

/** An object on a backend. */
export interface CaseRunner {
  /**
   * Runs one case on freshly loaded maps.
   *
   * @param program name of the program
   * @returns what was seen; a Problem when the case can't run (verifier rejection, unknown map, fault). Nothing throws.
   */
  run(testCase: TestCase, program: string): Result<CaseObservation>;
  close(): void;
}

/** The program that a case runs: the one it names, or the object's only XDP program. */
export function programOf(object: ObjectSpec, testCase: TestCase): Result<string> {
  const names = object.programs.filter((program) => program.type === 'xdp').map((program) => program.name);
  const list = names.join(', ');
  const refuse = (problem: Problem): Result<string> => ({ ok: false, problem });
  if (testCase.program === undefined) {
    if (names.length === 1) return { ok: true, value: names[0] };
    return refuse({ code: 'case-program', where: object.name, message: 'the case names no program', hint: `write "program": one of ${list}` });
  }
  if (names.includes(testCase.program)) return { ok: true, value: testCase.program };
  return refuse({ code: 'unknown-program', where: object.name, message: `no XDP program ${testCase.program}`, hint: `use one of ${list}` });
}
