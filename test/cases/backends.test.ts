import { closeSync, openSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EINVAL, unwrap } from '../../src/base/index.js';
import { chooseBackend, KernelBackend } from '../../src/replay/index.js';
import type { KernelBpf } from '../../src/replay/index.js';
import { CpuBinding } from '../../src/replay/cpuBinding.js';
import { kernelOracle, withKernel } from '../support/kernelOracle.js';
import { ARP, fixtureCases, runOn } from './support.js';

describe('the backend of tests', () => {
  it('is the simulator unless it is named', async () => {
    expect(unwrap(await chooseBackend('simulator')).name).toBe('simulator');
    expect(unwrap(await chooseBackend(undefined)).name).toBe(process.env.XDP_SIM_BACKEND ?? 'simulator');
  });

  it('is the kernel where there is one', async () => {
    const chosen = await chooseBackend('kernel');
    expect(chosen.ok).toBe(kernelOracle !== undefined);
    if (chosen.ok) expect(chosen.value.name).toBe('kernel');
  });

  it('has no other name', async () => {
    expect(await chooseBackend('hardware')).toMatchObject({ problem: { code: 'unknown-backend', hint: 'use simulator or kernel' } });
  });
});

withKernel('the kernel', (kernel) => {
  const mask = (): string => {
    const buffer = kernel.syscalls.buffer(1024);
    kernel.syscalls.getAffinity(buffer);
    return Buffer.from(buffer.bytes.subarray(0, 16)).toString('hex');
  };

  it('runs a case on CPU 0, and the process gets its CPUs back', () => {
    const before = mask();
    const during = unwrap(new CpuBinding(kernel.syscalls, 0).run(mask));
    expect(during).toBe(`01${'00'.repeat(15)}`);
    expect(mask()).toBe(before);
    expect(() => new CpuBinding(kernel.syscalls, 0).run(() => { throw new Error('x'); })).toThrow('x');
    expect(mask()).toBe(before);
  });

  it('shows bpf_get_smp_processor_id and per-CPU values of CPU 0, however often', () => {
    // struct of printk's map: u64 ktime, u32 random, u32 cpu.
    const printk = Array.from({ length: 20 }, () => ({ data_in: ARP }));
    for (const { observed } of runOn('printk', printk, new KernelBackend(kernel))) expect(observed!.maps!.last[0].value.slice(24, 32)).toBe('00000000');
    const { cases } = fixtureCases('count_percpu').file;
    const many = Array.from({ length: 20 }, () => ({ data_in: cases[1].data_in, repeat: 5, expect: cases[1].expect! }));
    expect(runOn('count_percpu', many, new KernelBackend(kernel)).every(({ ok }) => ok)).toBe(true);
  });

  it('says when CPU 0 is not allowed', () => {
    const syscalls = { ...kernel.syscalls, setAffinity: () => -EINVAL };
    const without = Object.assign(Object.create(kernel) as KernelBpf, { syscalls });
    const opened = new KernelBackend(without).open(fixtureCases('dnat').object);
    expect(opened).toMatchObject({ problem: { code: 'kernel-cpu-not-allowed', message: 'replay runs cases on CPU 0, and this process may not: EINVAL' } });
  });

  it('keeps no file open', () => {
    const nextFd = (): number => {
      const fd = openSync('/dev/null', 'r');
      closeSync(fd);
      return fd;
    };
    const { object, file } = fixtureCases('tail_calls');
    const xsk = fixtureCases('xsk_redirect');
    const before = [readdirSync('/proc/self/fd').length, nextFd()];
    for (const open of [{ object, file }, xsk]) {
      const runner = unwrap(new KernelBackend(kernel).open(open.object));
      for (const testCase of open.file.cases) unwrap(runner.run(testCase, testCase.program ?? 'xsk_redirect'));
      runner.run({ name: 'bad', data_in: ARP, maps: { nope: [{ key: '', value: '' }] } }, 'xsk_redirect');
      runner.close();
    }
    expect([readdirSync('/proc/self/fd').length, nextFd()]).toEqual(before);
  });
});
