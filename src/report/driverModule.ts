import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fail, ok, ProblemError } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { XdpDriverFactory } from '../nic/index.js';

/** What a driver module exports. */
const EXPORT = 'createDriver';

/** What every driver has. */
const REQUIRED = ['open', 'stop', 'interrupt', 'poll'] as const;

/**
 * Imports a driver that somebody wrote: an ES module with `export const createDriver = (kernel, device) => ({ open, stop, ... })`
 * (docs/write-a-driver.md). What it throws later is thrown on as a ProblemError `driver-threw`, with the line where it happened. Problems:
 * `driver-module`, when it can't be imported, `driver-export`, when it exports no such function; `driver-incomplete` comes when it is called.
 */
export async function loadDriverModule(path: string): Promise<Result<XdpDriverFactory>> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    const isTypeScript = /\.[cm]?ts$/.test(path);
    return fail({
      code: 'driver-module',
      where: path,
      message: existsSync(path) ? `the driver can't be imported: ${firstLine(error)}` : 'there is no such file',
      hint: isTypeScript ? 'compile it first (tsc), and give the .js file' : 'give an ES module (.mjs, or .js beside a package.json with "type": "module")',
    });
  }
  const factory = module[EXPORT];
  if (typeof factory === 'function') return ok(guarded(factory as XdpDriverFactory, path));
  const found = Object.keys(module);
  return fail({
    code: 'driver-export',
    where: path,
    message: `the module exports no function ${EXPORT}${found.length === 0 ? '' : `, only ${found.join(', ')}`}`,
    hint: `write: export const ${EXPORT} = (kernel, device) => ({ open() { ... }, ... }), see docs/write-a-driver.md`,
  });
}

/** The same driver, but what it throws is the author's to mend and no bug of the simulator. */
function guarded(factory: XdpDriverFactory, path: string): XdpDriverFactory {
  const guard = <T>(entry: string, call: () => T): T => {
    try {
      return call();
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      throw new ProblemError({ code: 'driver-threw', where: `${path}, ${entry}()`, message: `${firstLine(error)}${placeOf(error)}`, hint: 'mend the driver; a driver may not throw' });
    }
  };
  return (kernel, device) => {
    const driver = guard(EXPORT, () => factory(kernel, device));
    const missing = REQUIRED.filter((entry) => typeof driver?.[entry] !== 'function');
    if (missing.length > 0) {
      throw new ProblemError({
        code: 'driver-incomplete', where: path, message: `what ${EXPORT} gives has no function ${missing.join(', ')}`, hint: `a driver needs ${REQUIRED.join(', ')}`,
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

/** ` (driver.js:12:5)`, as far as the error knows. */
function placeOf(error: unknown): string {
  const place = error instanceof Error ? /([^/\s(]+:\d+:\d+)\)?$/m.exec(error.stack ?? '') : null;
  return place === null ? '' : ` (${place[1]})`;
}
