import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toHex, unwrap } from '../../src/base/index.js';
import { parseCaseFile, readCaseFile, runCases, SimulatorBackend } from '../../src/cases/index.js';
import { RUN_DEFAULTS, runCapture, runText } from '../../src/report/index.js';
import { readNetworkFile } from '../../src/sim/index.js';
import { readPackets } from '../support/fixtures.js';
import { fixture } from '../support/simulate.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();

const XDP_REDIRECT = 4;

const router = {
  interfaces: [{ ifindex: 1, name: 'eth0', mac: '02:00:00:00:00:01', addresses: ['192.0.2.254/24'] }],
  neighbours: [{ to: '192.0.2.1', dev: 'eth0', mac: '02:00:00:00:01:01' }, { to: '192.0.2.2', dev: 'eth0', mac: '02:00:00:00:01:02' }],
};
const options = { ...RUN_DEFAULTS, object: 'fixtures/programs/fib_forward/fib_forward.o', pcap: 'fixtures/pcaps/http.pcap', set: [], map: [] };

describe('sim run --network', () => {
  it('gives programs their network, and cases that are recorded too', () => {
    const cases = folder.at('cases.json');
    const report = unwrap(runCapture({ ...options, network: folder.write('router.json', JSON.stringify(router)), recordCases: cases }));
    expect(report).toMatchObject({ verdicts: { XDP_REDIRECT: 53 }, network_missed: [] });
    expect(unwrap(readCaseFile(cases)).cases[0]).toMatchObject({ network: router, expect: { retval: XDP_REDIRECT } });
  });

  it('without one the report says what was missed', () => {
    const report = unwrap(runCapture(options));
    expect(report).toMatchObject({ verdicts: { XDP_PASS: 53 }, network_missed: ['bpf_fib_lookup'] });
    expect(runText(report, (text) => text)).toContain('bpf_fib_lookup found nothing, as there is no network');
  });

  it.each([
    ['nothing.json', undefined, 'network-file-unreadable'],
    ['brackets.json', '['.repeat(100), 'nested-too-deep'],
    ['broken.json', '{', 'network-file-json'],
    ['shape.json', '{"routes": 1}', 'network-shape'],
  ])('%s', (name, text, code) => {
    if (text !== undefined) folder.write(name, text);
    expect(readNetworkFile(folder.at(name))).toMatchObject({ ok: false, problem: { code } });
  });

  it('a folder is no file', () => {
    mkdirSync(folder.at('folder'));
    expect(readNetworkFile(folder.at('folder'))).toMatchObject({ ok: false, problem: { code: 'network-file-unreadable' } });
  });
});

describe('a case with a network', () => {
  const caseFile = (network: object): string =>
    JSON.stringify({ schema: 1, object: 'fib_forward.o', cases: [{ name: 'a packet', data_in: toHex(readPackets('http.pcap')[0]!.data), network, expect: { retval: XDP_REDIRECT } }] });

  it('runs in it', () => {
    const [result] = unwrap(runCases(unwrap(parseCaseFile(caseFile(router), 'test')), fixture('fib_forward'), new SimulatorBackend()));
    expect(result).toMatchObject({ ok: true });
  });

  it('is refused with the place of what is wrong', () => {
    const problem = { code: 'network-shape', where: 'test, case 0 (a packet), network: neighbours[0].dev' };
    expect(parseCaseFile(caseFile({ ...router, interfaces: [] }), 'test')).toMatchObject({ ok: false, problem });
  });
});
