import { inspectFile, inspectText } from '../../report/index.js';
import type { Command, OptionTable } from '../command.js';
import { EXIT_OK } from '../exitCodes.js';
import { headingStyle, reportProblem } from '../output.js';
import type { Terminal } from '../output.js';
import { KERNEL_OPTION, TARGET_KERNEL_OPTIONS } from '../targetKernelOptions.js';

const OPTIONS = {
  ...KERNEL_OPTION,
  ...TARGET_KERNEL_OPTIONS,
  json: { type: 'boolean', default: false, describe: 'print the report as JSON (docs/inspect.md)' },
} as const satisfies OptionTable;

interface InspectArguments {
  readonly object: string;
  readonly json: boolean;
  readonly btf?: string;
  readonly kconfig?: string;
  readonly kernel?: string;
}

/** `sim inspect OBJECT`. */
export const inspectCommand: Command = {
  name: 'inspect',
  describe: 'show what is in a BPF object, and whether it runs',
  positionals: [['object', 'compiled BPF object (clang -O2 -g -target bpf)']],
  options: OPTIONS,
  examples: [
    ['sim inspect prog.o', 'programs, maps, variables, types, needs'],
    ['sim inspect prog.o --json', 'for scripts'],
  ],
  epilogue: 'Exit status: 0 the object was read, whether or not its programs run; 2 wrong usage, or a file that can\'t be used.',
  run: (terminal, args) => inspect(terminal, args as unknown as InspectArguments),
};

function inspect(terminal: Terminal, { object, json, btf, kconfig, kernel }: InspectArguments): number {
  const report = inspectFile(object, { btf, kconfig, kernel });
  if (!report.ok) return reportProblem(terminal, report.problem);
  terminal.out.write(json ? `${JSON.stringify(report.value, undefined, 2)}\n` : inspectText(report.value, headingStyle(terminal)));
  return EXIT_OK;
}
