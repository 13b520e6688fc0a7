import { describe, expect, it } from 'vitest';
import { loadIntoKernel } from '../../src/replay/index.js';
import { checkStack } from '../../src/vm/checkStack.js';
import type { FunctionSpec, ObjectSpec } from '../../src/vm/index.js';
import { call, exit, insn, lddw, map, mapReference, mov, movImm, object, program } from '../replay/support/kernelPrograms.js';
import type { Insn } from '../replay/support/kernelPrograms.js';
import { withKernel } from '../support/kernelOracle.js';
import { fc } from '../support/property.js';

/** One function: bytes of its frame, functions that it calls, whether it tail-calls. */
interface Shape {
  readonly frame: number;
  readonly callees: readonly number[];
  readonly hasTailCall: boolean;
}

const callPc = (imm: number): Insn => insn(0x85, 0, 1, 0, imm);

/** A program of these functions, f0 the main one; every call is reached. */
function programOf(shapes: readonly Shape[]): ObjectSpec {
  const starts: number[] = [];
  let at = 0;
  for (const { frame, callees, hasTailCall } of shapes) {
    starts.push(at);
    at += 1 + (frame > 0 ? 1 : 0) + callees.length * 2 + (hasTailCall ? 5 : 0) + 2;
  }
  const insns: Insn[] = [];
  const references = [];
  for (const { frame, callees, hasTailCall } of shapes) {
    insns.push(mov(6, 1));
    const slot = () => insns.reduce((sum, each) => sum + each.length / 8, 0);
    if (frame > 0) insns.push(insn(0x7a, 10, 0, -frame, 0));
    for (const callee of callees) {
      insns.push(mov(1, 6));
      insns.push(callPc(starts[callee]! - (slot() + 1)));
    }
    if (hasTailCall) {
      insns.push(mov(1, 6));
      references.push(mapReference(slot(), 'jumps'));
      insns.push(lddw(2), movImm(3, 0), call(12));
    }
    insns.push(movImm(0, 2), exit);
  }
  const functions: FunctionSpec[] = starts.map((insnIndex, fn) => ({ name: `f${fn}`, insnIndex, isHidden: false }));
  return object([program('f0', insns, { functions, references })], [map('jumps', 3, 4, 4, 1)]);
}

const codeOf = (shapes: readonly Shape[]): string | undefined => checkStack(programOf(shapes).programs[0]!)?.code;
const fn = (frame: number, callees: readonly number[] = [], hasTailCall = false): Shape => ({ frame, callees, hasTailCall });

describe('the stack of a program', () => {
  it('has 512 bytes in all frames together, each rounded up to 16', () => {
    expect(codeOf([fn(512)])).toBeUndefined();
    expect(codeOf([fn(256, [1]), fn(256)])).toBeUndefined();
    expect(codeOf([fn(256, [1]), fn(264)])).toBe('stack-too-large');
    expect(checkStack(programOf([fn(256, [1]), fn(264)]).programs[0]!)!.message).toBe('the combined stack of 2 functions, f1 the last, is 528 bytes, and the kernel takes 512');
  });

  it('has less than 256 bytes before a function that makes tail calls', () => {
    expect(codeOf([fn(240, [1]), fn(0, [], true)])).toBeUndefined();
    expect(codeOf([fn(256, [1]), fn(0, [], true)])).toBe('stack-too-large');
    expect(codeOf([fn(512, [], true)])).toBeUndefined();
  });

  it('has 8 frames', () => {
    const chain = (length: number) => Array.from({ length }, (_, i) => fn(8, i + 1 < length ? [i + 1] : []));
    expect(codeOf(chain(8))).toBeUndefined();
    expect(codeOf(chain(9))).toBe('call-too-deep');
  });
});

withKernel('is what the kernel takes', (kernel) => {
  it('for random functions', () => {
    const frame = fc.integer({ min: 0, max: 40 }).map((slots) => slots * 8);
    const shape = fc.record({ frame, parents: fc.array(fc.nat(100), { minLength: 1, maxLength: 3 }) });
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(shape, { minLength: 1, maxLength: 12, size: 'max' }), (drawn) => {
        const callees = drawn.map((): number[] => []);
        // Every function is called by an earlier one: the kernel refuses code that nothing reaches.
        drawn.forEach(({ parents }, i) => {
          if (i > 0) for (const parent of new Set(parents.map((each) => (each % 3 === 0 ? i - 1 : each % i)))) callees[parent]!.push(i);
        });
        const spec = programOf(drawn.map(({ frame: bytes }, i) => fn(bytes, callees[i])));
        const ours = checkStack(spec.programs[0]!)?.code ?? 'fine';
        const theirs = loadIntoKernel(kernel, spec, 'f0');
        seen.set(ours, (seen.get(ours) ?? 0) + 1);
        if (theirs.ok) theirs.value.close();
        const reason = theirs.ok ? 'fine' : /combined stack size|call stack of previous/.test(theirs.problem.message) ? 'stack-too-large' : /too deep/.test(theirs.problem.message) ? 'call-too-deep' : theirs.problem.message;
        // Which of several reasons comes first depends on the order of the walk.
        expect(ours === 'fine' ? ours : 'refused').toBe(reason === 'fine' ? reason : 'refused');
        if (!theirs.ok) expect(['stack-too-large', 'call-too-deep']).toContain(reason);
      }),
      { numRuns: 400 },
    );
    for (const code of ['fine', 'stack-too-large']) expect(seen.get(code)).toBeGreaterThan(20);
  });
});
