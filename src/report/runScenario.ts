import { basename } from 'node:path';
import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { createScenario, loadScenario, readScenarioFile, watchAllHosts } from '../sim/index.js';
import { parseRingMoments, ScenarioRingsAt } from './ringsAt.js';
import { ScenarioJournal } from './scenarioJournal.js';
import { scenarioReport } from './scenarioReport.js';
import type { ScenarioReport } from './scenarioReport.js';
import { inScenarioWords } from './scenarioWords.js';
import { WireCaptures } from './wireCaptures.js';

/** What `sim scenario` can be told. */
export interface ScenarioOptions {
  /** Path of the scenario file. */
  readonly scenario: string;
  /** In place of the file's. */
  readonly seed?: number | undefined;
  /** `TIME[,TIME]` or `packet:N`: when the rings of AF_XDP sockets are looked at (ringsAt.ts). */
  readonly ringsAt?: string | undefined;
  /** The journal has the way of this packet, and nothing else. */
  readonly packet?: number | undefined;
  /** Directory for what each NIC sends, for those that the file names no capture for. */
  readonly out?: string | undefined;
}

/**
 * Runs a scenario file and reports.
 *
 * @param onProgress called now and then with the number of packets of captures so far
 * @returns the report, or the Problem of the first input that can't be used
 */
export function runScenario(options: ScenarioOptions, onProgress?: (packets: number) => void): Result<ScenarioReport> {
  const report = run(options, onProgress);
  return report.ok ? report : fail(inScenarioWords(report.problem));
}

function run(options: ScenarioOptions, onProgress: ((packets: number) => void) | undefined): Result<ScenarioReport> {
  const { seed } = options;
  if (seed !== undefined && !(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    return fail({ code: 'bad-number', where: '--seed', message: `${seed} is out of range`, hint: `use a whole number from 0 to ${2 ** 32 - 1}` });
  }
  const moments = options.ringsAt === undefined ? ok(undefined) : parseRingMoments(options.ringsAt);
  if (!moments.ok) return moments;
  const read = readScenarioFile(options.scenario);
  if (!read.ok) return read;
  const file = { ...read.value, ...(seed === undefined ? {} : { seed }) };
  const loaded = loadScenario(file);
  if (!loaded.ok) return loaded;
  try {
    const scenario = createScenario(loaded.value.spec);
    if (!scenario.ok) return scenario;
    const captures = WireCaptures.create(file, options.out);
    if (!captures.ok) return captures;
    const journal = new ScenarioJournal(options.packet);
    const ringsAt = moments.value && new ScenarioRingsAt(scenario.value, moments.value);
    const result = scenario.value.run(watchAllHosts([...(ringsAt === undefined ? [] : [ringsAt]), journal, captures.value]), onProgress);
    const outputProblem = captures.value.close();
    if (!result.ok) return result;
    if (outputProblem !== undefined) return fail(outputProblem);
    return ok(scenarioReport(basename(options.scenario), file, result.value, { journal, ringsAt, chains: loaded.value.chains }));
  } finally {
    loaded.value.close();
  }
}
