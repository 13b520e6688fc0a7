import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Rng } from '../../../src/base/index.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObject.js';
import { checkSpec } from '../../support/checkSpec.js';
import { MUTATIONS } from '../../support/objectMutations.js';

// Damaged objects: whatever the bytes, the answer is a Result, soon, and what is accepted holds together.

const SEED = 20260701;
const ROUNDS = 60;
const SLOWEST_MS = 1000;

const OBJECTS = [
  'fixtures/programs/tail_calls/tail_calls.o',
  'fixtures/programs/printk/printk.o',
  'fixtures/programs/subprogs/subprogs.o',
  'fixtures/programs/xdp-tools/xdp-dispatcher.o',
  'fixtures/programs/legacy_maps/legacy_maps.o',
  'fixtures/programs/legacy_iproute2/legacy_iproute2.o',
  'test/vm/loader/objects/callbacks.o',
  'fixtures/programs/core_exists/core_exists.o',
  'test/vm/loader/objects/externs.o',
  'test/vm/loader/objects/externs_bad.o',
  'test/vm/loader/objects/types.o',
  'test/vm/loader/objects/maps.o',
  'test/vm/loader/objects/sections.o',
  'test/vm/loader/objects/unsupported.o',
];

describe.each(OBJECTS)('%s', (path) => {
  const good = readFileSync(path);

  test.each(Object.keys(MUTATIONS))('%s', (name) => {
    const outcomes = { loaded: 0, refused: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const seed = SEED + round;
      const bytes = MUTATIONS[name]!(Buffer.from(good), new Rng(seed));
      const startMs = performance.now();
      try {
        const result = loadObjectBytes(bytes, 'fuzz.o');
        if (result.ok) checkSpec(result.value);
        else expect(result.problem.where).toMatch(/^fuzz\.o/);
        outcomes[result.ok ? 'loaded' : 'refused']++;
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      const tookMs = performance.now() - startMs;
      if (tookMs > SLOWEST_MS) throw new Error(`seed ${seed}: ${tookMs} ms`);
    }
    expect(outcomes.refused).toBeGreaterThan(0);
  });
});
