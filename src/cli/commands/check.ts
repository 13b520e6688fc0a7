import { ok, parseKernelRelease } from '../../base/index.js';
import { openCaseFiles, SimulatorBackend } from '../../cases/index.js';
import { CASE_EPILOGUE, CASE_OPTIONS, CASE_POSITIONALS, runCaseCommand } from '../caseCommand.js';
import type { CaseArguments } from '../caseCommand.js';
import type { Command } from '../command.js';
import { reportProblem } from '../output.js';
import type { Terminal } from '../output.js';
import { KERNEL_OPTION } from '../targetKernelOptions.js';

/** `sim check FILE...`. */
export const checkCommand: Command = {
  name: 'check',
  describe: 'run case files in the simulator',
  positionals: CASE_POSITIONALS,
  variadic: true,
  options: { ...CASE_OPTIONS, ...KERNEL_OPTION },
  examples: [
    ['sim check cases.json', 'whether the program does what the cases expect'],
    ['sim check cases/*.json --junit report.xml', 'for CI'],
    ['sim check cases.json --record', 'take what it does now for what is expected'],
  ],
  epilogue: CASE_EPILOGUE,
  run: (terminal, args) => check(terminal, args as unknown as CaseArguments),
};

function check(terminal: Terminal, args: CaseArguments): number {
  const kernel = args.kernel === undefined ? ok(undefined) : parseKernelRelease(args.kernel, '--kernel');
  if (!kernel.ok) return reportProblem(terminal, kernel.problem);
  const files = openCaseFiles(args.file, args);
  return files.ok ? runCaseCommand(terminal, args, files.value, new SimulatorBackend({ kernel: kernel.value })) : reportProblem(terminal, files.problem);
}
