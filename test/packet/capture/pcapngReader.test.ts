import { describe, expect, it } from 'vitest';
import { fromHex, unwrap } from '../../../src/base/index.js';
import type { Problem } from '../../../src/base/index.js';
import { openCaptureBytes } from '../../../src/packet/index.js';
import { block, Bytes, concat, endOfOptions, enhancedPacket, interfaceDescription, option, readAll, sectionHeader } from '../support/captureBytes.js';
import type { ByteOrder } from '../support/captureBytes.js';

const frame = Array.from({ length: 61 }, (_, i) => i);
const orders = ['LE', 'BE'] as const;

function open(...blocks: Uint8Array[]) {
  return unwrap(openCaptureBytes(concat(...blocks), 't.pcapng'));
}

function problemOf(...blocks: Uint8Array[]): Problem | undefined {
  const opened = openCaptureBytes(concat(...blocks), 't.pcapng');
  if (!opened.ok) return opened.problem;
  readAll(opened.value);
  return opened.value.problem;
}

function obsoletePacket(order: ByteOrder, interfaceId: number, ticks: bigint, data: number[], ...options: Uint8Array[]): Uint8Array {
  const body = new Bytes(order).u16(interfaceId).u16(0xffff).u32(Number(ticks >> 32n)).u32(Number(ticks & 0xffffffffn));
  return block(order, 2, concat(body.u32(data.length).u32(data.length).raw(data).pad().done(), ...options));
}

function simplePacket(order: ByteOrder, originalLen: number, data: number[]): Uint8Array {
  return block(order, 3, new Bytes(order).u32(originalLen).raw(data).done());
}

describe('golden bytes', () => {
  it('reads an enhanced packet block with options', () => {
    const bytes = fromHex(
      '0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000' + // section header
        '01000000 20000000 0100 0000 00000400 0900 0100 09000000 0000 0000 20000000' + // Ethernet, if_tsresol 9
        '06000000 34000000 00000000 fe9c9717 15cd853d 05000000 40000000 0102030405000000' + // 1700000000.123456789, 5 of 64 bytes
        '0600 0400 03000000 0000 0000 34000000', // epb_queue 3
    )!;
    const reader = unwrap(openCaptureBytes(bytes, 't.pcapng'));
    expect(reader.next()).toBe('packet');
    expect(reader).toMatchObject({
      format: 'pcapng', capturedLen: 5, originalLen: 64, packetNumber: 1, fileOffsetBytes: 60, interfaceId: 0, linkType: 1,
      tSec: 1_700_000_000, tNsec: 123_456_789,
    });
    expect(Array.from(reader.data.subarray(reader.offBytes, reader.offBytes + 5))).toEqual([1, 2, 3, 4, 5]);
    expect(reader.next()).toBe('end');
  });
});

describe.each(orders)('%s blocks', (order) => {
  it('reads the obsolete packet block and the simple packet block', () => {
    const reader = open(
      sectionHeader(order),
      interfaceDescription(order, { snapLen: 20 }),
      interfaceDescription(order),
      obsoletePacket(order, 1, 3_000_001n, frame, option(order, 2, [0, 0, 0, 0])),
      simplePacket(order, 100, frame.slice(0, 20)),
      simplePacket(order, 7, frame.slice(0, 7)),
    );
    expect(reader.next()).toBe('packet');
    expect(reader).toMatchObject({ interfaceId: 1, capturedLen: 61, tSec: 3, tNsec: 1000, hasTimestamp: true });
    expect(reader.next()).toBe('packet');
    expect(reader).toMatchObject({ interfaceId: 0, capturedLen: 20, originalLen: 100, tSec: 3, tNsec: 1000, hasTimestamp: false });
    expect(reader.next()).toBe('packet');
    expect(reader).toMatchObject({ capturedLen: 7, originalLen: 7, packetNumber: 3 });
    expect(reader.next()).toBe('end');
  });

  it('steps over blocks of other types, whatever they hold', () => {
    const others = [4, 5, 9, 10, 0x0bad, 0x40000bad, 0x80000001].map((type) => block(order, type, Uint8Array.from(frame)));
    const reader = open(sectionHeader(order), ...others, interfaceDescription(order), ...others, enhancedPacket(order, { data: frame }), ...others);
    expect(readAll(reader)).toMatchObject({ packets: [{ data: frame }], status: 'end' });
  });

  it.each([
    ['seconds', 0, 7n, 7, 0],
    ['milliseconds', 3, 1_234n, 1, 234_000_000],
    ['microseconds by default', undefined, 1_700_000_000_999_999n, 1_700_000_000, 999_999_000],
    ['nanoseconds', 9, 1_700_000_000_999_999_999n, 1_700_000_000, 999_999_999],
    ['100 picoseconds, rounded down', 10, 70_000_000_000_000_000n + 19n, 7_000_000, 1],
    ['picoseconds, rounded down', 12, 5_000_000_001_999n, 5, 1],
    ['2^-10 s', 0x80 | 10, 3n * 1024n + 512n, 3, 500_000_000],
    ['2^-32 s', 0x80 | 32, (9n << 32n) + 0x80000001n, 9, 500_000_000],
    ['2^-32 s, the last tick of a second', 0x80 | 32, (9n << 32n) + 0xffffffffn, 9, 999_999_999],
    ['2^-60 s', 0x80 | 60, (3n << 60n) + (1n << 58n), 3, 250_000_000],
    ['2^-64 s and finer', 0x80 | 127, 1n << 63n, 0, 0],
  ])('if_tsresol: %s', (_, tsresol, ticks, tSec, tNsec) => {
    const options = tsresol === undefined ? [] : [option(order, 9, [tsresol]), endOfOptions];
    const reader = open(sectionHeader(order), interfaceDescription(order, {}, ...options), enhancedPacket(order, { ticks, data: frame }));
    expect(reader.next()).toBe('packet');
    expect(reader).toMatchObject({ tSec, tNsec });
  });

  it('if_tsoffset shifts by whole seconds, backwards too', () => {
    const offset = (sec: bigint): Uint8Array => option(order, 14, new Bytes(order).u64(sec).done());
    const reader = open(
      sectionHeader(order),
      interfaceDescription(order, {}, offset(1_700_000_000n)),
      interfaceDescription(order, {}, offset(-5n), option(order, 9, [9])),
      enhancedPacket(order, { ticks: 1_500_000n, data: frame }),
      enhancedPacket(order, { interfaceId: 1, ticks: 2_000_000_001n, data: frame }),
    );
    expect(readAll(reader).packets.map((p) => [p.tSec, p.tNsec])).toEqual([[1_700_000_001, 500_000_000], [-3, 1]]);
  });

  it('cuts the FCS that if_fcslen or epb_flags tell of', () => {
    const flags = (fcsLen: number): Uint8Array => option(order, 2, new Bytes(order).u32((fcsLen << 5) | 0xff000201).done());
    const reader = open(
      sectionHeader(order),
      interfaceDescription(order, {}, option(order, 13, [4])),
      interfaceDescription(order),
      enhancedPacket(order, { data: frame }),
      enhancedPacket(order, { data: frame }, flags(2)),
      enhancedPacket(order, { interfaceId: 1, data: frame }, flags(4)),
      enhancedPacket(order, { interfaceId: 1, data: frame }, flags(0)),
    );
    const seen: number[][] = [];
    while (reader.next() === 'packet') seen.push([reader.fcsLen, reader.capturedLen, reader.originalLen]);
    expect(seen).toEqual([[4, 57, 57], [2, 59, 59], [4, 57, 57], [0, 61, 61]]);
  });

  it('accepts options without an end, and anything behind an end', () => {
    const comment = option(order, 1, [0x68, 0x69]);
    const reader = open(
      sectionHeader(order, comment),
      interfaceDescription(order, {}, comment, endOfOptions, comment),
      enhancedPacket(order, { data: frame }, comment, comment),
      enhancedPacket(order, { data: frame }, endOfOptions, Uint8Array.of(1, 2, 3, 4)),
    );
    expect(readAll(reader)).toMatchObject({ packets: [{ data: frame }, { data: frame }], status: 'end' });
  });
});

describe('sections', () => {
  it('may change the byte order and describe their interfaces anew', () => {
    const section = (order: ByteOrder, tsresol: number): Uint8Array =>
      concat(sectionHeader(order), interfaceDescription(order, {}, option(order, 9, [tsresol])), enhancedPacket(order, { ticks: 5n, data: frame }));
    const reader = open(section('LE', 0), section('BE', 9), section('LE', 3));
    expect(readAll(reader).packets.map((p) => [p.tSec, p.tNsec])).toEqual([[5, 0], [0, 5], [0, 5_000_000]]);
  });

  it('do not inherit interfaces', () => {
    const problem = problemOf(sectionHeader('LE'), interfaceDescription('LE'), sectionHeader('BE'), enhancedPacket('BE', { data: frame }));
    expect(problem).toMatchObject({ code: 'capture-bad-interface', message: 'packet names interface 0, but its section has described 0 so far' });
  });

  it('may hold no packets', () => {
    expect(readAll(open(sectionHeader('LE')))).toEqual({ packets: [], status: 'end' });
  });

  it('accepts minor version 2, which the draft has readers treat as 0', () => {
    const bytes = sectionHeader('LE');
    bytes[14] = 2;
    expect(readAll(open(bytes)).status).toBe('end');
  });
});

describe('bad captures', () => {
  const start = concat(sectionHeader('LE'), interfaceDescription('LE')); // 28 + 20 bytes
  const good = enhancedPacket('LE', { data: frame }); // 96 bytes
  const at = (offset: number, value: number, bytes: Uint8Array): Uint8Array => {
    const changed = bytes.slice();
    new DataView(changed.buffer).setUint32(offset, value, true);
    return changed;
  };
  const cases: [string, Uint8Array, Problem['code'], RegExp, string][] = [
    ['section header cut', sectionHeader('LE').slice(0, 27), 'capture-truncated', /section header is cut short: it needs 28 bytes, the file has 27 left/, 't.pcapng, byte 0'],
    ['no byte-order magic', at(8, 0x12345678, sectionHeader('LE')), 'capture-bad-block', /section header has no byte-order magic/, 't.pcapng, byte 0'],
    ['version 2.0', at(12, 2, sectionHeader('LE')), 'unsupported-capture-version', /pcapng version 2\.0 can't be read/, 't.pcapng, byte 0'],
    ['version 1.1', at(12, 0x10001, sectionHeader('LE')), 'unsupported-capture-version', /pcapng version 1\.1 can't be read/, 't.pcapng, byte 0'],
    ['block header cut', concat(start, good.slice(0, 7)), 'capture-truncated', /block header is cut short: it needs 8 bytes, the file has 7 left/, 't.pcapng, packet 1, byte 48'],
    ['packet block cut', concat(start, good, good.slice(0, 95)), 'capture-truncated', /packet block is cut short: it needs 96 bytes, the file has 95 left/, 't.pcapng, packet 2, byte 144'],
    ['interface description cut', start.slice(0, 47), 'capture-truncated', /interface description is cut short/, 't.pcapng, byte 28'],
    ['unknown block cut', concat(start, block('LE', 99, new Uint8Array(100)).slice(0, 111)), 'capture-truncated', /block of 112 bytes is cut short/, 't.pcapng, byte 48'],
    ['block too short', at(48 + 4, 28, concat(start, good)), 'capture-bad-block', /packet block of 28 bytes: its length must be a multiple of 4 and at least 32/, 't.pcapng, packet 1, byte 48'],
    ['unknown block too short', concat(start, new Bytes('LE').u32(99).u32(8).done()), 'capture-bad-block', /block of 8 bytes: .* at least 12/, 't.pcapng, byte 48'],
    ['block length odd', at(48 + 4, 94, concat(start, good)), 'capture-bad-block', /packet block of 94 bytes: .* multiple of 4/, 't.pcapng, packet 1, byte 48'],
    ['block monstrous', at(48 + 4, 0xfffffffc, concat(start, good)), 'capture-bad-block', /packet block of 4294967292 bytes is longer than the 524288/, 't.pcapng, packet 1, byte 48'],
    ['unknown block monstrous', concat(start, new Bytes('LE').u32(99).u32(0xfffffffc).done()), 'capture-truncated', /block of 4294967292 bytes is cut short/, 't.pcapng, byte 48'],
    ['two lengths differ', at(48 + 92, 92, concat(start, good)), 'capture-bad-block', /block length is 96 at its beginning but 92 at its end/, 't.pcapng, packet 1, byte 48'],
    ['unknown block, two lengths differ', at(48 + 12, 20, concat(start, block('LE', 99, new Uint8Array(4)))), 'capture-bad-block', /block length is 16 at its beginning but 20/, 't.pcapng, byte 48'],
    ['captured more than its block', concat(start, enhancedPacket('LE', { data: frame, capturedLen: 65, originalLen: 65 })), 'capture-bad-block', /captured length 65 is more than the 64 bytes left in its block/, 't.pcapng, packet 1, byte 48'],
    ['captured more than was there', concat(start, enhancedPacket('LE', { data: frame, originalLen: 60 })), 'capture-bad-length', /captured length 61 is more than the original length 60/, 't.pcapng, packet 1, byte 48'],
    ['captured length monstrous', concat(start, enhancedPacket('LE', { data: frame, capturedLen: 0xffffffff, originalLen: 0xffffffff })), 'capture-bad-length', /captured length 4294967295 is more than the 262144/, 't.pcapng, packet 1, byte 48'],
    ['simple packet without room', concat(start, simplePacket('LE', 100, frame)), 'capture-bad-block', /captured length 100 is more than the 64 bytes left/, 't.pcapng, packet 1, byte 48'],
    ['simple packet with too much room', concat(start, simplePacket('LE', 10, frame)), 'capture-bad-block', /simple packet block has room for 64 bytes, but its packet has 10/, 't.pcapng, packet 1, byte 48'],
    ['interface not described', concat(start, enhancedPacket('LE', { interfaceId: 1, data: frame })), 'capture-bad-interface', /packet names interface 1, but its section has described 1 so far/, 't.pcapng, packet 1, byte 48'],
    ['raw IP interface', concat(sectionHeader('LE'), interfaceDescription('LE', { linkType: 101 }), good), 'unsupported-link-type', /link type 101 \(raw IP\)/, 't.pcapng, packet 1, byte 48'],
    ['option beyond its block', concat(start, enhancedPacket('LE', { data: frame }, new Bytes('LE').u16(1).u16(5).u32(0).done())), 'capture-bad-block', /options of the packet block: option 1 claims 5 bytes, but only 4 are left in its block/, 't.pcapng, packet 1, byte 48'],
    ['opt_endofopt with a value', concat(start, enhancedPacket('LE', { data: frame }, new Bytes('LE').u16(0).u16(4).u32(0).done())), 'capture-bad-block', /opt_endofopt has 4 bytes instead of none/, 't.pcapng, packet 1, byte 48'],
    ['epb_flags of 2 bytes', concat(start, enhancedPacket('LE', { data: frame }, option('LE', 2, [1, 2]))), 'capture-bad-block', /options of the packet block: epb_flags has 2 bytes instead of 4/, 't.pcapng, packet 1, byte 48'],
    ['if_tsresol of 2 bytes', concat(sectionHeader('LE'), interfaceDescription('LE', {}, option('LE', 9, [1, 2]))), 'capture-bad-block', /options of the interface description: if_tsresol has 2 bytes instead of 1/, 't.pcapng, byte 28'],
    ['if_tsoffset of 4 bytes', concat(sectionHeader('LE'), interfaceDescription('LE', {}, option('LE', 14, [1, 2, 3, 4]))), 'capture-bad-block', /if_tsoffset has 4 bytes instead of 8/, 't.pcapng, byte 28'],
    ['if_fcslen of 3 bytes', concat(sectionHeader('LE'), interfaceDescription('LE', {}, option('LE', 13, [1, 2, 3]))), 'capture-bad-block', /if_fcslen has 3 bytes instead of 1/, 't.pcapng, byte 28'],
    ['section header option cut', sectionHeader('LE', new Bytes('LE').u16(4).u16(1).done()), 'capture-bad-block', /options of the section header: option 4 claims 1 bytes, but only 0 are left/, 't.pcapng, byte 0'],
    ['time beyond sense', concat(sectionHeader('LE'), interfaceDescription('LE', {}, option('LE', 9, [0])), enhancedPacket('LE', { ticks: 1n << 63n, data: frame })), 'capture-bad-timestamp', /timestamp 9223372036854776000 s lies outside/, 't.pcapng, packet 1, byte 56'],
  ];

  it.each(cases)('%s', (_, bytes, code, message, where) => {
    const problem = problemOf(bytes);
    expect(problem).toMatchObject({ code, where, message: expect.stringMatching(message) });
    expect(problem!.hint).toMatch(/\w/);
  });

  it('refuses more interfaces than a section may have', () => {
    const one = interfaceDescription('LE');
    const many = new Uint8Array(one.length * 65537);
    for (let i = 0; i < 65537; i++) many.set(one, i * one.length);
    expect(problemOf(sectionHeader('LE'), many)).toMatchObject({ code: 'capture-bad-block', message: 'section describes more than 65536 interfaces' });
  });
});
