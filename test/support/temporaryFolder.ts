import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** A folder for the files of one test file, removed at its end. */
export interface TemporaryFolder {
  readonly path: string;
  /** Path of a name in it. */
  at(name: string): string;
  /** Writes a file; gives its path. */
  write(name: string, contents: string | Uint8Array): string;
}

/** Call it at the top of a test file. */
export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), 'xdp-sim-'));
  afterAll(() => rmSync(path, { recursive: true }));
  const at = (name: string): string => join(path, name);
  return {
    path,
    at,
    write(name, contents) {
      writeFileSync(at(name), contents);
      return at(name);
    },
  };
}
