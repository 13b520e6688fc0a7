import { createRequire } from 'node:module';
import yargs from 'yargs';
import type { CommandModule } from 'yargs';
import { asksForHelp, checkArguments } from './checkArguments.js';
import type { Command } from './command.js';
import { COMMANDS } from './commands/table.js';
import { EXIT_OK } from './exitCodes.js';
import { reportProblem } from './output.js';
import type { Terminal } from './output.js';

// Left to itself yargs gives the version of the project in whose node_modules the command lies.
const { version } = createRequire(import.meta.url)('xdp-sim/package.json') as { readonly version: string };

/** Runs one command line, without `node` and the script's name; gives the exit code. */
export async function runCommandLine(argv: readonly string[], terminal: Terminal): Promise<number> {
  const wrongUse = asksForHelp(argv) ? undefined : checkArguments(argv, COMMANDS);
  if (wrongUse !== undefined) return reportProblem(terminal, wrongUse);
  let exitCode: number = EXIT_OK;
  const parser = yargs([...argv])
    .scriptName('sim')
    .version(version)
    .usage('$0 COMMAND\n\nA software NIC and XDP simulator: what the kernel and the NIC would do to every packet.')
    .locale('en')
    .alias('help', 'h')
    .strict()
    .demandCommand(1)
    .parserConfiguration({ 'boolean-negation': false, 'greedy-arrays': false })
    .epilogue('sim COMMAND --help tells more about a command.')
    .exitProcess(false)
    // checkArguments has said all that a user can mend: what still gets here is a bug, or came from the command itself.
    .fail((message, error) => {
      throw error ?? new Error(message);
    });
  for (const command of COMMANDS) parser.command(yargsCommand(command, terminal, (code) => (exitCode = code)));
  await parser.parseAsync();
  return exitCode;
}

/** A command as yargs wants it. */
function yargsCommand(command: Command, terminal: Terminal, setExitCode: (code: number) => void): CommandModule {
  return {
    command: [command.name, ...command.positionals.map(([name], index) => `<${name}${isRepeatable(command, index) ? '..' : ''}>`)].join(' '),
    describe: command.describe,
    builder: (parser) => {
      for (const [name, describe] of command.positionals) parser.positional(name, { type: 'string', describe });
      for (const [commandLine, describe] of command.examples) parser.example(commandLine, describe);
      return parser.options(command.options).epilogue(command.epilogue);
    },
    handler: async (args) => setExitCode(await command.run(terminal, args)),
  };
}

function isRepeatable({ variadic, positionals }: Command, index: number): boolean {
  return variadic === true && index === positionals.length - 1;
}
