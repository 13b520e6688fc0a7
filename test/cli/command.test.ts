import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import { bash, ensureBuilt, sim, SIM_SHELL } from '../support/simCommand.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

// The command as people and scripts use it: help, exit statuses, pipes, terminals.

beforeAll(ensureBuilt);
const folder = temporaryFolder();

const REFLECTOR = 'fixtures/programs/reflector/reflector.o';
const MIXED = 'fixtures/pcaps/mixed.pcap';
const RUN = `${SIM_SHELL} run ${REFLECTOR} --pcap ${MIXED}`;

// `script` gives a command a terminal of its own and passes on what it writes there.
const hasScript = existsSync('/usr/bin/script');
if (!hasScript) console.warn('SKIPPED: script(1) of util-linux is not installed, so nothing tests the command on a terminal');

describe('help', () => {
  it('lists the commands', async () => {
    for (const args of [['--help'], ['-h']]) {
      const { exitCode, stdout, stderr } = await sim(...args);
      expect(stdout).toContain('sim run <object..>');
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    }
  });

  it('of run names every option, the exit statuses and examples, on lines that fit', async () => {
    const { exitCode, stdout } = await sim('run', '--help');
    for (const option of ['pcap', 'prog', 'set', 'map', 'engine', 'budget', 'seed', 'nic', 'mode', 'queues', 'cpus', 'rx-ring', 'tx-ring', 'mtu', 'rx-usecs', 'xsk', 'json', 'out']) {
      expect(stdout).toMatch(new RegExp(`^ +--${option} `, 'm'));
    }
    const words = stdout.replace(/\s+/g, ' ');
    for (const text of [
      "(the NIC's default; its limits: sim nic show NAME)", '(10,000,000)', 'queues (4, or as many as the NIC has)', '1 to 256 (one a queue)', 'above what one buffer takes (plain: 3498)', 'SEC("xdp.frags")',
      'docs/report.md', 'l2fwd sends back', 'replaces stack, tx, xsk, xsk-tx and dropped.pcapng', 'jit, or interpreter, the reference', 'auto, as ip link set DEV xdp',
    ]) {
      expect(words).toContain(text);
    }
    expect(stdout).toMatch(/Exit status: 0 .* 1 .* 2 /s);
    expect(stdout).toContain('sim run prog.o --pcap trace.pcap');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(exitCode).toBe(0);
  });

  it('is English wherever it runs, as the rest of the output is', async () => {
    const { stdout } = await bash(`${SIM_SHELL} run --help`, { LC_ALL: 'de_DE.UTF-8', LANG: 'de_DE.UTF-8' });
    expect(stdout).toContain('Show help');
  });

  it('tells the version of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await sim('--version')).toMatchObject({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('exit status', () => {
  it('0: fine, the report on standard output and the speed on standard error', async () => {
    const { exitCode, stdout, stderr } = await sim('run', REFLECTOR, '--pcap', MIXED);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Audit: everything is accounted for');
    expect(stderr).toMatch(/^sim: 280 packets in \d+\.\d\d s, \d+(\.\d+)? [kM]?pps\n$/);
  });

  it('0: fine, as JSON', async () => {
    const { exitCode, stdout } = await sim('run', REFLECTOR, `--pcap=${MIXED}`, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, packets: { received: 280 }, audit: { ok: true } });
    expect(exitCode).toBe(0);
  });

  it('0: packets that are lost are no failure of the check', async () => {
    expect((await sim('run', REFLECTOR, '--pcap', 'fixtures/pcaps/jumbo.pcap')).exitCode).toBe(0);
  });

  it('1: a program that reads beyond the packet; instruction, source line, address and region are named', async () => {
    const { exitCode, stdout, stderr } = await sim('run', 'test/cli/objects/unchecked.o', '--pcap', MIXED);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/packet 1: \.\/unchecked\.c:10: load of 1 byte at r\d\+2000 = 0x[0-9a-f]+: \d+ bytes beyond the packet's end \(its length is 42\) \[insn \d+: r\d = \*\(u8 \*\)\(r\d \+2000\)\]/);
    expect(stdout).toMatch(/! program_fault +280 /);
    expect(stderr).toMatch(/^sim: 280 packets .*\nsim: FAILED: the program was stopped by a fault at 280 packets\n$/);
  });

  it('1: a program that follows a NULL pointer, in JSON', async () => {
    const { exitCode, stdout } = await sim('run', 'test/cli/objects/null_value.o', '--pcap', MIXED, '--json');
    expect(exitCode).toBe(1);
    const report = JSON.parse(stdout) as { fault_count: number; faults: object[]; outcomes: Record<string, number>; verdicts: Record<string, number> };
    expect(report.fault_count).toBe(280);
    expect(report.outcomes.program_fault).toBe(280);
    expect(Object.values(report.verdicts).every((count) => count === 0)).toBe(true);
    expect(report.faults[0]).toEqual({
      packet: 1,
      name: 'bad-access',
      program: 'null_value',
      insn: 7,
      insn_text: 'r1 = *(u64 *)(r0 +0)',
      source: './null_value.c:18',
      address: '0x0',
      region: 'NULL: a pointer that can be NULL was not tested, or a number was used as one',
      registers: expect.objectContaining({ 0: '0x0', length: 11 }),
      message: './null_value.c:18: load of 8 bytes at r0 = 0x0: NULL: a pointer that can be NULL was not tested, or a number was used as one [insn 7: r1 = *(u64 *)(r0 +0)]',
    });
  });

  it('1: a program that runs for too long', async () => {
    const { exitCode, stdout, stderr } = await sim('run', REFLECTOR, '--pcap', MIXED, '--budget', '5');
    expect(exitCode).toBe(1);
    expect(stderr.match(/used up its instruction budget at 16 packets/g)).toHaveLength(1);
    expect(stdout).toContain('still running after 5 instructions');
    expect(stdout).not.toContain('The kernel would refuse');
  });

  it('0: the budget suffices', async () => {
    expect((await sim('run', REFLECTOR, '--pcap', MIXED, '--budget', '200')).exitCode).toBe(0);
  });
});

describe('pipes', () => {
  it.each(['', '--json'])('a reader that has seen enough is no fault (%s)', async (format) => {
    const { exitCode, stdout, stderr } = await bash(`set -o pipefail; ${RUN} ${format} | head -n 1`);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toMatch(/^sim: 280 packets [^\n]*\n$/);
    expect(exitCode).toBe(0);
  });

  it('a reader that never reads is no fault either', async () => {
    const { exitCode, stderr } = await bash(`set -o pipefail; (sleep 0.2; ${RUN} --json) | true`);
    expect(stderr).toMatch(/^sim: 280 packets [^\n]*\n$/);
    expect(exitCode).toBe(0);
  });

  it('nobody reads standard error', async () => {
    const { exitCode, stdout } = await bash(`set -o pipefail; { sleep 0.2; ${RUN}; } 2> >(exec 0<&-) | tail -n 1`);
    expect(stdout).toContain('every hand-over came from the owner');
    expect(exitCode).toBe(0);
  });

  it.skipIf(!existsSync('/dev/full'))('a full disk is told, with exit status 2', async () => {
    const { exitCode, stderr } = await bash(`${RUN} > /dev/full`);
    expect(stderr).toMatch(/^sim: [^\n]*\n?sim: standard output: the disk is full[^\n]*\n$|^sim: standard output: the disk is full[^\n]*\n(sim: [^\n]*\n)?$/);
    expect(exitCode).toBe(2);
  });
});

describe.skipIf(!hasScript)('terminal', () => {
  const onTerminal = (line: string, env: Readonly<Record<string, string>> = {}): ReturnType<typeof bash> =>
    bash(`script -qec '${line}' /dev/null`, { NO_COLOR: '', TERM: 'xterm', ...env });

  it('headings are bold', async () => {
    expect((await onTerminal(RUN)).stdout).toContain('\u001b[1mVerdicts\u001b[0m');
  });

  it.each([[{ NO_COLOR: '1' }], [{ TERM: 'dumb' }]])('no escape sequences with %o', async (env) => {
    // Without standard error: a run that takes long draws its progress there.
    const { stdout } = await onTerminal(`${RUN} 2>/dev/null`, env);
    expect(stdout).toContain('Verdicts');
    expect(stdout).not.toContain('\u001b');
  });

  it('no escape sequences when the report goes elsewhere', async () => {
    const report = folder.at('report.txt');
    await onTerminal(`${RUN} > ${report}`);
    expect(readFileSync(report, 'utf8')).not.toContain('\u001b');
  });
});

describe('progress', () => {
  // A clock that is 20 ms later at each look makes every run a long one.
  const run = async (isTerminal: boolean, env: Readonly<Record<string, string>> = {}): Promise<{ out: string; err: string }> => {
    let out = '';
    let err = '';
    let tMs = 0;
    const exitCode = await runCommandLine(['run', REFLECTOR, '--pcap', MIXED], {
      out: { write: (text) => (out += text) },
      err: { isTTY: isTerminal, write: (text) => (err += text) },
      env,
      nowMs: () => (tMs += 20),
    });
    expect(exitCode).toBe(0);
    return { out, err };
  };

  it('is drawn over and over on a terminal, and removed at the end', async () => {
    const { out, err } = await run(true);
    const lines = err.split('\r\u001b[2K');
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.shift()).toBe('');
    expect(lines.pop()).toMatch(/^sim: 280 packets in \d+\.\d\d s, \d+ pps\n$/);
    const counts = lines.map((line) => Number(/^(\d+) packets, \d+\.\d s, \d+ pps$/.exec(line)?.[1]));
    expect(counts).toEqual([...new Set(counts)].sort((a, b) => a - b));
    expect(counts.at(-1)).toBeLessThanOrEqual(280);
    expect(out).not.toContain('\u001b');
  });

  it('is silent where standard error is no terminal, or one that can\'t erase', async () => {
    for (const { err } of [await run(false), await run(true, { TERM: 'dumb' })]) expect(err).toMatch(/^sim: 280 packets in [^\n]+\n$/);
  });
});

it('writes captures by destination and says where', async () => {
  const out = folder.at('a/b/ends');
  const { exitCode, stderr } = await sim('run', REFLECTOR, '--pcap', MIXED, '--out', out);
  expect(exitCode).toBe(0);
  expect(stderr).toContain(`sim: captures by destination are in ${out}\n`);
  for (const name of ['stack', 'tx', 'xsk', 'xsk-tx', 'dropped']) expect(existsSync(`${out}/${name}.pcapng`)).toBe(true);
});
