import { describe, expect } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { MemorySink, openCaptureBytes, PcapngWriter, PcapWriter } from '../../../src/packet/index.js';
import { fc, prop } from '../../support/property.js';
import { concat, enhancedPacket, interfaceDescription, option, pcapFile, readAll, sectionHeader } from '../support/captureBytes.js';

const packet = fc.record({
  data: fc.uint8Array({ maxLength: 300 }).map((bytes) => Array.from(bytes)),
  cutBytes: fc.nat(2000),
  tSec: fc.nat(0xffffffff),
  tNsec: fc.nat(999_999_999),
});
const packets = fc.array(packet, { maxLength: 12 });
const order = fc.constantFrom('LE' as const, 'BE' as const);

const expected = (list: { data: number[]; cutBytes: number; tSec: number; tNsec: number }[]) =>
  list.map(({ data, cutBytes, tSec, tNsec }) => ({ data, originalLen: data.length + cutBytes, tSec, tNsec }));

describe('what is written is read', () => {
  prop([packets])('pcap with nanoseconds', (list) => {
    const sink = new MemorySink();
    const writer = new PcapWriter(sink);
    for (const p of list) writer.writePacket(Uint8Array.from(p.data), 0, p.data.length, p.tSec, p.tNsec, p.data.length + p.cutBytes);
    const totals = unwrap(writer.close());
    expect(totals).toEqual({ packets: list.length, bytes: sink.bytes().length });
    expect(readAll(unwrap(openCaptureBytes(sink.bytes(), 'x')))).toEqual({ packets: expected(list), status: 'end' });
  });

  prop([packets])('pcap with microseconds, rounded down', (list) => {
    const sink = new MemorySink();
    const writer = new PcapWriter(sink, { resolution: 'microseconds' });
    for (const p of list) writer.writePacket(Uint8Array.from(p.data), 0, p.data.length, p.tSec, p.tNsec, p.data.length + p.cutBytes);
    unwrap(writer.close());
    const rounded = expected(list).map((p) => ({ ...p, tNsec: p.tNsec - (p.tNsec % 1000) }));
    expect(readAll(unwrap(openCaptureBytes(sink.bytes(), 'x')))).toEqual({ packets: rounded, status: 'end' });
  });

  prop([packets, fc.nat(3), fc.string({ unit: 'grapheme' }), fc.boolean()])('pcapng, whatever the options', (list, lastInterface, text, withOptions) => {
    const sink = new MemorySink();
    const writer = new PcapngWriter(sink, { userApplication: text, comment: text });
    for (let i = 0; i <= lastInterface; i++) writer.addInterface({ name: `eth${i}`, description: text });
    list.forEach((p, i) => {
      const options = withOptions ? { flags: 1, packetId: i, queue: i, verdict: i, comment: text } : {};
      writer.writePacket(i % (lastInterface + 1), Uint8Array.from(p.data), 0, p.data.length, p.tSec, p.tNsec, p.data.length + p.cutBytes, options);
    });
    unwrap(writer.close());
    expect(readAll(unwrap(openCaptureBytes(sink.bytes(), 'x')))).toEqual({ packets: expected(list), status: 'end' });
  });
});

describe('both byte orders, files built by hand', () => {
  prop([packets, order])('pcap', (list, byteOrder) => {
    const file = pcapFile(
      list.map((p) => ({ sec: p.tSec, fraction: p.tNsec, data: p.data, originalLen: p.data.length + p.cutBytes })),
      { order: byteOrder, magic: 0xa1b23c4d },
    );
    expect(readAll(unwrap(openCaptureBytes(file, 'x')))).toEqual({ packets: expected(list), status: 'end' });
  });

  prop([packets, fc.array(order, { minLength: 1, maxLength: 4 })])('pcapng, a section after the other in any order', (list, orders) => {
    const sections = orders.map((byteOrder) =>
      concat(
        sectionHeader(byteOrder),
        interfaceDescription(byteOrder, {}, option(byteOrder, 9, [9])),
        ...list.map((p) => {
          const ticks = BigInt(p.tSec) * 1_000_000_000n + BigInt(p.tNsec);
          return enhancedPacket(byteOrder, { ticks, data: p.data, originalLen: p.data.length + p.cutBytes });
        }),
      ),
    );
    const all = readAll(unwrap(openCaptureBytes(concat(...sections), 'x')));
    expect(all).toEqual({ packets: orders.flatMap(() => expected(list)), status: 'end' });
  });
});
