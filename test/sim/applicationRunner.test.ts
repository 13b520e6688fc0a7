import { expect, it } from 'vitest';
import { ApplicationRunner } from '../../src/sim/applications/applicationRunner.js';
import { EventQueue } from '../../src/sim/eventQueue.js';
import type { XskApplicationHost } from '../../src/sim/index.js';
import type { XskSocket } from '../../src/xsk/index.js';

/** When an application that looks at nothing but the time has run, with what it does each time. */
function times(onRun: (host: XskApplicationHost, run: number) => void, after: (runner: ApplicationRunner) => void = () => {}): number[] {
  const events = new EventQueue(100);
  const runner = new ApplicationRunner(events);
  const runs: number[] = [];
  runner.start(7, {} as XskSocket, (_socket, host) => ({
    start: () => runs.push(-host.nowNs),
    run() {
      runs.push(host.nowNs);
      onRun(host, runs.length - 1);
    },
  }));
  after(runner);
  for (let steps = 0; events.step(); steps++) if (steps > 100) throw new Error('it goes on for ever');
  return runs;
}

it('starts at once, and runs when time begins to go on', () => {
  expect(times(() => {})).toEqual([-100, 100]);
});

it('runs when its socket is ready, and only then', () => {
  expect(times(() => {}, (runner) => [7, 8, 7].forEach((id) => runner.wake(id)))).toEqual([-100, 100, 100, 100]);
});

it('runs at the time that it asked for, and of several at the earliest', () => {
  expect(times((host, run) => run === 1 && [150, 120, 130].forEach((tNs) => host.wakeAt(tNs)))).toEqual([-100, 100, 120]);
});

it('can ask again, for the time of a request that was replaced, too', () => {
  expect(times((host, run) => {
    if (run === 1) [150, 120].forEach((tNs) => host.wakeAt(tNs));
    if (run === 2) host.wakeAt(150);
    if (run === 3) host.wakeAt(150);
  })).toEqual([-100, 100, 120, 150, 150]);
});
