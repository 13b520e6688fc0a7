import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemReason } from '../base/index.js';
import type { Problem } from '../base/index.js';

/**
 * Makes the directories of files that are to be written, and looks at all files before the first is emptied: those of an earlier run may be
 * replaced, but never one that the run reads.
 *
 * Problems: `output-directory`, `output-in-the-way`, `output-is-input`.
 */
export function prepareOutputs(paths: readonly string[], inputs: readonly string[]): Problem | undefined {
  for (const path of paths) {
    const directory = dirname(path);
    try {
      makeDirectory(directory);
      const problem = checkReplaceable(path, inputs);
      if (problem !== undefined) return problem;
    } catch (error) {
      return { code: 'output-directory', where: directory, message: `can't be made or used as a directory: ${systemReason(error)}`, hint: 'choose another with --out' };
    }
  }
  return undefined;
}

/** Makes a directory with all that lead to it. mkdirSync can do so too, but never returns when it fails in /proc. */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  mkdirSync(path);
}

/** A file that is there already may be replaced when it is a plain file and none that the run reads. */
function checkReplaceable(path: string, inputs: readonly string[]): Problem | undefined {
  const there = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (there === undefined) return undefined;
  if (!there.isFile()) {
    return { code: 'output-in-the-way', where: path, message: 'this is no plain file, so no capture can be written there', hint: 'remove it or choose another directory with --out' };
  }
  for (const inputPath of inputs) {
    const input = statSync(inputPath, { bigint: true });
    if (there.dev !== input.dev || there.ino !== input.ino) continue;
    return { code: 'output-is-input', where: path, message: 'the run reads this file, so it is not overwritten', hint: 'choose another one, or another directory with --out' };
  }
  return undefined;
}
