import { describe, expect, it } from 'vitest';
import { fromHex, unwrap } from '../../../src/base/index.js';
import type { Problem } from '../../../src/base/index.js';
import { openCaptureBytes } from '../../../src/packet/index.js';
import { concat, pcapFile, readAll } from '../support/captureBytes.js';
import type { PcapRecord, PcapShape } from '../support/captureBytes.js';

const frame = Array.from({ length: 60 }, (_, i) => i);
const good: PcapRecord = { sec: 1, fraction: 2, data: frame };

/** The problem that a capture ends with, whether it shows at once or only while reading. */
function problemOf(bytes: Uint8Array): Problem | undefined {
  const opened = openCaptureBytes(bytes, 't.pcap');
  if (!opened.ok) return opened.problem;
  readAll(opened.value);
  return opened.value.problem;
}

describe('golden bytes', () => {
  it('reads a little-endian microsecond file', () => {
    const bytes = fromHex(
      'd4c3b2a1 0200 0400 00000000 00000000 00000400 01000000' + // magic, 2.4, -, -, snaplen 262144, Ethernet
        '80d1f008 07000000 04000000 40000000 deadbeef', // 150000000 s, 7 us, 4 of 64 bytes
    )!;
    const reader = unwrap(openCaptureBytes(bytes, 't.pcap'));
    expect(reader.next()).toBe('packet');
    expect(reader).toMatchObject({
      format: 'pcap', offBytes: 40, capturedLen: 4, originalLen: 64, tSec: 150_000_000, tNsec: 7000, packetNumber: 1,
      fileOffsetBytes: 24, linkType: 1, interfaceId: 0, hasTimestamp: true, fcsLen: 0,
    });
    expect(Array.from(reader.data.subarray(reader.offBytes, reader.offBytes + 4))).toEqual([0xde, 0xad, 0xbe, 0xef]);
    expect(reader.next()).toBe('end');
    expect(reader.next()).toBe('end');
    expect(reader.problem).toBeUndefined();
  });

  it('reads a big-endian nanosecond file', () => {
    const bytes = fromHex('a1b23c4d 0002 0004 00000000 00000000 0000ffff 00000001' + 'ffffffff 3b9ac9ff 00000001 00000001 aa')!;
    const reader = unwrap(openCaptureBytes(bytes, 't.pcap'));
    expect(readAll(reader)).toEqual({ packets: [{ data: [0xaa], originalLen: 1, tSec: 4294967295, tNsec: 999_999_999 }], status: 'end' });
  });

  it.each([
    ['LE', 0xa1b2c3d4, 1_000_000], ['BE', 0xa1b2c3d4, 1_000_000], ['LE', 0xa1b23c4d, 1000], ['BE', 0xa1b23c4d, 1000],
  ] as const)('reads %s with magic %s', (order, magic, tNsec) => {
    const reader = unwrap(openCaptureBytes(pcapFile([{ sec: 5, fraction: 1000, data: frame }], { order, magic }), 't.pcap'));
    expect(readAll(reader).packets).toEqual([{ data: frame, originalLen: 60, tSec: 5, tNsec }]);
  });
});

describe('captures that are odd but sound', () => {
  it('without packets', () => {
    expect(readAll(unwrap(openCaptureBytes(pcapFile([]), 't.pcap')))).toEqual({ packets: [], status: 'end' });
  });

  it('with an empty packet and one cut by the snapshot length', () => {
    const file = pcapFile([{ sec: 1, fraction: 0, data: [] }, { sec: 2, fraction: 0, data: frame, originalLen: 1500 }], { snapLen: 60 });
    expect(readAll(unwrap(openCaptureBytes(file, 't.pcap'))).packets.map((p) => [p.data.length, p.originalLen])).toEqual([[0, 0], [60, 1500]]);
  });

  it('with a packet longer than the snapshot length, as libpcap accepts it', () => {
    expect(readAll(unwrap(openCaptureBytes(pcapFile([good], { snapLen: 10 }), 't.pcap'))).status).toBe('end');
  });

  it('with the longest packet that is believed', () => {
    const file = pcapFile([{ sec: 1, fraction: 0, data: new Uint8Array(262144) }]);
    expect(readAll(unwrap(openCaptureBytes(file, 't.pcap'))).packets[0]!.originalLen).toBe(262144);
  });

  // Link type word 0x24000001: FCS of 2 words of 16 bits, valid, Ethernet.
  it.each([
    ['whole frame with FCS', 64, 64, 60, 60],
    ['cut inside the FCS', 62, 64, 60, 60],
    ['cut before the FCS', 50, 64, 50, 60],
    ['nothing but part of an FCS', 3, 3, 0, 0],
  ])('with an FCS behind the frame: %s', (_, captured, original, capturedLen, originalLen) => {
    const file = pcapFile([{ sec: 1, fraction: 0, data: new Uint8Array(captured), originalLen: original }], { linkType: 0x24000001 });
    const reader = unwrap(openCaptureBytes(file, 't.pcap'));
    expect(reader.next()).toBe('packet');
    expect(reader).toMatchObject({ fcsLen: 4, capturedLen, originalLen, linkType: 1 });
    expect(reader.next()).toBe('end');
  });

  it('ignores an FCS length that is not marked valid, and reserved bits', () => {
    const reader = unwrap(openCaptureBytes(pcapFile([good], { linkType: 0x21ff0001 }), 't.pcap'));
    expect(reader.next()).toBe('packet');
    expect(reader).toMatchObject({ fcsLen: 0, capturedLen: 60 });
  });
});

describe('bad captures', () => {
  const file = (record: Partial<PcapRecord>, shape?: PcapShape): Uint8Array => pcapFile([good, { ...good, ...record }], shape);
  const cases: [string, Uint8Array, Problem['code'], RegExp, string, RegExp][] = [
    ['file header cut', pcapFile([]).slice(0, 23), 'capture-truncated', /pcap file header is cut short: it needs 24 bytes, the file has 23 left/, 't.pcap, byte 0', /capture again/],
    ['record header cut', pcapFile([good, good]).slice(0, 24 + 76 + 15), 'capture-truncated', /record header is cut short: it needs 16 bytes, the file has 15 left/, 't.pcap, packet 2, byte 100', /editcap/],
    ['packet cut', pcapFile([good, good]).slice(0, -1), 'capture-truncated', /packet is cut short: it needs 76 bytes, the file has 75 left/, 't.pcap, packet 2, byte 100', /editcap/],
    ['monstrous length', file({ capturedLen: 0xfffffff0, originalLen: 0xfffffff0 }), 'capture-bad-length', /captured length 4294967280 is more than the 262144 bytes/, 't.pcap, packet 2, byte 100', /damaged/],
    ['monstrous length, allowed by snaplen', file({ capturedLen: 262145, originalLen: 262145 }, { snapLen: 0x7fffffff }), 'capture-bad-length', /262145 is more than the 262144/, 't.pcap, packet 2, byte 100', /damaged/],
    ['captured more than was there', file({ originalLen: 59 }), 'capture-bad-length', /captured length 60 is more than the original length 59/, 't.pcap, packet 2, byte 100', /damaged|swapped/],
    ['a second of microseconds', file({ fraction: 1_000_000 }), 'capture-bad-timestamp', /1000000 microseconds is a whole second or more/, 't.pcap, packet 2, byte 100', /nanoseconds under the magic/],
    ['a second of nanoseconds', file({ fraction: 1_000_000_000 }, { magic: 0xa1b23c4d }), 'capture-bad-timestamp', /1000000000 nanoseconds is a whole second/, 't.pcap, packet 2, byte 100', /damaged/],
    ['raw IP', pcapFile([good], { linkType: 101 }), 'unsupported-link-type', /link type 101 \(raw IP\) can't be replayed, only Ethernet \(1\) can/, 't.pcap, byte 20', /tcpdump -i eth0/],
    ['cooked', pcapFile([good], { linkType: 113, order: 'BE' }), 'unsupported-link-type', /113 \(Linux cooked capture v1\)/, 't.pcap, byte 20', /"any"/],
    ['link type without a name', pcapFile([good], { linkType: 299 }), 'unsupported-link-type', /link type 299 can't/, 't.pcap, byte 20', /Ethernet/],
    ['version 2.3', pcapFile([good], { minor: 3 }), 'unsupported-capture-version', /pcap version 2\.3 can't be read, only 2\.4 can/, 't.pcap, byte 4', /tcpdump -r/],
    ['version 9.4', pcapFile([good], { major: 9 }), 'unsupported-capture-version', /pcap version 9\.4/, 't.pcap, byte 4', /tcpdump -r/],
  ];

  it.each(cases)('%s', (_, bytes, code, message, where, hint) => {
    const problem = problemOf(bytes);
    expect(problem).toMatchObject({ code, where, message: expect.stringMatching(message), hint: expect.stringMatching(hint) });
  });

  it('keeps the packets before the fault, and the fault', () => {
    const reader = unwrap(openCaptureBytes(concat(pcapFile([good, good]), Uint8Array.of(1)), 't.pcap'));
    const { packets, status } = readAll(reader);
    expect([packets.length, status]).toEqual([2, 'error']);
    const first = reader.problem;
    expect(reader.next()).toBe('error');
    expect(reader.problem).toBe(first);
  });
});
