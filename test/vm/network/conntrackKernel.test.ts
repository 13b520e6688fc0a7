import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rng, toHex, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import type { NetNamespace } from '../../../src/replay/net/netNamespace.js';
import { Vm } from '../../../src/vm/index.js';
import { TestRunner } from '../../../src/xdp/index.js';
import { withKernel } from '../../support/kernelOracle.js';
import { quietEnvironment } from '../../support/xdpProgram.js';
import { kfuncObject } from '../kfuncs/kfuncProgram.js';
import { namespaceTwin } from './namespaceTwin.js';

// The conntrack kfuncs against the running kernel: both sides begin with an empty table and are told the same things, drawn at random:
// look a connection up, make one. Everything that a program can read is compared, but for the timeout, which is in jiffies.

const SEED = Number(process.env.CONNTRACK_SEED ?? 1);
const STEPS = Number(process.env.CONNTRACK_STEPS ?? 3000);

//     packet: 0 tuple  36 its size  40 opts  56 their size  60 -  64 timeout  68 status  72 manip (2: no NAT)  76 NAT port  80 NAT address
//             96 mark  100 status to change to      answers: 104 set_nat_info  108 set_status  112 change_timeout  116 change_status
//             120 status (u64)  128 mark  132 zone  136 tuple of the original direction (40)  176 tuple of the reply (40)
const PACKET_BYTES = 216;
const ANSWERS_OFF = 104;

const copy = (from: string, fromOff: number, to: string, toOff: number, words: number): string =>
  Array.from({ length: words }, (_, i) => `r3 = *(u64 *)(${from} + ${fromOff + 8 * i})\n*(u64 *)(${to} - ${-(toOff + 8 * i)}) = r3`).join('\n');
const copyBack = (fromOff: number, toOff: number, words: number): string =>
  Array.from({ length: words }, (_, i) => `r3 = *(u64 *)(r10 - ${-(fromOff + 8 * i)})\n*(u64 *)(r6 + ${toOff + 8 * i}) = r3`).join('\n');

/** r6 packet, r7 context; tuple at r10 - 40, opts at r10 - 64, the NAT address at r10 - 80. */
const BEGIN = `
  r7 = r1
  r6 = *(u32 *)(r1 + 0)
  r2 = *(u32 *)(r1 + 4)
  r3 = r6
  r3 += ${PACKET_BYTES}
  if r3 > r2 goto out
  ${copy('r6', 0, 'r10', -40, 5)}
  ${copy('r6', 40, 'r10', -64, 2)}
  *(u64 *)(r10 - 48) = 0
  ${copy('r6', 80, 'r10', -80, 2)}
  r3 = *(u32 *)(r6 + 36)
  r5 = *(u32 *)(r6 + 56)
  if r3 > 40 goto out
  if r3 == 0 goto out
  if r5 > 20 goto out
  if r5 < 8 goto out
  r1 = r7
  r2 = r10
  r2 += -40
  r4 = r10
  r4 += -64`;

const FIELDS: readonly (readonly [from: number, size: number, to: number])[] = [
  [128, 8, 120], [168, 4, 128], [12, 2, 132],
  ...[[32, 136], [88, 176]].flatMap(([from, to]) => [
    ...[0, 4, 8, 12].map((at) => [from! + at, 4, to! + at] as const),
    ...[16, 18].map((at) => [from! + at, 2, to! + at] as const),
    ...[20, 24, 28, 32].map((at) => [from! + at, 4, to! + at] as const),
    [from! + 36, 2, to! + 36] as const,
    ...[38, 39].map((at) => [from! + at, 1, to! + at] as const),
  ]),
];

const READ = FIELDS.map(([from, size, to]) => `r3 = *(u${size * 8} *)(r8 + ${from})\n*(u${size * 8} *)(r6 + ${to}) = r3`).join('\n');
const SAVE_OPTS = copyBack(-64, 40, 2);

const lookup = kfuncObject(`${BEGIN}
  call xdp_ct_lookup
  r8 = r0
  ${SAVE_OPTS}
  if r8 == 0 goto none
  ${READ}
  r1 = r8
  r2 = *(u32 *)(r6 + 100)
  call ct_change_status
  *(u32 *)(r6 + 116) = r0
  r3 = *(u32 *)(r6 + 96)
  *(u32 *)(r8 + 168) = r3
  r1 = r8
  call ct_release
  r0 = 1
  exit
none: r0 = 0
  exit
out: r0 = 999
  exit`);

const make = kfuncObject(`${BEGIN}
  call xdp_ct_alloc
  r8 = r0
  ${SAVE_OPTS}
  if r8 == 0 goto none
  r1 = r8
  r2 = *(u32 *)(r6 + 64)
  call ct_set_timeout
  r4 = *(u32 *)(r6 + 72)
  if r4 > 1 goto status
  r1 = r8
  r2 = r10
  r2 += -80
  r3 = *(u32 *)(r6 + 76)
  call ct_set_nat_info
  *(u32 *)(r6 + 104) = r0
status: r1 = r8
  r2 = *(u32 *)(r6 + 68)
  call ct_set_status
  *(u32 *)(r6 + 108) = r0
  r3 = *(u32 *)(r6 + 96)
  *(u32 *)(r8 + 168) = r3
  r1 = r8
  call ct_insert_entry
  if r0 == 0 goto taken
  r8 = r0
  r1 = r8
  r2 = 100000
  call ct_change_timeout
  *(u32 *)(r6 + 112) = r0
  r1 = r8
  r2 = *(u32 *)(r6 + 100)
  call ct_change_status
  *(u32 *)(r6 + 116) = r0
  ${READ}
  r1 = r8
  call ct_release
  r0 = 1
  exit
taken: r0 = 2
  exit
none: r0 = 0
  exit
out: r0 = 999
  exit`);

const V4 = ['0a000001', '0a000002', '0a000003', '0a000004', '0a000005', '0a000006'];
const V6 = ['20010db8000000000000000000000001', '20010db8000000000000000000000002'];
const PORTS = ['0050', '1f90', '1f91'];
const STATUSES = [0, 8, 0xa, 0xe, 0xf, 6, 0x400, 0x408, 0x40e, 0x208, 0xffff_ffff];

/** @param step makes the NAT address one that no connection has: for one that is taken the kernel draws a port */
function drawStep(rng: Rng, step: number): { readonly isLookup: boolean; readonly data: Uint8Array } {
  const pick = <T>(from: readonly T[]): T => from[rng.below(from.length)]!;
  const rarely = <T>(usual: T, others: readonly T[]): T => (rng.below(15) === 0 ? pick(others) : usual);
  const data = new Uint8Array(PACKET_BYTES);
  const view = new DataView(data.buffer);
  const isV4 = rng.below(3) > 0;
  data.set(Buffer.from(`${pick(isV4 ? V4 : V6)}${pick(isV4 ? V4 : V6)}${pick(PORTS)}${pick(PORTS)}`, 'hex'));
  view.setUint32(36, rarely(isV4 ? 12 : 36, [4, 12, 36, 40]), true);
  view.setInt32(40, rarely(-1, [-2, 5, 0]), true);
  view.setInt32(44, 0x5a5a, true);
  data[48] = rarely(pick([6, 17]), [1, 132]);
  data[49] = 9;
  view.setUint16(50, rng.below(6) === 0 ? 3 : 0, true);
  data[52] = rng.below(4);
  data[53] = rarely(0, [1]);
  view.setUint32(56, rarely(pick([12, 16]), [8, 11, 15, 20]), true);
  view.setUint32(64, 100_000, true);
  view.setUint32(68, pick(STATUSES), true);
  view.setUint32(72, rng.below(4), true);
  view.setInt32(76, pick([0, -1, 4000, 4001]), true);
  data.set(Buffer.from(pick(isV4 ? V4 : V6), 'hex'), 80);
  view.setUint16(82, step + 1);
  view.setUint32(96, rng.nextU32(), true);
  view.setUint32(100, pick(STATUSES), true);
  return { isLookup: rng.below(2) === 0, data };
}

withKernel('conntrack kfuncs', (kernel) => {
  let namespace: NetNamespace;
  beforeAll(async () => {
    namespace = await namespaceTwin({ interfaces: [] });
  });
  afterAll(() => namespace.close());

  it('do what the kernel does, drawn at random', { timeout: 120_000 }, () => {
    const memory = new HostMemory(16);
    const vm = new Vm({ memory, environment: quietEnvironment() });
    const runner = new TestRunner(memory, vm);
    const objects = [make, lookup].map((object) => ({ ours: unwrap(vm.load(object)).program('main')!, kernel: new KernelObject(kernel, object) }));
    const rng = new Rng(SEED);
    const outcomes = new Map<string, number>();
    const differences: string[] = [];
    try {
      const theirs = objects.map((each) => unwrap(each.kernel.loadProgram('main')));
      namespace.enter(() => {
        for (let i = 0; i < STEPS; i++) {
          const { isLookup, data } = drawStep(rng, i);
          const index = isLookup ? 1 : 0;
          const expected = testRun(theirs[index]!, { data });
          const observed = runner.run(objects[index]!.ours, { data });
          if (observed.fault !== undefined) throw new Error(observed.fault.message);
          const error = new DataView(expected.dataOut.buffer, expected.dataOut.byteOffset).getInt32(44, true);
          const outcome = `${isLookup ? 'lookup' : 'make'} ${expected.retval}${expected.retval === 0 ? ` error ${error}` : ''}`;
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          const text = (retval: number, bytes: Uint8Array): string => `${retval} opts ${toHex(bytes.subarray(40, 56))} ${toHex(bytes.subarray(ANSWERS_OFF))}`;
          const [kernelText, ourText] = [text(expected.retval, expected.dataOut), text(observed.retval, observed.dataOut)];
          if (kernelText !== ourText) differences.push(`step ${i} ${outcome}: ${toHex(data)}\n  kernel ${kernelText}\n  ours   ${ourText}`);
        }
      });
    } finally {
      for (const each of objects) each.kernel.close();
    }
    console.info(`conntrack: ${STEPS} steps: ${[...outcomes].sort().map(([name, count]) => `${name}: ${count}`).join(', ')}`);
    expect(`${differences.length} differences\n${differences.slice(0, 8).join('\n')}`).toBe('0 differences\n');
  });
});
