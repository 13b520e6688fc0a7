import { formatProblem } from '../base/index.js';
import type { Problem } from '../base/index.js';
import { EXIT_USAGE } from './exitCodes.js';

/** Where a command writes and what it may know of the terminal. Data goes to `out`, everything else to `err`. */
export interface Terminal {
  readonly out: NodeJS.WriteStream;
  readonly err: NodeJS.WriteStream;
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Real time, ms: only for progress and speed. */
  readonly nowMs: () => number;
}

/** Tells a problem in one line on standard error; gives the exit code for it. */
export function reportProblem(terminal: Terminal, problem: Problem): number {
  terminal.err.write(`sim: ${formatProblem(problem)}\n`);
  return EXIT_USAGE;
}

/** Headings in bold where standard output is a terminal and NO_COLOR is not set. */
export function headingStyle({ out, env }: Terminal): (text: string) => string {
  const isBold = out.isTTY && (env.NO_COLOR ?? '') === '';
  return (text) => (isBold ? `\u001b[1m${text}\u001b[0m` : text);
}
