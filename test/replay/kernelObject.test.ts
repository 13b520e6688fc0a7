import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { isVerifierProblem, loadIntoKernel, testRun } from '../../src/replay/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { addImm, bytes, call, exit, insn, lddw, load32, load8, map, mapReference, mov, movImm, object, program } from './support/kernelPrograms.js';
import type { Insn } from './support/kernelPrograms.js';

const PROG_ARRAY = 3;
const ARRAY = 2;
const TAIL_CALL = 12;
const TRACE_PRINTK = 6;
const GET_BUFF_LEN = 188;

/** Tail call to `index`, or the verdict when the slot is empty. */
const tailCall = (index: number, verdict: number): Insn[] => [lddw(2), movImm(3, index), call(TAIL_CALL), movImm(0, verdict), exit];
const stages = (initialPrograms: readonly { index: number; program: string }[]) => map('stages', PROG_ARRAY, 4, 4, 4, { initialPrograms });
const references = [mapReference(0, 'stages')];

const openFds = (): number => readdirSync('/proc/self/fd').length;

withKernel('objects in the kernel', (kernel) => {
  it('fill program arrays, also those that programs of an array bring with them, also in a circle', () => {
    const spec = object(
      [
        program('entry', tailCall(0, 1), { references }),
        program('second', [lddw(2), movImm(3, 1), call(TAIL_CALL), movImm(0, 3), exit], { references: [mapReference(0, 'more')] }),
        program('third', [movImm(0, 42), exit]),
      ],
      [stages([{ index: 0, program: 'second' }, { index: 3, program: 'entry' }]), map('more', PROG_ARRAY, 4, 4, 4, { initialPrograms: [{ index: 1, program: 'third' }] })],
    );
    using entry = unwrap(loadIntoKernel(kernel, spec, 'entry'));
    expect(testRun(entry, { data: bytes(60) }).retval).toBe(42);
    expect(entry.object.maps.get('more')!.deleteBytes(Uint8Array.of(1, 0, 0, 0))).toBe(0);
    expect(testRun(entry, { data: bytes(60) }).retval).toBe(3);
  });

  it('take further programs later', () => {
    const spec = object([program('entry', tailCall(2, 1), { references }), program('drop', [movImm(0, 7), exit])], [stages([])]);
    using entry = unwrap(loadIntoKernel(kernel, spec, 'entry'));
    expect(testRun(entry, { data: bytes(60) }).retval).toBe(1);
    unwrap(entry.object.putProgram('stages', 2, 'drop'));
    expect(testRun(entry, { data: bytes(60) }).retval).toBe(7);
    expect(entry.object.putProgram('stages', 4, 'drop')).toMatchObject({ problem: { code: 'kernel-map-fill', hint: 'the index is past the end of the map' } });
  });

  it('fill a program array that no program needed so far before others are put into it', () => {
    const programs = [program('entry', [movImm(0, 2), exit]), program('second', tailCall(0, 3), { references }), program('third', [movImm(0, 42), exit])];
    using entry = unwrap(loadIntoKernel(kernel, object(programs, [stages([{ index: 0, program: 'third' }, { index: 1, program: 'third' }])]), 'entry'));
    unwrap(entry.object.putProgram('stages', 1, 'entry'));
    const idAt = (index: number): number => new DataView(entry.object.maps.get('stages')!.lookupBytes(Uint8Array.of(index, 0, 0, 0))!.buffer).getUint32(0, true);
    expect(idAt(0)).not.toBe(idAt(1));
    expect(testRun(unwrap(entry.object.loadProgram('second')), { data: bytes(60) }).retval).toBe(42);
  });

  it('refuse a program array of mixed kinds', () => {
    const spec = object([program('entry', tailCall(0, 1), { references }), program('jumbo', [movImm(0, 7), exit], { frags: true })], [stages([])]);
    using entry = unwrap(loadIntoKernel(kernel, spec, 'entry'));
    expect(entry.object.putProgram('stages', 0, 'jumbo')).toMatchObject({
      problem: { message: 'the kernel refused to fill slot 0 of map stages: EINVAL', hint: 'all programs of a PROG_ARRAY must be of one kind: type, attach type and xdp.frags' },
    });
  });

  it('let only programs for fragments see packets of several buffers whole', () => {
    using jumbo = unwrap(loadIntoKernel(kernel, object([program('jumbo', [call(GET_BUFF_LEN), exit], { frags: true })]), 'jumbo'));
    expect(testRun(jumbo, { data: bytes(9000) }).retval).toBe(9000);
  });

  it('run bpf-to-bpf calls', () => {
    const insns = [movImm(1, 5), insn(0x85, 0, 1, 0, 1), exit, mov(0, 1), addImm(0, 100), exit];
    using calls = unwrap(loadIntoKernel(kernel, object([program('calls', insns)]), 'calls'));
    expect(testRun(calls, { data: bytes(60) }).retval).toBe(105);
  });

  it('explain a refusal of the verifier by its last words, the source line and the whole log', () => {
    const insns = [load32(2, 1, 0), load8(0, 2, 0), exit];
    const lines = [{ insnIndex: 0, file: 'bad.c', line: 7, column: 1, text: '' }, { insnIndex: 1, file: 'bad.c', line: 9, column: 1, text: '' }];
    const refused = loadIntoKernel(kernel, object([program('bad', insns, { lines })]), 'bad');
    if (refused.ok || !isVerifierProblem(refused.problem)) throw new Error('the verifier has let it pass');
    expect(refused.problem.code).toBe('kernel-program-refused');
    expect(refused.problem.message).toBe(
      'the kernel refused program bad: EACCES, invalid access to packet, off=0 size=1, R2(id=0,off=0,r=0); R2 offset is outside of the packet',
    );
    expect(refused.problem.where).toBe('test.o, section xdp, instruction 1, bad.c:9');
    expect(refused.problem.log).toContain('processed 2 insns');
  });

  it('explain a refusal that has no instruction', () => {
    const refused = loadIntoKernel(kernel, object([program('bad', [movImm(0, 0)])]), 'bad');
    expect(refused).toMatchObject({ ok: false, problem: { message: expect.stringContaining('EINVAL, last insn is not an exit or jmp') } });
  });

  it('explain that a helper wants a GPL compatible license', () => {
    const insns = [movImm(1, 0), movImm(2, 0), call(TRACE_PRINTK), exit];
    const refused = loadIntoKernel(kernel, object([program('log', insns)], [], { license: 'Proprietary' }), 'log');
    expect(refused).toMatchObject({ problem: { message: expect.stringContaining('GPL-restricted'), hint: 'give the object a GPL compatible license' } });
  });

  it('say which programs there are, and which kind can be run', () => {
    const spec = object([program('a', [exit]), program('b', [exit], { type: 'other', section: 'tc' })]);
    expect(loadIntoKernel(kernel, spec, 'c')).toMatchObject({ problem: { code: 'no-such-program', hint: 'choose one of: a, b' } });
    expect(loadIntoKernel(kernel, spec, 'b')).toMatchObject({ problem: { code: 'unsupported-program-type', message: 'program b is in section tc, and only XDP programs can be replayed' } });
  });

  it('hand on the reason why a program cannot run', () => {
    const problem = { code: 'unsupported-kfunc', message: 'calls a kernel function' };
    expect(loadIntoKernel(kernel, object([program('a', [exit], { problem })]), 'a')).toEqual({ ok: false, problem });
  });

  it('close every file descriptor, after success and after a refusal', () => {
    const good = object([program('entry', tailCall(0, 1), { references }), program('drop', [movImm(0, 7), exit])], [stages([{ index: 0, program: 'drop' }]), map('spare', ARRAY, 4, 4, 1)]);
    const bad = object([program('entry', tailCall(0, 1), { references }), program('drop', [exit])], [stages([{ index: 0, program: 'drop' }])]);
    const before = openFds();
    const loaded = unwrap(loadIntoKernel(kernel, good, 'entry'));
    expect(openFds()).toBe(before + 3);
    loaded.close();
    loaded.close();
    expect(openFds()).toBe(before);
    expect(loadIntoKernel(kernel, bad, 'entry').ok).toBe(false);
    expect(openFds()).toBe(before);
  });
});
