import { Readable } from 'node:stream';
import { parse } from 'pcap-parser';
import type { ParsedPacket } from 'pcap-parser';
import { describe, expect } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { MemorySink, openCaptureBytes, PcapWriter } from '../../../src/packet/index.js';
import { fc, prop } from '../../support/property.js';
import { pcapFile, readAll } from '../support/captureBytes.js';
import type { PacketRead } from '../support/captureBytes.js';

/** What pcap-parser, an implementation that we share nothing with, makes of a classic microsecond file. */
function byPcapParser(file: Uint8Array): Promise<PacketRead[]> {
  return new Promise((resolve, reject) => {
    const packets: PacketRead[] = [];
    const parser = parse(Readable.from([Buffer.from(file)]));
    parser.on('packet', ({ header, data }: ParsedPacket) => {
      packets.push({
        data: Array.from(data), originalLen: header.originalLength, tSec: header.timestampSeconds, tNsec: header.timestampMicroseconds * 1000,
      });
    });
    parser.on('end', () => resolve(packets));
    parser.on('error', reject);
  });
}

const records = fc.array(
  fc.record({
    sec: fc.nat(0xffffffff),
    fraction: fc.nat(999_999),
    data: fc.uint8Array({ maxLength: 200 }).map((bytes) => Array.from(bytes)),
    cutBytes: fc.nat(1500),
  }),
  { maxLength: 10 },
);

describe('classic microsecond files are read as pcap-parser reads them', () => {
  prop([records, fc.constantFrom('LE' as const, 'BE' as const)])('built by hand', async (list, order) => {
    const file = pcapFile(list.map((r) => ({ ...r, originalLen: r.data.length + r.cutBytes })), { order });
    expect(readAll(unwrap(openCaptureBytes(file, 'x'))).packets).toEqual(await byPcapParser(file));
  });

  prop([records])('written by PcapWriter', async (list) => {
    const sink = new MemorySink();
    const writer = new PcapWriter(sink, { resolution: 'microseconds' });
    for (const r of list) writer.writePacket(Uint8Array.from(r.data), 0, r.data.length, r.sec, r.fraction * 1000, r.data.length + r.cutBytes);
    unwrap(writer.close());
    const packets = await byPcapParser(sink.bytes());
    expect(packets).toHaveLength(list.length);
    expect(readAll(unwrap(openCaptureBytes(sink.bytes(), 'x'))).packets).toEqual(packets);
  });
});
