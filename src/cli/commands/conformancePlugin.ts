import { readFileSync } from 'node:fs';
import { formatProblem, fromHex } from '../../base/index.js';
import { runOnMemory } from '../../vm/index.js';
import type { Command, OptionTable } from '../command.js';
import { EXIT_FAILED, EXIT_OK } from '../exitCodes.js';
import { reportProblem, tell } from '../output.js';
import type { Terminal } from '../output.js';

const ENGINES = ['jit', 'interpreter'] as const;
const RULES = ['rfc', 'kernel'] as const;

const OPTIONS = {
  engine: { type: 'string', default: ENGINES[0], describe: 'what runs the program: jit or interpreter' },
  rules: { type: 'string', default: RULES[0], describe: 'rfc or kernel: which programs are refused: those that RFC 9669 has no meaning for, or also those that the kernel refuses for their form' },
  program: { type: 'string', describe: 'the program as hex bytes (standard input)' },
  elf: { type: 'boolean', describe: 'the program is an ELF object; not supported, and said so' },
} as const satisfies OptionTable;

interface PluginArguments {
  readonly memory: string;
  readonly engine: string;
  readonly rules: string;
  readonly program?: string;
  readonly elf?: boolean;
}

/** `sim conformance-plugin MEMORY`: one program of the bpf_conformance suite (docs/conformance.md). */
export const conformancePluginCommand: Command = {
  name: 'conformance-plugin',
  describe: 'run one bare BPF program, as a plugin of the bpf_conformance runner',
  positionals: [['memory', 'memory that r1 points to, as hex bytes; "" for none']],
  options: OPTIONS,
  examples: [['echo b7 00 00 00 2a 00 00 00 95 00 00 00 00 00 00 00 | sim conformance-plugin ""', 'prints 2a']],
  epilogue: 'Prints r0 in hex. Exit status: 0 the program came to its end; 1 it was refused or stopped, the reason is on standard error; 2 wrong usage. docs/conformance.md shows how the runner calls it.',
  run: (terminal, args) => conformancePlugin(terminal, args as unknown as PluginArguments),
};

function conformancePlugin(terminal: Terminal, { memory, program, elf, ...args }: PluginArguments): number {
  const engine = ENGINES.find((name) => name === args.engine);
  if (engine === undefined) return notOneOf(terminal, '--engine', args.engine, ENGINES);
  const rules = RULES.find((name) => name === args.rules);
  if (rules === undefined) return notOneOf(terminal, '--rules', args.rules, RULES);
  if (elf === true) return reportProblem(terminal, { code: 'unsupported-elf', message: '--elf: programs in ELF objects are not supported here', hint: 'run the suite without --elf' });
  const bytes = fromHex(memory);
  if (bytes === undefined) return notHex(terminal, 'the memory');
  const text = fromHex(program ?? readFileSync(process.stdin.fd, 'utf8'));
  if (text === undefined) return notHex(terminal, 'the program');
  const result = runOnMemory(text, bytes, { engine, rules });
  if (result.ok) {
    terminal.out.write(`${result.value.toString(16)}\n`);
    return EXIT_OK;
  }
  tell(terminal, formatProblem(result.problem));
  return EXIT_FAILED;
}

function notOneOf(terminal: Terminal, flag: string, value: string, names: readonly string[]): number {
  return reportProblem(terminal, { code: 'usage', message: `${flag} '${value}' is not there`, hint: `there is: ${names.join(', ')}` });
}

function notHex(terminal: Terminal, what: string): number {
  return reportProblem(terminal, { code: 'usage', message: `${what} is not hex`, hint: 'write two hex digits a byte, spaces where you like' });
}
