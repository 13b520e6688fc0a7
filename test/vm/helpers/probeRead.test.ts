import { describe, expect, it } from 'vitest';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { KernelPair, TestMachine, textObject } from '../support/differential.js';

const KERNEL = 113;
const KERNEL_STR = 115;
const USER = 112;
const USER_STR = 114;

/** `return bpf_probe_read_X(r10 - 16, size, address)`, plus 1000 when the 16 bytes, which were all ones, are zeros then. */
const reading = (id: number, address: string, size: number): string => `r6 = r1
*(u64 *)(r10 - 8) = -1
*(u64 *)(r10 - 16) = -1
${address}
r1 = r10
r1 += -16
r2 = ${size}
call ${id}
r1 = *(u64 *)(r10 - 16)
if r1 != 0 goto out
r0 += 1000
out: exit`;

const CONSTANTS = ['0', '1', '4096', '0x00007fffffffe000 ll', '0x0000800000000000 ll', '0x1234567812345678 ll', '0xffff800000000000 ll', '0xffffffffff600000 ll', '0xffffffffff600fff ll', '-8'];

withKernel('probe_read of addresses where nothing is, against the kernel', (kernel) => {
  it.each([['bpf_probe_read_kernel', KERNEL], ['bpf_probe_read_kernel_str', KERNEL_STR], ['bpf_probe_read_user', USER], ['bpf_probe_read_user_str', USER_STR]] as const)('%s', (_name, id) => {
    for (const constant of CONSTANTS) {
      for (const size of [0, 8]) {
        using pair = new KernelPair(kernel, textObject(reading(id, `r3 = ${constant}`, size)));
        pair.run({ data: bytes(64) });
      }
    }
  });
});

describe('bpf_probe_read_kernel', () => {
  const run = (text: string) => new TestMachine(textObject(text, [map('cells', 2, 4, 8, 2)])).run({ data: bytes(64) });

  it('reads the whole buffer of the packet, what lies behind its end too', () => {
    expect(run(reading(KERNEL, 'r3 = *(u32 *)(r6 + 4)', 8))).toMatchObject({ retval: 1000, fault: undefined });
    expect(run(reading(KERNEL, 'r3 = *(u32 *)(r6 + 0)', 8))).toMatchObject({ retval: 0, fault: undefined });
  });

  it('stops at memory whose bytes no kernel has: the context, a map itself', () => {
    expect(run(reading(KERNEL, 'r3 = r6', 8)).fault).toMatchObject({ name: 'bad-helper-argument', register: 3 });
    expect(run(reading(KERNEL, 'r3 = map cells', 8)).fault).toMatchObject({ name: 'bad-helper-argument', register: 3 });
    expect(run(reading(KERNEL_STR, 'r3 = map cells', 8)).fault).toMatchObject({ name: 'bad-helper-argument', register: 3 });
  });

  it('stops a program whose destination is not its own', () => {
    expect(run('r1 = 0\nr2 = 8\nr3 = 0\ncall 113\nexit').fault).toMatchObject({ name: 'bad-helper-argument', register: 1 });
  });
});
