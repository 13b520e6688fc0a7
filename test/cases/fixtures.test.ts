import { describe, expect, it } from 'vitest';
import { formatProblem, unwrap } from '../../src/base/index.js';
import { runCaseFiles, runCases, SimulatorBackend } from '../../src/cases/index.js';
import { chooseBackend, KernelBackend } from '../../src/replay/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { fixtureCaseFiles } from './support.js';

// The case files of the fixtures on either backend. XDP_SIM_BACKEND=kernel npx vitest run test/cases runs the first suite on the kernel.

const files = fixtureCaseFiles();
const chosen = await chooseBackend();
if (!chosen.ok) console.warn(`SKIPPED, XDP_SIM_BACKEND=${process.env.XDP_SIM_BACKEND}: ${formatProblem(chosen.problem)}`);

describe.skipIf(!chosen.ok)('every case does what it expects', () => {
  it.each(files)('$path', ({ file, object }) => {
    const failed = unwrap(runCases(file, object, unwrap(chosen))).filter(({ ok }) => !ok);
    expect(failed).toEqual([]);
  });
});

it('every case expects something', () => {
  for (const { file } of files) for (const { name, expect: expected } of file.cases) expect([name, Object.keys(expected ?? {}).length > 0]).toEqual([name, true]);
});

withKernel('sim check and sim replay', (kernel) => {
  it.each(files)('report the same: $path', (open) => {
    const check = unwrap(runCaseFiles([open], new SimulatorBackend()));
    const replay = unwrap(runCaseFiles([open], new KernelBackend(kernel)));
    // What is excluded, as the kernel has a clock and random numbers of its own, is observed all the same.
    const judged = (cases: typeof check.cases) =>
      cases.map((result) => {
        const maps = Object.entries(result.observed?.maps ?? {}).filter(([name]) => result.excluded?.includes(`maps.${name}`) !== true);
        return { ...result, observed: { ...result.observed, maps: Object.fromEntries(maps) } };
      });
    expect({ ...replay, cases: judged(replay.cases) }).toEqual({ ...check, cases: judged(check.cases), backend: 'kernel' });
    expect(replay.failed).toBe(0);
  });
});
