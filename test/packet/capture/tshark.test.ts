import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { EPB_FLAGS_INBOUND, EPB_FLAGS_OUTBOUND, fieldAt, openCapture, PcapngWriter, PcapWriter } from '../../../src/packet/index.js';
import { icmpEcho, tcpSegment, udpDatagram, vlanTagged } from '../support/frames.js';

const hasTshark = spawnSync('tshark', ['--version']).status === 0;
if (!hasTshark) console.warn('SKIPPED: tshark is not installed, so nothing checks our captures against Wireshark');

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'xdp-sim-tshark-')); });
afterAll(() => rmSync(folder, { recursive: true }));

/** One row of fields per packet, as tshark prints them. */
function tsharkFields(path: string, ...fields: string[]): string[][] {
  const output = execFileSync('tshark', ['-r', path, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return output.split('\n').slice(0, -1).map((line) => line.split('\t'));
}

describe.skipIf(!hasTshark)('tshark', () => {
  it.each(['microseconds', 'nanoseconds'] as const)('opens pcap with %s', (resolution) => {
    const path = join(folder, `${resolution}.pcap`);
    const writer = unwrap(PcapWriter.create(path, { resolution }));
    writer.writePacket(udpDatagram, 0, udpDatagram.length, 1_700_000_000, 123_456_789, 1500);
    unwrap(writer.close());
    const fraction = resolution === 'nanoseconds' ? '123456789' : '123456000';
    expect(tsharkFields(path, 'frame.time_epoch', 'frame.cap_len', 'frame.len', 'udp.dstport')).toEqual([[`1700000000.${fraction}`, `${udpDatagram.length}`, '1500', '53']]);
  });

  it('shows interface, packet id, queue, verdict, direction and comment of pcapng', () => {
    const path = join(folder, 'options.pcapng');
    const writer = unwrap(PcapngWriter.create(path, { userApplication: 'xdp-sim', interfaces: [{ name: 'eth0', description: 'first' }, { name: 'eth1' }] }));
    writer.writePacket(0, udpDatagram, 0, udpDatagram.length, 1_700_000_000, 1, udpDatagram.length, {
      flags: EPB_FLAGS_INBOUND, packetId: 2 ** 40, queue: 3, verdict: 1, comment: 'dropped: é',
    });
    writer.writePacket(1, udpDatagram, 0, udpDatagram.length, 1_700_000_000, 2, udpDatagram.length, {
      flags: EPB_FLAGS_OUTBOUND, packetId: 0, queue: 0, verdict: 77,
    });
    unwrap(writer.close());
    const fields = [
      'frame.time_epoch', 'frame.interface_name', 'frame.interface_description', 'frame.packet_id', 'frame.interface_queue',
      'frame.verdict.ebpf_xdp', 'frame.packet_flags_direction', 'frame.comment',
    ];
    expect(tsharkFields(path, ...fields)).toEqual([
      ['1700000000.000000001', 'eth0', 'first', `${2 ** 40}`, '3', '1', '0x00000001', 'dropped: é'],
      ['1700000000.000000002', 'eth1', '', '0', '0', '77', '0x00000002', ''],
    ]);
  });

  it('finds the fields where fieldAt names them', () => {
    const path = join(folder, 'fields.pcap');
    const frames = [udpDatagram, tcpSegment, icmpEcho, vlanTagged];
    const writer = unwrap(PcapWriter.create(path));
    for (const frame of frames) writer.writePacket(frame, 0, frame.length, 1, 0);
    unwrap(writer.close());
    // Our name for each of Wireshark's.
    const names: Record<string, string> = {
      'eth.dst': 'eth.dst', 'eth.src': 'eth.src', 'vlan.id': 'vlan.tci', 'ip.ttl': 'ipv4.ttl', 'ip.id': 'ipv4.id', 'ip.len': 'ipv4.total_length',
      'ip.proto': 'ipv4.protocol', 'ip.checksum': 'ipv4.checksum', 'ip.src': 'ipv4.src', 'ip.dst': 'ipv4.dst', 'ipv6.hlim': 'ipv6.hop_limit',
      'ipv6.src': 'ipv6.src', 'ipv6.dst': 'ipv6.dst', 'ipv6.plen': 'ipv6.payload_length', 'udp.srcport': 'udp.src_port', 'udp.length': 'udp.length',
      'udp.checksum': 'udp.checksum', 'tcp.seq_raw': 'tcp.seq', 'tcp.ack_raw': 'tcp.ack', 'tcp.window_size_value': 'tcp.window', 'tcp.checksum': 'tcp.checksum',
      'icmp.type': 'icmp.type', 'icmp.checksum': 'icmp.checksum', 'icmp.seq': 'icmp.seq',
    };
    const pdml = execFileSync('tshark', ['-r', path, '-T', 'pdml'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const packets = pdml.split('<packet>').slice(1);
    expect(packets).toHaveLength(frames.length);
    const seen = new Set<string>();
    packets.forEach((xml, i) => {
      for (const [, name, , pos] of xml.matchAll(/<field name="([\w.]+)"[^>]* size="(\d+)" pos="(\d+)"/g)) {
        if (names[name!] === undefined) continue;
        expect(fieldAt(frames[i]!, frames[i]!.length, Number(pos)), `${name} of packet ${i + 1}`).toBe(names[name!]);
        seen.add(name!);
      }
    });
    expect([...seen].sort()).toEqual(Object.keys(names).sort());
  });

  it('writes pcapng that we read', () => {
    const source = join(folder, 'source.pcap');
    const converted = join(folder, 'converted.pcapng');
    const writer = unwrap(PcapWriter.create(source));
    writer.writePacket(tcpSegment, 0, tcpSegment.length, 1_700_000_000, 987_654_321);
    unwrap(writer.close());
    execFileSync('tshark', ['-r', source, '-F', 'pcapng', '-w', converted], { stdio: 'ignore' });
    const reader = unwrap(openCapture(converted));
    expect(reader.next()).toBe('packet');
    expect(reader).toMatchObject({ format: 'pcapng', tSec: 1_700_000_000, tNsec: 987_654_321, capturedLen: tcpSegment.length });
    expect(reader.next()).toBe('end');
  });
});
