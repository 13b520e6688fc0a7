import { describe, expect, it } from 'vitest';
import { E2BIG, EFAULT, EINVAL, ENOENT, EOPNOTSUPP, unwrap } from '../../../src/base/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import { CpuBinding } from '../../../src/replay/cpuBinding.js';
import type { PerfEventArray } from '../../../src/vm/maps/perfEventArray.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc } from '../../support/property.js';
import { TestMachine, testEnvironment, textObject } from '../support/differential.js';
import { KernelPerfEvent } from '../support/kernelRings.js';

const PERF_EVENT_ARRAY = 4;
const CURRENT_CPU = 0xffffffffn;
const SLOTS = 4;

const events = (maxEntries = SLOTS) => map('events', PERF_EVENT_ARRAY, 4, 4, maxEntries);
const key = (index: number): Uint8Array => Uint8Array.of(index, 0, 0, 0);
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

/** Sends the first `size` of 64 bytes. */
function output(flags: bigint, size: number): string {
  const fill = Array.from({ length: 8 }, (_, i) => `*(u64 *)(r10 - ${64 - 8 * i}) = ${0x01010101 * (i + 1)}`).join('\n');
  return `r6 = r1\n${fill}\nr1 = r6\nr2 = map events\nr3 = 0x${flags.toString(16)} ll\nr4 = r10\nr4 += -64\nr5 = ${size}\ncall 25\nexit`;
}

const frags = (text: string, maps = [events()]) => {
  const spec = textObject(text, maps);
  return { ...spec, programs: spec.programs.map((program) => ({ ...program, section: 'xdp.frags', frags: true })) };
};

/** A machine on CPU 0 whose events are kept. */
function listening(text: string, maxEntries = SLOTS) {
  const seen: string[] = [];
  const environment = testEnvironment({ possibleCpus: 2, onEvent: (_map, data) => seen.push(hex(data)) });
  const machine = new TestMachine(frags(text, [events(maxEntries)]), environment);
  return { machine, seen, live: machine.loaded.maps.get('events') as PerfEventArray };
}

describe('bpf_perf_event_output', () => {
  it.each([
    ['the CPU that runs', CURRENT_CPU, 0],
    ['its slot by number', 0n, 0],
    ['the event of another CPU', 1n, -EOPNOTSUPP],
    ['a slot without an event', 2n, -ENOENT],
    ['no slot', 4n, -E2BIG],
    ['more of the packet than there is', CURRENT_CPU | (65n << 32n), -EFAULT],
    ['a bit that is none', CURRENT_CPU | (1n << 52n), -EINVAL],
    ['the highest bit', CURRENT_CPU | (1n << 63n), -EINVAL],
  ])('%s', (_, flags, expected) => {
    const { machine, seen } = listening(output(flags, 8));
    expect(machine.run({ data: bytes(64) }).retval | 0).toBe(expected);
    expect(seen).toHaveLength(expected === 0 ? 1 : 0);
  });

  it('has the data, the start of the packet, and zeros up to 4 less than a multiple of 8', () => {
    const { machine, seen } = listening(output(CURRENT_CPU | (14n << 32n), 8));
    machine.run({ data: bytes(64) });
    expect(seen).toEqual([`0101010100000000${hex(bytes(14))}${'00'.repeat(6)}`]);
  });

  it('without a reader no event is open', () => {
    const machine = new TestMachine(frags(output(CURRENT_CPU, 8)), testEnvironment());
    expect(machine.run({ data: bytes(64) }).retval | 0).toBe(-ENOENT);
  });

  it('a slot can be closed, and hold the event of another CPU', () => {
    const { machine, seen, live } = listening(output(CURRENT_CPU, 8));
    const retval = (): number => machine.run({ data: bytes(64) }).retval | 0;
    expect(live.deleteBytes(key(0))).toBe(0);
    expect(live.deleteBytes(key(0))).toBe(-ENOENT);
    expect(retval()).toBe(-ENOENT);
    expect(live.updateBytes(key(0), key(2), 0)).toBe(0);
    expect(retval()).toBe(-EOPNOTSUPP);
    expect(live.updateBytes(key(0), key(1), 0)).toBe(0);
    expect(retval()).toBe(0);
    expect(live.updateBytes(key(4), key(1), 0)).toBe(-E2BIG);
    expect(live.updateBytes(key(0), key(1), 1)).toBe(-EINVAL);
    expect(seen).toHaveLength(1);
  });

  it('with max_entries 0 there is a slot for each CPU', () => {
    const { live } = listening(output(CURRENT_CPU, 8), 0);
    expect(live.spec.maxEntries).toBe(2);
    expect([live.cpuAt(0), live.cpuAt(1), live.cpuAt(2)]).toEqual([0, 1, -1]);
  });
});

withKernel('perf events, against the kernel', (kernel) => {
  const onCpu0 = new CpuBinding(kernel.syscalls, 0);
  const flags = fc.tuple(
    fc.oneof({ weight: 3, arbitrary: fc.constant(CURRENT_CPU) }, fc.constantFrom(0n, 1n, 2n, 3n, 4n, 0xfffffffen)),
    fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 80n }), fc.constantFrom(4000n, 9000n, 9001n, 0xfffffn, 0x100000n, 0x80000000n)),
  ).map(([index, length]) => index | (length << 32n));

  it('the same errno and the same samples', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(flags, fc.integer({ min: 0, max: 64 }), fc.constantFrom(14, 64, 1500, 9000), (flag, size, length) => {
        const { machine, seen, live } = listening(output(flag, size));
        const object = new KernelObject(kernel, frags(output(flag, size)));
        const theirs = unwrap(object.map('events'));
        const program = unwrap(object.loadProgram('main'));
        const open = [new KernelPerfEvent(0, 8), new KernelPerfEvent(1, 8)];
        try {
          // Slot 3 has the event of another CPU, slot 2 has none.
          const fdKey = (fd: number): Uint8Array => new Uint8Array(Int32Array.of(fd).buffer);
          expect([theirs.updateBytes(key(0), fdKey(open[0]!.fd), 0), theirs.updateBytes(key(1), fdKey(open[1]!.fd), 0), theirs.updateBytes(key(3), fdKey(open[1]!.fd), 0)]).toEqual([0, 0, 0]);
          live.open(3, 1);
          const result = unwrap(onCpu0.run(() => testRun(program, { data: bytes(length) })));
          const mine = machine.run({ data: bytes(length) });
          expect(mine.fault?.message).toBeUndefined();
          expect(mine.retval | 0).toBe(result.retval | 0);
          const used = size + Number(flag >> 32n);
          // What fills a sample up is left as it was in the kernel's ring.
          const withoutFill = (sample: string): [number, string] => [sample.length / 2, sample.slice(0, 2 * used)];
          expect(seen.map(withoutFill)).toEqual(open[0]!.samples().map(hex).map(withoutFill));
          expect(theirs.lookupBytes(key(0))).toBe(live.lookupBytes());
          expect([theirs.deleteBytes(key(2)), theirs.deleteBytes(key(1)), theirs.deleteBytes(key(9)), theirs.updateBytes(key(0), fdKey(-1), 0), theirs.updateBytes(key(0), fdKey(open[0]!.fd), 1), theirs.updateBytes(key(4), fdKey(open[0]!.fd), 0)]).toEqual(
            [live.deleteBytes(key(2)), live.deleteBytes(key(1)), live.deleteBytes(key(9)), live.updateBytes(key(0), key(0), 0), live.updateBytes(key(0), key(1), 1), live.updateBytes(key(4), key(1), 0)]);
        } finally {
          for (const event of open) event.close();
          object.close();
        }
      }),
      { numRuns: 150 },
    );
  });

  const read = (flag: bigint): string => `r1 = map events\nr2 = 0x${flag.toString(16)} ll\ncall 22\nexit`;
  const readValue = (flag: bigint, size: number): string =>
    `*(u64 *)(r10 - 8) = -1\n*(u64 *)(r10 - 16) = -1\n*(u64 *)(r10 - 24) = -1\n*(u64 *)(r10 - 32) = -1\nr1 = map events\nr2 = 0x${flag.toString(16)} ll\nr3 = r10\nr3 += -32\nr4 = ${size}\ncall 55\nr1 = *(u64 *)(r10 - 32)\nr1 += r0\nr0 = r1\nexit`;

  it.each([
    ...[CURRENT_CPU, 0n, 1n, 2n, 3n, 4n, 1n << 32n, CURRENT_CPU | (1n << 63n)].flatMap((flag) => [['read', read(flag)], ['read_value', readValue(flag, 24)]]),
    ...[1, 8, 16, 32].map((size) => ['read_value', readValue(CURRENT_CPU, size)]),
  ])('bpf_perf_event_%s gives the same', (_, text) => {
    const { machine, live } = listening(text!);
    const object = new KernelObject(kernel, frags(text!));
    const theirs = unwrap(object.map('events'));
    const program = unwrap(object.loadProgram('main'));
    const open = [new KernelPerfEvent(0, 0), new KernelPerfEvent(1, 0)];
    for (const [slot, cpu] of [[0, 0], [1, 1], [3, 1]] as const) {
      expect(theirs.updateBytes(key(slot), new Uint8Array(Int32Array.of(open[cpu]!.fd).buffer), 0)).toBe(0);
      live.open(slot, cpu);
    }
    const result = unwrap(onCpu0.run(() => testRun(program, { data: bytes(64) })));
    const mine = machine.run({ data: bytes(64) });
    expect([mine.fault?.message, mine.retval | 0]).toEqual([undefined, result.retval | 0]);
    for (const event of open) event.close();
    object.close();
  });
});
