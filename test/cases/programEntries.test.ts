import { describe, expect, it } from 'vitest';
import { formatEntryValue, parseEntryValue, SimulatorBackend } from '../../src/cases/index.js';
import type { CaseBackend } from '../../src/cases/index.js';
import { KernelBackend } from '../../src/replay/index.js';
import { map } from '../replay/support/kernelPrograms.js';
import { withKernel } from '../support/kernelOracle.js';
import { ARP, runOn } from './support.js';

const [PASS, REDIRECT] = [2, 4];
const [wide, narrow] = [map('m', 14, 4, 8, 1), map('m', 14, 4, 4, 1)];

describe('values of DEVMAPs and CPUMAPs in a case', () => {
  it.each([
    [wide, '0100000000000000', { target: 1, program: undefined }], [wide, '01000000 egress', { target: 1, program: 'egress' }],
    [narrow, '01000000', { target: 1, program: undefined }], [wide, '01000000', undefined], [narrow, '01000000 egress', undefined],
    [wide, '0100000001000000', undefined], [wide, 'egress', undefined], [wide, '', undefined], [wide, '01000000 ', undefined],
  ])('%# %o', (spec, text, expected) => {
    expect(parseEntryValue(spec, text)).toEqual(expected);
  });

  it('are written as they are read', () => {
    const name = (id: number): string | undefined => (id === 3 ? 'egress' : undefined);
    expect(formatEntryValue(Uint8Array.of(1, 0, 0, 0, 3, 0, 0, 0), name)).toBe('01000000 egress');
    expect(formatEntryValue(Uint8Array.of(1, 0, 0, 0, 4, 0, 0, 0), name)).toBe('01000000 program 4');
    expect(formatEntryValue(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), name)).toBe('0100000000000000');
    expect(formatEntryValue(Uint8Array.of(1, 0, 0, 0), name)).toBe('01000000');
  });
});

function fillAndJudge(backend: () => CaseBackend): void {
  // 42 bytes: slot 2.
  const devices = [{ key: '02000000', value: '01000000 egress' }, { key: '03000000', value: '0100000000000000' }];
  const cpus = [{ key: '00000000', value: 'c0000000 on_cpu' }];

  it('DEVMAP: entries with programs, seen by the program and by the case', () => {
    const found = [{ key: '02000000', value: '01000000010000000100000001000000' }];
    const [{ ok, differences }, other] = runOn('redirect_devmap', [
      { program: 'redirect_devmap', data_in: ARP, maps: { devices }, expect: { retval: REDIRECT, maps: { devices, found } } },
      { program: 'redirect_devmap', data_in: ARP, expect: { retval: PASS, maps: { devices } } },
    ], backend());
    expect([ok, differences]).toEqual([true, []]);
    expect(other.differences.map(({ part, observed }) => [part, observed])).toEqual([['maps.devices[02000000]', 'no entry'], ['maps.devices[03000000]', 'no entry']]);
  });

  it('CPUMAP', () => {
    const [tcp] = runOn('redirect_cpumap', [{ program: 'redirect_cpumap', data_in: ARP, maps: { cpus }, expect: { retval: PASS, maps: { cpus } } }], backend());
    expect([tcp.ok, tcp.differences]).toEqual([true, []]);
  });

  it.each([
    ['redirect_devmap', 'devices', '02000000', '01000000 redirect_plain', 'EINVAL'],
    ['redirect_devmap', 'devices', '02000000', '01000000 egress_jumbo', 'EINVAL'],
    ['redirect_devmap', 'devices', '08000000', '0100000000000000', 'E2BIG'],
    ['redirect_devmap_hash', 'stations', '08000000', '0000000000000000', 'EINVAL'],
    ['redirect_cpumap', 'cpus', '00000000', '01000000 redirect_cpumap', 'ENOMEM'],
    ['redirect_cpumap', 'cpus', '00000000', 'ffffff0000000000', 'EOVERFLOW'],
  ])('%s: %s refuses key %s with value %s', (name, mapName, key, value, errno) => {
    const [{ problem }] = runOn(name, [{ program: name, data_in: ARP, maps: { [mapName]: [{ key, value }] } }], backend());
    expect(problem).toContain(`(${errno})`);
  });
}

describe('the simulator fills and judges them', () => fillAndJudge(() => new SimulatorBackend()));

withKernel('the kernel fills and judges them', (kernel) => fillAndJudge(() => new KernelBackend(kernel)));
