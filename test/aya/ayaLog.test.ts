import { describe, expect, it } from 'vitest';
import { decodeAyaLog } from '../../src/aya/index.js';
import { singleText, floatText } from '../../src/aya/floatText.js';
import { fc } from '../support/property.js';

type Field = readonly [tag: number, content: Uint8Array];

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const number = (sizeBytes: number, value: bigint): Uint8Array => Uint8Array.from({ length: sizeBytes }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
const bytesOf = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);
const float = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);
const double = (value: number): Uint8Array => new Uint8Array(Float64Array.of(value).buffer);

function fieldsOf(fields: readonly Field[]): Uint8Array {
  return Uint8Array.from(fields.flatMap(([tag, content]) => [tag, content.length & 255, content.length >> 8, ...content]));
}

function header(firstTag: number, count: number, countBytes: number): Field[] {
  return [
    [firstTag, text('my::target')], [firstTag + 1, bytesOf(3)], [firstTag + 2, text('my::module')], [firstTag + 3, text('src/main.rs')],
    [firstTag + 4, number(4, 300n)], [firstTag + 5, number(countBytes, BigInt(count))],
  ];
}

/** As aya-log-ebpf 0.2 writes it, in a ring's record that is larger. */
function sized(args: readonly Field[], count = args.length): Uint8Array {
  const fields = fieldsOf([...header(0, count, 4), ...args]);
  return Uint8Array.from([...number(2, BigInt(fields.length + 2)), ...fields, 0xaa, 0xaa]);
}

/** As aya-log-ebpf 0.1 writes it, in an event that is filled up. */
function unsized(args: readonly Field[]): Uint8Array {
  return Uint8Array.from([...fieldsOf([...header(1, args.length, 8), ...args]), 0, 0, 0]);
}

const HINTS = { plain: 1, x: 2, X: 3, i: 4, mac: 5, MAC: 6, p: 7, s: 8 } as const;
const IPV6 = bytesOf(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

const VALUES: readonly (readonly [hint: keyof typeof HINTS | undefined, tag: number, content: Uint8Array, shown: string])[] = [
  ['plain', 1, bytesOf(0x80), '-128'], ['x', 1, bytesOf(0xff), 'ff'], ['X', 1, bytesOf(0xff), 'FF'],
  ['plain', 2, number(2, -2n), '-2'], ['plain', 3, number(4, -3n), '-3'], ['x', 3, number(4, -3n), 'fffffffd'],
  ['plain', 4, number(8, -(2n ** 63n)), '-9223372036854775808'], ['plain', 5, number(8, -5n), '-5'],
  ['plain', 6, bytesOf(200), '200'], ['plain', 7, number(2, 65535n), '65535'], ['plain', 8, number(4, 4294967295n), '4294967295'],
  ['i', 8, number(4, 0xc0a8010an), '192.168.1.10'], ['plain', 9, number(8, 2n ** 64n - 1n), '18446744073709551615'], ['X', 10, number(8, 0xabcn), 'ABC'],
  ['plain', 11, float(0.1), '0.1'], ['plain', 12, double(1e21), '1000000000000000000000'], ['plain', 12, double(-2.5e-7), '-0.00000025'],
  ['plain', 13, bytesOf(10, 0, 0, 1), '10.0.0.1'], ['plain', 14, IPV6, '2001:db8::1'],
  ['i', 15, bytesOf(10, 0, 0, 2), '10.0.0.2'], ['mac', 16, bytesOf(2, 0, 0, 0xab, 0, 1), '02:00:00:ab:00:01'], ['MAC', 16, bytesOf(2, 0, 0, 0xab, 0, 1), '02:00:00:AB:00:01'],
  ['i', 17, IPV6, '2001:db8::1'], ['i', 18, Uint8Array.from(IPV6, (_, i) => IPV6[i ^ 1]!), '2001:db8::1'],
  ['i', 17, bytesOf(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1), '::ffff:192.0.2.1'],
  ['x', 19, bytesOf(1, 0xab), '01ab'], ['X', 19, bytesOf(1, 0xab), '01AB'], ['s', 19, bytesOf(0x68, 0x69, 0, 0x7a), 'hi'], ['s', 17, text('0123456789abcdef'), '0123456789abcdef'],
  [undefined, 20, text('text {}'), 'text {}'], ['plain', 20, text('é'), 'é'], ['p', 21, number(8, 0xffff888000000000n), '0xffff888000000000'],
  // What aya itself can't show.
  ['i', 6, bytesOf(200), '<c8>'], ['plain', 16, bytesOf(1, 2, 3, 4, 5, 6), '<010203040506>'], ['plain', 19, bytesOf(1, 2), '<0102>'],
  ['x', 12, double(1), '<000000000000f03f>'], ['plain', 8, bytesOf(1, 2), '<0102>'], ['plain', 99, bytesOf(7), '<07>'], ['mac', 20, text('a'), '<61>'],
];

describe.each([['0.2', sized, true], ['0.1', unsized, false]] as const)('aya-log-ebpf %s', (_, write, isSized) => {
  it.each(VALUES)('{:%s} of tag %i', (hint, tag, content, shown) => {
    const args: Field[] = [[20, text('a ')], ...(hint === undefined ? [] : [[0, bytesOf(HINTS[hint])] as const]), [tag, content], [20, text(' z')]];
    expect(decodeAyaLog(write(args), isSized)).toEqual({
      level: 3, levelName: 'INFO', target: 'my::target', module: 'my::module', file: 'src/main.rs', line: 300, message: `a ${shown} z`,
    });
  });

  it('refuses what is cut off anywhere', () => {
    const whole = write([[20, text('text')]]);
    const good = decodeAyaLog(whole, isSized);
    const used = whole.length - (isSized ? 2 : 3);
    for (let length = 0; length < used; length++) expect(decodeAyaLog(whole.subarray(0, length), isSized)).toBeUndefined();
    expect(decodeAyaLog(whole.subarray(0, used), isSized)).toEqual(good);
  });

  it('takes any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.record({ at: fc.nat(199), value: fc.nat(255) }), { maxLength: 6 }), (noise, changes) => {
        decodeAyaLog(noise, isSized);
        const record = write(VALUES.slice(0, 8).map(([, tag, content]) => [tag, content]));
        for (const { at, value } of changes) record[at] = value;
        decodeAyaLog(record, isSized);
      }),
      { numRuns: 3000 },
    );
  });
});

it('a record that announces more arguments than it has is none', () => {
  expect(decodeAyaLog(sized([[20, text('a')]], 2), true)).toBeUndefined();
  expect(decodeAyaLog(sized([[20, text('a')]], 0xffffffff), true)).toBeUndefined();
});

it('the record of a real program', () => {
  const ofText = (value: string): string => Buffer.from(value).toString('hex');
  const hex = [
    '8900', `001300${ofText('reflect_packets_log')}`, '01010003', `021300${ofText('reflect_packets_log')}`, `031b00${ofText('prog/reflect_packets_log.rs')}`,
    '04040008000000', '05040001000000', `142800${ofText('Packet received! Preparing to reflect...')}`,
  ].join('');
  expect(decodeAyaLog(Buffer.from(hex, 'hex'), true)).toEqual({
    level: 3, levelName: 'INFO', target: 'reflect_packets_log', module: 'reflect_packets_log', file: 'prog/reflect_packets_log.rs', line: 8,
    message: 'Packet received! Preparing to reflect...',
  });
});

describe('floats, as Rust writes them', () => {
  it.each([[1, '1'], [-0, '-0'], [1.5, '1.5'], [NaN, 'NaN'], [-Infinity, '-inf'], [Infinity, 'inf'], [1e300, `1${'0'.repeat(300)}`], [1.25e-7, '0.000000125'], [123456789.125, '123456789.125'], [1.5e22, '15000000000000000000000']])('%d', (value, shown) => {
    expect(floatText(value)).toBe(shown);
  });

  it('a single-precision number has the fewest digits that read back', () => {
    expect(singleText(Math.fround(16777216))).toBe('16777216');
    expect(singleText(Math.fround(3.4028234663852886e38))).toBe(`34028235${'0'.repeat(31)}`);
    fc.assert(fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const shown = singleText(value);
      expect(Math.fround(Number(shown))).toBe(value);
      expect(shown).not.toMatch(/e/);
    }));
  });
});
