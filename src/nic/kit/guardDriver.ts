import { fileURLToPath } from 'node:url';
import { ProblemError } from '../../base/index.js';
import type { XdpDriverFactory } from './xdpDriver.js';

/** What every driver has. */
const REQUIRED = ['open', 'stop', 'interrupt', 'poll'] as const;

/** Where the simulator's own modules lie: all of them, whether or not they are bundled. */
const OURS = /^.*\/(?:src|dist)\//.exec(fileURLToPath(import.meta.url))?.[0] ?? fileURLToPath(new URL('.', import.meta.url));

/**
 * The same driver, but what it throws is the author's to mend and no bug of the simulator: it is thrown on as a ProblemError `driver-threw`,
 * with the line where it happened; what is `async` is `driver-async`. Without a function that every driver has, it is `driver-incomplete`.
 *
 * @param name what to call it: the path of its module
 */
export function guardDriver(factory: XdpDriverFactory, name: string): XdpDriverFactory {
  const guard = <T>(entry: string, call: () => T): T => {
    try {
      return notPromised(entry, call());
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      throw new ProblemError({ code: 'driver-threw', where: `${name}, ${entry}()`, message: `${firstLine(error)}${placeOf(error)}`, hint: 'mend the driver; a driver may not throw' });
    }
  };
  const notPromised = <T>(entry: string, result: T): T => {
    if (!(result instanceof Promise)) return result;
    // Its error would come out of nowhere later.
    result.catch(() => {});
    throw new ProblemError({ code: 'driver-async', where: `${name}, ${entry}()`, message: 'gives a Promise, which nobody waits for', hint: 'write it without async and await: the kernel goes on as soon as it returns' });
  };
  return (kernel, device) => {
    const driver = guard('createDriver', () => factory(kernel, device));
    const missing = REQUIRED.filter((entry) => typeof driver?.[entry] !== 'function');
    if (missing.length > 0) {
      throw new ProblemError({
        code: 'driver-incomplete', where: name, message: `what createDriver gives has no function ${missing.join(', ')}`, hint: `a driver needs ${REQUIRED.join(', ')}`,
      });
    }
    return {
      open: () => guard('open', () => driver.open()),
      stop: () => guard('stop', () => driver.stop()),
      interrupt: () => guard('interrupt', () => driver.interrupt()),
      poll: (budget) => guard('poll', () => driver.poll(budget)),
      ...(driver.xdpXmit === undefined ? {} : { xdpXmit: (frames, count, flags) => guard('xdpXmit', () => driver.xdpXmit!(frames, count, flags)) }),
      ...(driver.statistics === undefined ? {} : { statistics: () => guard('statistics', () => driver.statistics!()) }),
    };
  };
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0];
}

/** ` (driver.js:12:5)`: the innermost line that isn't the simulator's, as far as the error knows. */
function placeOf(error: unknown): string {
  const frames = error instanceof Error ? (error.stack ?? '').split('\n').filter((line) => /:\d+:\d+\)?$/.test(line)) : [];
  const frame = frames.find((line) => !line.includes(OURS) && !line.includes('node:'));
  const place = frame === undefined ? null : /([^/\s(]+:\d+:\d+)\)?$/.exec(frame);
  return place === null ? '' : ` (${place[1]})`;
}
