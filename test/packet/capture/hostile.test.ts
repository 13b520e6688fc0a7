import { describe, expect, test } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { MemorySink, openCaptureBytes, PcapngWriter, PcapWriter, summarize } from '../../../src/packet/index.js';
import { fc, prop } from '../../support/property.js';
import { concat, enhancedPacket, interfaceDescription, option, pcapFile, sectionHeader } from '../support/captureBytes.js';

const frame = Uint8Array.from({ length: 70 }, (_, i) => (i * 37) & 0xff);

function written(make: (sink: MemorySink) => PcapWriter | PcapngWriter): Uint8Array {
  const sink = new MemorySink();
  unwrap(make(sink).close());
  return sink.bytes();
}

/** Sound captures of each kind; the tests below damage them. */
const captures: Record<string, Uint8Array> = {
  'pcap, little-endian': written((sink) => {
    const writer = new PcapWriter(sink);
    for (let i = 0; i < 5; i++) writer.writePacket(frame, i, 60 + i, 1000 + i, i);
    return writer;
  }),
  'pcap, big-endian with FCS': pcapFile([{ sec: 1, fraction: 2, data: frame }, { sec: 1, fraction: 3, data: frame }], { order: 'BE', linkType: 0x24000001 }),
  'pcapng, written': written((sink) => {
    const writer = new PcapngWriter(sink, { comment: 'c', userApplication: 'u', interfaces: [{ name: 'a', description: 'b' }, { name: 'c' }] });
    for (let i = 0; i < 4; i++) writer.writePacket(i & 1, frame, i, 60 + i, 1000 + i, i, 100, { flags: 1, packetId: i, queue: i, verdict: i, comment: 'x' });
    return writer;
  }),
  'pcapng, big-endian, two sections': concat(
    ...[9, 0x8a].map((tsresol) =>
      concat(sectionHeader('BE'), interfaceDescription('BE', {}, option('BE', 9, [tsresol])), enhancedPacket('BE', { ticks: 1n << 40n, data: frame })),
    ),
  ),
};

/** Reads to the end, checking what must hold whatever the bytes are. */
function readHostile(bytes: Uint8Array): void {
  const opened = openCaptureBytes(bytes, 'hostile');
  if (!opened.ok) {
    expect(opened.problem.message).not.toBe('');
    expect(opened.problem.hint).toBeTruthy();
    return;
  }
  const reader = opened.value;
  let status = reader.next();
  let packets = 0;
  let lastOffset = -1;
  for (; status === 'packet'; status = reader.next()) {
    packets++;
    expect(packets).toBeLessThanOrEqual(bytes.length / 16); // no record is shorter, so no endless loop
    expect(reader.packetNumber).toBe(packets);
    expect(reader.fileOffsetBytes).toBeGreaterThan(lastOffset);
    lastOffset = reader.fileOffsetBytes;
    expect(reader.offBytes).toBeGreaterThan(0);
    expect(reader.capturedLen).toBeGreaterThanOrEqual(0);
    expect(reader.offBytes + reader.capturedLen).toBeLessThanOrEqual(bytes.length);
    expect(reader.originalLen).toBeGreaterThanOrEqual(reader.capturedLen);
    expect(Number.isSafeInteger(reader.tSec)).toBe(true);
    expect(Number.isInteger(reader.tNsec) && reader.tNsec >= 0 && reader.tNsec < 1e9).toBe(true);
    summarize(reader.data, reader.offBytes, reader.capturedLen);
  }
  expect(reader.problem === undefined).toBe(status === 'end');
  if (reader.problem !== undefined) expect(reader.problem.where).toMatch(/^hostile, .*byte \d+$/);
}

describe.each(Object.keys(captures))('damaged %s', (name) => {
  const good = captures[name]!;
  const index = fc.nat(good.length - 1);

  test('cut anywhere', () => {
    for (let lengthBytes = 0; lengthBytes <= good.length; lengthBytes++) readHostile(good.slice(0, lengthBytes));
  });

  test('any single byte at its extremes', () => {
    for (let i = 0; i < good.length; i++) {
      for (const value of [0x00, 0x01, 0x7f, 0x80, 0xff, good[i]! ^ 1]) {
        const bytes = good.slice();
        bytes[i] = value;
        readHostile(bytes);
      }
    }
  });

  prop([fc.array(fc.tuple(index, fc.nat(7)), { minLength: 1, maxLength: 12 }), index], { numRuns: 1000 })('flipped bits and a cut', (flips, cut) => {
    const bytes = good.slice();
    for (const [at, bit] of flips) bytes[at]! ^= 1 << bit;
    readHostile(bytes);
    readHostile(bytes.slice(0, cut));
  });

  prop([index, fc.constantFrom(0, 1, 4, 12, 28, 32, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff), fc.boolean()], { numRuns: 1000 })(
    'a word replaced by a nasty one', (at, word, littleEndian) => {
      const bytes = good.slice();
      new DataView(bytes.buffer).setUint32(Math.min(at & ~3, bytes.length - 4), word, littleEndian);
      readHostile(bytes);
    },
  );

  prop([index, index], { numRuns: 300 })('pieces joined where they do not belong', (from, to) => {
    readHostile(concat(good.slice(0, from), good.slice(to)));
  });
});

describe('no capture at all', () => {
  prop([fc.uint8Array({ maxLength: 400 }), fc.constantFrom('', 'd4c3b2a1', 'a1b23c4d', '0a0d0d0a1c0000004d3c2b1a')])('random bytes behind a magic number', (bytes, magic) => {
    readHostile(concat(Buffer.from(magic, 'hex'), bytes));
  });
});
