import { readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import type { ObjectSpec } from '../../../src/vm/index.js';
import { idleTask } from '../../../src/vm/task.js';
import type { Task } from '../../../src/vm/task.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { TestMachine, testEnvironment, textObject } from '../support/differential.js';

const VALUE_BYTES = 64;
const ANSWERS = map('answers', 2, 4, VALUE_BYTES, 1);

/** Puts r0 into the first word of `answers` and 32 bytes of the stack, from r10 - 32 on, behind it. */
function answering(text: string): ObjectSpec {
  const clear = [-32, -24, -16, -8].map((off) => `*(u64 *)(r10 - ${-off}) = -1`).join('\n');
  const copy = [0, 8, 16, 24].map((off) => `r1 = *(u64 *)(r10 - ${32 - off})\n*(u64 *)(r0 + ${16 + off}) = r1`).join('\n');
  return textObject(
    `r6 = r1\n${clear}\nr1 = r6\n${text}\nr7 = r0\n*(u32 *)(r10 - 36) = 0\nr1 = map answers\nr2 = r10\nr2 += -36\ncall 1\nif r0 == 0 goto out\n*(u64 *)(r0 + 0) = r7\n${copy}\nout: r0 = 2\nexit`,
    [ANSWERS],
  );
}

const namespaceOf = (dev: number, ino: number, size = 8): string => `r1 = ${dev}\nr2 = 0x${ino.toString(16)} ll\nr3 = r10\nr3 += -32\nr4 = ${size}\ncall 120`;

const QUESTIONS: readonly (readonly [what: string, text: string])[] = [
  ['pid and tgid', 'call 14'],
  ['uid and gid', 'call 15'],
  ['the name', 'r1 = r10\nr1 += -32\nr2 = 16\ncall 16'],
  ['a part of the name', 'r1 = r10\nr1 += -32\nr2 = 3\ncall 16'],
  ['the name in more room than it needs', 'r1 = r10\nr1 += -32\nr2 = 32\ncall 16'],
  ['the class', 'call 17'],
  ['the cgroup', 'call 80'],
  ['the root of the cgroups', 'r1 = 0\ncall 123'],
  ['an ancestor that there is not', 'r1 = 99\ncall 123'],
  ['an ancestor of a negative level', 'r1 = -1\ncall 123'],
  ['signal 0', 'r1 = 0\ncall 109'],
  ['a signal that is none', 'r1 = 65\ncall 109'],
  ['a signal to a thread that is none', 'r1 = -1\ncall 117'],
  ['another namespace', namespaceOf(1, 1)],
  ['a wrong size of nsdata', namespaceOf(1, 1, 12)],
  ['branches', 'r1 = r10\nr1 += -24\nr2 = 24\nr3 = 0\ncall 176'],
  ['branches with flags', 'r1 = r10\nr1 += -24\nr2 = 24\nr3 = 1\ncall 176'],
];

function ask(text: string, task?: Task): string {
  const machine = new TestMachine(answering(text), testEnvironment({ task }));
  expect(machine.run({ data: bytes(64) }).fault?.message).toBeUndefined();
  return hex([...machine.loaded.maps.get('answers')!.entries()][0]!.value);
}

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

describe('the task of a program', () => {
  it('is the idle one when nothing else is said', () => {
    const { fault } = new TestMachine(answering('call 14')).run({ data: bytes(64) });
    expect(fault).toBeUndefined();
    expect(ask('call 14')).toMatch(/^0{16}/);
    expect(Buffer.from(ask('r1 = r10\nr1 += -32\nr2 = 16\ncall 16'), 'hex').subarray(16, 26).toString()).toBe('swapper/0\0');
    expect(ask('call 80')).toMatch(/^01000000/);
    // A thread of the kernel takes no signal: -EPERM.
    expect(ask('r1 = 9\ncall 109')).toMatch(/^f{16}/);
  });

  it('gets the signals that a program sends', () => {
    const signals: unknown[] = [];
    const task: Task = { ...idleTask(0), isKernelThread: false, onSignal: (signal, isForThread) => signals.push([signal, isForThread]) };
    expect(ask('r1 = 9\ncall 109', task)).toMatch(/^0{16}/);
    expect(ask('r1 = 10\ncall 117', task)).toMatch(/^0{16}/);
    expect(signals).toEqual([[9, false], [10, true]]);
  });
});

/** This process, which is the task of a BPF_PROG_TEST_RUN. */
function thisTask(): Task {
  const field = (name: string): number[] => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))![1]!.split(/\s+/).map(Number);
  const groups = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1];
  const namespace = statSync('/proc/self/ns/pid');
  return {
    pid: process.pid, tgid: process.pid, uid: field('Uid')[0]!, gid: field('Gid')[0]!, comm: readFileSync('/proc/thread-self/comm', 'latin1').trimEnd(),
    cgroupIds: groups === undefined || groups === '/' ? [1n] : [1n, -1n], cgroupClassId: 0, pidNamespace: { dev: namespace.dev, ino: namespace.ino }, isKernelThread: false,
  };
}

withKernel('the task of a program in the kernel', (kernel) => {
  const task = thisTask();
  it.each([...QUESTIONS, ['its namespace', namespaceOf(task.pidNamespace.dev, task.pidNamespace.ino)] as const])('%s', (what, text) => {
    using theirs = new KernelObject(kernel, answering(text));
    testRun(unwrap(theirs.loadProgram('main')), { data: bytes(64) });
    const answer = hex([...theirs.maps.get('answers')!.entries()][0]!.value);
    // Vitest runs tests in threads, and only the kernel knows which thread this is; /proc has names, but no ids of cgroups below the root.
    if (what === 'the cgroup' && task.cgroupIds.length > 1) return;
    const tgid = Buffer.from(answer, 'hex').readUInt32LE(4);
    if (what === 'pid and tgid') expect(tgid).toBe(task.tgid);
    else if (what === 'its namespace') expect(ask(text, { ...task, pid: Buffer.from(answer, 'hex').readUInt32LE(16) })).toBe(answer);
    else expect(ask(text, task)).toBe(answer);
  });
});
