import type { Options } from 'yargs';
import type { Terminal } from './output.js';

/** Options of a command, by their long names without `--`. */
export type OptionTable = Readonly<Record<string, Options>>;

/** One command of `sim`. A new one is a file in commands/ and a row in commands/table.ts. */
export interface Command {
  readonly name: string;
  readonly describe: string;
  /** Arguments without a name, all of them required, in their order: name and what it is. */
  readonly positionals: readonly (readonly [name: string, describe: string])[];
  /** The last of them may be given several times; `run` gets a list. */
  readonly variadic?: true;
  readonly options: OptionTable;
  /** Command lines for the help, and what they do. */
  readonly examples: readonly (readonly [commandLine: string, describe: string])[];
  /** More for the end of the help. */
  readonly epilogue: string;
  /** Does the work; `args` are the options and positionals as yargs read them. Gives the exit code. */
  run(terminal: Terminal, args: Readonly<Record<string, unknown>>): number | Promise<number>;
}
