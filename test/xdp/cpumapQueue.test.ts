import { describe, expect, it } from 'vitest';
import { Owner } from '../../src/memory/index.js';
import { fc, prop } from '../support/property.js';
import { CpumapHost, ETH0, redirectTo } from './support/cpumapHost.js';

const PASS = 'r0 = 2\nexit';
const DROP = 'r0 = 1\nexit';

const times = (count: number, cpu: number): number[] => Array.from({ length: count }, () => cpu);
const enqueue = (processed: number, drops = 0, { cpu = 0, toCpu = 1, map = 'cpus' } = {}): string =>
  `xdp_cpumap_enqueue: enqueue cpu=${cpu} map=${map} action=REDIRECT processed=${processed} drops=${drops} to_cpu=${toCpu}`;
const round = (processed: number, sched: number, [pass = 0, drop = 0, redirect = 0]: readonly number[] = [], { cpu = 1, map = 'cpus' } = {}): string =>
  `xdp_cpumap_kthread: kthread cpu=${cpu} map=${map} action=REDIRECT processed=${processed} drops=0 sched=${sched} xdp_pass=${pass} xdp_drop=${drop} xdp_redirect=${redirect}`;

function hostWith(queueSize: number, program?: string, more: Readonly<Record<string, string>> = {}): CpumapHost {
  const host = new CpumapHost(program === undefined ? more : { entry: program, ...more });
  host.put('cpus', 1, queueSize, program && 'entry');
  return host;
}

/** Stores r7 at `seen[index]`; keeps r6 to r9. */
const keep = (index: number): string =>
  `*(u32 *)(r10 - 4) = ${index}\nr1 = map seen\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto l${index}\n*(u32 *)(r0 + 0) = r7\nl${index}: r0 = 0\n`;

describe('frames to a CPU', () => {
  it('go onto its ring in bulks of 8, and go up from there 8 at a time', () => {
    const host = hostWith(192);
    host.poll(times(20, 1));
    expect(host.takeTraces()).toEqual([enqueue(8), enqueue(8), enqueue(4)]);
    expect(host.ends).toEqual([]);
    expect(host.allocator.ledger.census()).toMatchObject({ cpumapRing: 20 });
    host.settle();
    expect(host.takeTraces()).toEqual([round(8, 1), round(8, 0), round(4, 0)]);
    expect(host.outcomes).toEqual({ cpumap: 20 });
    expect(host.ends[0]).toEqual({ outcome: 'cpumap', firstByte: 1, queue: 3, cpu: 1 });
    expect(host.returned).toEqual({ direct: 0, ring: 20 });
    expect(host.isClean).toBe(true);
  });

  it('wait for the flush, and what does not fill a bulk is on no ring before', () => {
    const host = hostWith(192);
    const { core } = host;
    const flush = core.xdpDoFlush.bind(core);
    core.xdpDoFlush = () => {};
    host.poll(times(9, 1));
    expect(host.takeTraces()).toEqual([enqueue(8)]);
    host.settle();
    expect(host.ends).toEqual([]);
    expect(host.allocator.ledger.census()).toMatchObject({ cpumapRing: 8, redirect: 1 });
    flush();
    host.settle();
    expect(host.takeTraces()).toEqual([enqueue(1), round(8, 1), round(1, 0)]);
    expect(host.isClean).toBe(true);
  });

  it('are dropped where its ring is full, and go back at once to the pool of the poll', () => {
    const host = hostWith(5);
    host.poll(times(12, 1));
    expect(host.takeTraces()).toEqual([enqueue(8, 3), enqueue(4, 4)]);
    expect(host.returned).toEqual({ direct: 7, ring: 0 });
    host.settle();
    expect(host.takeTraces()).toEqual([round(5, 1)]);
    expect(host.outcomes).toEqual({ cpumap_full: 7, cpumap: 5 });
    expect(host.isClean).toBe(true);
  });

  it('find places of the ring free again that the thread has emptied', () => {
    const host = hostWith(8);
    for (let i = 0; i < 3; i++) {
      host.poll(times(8, 1));
      host.settle();
    }
    expect(host.outcomes).toEqual({ cpumap: 24 });
  });

  it('of two CPUs have a bulk each, and share the ring', () => {
    const host = hostWith(192);
    host.poll(times(3, 1), 0);
    host.poll(times(4, 1), 2);
    expect(host.takeTraces()).toEqual([enqueue(3), enqueue(4, 0, { cpu: 2 })]);
    host.settle();
    expect(host.takeTraces()).toEqual([round(7, 1)]);
  });

  it('of two entries have a bulk, a ring and a thread each; the entry that came last is flushed first', () => {
    const host = hostWith(192);
    host.put('cpus', 2, 192);
    host.poll([1, 2, 1, 2, 2]);
    host.settle();
    expect(host.takeTraces()).toEqual([enqueue(3, 0, { toCpu: 2 }), enqueue(2), round(3, 1, [], { cpu: 2 }), round(2, 1)]);
    expect(host.ends.map(({ firstByte, cpu }) => [firstByte, cpu])).toEqual([[2, 2], [2, 2], [2, 2], [1, 1], [1, 1]]);
  });
});

describe('the program of an entry', () => {
  it.each([
    ['XDP_PASS', PASS, [20, 0, 0], { cpumap: 20 }],
    ['XDP_DROP', DROP, [0, 20, 0], { cpumap_drop: 20 }],
    ['XDP_ABORTED', 'r0 = 0\nexit', [0, 20, 0], { cpumap_drop: 20 }],
    ['XDP_TX', 'r0 = 3\nexit', [0, 20, 0], { cpumap_drop: 20 }],
    ['77', 'r0 = 77\nexit', [0, 20, 0], { cpumap_drop: 20 }],
    ['XDP_REDIRECT without a helper', 'r0 = 4\nexit', [0, 20, 0], { redirect_no_helper: 20 }],
    ['XDP_REDIRECT to a device', redirectTo('devices'), [0, 0, 20], { redirect: 20 }],
    ['XDP_PASS, with all of the headroom but struct xdp_frame', 'r2 = -216\ncall 44\nr0 = 2\nexit', [20, 0, 0], { cpumap: 20 }],
    ['nothing, as it is stopped', 'r0 = *(u64 *)(r1 + 0)\nexit', [0, 20, 0], { entry_program_fault: 20 }],
  ])('returns %s', (_, program, [pass, drop, redirect], outcomes) => {
    const host = hostWith(192, program);
    host.poll(times(20, 1));
    host.takeTraces();
    host.settle();
    const part = (count: number): number[] => [pass, drop, redirect].map((all) => (all === 0 ? 0 : count));
    expect(host.takeTraces()).toEqual([round(8, 1, part(8)), round(8, 0, part(8)), round(4, 0, part(4))]);
    expect(host.outcomes).toEqual(outcomes);
    expect(host.returned).toEqual({ direct: 0, ring: 20 });
    expect(host.takeTraces('exception')).toEqual([]);
    expect(host.isClean).toBe(true);
  });

  it('runs on the CPU of the entry, knows the device and no queue', () => {
    const host = hostWith(192, `r6 = r1\nr7 = *(u32 *)(r6 + 12)\n${keep(0)}r7 = *(u32 *)(r6 + 16)\n${keep(1)}call 8\nr7 = r0\n${keep(2)}r0 = 2\nexit`);
    host.poll([1], 2);
    host.settle();
    expect(host.seen.slice(0, 3)).toEqual([ETH0, 0, 1]);
    expect(host.environment.cpu).toBe(2);
  });

  it('redirects in the order of the kernel: redirects, their flush, then the round', () => {
    const host = hostWith(192, redirectTo('others', 2));
    host.put('others', 2, 192);
    host.poll(times(10, 1));
    host.takeTraces('');
    host.settle();
    const others = { cpu: 1, toCpu: 2, map: 'others' };
    expect(host.takeTraces('').map((line) => line.replace(/prog_id=\d+ /, ''))).toEqual([
      ...times(8, 0).map(() => `xdp_redirect: action=REDIRECT ifindex=${ETH0} to_ifindex=0 err=0 map=others map_index=2`),
      enqueue(8, 0, others),
      round(8, 1, [0, 0, 8]),
      round(8, 1, [], { cpu: 2, map: 'others' }),
      ...times(2, 0).map(() => `xdp_redirect: action=REDIRECT ifindex=${ETH0} to_ifindex=0 err=0 map=others map_index=2`),
      enqueue(2, 0, others),
      round(2, 0, [0, 0, 2]),
      round(2, 1, [], { cpu: 2, map: 'others' }),
    ]);
    expect(host.ends.map(({ cpu }) => cpu)).toEqual(times(10, 2));
  });

  it.each(['poll', 'pollGeneric'] as const)('that redirects for ever ends (%s)', (poll) => {
    const host = hostWith(192, redirectTo('cpus', 1));
    host[poll](times(20, 1));
    host.settle();
    expect(host.outcomes).toEqual({ redirect_loop: 20 });
    expect(host.isClean).toBe(true);
  });
});

describe('an entry that is no more', () => {
  it('has its program and its ring until that is empty', () => {
    const host = hostWith(16, PASS, { other: DROP });
    host.poll(times(20, 1));
    host.put('cpus', 1, 77, 'other');
    host.poll(times(20, 1));
    host.put('cpus', 1, 0);
    host.settle();
    expect(host.takeTraces()).toEqual([
      enqueue(8), enqueue(8), enqueue(4, 4),
      enqueue(8), enqueue(8), enqueue(4),
      round(8, 1, [8, 0, 0]), round(8, 1, [0, 8, 0]), round(8, 0, [8, 0, 0]), round(8, 0, [0, 8, 0]), round(4, 0, [0, 4, 0]),
    ]);
    expect(host.outcomes).toEqual({ cpumap_full: 4, cpumap: 16, cpumap_drop: 20 });
    expect(host.isClean).toBe(true);
  });

  it('is another one than its successor of the same value', () => {
    const host = hostWith(8);
    host.poll(times(8, 1));
    host.put('cpus', 1, 8);
    host.poll(times(8, 1));
    host.settle();
    expect(host.outcomes).toEqual({ cpumap: 16 });
  });
});

describe('skbs to a CPU', () => {
  it('go onto the ring one by one, and wake the thread', () => {
    const host = hostWith(192);
    host.pollGeneric(times(10, 1));
    expect(host.takeTraces()).toEqual(times(10, 0).map(() => enqueue(1)));
    expect(host.allocator.ledger.census()).toMatchObject({ cpumapRing: 10 });
    host.settle();
    expect(host.takeTraces()).toEqual([round(8, 1), round(2, 0)]);
    expect(host.outcomes).toEqual({ cpumap: 10 });
    expect(host.isClean).toBe(true);
  });

  it('find the ring full: the redirect fails', () => {
    const host = hostWith(2);
    host.pollGeneric(times(3, 1));
    expect(host.takeTraces('').map((line) => line.replace(/prog_id=\d+ /, ''))).toEqual([
      ...[0, 1].flatMap(() => [enqueue(1), `xdp_redirect: action=REDIRECT ifindex=${ETH0} to_ifindex=0 err=0 map=cpus map_index=1`]),
      enqueue(0, 1),
      `xdp_redirect_err: action=REDIRECT ifindex=${ETH0} to_ifindex=0 err=-28 map=cpus map_index=1`,
    ]);
    host.settle();
    expect(host.outcomes).toEqual({ cpumap_full: 1, cpumap: 2 });
    expect(host.isClean).toBe(true);
  });

  it.each([
    ['XDP_PASS', PASS, [3, 0, 0], { cpumap: 3 }, []],
    ['XDP_DROP', DROP, [0, 3, 0], { cpumap_drop: 3 }, []],
    ['XDP_TX', 'r0 = 3\nexit', [0, 3, 0], { cpumap_drop: 3 }, ['TX', 'TX', 'TX']],
    ['77', 'r0 = 77\nexit', [0, 3, 0], { cpumap_drop: 3 }, ['0x4d', '0x4d', '0x4d']],
    ['XDP_REDIRECT without a helper', 'r0 = 4\nexit', [0, 3, 0], { redirect_no_helper: 3 }, []],
  ])('have their exceptions: %s', (_, program, stats, outcomes, exceptions) => {
    const host = hostWith(192, program);
    host.pollGeneric(times(3, 1));
    host.takeTraces();
    host.settle();
    const lines = host.takeTraces('');
    expect(lines.at(-1)).toBe(round(3, 1, stats));
    expect(lines.filter((line) => line.startsWith('xdp_exception')).map((line) => /action=(\w+)/.exec(line)![1])).toEqual(exceptions);
    expect(host.outcomes).toEqual(outcomes);
    expect(host.isClean).toBe(true);
  });

  it('share the ring with frames, which go up first', () => {
    const host = hostWith(192, PASS);
    host.pollGeneric([1]);
    host.poll([1]);
    host.settle();
    expect(host.takeTraces()).toEqual([enqueue(1), enqueue(1), round(2, 1, [2, 0, 0])]);
    expect(host.returned).toEqual({ direct: 0, ring: 1 });
    expect(host.isClean).toBe(true);
  });
});

prop([
  fc.array(fc.record({ cpus: fc.array(fc.constantFrom(1, 2, 3), { maxLength: 40 }), cpu: fc.nat(3), isGeneric: fc.boolean(), settles: fc.boolean() }), { maxLength: 6 }),
  fc.array(fc.record({ queueSize: fc.integer({ min: 1, max: 40 }), program: fc.constantFrom(undefined, 'pass', 'drop', 'send', 'on') }), { minLength: 3, maxLength: 3 }),
], { numRuns: 25 })('whatever happens, each packet ends once and all memory comes back', (polls, entries) => {
  const host = new CpumapHost({ pass: PASS, drop: DROP, send: redirectTo('devices'), on: redirectTo('cpus', 2) });
  entries.forEach(({ queueSize, program }, i) => host.put('cpus', i + 1, queueSize, program));
  let count = 0;
  for (const { cpus, cpu, isGeneric, settles } of polls) {
    if (isGeneric) host.pollGeneric(cpus, cpu);
    else host.poll(cpus, cpu);
    count += cpus.length;
    expect(host.allocator.ledger.owner.filter((owner) => owner === Owner.redirect).length).toBe(0);
    if (settles) host.settle();
  }
  host.settle();
  expect(host.ends.length).toBe(count);
  expect(host.isClean).toBe(true);
});
