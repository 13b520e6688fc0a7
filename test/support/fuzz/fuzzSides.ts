import { toHex, unwrap } from '../../../src/base/index.js';
import type { Result } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import type { KernelBpf } from '../../../src/replay/index.js';
import { FAULT_BUDGET, Vm } from '../../../src/vm/index.js';
import type { MapSpec, ObjectSpec, VmOptions } from '../../../src/vm/index.js';
import { TestRunner } from '../../../src/xdp/index.js';
import { quietEnvironment, xdpProgram } from '../xdpProgram.js';
import { RESULT_BYTES, VALUE_BYTES } from './emitProgram.js';

const BPF_MAP_TYPE_HASH = 1;
const BPF_MAP_TYPE_ARRAY = 2;
const MEMORY_MIB = 4;
/** What the verifier would walk at most. */
const BUDGET = 1_000_000;

/** What one program did to some packets, one after the other: a line for each, and one for the maps that it leaves. */
export type Trace = readonly string[];

function mapSpec(name: string, type: number, valueSize: number, maxEntries: number): MapSpec {
  return { name, type, keySize: 4, valueSize, maxEntries, flags: 0, keyTypeId: 0, valueTypeId: 0, dataSection: undefined, initialValue: undefined, initialPrograms: [] };
}

/** The object of a program that `emitProgram` wrote. */
export function fuzzObject(text: string): ObjectSpec {
  return xdpProgram(text, { maps: [mapSpec('array', BPF_MAP_TYPE_ARRAY, VALUE_BYTES, 4), mapSpec('hash', BPF_MAP_TYPE_HASH, VALUE_BYTES, 8), mapSpec('results', BPF_MAP_TYPE_ARRAY, RESULT_BYTES, 1)] });
}

interface MapWithEntries {
  readonly spec: MapSpec;
  entries(): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}

function mapsLine(maps: Iterable<MapWithEntries>): string {
  return [...maps].map((map) => `${map.spec.name} {${[...map.entries()].map(({ key, value }) => `${toHex(key)}: ${toHex(value)}`).sort().join(', ')}}`).sort().join(' ');
}

/** One engine of the simulator. */
export class EngineSide {
  readonly #memory = new HostMemory(MEMORY_MIB);
  readonly #mark = this.#memory.mark();
  readonly #options: Pick<VmOptions, 'engine' | 'checksEverything'>;

  constructor(options: Pick<VmOptions, 'engine' | 'checksEverything'>) {
    this.#options = options;
  }

  /**
   * A fault ends the run of a packet and is part of the trace. One by the budget ends the trace: engines count differently, so each stops somewhere else.
   * Problem: the program can't be loaded.
   */
  trace(object: ObjectSpec, packets: readonly Uint8Array[]): Result<Trace> {
    const memory = this.#memory;
    try {
      const vm = new Vm({ memory, environment: quietEnvironment(), instructionBudget: BUDGET, interpretedRuns: 0, ...this.#options });
      const loaded = vm.load(object);
      if (!loaded.ok) return loaded;
      const runner = new TestRunner(memory, vm);
      const program = loaded.value.program('main')!;
      const lines: string[] = [];
      for (const data of packets) {
        const { retval, dataOut, fault } = runner.run(program, { data });
        if (fault?.code === FAULT_BUDGET) return { ok: true, value: [...lines, `fault ${fault.name}`] };
        lines.push(fault === undefined ? `${retval} ${toHex(dataOut)}` : `fault ${fault.message}`);
      }
      return { ok: true, value: [...lines, mapsLine(loaded.value.maps.values())] };
    } finally {
      memory.release(this.#mark);
    }
  }
}

/** The running kernel. Problem: its verifier refuses the program. */
export function kernelTrace(kernel: KernelBpf, object: ObjectSpec, packets: readonly Uint8Array[]): Result<Trace> {
  const loaded = new KernelObject(kernel, object);
  try {
    const program = loaded.loadProgram('main');
    if (!program.ok) return program;
    for (const { name } of object.maps) unwrap(loaded.map(name));
    const lines = packets.map((data) => {
      const { retval, dataOut } = testRun(program.value, { data });
      return `${retval} ${toHex(dataOut)}`;
    });
    return { ok: true, value: [...lines, mapsLine(loaded.maps.values())] };
  } finally {
    loaded.close();
  }
}
