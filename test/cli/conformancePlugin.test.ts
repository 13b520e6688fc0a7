import { beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import { bash, ensureBuilt, SIM_SHELL } from '../support/simCommand.js';

// The protocol of the bpf_conformance runner: memory as the first argument, the program on standard input, r0 on standard output.

beforeAll(ensureBuilt);

/** r0 = 42; exit, as the runner writes bytes. */
const FORTY_TWO = 'b7  00  00  00  2a  00  00  00  95  00  00  00  00  00  00  00  ';
/** r0 = *(u32 *)(r1 +1); exit */
const LOAD = '61 10 01 00 00 00 00 00 95 00 00 00 00 00 00 00';
/** r0 = -1; exit */
const MINUS_ONE = 'b7000000ffffffff9500000000000000';
/** r0 = 1; r0 /= 0; exit */
const DIVIDES_BY_ZERO = 'b700000001000000 3700000000000000 9500000000000000';

async function plugin(...argv: readonly string[]): Promise<{ readonly exitCode: number; readonly out: string; readonly err: string }> {
  let out = '';
  let err = '';
  const terminal = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) }, env: {}, nowMs: () => 0 };
  const exitCode = await runCommandLine(['conformance-plugin', ...argv], terminal);
  return { exitCode, out, err };
}

describe.each(['jit', 'interpreter'])('--engine %s', (engine) => {
  it('prints r0 in hex', async () => {
    expect(await plugin('', '--program', FORTY_TWO, '--engine', engine)).toEqual({ exitCode: 0, out: '2a\n', err: '' });
    expect(await plugin('', '--program', MINUS_ONE, '--engine', engine)).toEqual({ exitCode: 0, out: 'ffffffffffffffff\n', err: '' });
  });

  it('gives the program its memory', async () => {
    expect(await plugin('00  01  02  03  04  ', '--program', LOAD, '--engine', engine)).toEqual({ exitCode: 0, out: '4030201\n', err: '' });
  });

  it('tells why a program was stopped', async () => {
    const { exitCode, out, err } = await plugin('00 01', '--program', LOAD, '--engine', engine);
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
    expect(err).toMatch(/^sim: .*load of 4 bytes at r1\+1 .*insn 0.*\n$/);
  });

  it('reads the program from standard input', async () => {
    const { exitCode, stdout, stderr } = await bash(`echo '${FORTY_TWO}' | ${SIM_SHELL} conformance-plugin '' --engine ${engine}`);
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: '2a\n', stderr: '' });
  });
});

it('refuses what the kernel refuses only when it is asked to', async () => {
  expect(await plugin('', '--program', DIVIDES_BY_ZERO)).toMatchObject({ exitCode: 0, out: '0\n' });
  const { exitCode, out, err } = await plugin('', '--program', DIVIDES_BY_ZERO, '--rules', 'kernel');
  expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
  expect(err).toContain('div by zero');
});

it.each([
  ['memory that is not hex', ['xyz', '--program', FORTY_TWO], /the memory is not hex/],
  ['a program that is not hex', ['', '--program', 'b70'], /the program is not hex/],
  ['an ELF object', ['', '--elf', '--program', FORTY_TWO], /ELF objects are not supported here/],
  ['an engine that is not there', ['', '--engine', 'fast'], /--engine 'fast' is not there; there is: jit, interpreter/],
  ['rules that are not there', ['', '--rules', 'none'], /--rules 'none' is not there; there is: rfc, kernel/],
  ['no memory', ['--program', FORTY_TWO], /the memory is missing/],
])('wrong usage: %s', async (_name, argv, says) => {
  const { exitCode, out, err } = await plugin(...argv);
  expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
  expect(err).toMatch(says);
});
