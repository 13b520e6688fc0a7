import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { Vm, loadObjectFile } from '../../src/vm/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { TestRunner } from '../../src/xdp/testRun.js';
import { bytes } from '../replay/support/kernelPrograms.js';
import { fc } from '../support/property.js';
import { testEnvironment } from './support/differential.js';

const NAMES = ['csum_diff', 'count_hash', 'count_percpu', 'printk', 'adjust_tail', 'meta_writer', 'vlan_push', 'xsk_redirect', 'tail_calls', 'redirect_self', 'frags_pass'];
const objects = NAMES.map((name) => unwrap(loadObjectFile(`fixtures/programs/${name}/${name}.o`)));

interface Damage {
  readonly at: number;
  readonly byte: number;
}

/** The object with some bytes of its instructions replaced. */
function damaged(spec: ObjectSpec, damages: readonly Damage[]): ObjectSpec {
  const programs = spec.programs.map((program) => {
    const insns = program.insns.slice();
    for (const { at, byte } of damages) insns[at % insns.length] = byte;
    return { ...program, insns };
  });
  return { ...spec, programs };
}

describe('damaged programs', () => {
  it('are refused or stopped, but never do harm', () => {
    let ran = 0;
    let stopped = 0;
    // Mostly registers, the offset's and the immediate's low byte, and helper ids: damage that often passes the checks at load.
    const damage = fc.oneof(
      fc.record({ at: fc.nat(250).map((index) => index * 8 + 1), byte: fc.tuple(fc.nat(9), fc.nat(9)).map(([src, dst]) => (src << 4) | dst) }),
      fc.record({ at: fc.nat(250).map((index) => index * 8 + 2), byte: fc.nat(255) }),
      fc.record({ at: fc.nat(250).map((index) => index * 8 + 4), byte: fc.constantFrom(1, 2, 3, 5, 6, 28, 44, 51, 54, 65, 189, 190, 0xff, 0xf0) }),
      fc.record({ at: fc.nat(2000), byte: fc.nat(255) }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...objects), fc.array(damage, { minLength: 1, maxLength: 3 }), (spec, damages) => {
        const memory = new HostMemory(4);
        const vm = new Vm({ memory, environment: testEnvironment(), instructionBudget: 5000 });
        const loaded = vm.load(damaged(spec, damages));
        if (!loaded.ok) return;
        const runner = new TestRunner(memory, vm);
        for (const program of loaded.value.programs) {
          const result = runner.run(program, { data: bytes(100) });
          ran++;
          if (result.fault !== undefined) {
            stopped++;
            expect(result.fault.message).toContain(`[insn ${result.fault.insnIndex}: `);
          }
        }
      }),
      { numRuns: 1500 },
    );
    // Otherwise this test has shown nothing.
    expect(ran).toBeGreaterThan(200);
    expect(stopped).toBeGreaterThan(20);
  }, 60_000);
});
