import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt } from '../support/simCommand.js';

const OBJECTS = ['count_hash', 'dnat', 'reflector', 'meta_writer', 'tx_contract', 'xsk_redirect'];
/** What a consumer has besides vitest; taken from here, so that the test needs no network. */
const DEPENDENCIES = ['fast-check', 'typescript', 'yargs', '@types'];

/** Folders with a vitest in their node_modules, by its major version: this repository has one, .ci/run installs the other. */
const VITEST: readonly (readonly [major: string, folder: string])[] = [['4', '.'], ...(process.env.XDP_SIM_VITEST5 === undefined ? [] : [['5', process.env.XDP_SIM_VITEST5] as const])];
if (process.env.XDP_SIM_VITEST5 === undefined) console.warn('SKIPPED: a project with vitest 5; to run it, npm install vitest@5 in another folder and set XDP_SIM_VITEST5 to that folder');

// The packed tarball, as a registry would have it.
const pack = mkdtempSync(join(tmpdir(), 'xdp-sim-pack-'));
let tarball: string;
beforeAll(async () => {
  await ensureBuilt();
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', pack], { encoding: 'utf8' })) as [{ filename: string }];
  tarball = join(pack, filename);
}, 300_000);

afterAll(() => rmSync(pack, { recursive: true }));

describe.each(VITEST)('a project that has xdp-sim from its tarball, and vitest %s', (major, vitestFolder) => {
  const root = mkdtempSync(join(tmpdir(), 'xdp-sim-consumer-'));
  const modules = join(root, 'node_modules');
  const run = (args: readonly string[]) => spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', timeout: 180_000, env: { ...process.env, NO_COLOR: '1', CI: 'true', FORCE_COLOR: '0', VITEST: '', VITEST_WORKER_ID: '' } });

  // As it is made from scratch.
  beforeAll(() => {
    mkdirSync(join(modules, 'xdp-sim'), { recursive: true });
    execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'xdp-sim')]);
    symlinkSync(resolve(vitestFolder, 'node_modules/vitest'), join(modules, 'vitest'));
    for (const name of DEPENDENCIES) symlinkSync(resolve('node_modules', name), join(modules, name));
    cpSync('fixtures/consumer', root, { recursive: true });
    mkdirSync(join(root, 'objects'));
    for (const name of OBJECTS) cpSync(`fixtures/programs/${name}/${name}.o`, join(root, 'objects', `${name}.o`));
  });

  afterAll(() => rmSync(root, { recursive: true }));

  it('is about that version', () => {
    const { version } = JSON.parse(readFileSync(join(modules, 'vitest/package.json'), 'utf8')) as { version: string };
    expect(version.split('.')[0]).toBe(major);
  });

  it('has every door of the package, with its types', () => {
    const { exports } = JSON.parse(readFileSync(join(modules, 'xdp-sim/package.json'), 'utf8')) as { exports: Record<string, string | Record<string, string>> };
    const files = Object.values(exports).flatMap((door) => (typeof door === 'string' ? [door] : Object.values(door)));
    for (const file of files) expect(readdirSync(join(modules, 'xdp-sim', file, '..')), file).toContain(file.split('/').pop());
  });

  it('runs a unit test, a property test, a snapshot, a contract test, an AF_XDP test and misspelt names', () => {
    const { status, stdout, stderr } = run([join(modules, 'vitest/vitest.mjs'), 'run', '--reporter=verbose']);
    expect(`${stdout}${stderr}`).not.toContain('FAIL');
    expect(status, `${stdout}${stderr}`).toBe(0);
    for (const file of ['unit', 'property', 'snapshot', 'contract', 'afXdp', 'types']) expect(stdout).toContain(`test/${file}.test.ts`);
  });

  it('is type-checked under strict and nodenext', () => {
    const { status, stdout } = run([join(modules, 'typescript/bin/tsc'), '--noEmit']);
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it('has the command, which tells its own version and not that of the project', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    mkdirSync(join(modules, '.bin'));
    symlinkSync('../xdp-sim/dist/bundle/cli/main.js', join(modules, '.bin/sim'));
    expect(run([join(modules, '.bin/sim'), '--version'])).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('needs no peer for what does not use it', () => {
    for (const name of ['vitest', 'fast-check', 'typescript', '@types']) rmSync(join(modules, name));
    const doors = ['xdp-sim', 'xdp-sim/packet', 'xdp-sim/pcap', 'xdp-sim/matchers', 'xdp-sim/replay'];
    const { status, stderr } = run(['--input-type=module', '-e', doors.map((door) => `await import('${door}');`).join(' ')]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
