import type { Problem } from '../base/index.js';
import { netText, replayOverVeth } from '../replay/index.js';
import { prepareObject, ProgressLine } from '../report/index.js';
import { loadObjectFile, loadTargetKernel } from '../vm/index.js';
import type { OptionTable } from './command.js';
import { EXIT_FAILED, EXIT_OK } from './exitCodes.js';
import { reportProblem, tell } from './output.js';
import type { Terminal } from './output.js';

/** Options of `sim replay --net`, besides those of `sim replay`. */
export const NET_OPTIONS = {
  net: { type: 'boolean', default: false, describe: 'play a capture through a real veth pair, and through the simulated one; FILE is an object', group: 'Over a veth:' },
  pcap: { type: 'string', describe: 'capture to play, pcap or pcapng', group: 'Over a veth:' },
  prog: { type: 'string', describe: 'program to attach, when the object has several', group: 'Over a veth:' },
  mode: { type: 'string', describe: 'native (default) or generic', group: 'Over a veth:' },
  mtu: { type: 'number', describe: 'MTU of both ends (1500)', group: 'Over a veth:' },
  seed: { type: 'number', describe: 'seed of the simulator (1)', group: 'Over a veth:' },
  set: { type: 'string', array: true, nargs: 1, describe: 'VAR=VALUE: set a global variable on both sides', group: 'Over a veth:' },
  map: { type: 'string', array: true, nargs: 1, describe: 'NAME=FILE.json: fill a map on both sides', group: 'Over a veth:' },
  exclude: { type: 'string', array: true, nargs: 1, describe: 'maps.NAME or globals.NAME: differs by nature, not judged', group: 'Over a veth:' },
} as const satisfies OptionTable;

/** What yargs makes of NET_OPTIONS. */
export interface NetArguments {
  readonly net: boolean;
  readonly json: boolean;
  readonly btf?: string;
  readonly kconfig?: string;
  readonly pcap?: string;
  readonly prog?: string;
  readonly mode?: string;
  readonly mtu?: number;
  readonly seed?: number;
  readonly set?: readonly string[];
  readonly map?: readonly string[];
  readonly exclude?: readonly string[];
}

/** Why `--net` and its options can't be used like this; `undefined` when they can. */
export function checkNetArguments(args: NetArguments, files: readonly string[]): Problem | undefined {
  const own = (['pcap', 'prog', 'mode', 'mtu', 'seed', 'set', 'map', 'exclude'] as const).find((name) => args[name] !== undefined);
  const usage = (message: string, hint: string): Problem => ({ code: 'usage', message, hint });
  if (!args.net) return own === undefined ? undefined : usage(`--${own} goes with --net`, 'add --net, or leave it out');
  if (args.pcap === undefined) return usage('--net needs a capture', 'add --pcap FILE');
  if (files.length !== 1) return usage(`--net takes one object, not ${files.length} files`, 'e.g. sim replay --net prog.o --pcap trace.pcap');
  return undefined;
}

/** Plays a capture over a veth on both sides and tells what differs. Gives the exit code. */
export async function runNetReplay(terminal: Terminal, object: string, args: NetArguments): Promise<number> {
  const { err, env, nowMs } = terminal;
  const progress = new ProgressLine(err.isTTY === true && env.TERM !== 'dumb' ? (text) => err.write(text) : undefined, nowMs);
  const { set = [], map = [] } = args;
  const target = loadTargetKernel(args);
  if (!target.ok) return reportProblem(terminal, target.problem);
  const loadedObject = loadObjectFile(object, target.value);
  if (!loadedObject.ok) return reportProblem(terminal, loadedObject.problem);
  const result = await replayOverVeth({
    object: loadedObject.value,
    pcap: args.pcap ?? '',
    program: args.prog,
    mode: args.mode,
    mtu: args.mtu,
    seed: args.seed,
    exclude: args.exclude,
    prepare: (loaded) => prepareObject({ set, map }, loaded, 1, []),
    onProgress: (packets) => progress.update(packets),
  });
  const { elapsedMs } = progress;
  progress.clear();
  if (!result.ok) return reportProblem(terminal, result.problem);
  terminal.out.write(args.json ? `${JSON.stringify(result.value, undefined, 2)}\n` : netText(result.value));
  tell(terminal, `${(elapsedMs / 1000).toFixed(2)} s`);
  return result.value.ok ? EXIT_OK : EXIT_FAILED;
}
