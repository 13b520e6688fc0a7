import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toHex, unwrap } from '../../../src/base/index.js';
import type { Problem } from '../../../src/base/index.js';
import { EPB_FLAGS_INBOUND, MemorySink, openCapture, PcapngWriter, PcapWriter } from '../../../src/packet/index.js';
import type { ByteSink } from '../../../src/packet/index.js';
import { readAll } from '../support/captureBytes.js';

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'xdp-sim-writers-')); });
afterAll(() => rmSync(folder, { recursive: true }));

const frame = Uint8Array.of(0xff, 0xde, 0xad, 0xbe, 0xef, 0xff);
const hex = (text: string): string => text.replace(/\s/g, '');

describe('golden bytes', () => {
  it('PcapWriter, nanoseconds', () => {
    const sink = new MemorySink();
    const writer = new PcapWriter(sink);
    writer.writePacket(frame, 1, 4, 150_000_000, 7, 64);
    expect(unwrap(writer.close())).toEqual({ packets: 1, bytes: 44 });
    expect(toHex(sink.bytes())).toBe(hex(`
      4d3cb2a1 0200 0400 00000000 00000000 00000400 01000000
      80d1f008 07000000 04000000 40000000 deadbeef`));
  });

  it('PcapWriter, microseconds', () => {
    const sink = new MemorySink();
    const writer = new PcapWriter(sink, { resolution: 'microseconds', snapLen: 96 });
    writer.writePacket(frame, 1, 4, 1, 999_999_999);
    unwrap(writer.close());
    expect(toHex(sink.bytes())).toBe(hex(`
      d4c3b2a1 0200 0400 00000000 00000000 60000000 01000000
      01000000 3f420f00 04000000 04000000 deadbeef`));
  });

  it('PcapngWriter, every option', () => {
    const sink = new MemorySink();
    const writer = new PcapngWriter(sink, { userApplication: 'xdp-sim', interfaces: [{ name: 'eth0', description: 'é' }] });
    writer.writePacket(0, frame, 1, 5, 1_700_000_000, 123_456_789, 64, {
      flags: EPB_FLAGS_INBOUND, packetId: 2 ** 40 + 3, queue: 2, verdict: 4, comment: 'drop',
    });
    expect(unwrap(writer.close())).toEqual({ packets: 1, bytes: 44 + 48 + 96 });
    expect(toHex(sink.bytes())).toBe(hex(`
      0a0d0d0a 2c000000 4d3c2b1a 0100 0000 ffffffffffffffff 0400 0700 7864702d73696d00 0000 0000 2c000000
      01000000 30000000 0100 0000 00000400 0200 0400 65746830 0300 0200 c3a90000 0900 0100 09000000 0000 0000 30000000
      06000000 60000000 00000000 fe9c9717 15cd853d 05000000 40000000 deadbeefff000000
        0100 0400 64726f70 0200 0400 01000000 0500 0800 0300000000010000 0600 0400 02000000
        0700 0900 02 0400000000000000 000000 0000 0000 60000000`));
  });

  it('PcapngWriter, no options', () => {
    const sink = new MemorySink();
    const writer = new PcapngWriter(sink, { interfaces: [{ name: 'a' }] });
    const before = 28 + 40;
    writer.writePacket(0, frame, 1, 4, 0, 0, 4, {});
    unwrap(writer.close());
    expect(toHex(sink.bytes().subarray(before))).toBe(hex('06000000 24000000 00000000 00000000 00000000 04000000 04000000 deadbeef 24000000'));
  });
});

describe('files', () => {
  it.each([
    ['pcap', (path: string) => PcapWriter.create(path)],
    ['pcapng', (path: string) => PcapngWriter.create(path, { interfaces: [{ name: 'eth0' }] })],
  ] as const)('%s: more than the buffer holds arrives whole', (format, create) => {
    const path = join(folder, `big.${format}`);
    const writer = unwrap<PcapWriter | PcapngWriter>(create(path));
    const big = Uint8Array.from({ length: 9000 }, (_, i) => i & 0xff);
    for (let i = 0; i < 200; i++) {
      if (writer instanceof PcapWriter) writer.writePacket(big, 0, 9000 - i, i, i);
      else writer.writePacket(0, big, 0, 9000 - i, i, i, 9000 - i, { packetId: i });
    }
    const totals = unwrap(writer.close());
    expect(totals).toEqual({ packets: 200, bytes: readFileSync(path).length });
    const { packets, status } = readAll(unwrap(openCapture(path)));
    expect(status).toBe('end');
    expect(packets.map((p) => [p.data.length, p.data[255], p.tSec, p.tNsec])).toEqual(Array.from({ length: 200 }, (_, i) => [9000 - i, 255, i, i]));
  });

  it('pcapng: padding is zero even where the buffer held other bytes before', () => {
    const sink = new MemorySink();
    const writer = new PcapngWriter(sink, { interfaces: [{ name: 'a' }] });
    const ones = new Uint8Array(9000).fill(0xff);
    for (let i = 0; i < 200; i++) writer.writePacket(0, ones, 0, 9000, 0, 0);
    for (let i = 0; i < 10; i++) writer.writePacket(0, ones, 0, 4097, 0, 0);
    unwrap(writer.close());
    expect(Array.from(sink.bytes().subarray(-8, -4))).toEqual([0xff, 0, 0, 0]);
  });

  it('that cannot be created are a problem', () => {
    const path = join(folder, 'no-such-folder', 'x.pcap');
    for (const made of [PcapWriter.create(path), PcapngWriter.create(path)]) {
      expect(made).toMatchObject({ ok: false, problem: { code: 'capture-unwritable', where: path, message: expect.stringMatching(/ENOENT/) } });
    }
  });

  it.skipIf(!existsSync('/dev/full'))('on a full disk: the writer keeps the first problem and close tells it', () => {
    const writer = unwrap(PcapWriter.create('/dev/full'));
    for (let i = 0; i < 100; i++) writer.writePacket(new Uint8Array(60_000), 0, 60_000, i, 0);
    expect(writer.problem).toMatchObject({ code: 'capture-unwritable', message: expect.stringMatching(/ENOSPC/), where: '/dev/full' });
    expect(writer.close()).toMatchObject({ ok: false, problem: { code: 'capture-unwritable' } });
  });
});

describe('what a caller may get wrong', () => {
  const pcap = (): PcapWriter => new PcapWriter(new MemorySink());
  const pcapng = (): PcapngWriter => new PcapngWriter(new MemorySink(), { interfaces: [{ name: 'a' }] });

  it('lengths and times throw a RangeError that names the function', () => {
    expect(() => pcap().writePacket(frame, 3, 4, 0, 0)).toThrow('PcapWriter.writePacket: packet 3+4 lies outside of its buffer of 6 bytes');
    expect(() => pcap().writePacket(frame, -1, 4, 0, 0)).toThrow('PcapWriter.writePacket: packet -1+4 lies outside');
    expect(() => pcap().writePacket(new Uint8Array(262145), 0, 262145, 0, 0)).toThrow(/longer than 262144/);
    expect(() => pcap().writePacket(frame, 0, 4, 0, 0, 3)).toThrow(/original length 3/);
    expect(() => pcap().writePacket(frame, 0, 4, 0, 1e9)).toThrow(/1000000000 ns is not within a second/);
    expect(() => pcap().writePacket(frame, 0, Number.NaN, 0, 0)).toThrow(RangeError);
    expect(() => pcapng().writePacket(1, frame, 0, 4, 0, 0)).toThrow('PcapngWriter.writePacket: interface 1 is not described, only 1 are');
    expect(() => pcapng().writePacket(0, frame, 3, 4, 0, 0)).toThrow('PcapngWriter.writePacket: packet 3+4');
  });

  it('a packet after close() throws', () => {
    const writer = pcap();
    unwrap(writer.close());
    expect(() => writer.writePacket(frame, 0, 4, 0, 0)).toThrow(/after close/);
  });

  it.each([[-1], [2 ** 32]])('a time of %s s, which pcap cannot hold, is a problem', (tSec) => {
    const writer = pcap();
    writer.writePacket(frame, 0, 4, tSec, 0);
    const expected = { code: 'capture-bad-timestamp', message: `time ${tSec} s of packet 1 can't be written to pcap` };
    expect(writer.problem).toMatchObject(expected);
    expect(writer.close()).toMatchObject({ ok: false, problem: expected });
  });

  it.each([[-1], [18_446_744_073]])('a time of %s s, which pcapng cannot hold, is a problem', (tSec) => {
    const writer = pcapng();
    writer.writePacket(0, frame, 0, 4, tSec, 0);
    expect(writer.close()).toMatchObject({ ok: false, problem: { code: 'capture-bad-timestamp', message: `time ${tSec} s of packet 1 can't be written to pcapng` } });
  });
});

describe('a sink that fails', () => {
  it('is not asked again, and is closed', () => {
    const problem: Problem = { code: 'test', message: 'no room' };
    const calls: string[] = [];
    const sink: ByteSink = { write: () => { calls.push('write'); return problem; }, close: () => { calls.push('close'); return undefined; } };
    const writer = new PcapWriter(sink);
    for (let i = 0; i < 100; i++) writer.writePacket(new Uint8Array(60_000), 0, 60_000, i, 0);
    expect(writer.close()).toEqual({ ok: false, problem });
    expect(writer.close()).toEqual({ ok: false, problem });
    expect(calls).toEqual(['write', 'close']);
  });

  it('cuts a comment beyond 65535 bytes at a whole character', () => {
    const sink = new MemorySink();
    const writer = new PcapngWriter(sink, { interfaces: [{ name: 'a' }] });
    writer.writePacket(0, frame, 0, 4, 0, 0, 4, { comment: 'é'.repeat(40_000) });
    unwrap(writer.close());
    // 32767 characters of two bytes each, padded to 65536.
    expect(sink.bytes().length).toBe(28 + 40 + 28 + 4 + 4 + 65536 + 4 + 4);
  });
});
