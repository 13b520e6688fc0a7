import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/index.js';
import { emitProgram } from '../support/fuzz/emitProgram.js';
import { EngineSide, fuzzObject, kernelTrace } from '../support/fuzz/fuzzSides.js';
import { spoil } from '../support/fuzz/spoil.js';
import { fuzzPackets, fuzzProgram, recklessProgram, spoiling } from '../support/fuzz/statements.js';
import { kernelOracle } from '../support/kernelOracle.js';
import { fc } from '../support/property.js';

// Generated programs, valid ones and spoilt ones, on every engine and in the running kernel. `npm run fuzz` runs more of them (docs/differential.md).

const PROGRAMS = Number(process.env.FUZZ_PROGRAMS ?? 150);
const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const TIMEOUT_MS = 24 * 3600 * 1000;
if (kernelOracle === undefined) console.warn('SKIPPED, not compared with the kernel: fuzzed programs');

const SIDES = {
  interpreter: new EngineSide({ engine: 'interpreter' }),
  jit: new EngineSide({ engine: 'jit' }),
  'jit that checks everything': new EngineSide({ engine: 'jit', checksEverything: true }),
};

function describeCase(text: string, packets: readonly Uint8Array[]): string {
  return `${text}\n// packets\n${packets.map((packet) => `// ${toHex(packet)}`).join('\n')}`;
}

describe(`fuzzed programs, seed ${SEED}`, () => {
  it(`${PROGRAMS} valid ones do the same everywhere`, () => {
    const counts = { programs: 0, accepted: 0, engineRuns: 0, kernelRuns: 0 };
    const refusals = new Map<string, number>();
    const property = fc.property(fuzzProgram, fuzzPackets, (program, packets) => {
      const text = emitProgram(program);
      const object = fuzzObject(text);
      const shown = describeCase(text, packets);
      const expected = SIDES.interpreter.trace(object, packets);
      expect(expected, shown).toMatchObject({ ok: true });
      for (const [name, side] of Object.entries(SIDES).slice(1)) expect(side.trace(object, packets), `${name}\n${shown}`).toEqual(expected);
      counts.programs++;
      counts.engineRuns += Object.keys(SIDES).length * packets.length;
      if (kernelOracle === undefined) return;
      const kernel = kernelTrace(kernelOracle, object, packets);
      if (!kernel.ok) {
        const reason = kernel.problem.message.slice(0, 160);
        refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
        return;
      }
      counts.accepted++;
      counts.kernelRuns += packets.length;
      expect(kernel, `kernel\n${shown}`).toEqual(expected);
    });
    fc.assert(property, { numRuns: PROGRAMS, seed: SEED });
    console.log(`seed ${SEED}: ${counts.programs} valid programs, ${counts.accepted} taken by the kernel, ${counts.engineRuns} runs on engines, ${counts.kernelRuns} in the kernel`);
    for (const [reason, count] of refusals) console.log(`${count} refused: ${reason}`);
    if (kernelOracle !== undefined) expect(counts.accepted / counts.programs, 'most programs are taken').toBeGreaterThan(0.9);
  }, TIMEOUT_MS);

  /** What programs do that no verifier would take must be the same on every engine: same verdict and bytes, or the same fault at the same place. */
  function endsAlike(texts: fc.Arbitrary<string>, numRuns: number): void {
    const counts = { programs: 0, faults: 0, runs: 0 };
    const property = fc.property(texts, fuzzPackets, (text, packets) => {
      const object = fuzzObject(text);
      const expected = SIDES.interpreter.trace(object, packets);
      for (const [name, side] of Object.entries(SIDES).slice(1)) expect(side.trace(object, packets), `${name}\n${describeCase(text, packets)}`).toEqual(expected);
      counts.programs++;
      if (!expected.ok) return;
      counts.runs += Object.keys(SIDES).length * packets.length;
      counts.faults += expected.value.some((line) => line.startsWith('fault')) ? 1 : 0;
    });
    fc.assert(property, { numRuns, seed: SEED });
    console.log(`seed ${SEED}: ${counts.programs} invalid programs, ${counts.faults} with faults, ${counts.runs} runs on engines`);
    expect(counts.faults / counts.programs, 'many go astray').toBeGreaterThan(0.05);
  }

  it(`${PROGRAMS} spoilt ones end alike on every engine`, () => {
    const texts = fc.tuple(fuzzProgram, fc.array(spoiling, { minLength: 1, maxLength: 3 })).map(([program, spoilings]) => spoilings.reduce(spoil, emitProgram(program)));
    endsAlike(texts, PROGRAMS);
  }, TIMEOUT_MS);

  it(`${PROGRAMS} reckless ones end alike on every engine`, () => {
    endsAlike(recklessProgram.map(emitProgram), PROGRAMS);
  }, TIMEOUT_MS);
});
