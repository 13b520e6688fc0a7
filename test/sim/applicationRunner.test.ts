import { expect, it } from 'vitest';
import { ApplicationRunner } from '../../src/sim/applications/applicationRunner.js';
import { EventQueue } from '../../src/sim/eventQueue.js';
import type { XskApplicationFactory, XskApplicationHost } from '../../src/sim/index.js';
import type { XskSocket } from '../../src/xsk/index.js';

const socketOnQueue = (queueId: number): XskSocket => ({ ifindex: 2, queueId }) as XskSocket;

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

it.each([NaN, 99, -1, 2 ** 60])('can\'t be run at %s, and is told so at once', (tNs) => {
  expect(() => times((host) => host.wakeAt(tNs))).toThrow(`XskApplicationHost.wakeAt: ${tNs} ns is no time from now, 100 ns`);
});

it('is run at whole nanoseconds, and never at Infinity', () => {
  expect(times((host, run) => run === 1 && [Infinity, 120.5].forEach((tNs) => host.wakeAt(tNs)))).toEqual([-100, 100, 121]);
});

it('is stopped when it asks for the present time again and again', () => {
  const events = new EventQueue(100);
  new ApplicationRunner(events).start(7, socketOnQueue(3), (_socket, host) => ({ start: () => {}, run: () => host.wakeAt(host.nowNs) }));
  expect(() => {
    while (events.step());
  }).toThrow('AF_XDP application on interface 2, queue 3: it has asked to be run 10000000 times in a row while nothing happened on its socket; call wakeAt only');
});

it.each([
  ['no factory', undefined, 'it is no function that makes one'],
  ['nothing made', () => undefined, 'what was made has no function start'],
  ['no run', () => ({ start() {} }), 'what was made has no function run'],
  ['async start', () => ({ start: async () => {}, run() {} }), 'start(): gives a Promise, which nobody waits for'],
])('is refused when it is none: %s', (_name, factory, message) => {
  expect(() => new ApplicationRunner(new EventQueue(100)).start(7, socketOnQueue(3), factory as unknown as XskApplicationFactory)).toThrow(message);
});

it('is refused when its run waits for something, whose failure then troubles nobody', () => {
  const events = new EventQueue(100);
  new ApplicationRunner(events).start(7, socketOnQueue(3), () => ({ start: () => {}, run: () => Promise.reject(new Error('lost')) as unknown as undefined }));
  expect(() => events.step()).toThrow('run(): gives a Promise, which nobody waits for; write it without async and await');
});
