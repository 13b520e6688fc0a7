import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { KernelObject, testRun } from '../../src/replay/index.js';
import type { KernelBpf } from '../../src/replay/index.js';
import { CpuBinding } from '../../src/replay/cpuBinding.js';
import { KernelTracer } from '../../src/replay/net/kernelTracer.js';
import type { KernelTraceRecord } from '../../src/replay/net/kernelTracer.js';
import { TRACE_CPUMAP_ENQUEUE, TRACE_CPUMAP_KTHREAD, traceLine, TRACEPOINTS } from '../../src/xdp/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { CpumapHost, cpumapObject, ETH0, redirectTo } from '../xdp/support/cpumapHost.js';

// Queues and threads of CPUMAPs, as the running kernel has them: BPF_PROG_TEST_RUN with live frames, on the CPU of the entry. Softirq is off there while a
// batch is on its way, so that the thread can't run before all of it is on the ring.

const CPU = 1;
/** Most frames of one batch. */
const BATCH = 64;

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
/** The first byte says where it goes; an EtherType that no stack listens to (IEEE local experimental 1). */
const FRAME = Uint8Array.from({ length: 80 }, (_, i) => (i === 12 ? 0x88 : i === 13 ? 0xb5 : CPU));

interface Case {
  readonly frames: number;
  readonly queueSize?: number;
  readonly program?: string;
}

/** Value of a record's field. */
const field = ({ tracepoint, fields }: KernelTraceRecord, name: string): number => fields[TRACEPOINTS[tracepoint]!.fields.indexOf(name)]!;

/** All frames that went onto a ring have been taken off. */
function isAtRest(records: readonly KernelTraceRecord[]): boolean {
  let waiting = 0;
  for (const record of records) {
    if (record.tracepoint === TRACE_CPUMAP_ENQUEUE) waiting += field(record, 'processed') - field(record, 'drops');
    if (record.tracepoint === TRACE_CPUMAP_KTHREAD) waiting -= field(record, 'processed');
  }
  return waiting === 0;
}

/** Tracepoints of the maps `cpus` and `others` when a batch of live frames goes to `cpus`. */
async function tracesOfKernel(kernel: KernelBpf, { frames, queueSize = 192, program }: Case): Promise<string[]> {
  using theirs = new KernelObject(kernel, cpumapObject(program === undefined ? {} : { entry: program }));
  const main = unwrap(theirs.loadProgram('main'));
  expect(unwrap(theirs.writeEntry('cpus', u32(CPU), queueSize, program && 'entry'))).toBe(0);
  expect(unwrap(theirs.writeEntry('others', u32(CPU), queueSize, undefined))).toBe(0);
  const names = new Map(['cpus', 'others'].map((name) => [kernel.programId(unwrap(theirs.map(name)).fd), name]));
  const tracer = unwrap(KernelTracer.open(kernel, { namespaces: [], mapIds: [...names.keys()] }));
  try {
    unwrap(new CpuBinding(kernel.syscalls, CPU).run(() => {
      expect(testRun(main, { data: FRAME, ingressIfindex: ETH0, repeat: frames, liveFrames: { batchSize: BATCH } }).errno).toBe(0);
    }));
    const records: KernelTraceRecord[] = [];
    await expect.poll(() => isAtRest((records.push(...tracer.take()), records)), { timeout: 5000 }).toBe(true);
    return records.map(({ tracepoint, fields }) => traceLine(tracepoint, fields).replace(/map_id=(\d+)/, (_, id: string) => `map=${names.get(Number(id))}`));
  } finally {
    tracer.close();
  }
}

/** The same in the simulator. */
function tracesOfSimulator({ frames, queueSize = 192, program }: Case): string[] {
  const host = new CpumapHost(program === undefined ? {} : { entry: program });
  host.put('cpus', CPU, queueSize, program && 'entry');
  host.put('others', CPU, queueSize);
  host.poll(Array.from({ length: frames }, () => CPU), CPU);
  host.settle();
  expect(host.isClean).toBe(true);
  return host.takeTraces();
}

/** Whether the thread slept before a round is certain only of its first: cond_resched says what it likes, by load and by how the kernel preempts. */
const withoutLaterSleeps = (lines: readonly string[]): string[] => {
  const first = lines.findIndex((line) => line.startsWith('xdp_cpumap_kthread'));
  return lines.map((line, i) => (i > first ? line.replace(/sched=\d/, 'sched=?') : line));
};

/** Threads of two entries take turns as the scheduler likes. */
const isOfOthersThread = (line: string): boolean => line.includes('kthread') && line.includes('map=others');

withKernel('CPUMAP, in the kernel and in the simulator', (kernel) => {
  it.skipIf(kernel.possibleCpus <= CPU).each<[string, Case]>([
    ['one frame', { frames: 1 }],
    ['a bulk', { frames: 8 }],
    ['one more than a bulk', { frames: 9 }],
    ['20 frames', { frames: 20 }],
    ['64 frames, a ring of 8', { frames: 64, queueSize: 8 }],
    ['12 frames, a ring of 5', { frames: 12, queueSize: 5 }],
    ['a ring of 1', { frames: 3, queueSize: 1 }],
    ['20 frames, a ring of 17', { frames: 20, queueSize: 17 }],
    ...['r0 = 2', 'r0 = 1', 'r0 = 0', 'r0 = 3', 'r0 = 77', 'r0 = 4', 'r2 = -216\ncall 44\nr0 = 2', 'r2 = -217\ncall 44\nr0 = 2'].map(
      (program): [string, Case] => [`20 frames, ${program.replaceAll('\n', '; ')}`, { frames: 20, program: `${program}\nexit` }],
    ),
  ])('%s', async (_, each) => {
    const expected = await tracesOfKernel(kernel, each);
    expect(withoutLaterSleeps(tracesOfSimulator(each))).toEqual(withoutLaterSleeps(expected));
  });

  it.skipIf(kernel.possibleCpus <= CPU)('an entry that redirects to another CPUMAP flushes with each round', async () => {
    const each = { frames: 20, program: redirectTo('others', CPU) };
    const lines = (all: readonly string[]): string[] => withoutLaterSleeps(all.filter((line) => !isOfOthersThread(line)));
    expect(lines(tracesOfSimulator(each))).toEqual(lines(await tracesOfKernel(kernel, each)));
  });
});
