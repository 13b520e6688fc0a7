import { describe, expect, it } from 'vitest';
import { KernelObject } from '../../../src/replay/index.js';
import { map, bytes } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { KernelPair, TestMachine, testEnvironment, textObject } from '../support/differential.js';

const PERCPU = [['PERCPU_HASH', 5], ['PERCPU_ARRAY', 6], ['LRU_PERCPU_HASH', 10]] as const;

/** Puts 7 under key 0 if the map takes it, and returns the value that CPU `cpu` has under `key`: 99 for NULL. */
const textOf = (key: number, cpu: string): string => `
  *(u32 *)(r10 - 4) = 0
  *(u64 *)(r10 - 16) = 7
  r1 = map m
  r2 = r10
  r2 += -4
  r3 = r10
  r3 += -16
  r4 = 0
  call 2
  *(u32 *)(r10 - 4) = ${key}
  r1 = map m
  r2 = r10
  r2 += -4
  r3 = ${cpu}
  call 195
  if r0 == 0 goto none
  r0 = *(u64 *)(r0 + 0)
  exit
  none: r0 = 99
  exit`;

const objectOf = (type: number, key: number, cpu: string) => textObject(textOf(key, cpu), [map('m', type, 4, 8, 4)]);

describe('bpf_map_lookup_percpu_elem', () => {
  it.each(PERCPU)('%s: gives the value of any CPU', (_, type) => {
    const on = (cpu: string): number => new TestMachine(objectOf(type, 0, cpu), testEnvironment({ cpu: 1, possibleCpus: 3 })).run({ data: bytes(64) }).retval;
    expect(['0', '1', '2', '3', '-1', '0x100000001 ll'].map(on)).toEqual([0, 7, 0, 99, 99, 7]);
  });

  it('stops a program that asks a map which has one value for all', () => {
    const machine = new TestMachine(objectOf(1, 0, '0'));
    expect(machine.run({ data: bytes(64) }).fault?.message).toMatch(/bpf_map_lookup_percpu_elem refuses r1/);
  });
});

withKernel('bpf_map_lookup_percpu_elem, against the kernel', (kernel) => {
  it.each(PERCPU)('%s: NULL for keys and CPUs that are not there', (_, type) => {
    for (const [key, cpu] of [[3, '0'], [9, '0'], [0, `${kernel.possibleCpus}`], [0, '-1'], [0, '0xffff ll']] as const) {
      using pair = new KernelPair(kernel, objectOf(type, key, cpu));
      pair.run({ data: bytes(64) });
    }
  });

  it('takes per-CPU maps only', () => {
    for (const [type, isTaken] of [[5, true], [6, true], [10, true], [1, false], [2, false], [9, false]] as const) {
      using loaded = new KernelObject(kernel, objectOf(type, 0, '0'));
      expect([type, loaded.loadProgram('main').ok]).toEqual([type, isTaken]);
    }
  });
});
