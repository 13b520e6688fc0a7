#!/usr/bin/env node
import { hideBin } from 'yargs/helpers';
import { systemReason } from '../base/index.js';
import { runCommandLine } from './commandLine.js';
import { EXIT_BUG, EXIT_USAGE } from './exitCodes.js';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that has seen enough, as in `sim run ... | head`, is no fault.
  if (error.code === 'EPIPE') return;
  process.stderr.write(`sim: standard output: ${systemReason(error)}; send it somewhere else\n`);
  process.exitCode = EXIT_USAGE;
});
// Nobody is left to be told.
process.stderr.on('error', () => {});

try {
  const exitCode = await runCommandLine(hideBin(process.argv), {
    out: process.stdout,
    err: process.stderr,
    env: process.env,
    nowMs: () => performance.now(),
  });
  process.exitCode ??= exitCode;
} catch (error) {
  process.stderr.write(`sim: this is a bug in xdp-sim, please report it with the input that shows it\n${(error as Error).stack ?? String(error)}\n`);
  process.exitCode = EXIT_BUG;
}
