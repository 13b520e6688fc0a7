import { describe, expect, it } from 'vitest';
import { compareObservations } from '../../src/cases/index.js';
import type { CaseObservation } from '../../src/cases/index.js';
import { readPackets } from '../support/fixtures.js';
import { fc, prop } from '../support/property.js';

/** An echo request over IPv4. */
const PING = readPackets('arp-icmp.pcap')[2].data;
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function changed(bytes: Uint8Array, ...offsets: number[]): Uint8Array {
  const copy = bytes.slice();
  for (const offset of offsets) copy[offset] ^= 0xff;
  return copy;
}

const partsOf = (expected: CaseObservation, observed: CaseObservation, exclude: string[] = []): string[] =>
  compareObservations(expected, observed, exclude).map(({ part }) => part);

describe('packets', () => {
  const pingParts = (other: Uint8Array): string[] => partsOf({ data_out: toHex(PING) }, { data_out: toHex(other) });

  it.each([
    [[0], ['data_out[0] eth.dst']],
    [[12], ['data_out[12] eth.type']],
    [[22], ['data_out[22] ipv4.ttl']],
    [[30, 33], ['data_out[30] ipv4.dst']],
    [[25, 26], ['data_out[24] ipv4.checksum', 'data_out[26] ipv4.src']],
    [[36], ['data_out[36] icmp.checksum']],
    [[50, 51, 53], ['data_out[50] payload', 'data_out[53] payload']],
  ])('differing at %j name the field', (offsets, parts) => {
    expect(pingParts(changed(PING, ...offsets))).toEqual(parts);
  });

  it('show a header field whole', () => {
    expect(compareObservations({ data_out: toHex(PING) }, { data_out: toHex(changed(PING, 33)) })).toEqual([
      { part: 'data_out[30] ipv4.dst', expected: 'c0000202', observed: 'c00002fd' },
    ]);
  });

  it('name fields behind metadata, and the metadata', () => {
    const meta = Uint8Array.of(1, 2, 3, 4);
    const withMeta = Uint8Array.from([...meta, ...PING]);
    const expected = { data_out: toHex(withMeta), ctx_out: { data: 4 } };
    expect(partsOf(expected, { data_out: toHex(changed(withMeta, 1, 4 + 30)), ctx_out: { data: 4 } })).toEqual(['data_out[1] metadata', 'data_out[34] ipv4.dst']);
  });

  it('of different lengths say so', () => {
    expect(compareObservations({ data_out: toHex(PING) }, { data_out: toHex(PING.subarray(0, 60)) })).toEqual([
      { part: 'data_out length', expected: '98 bytes', observed: '60 bytes' },
    ]);
  });

  it('that differ everywhere are listed in part', () => {
    const every = Array.from({ length: 28 }, (_, i) => 42 + i * 2);
    const differences = compareObservations({ data_out: toHex(PING) }, { data_out: toHex(changed(PING, ...every)) });
    expect(differences).toHaveLength(17);
    expect(differences[16]).toEqual({ part: 'data_out', expected: '12 more stretches', observed: 'differ' });
  });

  it('in other letters or with spaces are the same', () => {
    expect(partsOf({ data_out: toHex(PING).toUpperCase().replace(/../g, '$& ') }, { data_out: toHex(PING) })).toEqual([]);
  });

  prop([fc.uint8Array({ minLength: 1, maxLength: 120 }), fc.nat(), fc.integer({ min: 1, max: 255 })])('of any bytes differ when one byte does', (bytes, at, flip) => {
    const other = bytes.slice();
    other[at % bytes.length] ^= flip;
    expect(partsOf({ data_out: toHex(bytes) }, { data_out: toHex(other) })).toHaveLength(1);
    expect(partsOf({ data_out: toHex(bytes) }, { data_out: toHex(bytes) })).toEqual([]);
  });
});

describe('the rest', () => {
  const observed: CaseObservation = {
    retval: 2,
    ctx_out: { data: 0, data_end: 60 },
    maps: { m: [{ key: '01', value: 'aa' }, { key: '02', value: 'bb' }] },
    globals: { passed: 1, rate: { burst: 2 } },
  };

  it.each<[string, CaseObservation, string[]]>([
    ['nothing expected', {}, []],
    ['all as it is', observed, []],
    ['another verdict', { retval: 1 }, ['retval']],
    ['one field of the context', { ctx_out: { data_end: 64, data: 0 } }, ['ctx_out.data_end']],
    ['a field that is not there', { ctx_out: { rx_queue_index: 0 } }, ['ctx_out.rx_queue_index']],
    ['another value', { maps: { m: [{ key: '01', value: 'ab' }, { key: '02', value: 'BB' }] } }, ['maps.m[01]']],
    ['an entry more, an entry less', { maps: { m: [{ key: '01', value: 'aa' }, { key: '03', value: 'cc' }] } }, ['maps.m[03]', 'maps.m[02]']],
    ['a variable', { globals: { passed: 2 } }, ['globals.passed']],
    ['a struct', { globals: { rate: { burst: 3 } } }, ['globals.rate']],
    ['a failure that did not come', { errno: 'EINVAL' }, ['errno']],
  ])('%s', (_, expected, parts) => {
    expect(partsOf(expected, observed)).toEqual(parts);
  });

  it('of a call that failed is not judged', () => {
    expect(compareObservations(observed, { errno: 'EINVAL' })).toEqual([{ part: 'errno', expected: 'none', observed: 'EINVAL' }]);
  });

  it('is not judged where it is excluded', () => {
    const expected = { retval: 1, data_out: '00', ctx_out: { data: 4 }, maps: { m: [] }, globals: { passed: 9 } };
    expect(partsOf(expected, observed, ['retval', 'data_out', 'ctx_out', 'maps.m', 'globals.passed'])).toEqual([]);
    expect(partsOf(expected, observed, ['data_out', 'maps.m', 'globals.passed'])).toEqual(['retval', 'ctx_out.data']);
  });
});
