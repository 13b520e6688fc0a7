import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { guardDriver } from '../nic/index.js';
import type { XdpDriverFactory } from '../nic/index.js';

/** What a driver module exports. */
const EXPORT = 'createDriver';
const HINT_EXPORT = `write: export const ${EXPORT} = (kernel, device) => ({ open() { ... }, ... }), see docs/write-a-driver.md`;

/**
 * Imports a driver that somebody wrote: an ES module with `export const createDriver = (kernel, device) => ({ open, stop, ... })`
 * (docs/write-a-driver.md). What it throws later is thrown on as a ProblemError `driver-threw`, with the line where it happened. Problems:
 * `driver-module`, when it can't be imported, `driver-export`, when it exports no such function; `driver-incomplete` comes when it is called.
 */
export async function loadDriverModule(path: string): Promise<Result<XdpDriverFactory>> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory() === true) return fail({ code: 'driver-module', where: path, message: 'this is a directory', hint: 'give the file of the driver in it' });
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await importModule(path);
  } catch (error) {
    return fail({
      code: 'driver-module',
      where: path,
      message: stats !== undefined ? `the driver can't be imported: ${firstLine(error)}` : 'there is no such file',
      hint: hintFor(path, error),
    });
  }
  const factory = module[EXPORT];
  if (typeof factory === 'function') return ok(guardDriver(factory as XdpDriverFactory, path));
  if (factory !== undefined) return fail({ code: 'driver-export', where: path, message: `${EXPORT} is no function`, hint: HINT_EXPORT });
  const found = Object.keys(module);
  return fail({
    code: 'driver-export',
    where: path,
    message: `the module exports no function ${EXPORT}${found.length === 0 ? '' : `, only ${found.join(', ')}`}`,
    hint: HINT_EXPORT,
  });
}

async function importModule(path: string): Promise<Readonly<Record<string, unknown>>> {
  let giveUp = (): void => {};
  // Node.js leaves without a word when a module awaits what never comes.
  const neverEnds = new Promise<never>((_resolve, reject) => {
    giveUp = () => reject(new Error('it awaits something that never comes'));
    process.once('beforeExit', giveUp);
  });
  try {
    return (await Promise.race([import(pathToFileURL(resolve(path)).href), neverEnds])) as Readonly<Record<string, unknown>>;
  } finally {
    process.off('beforeExit', giveUp);
  }
}

function hintFor(path: string, error: unknown): string {
  if (/\.[cm]?ts$/.test(path)) return 'compile it first (tsc), and give the .js file';
  if (firstLine(error).startsWith("Cannot find package 'xdp-sim'")) return 'put the file into a project that has xdp-sim (npm install PATH-OF-XDP-SIM), or below the folder of xdp-sim itself';
  return 'give an ES module (.mjs, or .js beside a package.json with "type": "module")';
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0];
}
