import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { KERNEL_RELEASES, unwrap } from '../../src/base/index.js';
import { inspectFile, runCapture } from '../../src/report/index.js';
import { loadObjectFile, loadTargetKernel } from '../../src/vm/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { objectPath, reportOf, runOptions } from './support.js';

const folder = temporaryFolder();

const run = (program: string, kernel: string) => runCapture(runOptions(objectPath(program), 'fixtures/pcaps/dns.pcap', { kernel }));

describe('sim run --kernel', () => {
  it('is named in the report, 6.18 when left out', () => {
    expect(KERNEL_RELEASES.map((kernel) => reportOf('reflector', 'dns.pcap', { kernel }).kernel)).toEqual([...KERNEL_RELEASES]);
    expect(reportOf('reflector', 'dns.pcap').kernel).toBe('6.18');
  });

  it.each([['6.1', 'contract-too-long'], ['6.6', 'contract-too-long'], ['6.18', 'taken']])('metadata may be as long as that kernel lets them be: %s', (kernel, expected) => {
    const result = runCapture(runOptions(objectPath('queue_stack'), 'fixtures/pcaps/dns.pcap', { kernel, meta: 'struct last' }));
    expect(result.ok ? 'taken' : result.problem.code).toBe(expected);
    if (!result.ok) expect(result.problem).toMatchObject({ where: '--meta', message: '104 bytes are more than the 32 that this kernel allows (EACCES)' });
  });

  it('refuses what that kernel does not have yet, with name, place and the first that has it', () => {
    expect(run('pull_data', '6.6')).toMatchObject({
      ok: false,
      problem: {
        code: 'kfunc-too-new',
        message: 'Linux 6.6 has no kernel function bpf_xdp_pull_data yet: XDP programs may call it since 6.18',
        where: expect.stringMatching(/pull_data\.o, program pull_data, insn \d+ \(.*pull_data\.c:\d+\)/) as string,
      },
    });
    expect(run('task', '6.1')).toMatchObject({ ok: false, problem: { code: 'helper-too-new' } });
    expect(run('subprogs_v4', '6.1')).toMatchObject({ ok: false, problem: { code: 'insn-too-new' } });
    expect(run('subprogs_v4', '6.6')).toMatchObject({ ok: true });
  });

  it('refuses releases that it does not know', () => {
    expect(run('reflector', '5.10')).toMatchObject({ ok: false, problem: { code: 'unknown-kernel', where: '--kernel' } });
  });

  it('every release runs every NIC', () => {
    for (const kernel of KERNEL_RELEASES) {
      for (const nic of ['virtio_net', 'mlx5', 'octeontx2', 'mvneta', 'veth', 'ena']) {
        const report = reportOf('reflector', 'dns.pcap', { kernel, nic, queues: 1 });
        expect(report.audit.ok, `${nic} on ${kernel}`).toBe(true);
      }
    }
  });

  it('virtio_net of 6.1 takes no packets of several buffers', () => {
    const jumbo = (kernel: string) => runCapture(runOptions(objectPath('frags_pass'), 'fixtures/pcaps/jumbo.pcap', { kernel, nic: 'virtio_net', queues: 1, mtu: 9000 }));
    expect(jumbo('6.1')).toMatchObject({ ok: false, problem: { code: 'attach-mtu' } });
    expect(jumbo('6.6')).toMatchObject({ ok: true });
  });
});

it('LINUX_KERNEL_VERSION is that of the release', () => {
  const versions = KERNEL_RELEASES.map((kernel) => {
    const object = unwrap(loadObjectFile('test/vm/loader/objects/externs.o', unwrap(loadTargetKernel({ kernel }))));
    const variable = object.variables.find(({ name }) => name === 'LINUX_KERNEL_VERSION')!;
    const value = object.maps.find(({ name }) => name === variable.map)!.initialValue!;
    return new DataView(value.buffer, value.byteOffset).getUint32(variable.offBytes, true);
  });
  expect(versions).toEqual([0x060100, 0x060600, 0x061200]);
});

it('sim inspect --kernel tells which programs run there', () => {
  const problems = KERNEL_RELEASES.map((kernel) => unwrap(inspectFile(objectPath('pull_data'), { kernel })).programs.map(({ problem }) => problem?.code));
  expect(problems).toEqual([['kfunc-too-new'], ['kfunc-too-new'], [undefined]]);
});

it('recorded cases expect what that kernel does', () => {
  const expectations = KERNEL_RELEASES.map((kernel) => {
    const path = folder.at(`${kernel}.json`);
    unwrap(runCapture(runOptions(objectPath('csum_diff'), 'fixtures/pcaps/dns.pcap', { kernel, recordCases: path })));
    return readFileSync(path, 'utf8');
  });
  expect(expectations[0]).toBe(expectations[1]);
  expect(expectations[0]).not.toBe(expectations[2]);
});
