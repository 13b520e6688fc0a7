import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { KernelObject, testRun } from '../../src/replay/index.js';
import type { LoadedObject, MapSpec, ObjectSpec, ProgramEntryMap } from '../../src/vm/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { simulate, xdpProgram } from '../support/simulate.js';
import { map } from './support/kernelPrograms.js';

// Programs of a CPUMAP's entries, as the running kernel runs them: BPF_PROG_TEST_RUN with live frames carries the redirect out.

const CPUMAP = 16;
const CPU = 1;
const LOOPBACK = 1;
const RUNS = 7;

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** A frame of an EtherType that no stack listens to (IEEE local experimental 1), of more than 64 bytes. */
const FRAME = Uint8Array.from({ length: 80 }, (_, i) => (i === 12 ? 0x88 : i === 13 ? 0xb5 : i < 12 ? 2 : i));

const cpus = map('cpus', CPUMAP, 4, 8, 4);
const seen = map('seen', 2, 4, 4, 8);

/** Stores r7 at `seen[index]`; keeps r6 to r9. */
const keep = (index: number): string =>
  `*(u32 *)(r10 - 4) = ${index}\nr1 = map seen\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto l${index}\n*(u32 *)(r0 + 0) = r7\nl${index}: r0 = 0\n`;

/** Adds one to `seen[index]`. */
const count = (index: number): string =>
  `*(u32 *)(r10 - 4) = ${index}\nr1 = map seen\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto l${index}\nr1 = *(u32 *)(r0 + 0)\nr1 += 1\n*(u32 *)(r0 + 0) = r1\nl${index}: r0 = 0\n`;

/** 0 ingress_ifindex, 1 rx_queue_index, 2 CPU, 3 bytes, 4 what bpf_xdp_adjust_head(-216) gives, 5 and what -4 more does; 6 runs. */
const second = [
  'r6 = r1',
  `r7 = *(u32 *)(r6 + 12)\n${keep(0)}`,
  `r7 = *(u32 *)(r6 + 16)\n${keep(1)}`,
  `call 8\nr7 = r0\n${keep(2)}`,
  `r7 = *(u32 *)(r6 + 4)\nr1 = *(u32 *)(r6 + 0)\nr7 -= r1\n${keep(3)}`,
  `r1 = r6\nr2 = -216\ncall 44\nr7 = r0\n${keep(4)}`,
  `r1 = r6\nr2 = -4\ncall 44\nr7 = r0\n${keep(5)}`,
  count(6),
  'r0 = 1\nexit',
].join('\n');

function twoPrograms(maps: readonly MapSpec[]): ObjectSpec {
  const object = xdpProgram(`r1 = map cpus\nr2 = ${CPU}\nr3 = 0\ncall 51\nexit`, { maps });
  const entry = { ...xdpProgram(second, { maps }).programs[0], name: 'second', section: 'xdp/cpumap', attachType: 'cpumap' as const };
  return { ...object, programs: [...object.programs, entry] };
}

const words = (entries: Iterable<{ readonly value: Uint8Array }>): number[] =>
  [...entries].map(({ value }) => new DataView(value.buffer, value.byteOffset).getUint32(0, true));

withKernel('the program of a CPUMAP entry, in the kernel and in a simulation', (kernel) => {
  it.skipIf(kernel.possibleCpus <= CPU)('sees the same', async () => {
    const object = twoPrograms([cpus, seen]);
    using theirs = new KernelObject(kernel, object);
    const program = unwrap(theirs.loadProgram('main'));
    expect(unwrap(theirs.writeEntry('cpus', u32(CPU), 64, 'second'))).toBe(0);
    expect(testRun(program, { data: FRAME, ingressIfindex: LOOPBACK, repeat: RUNS, liveFrames: { batchSize: 4 } }).errno).toBe(0);
    const kernelSeen = unwrap(theirs.map('seen'));
    await expect.poll(() => words(kernelSeen.entries())[6], { timeout: 5000 }).toBe(RUNS);

    const { simulation, outcomes } = simulate({
      object,
      program: 'main',
      frames: Array.from({ length: RUNS }, () => ({ bytes: FRAME })),
      nic: { queues: 2, ifindex: LOOPBACK },
      prepare(loaded: LoadedObject) {
        const entry = loaded.maps.get('cpus') as ProgramEntryMap;
        expect(entry.updateEntry(u32(CPU), 64, loaded.program('second'), 0)).toBe(0);
        return undefined;
      },
    });
    expect(outcomes).toEqual({ cpumap_drop: RUNS });
    expect(words(simulation.loaded.maps.get('seen')!.entries())).toEqual(words(kernelSeen.entries()));
  });
});
