import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt, sim } from '../support/simCommand.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();
const EXAMPLES = pathToFileURL(resolve('dist/nic/kit/examples')).href;

function run(driver: string): ReturnType<typeof sim> {
  return sim('run', 'fixtures/programs/reflector/reflector.o', '--pcap', 'fixtures/pcaps/mixed.pcap', '--nic', 'r8169-xdp', '--driver', driver);
}

describe('sim run --driver', () => {
  beforeAll(ensureBuilt);

  it('runs a driver of your own, and finds nothing wrong with a correct one', async () => {
    const { exitCode, stdout } = await run(folder.write('good.mjs', `export { r8169Xdp as createDriver } from '${EXAMPLES}/r8169/r8169Xdp.js';`));
    expect(stdout).toContain('Audit: everything is accounted for');
    expect(exitCode).toBe(0);
  });

  it('says what is wrong with a broken one, and how to mend it', async () => {
    const { exitCode, stderr } = await run(folder.write('bad.mjs', `export { earlyReturn as createDriver } from '${EXAMPLES}/broken/10-earlyReturn.js';`));
    expect(stderr).toMatch(/the audit of driver rules failed: .*poll returned 1 of a budget of 64 .*To mend it: take every finished descriptor/);
    expect(exitCode).toBe(1);
  });

  it.each([
    ['there is no such file', 'no-such-driver.mjs', undefined],
    ["the driver can't be imported: Unexpected identifier 'is'", 'syntax.mjs', 'this is no JavaScript'],
    ['the module exports no function createDriver, only open', 'export.mjs', 'export const open = () => {};'],
    ['createDriver is no function', 'number.mjs', 'export const createDriver = 1;'],
    ['it awaits something that never comes', 'never.mjs', 'await new Promise(() => {}); export const createDriver = 1;'],
    ['put the file into a project that has xdp-sim', 'outside.mjs', "export { r8169Xdp as createDriver } from 'xdp-sim';"],
    ['open(): gives a Promise', 'async.mjs', "export const createDriver = () => ({ async open() { throw new Error('later'); }, stop() {}, interrupt() {}, poll() {} });"],
    ['what createDriver gives has no function stop, poll', 'incomplete.mjs', 'export const createDriver = () => ({ open() {}, interrupt() {} });'],
    ['open(): the ring is too small (throws.mjs:1:', 'throws.mjs', "export const createDriver = () => ({ open() { throw new Error('the ring is too small'); }, stop() {}, interrupt() {}, poll() {} });"],
  ])('%s', async (message, name, text) => {
    const path = text === undefined ? folder.at(name) : folder.write(name, text);
    const { exitCode, stderr, stdout } = await run(path);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });

  it('a directory is no driver, and nothing of the simulator is named', async () => {
    const { exitCode, stderr } = await run(folder.at('.'));
    expect(stderr).toMatch(/^sim: \S+: this is a directory; give the file of the driver in it\n$/);
    expect(exitCode).toBe(2);
  });

  it.each([[['--nic', 'igb'], 'NIC igb: a driver of your own drives one queue'], [['--nic', 'r8169-xdp', '--headroom', '512'], 'a headroom of 512 bytes reaches no driver of your own']])('with %j is refused in one line', async (more, message) => {
    const driver = folder.write('fine.mjs', `export { r8169Xdp as createDriver } from '${EXAMPLES}/r8169/r8169Xdp.js';`);
    const { exitCode, stderr, stdout } = await sim('run', 'fixtures/programs/reflector/reflector.o', '--pcap', 'fixtures/pcaps/mixed.pcap', '--driver', driver, ...more);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });
});
