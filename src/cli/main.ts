#!/usr/bin/env node
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { runCommand } from './commands/run.js';
import { EXIT_OK, EXIT_USAGE } from './exitCodes.js';
import type { Terminal } from './output.js';

const terminal: Terminal = { out: process.stdout, err: process.stderr, env: process.env, nowMs: () => performance.now() };

/** Runs one command line; gives the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT_OK;
  const setExitCode = (code: number): void => {
    exitCode = code;
  };
  await yargs([...argv])
    .scriptName('sim')
    .usage('$0 COMMAND\n\nA software NIC and XDP simulator: what the kernel and the NIC would do to every packet.')
    .command(runCommand(terminal, setExitCode))
    .demandCommand(1, 'say what to do, e.g. sim run prog.o --pcap trace.pcap')
    .strict()
    .recommendCommands()
    .parserConfiguration({ 'duplicate-arguments-array': false, 'greedy-arrays': false })
    .exitProcess(false)
    .fail((message, error) => {
      if (error !== undefined && error !== null) throw error;
      terminal.err.write(`sim: ${message}; sim --help tells more\n`);
      setExitCode(EXIT_USAGE);
    })
    .parseAsync();
  return exitCode;
}

process.exitCode = await main(hideBin(process.argv));
