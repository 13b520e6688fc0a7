import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
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

/** Names of an object's XDP programs. */
export function xdpPrograms(object: ObjectSpec): string[] {
  return object.programs.filter((program) => program.type === 'xdp').map((program) => program.name);
}

/** The program that a case runs: the one it names, or the object's only XDP program. Problems: `no-xdp-program`, `case-program`, `unknown-program`. */
export function programOf(object: ObjectSpec, { program }: TestCase): Result<string> {
  const names = xdpPrograms(object);
  const hint = `use one of ${names.join(', ')}`;
  const where = object.name;
  if (names.length === 0) return fail({ code: 'no-xdp-program', where, message: 'the object has no XDP program', hint: 'put the program into SEC("xdp")' });
  if (program === undefined && names.length === 1) return ok(names[0]);
  if (program === undefined) return fail({ code: 'case-program', where, message: 'the case names no program, and the object has several', hint });
  return names.includes(program) ? ok(program) : fail({ code: 'unknown-program', where, message: `there is no XDP program ${program}`, hint });
}
