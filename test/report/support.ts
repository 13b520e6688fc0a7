import { unwrap } from '../../src/base/index.js';
import { RUN_DEFAULTS, runCapture } from '../../src/report/index.js';
import type { RunOptions, RunReport } from '../../src/report/index.js';

/** Options of `sim run` with its defaults. */
export function runOptions(object: string, pcap: string, more: Partial<RunOptions> = {}): RunOptions {
  return { ...RUN_DEFAULTS, object, pcap, set: [], map: [], ...more };
}

/** Report of a run that is expected to work. `program` is a name of fixtures/programs, or a path. */
export function reportOf(program: string, capture: string, more: Partial<RunOptions> = {}): RunReport {
  return unwrap(runCapture(runOptions(objectPath(program), `fixtures/pcaps/${capture}`, more)));
}

export function objectPath(program: string): string {
  return program.endsWith('.o') ? program : `fixtures/programs/${program}/${program}.o`;
}
