import * as fc from 'fast-check';
import { test } from 'vitest';

export { fc };

/**
 * A property as a test: `prop([fc.nat()], { numRuns: 50 })('name', (n) => { ... })`. The seed stands in the test's name; put it into the parameters, with the
 * `path` of the failure, to see that failure again.
 *
 * `@fast-check/vitest` does the same, but builds every order of `only`, `skip`, `each` and so on when it is imported: 250 MB of small objects, through which the
 * collector went again with every simulation.
 *
 * @param parameters of `fc.assert`; the seed is drawn unless it is given
 */
export function prop<Values extends [unknown, ...unknown[]]>(arbitraries: { [Index in keyof Values]: fc.Arbitrary<Values[Index]> }, parameters: fc.Parameters<Values> = {}) {
  return (name: string, property: (...values: Values) => unknown, timeoutMs?: number): void => {
    const seed = parameters.seed ?? (Date.now() ^ (Math.random() * 2 ** 32)) | 0;
    const checked = fc.asyncProperty(...arbitraries, async (...values: Values) => (await property(...values)) as boolean | void);
    test(`${name} (with seed=${seed})`, () => fc.assert(checked, { ...parameters, seed }), timeoutMs);
  };
}
