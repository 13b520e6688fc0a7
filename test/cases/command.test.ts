import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import { thisHost } from '../../src/replay/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { ARP } from './support.js';

const folder = temporaryFolder();
const SWITCH_DROP = `${process.cwd()}/fixtures/programs/switch_drop/switch_drop.o`;

/** Runs a command line in this process. */
async function sim(...argv: string[]) {
  let stdout = '';
  let stderr = '';
  const out = { write: (text: string) => (stdout += text) };
  const err = { write: (text: string) => (stderr += text) };
  const exitCode = await runCommandLine(argv, { out, err, env: {}, nowMs: () => 0 });
  return { exitCode, stdout, stderr };
}

function writeCases(name: string, cases: readonly object[]): string {
  return folder.write(name, JSON.stringify({ schema: 1, object: SWITCH_DROP, cases: cases.map((each, i) => ({ name: `case ${i}`, data_in: ARP, ...each })) }));
}

describe('sim check', () => {
  it('exits with 0 when all is as expected or nothing is', async () => {
    const path = writeCases('good.json', [{ expect: { retval: 2 } }, {}]);
    expect(await sim('check', path)).toEqual({
      exitCode: 0,
      stdout: `${path}\n  ok    case 0\n  --    case 1 (expects nothing)\n2 cases on the simulator: 1 ok, 0 failed, 1 not judged\n`,
      stderr: 'sim: 2 cases in 0.00 s\n',
    });
  });

  it('exits with 1 when a case fails', async () => {
    const { exitCode, stdout } = await sim('check', writeCases('failing.json', [{ expect: { retval: 1 } }]));
    expect(exitCode).toBe(1);
    expect(stdout).toContain('  FAIL  case 0\n          retval: expected 1, observed 2\n');
  });

  it.each([
    ['no/such/cases.json', /^sim: no\/such\/cases\.json: can't be read: .*; check the path and its permissions\n$/],
    ['fixtures/bad/README.md', /^sim: fixtures\/bad\/README\.md: is no JSON: .*; check commas and quotes\n$/],
  ])('exits with 2 when a file can not be used, and has run nothing: %s', async (path, message) => {
    const { exitCode, stdout, stderr } = await sim('check', writeCases('first.json', [{}]), path);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  it('exits with 2 when the object can not be loaded', async () => {
    const path = folder.write('no-object.json', JSON.stringify({ schema: 1, object: 'nope.o', cases: [] }));
    expect(await sim('check', path)).toMatchObject({ exitCode: 2, stderr: `sim: ${folder.at('nope.o')}: there is no such file; check the path\n` });
  });

  it('wants a file', async () => {
    expect(await sim('check')).toMatchObject({ exitCode: 2, stderr: 'sim: the file is missing; give it after sim check: case file (docs/cases.md), one or more\n' });
  });

  it('takes several files, and prints one report as JSON', async () => {
    const paths = [writeCases('one.json', [{ expect: { retval: 2 } }]), writeCases('two.json', [{ name: 'x', expect: { retval: 1 } }])];
    const { exitCode, stdout } = await sim('check', ...paths, '--json');
    const context = { data: 0, data_end: 42, data_meta: 0, ingress_ifindex: 0, rx_queue_index: 0, egress_ifindex: 0 };
    const globals = { drop_verdict: 1, passed: 1, dropped: 0, drop_all: false };
    const observed = { retval: 2, data_out: ARP, ctx_out: context, maps: {}, globals };
    expect(JSON.parse(stdout)).toEqual({
      schema: 1,
      backend: 'simulator',
      cases: [
        { file: paths[0], name: 'case 0', program: 'switch_drop', ok: true, observed, differences: [] },
        { file: paths[1], name: 'x', program: 'switch_drop', ok: false, observed, differences: [{ part: 'retval', expected: '1', observed: '2' }] },
      ],
      passed: 1,
      failed: 1,
      skipped: 0,
    });
    expect(exitCode).toBe(1);
  });

  it('records', async () => {
    const path = writeCases('record.json', [{ expect: { retval: 1 } }, { globals: { drop_all: true } }]);
    expect(await sim('check', path, '--record')).toMatchObject({ exitCode: 0, stderr: 'sim: recorded what the simulator does in 1 case file\nsim: 2 cases in 0.00 s\n' });
    expect(await sim('check', path)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(path, 'utf8')).toContain('"retval": 2');
  });

  it('writes JUnit XML, or says why not', async () => {
    const path = writeCases('junit.json', [{ expect: { retval: 1 } }]);
    expect(await sim('check', path, '--junit', folder.at('report.xml'))).toMatchObject({ exitCode: 1 });
    expect(readFileSync(folder.at('report.xml'), 'utf8')).toContain('<failure message="1 difference">retval: expected 1, observed 2</failure>');
    const { exitCode, stderr } = await sim('check', path, '--junit', folder.at('no/such/report.xml'));
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/report\.xml: can't be written: .*; check the directory\n$/);
  });
});

describe('sim replay', () => {
  /** Runs `body` on a machine that seems to be of another platform. */
  async function onPlatform<T>(platform: string, body: () => Promise<T>): Promise<T> {
    const host = thisHost as { platform: string };
    const { platform: own } = host;
    host.platform = platform;
    try {
      return await body();
    } finally {
      host.platform = own;
    }
  }

  it('without a kernel says in one line what is missing, and what else can be done', async () => {
    const path = writeCases('replay.json', [{ expect: { retval: 2 } }]);
    expect(await onPlatform('darwin', () => sim('replay', path))).toEqual({
      exitCode: 2,
      stdout: '',
      stderr:
        'sim: replay needs a Linux kernel, and this is darwin; run it on Linux, in a virtual machine for example; the simulator itself runs everywhere; ' +
        'or print the bpftool commands with --print-bpftool and run them where that is possible\n',
    });
  });

  it('prints the bpftool commands without a kernel', async () => {
    const path = writeCases('bpftool.json', [{ globals: { drop_all: true } }]);
    const { exitCode, stdout, stderr } = await onPlatform('darwin', () => sim('replay', path, '--print-bpftool'));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('bpftool prog run pinned "$pin/0"/\'switch_drop\' data_in "$work/data_in"');
  });

  withKernel('on this kernel', () => {
    it('prints what sim check prints, but for the name of the backend', async () => {
      const path = writeCases('both.json', [{ expect: { retval: 2 } }, { expect: { retval: 1, data_out: 'ff', globals: { passed: 2 } } }, { maps: { nope: [] } }, {}]);
      const [check, replay] = [await sim('check', path), await sim('replay', path)];
      expect(replay).toEqual({ ...check, stdout: check.stdout.replace('on the simulator', 'on the kernel') });
      expect(check).toMatchObject({ exitCode: 1 });
      const [checkJson, replayJson] = [await sim('check', path, '--json'), await sim('replay', path, '--json')];
      expect(JSON.parse(replayJson.stdout)).toEqual({ ...(JSON.parse(checkJson.stdout) as object), backend: 'kernel' });
    });
  });
});
