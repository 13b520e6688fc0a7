import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { guardDriver } from '../nic/index.js';
import type { XdpDriverFactory } from '../nic/index.js';

/** What a driver module exports. */
const EXPORT = 'createDriver';

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
  if (typeof factory === 'function') return ok(guardDriver(factory as XdpDriverFactory, path));
  const found = Object.keys(module);
  return fail({
    code: 'driver-export',
    where: path,
    message: `the module exports no function ${EXPORT}${found.length === 0 ? '' : `, only ${found.join(', ')}`}`,
    hint: `write: export const ${EXPORT} = (kernel, device) => ({ open() { ... }, ... }), see docs/write-a-driver.md`,
  });
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0];
}
