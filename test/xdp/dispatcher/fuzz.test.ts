import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Rng } from '../../../src/base/index.js';
import type { Result } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { linkExtensions, loadObjectBytes, Vm } from '../../../src/vm/index.js';
import type { ObjectSpec } from '../../../src/vm/index.js';
import { createDispatcher, TestRunner } from '../../../src/xdp/index.js';
import { checkSpec } from '../../support/checkSpec.js';
import { MUTATIONS } from '../../support/objectMutations.js';
import { quietEnvironment } from '../../support/xdpProgram.js';
import { libxdpDispatcher, ownObject } from './support.js';

// Damaged objects in a chain: whatever they are, the answer is a Result, and what is linked holds together and runs to an end.

const SEED = 20261126;
const ROUNDS = 40;

const target = ownObject('target');
const plain = { object: ownObject('configured'), program: 'plain' };

/** What is done with a damaged object, by its name. */
const USES: Readonly<Record<string, { readonly path: string; readonly link: (object: ObjectSpec) => Result<ObjectSpec> }>> = {
  'a program of a chain': { path: 'test/xdp/dispatcher/objects/by_byte.o', link: (object) => createDispatcher([{ object, program: 'by_byte' }, plain, { object, program: 'by_byte' }], { dispatcher: libxdpDispatcher() }) },
  'a run configuration': { path: 'test/xdp/dispatcher/objects/configured.o', link: (object) => createDispatcher(['early', 'late', 'first'].map((program) => ({ object, program }))) },
  'a dispatcher': { path: 'fixtures/programs/xdp-tools/xdp-dispatcher.o', link: (dispatcher) => createDispatcher([plain, plain], { dispatcher }) },
  'an extension': {
    path: 'test/xdp/dispatcher/objects/drop_odd.o',
    link: (object) => linkExtensions(target, 'entry', object.programs.map(({ name, replaces }) => ({ object, program: name, replaces: replaces ?? 'verdict' }))),
  },
  'a target': { path: 'test/xdp/dispatcher/objects/target.o', link: (object) => linkExtensions(object, 'entry', [{ object: ownObject('drop_odd'), program: 'drop_odd', replaces: 'verdict' }]) },
};

describe.each(Object.entries(USES))('%s', (_, { path, link }) => {
  const good = readFileSync(path);

  test('is linked when it is sound', () => {
    const object = loadObjectBytes(good, path);
    expect(object.ok && link(object.value).ok).toBe(true);
  });

  test.each(Object.keys(MUTATIONS))('%s', (name) => {
    for (let round = 0; round < ROUNDS; round++) {
      const seed = SEED + round;
      const object = loadObjectBytes(MUTATIONS[name]!(Buffer.from(good), new Rng(seed)), 'fuzz.o');
      if (!object.ok) continue;
      try {
        const linked = link(object.value);
        if (linked.ok) checkAndRun(linked.value);
        else expect(linked.problem.message).not.toBe('');
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
  });
});

function checkAndRun(object: ObjectSpec): void {
  checkSpec(object);
  const memory = new HostMemory(8);
  const vm = new Vm({ memory, environment: quietEnvironment(), instructionBudget: 10_000 });
  const loaded = vm.load(object, { programs: [object.programs[0]!.name] });
  if (!loaded.ok) return;
  const { fault, errno } = new TestRunner(memory, vm).run(loaded.value.programs[0]!, { data: new Uint8Array(64) });
  expect(fault === undefined || fault.message !== '' || errno !== 0).toBe(true);
}
