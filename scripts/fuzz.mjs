// Generated programs on every engine and in the running kernel, as many as there is time for: docs/differential.md, "Generated programs".
//
//   npm run fuzz                                       rounds of 2,000 programs until Ctrl-C
//   npm run fuzz -- --rounds 20 --programs 2000 --seed 7

import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const option = { type: 'string' };
const { values } = parseArgs({ options: { rounds: option, programs: option, seed: option, only: option } });
const rounds = Number(values.rounds ?? Infinity);
const programs = Number(values.programs ?? 2000);
const firstSeed = Number(values.seed ?? 1);
if (!(rounds >= 1) || !(programs >= 1) || !Number.isInteger(programs) || !Number.isInteger(firstSeed)) {
  process.stderr.write('fuzz: usage: npm run fuzz -- [--rounds N] [--programs N] [--seed S] [--only valid|spoilt|reckless]\n');
  process.exit(2);
}

const totals = { programs: 0, engineRuns: 0, kernelRuns: 0 };
let failed = 0;
// Each round is a process of its own: what engines have compiled goes with it.
for (let round = 0; round < rounds; round++) {
  const seed = firstSeed + round;
  const env = { ...process.env, FUZZ_PROGRAMS: String(programs), FUZZ_SEED: String(seed) };
  const filter = values.only === undefined ? [] : ['-t', values.only];
  const result = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/conformance/fuzz.test.ts', ...filter], { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.signal !== null) break;
  for (const [, count, name] of result.stdout.matchAll(/(\d+) (valid programs|invalid programs|runs on engines|in the kernel)/g)) {
    const total = name.endsWith('programs') ? 'programs' : name === 'in the kernel' ? 'kernelRuns' : 'engineRuns';
    totals[total] += Number(count);
  }
  if (result.status !== 0) {
    failed++;
    process.stdout.write(`${result.stdout}${result.stderr}`);
  }
  process.stdout.write(`seed ${seed}: ${failed} rounds with differences so far; ${totals.programs} programs, ${totals.engineRuns} runs on engines, ${totals.kernelRuns} in the kernel\n`);
}
process.exitCode = failed === 0 ? 0 : 1;
