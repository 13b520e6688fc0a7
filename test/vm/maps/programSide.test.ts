import { it } from 'vitest';
import { withKernel } from '../../support/kernelOracle.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { fc } from '../../support/property.js';
import { expectSameAsKernel, textObject } from '../support/differential.js';

const TYPES = { HASH: 1, ARRAY: 2, PERCPU_HASH: 5, PERCPU_ARRAY: 6 } as const;

type Step =
  | { readonly op: 'update'; readonly key: number; readonly value: number; readonly flags: number }
  | { readonly op: 'lookup' | 'delete'; readonly key: number }
  | { readonly op: 'keep'; readonly key: number; readonly value: number };

/** Mixes r0 into what the program returns. */
const MIX = 'r9 *= 31\nr9 += r0';

/** What a step does, in words: `keep` looks a value up, updates or deletes its key, and uses the old pointer afterwards. */
function textOf(step: Step, index: number): string {
  const key = `*(u32 *)(r10 - 4) = ${step.key}\nr1 = map m\nr2 = r10\nr2 += -4`;
  switch (step.op) {
    case 'lookup':
      return `${key}\ncall 1\nif r0 == 0 goto skip${index}\nr0 = *(u64 *)(r0 + 0)\nskip${index}: ${MIX}`;
    case 'delete':
      return `${key}\ncall 3\n${MIX}`;
    case 'update':
      return `*(u64 *)(r10 - 16) = ${step.value}\n${key}\nr3 = r10\nr3 += -16\nr4 = ${step.flags} ll\ncall 2\n${MIX}`;
    case 'keep': {
      const change = step.value === 0 ? `${key}\ncall 3` : `*(u64 *)(r10 - 16) = ${step.value}\n${key}\nr3 = r10\nr3 += -16\nr4 = 0\ncall 2`;
      return `${key}\ncall 1\nif r0 == 0 goto skip${index}\nr7 = r0\n${change}\n${MIX}\nr0 = *(u64 *)(r7 + 0)\n${MIX}\n*(u64 *)(r7 + 0) = 7\nskip${index}: r0 = 0`;
    }
  }
}

function programText(steps: readonly Step[]): string {
  return ['r9 = 0', ...steps.map(textOf), 'r0 = r9', 'r1 = r9', 'r1 >>= 32', 'r0 ^= r1', 'exit'].join('\n');
}

const key = fc.integer({ min: 0, max: 5 });
const value = fc.integer({ min: -5, max: 1000 });
const flags = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 0x80000000, 0x100000000));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constant('update' as const), key, value, flags }),
  fc.record({ op: fc.constant('lookup' as const), key }),
  fc.record({ op: fc.constant('delete' as const), key }),
  fc.record({ op: fc.constant('keep' as const), key, value }),
);

withKernel('programs using maps, against the kernel', (kernel) => {
  it.each(Object.entries(TYPES))('any operations on a small %s give the same results and entries', (_, type) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 14 }), fc.constantFrom(1, 4), fc.boolean(), (steps, maxEntries, noPrealloc) => {
        const isHash = type === TYPES.HASH || type === TYPES.PERCPU_HASH;
        const spec = map('m', type, 4, 8, maxEntries, { flags: isHash && noPrealloc ? 1 : 0 });
        expectSameAsKernel(kernel, textObject(programText(steps), [spec]), { data: bytes(64) });
      }),
      { numRuns: 80 },
    );
  }, 60_000);
});
