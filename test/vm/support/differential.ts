import { expect } from 'vitest';
import { Rng, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import type { KernelBpf } from '../../../src/replay/index.js';
import { assemble } from '../../../src/vm/isa/assemble.js';
import { ProgArray, Vm, decode, encode, immAt, isMapOfMaps, mapTypeName, opcodeAt } from '../../../src/vm/index.js';
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

/** The same object in a machine and in the kernel. */
export class KernelPair {
  readonly machine: TestMachine;
  readonly #theirs: KernelObject;

  constructor(kernel: KernelBpf, spec: ObjectSpec) {
    this.machine = new TestMachine(spec, testEnvironment({ possibleCpus: kernel.possibleCpus }));
    this.#theirs = new KernelObject(kernel, spec);
  }

  /** Runs a program in both and expects the same result, packet and context. */
  run(packet: TestRunInput, name = 'main'): void {
    const input = { ingressIfindex: LOOPBACK, ...packet };
    const theirs = testRun(unwrap(this.#theirs.loadProgram(name)), input);
    const ours = this.machine.run(input, name);
    expect(ours.fault?.message).toBeUndefined();
    expect({ errno: ours.errno, retval: ours.retval, dataOut: hexOf(ours.dataOut), ctxOut: ours.ctxOut }).toEqual({
      errno: theirs.errno, retval: theirs.retval, dataOut: hexOf(theirs.dataOut), ctxOut: theirs.ctxOut,
    });
  }

  /** Puts the same bytes into a map of both. */
  update(mapName: string, key: Uint8Array, value: Uint8Array): void {
    expect([this.machine.loaded.maps.get(mapName)!.updateBytes(key, value, 0), unwrap(this.#theirs.map(mapName)).updateBytes(key, value, 0)]).toEqual([0, 0]);
  }

  /** Expects the same entries in all maps that the kernel lists; of a PROG_ARRAY and of maps of maps only the keys, as ids differ. */
  expectSameMaps(ignored: readonly string[] = []): void {
    for (const [name, kernelMap] of this.#theirs.maps) {
      if (ignored.includes(name) || KEYLESS.has(mapTypeName(kernelMap.spec.type))) continue;
      const map = this.machine.loaded.maps.get(name)!;
      const entries = (source: EntrySource): string[] =>
        map instanceof ProgArray || isMapOfMaps(map) ? [...source.entries()].map(({ key }) => hexOf(key)).sort() : sortedEntries(source, map.isPerCpu);
      expect([name, entries(map)]).toEqual([name, entries(kernelMap)]);
    }
  }

  [Symbol.dispose](): void {
    this.#theirs.close();
  }
}

/** Runs `main` once in a machine and in the kernel and expects the same of everything that can be seen from outside. */
export function expectSameAsKernel(kernel: KernelBpf, spec: ObjectSpec, packet: TestRunInput): void {
  using pair = new KernelPair(kernel, spec);
  pair.run(packet);
  pair.expectSameMaps();
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Map types whose entries the kernel doesn't list. */
const KEYLESS: ReadonlySet<string> = new Set(['QUEUE', 'STACK', 'BLOOM_FILTER']);

interface EntrySource {
  readonly spec: MapSpec;
  entries(): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}

/**
 * Entries as hex, sorted, as hashes have no order of their own. Of a per-CPU map the u64 words of all CPUs are added up: the kernel
 * runs a program on whichever CPU it likes.
 */
function sortedEntries(source: EntrySource, isPerCpu: boolean): string[] {
  const valueOf = (value: Uint8Array): string => (isPerCpu ? sumOfCpus(value, source.spec.valueSize) : hexOf(value));
  return [...source.entries()].map(({ key, value }) => `${hexOf(key)}=${valueOf(value)}`).sort();
}

function sumOfCpus(value: Uint8Array, valueSize: number): string {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const words = Math.ceil(valueSize / 8);
  const sums = Array.from({ length: words }, () => 0n);
  for (let word = 0; word < value.length / 8; word++) sums[word % words] += view.getBigUint64(word * 8, true);
  return sums.map((sum) => BigInt.asUintN(64, sum).toString(16)).join(' ');
}
