/**
 * Outcomes that a user can cause, as values instead of exceptions.
 *
 * A `Problem` says what is wrong (`message`), where (`where`: file, section, byte offset, packet number, source line) and
 * how to mend it (`hint`). Its `code` is stable, for scripts. Programmer errors are not Problems: they throw.
 */
export interface Problem {
  /** Stable identifier in kebab case, e.g. `elf-truncated`. A code that begins with `unsupported-` is valid input that we can't run. */
  readonly code: string;
  /** What is wrong, one sentence without a full stop at its end. */
  readonly message: string;
  /** Place of the fault in the user's own terms, e.g. `prog.o, section .maps` or `trace.pcap, packet 3, byte 1204`. */
  readonly where?: string;
  /** How to mend it, one sentence. */
  readonly hint?: string;
}

/** Either a value or the reason why there is none. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

/** Wraps a value. */
export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** Wraps a problem. */
export function fail<T = never>(problem: Problem): Result<T> {
  return { ok: false, problem };
}

/** One line for a terminal: `where: message; hint`. */
export function formatProblem(problem: Problem): string {
  const place = problem.where === undefined ? '' : `${problem.where}: `;
  const mend = problem.hint === undefined ? '' : `; ${problem.hint}`;
  return `${place}${problem.message}${mend}`;
}

/**
 * Carries a Problem through code that is awkward to write with Results (deeply nested parsers).
 * Thrown and caught inside one folder; its door returns a `Result`.
 */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(formatProblem(problem));
    this.name = 'ProblemError';
    this.problem = problem;
  }
}

/** Runs `body`; a `ProblemError` it throws becomes a failed Result, anything else passes on (it is a bug of ours). */
export function catchProblem<T>(body: () => T): Result<T> {
  try {
    return ok(body());
  } catch (error) {
    if (error instanceof ProblemError) return fail(error.problem);
    throw error;
  }
}

/** The value, or throws a `ProblemError`: for library users who prefer exceptions, and for tests. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new ProblemError(result.problem);
}
