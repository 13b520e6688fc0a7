import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import { REDIRECT_IFINDEX, REDIRECT_MAP, REDIRECT_NONE } from '../../../src/vm/index.js';
import { withKernel } from '../../support/kernelOracle.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { TestMachine, textObject } from '../support/differential.js';

const [ABORTED, DROP, PASS, TX, REDIRECT] = [0, 1, 2, 3, 4];
const sockets = map('sockets', 17, 4, 4, 8);
const KEY = Uint8Array.of(3, 0, 0, 0);
const SOCKET = 12;

/** `return bpf_redirect_map(sockets, key, flags)`; slot 3 is filled. */
const redirectMap = (key: string, flags: string): string => `r1 = map sockets\nr2 = ${key}\nr3 = ${flags}\ncall 51\nexit`;

function run(text: string) {
  const machine = new TestMachine(textObject(text, text.includes('sockets') ? [sockets] : []));
  machine.loaded.maps.get('sockets')?.updateBytes(KEY, Uint8Array.of(SOCKET, 0, 0, 0), 0);
  const { retval, fault } = machine.run({ data: bytes(64) });
  return { retval, fault: fault?.message, redirect: machine.vm.redirect, machine };
}

/** Key, flags, result. */
const MAP_CASES: readonly (readonly [string, string, number])[] = [
  ['3', '0', REDIRECT], ['3', '1', REDIRECT], ['3', '2', REDIRECT], ['3', '3', REDIRECT],
  ['3', '4', ABORTED], ['3', '5', ABORTED], ['3', '8', ABORTED], ['3', '16', ABORTED], ['3', '0x100000002 ll', ABORTED], ['3', '-1', ABORTED],
  ['2', '0', ABORTED], ['2', '1', DROP], ['2', '2', PASS], ['2', '3', TX], ['2', '6', ABORTED],
  ['8', '2', PASS], ['-1', '2', PASS], ['0x100000003 ll', '2', REDIRECT],
];

describe('bpf_redirect_map', () => {
  it.each(MAP_CASES)('key %s, flags %s: %i', (key, flags, verdict) => {
    expect(run(redirectMap(key, flags)).retval).toBe(verdict);
  });

  it('remembers map, key and slot', () => {
    const { redirect, machine } = run(redirectMap('3', '2'));
    expect(redirect).toEqual({ kind: REDIRECT_MAP, targetIndex: 3, mapId: machine.loaded.maps.get('sockets')!.id, mapType: 17, target: SOCKET, flags: 0 });
  });

  it('forgets an earlier map when it misses, but neither its key nor an ifindex', () => {
    const hit = 'r1 = map sockets\nr2 = 3\nr3 = 0\ncall 51\n';
    expect(run(hit + redirectMap('2', '0')).redirect).toMatchObject({ kind: REDIRECT_IFINDEX, targetIndex: 3 });
    expect(run('r1 = 5\nr2 = 0\ncall 23\n' + redirectMap('2', '0')).redirect).toMatchObject({ kind: REDIRECT_IFINDEX, targetIndex: 5 });
  });

  it('leaves an earlier redirect when its flags are wrong', () => {
    expect(run('r1 = map sockets\nr2 = 3\nr3 = 0\ncall 51\n' + redirectMap('3', '4')).redirect).toMatchObject({ kind: REDIRECT_MAP, targetIndex: 3 });
  });

  it('stops a program that passes a map of another type, or none', () => {
    const machine = new TestMachine(textObject('r1 = map counts\nr2 = 0\nr3 = 0\ncall 51\nexit', [map('counts', 2, 4, 4, 1)]));
    expect(machine.run({ data: bytes(64) }).fault?.message).toContain('bpf_redirect_map refuses r1');
    expect(run('r1 = r10\nr2 = 0\nr3 = 0\ncall 51\nexit').fault).toContain('bpf_redirect_map refuses r1');
    expect(run('r1 = -1\nr2 = 0\nr3 = 0\ncall 51\nexit').fault).toContain('bpf_redirect_map refuses r1');
  });
});

describe('bpf_redirect', () => {
  it.each([['7', '0', REDIRECT], ['0', '0', REDIRECT], ['7', '1', ABORTED], ['7', '0x100000000 ll', ABORTED]])('ifindex %s, flags %s: %i', (ifindex, flags, verdict) => {
    const { retval, redirect } = run(`r1 = ${ifindex}\nr2 = ${flags}\ncall 23\nexit`);
    expect(retval).toBe(verdict);
    expect(redirect).toMatchObject(verdict === REDIRECT ? { kind: REDIRECT_IFINDEX, targetIndex: Number(ifindex) } : { kind: REDIRECT_NONE });
  });

  it('counts for one run only', () => {
    const machine = new TestMachine(textObject('r6 = *(u32 *)(r1 + 16)\nr0 = 4\nif r6 != 0 goto out\nr1 = 7\nr2 = 0\ncall 23\nout: exit'));
    machine.run({ data: bytes(64) });
    expect(machine.vm.redirect.kind).toBe(REDIRECT_IFINDEX);
    machine.run({ data: bytes(64), ingressIfindex: 2, rxQueueIndex: 1 });
    expect(machine.vm.redirect).toMatchObject({ kind: REDIRECT_NONE, targetIndex: 0 });
  });
});

describe('bpf_map_lookup_elem on an XSKMAP', () => {
  it.each([[3, 1], [2, 0], [8, 0]])('slot %i: %i', (key, found) => {
    expect(run(`*(u32 *)(r10 - 4) = ${key}\nr1 = map sockets\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto out\nr0 = 1\nout: exit`).retval).toBe(found);
  });
});

withKernel('bpf_redirect_map against the kernel', (kernel) => {
  it.each(MAP_CASES)('key %s, flags %s: %i', (key, flags, verdict) => {
    using theirs = new KernelObject(kernel, textObject(redirectMap(key, flags), [sockets]));
    unwrap(theirs.putXskSocket('sockets', 3));
    expect(testRun(unwrap(theirs.loadProgram('main')), { data: bytes(64) }).retval).toBe(verdict);
  });
});
