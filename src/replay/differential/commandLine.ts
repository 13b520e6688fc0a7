import { parseArgs } from 'node:util';
import { fail, formatProblem, ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { probeKernel } from '../kernelSupport.js';
import { isEqual, runDifferential } from './differential.js';
import type { Progress } from './differential.js';
import { rate, reportText } from './reportText.js';

const EXIT_EQUAL = 0;
const EXIT_DIFFERENT = 1;
/** Wrong usage, or nothing that could be compared. */
const EXIT_UNUSABLE = 2;

const USAGE = 'npm run differential -- [--minutes N] [--cases N] [--seed S] [--objects DIR] [--captures DIR] [--out DIR]';
const DEFAULT_MINUTES = 1;
/** Time between two lines of progress where they can't be drawn over. */
const LINE_EVERY_MS = 10_000;
const REDRAWN_EVERY_MS = 200;

export interface DifferentialTerminal {
  readonly out: { write(text: string): unknown };
  readonly err: { write(text: string): unknown; readonly isTTY?: boolean };
  readonly nowMs: () => number;
  /** Calls back when the user wants an end. */
  readonly onInterrupt: (stop: () => void) => void;
}

interface Arguments {
  readonly minutes: number;
  readonly cases: number;
  readonly seed: number;
  readonly objects: string;
  readonly captures: string;
  readonly out: string;
}

/** `npm run differential -- ...`: progress on stderr, the report on stdout. */
export async function differentialCommand(argv: readonly string[], terminal: DifferentialTerminal): Promise<number> {
  const args = readArguments(argv);
  if (!args.ok) return reportUnusable(terminal, `${formatProblem(args.problem)}; usage: ${USAGE}`);
  const kernel = await probeKernel();
  if (!kernel.ok) return reportUnusable(terminal, formatProblem(kernel.problem));

  const startMs = terminal.nowMs();
  const endMs = startMs + args.value.minutes * 60_000;
  let interrupted = false;
  terminal.onInterrupt(() => {
    interrupted = true;
  });
  const line = new ProgressLines(terminal, startMs);
  const report = await runDifferential({
    ...args.value,
    kernel: kernel.value,
    shouldStop: () => interrupted || terminal.nowMs() >= endMs,
    onProgress: (progress) => line.update(progress),
  });
  line.end();
  if (!report.ok) return reportUnusable(terminal, formatProblem(report.problem));
  terminal.out.write(reportText(report.value, terminal.nowMs() - startMs));
  if (report.value.programs.length === 0) return reportUnusable(terminal, 'no program could be compared');
  return isEqual(report.value) ? EXIT_EQUAL : EXIT_DIFFERENT;
}

function reportUnusable({ err }: DifferentialTerminal, message: string): number {
  err.write(`differential: ${message.replaceAll('\n', ' ')}\n`);
  return EXIT_UNUSABLE;
}

function readArguments(argv: readonly string[]): Result<Arguments> {
  const refuse = (message: string): Result<Arguments> => fail({ code: 'usage', message });
  let values: Record<string, string | undefined>;
  try {
    const option = { type: 'string' } as const;
    const options = { minutes: option, cases: option, seed: option, objects: option, captures: option, out: option };
    ({ values } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }));
  } catch (error) {
    return refuse((error as Error).message.split('\n')[0]);
  }
  const cases = numberOf(values.cases, Number.MAX_SAFE_INTEGER);
  const minutes = numberOf(values.minutes, values.cases === undefined ? DEFAULT_MINUTES : Infinity);
  const seed = numberOf(values.seed, 1);
  if (!(minutes > 0)) return refuse(`--minutes ${values.minutes} is no time`);
  if (!Number.isInteger(cases) || cases < 1) return refuse(`--cases ${values.cases} is no number of cases`);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) return refuse(`--seed ${values.seed} is not from 0 to 2^32 - 1`);
  const { objects = 'fixtures/programs', captures = 'fixtures/pcaps', out = 'out/differential' } = values;
  return ok({ minutes, cases, seed, objects, captures, out });
}

function numberOf(text: string | undefined, absent: number): number {
  if (text === undefined) return absent;
  return text.trim() === '' ? Number.NaN : Number(text);
}

/** Drawn over and over on a terminal, else a line from time to time. */
class ProgressLines {
  readonly #terminal: DifferentialTerminal;
  readonly #startMs: number;
  readonly #everyMs: number;
  #nextMs: number;

  constructor(terminal: DifferentialTerminal, startMs: number) {
    this.#terminal = terminal;
    this.#startMs = startMs;
    this.#everyMs = terminal.err.isTTY === true ? REDRAWN_EVERY_MS : LINE_EVERY_MS;
    this.#nextMs = startMs + this.#everyMs;
  }

  update({ cases, programs, differences, subject }: Progress): void {
    const { err, nowMs } = this.#terminal;
    const now = nowMs();
    if (now < this.#nextMs) return;
    this.#nextMs = now + this.#everyMs;
    const elapsedMs = now - this.#startMs;
    const text = `${cases} cases, ${programs} programs, ${differences} differences, ${(elapsedMs / 1000).toFixed(0)} s, ${rate(cases, elapsedMs)} cases/s, ${subject}`;
    err.write(err.isTTY === true ? `\r\u001b[2K${text}` : `${text}\n`);
  }

  end(): void {
    if (this.#terminal.err.isTTY === true) this.#terminal.err.write('\r\u001b[2K');
  }
}
