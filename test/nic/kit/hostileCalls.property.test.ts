import { expect, it } from 'vitest';
import { Rng } from '../../../src/base/index.js';
import type { Problem } from '../../../src/base/index.js';
import { DMA_BIDIRECTIONAL, r8169Xdp } from '../../../src/nic/index.js';
import type { XdpDriverFactory } from '../../../src/nic/index.js';
import { createSimulation } from '../../../src/sim/index.js';
import { captureOf } from '../../support/simulate.js';
import { EVERY_VERDICT, MIXED_VERDICTS, mixedFrames, r8169Settings } from './support.js';

const RUNS = 60;

type Call = (...args: unknown[]) => unknown;

/** The example driver, which now and then makes a call of the kernel's with arguments that are right, wrong or garbage. */
function wild(seed: number, isThrowing: boolean): XdpDriverFactory {
  const rng = new Rng(seed);
  const pick = <T>(list: readonly T[]): T => list[rng.below(list.length)];
  return (kernel, regs) => {
    const seen: unknown[] = [NaN, undefined, null, 'x', -1, 0, 1, 0.5, 64, 256, 4096, 2 ** 31, 2 ** 32 - 1, 2 ** 40, Infinity, {}, DMA_BIDIRECTIONAL, true, kernel.xdp_prog, kernel.rxq];
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(kernel)).filter((name) => name !== 'constructor' && name !== 'xdp_prog');
    const targets: [object, string][] = [
      ...names.map((name): [object, string] => [kernel, name]),
      ...['read8', 'read16', 'read32', 'write8', 'write16', 'write32'].flatMap((name): [object, string][] => [[regs, name], [kernel.packet, name]]),
    ];
    // What the example gives and gets is used for later calls, too.
    for (const name of names) {
      const call = (kernel as unknown as Record<string, Call>)[name].bind(kernel);
      (kernel as unknown as Record<string, Call>)[name] = (...args) => {
        const result = call(...args);
        for (const each of [...args, result]) if (seen.length < 400 && each !== undefined) seen.push(each);
        return result;
      };
    }
    const disturb = (): void => {
      for (let i = rng.below(4); i > 0; i--) {
        const [target, name] = pick(targets);
        try {
          (target as Record<string, Call>)[name](pick(seen), pick(seen), pick(seen), pick(seen));
        } catch (error) {
          if (isThrowing) throw error;
        }
      }
    };
    const driver = r8169Xdp(kernel, regs);
    const before = <A extends unknown[], R>(entry: (...args: A) => R) => (...args: A): R => (disturb(), entry(...args));
    return { open: before(() => driver.open()), stop: before(() => driver.stop()), interrupt: before(() => driver.interrupt()), poll: before((budget: number) => driver.poll(budget)), xdpXmit: before(driver.xdpXmit!.bind(driver)) };
  };
}

function problemsOf(isThrowing: boolean): Problem[] {
  const problems: Problem[] = [];
  for (let seed = 1; seed <= RUNS; seed++) {
    const made = createSimulation({ object: MIXED_VERDICTS, nic: r8169Settings({ rxRingSize: 32, txRingSize: 32 }), seed: 1, cpus: 1, driver: wild(seed, isThrowing) });
    const run = made.ok ? made.value.run(captureOf(mixedFrames(200, EVERY_VERDICT, 10))) : made;
    if (!run.ok) problems.push(run.problem);
  }
  return problems;
}

it('whatever a driver calls, nothing hangs, and what is thrown is a Problem', () => {
  const problems = problemsOf(true);
  expect(problems.length).toBeGreaterThan(RUNS / 2);
  for (const { code, message } of problems) if (code === 'driver-threw') expect(message).toContain('(hostileCalls.property.test.ts:');
});

it('whatever a driver calls, the run comes to its end when the driver catches what is thrown', () => {
  expect(problemsOf(false)).toEqual([]);
});
