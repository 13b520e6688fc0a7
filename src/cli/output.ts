import { formatProblem } from '../base/index.js';
import type { Problem } from '../base/index.js';
import { printable } from '../report/index.js';
import { EXIT_USAGE } from './exitCodes.js';

/** A stream that text goes to, perhaps a terminal. */
export interface TextStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Where a command writes and what it may know of the terminal. Data goes to `out`, everything else to `err`. */
export interface Terminal {
  readonly out: TextStream;
  readonly err: TextStream;
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Real time, ms: only for progress and speed. */
  readonly nowMs: () => number;
}

/** Tells a problem in one line on standard error; gives the exit code for it. */
export function reportProblem(terminal: Terminal, problem: Problem): number {
  tell(terminal, formatProblem(problem));
  return EXIT_USAGE;
}

/** One line on standard error. Control characters, which a file name may hold, are shown and not sent. */
export function tell({ err }: Terminal, text: string): void {
  err.write(`sim: ${printable(text)}\n`);
}

/** Headings in bold where standard output is a terminal and NO_COLOR is not set. */
export function headingStyle({ out, env }: Terminal): (text: string) => string {
  const isBold = out.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
  return (text) => (isBold ? `\u001b[1m${text}\u001b[0m` : text);
}
