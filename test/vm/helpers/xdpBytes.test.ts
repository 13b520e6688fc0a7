import { describe, expect, it } from 'vitest';
import { withKernel } from '../../support/kernelOracle.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { fc } from '../../support/property.js';
import { TestMachine, expectSameAsKernel, textObject } from '../support/differential.js';

const EFAULT = -14;
const EINVAL = -22;
const VALUE_BYTES = 5000;

/** The value of `buffer` holds what `xdp_load_bytes` brings and `xdp_store_bytes` takes. */
const buffer = map('buffer', 2, 4, VALUE_BYTES, 1, { initialValue: bytes(VALUE_BYTES).map((byte) => byte ^ 0x55) });

function object(helper: number, offset: number, len: number) {
  const text = `r6 = r1
*(u32 *)(r10 - 4) = 0
r1 = map buffer
r2 = r10
r2 += -4
call 1
if r0 == 0 goto out
r1 = r6
w2 = ${offset}
r3 = r0
w4 = ${len}
call ${helper}
out: exit`;
  const spec = textObject(text, [buffer]);
  return { ...spec, programs: spec.programs.map((program) => ({ ...program, section: 'xdp.frags', frags: true })) };
}

const LOAD = 189;
const STORE = 190;

describe.each([['bpf_xdp_load_bytes', LOAD], ['bpf_xdp_store_bytes', STORE]])('%s', (_, helper) => {
  it.each([
    [0, 60, 0],
    [0, 61, EINVAL],
    [59, 1, 0],
    [60, 1, EINVAL],
    [0xffff, 1, EINVAL],
    [0x10000, 1, EFAULT],
    [-1, 1, EFAULT],
  ])('at %i, %i bytes of 60: %i', (offset, len, result) => {
    expect(new TestMachine(object(helper, offset, len)).run({ data: bytes(60) }).retval | 0).toBe(result);
  });

  it('stops a program that passes no buffer of that size', () => {
    const run = new TestMachine(object(helper, 0, VALUE_BYTES + 1)).run({ data: bytes(9000) });
    expect(run.fault?.name).toBe('bad-helper-argument');
    expect(new TestMachine(object(helper, 0, 0)).run({ data: bytes(60) }).fault?.name).toBe('bad-helper-argument');
  });
});

describe('across fragments', () => {
  const data = bytes(9000);

  it('bpf_xdp_load_bytes gathers', () => {
    const machine = new TestMachine(object(LOAD, 3500, 4200));
    expect(machine.run({ data }).retval).toBe(0);
    expect(machine.loaded.maps.get('buffer')!.lookupBytes(new Uint8Array(4))!.subarray(0, 4200)).toEqual(data.subarray(3500, 7700));
  });

  it('bpf_xdp_store_bytes scatters', () => {
    const { dataOut } = new TestMachine(object(STORE, 3500, 4200)).run({ data });
    const expected = data.slice();
    expected.set(buffer.initialValue!.subarray(0, 4200), 3500);
    expect(Buffer.from(dataOut).equals(expected)).toBe(true);
  });

  it('bpf_xdp_get_buff_len counts all buffers', () => {
    expect(new TestMachine(textObject('call 188\nexit')).run({ data }).retval).toBe(9000);
    expect(new TestMachine(textObject('call 188\nexit')).run({ data: bytes(60) }).retval).toBe(60);
  });
});

withKernel('bpf_xdp_load_bytes and bpf_xdp_store_bytes against the kernel', (kernel) => {
  it('any range of any packet gives the same', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(LOAD, STORE),
        fc.integer({ min: 14, max: 9000 }).chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size }), fc.integer({ min: 0, max: size + 5 }))),
        fc.integer({ min: 1, max: VALUE_BYTES }),
        (helper, [size, dataEnd, offset], len) => {
          expectSameAsKernel(kernel, object(helper, offset, len), { data: bytes(size), dataEnd });
        },
      ),
      { numRuns: 100 },
    );
  }, 60_000);
});
