import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { errnoName, Rng, toHex, unwrap } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { KernelObject, testRun } from '../../src/replay/index.js';
import type { NetNamespace } from '../../src/replay/net/netNamespace.js';
import { loadObjectFile, parseNetwork, Vm } from '../../src/vm/index.js';
import { TestRunner } from '../../src/xdp/index.js';
import type { TestRunInput } from '../../src/xdp/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { fc } from '../support/property.js';
import { quietEnvironment } from '../support/xdpProgram.js';
import { namespaceTwin } from '../vm/network/namespaceTwin.js';

// Random lists of steps on random packets: every helper that moves the bounds of a packet, reads or writes it, in the running kernel's
// BPF_PROG_TEST_RUN and in the simulator's: each step's result, the bounds after it, what was loaded, and all bytes at the end.
//
//     BUFFER_OPS_RUNS=100000 BUFFER_OPS_SEED=7 npx vitest run test/conformance/bufferOps.property.test.ts

const RUNS = Number(process.env.BUFFER_OPS_RUNS ?? 1500);
const SEED = Number(process.env.BUFFER_OPS_SEED ?? 20261126);

// struct step, list, result of fixtures/programs/buffer_ops/buffer_ops.c
const KINDS = ['adjust_head', 'adjust_meta', 'adjust_tail', 'pull_data', 'load_bytes', 'store_bytes', 'get_buff_len', 'check_mtu', 'csum_diff', 'poke'] as const;
const MAX_STEPS = 16;
const STEP_BYTES = 24;
const LIST_BYTES = 8 + MAX_STEPS * STEP_BYTES;
const BUFFER_BYTES = 66000;
const KEY = new Uint8Array(4);

type Kind = (typeof KINDS)[number];

interface Step {
  readonly kind: Kind;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly flags: number;
}

/** What the kernel has to have answered in a short run: each helper with each of its outcomes. */
const OUTCOMES: readonly string[] = [
  'adjust_head 0', 'adjust_head EINVAL', 'adjust_meta 0', 'adjust_meta EINVAL', 'adjust_meta EACCES', 'adjust_tail 0', 'adjust_tail EINVAL', 'pull_data 0', 'pull_data EINVAL',
  'load_bytes 0', 'load_bytes EINVAL', 'load_bytes EFAULT', 'store_bytes 0', 'store_bytes EINVAL', 'store_bytes EFAULT', 'get_buff_len +', 'check_mtu 0', 'check_mtu 1', 'check_mtu EINVAL', 'check_mtu ENODEV',
  'csum_diff +', 'adjust_tail EOPNOTSUPP',
];

/** MTUs on both sides of a page, and the loopback's. */
const INTERFACES = [
  { ifindex: 1, name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536 },
  { ifindex: 2, name: 'eth0', mac: '02:00:00:00:00:02', mtu: 1500 },
  { ifindex: 3, name: 'eth1', mac: '02:00:00:00:00:03', mtu: 3500 },
];
/** A device without a link-layer header; the first number that is free. */
const TUN = { ifindex: 4, name: 'tun0', mtu: 1500, hard_header_len: 0 };

// A page of BPF_PROG_TEST_RUN: 256 headroom, of which 40 are struct xdp_frame's; 320 skb_shared_info at the end.
const LINEAR_MAX = 4096 - 256 - 320;
const FRAGS_MAX = 17 * 4096;

const extremes = fc.constantFrom(0, -1, 1, 0x7fffffff, -0x80000000);
/** What moves a bound a little, to the end of its room or out of it. */
const delta = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -64, max: 64 }) },
  { weight: 3, arbitrary: fc.integer({ min: -60, max: 60 }).map((words) => words * 4) },
  { weight: 2, arbitrary: fc.integer({ min: -300, max: 300 }) },
  { weight: 2, arbitrary: fc.integer({ min: -9000, max: 4200 }) },
  { weight: 1, arbitrary: extremes },
);
const place = fc.oneof(fc.nat(200), fc.nat(9000), fc.integer({ min: 60_000, max: 66_000 }), extremes);
const length = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 5000 }), fc.constantFrom(0, 65_535, 65_536, BUFFER_BYTES));
const mtuLen = fc.oneof(fc.constant(0), fc.integer({ min: 1486, max: 1514 }), fc.integer({ min: 3486, max: 3514 }), fc.integer({ min: 65_500, max: 65_560 }), fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff));

const step: fc.Arbitrary<Step> = fc.oneof(
  ...(['adjust_head', 'adjust_meta', 'adjust_tail'] as const).map((kind) => ({ weight: 4, arbitrary: fc.record({ kind: fc.constant(kind), a: delta, b: fc.constant(0), c: fc.constant(0), flags: fc.constant(0) }) })),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pull_data' as const), a: fc.oneof(place, fc.integer({ min: LINEAR_MAX - 4, max: LINEAR_MAX + 220 })), b: fc.constant(0), c: fc.constant(0), flags: fc.constant(0) }) },
  ...(['load_bytes', 'store_bytes'] as const).map((kind) => ({ weight: 2, arbitrary: fc.record({ kind: fc.constant(kind), a: place, b: length, c: fc.constant(0), flags: fc.constant(0) }) })),
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('get_buff_len' as const), a: fc.constant(0), b: fc.constant(0), c: fc.constant(0), flags: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('check_mtu' as const), a: fc.oneof(fc.integer({ min: -20, max: 20 }), delta), b: mtuLen, c: fc.constantFrom(0, 1, 2, 3, TUN.ifindex, 5, 0x7fffffff, -1), flags: fc.constantFrom(0, 0, 0, 0, 1, 2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('csum_diff' as const), a: fc.oneof(fc.integer(), extremes), b: fc.oneof(fc.nat(64), fc.constant(0)), c: fc.oneof(fc.nat(64), fc.constant(0)), flags: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('poke' as const), a: fc.nat(0xffff), b: fc.constant(0), c: fc.constant(0), flags: fc.constant(0) }) },
);

/** Length of the packet, and of it in the first page. */
const packet = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 14, max: 300 }).map((size) => [size, size] as const) },
  { weight: 2, arbitrary: fc.integer({ min: 14, max: LINEAR_MAX }).map((size) => [size, size] as const) },
  { weight: 3, arbitrary: fc.integer({ min: 14, max: 12_000 }).chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: Math.min(size, LINEAR_MAX) }))) },
  { weight: 1, arbitrary: fc.integer({ min: LINEAR_MAX, max: LINEAR_MAX + FRAGS_MAX }).map((size) => [size, size] as const) },
);

const run = fc.record({
  program: fc.constantFrom('linear', 'frags'),
  steps: fc.array(step, { minLength: 1, maxLength: MAX_STEPS }),
  packet,
  metaBytes: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 54 }).map((words) => words * 4)),
  ingressIfindex: fc.constantFrom(0, 1, 2, 3),
  contents: fc.nat(),
});

/** What executes the program in the simulator: both must agree with the kernel. */
const ENGINES = ['interpreter', 'jit'] as const;

/** A map of either side. */
interface Values {
  lookupBytes(key: Uint8Array): Uint8Array | undefined;
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number;
}

withKernel('the helpers on packet buffers, drawn at random', (kernel) => {
  let namespace: NetNamespace;
  let hasTun = false;
  beforeAll(async () => {
    namespace = await namespaceTwin({ interfaces: INTERFACES });
    hasTun = namespace.enter(() => spawnSync('ip', ['tuntap', 'add', 'dev', TUN.name, 'mode', 'tun']).status === 0);
    if (!hasTun) console.warn('SKIPPED, not compared with the kernel: bpf_check_mtu on a device without link-layer header: this host makes no tun device');
  });
  afterAll(() => namespace.close());

  it('results, bounds and bytes are those of BPF_PROG_TEST_RUN', { timeout: 60_000 + RUNS * 20 }, () => {
    const object = unwrap(loadObjectFile('fixtures/programs/buffer_ops/buffer_ops.o'));
    const memory = new HostMemory(16);
    const network = unwrap(parseNetwork({ interfaces: hasTun ? [...INTERFACES, TUN] : INTERFACES }, 'test'));
    const machines = ENGINES.map((engine) => {
      const vm = new Vm({ memory, engine, environment: { ...quietEnvironment(), network }, ...(engine === 'jit' ? { interpretedRuns: 0 } : {}) });
      return { engine, loaded: unwrap(vm.load(object)), runner: new TestRunner(memory, vm) };
    });
    using theirs = new KernelObject(kernel, object);
    const values = (name: string): readonly Values[] => [unwrap(theirs.map(name)), ...machines.map(({ loaded }) => loaded.maps.get(name)!)];
    const [lists, results, buffers] = [values('lists'), values('results'), values('buffers')];
    const texts = (maps: readonly Values[], key: Uint8Array): string[] => maps.map((map) => toHex(map.lookupBytes(key)!));
    const set = (maps: readonly Values[], value: Uint8Array): void => maps.forEach((map) => expect(map.updateBytes(KEY, value, 0)).toBe(0));
    const outcomes = new Map<string, number>();
    set(buffers, randomBytes(BUFFER_BYTES, SEED));

    const property = fc.property(run, ({ program, steps, packet: [size, linear], metaBytes, ingressIfindex, contents }) => {
      set(lists, listBytes(steps));
      const input: TestRunInput = { data: randomBytes(metaBytes + size, contents), metaBytes, dataEnd: metaBytes + linear, ingressIfindex };
      const expected = testRun(unwrap(theirs.loadProgram(program)), input);
      const observed = machines.map(({ engine, loaded, runner }) => ({ engine, ...runner.run(loaded.program(program)!, input) }));
      if (expected.errno === 0) {
        const answers = steps.map(({ kind }, index) => {
          const [left, ...rights] = texts(results, u32(index));
          const returned = new DataView(Uint8Array.from(Buffer.from(left!, 'hex')).buffer).getInt32(0, true);
          count(outcomes, `${kind} ${returned < 0 ? errnoName(returned) : returned > 1 ? '+' : returned}`);
          return { left: `${kind} ${left}`, rights: rights.map((right) => `${kind} ${right}`) };
        });
        machines.forEach(({ engine }, i) => expect(answers.map(({ rights }) => rights[i]), engine).toEqual(answers.map(({ left }) => left)));
        if (steps.some(({ kind }) => kind === 'load_bytes')) {
          const [left, ...rights] = texts(buffers, KEY);
          expect(rights.every((right) => right === left), 'bytes that were loaded').toBe(true);
        }
      }
      count(outcomes, `test_run ${expected.errno === 0 ? 0 : errnoName(-expected.errno)}`);
      for (const { engine, errno, retval, dataOut, ctxOut, fault } of observed) {
        expect({ errno, retval, dataOut: toHex(dataOut), ctxOut, fault: fault?.message }, engine).toEqual({
          errno: expected.errno, retval: expected.retval, dataOut: toHex(expected.dataOut), ctxOut: expected.ctxOut, fault: undefined,
        });
      }
    });
    namespace.enter(() => fc.assert(property, { numRuns: RUNS, seed: SEED }));

    console.info(`buffer helpers: ${RUNS} lists of steps, seed ${SEED}: ${[...outcomes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([what, times]) => `${what}: ${times}`).join(', ')}`);
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining([...OUTCOMES]));
  });
});

function listBytes(steps: readonly Step[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(LIST_BYTES));
  view.setUint32(0, steps.length, true);
  steps.forEach(({ kind, a, b, c, flags }, index) => {
    const at = 8 + index * STEP_BYTES;
    view.setUint32(at, KINDS.indexOf(kind), true);
    view.setInt32(at + 4, a, true);
    view.setUint32(at + 8, b, true);
    view.setInt32(at + 12, c, true);
    view.setBigUint64(at + 16, BigInt(flags), true);
  });
  return new Uint8Array(view.buffer);
}

function randomBytes(size: number, seed: number): Uint8Array {
  const rng = new Rng(seed);
  return Uint8Array.from({ length: size }, () => rng.below(256));
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
