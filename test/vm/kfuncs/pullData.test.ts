import { describe, expect, it } from 'vitest';
import { bytes } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc, prop } from '../../support/property.js';
import { KernelPair, TestMachine } from '../support/differential.js';
import { kfuncObject } from './kfuncProgram.js';

const EINVAL = -22;
/** Bytes of packet that fit into a page of BPF_PROG_TEST_RUN behind headroom and before skb_shared_info. */
const LINEAR_MAX = 4096 - 256 - 320;
/** Headroom beyond struct xdp_frame. */
const HEADROOM = 216;

type Step = readonly [callee: string, argument: number];

const CALLEES: Readonly<Record<string, string>> = { pull: 'xdp_pull_data', head: '#44', meta: '#54', tail: '#65' };

/** Calls one after the other with the context; the result mixes all of theirs. */
function stepping(...steps: readonly Step[]): string {
  const calls = steps.map(([callee, argument]) => `r1 = r6\nw2 = ${argument}\ncall ${CALLEES[callee]!}\nr7 *= 1000003\nr7 += r0`);
  return ['r6 = r1', 'r7 = 0', ...calls, 'r0 = r7', 'exit'].join('\n');
}

function run(steps: readonly Step[], size: number, dataEnd: number) {
  const { retval, ctxOut, dataOut, fault } = new TestMachine(kfuncObject(stepping(...steps))).run({ data: bytes(size), dataEnd });
  expect(fault).toBeUndefined();
  return { retval: retval | 0, linear: ctxOut.dataEnd - ctxOut.data, dataOut };
}

describe('bpf_xdp_pull_data', () => {
  it.each([
    [60, 20, 40, 0, 40],
    [60, 20, 60, 0, 60],
    [60, 20, 61, EINVAL, 20],
    [60, 20, 20, 0, 20],
    [60, 20, 0, 0, 20],
    [60, 20, -1, EINVAL, 20],
    [60, 60, 61, EINVAL, 60],
    [9000, 60, LINEAR_MAX, 0, LINEAR_MAX],
    [9000, 60, LINEAR_MAX + HEADROOM, 0, LINEAR_MAX + HEADROOM],
    [9000, 60, LINEAR_MAX + HEADROOM + 1, EINVAL, 60],
  ])('%i bytes, %i of them linear, asked for %i: %i and %i', (size, dataEnd, asked, result, linear) => {
    const done = run([['pull', asked]], size, dataEnd);
    expect([done.retval, done.linear]).toEqual([result, linear]);
    expect(done.dataOut).toEqual(bytes(size));
  });

  it('leaves no room for metadata where it took the headroom', () => {
    expect(run([['pull', LINEAR_MAX + HEADROOM], ['meta', -4]], 9000, 60).retval).toBe(EINVAL);
  });
});

withKernel('bpf_xdp_pull_data, as the running kernel does it', (kernel) => {
  const asked = fc.oneof(fc.integer({ min: 0, max: 10000 }), fc.constantFrom(14, 60, LINEAR_MAX, LINEAR_MAX + HEADROOM, LINEAR_MAX + HEADROOM + 1, -1));
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.tuple(fc.constant('pull'), asked),
    fc.tuple(fc.constant('head'), fc.oneof(fc.integer({ min: -230, max: 230 }), fc.integer({ min: 0, max: 4000 }))),
    fc.tuple(fc.constant('meta'), fc.integer({ min: -60, max: 0 }).map((words) => words * 4)),
    fc.tuple(fc.constant('tail'), fc.oneof(fc.integer({ min: -300, max: 300 }), fc.integer({ min: -9000, max: 0 }))),
  );
  const size = fc.oneof(fc.integer({ min: 14, max: 300 }), fc.integer({ min: 14, max: 20000 }));

  prop([fc.array(step, { minLength: 1, maxLength: 6 }), size, fc.integer({ min: 0, max: 4000 }), fc.constantFrom(0, 4, 32, 216)], { numRuns: 200 })(
    'with the other functions that move the bounds of a packet',
    (steps, packetBytes, linear, metaBytes) => {
      using pair = new KernelPair(kernel, kfuncObject(stepping(...steps)));
      const sizeBytes = metaBytes + packetBytes;
      pair.run({ data: bytes(sizeBytes), metaBytes, dataEnd: Math.min(sizeBytes, metaBytes + linear) });
    },
  );
});
