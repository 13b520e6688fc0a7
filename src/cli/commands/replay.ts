import type { Problem } from '../../base/index.js';
import { openCaseFiles } from '../../cases/index.js';
import { bpftoolScript, KernelBackend, probeKernel } from '../../replay/index.js';
import { checkNetArguments, NET_OPTIONS, runNetReplay } from '../netReplay.js';
import type { NetArguments } from '../netReplay.js';
import { CASE_EPILOGUE, CASE_OPTIONS, CASE_POSITIONALS, runCaseCommand } from '../caseCommand.js';
import type { CaseArguments } from '../caseCommand.js';
import type { Command, OptionTable } from '../command.js';
import { EXIT_OK } from '../exitCodes.js';
import { reportProblem } from '../output.js';
import type { Terminal } from '../output.js';

const OPTIONS = {
  ...CASE_OPTIONS,
  ...NET_OPTIONS,
  'print-bpftool': { type: 'boolean', default: false, describe: 'print the same as a shell script of bpftool commands, and run nothing' },
} as const satisfies OptionTable;

type ReplayArguments = CaseArguments & NetArguments & { readonly printBpftool: boolean };

/** `sim replay FILE...`. */
export const replayCommand: Command = {
  name: 'replay',
  describe: 'run case files on the running kernel, or a capture over a real veth',
  positionals: CASE_POSITIONALS,
  variadic: true,
  options: OPTIONS,
  examples: [
    ['sudo sim replay cases.json', 'whether the kernel does what the cases expect'],
    ['sim replay cases.json --print-bpftool > replay.sh', 'for a machine without sim'],
    ['sudo sim replay --net prog.o --pcap trace.pcap', 'the whole way, over a veth pair (docs/replay-net.md)'],
  ],
  epilogue: CASE_EPILOGUE,
  run: (terminal, args) => replay(terminal, args as unknown as ReplayArguments),
};

async function replay(terminal: Terminal, args: ReplayArguments): Promise<number> {
  const wrongUse = checkNetArguments(args, args.file);
  if (wrongUse !== undefined) return reportProblem(terminal, wrongUse);
  if (args.net) return runNetReplay(terminal, args.file[0], args);
  const files = openCaseFiles(args.file, args);
  if (!files.ok) return reportProblem(terminal, files.problem);
  if (args.printBpftool) {
    terminal.out.write(bpftoolScript(files.value));
    return EXIT_OK;
  }
  const kernel = await probeKernel();
  return kernel.ok ? runCaseCommand(terminal, args, files.value, new KernelBackend(kernel.value)) : reportProblem(terminal, withWayOut(kernel.problem));
}

function withWayOut(problem: Problem): Problem {
  const wayOut = 'or print the bpftool commands with --print-bpftool and run them where that is possible';
  return { ...problem, hint: problem.hint === undefined ? wayOut : `${problem.hint}; ${wayOut}` };
}
