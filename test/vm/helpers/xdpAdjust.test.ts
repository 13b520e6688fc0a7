import { describe, expect, it } from 'vitest';
import { withKernel } from '../../support/kernelOracle.js';
import { bytes } from '../../replay/support/kernelPrograms.js';
import { fc } from '../../support/property.js';
import { TestMachine, expectSameAsKernel, textObject } from '../support/differential.js';

const EINVAL = -22;
const EACCES = -13;

/** `return helper(ctx, delta)`, one after the other; the last result is returned. */
function adjusting(...steps: readonly (readonly [helper: string, delta: number])[]): string {
  const calls = steps.map(([helper, delta]) => `r1 = r6\nr2 = ${delta}\ncall ${HELPERS[helper]}`);
  return ['r6 = r1', ...calls, 'exit'].join('\n');
}

const HELPERS: Readonly<Record<string, number>> = { head: 44, meta: 54, tail: 65 };

function run(text: string, size: number, dataEnd?: number) {
  const result = new TestMachine(textObject(text)).run({ data: bytes(size), ...(dataEnd === undefined ? {} : { dataEnd }) });
  expect(result.fault).toBeUndefined();
  return { ...result, signed: result.retval | 0 };
}

describe('bpf_xdp_adjust_head', () => {
  it.each([
    [-216, 0, 276],
    [-217, EINVAL, 60],
    [46, 0, 14],
    [47, EINVAL, 60],
    [0, 0, 60],
    [0x7fffffff, EINVAL, 60],
    [-0x80000000, EINVAL, 60],
  ])('by %i gives %i and leaves %i bytes', (delta, result, length) => {
    const { signed, ctxOut } = run(adjusting(['head', delta]), 60);
    expect([signed, ctxOut.dataEnd]).toEqual([result, length]);
  });

  it('moves metadata along with the packet', () => {
    const text = `r6 = r1\nr2 = -4\ncall 54\nr1 = *(u32 *)(r6 + 8)\nr2 = *(u32 *)(r6 + 0)\nr3 = r1\nr3 += 4\nif r3 > r2 goto out\n*(u32 *)(r1 + 0) = 0x11223344\nr1 = r6\nr2 = -20\ncall 44\nout: exit`;
    const { signed, ctxOut, dataOut } = run(text, 60);
    expect([signed, ctxOut.data, dataOut.length]).toEqual([0, 4, 84]);
    expect([...dataOut.subarray(0, 4)]).toEqual([0x44, 0x33, 0x22, 0x11]);
  });

  it('keeps room for struct xdp_frame and metadata', () => {
    expect(run(adjusting(['meta', -100], ['head', -116]), 60).signed).toBe(0);
    expect(run(adjusting(['meta', -100], ['head', -117]), 60).signed).toBe(EINVAL);
  });
});

describe('bpf_xdp_adjust_meta', () => {
  it.each([
    [-216, 0], [-220, EINVAL], [-252, EINVAL], [-256, EINVAL], [-2, EACCES], [-1, EACCES], [4, EINVAL], [1, EINVAL], [0, 0], [-36, 0],
  ])('by %i gives %i', (delta, result) => {
    expect(run(adjusting(['meta', delta]), 60).signed).toBe(result);
  });

  it('is bound by 255 bytes once the headroom is longer', () => {
    expect(run(adjusting(['head', 60], ['meta', -252]), 120).signed).toBe(0);
    expect(run(adjusting(['head', 60], ['meta', -256]), 120).signed).toBe(EACCES);
  });
});

describe('bpf_xdp_adjust_tail', () => {
  it.each([[3460, 0], [3461, EINVAL], [-46, 0], [-47, EINVAL], [0, 0]])('by %i gives %i on 60 bytes', (delta, result) => {
    expect(run(adjusting(['tail', delta]), 60).signed).toBe(result);
  });

  it('zeroes what it grows by', () => {
    const { dataOut } = run(adjusting(['tail', -20], ['tail', 20]), 60);
    expect([...dataOut]).toEqual([...bytes(60).subarray(0, 40), ...new Uint8Array(20)]);
  });

  it.each([
    [-7986, 0, 14],
    [-7987, EINVAL, 8000],
    [-4480, 0, 3520],
    [-4000, 0, 4000],
    [3712, 0, 11712],
    [3713, EINVAL, 8000],
  ])('by %i gives %i on 8000 bytes and leaves %i', (delta, result, length) => {
    const { signed, dataOut } = run(adjusting(['tail', delta]), 8000);
    expect([signed, dataOut.length]).toEqual([result, length]);
  });
});

withKernel('bpf_xdp_adjust_* against the kernel', (kernel) => {
  const step = fc.tuple(
    fc.constantFrom('head', 'meta', 'tail'),
    fc.oneof(
      fc.integer({ min: -300, max: 300 }),
      fc.integer({ min: -60, max: 60 }).map((n) => n * 4),
      fc.integer({ min: -9000, max: 9000 }),
      fc.constantFrom(-0x80000000, 0x7fffffff),
    ),
  );
  /** Packet length and end of the linear part. */
  const packet = fc.oneof(
    fc.integer({ min: 14, max: 3520 }).map((size) => [size, size] as const),
    fc.integer({ min: 14, max: 12000 }).chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size }))),
  );

  it('any steps on any packet give the same results, bytes and context', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), packet, (steps, [size, dataEnd]) => {
        const frags = { programs: [{ ...textObject(adjusting(...steps)).programs[0], frags: true, section: 'xdp.frags' }] };
        expectSameAsKernel(kernel, { ...textObject('exit'), ...frags }, { data: bytes(size), dataEnd });
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
