import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import { parseNumber } from '../../../src/vm/helpers/strtox.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc } from '../../support/property.js';
import { KernelPair, TestMachine } from '../support/differential.js';
import { askingStrtox, comparing, formatting, packetOf, questionBytes } from './stringPrograms.js';

const text = (characters: string): Uint8Array => Uint8Array.from(Buffer.from(characters, 'latin1'));

describe('parseNumber', () => {
  // What Linux 6.18 gives.
  it.each<[string, number, number, bigint]>([
    ['123', 10, 3, 123n],
    [' \t-7x', 10, 4, 7n],
    ['0x1F', 0, 4, 31n],
    ['0x1F', 16, 4, 31n],
    ['0xg', 0, 1, 0n],
    ['0xg', 16, -22, 0n],
    ['0777', 0, 4, 0o777n],
    ['089', 0, 1, 0n],
    ['-', 10, -22, 0n],
    ['', 10, -22, 0n],
    ['1', 7, -22, 0n],
    ['18446744073709551615', 10, 20, 2n ** 64n - 1n],
    ['18446744073709551616', 10, -34, 0n],
    ['99999999999999999999999x', 0, -34, 0n],
    [`${'0'.repeat(63)}5`, 10, 63, 0n],
  ])('%j in base %i', (characters, base, returned, magnitude) => {
    expect(parseNumber(text(characters), base)).toMatchObject({ returned, magnitude });
  });
});

const number = fc.oneof(
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
  fc.bigInt({ min: 0n, max: 2n ** 65n }).map((value) => `0x${value.toString(16)}`),
  fc.bigInt({ min: 0n, max: 2n ** 65n }).map((value) => `0${value.toString(8)}`),
  fc.constantFrom('9223372036854775807', '-9223372036854775808', '-9223372036854775809', '9223372036854775808', '0x', '0xg', '08', '-', '+1', '--1', ''),
);
const space = fc.constantFrom('', ' ', '\t\n', '\xa0', '\v\f\r ');
const tail = fc.constantFrom('', ' ', 'x', 'g', '.5', '\0', '\xff');
const question = fc.record({
  text: fc.oneof({ weight: 4, arbitrary: fc.tuple(space, number, tail).map((parts) => parts.join('')) }, { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom('0', '1', 'x', 'f', '-', ' ', '9', '7', '\0') }) }),
  flags: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(0, 8, 10, 16) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) }),
});

withKernel('bpf_strtol and bpf_strtoul against the kernel', (kernel) => {
  it.each([['bpf_strtol', 105], ['bpf_strtoul', 106]] as const)('%s gives the same result and value for any text and base', (_, id) => {
    using pair = new KernelPair(kernel, askingStrtox(id));
    fc.assert(fc.property(question, (asked) => pair.run({ data: questionBytes(asked) })), { numRuns: 600 });
  });
});

withKernel('bpf_strncmp against the kernel', (kernel) => {
  it('gives the same for any two strings', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '\0', '\xff'), maxLength: 6 });
    fc.assert(
      fc.property(letters, letters, fc.integer({ min: 1, max: 8 }), (left, right, size) => {
        using pair = new KernelPair(kernel, comparing(text(`${right}\0`), size));
        pair.run({ data: packetOf(text(left)) });
      }),
      { numRuns: 60 },
    );
  });
});

withKernel('bpf_snprintf against the kernel', (kernel) => {
  const piece = fc.constantFrom(
    '%d', '%5u', '%-8x|', '%08x', '%llx', '%lu', '%+d', '% d', '%pi4', '%pI4', '%pI6', '%pi6', '%px', '%c', '%3c', '%X', '%%', '%05lld', '%pB', '%s', '%pks', '%pus', '%i', '%400d',
    'text', ' ', '\n', '\xe9', '%20s', '%-5s|',
  );
  const asked = fc.record({
    format: fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join('')),
    values: fc.array(fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(0n, 1n, 2n ** 64n - 1n, 66n)), { maxLength: 12 }),
    strSize: fc.oneof(fc.integer({ min: 1, max: 24 }), fc.constantFrom(100, 248)),
  });

  it('gives the same length and text', () => {
    let accepted = 0;
    fc.assert(
      fc.property(asked, ({ format, values, strSize }) => {
        const spec = formatting(text(`${format}\0`), values, strSize);
        using theirs = new KernelObject(kernel, spec);
        const loaded = theirs.loadProgram('main');
        const ours = new TestMachine(spec).run({ data: packetOf(new Uint8Array(0)) });
        // A format that the verifier refuses is an argument that stops the program here.
        if (!loaded.ok) {
          expect(ours.fault?.name).toBe('bad-helper-argument');
          return;
        }
        const { retval, dataOut } = testRun(unwrap(loaded), { data: packetOf(new Uint8Array(0)) });
        // Behind the end of str the kernel loses addresses, and takes their text for the values that follow (see bprintfBytes).
        if (ours.retval > strSize && /%p[iIBku]/.test(format)) return;
        accepted++;
        expect([ours.fault?.message, ours.retval, Buffer.from(ours.dataOut).toString('latin1')]).toEqual([undefined, retval, Buffer.from(dataOut).toString('latin1')]);
      }),
      { numRuns: 150, examples: [[{ format: '%08x', values: [0n], strSize: 2 }], [{ format: '%05lld', values: [66n], strSize: 2 }], [{ format: '%05lld', values: [2n ** 64n - 66n], strSize: 4 }]] },
    );
    expect(accepted).toBeGreaterThan(30);
  }, 60_000);
});
