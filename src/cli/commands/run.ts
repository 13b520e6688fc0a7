import type { Argv, CommandModule } from 'yargs';
import { PROFILES } from '../../nic/index.js';
import { isClean, ProgressLine, runCapture, RUN_DEFAULTS, runText, speed, XSK_MODES } from '../../report/index.js';
import { EXIT_FAILED, EXIT_OK } from '../exitCodes.js';
import { headingStyle, reportProblem } from '../output.js';
import type { Terminal } from '../output.js';

interface RunArguments {
  readonly object: string;
  readonly pcap: string;
  readonly prog: string | undefined;
  readonly nic: string;
  readonly mode: string;
  readonly engine: string;
  readonly queues: number;
  readonly cpus: number | undefined;
  readonly rxRing: number | undefined;
  readonly txRing: number | undefined;
  readonly mtu: number;
  readonly rxUsecs: number;
  readonly seed: number;
  readonly set: readonly string[];
  readonly map: readonly string[];
  readonly xsk: string;
  readonly budget: number | undefined;
  readonly out: string | undefined;
  readonly json: boolean;
}

/** `sim run OBJ --pcap FILE`. */
export function runCommand(terminal: Terminal, setExitCode: (code: number) => void): CommandModule<object, RunArguments> {
  return {
    command: 'run <object>',
    describe: 'run an XDP program over a capture, through a NIC',
    builder: buildArguments,
    handler: (args) => setExitCode(run(terminal, args)),
  };
}

function buildArguments(yargs: Argv): Argv<RunArguments> {
  return yargs
    .positional('object', { type: 'string', demandOption: true, describe: 'compiled BPF object (clang -target bpf)' })
    .option('pcap', { type: 'string', demandOption: true, requiresArg: true, describe: 'capture, pcap or pcapng' })
    .option('prog', { type: 'string', requiresArg: true, describe: 'program to attach, when the object has several' })
    .option('nic', { type: 'string', requiresArg: true, default: RUN_DEFAULTS.nic as string, describe: `NIC profile: ${PROFILES.map(({ name }) => name).join(', ')}` })
    .option('mode', { type: 'string', requiresArg: true, default: RUN_DEFAULTS.mode as string, describe: 'auto, native, generic or offload' })
    .option('engine', { type: 'string', requiresArg: true, default: RUN_DEFAULTS.engine as string, describe: 'interpreter or jit' })
    .option('queues', { type: 'number', requiresArg: true, default: RUN_DEFAULTS.queues as number, describe: 'receive and transmit queues' })
    .option('cpus', { type: 'number', requiresArg: true, describe: 'CPUs that per-CPU maps have values for (default: one a queue)' })
    .option('rx-ring', { type: 'number', requiresArg: true, describe: 'RX descriptors of a queue' })
    .option('tx-ring', { type: 'number', requiresArg: true, describe: 'TX descriptors of a queue' })
    .option('mtu', { type: 'number', requiresArg: true, default: RUN_DEFAULTS.mtu as number, describe: 'MTU of the NIC' })
    .option('rx-usecs', { type: 'number', requiresArg: true, default: RUN_DEFAULTS.rxUsecs as number, describe: 'interrupt moderation, microseconds' })
    .option('seed', { type: 'number', requiresArg: true, default: RUN_DEFAULTS.seed as number, describe: 'seed of all randomness' })
    .option('set', { type: 'string', array: true, requiresArg: true, nargs: 1, default: [] as string[], describe: 'VAR=VALUE: set a global variable' })
    .option('map', { type: 'string', array: true, requiresArg: true, nargs: 1, default: [] as string[], describe: 'NAME=FILE.json: fill a map' })
    .option('xsk', { type: 'string', requiresArg: true, default: RUN_DEFAULTS.xsk as string, describe: `AF_XDP application on every queue: ${XSK_MODES.join(', ')}` })
    .option('budget', { type: 'number', requiresArg: true, describe: 'instructions that one packet may cost' })
    .option('out', { type: 'string', requiresArg: true, describe: 'directory for pcapng files by destination' })
    .option('json', { type: 'boolean', default: false, describe: 'print the report as JSON' }) as unknown as Argv<RunArguments>;
}

function run(terminal: Terminal, args: RunArguments): number {
  const progress = new ProgressLine(terminal.err, terminal.nowMs);
  const result = runCapture({ ...args, program: args.prog, instructionBudget: args.budget }, (packets) => progress.update(packets));
  progress.clear();
  if (!result.ok) return reportProblem(terminal, result.problem);
  const report = result.value;
  terminal.out.write(args.json ? `${JSON.stringify(report, undefined, 2)}\n` : runText(report, headingStyle(terminal)));
  terminal.err.write(`sim: ${report.packets.received} packets in ${(progress.elapsedMs / 1000).toFixed(2)} s, ${speed(report.packets.received, progress.elapsedMs)}\n`);
  return isClean(report) ? EXIT_OK : EXIT_FAILED;
}
