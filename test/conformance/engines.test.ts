import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { fixtureCaptures, fixtureObjects, readPackets } from '../support/fixtures.js';
import { mutatedCases, packetCases } from './cases.js';
import { Differences } from './differences.js';
import { compareAllMaps, compareCases } from './sequence.js';
import { openSimulatorSide } from './sides.js';
import { subjectsOf } from './variants.js';

// Every fixture program on every fixture packet: the interpreter, which kernel.test.ts compares with the kernel, and the JIT side by side.

const SEED = Number(process.env.CONFORMANCE_SEED ?? 1);
const MUTATIONS_PER_SUBJECT = Number(process.env.CONFORMANCE_MUTATIONS ?? 100);
const CPUS = 2;
const TIMEOUT_MS = 300_000;

const captures = fixtureCaptures().map((name) => readPackets(name));
const cases = captures.flatMap((packets) => packetCases(packets, new Rng(SEED)));
const rows = subjectsOf(fixtureObjects()).map((subject, index) => ({ name: subject.name, subject, index }));
const [left, right] = [new HostMemory(64), new HostMemory(64)];

describe.each([
  { engine: 'jit', options: { engine: 'jit', interpretedRuns: 0 } },
  { engine: 'jit that checks everything', options: { engine: 'jit', checksEverything: true, interpretedRuns: 0 } },
] as const)('$engine as the interpreter', ({ engine, options }) => {
  it.each(rows)('$name', { timeout: TIMEOUT_MS }, ({ subject, index }) => {
    const interpreter = openSimulatorSide(left, subject, CPUS, { engine: 'interpreter' });
    const jit = openSimulatorSide(right, subject, CPUS, options);
    const differences = new Differences(['interpreter', engine]);
    try {
      compareCases(subject, interpreter, jit, cases, differences);
      compareCases(subject, interpreter, jit, mutatedCases(captures.flat(), MUTATIONS_PER_SUBJECT, new Rng(SEED + index)), differences);
      compareAllMaps(subject, interpreter, jit, 'after all packets', differences);
    } finally {
      interpreter.close();
      jit.close();
    }
    expect(differences.toString()).toBe('');
  });
});
