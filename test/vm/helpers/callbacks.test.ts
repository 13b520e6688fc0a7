import { describe, expect, it } from 'vitest';
import { VM_EXECUTED } from '../../../src/vm/index.js';
import type { FunctionReference, MapSpec, ObjectSpec } from '../../../src/vm/index.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { TestMachine, textObject } from '../support/differential.js';

const ARRAY = 2;
const HASH = 1;

/**
 * An object whose functions stand one after the other, the main one first; `rN = fn NAME` loads the address of one of them, and a line
 * `NAME:` begins it.
 */
function withFunctions(text: string, maps: readonly MapSpec[] = []): ObjectSpec {
  const lines = text.split('\n');
  const starts = new Map<string, number>();
  const references: { insnIndex: number; name: string }[] = [];
  const kept: string[] = [];
  let insnIndex = 0;
  for (const line of lines) {
    const begin = /^fn (\w+):$/.exec(line);
    if (begin !== null) {
      starts.set(begin[1]!, insnIndex);
      continue;
    }
    const reference = /^(r\d) = fn (\w+)$/.exec(line);
    if (reference !== null) {
      references.push({ insnIndex, name: reference[2]! });
      kept.push(`${reference[1]} = 0 ll`);
    } else {
      kept.push(line);
    }
    const isWide = reference !== null || / = map | ll$/.test(line);
    if (!/^\w+:$/.test(line)) insnIndex += isWide ? 2 : 1;
  }
  const spec = textObject(kept.join('\n'), maps);
  const functionReferences = references.map(({ insnIndex: at, name }): FunctionReference => ({ insnIndex: at, kind: 'function', targetInsnIndex: starts.get(name)! }));
  const functions = [...spec.programs[0]!.functions, ...[...starts].map(([name, at]) => ({ name, insnIndex: at, isHidden: true }))];
  return { ...spec, programs: spec.programs.map((program) => ({ ...program, functionReferences, functions })) };
}

function run(text: string, maps: readonly MapSpec[] = []) {
  const machine = new TestMachine(withFunctions(text, maps));
  const { retval, fault } = machine.run({ data: bytes(64) });
  const executed = machine.memory.u32[(machine.vm.stateAddress + VM_EXECUTED) >>> 2];
  return { retval, fault, executed, machine };
}

/** `bpf_loop(count, callback, r10 - 8, 0)`; the callback adds its index to the context. */
const loopOf = (count: number, callback: string): string => `r1 = ${count}
r2 = fn ${callback}
r3 = r10
r3 += -8
r4 = 0
call 181`;
const ADDING = `fn adding:
r3 = *(u64 *)(r2 + 0)
r3 += r1
*(u64 *)(r2 + 0) = r3
r0 = 0
exit`;

describe('bpf_loop', () => {
  it('runs the callback on the stack of its caller', () => {
    expect(run(`*(u64 *)(r10 - 8) = 0\n${loopOf(5, 'adding')}\nr0 = *(u64 *)(r10 - 8)\nexit\n${ADDING}`)).toMatchObject({ retval: 10, fault: undefined });
  });

  it('counts every instruction of every callback once', () => {
    // 1 store, 6 with a wide one for bpf_loop, 1 load and 1 exit in the main program, 5 in each callback.
    expect(run(`*(u64 *)(r10 - 8) = 0\n${loopOf(7, 'adding')}\nr0 = *(u64 *)(r10 - 8)\nexit\n${ADDING}`).executed).toBe(9 + 7 * 5);
  });

  it('keeps the registers that a call keeps', () => {
    expect(run(`r6 = 77\n*(u64 *)(r10 - 8) = 0\n${loopOf(3, 'spoiling')}\nr0 = r6\nexit\nfn spoiling:\nr6 = 1\nr7 = 2\nr0 = 0\nexit`).retval).toBe(77);
  });

  it('names the place of a fault inside a callback, not that of the call', () => {
    const { fault } = run(`*(u64 *)(r10 - 8) = 0\n${loopOf(3, 'wrong')}\nexit\nfn wrong:\nr0 = 0\nr3 = *(u64 *)(r0 + 0)\nexit`);
    expect(fault).toMatchObject({ name: 'bad-access', insnIndex: 10, helperId: 0 });
    expect(fault?.message).toContain('load of 8 bytes at r0 = 0x0');
  });

  it('names the helper that refuses an argument inside a callback', () => {
    const { fault } = run(`*(u64 *)(r10 - 8) = 0\n${loopOf(3, 'wrong')}\nexit\nfn wrong:\nr1 = 1\nr2 = 1\nr3 = 1\ncall 1\nexit`);
    expect(fault).toMatchObject({ name: 'bad-helper-argument', insnIndex: 12, helperId: 1, register: 1 });
  });

  it('goes on after a nested loop as if there had been none', () => {
    const nested = `*(u64 *)(r10 - 8) = 0\n${loopOf(3, 'outer')}\nr0 = *(u64 *)(r10 - 8)\nexit\nfn outer:\nr3 = r2\nr1 = 4\nr2 = fn adding\nr4 = 0\ncall 181\nr0 = 0\nexit\n${ADDING}`;
    expect(run(nested)).toMatchObject({ retval: 18, fault: undefined, executed: 9 + 3 * (7 + 4 * 5) });
  });

  it('stops with the budget inside a callback at exactly as many instructions', () => {
    const machine = new TestMachine(withFunctions(`*(u64 *)(r10 - 8) = 0\n${loopOf(8 << 20, 'adding')}\nexit\n${ADDING}`));
    const { fault } = machine.run({ data: bytes(64) });
    expect(fault).toMatchObject({ name: 'instruction-budget' });
    expect(machine.memory.u32[(machine.vm.stateAddress + VM_EXECUTED) >>> 2]).toBe(10_000_000);
    expect(fault?.insnIndex).toBeGreaterThanOrEqual(9);
  });

  it('counts frames of callbacks, eight in all', () => {
    // The callback calls itself by the address in its context, which no check at load can see.
    const deeper = (budget: number): string => `r1 = fn deeper
*(u64 *)(r10 - 8) = r1
*(u64 *)(r10 - 16) = ${budget}
r1 = 1
r2 = *(u64 *)(r10 - 8)
r3 = r10
r3 += -16
r4 = 0
call 181
r0 = 2
exit
fn deeper:
r1 = *(u64 *)(r2 + 0)
if r1 == 0 goto done
r1 += -1
*(u64 *)(r2 + 0) = r1
r3 = r2
r2 = *(u64 *)(r2 + 8)
r1 = 1
r4 = 0
call 181
done:
r0 = 0
exit`;
    expect(run(deeper(6))).toMatchObject({ retval: 2, fault: undefined });
    expect(run(deeper(7)).fault).toMatchObject({ name: 'call-depth', insnIndex: 20 });
  });

  it('refuses an address that is no function', () => {
    expect(run('r1 = 1\nr2 = 8\nr3 = 0\nr4 = 0\ncall 181\nexit').fault).toMatchObject({ name: 'bad-helper-argument', register: 2 });
  });
});

/** `bpf_for_each_map_elem(map, callback, NULL, 0)`. */
const walkOf = (name: string, callback: string): string => `r1 = map ${name}
r2 = fn ${callback}
r3 = 0
r4 = 0
call 164`;

describe('bpf_for_each_map_elem', () => {
  const cells = map('cells', ARRAY, 4, 8, 5);
  const flows = map('flows', HASH, 4, 8, 8);

  it('shows every element of an array, its key for reading only', () => {
    const { retval, machine } = run(`${walkOf('cells', 'number')}\nexit\nfn number:\nr1 = *(u32 *)(r2 + 0)\n*(u64 *)(r3 + 0) = r1\nr0 = 0\nexit`, [cells]);
    expect(retval).toBe(5);
    expect([...machine.loaded.maps.get('cells')!.entries()].map(({ value }) => value[0])).toEqual([0, 1, 2, 3, 4]);
    expect(run(`${walkOf('cells', 'spoil')}\nexit\nfn spoil:\n*(u32 *)(r2 + 0) = 1\nr0 = 0\nexit`, [cells]).fault?.name).toBe('read-only');
  });

  it('takes the keys away when it is over, also after a fault', () => {
    const { fault, machine } = run(`${walkOf('cells', 'keep')}\nr1 = *(u64 *)(r10 - 8)\nexit\nfn keep:\nr0 = *(u64 *)(r1 + 0)\nexit`, [cells]);
    expect(fault?.name).toBe('bad-access');
    expect(machine.run({ data: bytes(64) }).fault?.message).toBe(fault?.message);
    const outside = `r6 = r10\n${walkOf('cells', 'keep')}\nr1 = *(u32 *)(r7 + 0)\nexit\nfn keep:\nr0 = 1\nexit`;
    expect(run(outside, [cells]).fault?.name).toBe('bad-access');
  });

  it('lets the callback delete what it sees', () => {
    const text = `${walkOf('flows', 'drop')}\nexit\nfn drop:\ncall 3\nr0 = 0\nexit`;
    const machine = new TestMachine(withFunctions(text, [flows]));
    const live = machine.loaded.maps.get('flows')!;
    for (let key = 0; key < 8; key++) live.updateBytes(Uint8Array.of(key, 0, 0, 0), new Uint8Array(8), 0);
    expect(machine.run({ data: bytes(64) })).toMatchObject({ retval: 8, fault: undefined });
    expect([...live.entries()]).toEqual([]);
  });

  it('refuses maps that the kernel does not walk', () => {
    expect(run(`${walkOf('queue', 'keep')}\nexit\nfn keep:\nr0 = 0\nexit`, [map('queue', 22, 0, 8, 4)]).fault).toMatchObject({ name: 'bad-helper-argument', register: 1 });
  });
});
