import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const MAIN = 'dist/cli/main.js';
/** One of the test files that need the build makes it; the others wait. */
const BUILD_LOCK = 'node_modules/.sim-build-lock';

/** What one call of the command gave. */
export interface SimResult {
  readonly exitCode: number | null;
  /** Not null when the command was killed, e.g. because it took too long. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest time that a call may take, ms. */
const TIMEOUT_MS = 40_000;

/** `node dist/cli/main.js`, for shell command lines. */
export const SIM_SHELL = `"${process.execPath}" ${MAIN}`;

/** Makes sure that the command is built: `npm ci` did it, unless somebody removed dist. */
export async function ensureBuilt(): Promise<void> {
  for (;;) {
    if (existsSync(BUILD_LOCK)) {
      await sleep(100);
      continue;
    }
    if (existsSync(MAIN)) return;
    try {
      mkdirSync(BUILD_LOCK);
    } catch {
      continue;
    }
    try {
      const built = spawnSync('npm', ['run', 'build'], { encoding: 'utf8' });
      if (!existsSync(MAIN)) throw new Error(`npm run build failed:\n${built.stdout}${built.stderr}`);
    } finally {
      rmdirSync(BUILD_LOCK);
    }
  }
}

/** Runs the built command as a shell would, without a terminal. */
export function sim(...args: readonly string[]): Promise<SimResult> {
  return run(process.execPath, [MAIN, ...args]);
}

/** Runs a line of bash; `pipefail` is off. */
export function bash(line: string, env: Readonly<Record<string, string>> = {}): Promise<SimResult> {
  return run('bash', ['-c', line], env);
}

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<SimResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
}
