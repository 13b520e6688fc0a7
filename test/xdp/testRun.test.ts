import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { KernelObject, testRun } from '../../src/replay/index.js';
import type { TestRunInput } from '../../src/xdp/index.js';
import { bytes } from '../replay/support/kernelPrograms.js';
import { withKernel } from '../support/kernelOracle.js';
import { fc } from '../support/property.js';
import { TestMachine, textObject } from '../vm/support/differential.js';

const EINVAL = 22;
const ENOMEM = 12;
const ENOSPC = 28;

/** Longest input: 3520 bytes and 17 fragments of a page. */
const INPUT_MAX = 3520 + 17 * 4096;

const pass = new TestMachine(textObject('r0 = 2\nexit'));
const run = (text: string, input: TestRunInput) => new TestMachine(textObject(text)).run(input);

describe('TestRunner refuses what BPF_PROG_TEST_RUN refuses', () => {
  it.each<[string, TestRunInput, number]>([
    ['13 bytes', { data: bytes(13) }, EINVAL],
    ['14 bytes', { data: bytes(14) }, 0],
    ['metadata and 13 bytes', { data: bytes(17), metaBytes: 4 }, EINVAL],
    ['metadata and 14 bytes', { data: bytes(18), metaBytes: 4 }, 0],
    ['metadata of 2 bytes', { data: bytes(60), metaBytes: 2 }, EINVAL],
    ['metadata of 216 bytes', { data: bytes(300), metaBytes: 216 }, 0],
    ['metadata of 220 bytes', { data: bytes(300), metaBytes: 220 }, EINVAL],
    ['negative metadata', { data: bytes(60), metaBytes: -4 }, EINVAL],
    ['a linear part that ends before the packet begins', { data: bytes(60), metaBytes: 8, dataEnd: 7 }, EINVAL],
    ['a linear part of nothing', { data: bytes(60), dataEnd: 0 }, 0],
    ['a linear part that ends behind the input', { data: bytes(60), dataEnd: 61 }, EINVAL],
    ['the longest input', { data: bytes(INPUT_MAX) }, 0],
    ['one byte more', { data: bytes(INPUT_MAX + 1) }, ENOMEM],
    ['the longest input with a shorter linear part', { data: bytes(INPUT_MAX), dataEnd: 3519 }, ENOMEM],
    ['a queue of no device', { data: bytes(60), rxQueueIndex: 1 }, EINVAL],
    ['a second queue of loopback', { data: bytes(60), ingressIfindex: 1, rxQueueIndex: 1 }, EINVAL],
  ])('%s: errno %i', (_, input, errno) => {
    const result = pass.run(input);
    expect(result.errno).toBe(errno);
    expect(result.retval).toBe(errno === 0 ? 2 : 0);
    expect(result.dataOut.length).toBe(errno === 0 ? input.data.length : 0);
  });
});

describe('TestRunner', () => {
  it('gives back what it got, metadata and fragments included', () => {
    for (const input of [{ data: bytes(60), metaBytes: 8 }, { data: bytes(INPUT_MAX) }, { data: bytes(9000), dataEnd: 100 }]) {
      const result = pass.run(input);
      expect(Buffer.from(result.dataOut).equals(Buffer.from(input.data))).toBe(true);
      expect(result.ctxOut).toMatchObject({ data: input.metaBytes ?? 0, dataMeta: 0, dataEnd: Math.min(input.dataEnd ?? Infinity, input.data.length, 3520) });
    }
  });

  it('after adjust_meta(-4) puts out 64 bytes of 60', () => {
    const result = run('r6 = r1\nr2 = -4\ncall 54\nr0 = 2\nexit', { data: bytes(60) });
    expect(result.dataOut.length).toBe(64);
    expect(result.ctxOut).toMatchObject({ data: 4, dataEnd: 64, dataMeta: 0 });
  });

  it('carries the buffer from one repetition to the next: three times adjust_head(4) leave 48 of 60', () => {
    const result = run('r2 = 4\ncall 44\nr0 = 2\nexit', { data: bytes(60), repeat: 3 });
    expect([...result.dataOut]).toEqual([...bytes(60).subarray(12)]);
  });

  it('runs once for repeat 0', () => {
    expect(run('r2 = 4\ncall 44\nr0 = 2\nexit', { data: bytes(60), repeat: 0 }).dataOut.length).toBe(56);
  });

  it.each([[100, 100], [-1, 4294967295]])('r0 = %i is returned as %i', (r0, retval) => {
    expect(run(`r0 = ${r0}\nexit`, { data: bytes(60) }).retval).toBe(retval);
  });

  it('an earlier packet leaves nothing behind', () => {
    const machine = new TestMachine(textObject('r2 = 16\ncall 65\nr0 = 2\nexit'));
    machine.run({ data: new Uint8Array(9000).fill(0xff) });
    const result = machine.run({ data: bytes(20) });
    expect([...result.dataOut]).toEqual([...bytes(20), ...new Uint8Array(16)]);
  });

  it('an earlier packet leaves nothing in the headroom: neither adjust_head nor adjust_meta bring it back', () => {
    for (const helper of [44, 54]) {
      const machine = new TestMachine(textObject(`r2 = -64\ncall ${helper}\nr0 = 2\nexit`));
      machine.run({ data: new Uint8Array(300).fill(0xff), metaBytes: 100 });
      const { errno, dataOut } = machine.run({ data: bytes(20) });
      expect(errno).toBe(0);
      expect([...dataOut]).toEqual([...new Uint8Array(64), ...bytes(20)]);
    }
  });

  it('cuts the output to the room that there is, tells its full size and ENOSPC', () => {
    const result = pass.run({ data: bytes(60), dataSizeOut: 20 });
    expect([result.errno, result.dataOutSize, result.retval]).toEqual([ENOSPC, 60, 2]);
    expect([...result.dataOut]).toEqual([...bytes(20)]);
    expect(pass.run({ data: bytes(60), dataSizeOut: 60 })).toMatchObject({ errno: 0, dataOutSize: 60 });
    expect(pass.run({ data: bytes(60), dataSizeOut: 0 })).toMatchObject({ errno: 0, dataOutSize: 60 });
  });

  it('a fault is told, and there is no output', () => {
    const result = run('r0 = *(u8 *)(r10 + 8)\nexit', { data: bytes(60) });
    expect(result.fault).toBeDefined();
    expect(result.dataOut.length).toBe(0);
  });
});

withKernel('TestRunner against BPF_PROG_TEST_RUN: limits', (kernel) => {
  it('any input is taken or refused alike, with the same bytes out', () => {
    const spec = textObject('r0 = 2\nexit');
    using object = new KernelObject(kernel, spec);
    const program = unwrap(object.loadProgram('main'));
    const length = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 3500, max: 8200 }), fc.integer({ min: INPUT_MAX - 3, max: INPUT_MAX + 3 }));
    const input = length.chain((size) =>
      fc.record({
        data: fc.constant(bytes(size)),
        metaBytes: fc.oneof(fc.constant(0), fc.constantFrom(2, 4, 212, 216, 220)),
        dataEnd: fc.oneof(fc.constant(size), fc.integer({ min: 0, max: size + 2 })),
        repeat: fc.constantFrom(0, 1, 2),
        rxQueueIndex: fc.constantFrom(0, 0, 0, 1),
        dataSizeOut: fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.integer({ min: 1, max: size + 10 }), weight: 1 }),
      }),
    );
    fc.assert(
      fc.property(input, (each) => {
        const theirs = testRun(program, each);
        const ours = pass.run(each);
        expect([ours.errno, ours.retval, ours.dataOutSize]).toEqual([theirs.errno, theirs.retval, theirs.dataOutSize]);
        expect(Buffer.from(ours.dataOut).equals(Buffer.from(theirs.dataOut))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});
