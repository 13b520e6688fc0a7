import type { ArgumentsCamelCase, InferredOptionTypes } from 'yargs';
import { counted, isScenarioClean, packetWay, ProgressLine, runScenario, scenarioText, scenarioVerdict, speed } from '../../report/index.js';
import type { Problem } from '../../base/index.js';
import type { Command, OptionTable } from '../command.js';
import { EXIT_FAILED, EXIT_OK } from '../exitCodes.js';
import { headingStyle, reportProblem, tell } from '../output.js';
import type { Terminal } from '../output.js';

const OPTIONS = {
  seed: { type: 'number', describe: "seed of all randomness, in place of the file's" },
  packet: { type: 'number', describe: 'NUMBER: the way of this packet through all hosts, in place of the report' },
  'rings-at': { type: 'string', describe: 'TIME[,TIME] or packet:N: show the rings of all AF_XDP sockets at these moments, such as 1.5ms,packet:12, see docs/af-xdp.md' },
  json: { type: 'boolean', default: false, describe: 'print the report as JSON' },
  out: { type: 'string', describe: 'directory for what each NIC sends, HOST.NIC.pcapng, made if need be' },
} as const satisfies OptionTable;

/** What yargs makes of OPTIONS. */
type ScenarioArguments = ArgumentsCamelCase<InferredOptionTypes<typeof OPTIONS>> & { readonly scenario: string };

/** `sim scenario FILE.json`. */
export const scenarioCommand: Command = {
  name: 'scenario',
  describe: 'run several hosts and NICs that are joined by links, as a file describes them',
  positionals: [['scenario', 'scenario file, see docs/scenario.md']],
  options: OPTIONS,
  examples: [
    ['sim scenario lab.json', 'see what each host did, and each link'],
    ['sim scenario lab.json --packet 1', 'follow one packet from host to host'],
    ['sim scenario lab.json --json', 'for scripts and diffs'],
  ],
  epilogue: "Exit status: 0 fine; 1 a program faulted or an audit failed; 2 wrong usage, a packet that is not there, or a file that can't be used.",
  run: (terminal, args) => run(terminal, args as unknown as ScenarioArguments),
};

function run(terminal: Terminal, args: ScenarioArguments): number {
  const { err, env, nowMs } = terminal;
  const problem = checkPacket(args);
  if (problem !== undefined) return reportProblem(terminal, problem);
  const progress = new ProgressLine(err.isTTY === true && env.TERM !== 'dumb' ? (text) => err.write(text) : undefined, nowMs);
  const result = runScenario(args, (packets) => progress.update(packets));
  const { elapsedMs } = progress;
  progress.clear();
  if (!result.ok) return reportProblem(terminal, result.problem);
  const report = result.value;
  const way = args.packet === undefined ? undefined : packetWay(report, args.packet);
  if (way?.ok === false) return reportProblem(terminal, way.problem);
  if (args.json) terminal.out.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else if (way !== undefined) terminal.out.write(`${way.value.join('\n')}\n`);
  else terminal.out.write(scenarioText(report, headingStyle(terminal)));
  if (args.out !== undefined) tell(terminal, `what the NICs sent is in ${args.out}`);
  tell(terminal, `${counted(report.packets.received, 'packet')} in ${(elapsedMs / 1000).toFixed(2)} s, ${speed(report.packets.received, elapsedMs)}`);
  if (isScenarioClean(report)) return EXIT_OK;
  tell(terminal, scenarioVerdict(report));
  return EXIT_FAILED;
}

function checkPacket({ packet, json, ringsAt }: ScenarioArguments): Problem | undefined {
  if (packet === undefined) return undefined;
  const where = '--packet';
  if (!Number.isInteger(packet) || packet < 1) return { code: 'bad-number', where, message: `${packet} is no packet`, hint: 'use a whole number from 1' };
  if (json) return { code: 'packet-or-json', where, message: 'the way of a packet is not printed as JSON', hint: 'keep one of --packet and --json; the steps of all packets are in the journal of --json' };
  if (ringsAt !== undefined) return { code: 'packet-or-rings-at', where, message: 'the way of a packet comes in place of the report, which the rings are in', hint: 'keep one of --packet and --rings-at' };
  return undefined;
}
