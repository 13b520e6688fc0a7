import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { KernelObject, testRun } from '../../src/replay/index.js';
import { NetSyscalls } from '../../src/replay/net/netSyscalls.js';
import { VethPair } from '../../src/replay/net/vethPair.js';
import type { LoadedObject, ObjectSpec, ProgramEntryMap } from '../../src/vm/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { simulate, xdpProgram } from '../support/simulate.js';
import { map } from './support/kernelPrograms.js';

// Programs of a DEVMAP's and a CPUMAP's entries, as the running kernel runs them: BPF_PROG_TEST_RUN with live frames carries the redirect out.

const [DEVMAP, CPUMAP] = [14, 16];
/** Key of the entry: of the CPUMAP it is the CPU. */
const KEY = 1;
const LOOPBACK = 1;
const QUEUE_SIZE = 64;
const RUNS = 7;

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** A frame of an EtherType that no stack listens to (IEEE local experimental 1), of more than 64 bytes. */
const FRAME = Uint8Array.from({ length: 80 }, (_, i) => (i === 12 ? 0x88 : i === 13 ? 0xb5 : i < 12 ? 2 : i));

const seen = map('seen', 2, 4, 4, 8);

/** Stores r7 at `seen[index]`; keeps r6 to r9. */
const keep = (index: number): string =>
  `*(u32 *)(r10 - 4) = ${index}\nr1 = map seen\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto l${index}\n*(u32 *)(r0 + 0) = r7\nl${index}: r0 = 0\n`;

/** Adds one to `seen[index]`. */
const count = (index: number): string =>
  `*(u32 *)(r10 - 4) = ${index}\nr1 = map seen\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto l${index}\nr1 = *(u32 *)(r0 + 0)\nr1 += 1\n*(u32 *)(r0 + 0) = r1\nl${index}: r0 = 0\n`;

/** 0 ingress_ifindex, 1 rx_queue_index, 2 CPU or egress_ifindex, 3 bytes, 4 what bpf_xdp_adjust_head(-216) gives, 5 and what -4 more does; 6 runs. */
const second = (third: string): string => [
  'r6 = r1',
  `r7 = *(u32 *)(r6 + 12)\n${keep(0)}`,
  `r7 = *(u32 *)(r6 + 16)\n${keep(1)}`,
  `${third}\n${keep(2)}`,
  `r7 = *(u32 *)(r6 + 4)\nr1 = *(u32 *)(r6 + 0)\nr7 -= r1\n${keep(3)}`,
  `r1 = r6\nr2 = -216\ncall 44\nr7 = r0\n${keep(4)}`,
  `r1 = r6\nr2 = -4\ncall 44\nr7 = r0\n${keep(5)}`,
  count(6),
  'r0 = 1\nexit',
].join('\n');

/** `main` redirects to the entry KEY of `targets`, `second` is to run there. */
function twoPrograms(type: number, attachType: 'devmap' | 'cpumap', third: string): ObjectSpec {
  const maps = [map('targets', type, 4, 8, 4), seen];
  const object = xdpProgram(`r1 = map targets\nr2 = ${KEY}\nr3 = 0\ncall 51\nexit`, { maps });
  const entry = { ...xdpProgram(second(third), { maps }).programs[0], name: 'second', section: `xdp/${attachType}`, attachType };
  return { ...object, programs: [...object.programs, entry] };
}

const words = (entries: Iterable<{ readonly value: Uint8Array }>): number[] =>
  [...entries].map(({ value }) => new DataView(value.buffer, value.byteOffset).getUint32(0, true));

/** Puts the entry and sends the frames, in the kernel: where they go to is up to it. */
function sendInKernel(theirs: KernelObject, target: number, ingressIfindex: number): void {
  const program = unwrap(theirs.loadProgram('main'));
  expect(unwrap(theirs.writeEntry('targets', u32(KEY), target, 'second'))).toBe(0);
  expect(testRun(program, { data: FRAME, ingressIfindex, repeat: RUNS, liveFrames: { batchSize: 4 } }).errno).toBe(0);
}

/** The same in a simulation: outcomes, and what `second` has seen. */
function sendSimulated(object: ObjectSpec, target: number, ifindex: number) {
  const { simulation, outcomes } = simulate({
    object,
    program: 'main',
    frames: Array.from({ length: RUNS }, () => ({ bytes: FRAME })),
    nic: { queues: 2, ifindex },
    prepare(loaded: LoadedObject) {
      const entry = loaded.maps.get('targets') as ProgramEntryMap;
      expect(entry.updateEntry(u32(KEY), target, loaded.program('second'), 0)).toBe(0);
      return undefined;
    },
  });
  return { outcomes, seen: words(simulation.loaded.maps.get('seen')!.entries()) };
}

/** ethtool, with which the far end of a veth pair is made to take XDP frames (veth_set_xdp_features). */
const hasEthtool = spawnSync('ethtool', ['--version']).status === 0;
if (!hasEthtool) console.warn('SKIPPED, not compared with the kernel: the program of a DEVMAP entry: there is no ethtool');

withKernel('the program of an entry, in the kernel and in a simulation', (kernel) => {
  it.skipIf(kernel.possibleCpus <= KEY)('of a CPUMAP sees the same', async () => {
    const object = twoPrograms(CPUMAP, 'cpumap', 'call 8\nr7 = r0');
    using theirs = new KernelObject(kernel, object);
    sendInKernel(theirs, QUEUE_SIZE, LOOPBACK);
    const kernelSeen = unwrap(theirs.map('seen'));
    await expect.poll(() => words(kernelSeen.entries())[6], { timeout: 5000 }).toBe(RUNS);
    expect(sendSimulated(object, QUEUE_SIZE, LOOPBACK)).toEqual({ outcomes: { cpumap_drop: RUNS }, seen: words(kernelSeen.entries()) });
  });

  it.skipIf(!hasEthtool)('of a DEVMAP sees the same', async () => {
    const object = twoPrograms(DEVMAP, 'devmap', 'r7 = *(u32 *)(r6 + 20)');
    const { default: koffi } = await import('koffi');
    const pair = unwrap(VethPair.create(new NetSyscalls(koffi, process.arch), 1500));
    try {
      const { sender, receiver: { namespace, ifindex } } = pair;
      sender.namespace.enter(() => spawnSync('ethtool', ['-K', sender.name, 'gro', 'on']));
      using theirs = new KernelObject(kernel, object);
      namespace.enter(() => sendInKernel(theirs, ifindex, ifindex));
      const kernelSeen = words(unwrap(theirs.map('seen')).entries());
      expect(kernelSeen[6]).toBe(RUNS);
      expect(sendSimulated(object, ifindex, ifindex)).toEqual({ outcomes: { devmap_drop: RUNS }, seen: kernelSeen });
    } finally {
      pair.close();
    }
  });
});
