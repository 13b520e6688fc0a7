// The same programs on the same packets, in the running kernel and in the simulator: docs/differential.md.

import { differentialCommand } from '../dist/replay/differential/commandLine.js';

process.exitCode = await differentialCommand(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  nowMs: () => performance.now(),
  onInterrupt: (stop) => process.once('SIGINT', stop),
});
