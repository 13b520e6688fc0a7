import { describe, expect, it } from 'vitest';
import { withKernel } from '../../support/kernelOracle.js';
import { KernelPair, TestMachine } from '../support/differential.js';
import { kfuncObject } from './kfuncProgram.js';

const EINVAL = 22;

// NULL with a size of 0 is memory that the verifier lets a kfunc have; the kernel's selftest test_bpf_nf.c asks for a connection so.

/** Asks for a connection with a tuple that is NULL, and returns opts->error. */
function ask(name: string, opts: string, optsBytes: number): string {
  return `
    r9 = r1
    r2 = -1
    *(u64 *)(r10 - 16) = r2
    *(u64 *)(r10 - 8) = 6
    r1 = r9
    r2 = 0
    r3 = 0
    r4 = ${opts}
    ${opts === '0' ? '' : 'r4 += -16'}
    r5 = ${optsBytes}
    call ${name}
    if r0 == 0 goto none
    ${name === 'xdp_ct_alloc' ? 'r1 = r0\ncall ct_insert_entry\nif r0 == 0 goto none' : ''}
    r1 = r0
    call ct_release
    none: r0 = *(u32 *)(r10 - 12)
    exit`;
}

const CASES = [
  { name: 'xdp_ct_lookup', opts: 'r10', optsBytes: 16, answer: -EINVAL },
  { name: 'xdp_ct_alloc', opts: 'r10', optsBytes: 16, answer: -EINVAL },
  { name: 'xdp_ct_lookup', opts: '0', optsBytes: 0, answer: -1 },
  { name: 'xdp_ct_alloc', opts: '0', optsBytes: 0, answer: -1 },
];
const TITLE = '$name without a tuple, with $optsBytes bytes of opts';

describe('a kfunc that gets NULL and a size of 0', () => {
  it.each(CASES)(TITLE, ({ name, opts, optsBytes, answer }) => {
    const { retval, fault } = new TestMachine(kfuncObject(ask(name, opts, optsBytes))).run({ data: new Uint8Array(64) });
    expect(fault).toBeUndefined();
    expect(retval | 0).toBe(answer);
  });
});

withKernel('a kfunc that gets NULL and a size of 0', (kernel) => {
  it.each(CASES)(`${TITLE}, as in the kernel`, ({ name, opts, optsBytes }) => {
    using pair = new KernelPair(kernel, kfuncObject(ask(name, opts, optsBytes)));
    pair.run({ data: new Uint8Array(64) });
  });
});
