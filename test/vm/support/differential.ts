import { expect } from 'vitest';
import { Rng, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import type { KernelBpf } from '../../../src/replay/index.js';
import { assemble } from '../../../src/vm/isa/assemble.js';
import { Vm, decode, encode, immAt, opcodeAt } from '../../../src/vm/index.js';
import type { LoadedObject, MapReference, MapSpec, ObjectSpec, VmEnvironment } from '../../../src/vm/index.js';
import { TestRunner } from '../../../src/xdp/testRun.js';
import type { TestRunInput } from '../../../src/xdp/testRun.js';
import { object, program } from '../../replay/support/kernelPrograms.js';

/** A quiet environment at a fixed time. */
export function testEnvironment(more: Partial<VmEnvironment> = {}): VmEnvironment {
  return { tNs: 0, cpu: 0, possibleCpus: 2, rng: new Rng(1), onPrintk: () => {}, ...more };
}

const LOOPBACK = 1;

/** Upper half of a lddw that stands for a map until its reference is written. */
const MAP_MARK = 0x6d6170;

/** An object with the program `main`, given as text (assemble.ts); `r1 = map NAME` loads the address of a map. */
export function textObject(text: string, maps: readonly MapSpec[] = [], more: Partial<ObjectSpec> = {}): ObjectSpec {
  const marked = text.replace(/= map (\w+)/g, (_, name: string) => `= 0x${MAP_MARK.toString(16)}0000000${maps.findIndex((each) => each.name === name)} ll`);
  const insns = unwrap(assemble(marked));
  const references: MapReference[] = [];
  for (let index = 0; index < insns.length / 8; index++) {
    if (opcodeAt(insns, index) !== 0x18) continue;
    if (immAt(insns, index + 1) === MAP_MARK) {
      references.push({ insnIndex: index, map: maps[immAt(insns, index)].name, kind: 'map', offBytes: 0 });
      encode(insns, index, { ...decode(insns, index), imm: 0 });
      encode(insns, index + 1, { opcode: 0, dst: 0, src: 0, off: 0, imm: 0 });
    }
    index++;
  }
  return object([{ ...program('main', []), insns, references }], maps, more);
}

/** One machine with one object, driven as BPF_PROG_TEST_RUN drives the kernel. */
export class TestMachine {
  readonly memory = new HostMemory(4);
  readonly environment: VmEnvironment;
  readonly vm: Vm;
  readonly loaded: LoadedObject;
  readonly runner: TestRunner;

  constructor(spec: ObjectSpec, environment: VmEnvironment = testEnvironment()) {
    this.environment = environment;
    this.vm = new Vm({ memory: this.memory, environment });
    this.loaded = unwrap(this.vm.load(spec));
    this.runner = new TestRunner(this.memory, this.vm);
  }

  run(input: TestRunInput, name = 'main') {
    return this.runner.run(this.loaded.program(name)!, input);
  }
}

/** Runs the program in a machine and in the kernel and expects the same of everything that can be seen from outside. Gives the kernel's result. */
export function expectSameAsKernel(kernel: KernelBpf, spec: ObjectSpec, packet: TestRunInput) {
  const input = { ingressIfindex: LOOPBACK, ...packet };
  const machine = new TestMachine(spec, testEnvironment({ possibleCpus: kernel.possibleCpus }));
  using theirs = new KernelObject(kernel, spec);
  const result = testRun(unwrap(theirs.loadProgram('main')), input);
  const ours = machine.run(input);
  expect(ours.fault?.message).toBeUndefined();
  expect({ errno: ours.errno, retval: ours.retval, dataOut: hexOf(ours.dataOut), ctxOut: ours.ctxOut }).toEqual({
    errno: result.errno, retval: result.retval, dataOut: hexOf(result.dataOut), ctxOut: result.ctxOut,
  });
  for (const [name, kernelMap] of theirs.maps) {
    const ownMap = machine.loaded.maps.get(name)!;
    expect(sortedEntries(ownMap, ownMap.isPerCpu)).toEqual(sortedEntries(kernelMap, ownMap.isPerCpu));
  }
  return result;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

interface EntrySource {
  readonly spec: MapSpec;
  entries(): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}

/**
 * Entries as hex, sorted: hashes have no order of their own. The values of a per-CPU map are sorted too, as the kernel runs a program on
 * whichever CPU it likes.
 */
export function sortedEntries(source: EntrySource, isPerCpu: boolean): string[] {
  const perCpuBytes = Math.ceil(source.spec.valueSize / 8) * 8;
  const valueOf = (value: Uint8Array): string => {
    if (!isPerCpu) return hexOf(value);
    return Array.from({ length: value.length / perCpuBytes }, (_, cpu) => hexOf(value.subarray(cpu * perCpuBytes, (cpu + 1) * perCpuBytes))).sort().join(' ');
  };
  return [...source.entries()].map(({ key, value }) => `${hexOf(key)}=${valueOf(value)}`).sort();
}
