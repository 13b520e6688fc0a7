import { disasmFile } from '../../report/index.js';
import type { Command, OptionTable } from '../command.js';
import { EXIT_OK } from '../exitCodes.js';
import { headingStyle, reportProblem } from '../output.js';
import type { Terminal } from '../output.js';
import { TARGET_KERNEL_OPTIONS } from '../targetKernelOptions.js';

const OPTIONS = {
  ...TARGET_KERNEL_OPTIONS,
  prog: { type: 'string', describe: 'program to show (all)' },
} as const satisfies OptionTable;

interface DisasmArguments {
  readonly object: string;
  readonly prog?: string;
  readonly btf?: string;
  readonly kconfig?: string;
}

/** `sim disasm OBJECT`. */
export const disasmCommand: Command = {
  name: 'disasm',
  describe: 'show the instructions of a BPF object with their source',
  positionals: [['object', 'compiled BPF object (clang -O2 -g -target bpf)']],
  options: OPTIONS,
  examples: [['sim disasm prog.o --prog main', 'the instructions of one program']],
  epilogue: 'Exit status: 0 fine; 2 wrong usage, or a file that can\'t be used.',
  run: (terminal, args) => disasm(terminal, args as unknown as DisasmArguments),
};

function disasm(terminal: Terminal, { object, prog, btf, kconfig }: DisasmArguments): number {
  const text = disasmFile(object, prog, headingStyle(terminal), { btf, kconfig });
  if (!text.ok) return reportProblem(terminal, text.problem);
  terminal.out.write(text.value);
  return EXIT_OK;
}
